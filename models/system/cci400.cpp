#include "models/system/cci400.h"

#include <array>
#include <utility>

namespace trapline {
namespace {

// Part 0x420, designer 0x43b (Arm), revision r1p0.
constexpr std::array<std::uint8_t, 8> kIdentification = {0x20, 0xb4, 0x6b, 0x00,
                                                         0x0d, 0xf0, 0x05, 0xb1};
constexpr std::uint8_t kPid4 = 0x44;  // 64 KiB, continuation code of Arm.

}  // namespace

Cci400::Cci400(std::string name, RegisterBank::Log log) : bank_(std::move(name), std::move(log)) {
  // DDI 0470 3.2. All override snoops, barriers or speculation, of which there are none.
  bank_.add(0x0000, "Control_Override").writable(0x3f).unimplemented("Control_Override", 5, 0);
  bank_.add(0x0004, "Speculation_Control").writable(0x001f0007).unimplemented("Speculation", 20, 0);
  bank_.add(0x0008, "Secure_Access").writable(1);
  bank_.add(0x000c, "Status");  // A change is never pending.
  bank_.add(0x0010, "Imprecise_Error");
  bank_.add(0x0100, "PMCR").resets_to(kCounters << 11).writable(0x19).unimplemented("PMCR", 4, 0);
  bank_.add(0x0fd0, "PeriphID4").resets_to(kPid4);
  for (unsigned n = 5; n < 8; ++n) bank_.add(0x0fc0 + 4 * n, "PeriphID" + std::to_string(n));
  bank_.add_identification(0x0fe0, kIdentification);
  for (unsigned n = 0; n < kSlaveInterfaces; ++n) add_slave_interface(n);
  add_counter("CCNT", 0x9000);
  for (unsigned n = 0; n < kCounters; ++n)
    add_counter("ECNT" + std::to_string(n), 0xa000 + 0x1000 * n);
}

void Cci400::add_slave_interface(unsigned n) {
  const PhysAddr base = 0x1000 + 0x1000 * n;
  const std::string prefix = "S" + std::to_string(n) + "_";
  const bool ace = n >= 3;
  // Supports DVM messages; ACE interfaces support snoops as well.
  bank_.add(base + 0x000, prefix + "Snoop_Control")
      .resets_to(ace ? 0xc0000000 : 0x80000000)
      .writable(ace ? 3 : 2);
  if (!ace) {
    bank_.add(base + 0x004, prefix + "Shareable_Override")
        .writable(3)
        .unimplemented("Shareable_Override", 1, 0);
  }
  const auto quality = [&](PhysAddr offset, const char* name, std::uint64_t mask) {
    bank_.add(base + offset, prefix + name).writable(mask).unimplemented(name, 31, 0);
  };
  quality(0x100, "Read_QoS_Override", 0xf);
  quality(0x104, "Write_QoS_Override", 0xf);
  quality(0x10c, "QoS_Control", 0x0031000f);
  if (!ace) quality(0x110, "Max_OT", 0x3fff3fff);
  quality(0x130, "Regulator_Target", 0x0fff0fff);
  quality(0x134, "QoS_Regulator_Scale", 0x07070707);
  quality(0x138, "QoS_Range", 0x0f0f0f0f);
}

void Cci400::add_counter(const std::string& name, PhysAddr offset) {
  bank_.add(offset + 0x0, name + "_Event_Select").writable(0xff).unimplemented("Event", 7, 0);
  bank_.add(offset + 0x4, name + "_Count").writable(0xffffffff);
  bank_.add(offset + 0x8, name + "_Control").writable(1).unimplemented("Enable", 0, 0);
  bank_.add(offset + 0xc, name + "_Overflow").command();
}

}  // namespace trapline
