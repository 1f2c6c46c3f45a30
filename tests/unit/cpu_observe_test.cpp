// Observed events: what they say, and that seeing them changes nothing.
#include <set>

#include "sim/trace/store_guard.h"
#include "tests/unit/cpu_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;

class WantsAll final : public Sink {
 public:
  void on_event(const Event& event) override { sink.on_event(event); }
  bool wants(EventKind) const override { return true; }
  RecordingSink sink;
};

class CpuObserve : public CpuTest {
 protected:
  CpuObserve() { events.attach(observer); }

  std::vector<Event> of(EventKind kind) { return observer.sink.of(kind); }
  /// The values written to `reg`, in order.
  std::vector<std::uint64_t> writes(SysReg reg) {
    std::vector<std::uint64_t> values;
    for (const Event& event : of(EventKind::sysreg_write)) {
      if (event.a == reg.key) values.push_back(event.b);
    }
    return values;
  }
  WantsAll observer;
};

using Values = std::vector<std::uint64_t>;

class PageGuard final : public StoreGuard {
 public:
  PageGuard() {
    add_page(kData);
    add_page(kData + 0x1000);
  }
  void on_read(PhysAddr) override {}
  void on_store(const GuardedStore& store) override { stores.push_back(store.pa); }
  std::vector<PhysAddr> stores;
};

TEST_F(CpuObserve, StoresToAGuardedPageAreNotToldWhereAnotherPageStands) {
  PageGuard guard;
  make({.guard = &guard});
  const Code both =
      Code().mov(1, kData).mov(3, kData + 0x1000).add({mem(kStr, 2, 1), mem(kStr, 2, 3)});
  run_code(both);
  EXPECT_EQ(guard.stores, (std::vector<PhysAddr>{kData, kData + 0x1000}));
  guard.stores.clear();
  // A page of another machine is mapped at the first, and the second is mapped by others.
  PageAliases first{{{complex.get(), kData}}}, second{{{complex.get(), kData + 0x1000}}};
  complex->alias_page(kData, &first, PageAccess::no_execute);
  complex->alias_page(kData + 0x1000, &second, PageAccess::all);
  run_code(both);
  EXPECT_EQ(guard.stores, (std::vector<PhysAddr>{kData + 0x1000}));
}

