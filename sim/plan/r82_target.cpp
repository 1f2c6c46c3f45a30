// guests/r82/hypervisor: its own four regions, and those of the guest that runs.
#include <spdlog/fmt/fmt.h>

#include "sim/plan/assembler.h"

namespace trapline::plan {

void assemble_r82(Assembler& a) {
  if (a.config.domains.empty()) a.fail("this hypervisor has nothing to do without a domain");
  const ImageFacts image = a.image(a.config.hypervisor, "hypervisor");
  a.add_hypervisor(image.memory_bytes, kPage, image);
  Assembly& out = a.out;
  const unsigned own = a.add_group({"text", Merge::never, false, {*out.hypervisor}});
  const unsigned uart = a.add_group({"UART", Merge::never, true, {a.add_console(kPage)}});
  PhysAddr end = a.board.gicd.end();
  for (const MemoryRange& range : a.board.gicr) end = std::max(end, range.end());
  const unsigned gic =
      a.add_group({"GIC",
                   Merge::never,
                   true,
                   {a.add_registers("GIC", {a.board.gicd.base, end - a.board.gicd.base})}});
  // regions.c, regions_init().
  const std::vector<SlotRow> fixed{{"", "normal, EL2 RO, executable", own},
                                   {"data", "normal, EL2 RW"},
                                   {"", "device, EL2 RW", uart},
                                   {"", "device, EL2 RW", gic}};
  a.add_context("hypervisor", fixed, static_cast<unsigned>(a.config.domains.size()));
  std::uint64_t device_bytes = 0;
  for (unsigned n = 0; n < a.config.domains.size(); ++n) {
    const DomainConfig& domain = a.config.domains[n];
    if (!domain.ramdisk.empty()) a.fail(domain, "this hypervisor has no ramdisks");
    if (domain.vcpus != 1) a.fail(domain, "this hypervisor gives each guest one CPU");
    a.add_domain_memory(n);
    a.add_devices(n);
    const auto& devices_of = out.domains[n].devices;
    if (out.domains[n].ram.size() > 1) a.fail(domain, "this hypervisor gives a guest one bank");
    if (devices_of.size() > 1 || (devices_of.size() == 1 && devices_of.front().reg.size() > 1)) {
      a.fail(domain, "this hypervisor gives a guest one device, of one range of registers");
    }
    for (const DomainDevice& device : devices_of) {
      if (device_bytes != 0 && device.reg.front().size != device_bytes) {
        a.fail(domain, "this hypervisor gives all guests devices of one size");
      }
      device_bytes = device.reg.front().size;
    }
    DomainParts& parts = out.domains[n];
    std::vector<SlotRow> rows = fixed;
    rows.push_back({"", "normal, all RW, executable",
                    a.add_group({domain.name + "'s memory", Merge::touching, false, parts.ram})});
    std::vector<unsigned> devices;
    for (const DomainDevice& device : parts.devices) {
      devices.insert(devices.end(), device.pieces.begin(), device.pieces.end());
    }
    if (!devices.empty()) {
      const unsigned group =
          a.add_group({domain.name + "'s devices", Merge::touching, true, devices});
      rows.push_back({"", "device, all RW", group});
      for (const unsigned piece : devices) {
        a.constrain(Constraint::Kind::use, piece,
                    fmt::format("{} has {}", domain.name, out.problem.pieces[piece].name), 1,
                    group);
      }
    }
    parts.context = a.add_context(domain.name, std::move(rows), 1);
  }
}

}  // namespace trapline::plan
