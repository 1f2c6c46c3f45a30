// A domain without a machine: RAM, and hypercalls made by hand. Virtual addresses are physical
// ones.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/time/timeline.h"
#include "sim/trap/xen/abi.h"
#include "sim/trap/xen/domain.h"
#include "sim/trap/xen/event_channels.h"
#include "sim/trap/xen/grant_table.h"
#include "sim/trap/xen/hypervisor.h"

namespace trapline::xen {

inline constexpr std::uint64_t kRam = 0x4000'0000;
inline constexpr std::uint64_t kRamFrames = 64;
inline constexpr std::uint64_t kGrantRegion = 0x3800'0000;
inline constexpr std::uint64_t kGrantRegionFrames = 16;

/// Where the tests put the structures of calls.
inline constexpr std::uint64_t kArgument = kRam + 0x1000;

class FakeMachine final : public DomainHost, public DomainMemory {
 public:
  // DomainMemory
  std::uint8_t* frame(Gfn gfn) override {
    const auto mapped = mapped_.find(gfn);
    if (mapped != mapped_.end()) return mapped->second;
    const Gfn ram = kRam >> kPageBits;
    const Gfn region = kGrantRegion >> kPageBits;
    if (gfn >= ram && gfn - ram < kRamFrames) return ram_.data() + (gfn - ram) * kPageBytes;
    if (gfn >= region && gfn - region < kGrantRegionFrames) {
      return region_.data() + (gfn - region) * kPageBytes;
    }
    return nullptr;
  }
  void written(Gfn gfn, std::size_t offset, std::size_t bytes) override {
    EXPECT_NE(frame(gfn), nullptr);
    EXPECT_LE(offset + bytes, kPageBytes);
    ++writes;
  }
  bool map(Gfn gfn, std::uint8_t* page, bool) override {
    if (!can_map || gfn >= 0x1'0000'0000) return false;
    mapped_[gfn] = page;
    return true;
  }
  void unmap(Gfn gfn) override { mapped_.erase(gfn); }
  void renew(Gfn gfn) override { renewed.push_back(gfn); }

  // DomainHost
  bool read_virtual(unsigned, std::uint64_t va, void* to, std::size_t bytes) override {
    return copy(va, to, nullptr, bytes);
  }
  bool write_virtual(unsigned, std::uint64_t va, const void* from, std::size_t bytes) override {
    return copy(va, nullptr, from, bytes);
  }
  std::uint64_t pc(unsigned) const override { return 0x8'0000; }
  void raise_upcall(unsigned vcpu) override { ++upcalls[vcpu]; }
  bool is_up(unsigned vcpu) const override { return vcpu == 0 || up; }
  bool interrupt_deliverable(unsigned) const override { return deliverable; }
  void unmask_interrupts(unsigned) override { unmasked = true; }
  void wake(unsigned vcpu) override { ++wakes[vcpu]; }
  void shut_down(ShutdownReason reason) override { stopped.push_back(reason); }
  void console_line(const char* text, std::size_t length) override {
    lines.emplace_back(text, length);
  }
  std::size_t console_read(std::uint8_t* to, std::size_t capacity) override {
    const std::size_t count = std::min(capacity, input.size());
    std::memcpy(to, input.data(), count);
    input.erase(0, count);
    return count;
  }

  bool can_map = true;
  std::vector<Gfn> renewed;
  bool up = false;
  bool deliverable = false;
  bool unmasked = false;
  std::map<unsigned, int> upcalls, wakes;
  std::vector<ShutdownReason> stopped;
  std::vector<std::string> lines;
  std::string input;
  int writes = 0;

 private:
  bool copy(std::uint64_t va, void* to, const void* from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      std::uint8_t* page = frame((va + i) >> kPageBits);
      if (!page) return false;
      std::uint8_t& byte = page[(va + i) % kPageBytes];
      if (to) static_cast<std::uint8_t*>(to)[i] = byte;
      if (from) byte = static_cast<const std::uint8_t*>(from)[i];
    }
    return true;
  }

