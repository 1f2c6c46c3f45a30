// Pages that MPU regions split: exact to 64 bytes for data and for instructions, and counted as
// any others.
#include "tests/unit/cpu_pmsa_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;

constexpr std::uint64_t kEdge = kData + 0x840;  ///< Where the second region begins.

class CpuSplit : public PmsaTest {
 protected:
  /// EL2 with [kData, kEdge) read-write and [kEdge, kData + 0x1000) as `upper` says.
  static Code split(std::uint64_t upper) {
    return el2_on(Code()
                      .add(el2_region(1, kData, 0x840, kReadWrite))
                      .add(el2_region(2, kEdge, 0x7c0, upper)));
  }
  /// Both stages, each with an edge of its own: EL2's at kEdge, EL1's 64 bytes above.
  static Code nested() {
    return el1_on(el2_on(Code()
                             .add(el2_region(1, kData, 0x840, kReadWriteAll))
                             .add(el2_region(2, kEdge, 0x7c0, kReadOnlyAll))),
                  Code()
                      .add(el1_region(1, kData, 0x880, kReadWriteAll))
                      .add(el1_region(2, kData + 0x880, 0x780, kReadWrite)));
  }
};

TEST_F(CpuSplit, EachSideKeepsItsPermissions) {
  make_r82();
  run_code(
      split(kReadOnly)
          .mov(1, kEdge - 8)
          .mov(2, 77)
          .add({mem(kStr, 2, 1), mem(kLdr, 3, 1), add(1, 1, 8), mem(kLdr, 4, 1), mem(kStr, 2, 1)}));
  EXPECT_EQ(cpu().x(3), 77u);
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::permission(0), .write = true}));
  EXPECT_EQ(far(), kEdge);
  EXPECT_EQ(peek(kEdge), 0u);
}

