// CPUs that are nothing but what a check looks at, and a guest's device tree.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/bus/bus.h"
#include "sim/cpu/cpu.h"
#include "sim/machine/device_tree.h"
#include "sim/trace/finding.h"

namespace trapline {

inline constexpr PhysAddr kRam = 0x4000'0000, kRamBytes = 0x10'0000;
inline constexpr PhysAddr kImage = kRam, kTree = kRam + 0x8000, kInitrd = kRam + 0x2'0100;
inline constexpr std::uint64_t kInitrdBytes = 0x1800;
inline constexpr PhysAddr kGic = 0x0300'1000, kUart = 0x2200'0000, kNothing = 0x1000'0000;
inline constexpr std::uint64_t kSctlrOn = 0x5;  ///< M and C.

/// What software below a hypervisor is given: RAM, a GIC, a UART, an initrd and a seed.
inline DeviceTree guest_tree() {
  DeviceTree tree;
  tree.set_cells("/", "#address-cells", {2});
  tree.set_cells("/", "#size-cells", {2});
  tree.add_node("/uart@22000000");
  tree.set_u64s("/uart@22000000", "reg", {kUart, 0x1000});
  tree.add_node("/interrupt-controller@3001000");
  tree.set_empty("/interrupt-controller@3001000", "interrupt-controller");
  tree.set_u64s("/interrupt-controller@3001000", "reg", {kGic, 0x1000, 0x0302'0000, 0x2'0000});
  tree.add_node("/memory@40000000");
  tree.set_u64s("/memory@40000000", "reg", {kRam, kRamBytes});
  tree.add_node("/chosen");
  tree.set_u64s("/chosen", "rng-seed", {1, 2});
  tree.set_u64s("/chosen", "linux,initrd-start", {kInitrd});
  tree.set_u64s("/chosen", "linux,initrd-end", {kInitrd + kInitrdBytes});
  return tree;
}

/// Identity translation of what is RAM of its bus, but for `hidden` pages.
class FakeCpu final : public Cpu {
 public:
  explicit FakeCpu(Bus& bus) : bus_(bus) {}

  const CpuConfig& config() const override { return config_; }
  std::uint64_t x(unsigned n) const override { return registers[n]; }
  void set_x(unsigned n, std::uint64_t value) override { registers[n] = value; }
  VirtAddr pc() const override { return at; }
  El el() const override { return level; }
  std::uint64_t sctlr_el1() const override { return sctlr; }
  std::optional<AddressView> view(VirtAddr va) override {
    if (hidden.count(va >> 12) != 0) return std::nullopt;
    return AddressView{
        .ipa = va, .pa = va + offset, .normal_write_back = uncached.count(va >> 12) == 0};
  }
  bool peek(VirtAddr va, void* to, std::size_t bytes) override {
    return view(va) && bus_.read(va + offset, to, bytes);
  }
  template <class T>
  void put(PhysAddr at_address, const T& value) {
    ASSERT_TRUE(bus_.write(at_address, &value, sizeof value));
  }

  // Nobody asks.
  CpuLines& lines() override { throw std::logic_error("unused"); }
  void add_port(SysRegPort&) override {}
  void connect_pmu(Line&) override {}
  void power_on(VirtAddr, El, std::uint64_t) override {}
  void power_off() override {}
  bool powered() const override { return true; }
  PauseReason run(const Slice&) override { return PauseReason::slice_end; }
  bool can_wake(PauseReason) const override { return false; }
  void wake() override {}
  bool interrupt_deliverable() const override { return false; }
  void unmask_interrupts() override {}
  void signal_event() override {}
  void request_stop() override {}
  void write_el2(SysReg, std::uint64_t) override {}
  std::uint64_t sp() const override { return 0; }
  std::uint32_t pstate() const override { return 0; }
  std::uint64_t hcr_el2() const override { return 0; }
  bool read_memory(VirtAddr, void*, std::size_t) override { return false; }
  bool write_memory(VirtAddr, const void*, std::size_t) override { return false; }
  const CpuCounters& counters() const override { return counters_; }
  std::string describe() const override { return {}; }
  std::string stuck_reason() const override { return {}; }

  std::array<std::uint64_t, 31> registers{};
  VirtAddr at = kImage;
  El level = El::el1;
  std::uint64_t sctlr = kSctlrOn;
  std::uint64_t offset = 0;                        ///< Of stage 2.
  std::map<std::uint64_t, bool> hidden, uncached;  ///< By page.
  CpuConfig config_{.has_el2 = false};

 private:
  Bus& bus_;
  CpuCounters counters_;
};

class FakeCpus final : public CpuComplex {
 public:
  explicit FakeCpus(Bus& bus) : only(bus) {}
  unsigned count() const override { return 1; }
  Cpu& cpu(unsigned) override { return only; }
  void memory_written(PhysAddr, std::uint64_t) override {}
  void memory_redirected() override {}
  void alias_page(PhysAddr, const PageAliases*, PageAccess) override {}
  void alias_written(PhysAddr) override {}
  void alias_executed(PhysAddr) override {}

  FakeCpu only;
};

struct Findings final : FindingSink {
  void on_finding(const Finding& finding) override { all.push_back(finding); }
  /// What was found since the last call.
  std::vector<FindingKind> kinds() {
    std::vector<FindingKind> found;
    for (const Finding& finding : all) found.push_back(finding.kind);
    all.clear();
    return found;
  }
  std::vector<Finding> all;
};

using Kinds = std::vector<FindingKind>;

}  // namespace trapline
