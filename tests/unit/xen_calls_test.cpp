// The hypercalls other than event channels and grants, and the table of all of them.
#include <regex>
#include <set>
#include <string>

#include "sim/trap/xen/hypercall_table.h"
#include "xen_abi_fixture.h"

namespace trapline::xen {
namespace {

using Number = HypercallNumber;

class XenCalls : public XenAbi {
 protected:
  template <class T>
  std::int64_t memory(std::uint64_t command, T& argument) {
    return guest.op(Number::memory_op, command, argument);
  }
  std::int64_t maximum(std::uint64_t command, DomId id = kDomIdSelf) {
    MemoryDomain domain{id};
    return memory(command, domain);
  }
  std::int64_t add(std::uint32_t space, std::uint64_t index, std::uint64_t address,
                   DomId id = kDomIdSelf) {
    AddToPhysmap op{.domid = id, .space = space, .idx = index, .gpfn = address >> kPageBits};
    return memory(7, op);
  }
  std::int64_t reserve(std::uint64_t command, std::initializer_list<std::uint64_t> addresses,
                       std::uint32_t order = 0) {
    std::uint64_t at = kRam + 0x2000;
    for (const std::uint64_t address : addresses) {
      guest.put(at, address >> kPageBits);
      at += 8;
    }
    MemoryReservation op{.extent_start = kRam + 0x2000,
                         .nr_extents = addresses.size(),
                         .extent_order = order,
                         .domid = kDomIdSelf};
    return memory(command, op);
  }
};

TEST_F(XenCalls, VersionSaysWhatAnyGuestMayKnow) {
  const auto text = [this] {
    const auto field = guest.get<std::array<char, 1024>>(kArgument);
    return std::string(field.data());
  };
  const auto version = [this](std::uint64_t command) {
    return guest.call(Number::xen_version, {command, kArgument});
  };
  EXPECT_EQ(guest.call(Number::xen_version, {0, 0}), 4 << 16 | 17);
  EXPECT_EQ(version(3), 0);
  EXPECT_EQ(text(), "xen-3.0-aarch64 xen-3.0-armv7l ");
  EXPECT_EQ(version(5), 0);
  EXPECT_EQ(guest.last<std::uint64_t>(), 0x20'0000u);
  EXPECT_EQ(guest.call(Number::xen_version, {7, 0}), 4096);
  EXPECT_EQ(version(7), kEinval);
  EXPECT_EQ(version(8), 0);
  EXPECT_EQ(guest.last<std::uint8_t>(), 0xa0);
  EXPECT_EQ(version(9), 0);
  EXPECT_EQ(text(), "<denied>");
  EXPECT_EQ(version(10), kEperm);
  EXPECT_EQ(version(11), kEnosys);
  EXPECT_EQ(guest.call(Number::xen_version, {1, 0x10}), kEfault);
  FeatureInfo features{.submap_idx = 0};
  EXPECT_EQ(guest.op(Number::xen_version, 6, features), 0);
  EXPECT_EQ(features.submap, 1u << 0 | 1u << 2 | 1u << 13 | 1u << 14 | 1u << 16);
  features.submap_idx = 1;
  EXPECT_EQ(guest.op(Number::xen_version, 6, features), kEinval);
}

TEST_F(XenCalls, TheUpperHalfOfAnIntCommandIsIgnored) {
  EXPECT_EQ(guest.call(Number::xen_version, {0x5'0000'0000, 0}), 4 << 16 | 17);
}

TEST_F(XenCalls, SharedInfoShowsTheWallclockWhereItIsMapped) {
  guest.put(kRam + 0x8000, ~std::uint64_t{0});
  EXPECT_EQ(add(0, 1, kRam + 0x8000), kEinval);
  EXPECT_EQ(add(0, 0, kRam + 0x8000), 0);
  const auto info = guest.get<SharedInfo>(kRam + 0x8000);
  EXPECT_EQ(info.wc_sec, 1'704'067'200u);
  EXPECT_EQ(info.wc_version, 2u);
  EXPECT_EQ(info.vcpu_info[0].evtchn_upcall_pending, 0);
  // One place at a time.
  EXPECT_EQ(add(0, 0, kGrantRegion), kEbusy);
  RemoveFromPhysmap remove{.domid = kDomIdSelf, .gpfn = (kRam + 0x8000) >> kPageBits};
  EXPECT_EQ(memory(15, remove), 0);
  EXPECT_EQ(memory(15, remove), kEnoent);
  EXPECT_EQ(add(0, 0, kGrantRegion), 0);
  EXPECT_EQ(guest.get<SharedInfo>(kGrantRegion).wc_sec, 1'704'067'200u);
}

TEST_F(XenCalls, AddToPhysmapKnowsTheSpacesOfArm) {
  EXPECT_EQ(add(1, 0, kGrantRegion), 0);
  EXPECT_EQ(add(1, 0, kGrantRegion + 0x1000), kEbusy);
  EXPECT_EQ(add(1, 63, kGrantRegion + 0x1000), 0);
  EXPECT_EQ(add(1, 64, kGrantRegion + 0x2000), kEinval);
  EXPECT_EQ(add(1, 0xffff'ffff, kGrantRegion + 0x2000), kEinval);
  EXPECT_EQ(add(1, 0x8000'0000, kGrantRegion + 0x2000), kEinval);  // Status frames: version 2.
  EXPECT_EQ(add(2, 0, kGrantRegion), kEnosys);
  EXPECT_EQ(add(4, 0, kGrantRegion), kEnosys);
  EXPECT_EQ(add(5, 0, kGrantRegion), kEacces);
  EXPECT_EQ(add(77, 0, kGrantRegion), kEnosys);
  EXPECT_EQ(add(0, 0, kGrantRegion, 0), kEperm);
  EXPECT_EQ(add(0, 0, kGrantRegion, 9), kEsrch);
  AddToPhysmap nowhere{.domid = kDomIdSelf, .space = 0, .gpfn = ~std::uint64_t{0}};
  EXPECT_EQ(memory(7, nowhere), kEinval);
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(add(0, 0, 0x1000), kEinval);
  EXPECT_EQ(log.size(), 1u);
  AddToPhysmap op{.domid = kDomIdSelf, .space = 0};
  EXPECT_EQ(memory(7 | std::uint64_t{0x10000} << 6, op), kEdom);
}

TEST_F(XenCalls, ABatchHasAnErrorForEach) {
  const std::uint64_t indices[] = {0, 64, 1};
  const std::uint64_t frames[] = {kGrantRegion >> 12, (kGrantRegion >> 12) + 1,
                                  (kGrantRegion >> 12) + 2};
  guest.put(kRam + 0x2000, indices);
  guest.put(kRam + 0x2100, frames);
  AddToPhysmapBatch op{.domid = kDomIdSelf,
                       .space = 1,
                       .size = 3,
                       .idxs = kRam + 0x2000,
                       .gpfns = kRam + 0x2100,
                       .errs = kRam + 0x2200};
  EXPECT_EQ(memory(23, op), 0);
  EXPECT_EQ(guest.get<std::int32_t>(kRam + 0x2200), 0);
  EXPECT_EQ(guest.get<std::int32_t>(kRam + 0x2204), kEinval);
  EXPECT_EQ(guest.get<std::int32_t>(kRam + 0x2208), 0);
  op.space = 4;
  op.foreign_domid = 0;
  EXPECT_EQ(memory(23, op), 0);
  EXPECT_EQ(guest.get<std::int32_t>(kRam + 0x2200), kEperm);
  op.space = 3;
  EXPECT_EQ(memory(23, op), kEopnotsupp);
  op.space = 1;
  op.errs = 8;
  EXPECT_EQ(memory(23, op), kEfault);
}

TEST_F(XenCalls, MemoryThatIsGivenBackIsGoneAndCanBeHadAgain) {
  EXPECT_EQ(maximum(3), 64);
  EXPECT_EQ(maximum(4), 70);
  EXPECT_EQ(maximum(14), static_cast<std::int64_t>((kRam >> 12) + 63));
  EXPECT_EQ(maximum(3, 0), kEperm);
  EXPECT_EQ(maximum(3, 9), kEsrch);
  EXPECT_EQ(maximum(3 | 1 << 6), kEinval);

  guest.put(kRam + 0x1'0000, std::uint64_t{5});
  EXPECT_EQ(reserve(1, {kRam + 0x1'0000, kRam + 0x1'1000}), 2);
  EXPECT_EQ(maximum(3), 62);
  EXPECT_EQ(reserve(1, {kRam + 0x1'2000, kRam + 0x1'0000}), 1);  // Stops at one that is not there.
  EXPECT_EQ(reserve(6, {kRam + 0x1'0000}), 1);
  EXPECT_EQ(guest.get<std::uint64_t>(kRam + 0x1'0000), 5u);  // Nobody wiped it.
  EXPECT_EQ(reserve(6, {0x1000}), 0);                        // No memory of the machine there.
  EXPECT_EQ(maximum(3), 62);
  // Memory with no address counts all the same.
  EXPECT_EQ(reserve(0, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 8);
  EXPECT_EQ(maximum(3), 70);
  EXPECT_EQ(reserve(6, {kRam + 0x1'1000}), 0);
  EXPECT_EQ(reserve(1, {kRam + 0x2'0000}, 10), 0);  // Too large an order.
}

TEST_F(XenCalls, AFrameUnderASharedPageIsNotComingBack) {
  guest.map_shared_info(kRam + 0x8000);
  EXPECT_EQ(maximum(3), 64);
  RemoveFromPhysmap remove{.domid = kDomIdSelf, .gpfn = (kRam + 0x8000) >> kPageBits};
  EXPECT_EQ(memory(15, remove), 0);
  EXPECT_EQ(reserve(1, {kRam + 0x8000}), 0);
  EXPECT_EQ(reserve(6, {kRam + 0x8000}), 1);
  EXPECT_EQ(maximum(3), 65);
}

TEST_F(XenCalls, LongReservationsGoOnWhereTheyStopped) {
  MemoryReservation op{.extent_start = kRam, .nr_extents = 5000, .domid = kDomIdSelf};
  guest.put(kArgument, op);
  DomainConfig config;
  std::uint64_t command = 0;
  int calls = 0;
  std::int64_t result = 0;
  Guest large(hypervisor, 2, 1, 10'000);
  large.put(kArgument, op);
  do {
    result = large.call(Number::memory_op, {command, kArgument});
    command = large.x[0];
    ++calls;
  } while (large.outcome == Outcome::again);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(result, 5000);
  hypervisor.remove_domain(2);
}

TEST_F(XenCalls, PagesAreNotExchangedOnArm) {
  MemoryExchange op{};
  op.in = {.extent_start = kRam + 0x2000, .nr_extents = 1, .domid = kDomIdSelf};
  op.out = op.in;
  guest.put(kRam + 0x2000, kRam >> 12);
  EXPECT_EQ(memory(11, op), kEopnotsupp);
  guest.put(kRam + 0x2000, std::uint64_t{1});
  EXPECT_EQ(memory(11, op), kEinval);
  op.in.extent_order = 10;
  EXPECT_EQ(memory(11, op), kEperm);
  op.in.extent_order = 1;
  EXPECT_EQ(memory(11, op), kEinval);
  op.in.extent_order = 0;
  op.nr_exchanged = 1;
  EXPECT_EQ(memory(11, op), 0);
}

TEST_F(XenCalls, WhatIsForToolsIsRefused) {
  MemoryReservation claim{.domid = 1};
  EXPECT_EQ(memory(24, claim), kEperm);
  claim.domid = 9;
  EXPECT_EQ(memory(24, claim), kEinval);
  VnumaTopologyInfo vnuma{.domid = kDomIdSelf};
  EXPECT_EQ(memory(26, vnuma), kEopnotsupp);
  MemAcquireResource resource{.domid = 1};
  EXPECT_EQ(memory(28, resource), kEperm);
  resource.domid = kDomIdSelf;
  EXPECT_EQ(memory(28, resource), kEsrch);
  EXPECT_EQ(guest.call(Number::memory_op, {18, 0}), 0);
  EXPECT_EQ(guest.call(Number::memory_op, {9, kArgument}), kEnosys);

  std::array<std::uint32_t, 36> control{};
  control[1] = 0x15;
  guest.put(kArgument, control);
  EXPECT_EQ(guest.call(Number::sysctl, {kArgument}), kEperm);
  EXPECT_EQ(guest.call(Number::platform_op, {kArgument}), kEacces);
  EXPECT_EQ(guest.call(Number::domctl, {kArgument}), kEperm);
  EXPECT_EQ(guest.call(Number::domctl, {8}), kEfault);
  control[2] = 9;
  guest.put(kArgument, control);
  EXPECT_EQ(guest.call(Number::domctl, {kArgument}), kEsrch);
  EXPECT_EQ(guest.call(Number::hypfs_op, {0}), kEperm);
  EXPECT_EQ(guest.call(Number::xsm_op, {kArgument}), kEnosys);
  EXPECT_EQ(guest.call(Number::physdev_op, {25, kArgument}), kEnosys);
  EXPECT_EQ(guest.call(Number::argo_op, {0}), kEnosys);
  EXPECT_TRUE(log.empty());
}

TEST_F(XenCalls, HvmParametersAreReadAndNotWritten) {
  guest.domain().set_param(HvmParam::store_pfn, 0x39001);
  HvmParamOp op{.domid = kDomIdSelf, .index = 1};
  EXPECT_EQ(guest.op(Number::hvm_op, 1, op), 0);
  EXPECT_EQ(op.value, 0x39001u);
  EXPECT_EQ(guest.op(Number::hvm_op, 0, op), kEperm);
  op.index = 28;
  EXPECT_EQ(guest.op(Number::hvm_op, 1, op), kEperm);
  for (const std::uint32_t index : {3u, 4u, 39u, 0xffff'ffffu}) {
    op.index = index;
    EXPECT_EQ(guest.op(Number::hvm_op, 1, op), kEinval) << index;
    EXPECT_EQ(guest.op(Number::hvm_op, 0, op), kEinval) << index;
  }
  op = {.domid = 0, .index = 1};
  EXPECT_EQ(guest.op(Number::hvm_op, 1, op), kEperm);
  op.domid = 9;
  EXPECT_EQ(guest.op(Number::hvm_op, 1, op), kEsrch);
  EXPECT_EQ(guest.call(Number::hvm_op, {24, 0}), 0);
  EXPECT_EQ(guest.call(Number::hvm_op, {24, kArgument}), kEinval);
}

TEST_F(XenCalls, ShutdownStopsTheDomainWithTheFirstReason) {
  SchedShutdown op{5};
  EXPECT_EQ(guest.op(Number::sched_op, 5, op), 0);
  op.reason = 0x101;
  guest.op(Number::sched_op, 2, op);
  EXPECT_EQ(guest.outcome, Outcome::stop);
  ASSERT_EQ(guest.machine.stopped.size(), 1u);
  EXPECT_EQ(guest.machine.stopped[0], ShutdownReason::soft_reset);
  guest.op(Number::sched_op, 2, op);
  EXPECT_EQ(guest.machine.stopped.size(), 1u);
  SchedRemoteShutdown remote{.domain_id = 1};
  EXPECT_EQ(guest.op(Number::sched_op, 4, remote), kEperm);
  remote.domain_id = 9;
  EXPECT_EQ(guest.op(Number::sched_op, 4, remote), kEsrch);
  EXPECT_EQ(guest.call(Number::sched_op, {7, 0}), kEperm);
  EXPECT_EQ(guest.call(Number::sched_op, {2, 8}), kEfault);
}

TEST_F(XenCalls, BlockUnmasksInterruptsAndWaits) {
  EXPECT_EQ(guest.call(Number::sched_op, {0, 0}), 0);
  EXPECT_EQ(guest.outcome, Outcome::yield);
  EXPECT_EQ(guest.call(Number::sched_op, {1, 0}), 0);
  EXPECT_EQ(guest.outcome, Outcome::wait);
  EXPECT_TRUE(guest.machine.unmasked);
  // Not while events are left to take.
  guest.map_shared_info();
  guest.put(kRam + 0x8000, std::uint8_t{1});
  EXPECT_EQ(guest.call(Number::sched_op, {1, 0}), 0);
  EXPECT_EQ(guest.outcome, Outcome::done);
}

TEST_F(XenCalls, PollEndsWithAnEventATimeOrAnInterrupt) {
  EvtchnBindIpi bind{.vcpu = 0};
  guest.op(Number::event_channel_op, 7, bind);
  guest.put(kRam + 0x2000, bind.port);
  SchedPoll poll{.ports = kRam + 0x2000, .nr_ports = 1};
  EXPECT_EQ(guest.op(Number::sched_op, 3, poll), 0);
  EXPECT_EQ(guest.outcome, Outcome::wait);
  guest.domain().events().send(bind.port);
  EXPECT_EQ(guest.machine.wakes[0], 1);
  // It is pending now: no wait.
  EXPECT_EQ(guest.op(Number::sched_op, 3, poll), 0);
  EXPECT_EQ(guest.outcome, Outcome::done);

  poll = {.ports = 0, .nr_ports = 0, .timeout = 5000};
  EXPECT_EQ(guest.op(Number::sched_op, 3, poll), 0);
  EXPECT_EQ(guest.outcome, Outcome::wait);
  timeline.advance_to(4'999'999);
  EXPECT_EQ(guest.machine.wakes[0], 1);
  timeline.advance_to(5'000'000);
  EXPECT_EQ(guest.machine.wakes[0], 2);
  EXPECT_EQ(guest.op(Number::sched_op, 3, poll), 0);  // The time has passed.
  EXPECT_EQ(guest.outcome, Outcome::done);

  poll.timeout = 0;
  guest.machine.deliverable = true;
  EXPECT_EQ(guest.op(Number::sched_op, 3, poll), 0);
  EXPECT_EQ(guest.outcome, Outcome::done);
  guest.machine.deliverable = false;
  poll.nr_ports = 129;
  EXPECT_EQ(guest.op(Number::sched_op, 3, poll), kEinval);
  poll = {.ports = kRam + 0x2000, .nr_ports = 2};
  guest.put(kRam + 0x2000, std::uint32_t{50});
  EXPECT_EQ(guest.op(Number::sched_op, 3, poll), kEinval);
}

TEST_F(XenCalls, AWatchdogThatIsNotFedStopsTheDomain) {
  SchedWatchdog op{.id = 0, .timeout = 2};
  EXPECT_EQ(guest.op(Number::sched_op, 6, op), 1);
  EXPECT_EQ(guest.op(Number::sched_op, 6, op), 2);
  EXPECT_EQ(guest.op(Number::sched_op, 6, op), 0xffff'ffe4);  // -ENOSPC, as far as it comes.
  op = {.id = 3, .timeout = 1};
  EXPECT_EQ(guest.op(Number::sched_op, 6, op), kEinval);
  op = {.id = 2, .timeout = 0};
  EXPECT_EQ(guest.op(Number::sched_op, 6, op), 0);
  EXPECT_EQ(guest.op(Number::sched_op, 6, op), kEinval);
  timeline.advance_to(kPicosecondsPerSecond);
  op = {.id = 1, .timeout = 2};
  EXPECT_EQ(guest.op(Number::sched_op, 6, op), 0);
  timeline.advance_to(3 * kPicosecondsPerSecond - 1);
  EXPECT_TRUE(guest.machine.stopped.empty());
  timeline.advance_to(3 * kPicosecondsPerSecond);
  ASSERT_EQ(guest.machine.stopped.size(), 1u);
  EXPECT_EQ(guest.machine.stopped[0], ShutdownReason::watchdog);
}

TEST_F(XenCalls, VcpuInfoMovesOnceAndMarksEverythingPending) {
  const auto place = [this](unsigned vcpu, std::uint64_t address, std::uint32_t offset) {
    VcpuRegisterVcpuInfo info{.mfn = address >> kPageBits, .offset = offset};
    guest.put(kArgument, info);
    return guest.call(Number::vcpu_op, {10, vcpu, kArgument});
  };
  EXPECT_EQ(place(2, kRam + 0x9000, 0), kEnoent);
  EXPECT_EQ(place(0, kRam + 0x9000, 4), kEnxio);
  EXPECT_EQ(place(0, kRam + 0x9000, 4096 - 40), kEnxio);
  EXPECT_EQ(place(0, 0x1000, 0), kEinval);
  EXPECT_EQ(place(0, kRam + 0x9000, 128), 0);
  const auto info = guest.get<VcpuInfo>(kRam + 0x9000 + 128);
  EXPECT_EQ(info.evtchn_pending_sel, ~std::uint64_t{0});
  EXPECT_EQ(info.evtchn_upcall_pending, 1);
  EXPECT_EQ(guest.machine.upcalls[0], 1);
  EXPECT_EQ(place(0, kRam + 0x9000, 256), kEinval);
  guest.machine.up = true;
  EXPECT_EQ(place(1, kRam + 0x9000, 256), kEinval);  // Another vCPU that runs.
  guest.machine.up = false;
  EXPECT_EQ(place(1, kRam + 0x9000, 256), 0);
  EXPECT_EQ(guest.machine.upcalls[1], 0);  // It is off.
  EXPECT_EQ(guest.call(Number::vcpu_op, {3, 0, 0}), kEinval);
  EXPECT_EQ(guest.call(Number::vcpu_op, {3, 9, 0}), kEnoent);
}

TEST_F(XenCalls, RunstateTimesAddUpInVirtualTime) {
  guest.domain().set_run_state(0, RunState::running);
  guest.put(kArgument, VcpuRegisterRunstate{kRam + 0x3000});
  timeline.advance_to(1'000'000);
  EXPECT_EQ(guest.call(Number::vcpu_op, {5, 0, kArgument}), 0);
  EXPECT_EQ(guest.get<VcpuRunstateInfo>(kRam + 0x3000).state, 0u);
  timeline.advance_to(3'000'000);
  guest.domain().set_run_state(0, RunState::runnable);
  timeline.advance_to(4'500'000);
  guest.domain().set_run_state(0, RunState::running);
  const auto info = guest.get<VcpuRunstateInfo>(kRam + 0x3000);
  EXPECT_EQ(info.state, 0u);
  EXPECT_EQ(info.state_entry_time, 4500u);
  EXPECT_EQ(info.time[0], 3000u);
  EXPECT_EQ(info.time[1], 1500u);
  EXPECT_EQ(guest.call(Number::vm_assist, {0, 4}), kEinval);
  EXPECT_EQ(guest.call(Number::vm_assist, {2, 5}), kEnosys);
  EXPECT_EQ(guest.call(Number::vm_assist, {0, 5}), 0);
  timeline.advance_to(5'000'000);
  guest.domain().set_run_state(0, RunState::blocked);
  EXPECT_EQ(guest.get<VcpuRunstateInfo>(kRam + 0x3000).state_entry_time, 5000u);
}

TEST_F(XenCalls, ConsoleLinesComeWholeAndPrintable) {
  const auto write = [this](const std::string& text) {
    EXPECT_TRUE(guest.machine.write_virtual(0, kRam + 0x4000, text.data(), text.size()));
    return guest.call(Number::console_io, {0, text.size(), kRam + 0x4000});
  };
  EXPECT_EQ(write("hel"), 0);
  EXPECT_TRUE(guest.machine.lines.empty());
  EXPECT_EQ(write("lo\x1b[1m\twor\nld\n"), 0);
  ASSERT_EQ(guest.machine.lines.size(), 2u);
  EXPECT_EQ(guest.machine.lines[0], "hello[1m\twor");
  EXPECT_EQ(guest.machine.lines[1], "ld");
  EXPECT_EQ(write(std::string(500, 'x')), 0);
  ASSERT_EQ(guest.machine.lines.size(), 4u);
  EXPECT_EQ(guest.machine.lines[2], std::string(254, 'x'));

  guest.machine.input = "abc";
  EXPECT_EQ(guest.call(Number::console_io, {1, 100, kRam + 0x4000}), 3);
  EXPECT_EQ(guest.get<char>(kRam + 0x4002), 'c');
  EXPECT_EQ(guest.call(Number::console_io, {1, 0x8000'0000, kRam + 0x4000}), kE2big);
  EXPECT_EQ(guest.call(Number::console_io, {2, 0, 0}), kEnosys);
}

TEST_F(XenCalls, AMulticallHasAResultForEach) {
  std::array<MulticallEntry, 4> list{};
  list[0] = {.op = 17, .args = {0, 0}};
  list[1] = {.op = 99};
  list[2] = {.op = 13, .args = {kArgument, 1}};
  list[3] = {.op = 29, .args = {1, 0}};
  guest.put(kArgument, list);
  EXPECT_EQ(guest.call(Number::multicall, {kArgument, 4}), 0);
  EXPECT_EQ(guest.outcome, Outcome::wait);
  list = guest.last<std::array<MulticallEntry, 4>>();
  EXPECT_EQ(list[0].result, 4u << 16 | 17);
  EXPECT_EQ(static_cast<std::int64_t>(list[1].result), kEnosys);
  EXPECT_EQ(static_cast<std::int64_t>(list[2].result), kEinval);  // None within another.
  EXPECT_EQ(list[3].result, 0u);
  EXPECT_EQ(guest.call(Number::multicall, {0x10, 1}), kEfault);
  EXPECT_EQ(guest.call(Number::multicall, {0x10, 0}), 0);
}

TEST_F(XenCalls, AMulticallGoesOnInsideAnUnfinishedCall) {
  guest.put(kRam + 0x3000,
            MemoryReservation{.extent_start = kRam, .nr_extents = 0x3ff'ffff, .domid = kDomIdSelf});
  std::array<MulticallEntry, 2> list{};
  list[0] = {.op = 17, .args = {0, 0}};
  list[1] = {.op = 20, .args = {11, kArgument, 0x7fff'ffff}};  // Swaps, more than one call does.
  guest.put(kRam + 0x3000, list);
  EXPECT_NE(guest.call(Number::multicall, {kRam + 0x3000, 2}), kEfault);
  EXPECT_EQ(guest.outcome, Outcome::again);
  EXPECT_EQ(guest.x[0], kRam + 0x3000 + sizeof(MulticallEntry));
  EXPECT_EQ(guest.x[1], 1u);
  EXPECT_EQ(guest.x[16], 13u);
  const auto rest = guest.get<MulticallEntry>(guest.x[0]);
  EXPECT_EQ(rest.args[0], 11u);
  EXPECT_GT(rest.args[1], kArgument);
  EXPECT_LT(rest.args[2], 0x7fff'ffffu);
}

TEST_F(XenCalls, WhatDoesNotExistIsNamedOnce) {
  EXPECT_EQ(guest.call(Number{99}, {}), kEnosys);
  EXPECT_EQ(guest.call(Number{99}, {}), kEnosys);
  EXPECT_EQ(guest.call(Number::sched_op, {8, 0}), kEnosys);
  EXPECT_EQ(guest.call(Number::vcpu_op, {99, 0, 0}), kEinval);
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(log[0], "d1v0 at PC 0x80000: hypercall 99 does not exist");
  EXPECT_EQ(log[1], "d1v0 at PC 0x80000: sched_op 8 does not exist");
  for (unsigned i = 100; i < 255; ++i) guest.call(static_cast<Number>(i), {});
  EXPECT_LE(log.size(), 64u);
}

TEST_F(XenCalls, DomainsNeedAnIdentifierAndVcpus) {
  EXPECT_THROW(Guest(hypervisor, 1), std::invalid_argument);
  EXPECT_THROW(Guest(hypervisor, 0), std::invalid_argument);
  EXPECT_THROW(Guest(hypervisor, 0x7ff0), std::invalid_argument);
  EXPECT_THROW(Guest(hypervisor, 2, 0), std::invalid_argument);
  EXPECT_THROW(Guest(hypervisor, 2, 129), std::invalid_argument);
}

// Every name that a trace shows has a place in the dispatcher, and the other way round.
TEST(XenTable, NamesAndHandlersAreTheSameSet) {
  std::set<std::uint64_t> numbers;
  for (const Hypercall& hypercall : hypercalls()) {
    const auto number = static_cast<std::uint64_t>(hypercall.number);
    EXPECT_TRUE(numbers.insert(number).second) << number;
    const XenCall* names = xen_call(number);
    ASSERT_NE(names, nullptr) << number;
    EXPECT_EQ(hypercall.operations.empty(), hypercall.handler != nullptr) << names->name;
    std::set<std::uint32_t> commands;
    for (const Operation& operation : hypercall.operations) {
      EXPECT_TRUE(commands.insert(operation.command).second) << names->name;
      EXPECT_FALSE(names->sub_op_name(operation.command).empty())
          << names->name << ' ' << operation.command;
      EXPECT_NE(operation.handler, nullptr);
    }
    if (!hypercall.operations.empty()) {
      EXPECT_EQ(commands.size(), names->sub_ops.size()) << names->name;
    }
  }
  EXPECT_EQ(numbers.size(), xen_calls().size());
}

TEST(XenTable, TheTextNamesEveryCallAndWhatBecomesOfIt) {
  const std::string text = describe_hypercalls();
  const auto has = [&text](const char* line) {
    return std::regex_search(text, std::regex(std::string("(^|\n)") + line + "\n"));
  };
  EXPECT_TRUE(has("32 event_channel_op +implemented")) << text;
  EXPECT_TRUE(has(" +11 init_control +implemented")) << text;
  EXPECT_TRUE(has("36 domctl +refused +-EPERM: for the control domain")) << text;
}

}  // namespace
}  // namespace trapline::xen