TEST_F(CpuObserve, WritesOfStateRegistersAreSeenWhereTheyAreMade) {
  make({.timers = true});
  run_code(Code()
               .set(reg::VTTBR_EL2, 0x0003'0000'4020'0000)
               .set(reg::CNTHCTL_EL2, 3)
               .set(reg::TPIDR_EL2, 5)
               .set(reg::TTBR0_EL1, 0x4020'0000)
               .set(reg::VBAR_EL1, kEl1Vectors));
  EXPECT_EQ(writes(reg::VTTBR_EL2), Values{0x0003'0000'4020'0000});
  EXPECT_EQ(writes(reg::CNTHCTL_EL2), Values{3});
  EXPECT_EQ(writes(reg::TTBR0_EL1), Values{0x4020'0000});
  EXPECT_EQ(writes(reg::VBAR_EL1), (Values{kEl1Vectors, kEl1Vectors}));
  EXPECT_EQ(writes(reg::HCR_EL2), Values{kHcrRw});
  EXPECT_EQ(writes(reg::TPIDR_EL2), Values{}) << "software's own register";
  const Event first = of(EventKind::sysreg_write).front();
  EXPECT_EQ(first.a, reg::VBAR_EL2.key);
  EXPECT_EQ(first.el, El::el2);
  EXPECT_EQ(first.instructions, 2u) << "MOVZ and MOVK come before it";
}

TEST_F(CpuObserve, ATrappedOrUndefinedWriteIsNone) {
  constexpr std::uint64_t kTvm = 1ull << 26;
  make();
  run_guest(Code().set(reg::TTBR0_EL1, 0x4020'0000), kHcrRw | kTvm);
  EXPECT_EQ(writes(reg::TTBR0_EL1), Values{});
  ASSERT_EQ(ec(), ExceptionClass::sysreg);
  make();
  run_guest(Code().set(reg::VTCR_EL2, 0));
  EXPECT_EQ(writes(reg::VTCR_EL2), Values{});
}

TEST_F(CpuObserve, AHostsWriteIsNamedAfterTheRegisterItReaches) {
  make({.model = "max"});
  run_code(Code().set(reg::VBAR_EL1, 0x4000'3000).set(reg::VBAR_EL12, 0x4000'7000),
           kHcrRw | kHcrE2h);
  EXPECT_EQ(writes(reg::VBAR_EL2), (Values{kEl2Vectors, kEl1Vectors, 0x4000'3000}));
  EXPECT_EQ(writes(reg::VBAR_EL1), Values{0x4000'7000});
}

TEST_F(CpuObserve, AnotherVmidIsASwitch) {
  make();
  run_code(Code()
               .set(reg::VTTBR_EL2, 0x0003'0000'4020'0000)
               .set(reg::VTTBR_EL2, 0x0003'0000'4030'0000)
               .set(reg::VTTBR_EL2, 0x0004'0000'4030'0000));
  const auto switches = of(EventKind::vcpu_switch);
  ASSERT_EQ(switches.size(), 2u);
  EXPECT_EQ(switches[0].a, 0u);
  EXPECT_EQ(switches[0].b, 3u);
  EXPECT_EQ(switches[1].a, 3u);
  EXPECT_EQ(switches[1].b, 4u);
}

TEST_F(CpuObserve, OnPmsaTheVmidIsInVsctlr) {
  make({.model = "cortex-r82"});
  run_code(Code().set(reg::VSCTLR_EL2, 0x0007'0000'0000'0000));
  const auto switches = of(EventKind::vcpu_switch);
  ASSERT_EQ(switches.size(), 1u);
  EXPECT_EQ(switches[0].b, 7u);
  EXPECT_EQ(writes(reg::VSCTLR_EL2), Values{0x0007'0000'0000'0000});
}

TEST_F(CpuObserve, AWaitEndsWithAWake) {
  make();
  ASSERT_EQ(run_code({kSevl, kWfe, kWfe}), PauseReason::wait_for_event);
  ASSERT_EQ(of(EventKind::wait).size(), 1u);
  EXPECT_EQ(of(EventKind::wait)[0].a, 1u);
  EXPECT_TRUE(of(EventKind::wake).empty());
  cpu().signal_event();
  ASSERT_EQ(run(), PauseReason::wait_for_interrupt);
  cpu().lines().irq.set(true);
  run(1);
  const auto wakes = of(EventKind::wake);
  ASSERT_EQ(wakes.size(), 2u);
  EXPECT_EQ(wakes[0].a, 1u);
  EXPECT_EQ(wakes[0].instructions, of(EventKind::wait)[0].instructions);
  EXPECT_EQ(wakes[1].a, 0u);
}

TEST_F(CpuObserve, AMarkerGivesItsNumberAndX0) {
  make();
  run_guest(Code().mov(0, 0x1234).add({kNop, movz(31, 77), kNop, movz(31, 0xffff), movz(31, 1, 1)}));
  const auto markers = of(EventKind::marker);
  ASSERT_EQ(markers.size(), 2u) << "MOVZ XZR, #1, LSL #16 is none";
  EXPECT_EQ(markers[0].a, 77u);
  EXPECT_EQ(markers[0].b, 0x1234u);
  EXPECT_EQ(markers[0].el, El::el1);
  EXPECT_EQ(markers[1].a, 0xffffu);
  EXPECT_EQ(markers[1].instructions, markers[0].instructions + 2);
}

TEST_F(CpuObserve, ACallToEl2IsAnsweredWhereTheCallerGoesOn) {
  vector_end = movz(0, 42);
  make();
  run_guest({hvc(1), kNop, b(1), movz(0, 1), hvc(2)});
  const auto results = of(EventKind::call_result);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].a, 42u);
  EXPECT_EQ(results[0].el, El::el1);
}

TEST_F(CpuObserve, ACallThatNeverReturnsHasNoAnswer) {
  make();
  vector_end = kNop;
  write_vectors(kEl2Vectors, true);
  put(kEl2Vectors + kFromLower + 20, {b(0x800)});
  put(kEl2Vectors + kFromLower + 20 + 0x2000, {kWfi});
  run_guest({hvc(1)});
  EXPECT_EQ(of(EventKind::hypercall).size(), 1u);
  EXPECT_TRUE(of(EventKind::call_result).empty());
}

TEST_F(CpuObserve, FirmwareAnswersAtOnce) {
  make();
  run_guest({smc(0)});
  const auto results = of(EventKind::call_result);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].a, 0x5au);
}

/// The same program with and without an observer; digest and counts.
TEST(CpuObserved, IsTheSameRun) {
  class Run : public CpuTest {
   public:
    void TestBody() override {}
    std::string result(Sink* observer) {
      if (observer) events.attach(*observer);
      vector_end = kNop;
      make({.timers = true});
      Code guest;
      for (unsigned n = 0; n < 20; ++n) {
        guest.set(reg::VBAR_EL1, kEl1Vectors).set(reg::TTBR0_EL1, kTables + n * 0x1000);
        guest.add({movz(31, n), hvc(n)}).set(reg::CNTV_CVAL_EL0, 5 * n).add({movz(31, n), b(1)});
      }
      run_guest(guest, kHcrRw, Code().set(reg::VTTBR_EL2, 1ull << 48).set(reg::HSTR_EL2, 0));
      return events.digest().text() + " " + std::to_string(cpu().counters().instructions) + " " +
             std::to_string(cpu().counters().cycles) + " " + std::to_string(events.digest().events());
    }
  };
  WantsAll observer;
  const std::string plain = Run().result(nullptr);
  EXPECT_EQ(plain, Run().result(&observer));
  EXPECT_EQ(observer.sink.of(EventKind::marker).size(), 40u);
}

}  // namespace
}  // namespace trapline::test
