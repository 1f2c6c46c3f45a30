// Event channels as guests and backends see them.
#include "xen_abi_fixture.h"

namespace trapline::xen {
namespace {

using Number = HypercallNumber;

constexpr std::uint64_t kBindInterdomain = 0, kBindVirq = 1, kBindPirq = 2, kClose = 3, kSend = 4,
                        kStatus = 5, kAllocUnbound = 6, kBindIpi = 7, kBindVcpu = 8, kUnmask = 9,
                        kReset = 10, kInitControl = 11, kExpandArray = 12, kSetPriority = 13,
                        kResetCont = 14;

class XenEvents : public XenAbi {
 protected:
  SharedInfo shared() { return guest.get<SharedInfo>(kRam + 0x8000); }
  void set_mask(EventPort port, bool masked) {
    SharedInfo info = shared();
    std::uint64_t& word = info.evtchn_mask[port / 64];
    const std::uint64_t bit = std::uint64_t{1} << port % 64;
    word = masked ? word | bit : word & ~bit;
    guest.put(kRam + 0x8000, info);
  }
  EventPort ipi(unsigned vcpu = 0) {
    EXPECT_EQ(guest.evtchn(kBindIpi, EvtchnBindIpi{.vcpu = vcpu}), 0);
    return guest.last<EvtchnBindIpi>().port;
  }
  EvtchnStatus status_of(EventPort port) {
    EXPECT_EQ(guest.evtchn(kStatus, EvtchnStatus{.dom = kDomIdSelf, .port = port}), 0);
    return guest.last<EvtchnStatus>();
  }
};

TEST_F(XenEvents, PortsAreGivenOutFromOneUpwardsAndReusedLowestFirst) {
  EXPECT_EQ(ipi(), 1u);
  EXPECT_EQ(ipi(), 2u);
  EXPECT_EQ(ipi(), 3u);
  EXPECT_EQ(guest.evtchn(kClose, EvtchnPort{2}), 0);
  EXPECT_EQ(guest.evtchn(kClose, EvtchnPort{2}), kEinval);
  EXPECT_EQ(ipi(), 2u);
}

TEST_F(XenEvents, AnIpiSetsPendingSelectorAndUpcallAndRaisesTheInterruptOnce) {
  guest.map_shared_info();
  const EventPort port = ipi();
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{port}), 0);
  EXPECT_EQ(shared().evtchn_pending[0], 1u << port);
  EXPECT_EQ(shared().vcpu_info[0].evtchn_pending_sel, 1u);
  EXPECT_EQ(shared().vcpu_info[0].evtchn_upcall_pending, 1);
  EXPECT_EQ(guest.machine.upcalls[0], 1);
  // Pending already: nothing more.
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{port}), 0);
  EXPECT_EQ(guest.machine.upcalls[0], 1);
}

TEST_F(XenEvents, AMaskedPortIsPendingWithoutAnUpcallUntilItIsUnmasked) {
  guest.map_shared_info();
  const EventPort port = ipi();
  set_mask(port, true);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{port}), 0);
  EXPECT_EQ(shared().evtchn_pending[0], 1u << port);
  EXPECT_EQ(guest.machine.upcalls[0], 0);
  EXPECT_EQ(guest.evtchn(kUnmask, EvtchnPort{port}), 0);
  EXPECT_EQ(shared().evtchn_mask[0], 0u);
  EXPECT_EQ(guest.machine.upcalls[0], 1);
}

TEST_F(XenEvents, AnUpcallGoesToTheVcpuThatThePortIsBoundTo) {
  guest.map_shared_info();
  VcpuRegisterVcpuInfo info{.mfn = (kRam + 0x9000) >> kPageBits, .offset = 64};
  guest.put(kArgument, info);
  EXPECT_EQ(guest.call(Number::vcpu_op, {10, 1, kArgument}), 0);
  guest.machine.up = true;
  // Registering marks everything as pending; the guest takes it.
  guest.put(kRam + 0x9000 + 64, VcpuInfo{});
  const EventPort port = ipi(1);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{port}), 0);
  EXPECT_EQ(guest.machine.upcalls[1], 1);
  EXPECT_EQ(guest.machine.upcalls[0], 0);
  EXPECT_EQ(guest.get<VcpuInfo>(kRam + 0x9000 + 64).evtchn_upcall_pending, 1);
  EXPECT_EQ(shared().vcpu_info[0].evtchn_upcall_pending, 0);
}