TEST_F(CpuSplit, TheFaultIsOfTheFirstByteThatIsRefused) {
  make_r82();
  run_code(split(kReadOnly).mov(1, kEdge - 4).mov(2, ~0ull).add({mem(kStr, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::permission(0), .write = true}));
  EXPECT_EQ(far(), kEdge);
  EXPECT_EQ(peek(kEdge - 8), 0u) << "nothing of the store is done";
  run_code(split(kReadOnly).mov(1, kEdge - 4).add({mem(kLdr, 2, 1)}));
  EXPECT_EQ(vector_of(kEl2Vectors), std::nullopt) << "both sides may be read";
  run_code(split(kReadOnly).set(reg::PRENR_EL2, 3).mov(1, kEdge - 4).add({mem(kLdr, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::translation(0)}));
  EXPECT_EQ(far(), kEdge);
}

TEST_F(CpuSplit, NothingRemainsOfWhatFollowsARefusedStore) {
  make_r82({.model = "cortex-r82", .timers = true});
  const Code setup = split(kReadOnly)
                         .add(el2_region(3, kData + 0x1000, 0x1000, kReadWrite))
                         .add(el2_region(4, kDevice, 0x1000, kReadWrite))
                         .set(reg::TPIDR_EL2, 1)
                         .mov(1, kEdge)
                         .mov(2, 7)
                         .mov(3, kData + 0x1000)
                         .mov(4, kDevice)
                         .mov(5, kData + 0x100);
  for (Word store : {mem(kStr, 2, 1), stp(2, 2, 1), mem(kStrQ, 2, 1), ldadd(2, 6, 1),
                     msr(sysreg(1, 3, 7, 4, 1), 1)}) {  // The last is DC ZVA.
    SCOPED_TRACE(store);
    device.reset();
    run_code(Code(setup)
                 .set(reg::CPTR_EL2, 0x33ff & ~0x400u)
                 .add({kIsb, kNop, mem(kStr, 31, 5), store, add(2, 2, 1), mem(kStr, 2, 3),
                       mem(kStr, 2, 4), mem(kStr, 2, 5), msr(reg::TPIDR_EL2, 2),
                       msr(reg::CNTHP_CVAL_EL2, 2), hvc(1)}));
    EXPECT_EQ(far(), kEdge);
    EXPECT_EQ(esr(),
              esr::data_abort({.same_el = true, .status = fsc::permission(0), .write = true}));
    EXPECT_EQ(cpu().x(2), 7u);
    EXPECT_EQ(peek(kData + 0x1000), 0u);
    EXPECT_EQ(peek(kData + 0x100), 0u);
    EXPECT_EQ(peek(kEdge), 0u);
    EXPECT_TRUE(device.seen.empty());
    EXPECT_TRUE(sink.of(EventKind::hypercall).empty());
    const VirtAddr faulted = elr();
    run_code(Code(setup).add({mrs(7, reg::TPIDR_EL2), mrs(8, reg::CNTHP_CVAL_EL2)}));
    EXPECT_EQ(faulted & 3, 0u);
    EXPECT_EQ(cpu().x(7), 1u);
    EXPECT_EQ(cpu().x(8), 0u);
  }
}

TEST_F(CpuSplit, PagesBeforeAndBehindAreReachedAcrossTheirBorder) {
  make_r82();
  const Code setup = split(kReadWrite).add(el2_region(3, kData + 0x1000, 0x1000, kReadWrite));
  run_code(Code(setup)
               .mov(1, kData + 0xffc)
               .mov(2, 0x1122334455667788)
               .add({mem(kStr, 2, 1), mem(kLdr, 3, 1)}));
  EXPECT_EQ(cpu().x(3), 0x1122334455667788u);
  EXPECT_EQ(peek(kData + 0xffc), 0x1122334455667788u);
}

TEST_F(CpuSplit, EveryFormOfAccessWorks) {
  make_r82();
  const Code setup = split(kReadOnly)
                         .set(reg::CPACR_EL1, 3u << 20)
                         .set(reg::CPTR_EL2, 0x33ff & ~0x400u)
                         .add({kIsb});
  run_code(Code(setup)
               .mov(1, kData + 0x100)
               .mov(2, 5)
               .mov(3, 6)
               .add({stp(2, 3, 1), ldp(4, 5, 1), fmov_d_x(0, 3), mem(kStrQ, 0, 1), mem(kLd1, 1, 1),
                     ldadd(2, 6, 1), cas(7, 2, 1), mem(kStlr, 2, 1), mem(kLdar, 8, 1),
                     mem(kLdtr, 9, 1), mem(kSttr, 3, 1), mem(kLdrPost8, 10, 1)}));
  EXPECT_EQ(cpu().x(4), 5u);
  EXPECT_EQ(cpu().x(5), 6u);
  EXPECT_EQ(cpu().x(6), 6u) << "what STR Q left";
  EXPECT_EQ(cpu().x(8), 5u);
  EXPECT_EQ(cpu().x(9), 5u);
  EXPECT_EQ(cpu().x(10), 6u);
  EXPECT_EQ(cpu().x(1), kData + 0x108);
  EXPECT_EQ(vector_of(kEl2Vectors), std::nullopt);
  poke(kData + 0x100, ~0ull);
  run_code(Code(setup).mov(1, kData + 0x120).sys(sysreg(1, 3, 7, 4, 1), kData + 0x100));
  EXPECT_EQ(peek(kData + 0x100), 0u) << "DC ZVA";
}

TEST_F(CpuSplit, ExclusivesSucceedAndNoticeAChange) {
  make_r82();
  run_code(split(kReadOnly)
               .mov(1, kData + 0x100)
               .mov(2, 5)
               .add({mem(kLdxr, 3, 1), stxr(4, 2, 1), mem(kLdr, 5, 1), stxr(6, 2, 1),
                     mem(kLdxr, 3, 1), mem(kStr, 31, 1), stxr(7, 2, 1)}));
  EXPECT_EQ(cpu().x(4), 0u);
  EXPECT_EQ(cpu().x(5), 5u);
  EXPECT_EQ(cpu().x(6), 1u) << "the monitor is open";
  EXPECT_EQ(cpu().x(7), 1u);
}

TEST_F(CpuSplit, GuestsMeetTheEdgesOfBothStages) {
  make_r82();
  const auto guest = [&](VirtAddr va, Word access, std::uint64_t state = kEl1hMasked) {
    run_guest(Code().mov(1, va).add({mem(access, 2, 1), mem(access, 2, 1)}), kHcrRw | 1, nested(),
              state);
  };
  guest(kEdge - 8, kStr);
  EXPECT_EQ(vector_of(kEl2Vectors), std::nullopt);
  guest(kEdge + 8, kStr);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::data_abort(
                       {.status = fsc::permission(0),
                        .write = true,
                        .access = {.valid = true, .size_log2 = 3, .rt = 2, .sixty_four = true}}));
  EXPECT_EQ(far(), kEdge + 8);
  EXPECT_EQ(hpfar(), (kEdge & ~0xfffull) >> 8);
  guest(kEdge + 8, kLdr, kEl0Masked);
  EXPECT_EQ(cpu().el(), El::el0);
  guest(kEdge + 0x40, kLdr, kEl0Masked);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::data_abort({.status = fsc::permission(0)}));
  EXPECT_EQ(far(), kEdge + 0x40);
  // At EL1 the unprivileged forms are EL0's accesses.
  guest(kEdge + 0x40, kLdr);
  EXPECT_EQ(cpu().el(), El::el1);
  guest(kEdge + 0x40, kLdtr);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::permission(0)}));
}