  std::vector<std::uint8_t> ram_ = std::vector<std::uint8_t>(kRamFrames * kPageBytes);
  std::vector<std::uint8_t> region_ = std::vector<std::uint8_t>(kGrantRegionFrames * kPageBytes);
  std::map<Gfn, std::uint8_t*> mapped_;
};

/// One domain and its machine.
class Guest {
 public:
  Guest(Hypervisor& hypervisor, DomId id, unsigned vcpus = 2, std::uint64_t max_frames = 70)
      : hypervisor_(hypervisor), id_(id) {
    DomainConfig config;
    config.id = id;
    config.vcpus = vcpus;
    config.ram = {{kRam >> kPageBits, kRamFrames}};
    config.max_frames = max_frames;
    for (std::size_t i = 0; i < config.uuid.size(); ++i) {
      config.uuid[i] = static_cast<std::uint8_t>(0xa0 + i);
    }
    domain_ = &hypervisor.add_domain(config, machine, machine);
  }

  ~Guest() { hypervisor_.remove_domain(id_); }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  Domain& domain() { return *domain_; }

  /// A hypercall by its number in X16; what is left in the registers stays in `x`.
  std::int64_t call(HypercallNumber number, std::initializer_list<std::uint64_t> arguments,
                    unsigned vcpu = 0) {
    x = {};
    std::copy(arguments.begin(), arguments.end(), x.begin());
    x[16] = static_cast<std::uint64_t>(number);
    outcome = hypervisor_.hypercall(*domain_, vcpu, x);
    return static_cast<std::int64_t>(x[0]);
  }

  /// A call whose command is in X0 and whose structure is at X1. It is written before and read
  /// after.
  template <class T>
  std::int64_t op(HypercallNumber number, std::uint64_t command, T& argument, unsigned vcpu = 0) {
    put(kArgument, argument);
    const std::int64_t result = call(number, {command, kArgument}, vcpu);
    argument = get<T>(kArgument);
    return result;
  }

  template <class T>
  std::int64_t evtchn(std::uint64_t command, T argument) {
    const std::int64_t result = op(HypercallNumber::event_channel_op, command, argument);
    put(kArgument, argument);
    return result;
  }

  template <class T>
  std::int64_t grant(std::uint64_t command, T& argument) {
    put(kArgument, argument);
    const std::int64_t result = call(HypercallNumber::grant_table_op, {command, kArgument, 1});
    argument = get<T>(kArgument);
    return result;
  }

  template <class T>
  void put(std::uint64_t address, const T& value) {
    ASSERT_TRUE(machine.write_virtual(0, address, &value, sizeof value));
  }
  template <class T>
  T get(std::uint64_t address) {
    T value{};
    EXPECT_TRUE(machine.read_virtual(0, address, &value, sizeof value));
    return value;
  }
  template <class T>
  T last() {
    return get<T>(kArgument);
  }

  /// Maps the shared info page to a frame of RAM and returns its address.
  std::uint64_t map_shared_info(std::uint64_t address = kRam + 0x8000) {
    AddToPhysmap map{.domid = kDomIdSelf, .space = 0, .gpfn = address >> kPageBits};
    EXPECT_EQ(op(HypercallNumber::memory_op, 7, map), 0);
    return address;
  }
  /// Maps frame 0 of the grant table.
  std::uint64_t map_grant_table(std::uint64_t address = kGrantRegion) {
    AddToPhysmap map{.domid = kDomIdSelf, .space = 1, .gpfn = address >> kPageBits};
    EXPECT_EQ(op(HypercallNumber::memory_op, 7, map), 0);
    return address;
  }
  void grant_entry(GrantRef ref, std::uint16_t flags, DomId to, std::uint64_t address) {
    put(kGrantRegion + ref * sizeof(GrantEntryV1),
        GrantEntryV1{flags, to, static_cast<std::uint32_t>(address >> kPageBits)});
  }
  std::uint16_t grant_flags(GrantRef ref) {
    return get<GrantEntryV1>(kGrantRegion + ref * sizeof(GrantEntryV1)).flags;
  }

  FakeMachine machine;
  std::array<std::uint64_t, 18> x{};
  Outcome outcome = Outcome::done;

 private:
  Hypervisor& hypervisor_;
  DomId id_;
  Domain* domain_;
};

class XenAbi : public ::testing::Test {
 protected:
  explicit XenAbi(HypervisorConfig config = {.silo = false})
      : hypervisor(timeline, std::move(config),
                   [this](const std::string& message) { log.push_back(message); }),
        guest(hypervisor, 1) {}

  Timeline timeline;
  std::vector<std::string> log;
  Hypervisor hypervisor;
  Guest guest;
};

}  // namespace trapline::xen