TEST_F(XenEvents, SendFailsOnPortsThatNobodyCanSendOn) {
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{0}), kEinval);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{5}), kEinval);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{~0u}), kEinval);
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 1}), 0);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{1}), kEinval);
  EXPECT_EQ(guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = kDomIdSelf}), 0);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{2}), 0);  // Nobody hears it.
}

TEST_F(XenEvents, TwoDomainsConnectAndEachHearsTheOther) {
  Guest other(hypervisor, 2);
  guest.map_shared_info();
  other.map_shared_info();
  EXPECT_EQ(guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = kDomIdSelf, .remote_dom = 2}), 0);
  const EventPort mine = guest.last<EvtchnAllocUnbound>().port;
  EXPECT_EQ(status_of(mine).status, 1u);
  EXPECT_EQ(status_of(mine).u.unbound.dom, 2);
  EXPECT_EQ(
      other.evtchn(kBindInterdomain, EvtchnBindInterdomain{.remote_dom = 1, .remote_port = 9}),
      kEinval);
  EXPECT_EQ(
      other.evtchn(kBindInterdomain, EvtchnBindInterdomain{.remote_dom = 1, .remote_port = mine}),
      0);
  const EventPort theirs = other.last<EvtchnBindInterdomain>().local_port;
  // What was sent before the connection stood may be lost, so its end is pending at once.
  EXPECT_EQ(other.machine.upcalls[0], 1);
  EXPECT_EQ(status_of(mine).status, 2u);
  EXPECT_EQ(status_of(mine).u.interdomain.dom, 2);
  EXPECT_EQ(status_of(mine).u.interdomain.port, theirs);

  EXPECT_EQ(other.evtchn(kSend, EvtchnPort{theirs}), 0);
  EXPECT_EQ(guest.machine.upcalls[0], 1);
  EXPECT_EQ(shared().evtchn_pending[0], 1u << mine);

  // The end that stays waits for the same domain again.
  EXPECT_EQ(other.evtchn(kClose, EvtchnPort{theirs}), 0);
  EXPECT_EQ(status_of(mine).status, 1u);
  EXPECT_EQ(status_of(mine).u.unbound.dom, 2);
  hypervisor.remove_domain(2);
}

TEST_F(XenEvents, ADomainThatGoesLeavesTheOtherEndUnbound) {
  auto other = std::make_unique<Guest>(hypervisor, 2);
  guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = kDomIdSelf, .remote_dom = 2});
  other->evtchn(kBindInterdomain, EvtchnBindInterdomain{.remote_dom = 1, .remote_port = 1});
  EXPECT_EQ(status_of(1).status, 2u);
  hypervisor.remove_domain(2);
  other.reset();
  EXPECT_EQ(status_of(1).status, 1u);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{1}), 0);
}

TEST_F(XenEvents, VirqsAreBoundOncePerVcpuOrOncePerDomain) {
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 24}), kEinval);
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 0, .vcpu = 2}), kEnoent);
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 3, .vcpu = 1}), kEinval);  // Global.
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 0, .vcpu = 1}), 0);
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 0, .vcpu = 1}), kEexist);
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 0, .vcpu = 0}), 0);
  EXPECT_EQ(guest.evtchn(kBindVcpu, EvtchnBindVcpu{.port = 1, .vcpu = 0}), kEinval);
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 3}), 0);
  EXPECT_EQ(guest.evtchn(kBindVcpu, EvtchnBindVcpu{.port = 3, .vcpu = 1}), 0);
  EXPECT_EQ(status_of(3).vcpu, 1u);
  EXPECT_EQ(status_of(3).u.virq, 3u);
  // Closing makes the VIRQ free again, whatever vCPU it was moved to.
  EXPECT_EQ(guest.evtchn(kClose, EvtchnPort{3}), 0);
  EXPECT_EQ(guest.evtchn(kBindVirq, EvtchnBindVirq{.virq = 3}), 0);

  guest.map_shared_info();
  guest.domain().raise_virq(0, 0);
  EXPECT_EQ(shared().evtchn_pending[0], 1u << 2);
}

