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

}  // namespace trapline
