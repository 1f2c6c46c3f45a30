// What may be said of a hypervisor's guests, in `--dom0 KEY=VALUE,...` and in scenario files.
#pragma once

#include <string>
#include <string_view>

#include "sim/machine/machine_config.h"

namespace trapline {

/// Sets one property of a domain by its name: kernel, initrd, append, dtb, memory, vcpus, vpl011.
/// Throws std::invalid_argument, also for a key that does not exist.
void set_domain_property(DomainSpec& domain, std::string_view key, const std::string& value);

/// `--dom0 kernel=F,...`: makes dom0, or changes it if the scenario file has one.
void apply_dom0(XenSpec& xen, std::string_view text);

/// `--domu name=N,kernel=F,...`: adds the domain, or changes the one of that name. Without a name
/// the domains are domU1, domU2...
void apply_domu(XenSpec& xen, std::string_view text);

/// As set_domain_property(), and what only a domain of the simulator's own hypervisor has.
void set_guest_property(DomainSpec& domain, std::string_view key, const std::string& value);

/// `--domain name=N,kernel=F,...`: as apply_domu(), for a domain without a hypervisor image.
void apply_domain(MachineConfig& machine, std::string_view text);

/// `--sched null`, `rr,slice=TIME` or `arinc653,table=DOMAIN:TIME/DOMAIN.VCPU:TIME/idle:TIME`, each
/// with switch-cycles=N. `table1=` is CPU 1's, and so on.
SchedulerSpec parse_scheduler(std::string_view text);
/// "silo" or "dummy", Xen's names of these policies: whether domains are kept from one another.
bool parse_silo(std::string_view text);

}  // namespace trapline