TEST_F(XenEvents, PhysicalInterruptsAreNotForGuests) {
  EXPECT_EQ(guest.evtchn(kBindPirq, EvtchnBindPirq{.pirq = 1024}), kEinval);
  EXPECT_EQ(guest.evtchn(kBindPirq, EvtchnBindPirq{.pirq = 1023}), kEnomem);
}

TEST_F(XenEvents, OtherDomainsPortsAreNotForGuests) {
  Guest other(hypervisor, 2);
  EXPECT_EQ(guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = 2}), kEperm);
  EXPECT_EQ(guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = 7}), kEsrch);
  EXPECT_EQ(guest.evtchn(kStatus, EvtchnStatus{.dom = 2, .port = 1}), kEperm);
  EXPECT_EQ(guest.evtchn(kStatus, EvtchnStatus{.dom = 2, .port = 64}), kEinval);
  EXPECT_EQ(guest.evtchn(kReset, EvtchnReset{.dom = 2}), kEperm);
  EXPECT_EQ(guest.evtchn(kResetCont, EvtchnReset{.dom = kDomIdSelf}), kEbusy);
  hypervisor.remove_domain(2);
}

TEST_F(XenEvents, AFreePortIsClosedWhereThereIsARecordAndInvalidBeyond) {
  EXPECT_EQ(status_of(0).status, 0u);
  EXPECT_EQ(status_of(63).status, 0u);
  EXPECT_EQ(guest.evtchn(kStatus, EvtchnStatus{.dom = kDomIdSelf, .port = 64}), kEinval);
  EXPECT_EQ(guest.evtchn(kUnmask, EvtchnPort{63}), 0);
  EXPECT_EQ(guest.evtchn(kUnmask, EvtchnPort{64}), kEinval);
  for (int i = 0; i < 64; ++i) ipi();
  EXPECT_EQ(status_of(127).status, 0u);
}

TEST_F(XenEvents, ThePortsRunOutAtTheDomainsLimit) {
  for (int i = 1; i <= 1023; ++i) ipi();
  EXPECT_EQ(guest.evtchn(kBindIpi, EvtchnBindIpi{}), kEnospc);
  EXPECT_EQ(guest.evtchn(kReset, EvtchnReset{.dom = kDomIdSelf}), 0);
  EXPECT_EQ(ipi(), 1u);
}

TEST_F(XenEvents, ABackendHearsTheDomainAndIsHeardByIt) {
  guest.map_shared_info();
  int heard = 0;
  EventPort port = 0;
  auto console = guest.domain().channels().allocate([&heard] { ++heard; }, port);
  ASSERT_NE(console, nullptr);
  EXPECT_EQ(port, 1u);
  EXPECT_EQ(status_of(port).status, 2u);
  EXPECT_EQ(status_of(port).u.interdomain.dom, 0);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{port}), 0);
  EXPECT_EQ(heard, 1);
  console->notify();
  EXPECT_EQ(shared().evtchn_pending[0], 1u << port);

  // The guest closes its end; the backend's does nothing any more.
  EXPECT_EQ(guest.evtchn(kClose, EvtchnPort{port}), 0);
  console->notify();
  EXPECT_EQ(shared().evtchn_pending[0], 0u);
  console.reset();

  EXPECT_EQ(guest.domain().channels().bind(7, [] {}), nullptr);
  guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = kDomIdSelf, .remote_dom = 0});
  auto block = guest.domain().channels().bind(1, [&heard] { heard += 10; });
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{1}), 0);
  EXPECT_EQ(heard, 11);
  block.reset();
  EXPECT_EQ(status_of(1).status, 1u);
}

class XenSilo : public XenAbi {
 protected:
  XenSilo() : XenAbi(HypervisorConfig{.silo = true}) {}
};