TEST_F(CpuSplit, WhichStageRefusesMayDifferWithinAPage) {
  make_r82();
  // No store is allowed anywhere on the page: by stage 1 below kEdge, by stage 2 above.
  const Code setup = el1_on(el2_on(Code().add(el2_region(1, kData, 0x1000, kReadOnlyAll))),
                            Code()
                                .add(el1_region(1, kData, 0x840, kReadOnly))
                                .add(el1_region(2, kEdge, 0x7c0, kReadWrite)));
  run_guest(Code().mov(1, kEdge).add({mem(kLdr, 2, 1), mem(kStr, 2, 1)}), kHcrRw | 1, setup);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  run_guest(Code().mov(1, kEdge - 8).add({mem(kLdr, 2, 1), mem(kStr, 2, 1)}), kHcrRw | 1, setup);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
}

TEST_F(CpuSplit, SplitsAreCountedAsAnyOtherAccess) {
  make_r82();
  const auto run_with = [&](const Code& regions) {
    Code program = el2_on(regions).mov(1, kData + 0x100).mov(15, 200);
    program.add({mem(kStr, 15, 1), mem(kLdr, 2, 1), kNop, add(1, 1, 8), sub(15, 15, 1)});
    program.add({cbnz(15, -5)});
    run_code(program);
    return std::pair{cpu().counters().instructions, cpu().counters().cycles};
  };
  const auto whole = run_with(Code()
                                  .add(el2_region(1, kData, 0x800, kReadWrite))
                                  .add(el2_region(1, kData, 0x1000, kReadWrite)));
  make_r82();
  const auto split = run_with(Code()
                                  .add(el2_region(1, kData, 0xfc0, kReadWrite))
                                  .add(el2_region(1, kData, 0xfc0, kReadWrite)));
  EXPECT_EQ(whole, split);
}

TEST_F(CpuSplit, CodeEndsWhereItsRegionEnds) {
  make_r82();
  constexpr VirtAddr kStart = kData + 0x800, kEnd = kData + 0x840;
  Code code;
  for (unsigned n = 0; n < 64; ++n) code.add({add(9, 9, 1)});
  put(kStart, code);
  run_code(el2_on(Code().add(el2_region(1, kData, 0x840, kCodeAll)))
               .mov(9, 0)
               .mov(1, kStart)
               .add({br(1)}));
  EXPECT_EQ(esr(), esr::instruction_abort({.same_el = true, .status = fsc::translation(0)}));
  EXPECT_EQ(elr(), kEnd);
  EXPECT_EQ(far(), kEnd);
  EXPECT_EQ(cpu().x(9), 16u);
  // And begins where it begins.
  run_code(el2_on(Code().add(el2_region(1, kData + 0x840, 0x40, kCodeAll)))
               .mov(9, 0)
               .mov(1, kData + 0x83c)
               .add({br(1)}));
  EXPECT_EQ(elr(), kData + 0x83c);
  EXPECT_EQ(cpu().x(9), 0u);
  run_code(el2_on(Code().add(el2_region(1, kData + 0x840, 0x40, kCodeAll)))
               .mov(9, 0)
               .mov(1, kData + 0x840)
               .add({br(1)}));
  EXPECT_EQ(elr(), kData + 0x880);
  EXPECT_EQ(cpu().x(9), 16u);
}