TEST_F(XenSilo, DomainsSpeakWithDomain0AndNobodyElse) {
  Guest other(hypervisor, 2);
  EXPECT_EQ(guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = kDomIdSelf, .remote_dom = 2}),
            kEperm);
  EXPECT_EQ(guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = kDomIdSelf, .remote_dom = 9}),
            kEsrch);
  EXPECT_EQ(guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = kDomIdSelf, .remote_dom = 0}), 0);
  EXPECT_EQ(
      guest.evtchn(kAllocUnbound, EvtchnAllocUnbound{.dom = kDomIdSelf, .remote_dom = kDomIdSelf}),
      0);
  hypervisor.remove_domain(2);
}

// The FIFO ABI. The control block is at 0xa000 of RAM, the event array at 0xb000.
class XenFifo : public XenEvents {
 protected:
  static constexpr std::uint64_t kControl = kRam + 0xa000, kArray = kRam + 0xb000;

  XenFifo() { guest.map_shared_info(); }
  void start() {
    EXPECT_EQ(guest.evtchn(kInitControl,
                           EvtchnInitControl{.control_gfn = kControl >> kPageBits, .offset = 8}),
              0);
    EXPECT_EQ(guest.last<EvtchnInitControl>().link_bits, 17);
    EXPECT_EQ(guest.evtchn(kExpandArray, EvtchnExpandArray{kArray >> kPageBits}), 0);
  }
  FifoControlBlock control() { return guest.get<FifoControlBlock>(kControl + 8); }
  std::uint32_t word(EventPort port) { return guest.get<std::uint32_t>(kArray + port * 4); }
  void set_word(EventPort port, std::uint32_t value) { guest.put(kArray + port * 4, value); }
};

TEST_F(XenFifo, EventsQueueUpInTheOrderTheyCome) {
  start();
  const EventPort a = ipi(), b = ipi(), c = ipi();
  for (const EventPort port : {b, a, c}) EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{port}), 0);
  EXPECT_EQ(control().ready, 1u << 7);
  EXPECT_EQ(control().head[7], b);
  EXPECT_EQ(word(b), kFifoPending | kFifoLinked | a);
  EXPECT_EQ(word(a), kFifoPending | kFifoLinked | c);
  EXPECT_EQ(word(c), kFifoPending | kFifoLinked);
  EXPECT_EQ(guest.machine.upcalls[0], 1);
}

TEST_F(XenFifo, AQueueThatTheGuestEmptiedStartsAnew) {
  start();
  const EventPort a = ipi(), b = ipi();
  guest.evtchn(kSend, EvtchnPort{a});
  // The guest takes the event: unlinks, clears pending, and the queue is not ready any more.
  set_word(a, 0);
  FifoControlBlock block = control();
  block.ready = 0;
  block.head[7] = 0;
  guest.put(kControl + 8, block);
  guest.evtchn(kSend, EvtchnPort{b});
  EXPECT_EQ(control().head[7], b);
  EXPECT_EQ(control().ready, 1u << 7);
}

TEST_F(XenFifo, PrioritiesHaveQueuesOfTheirOwn) {
  start();
  const EventPort a = ipi(), b = ipi();
  EXPECT_EQ(guest.evtchn(kSetPriority, EvtchnSetPriority{a, 16}), kEinval);
  EXPECT_EQ(guest.evtchn(kSetPriority, EvtchnSetPriority{60, 1}), kEacces);
  EXPECT_EQ(guest.evtchn(kSetPriority, EvtchnSetPriority{a, 2}), 0);
  guest.evtchn(kSend, EvtchnPort{a});
  guest.evtchn(kSend, EvtchnPort{b});
  EXPECT_EQ(control().ready, 1u << 2 | 1u << 7);
  EXPECT_EQ(control().head[2], a);
  EXPECT_EQ(control().head[7], b);
}

TEST_F(XenFifo, AMaskedEventIsLinkedWhenItIsUnmasked) {
  start();
  const EventPort a = ipi();
  set_word(a, kFifoMasked);
  guest.evtchn(kSend, EvtchnPort{a});
  EXPECT_EQ(word(a), kFifoMasked | kFifoPending);
  EXPECT_EQ(guest.machine.upcalls[0], 0);
  EXPECT_EQ(guest.evtchn(kUnmask, EvtchnPort{a}), 0);
  EXPECT_EQ(word(a), kFifoPending | kFifoLinked);
  EXPECT_EQ(guest.machine.upcalls[0], 1);
}

TEST_F(XenFifo, WhatWasPendingBeforeTheSwitchIsPendingAfterIt) {
  const EventPort a = ipi();
  set_mask(a, true);
  guest.evtchn(kSend, EvtchnPort{a});
  start();
  EXPECT_EQ(word(a), kFifoPending | kFifoLinked);
  EXPECT_EQ(control().head[7], a);
}

TEST_F(XenFifo, APortThatIsStillLinkedIsNotGivenOut) {
  start();
  const EventPort a = ipi();
  guest.evtchn(kSend, EvtchnPort{a});
  EXPECT_EQ(guest.evtchn(kClose, EvtchnPort{a}), 0);
  EXPECT_EQ(word(a), kFifoLinked);
  EXPECT_EQ(ipi(), a + 1);
  set_word(a, 0);
  EXPECT_EQ(ipi(), a);
}

TEST_F(XenFifo, ControlBlocksAndArraysAreChecked) {
  EXPECT_EQ(guest.evtchn(kExpandArray, EvtchnExpandArray{kArray >> kPageBits}), kEopnotsupp);
  EXPECT_EQ(guest.evtchn(kSetPriority, EvtchnSetPriority{1, 1}), kEnosys);
  EvtchnInitControl control{.control_gfn = kControl >> kPageBits};
  control.vcpu = 2;
  EXPECT_EQ(guest.evtchn(kInitControl, control), kEnoent);
  control.vcpu = 0;
  control.offset = kPageBytes - sizeof(FifoControlBlock) + 8;
  EXPECT_EQ(guest.evtchn(kInitControl, control), kEinval);
  control.offset = 4;
  EXPECT_EQ(guest.evtchn(kInitControl, control), kEinval);
  control.offset = 0;
  control.control_gfn = 1;
  EXPECT_EQ(guest.evtchn(kInitControl, control), kEinval);
  // A failed first block leaves the 2-level ABI in force.
  EXPECT_EQ(guest.evtchn(kExpandArray, EvtchnExpandArray{kArray >> kPageBits}), kEopnotsupp);
  start();
  control.control_gfn = kControl >> kPageBits;
  EXPECT_EQ(guest.evtchn(kInitControl, control), kEinval);  // vCPU 0 has one.
  EXPECT_EQ(guest.evtchn(kExpandArray, EvtchnExpandArray{1}), kEinval);
  for (int i = 1; i < 128; ++i) {
    EXPECT_EQ(guest.evtchn(kExpandArray, EvtchnExpandArray{kArray >> kPageBits}), 0);
  }
  EXPECT_EQ(guest.evtchn(kExpandArray, EvtchnExpandArray{kArray >> kPageBits}), kEnospc);
}

TEST_F(XenFifo, ResetGoesBackToTwoLevels) {
  start();
  ipi();
  EXPECT_EQ(guest.evtchn(kReset, EvtchnReset{.dom = kDomIdSelf}), 0);
  const EventPort port = ipi();
  guest.evtchn(kSend, EvtchnPort{port});
  EXPECT_EQ(shared().evtchn_pending[0], 1u << port);
}

TEST_F(XenFifo, WordsThatTheGuestMadeUpLeadNowhere) {
  start();
  const EventPort a = ipi(), b = ipi();
  guest.evtchn(kSend, EvtchnPort{a});
  set_word(a, ~0u);
  guest.put(kControl + 8, FifoControlBlock{.ready = ~0u, .head = {~0u, ~0u, ~0u, ~0u, ~0u}});
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{b}), 0);
  EXPECT_EQ(word(a) & kFifoLinkMask, b);
  // The frames that held the tables are given away.
  const std::uint64_t frames[] = {kControl >> kPageBits, kArray >> kPageBits};
  guest.put(kRam + 0x2000, frames);
  MemoryReservation give{.extent_start = kRam + 0x2000, .nr_extents = 2, .domid = kDomIdSelf};
  EXPECT_EQ(guest.op(Number::memory_op, 1, give), 2);
  EXPECT_EQ(guest.evtchn(kSend, EvtchnPort{b}), 0);
  EXPECT_EQ(guest.evtchn(kUnmask, EvtchnPort{b}), 0);
}

}  // namespace
}  // namespace trapline::xen