TEST_F(CpuSplit, CodeThatRanBeforeIsHeldToANewEdge) {
  make_r82();
  Code code;
  for (unsigned n = 0; n < 32; ++n) code.add({add(9, 9, 1)});
  code.add({ret()});
  put(kData + 0x800, code);
  run_code(el2_on(Code().add(el2_region(1, kData, 0x1000, kCodeAll)))
               .mov(9, 0)
               .mov(1, kData + 0x800)
               .add({blr(1)})
               .add(el2_region(1, kData, 0x840, kCodeAll))
               .mov(1, kData + 0x800)
               .add({blr(1)}));
  EXPECT_EQ(cpu().x(9), 48u);
  EXPECT_EQ(elr(), kData + 0x840);
  run_code(el2_on(Code().add(el2_region(1, kData, 0x840, kCodeAll)))
               .mov(9, 0)
               .add(el2_region(1, kData, 0x1000, kCodeAll))
               .mov(1, kData + 0x800)
               .add({blr(1)}));
  EXPECT_EQ(cpu().x(9), 32u) << "the hooks that are left do no harm";
  EXPECT_EQ(vector_of(kEl2Vectors), std::nullopt);
}

TEST_F(CpuSplit, PrivilegeDecidesWhatOfAPageIsCode) {
  make_r82();
  Code code;
  for (unsigned n = 0; n < 32; ++n) code.add({add(9, 9, 1)});
  put(kData + 0x800, code.add({kWfi}));
  // EL0 may execute the first part, EL1 all.
  const Code setup = el1_on(
      el2_on(Code()),
      Code().add(el1_region(1, kData, 0x840, kCodeAll)).add(el1_region(2, kEdge, 0x7c0, 0x8)));
  const Code guest = Code().mov(9, 0).mov(1, kData + 0x800).add({br(1)});
  run_guest(guest, kHcrRw, setup);
  EXPECT_EQ(cpu().x(9), 32u);
  run_guest(guest, kHcrRw, setup, kEl0Masked);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::instruction_abort({.status = fsc::permission(0)}));
  EXPECT_EQ(elr(), kEdge);
  EXPECT_EQ(cpu().x(9), 16u);
}

TEST_F(CpuSplit, CodeAndDataShareAPage) {
  make_r82();
  Code code;
  code.add({mem(kLdr, 2, 1), add(2, 2, 1), mem(kStr, 2, 1), sub(15, 15, 1), cbnz(15, -4), ret()});
  put(kData, code);
  const auto before = cpu().counters().instructions;
  run_code(el2_on(Code()
                      .add(el2_region(1, kData, 0x40, kCodeAll))
                      .add(el2_region(2, kData + 0x40, 0xfc0, kReadWrite)))
               .mov(1, kData + 0x800)
               .mov(15, 100)
               .mov(3, kData)
               .add({blr(3)}));
  EXPECT_EQ(peek(kData + 0x800), 100u);
  EXPECT_GT(cpu().counters().instructions - before, 500u);
}

TEST_F(CpuSplit, SystemInstructionsBehindTheEdgeDoNothing) {
  make_r82();
  Code code;
  for (unsigned n = 0; n < 15; ++n) code.add({kNop});
  code.add({kNop, msr(reg::TPIDR_EL2, 1), hvc(1)});  // TPIDR_EL2 is the first behind the edge.
  put(kData + 0x800, code);
  run_code(el2_on(Code().add(el2_region(1, kData, 0x840, kCodeAll)))
               .set(reg::TPIDR_EL2, 1)
               .mov(1, kData + 0x800)
               .add({br(1)}));
  EXPECT_EQ(elr(), kData + 0x840);
  EXPECT_TRUE(sink.of(EventKind::hypercall).empty());
}

}  // namespace
}  // namespace trapline::test
