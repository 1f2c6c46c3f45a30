// Memory as the CPU core shows it: devices, faults of both stages, TLBs, code that changes.
#include "sim/trace/instruction.h"
#include "tests/unit/cpu_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;
using Seen = RecordingDevice::Seen;
using Tables = PageTables;

class CpuMemory : public CpuTest {
 protected:
  /// Identity maps of code, vectors and data at both levels, with the MMU of EL1 on.
  Code stage1(PageTables& tables, std::uint64_t sctlr = 0x30d00801, std::uint64_t asid = 0) {
    tables.map(kRam, kRam, Tables::kKernel, 16);
    tables.map(kUser, kUser, Tables::kUserRx);
    return Code()
        .set(reg::MAIR_EL1, Tables::kMair)
        .set(reg::TCR_EL1, Tables::kTcr)
        .set(reg::TTBR0_EL1, tables.root() | asid << 48)
        .set(reg::SCTLR_EL1, sctlr)
        .add({kIsb});
  }
  Code stage2(PageTables& tables, std::uint64_t vmid = 1) {
    return Code()
        .set(reg::VTCR_EL2, Tables::kVtcr)
        .set(reg::VTTBR_EL2, tables.root() | vmid << 48)
        .add({kIsb});
  }
  static constexpr std::uint64_t kHcrVm = kHcrRw | 1;
};

TEST_F(CpuMemory, EveryLoadReachesTheDeviceInItsSize) {
  make({.model = "max"});
  struct {
    Word opcode;
    unsigned size;
    std::uint64_t loaded;
  } const cases[] = {{kLdr, 8, 0x1122334455667788},   {kLdrW, 4, 0x55667788},
                     {kLdrh, 2, 0x7788},              {kLdrb, 1, 0x88},
                     {kLdrsw, 4, 0x55667788},         {kLdrsbX, 1, 0xffffffffffffff88},
                     {kLdar, 8, 0x1122334455667788},  {kLdrPost8, 8, 0x1122334455667788},
                     {kLdtr, 8, 0x1122334455667788},  {kLdxr, 8, 0x1122334455667788}};
  for (const auto& load : cases) {
    SCOPED_TRACE(load.opcode);
    device.reset();
    run_guest(Code().mov(1, kDevice + 0x10).add({mem(load.opcode, 2, 1)}));
    EXPECT_EQ(device.seen, (std::vector<Seen>{{0x10, load.size, false,
                                               load.size == 8 ? RecordingDevice::kPattern
                                                              : RecordingDevice::kPattern &
                                                                    ((1ull << 8 * load.size) - 1)}}));
    EXPECT_EQ(cpu().x(2), load.loaded);
    EXPECT_EQ(cpu().x(1), kDevice + (load.opcode == kLdrPost8 ? 0x18 : 0x10));
  }
}

TEST_F(CpuMemory, EveryStoreReachesTheDeviceInItsSize) {
  make({.model = "max"});
  struct {
    Word opcode;
    unsigned size;
    std::uint64_t stored;
  } const cases[] = {{kStr, 8, 0xfedcba9876543210}, {kStrW, 4, 0x76543210}, {kStrh, 2, 0x3210},
                     {kStrb, 1, 0x10},              {kStlr, 8, 0xfedcba9876543210},
                     {kSttr, 8, 0xfedcba9876543210}};
  for (const auto& store : cases) {
    SCOPED_TRACE(store.opcode);
    device.reset();
    run_guest(Code().mov(1, kDevice + 0x20).mov(2, 0xfedcba9876543210).add(
        {mem(store.opcode, 2, 1)}));
    EXPECT_EQ(device.seen, (std::vector<Seen>{{0x20, store.size, true, store.stored}}));
  }
}

TEST_F(CpuMemory, PairsVectorsAndAtomicsOnDevices) {
  make({.model = "max"});
  const auto on_device = [&](const Code& code) {
    device.reset();
    Code guest = Code().set(reg::CPACR_EL1, 3u << 20).mov(1, kDevice).mov(2, 1).mov(3, 2);
    run_guest(guest.add({kIsb}).add(code));
    return device.seen;
  };
  constexpr std::uint64_t kPattern = RecordingDevice::kPattern;
  EXPECT_EQ(on_device({ldp(2, 3, 1)}),
            (std::vector<Seen>{{0, 8, false, kPattern}, {8, 8, false, kPattern}}));
  EXPECT_EQ(on_device({stp(2, 3, 1)}), (std::vector<Seen>{{0, 8, true, 1}, {8, 8, true, 2}}));
  EXPECT_EQ(on_device({mem(kLdrQ, 0, 1)}),
            (std::vector<Seen>{{0, 8, false, kPattern}, {8, 8, false, kPattern}}));
  EXPECT_EQ(on_device({fmov_d_x(0, 3), mem(kStrQ, 0, 1)}),
            (std::vector<Seen>{{0, 8, true, 2}, {8, 8, true, 0}}));
  EXPECT_EQ(on_device({ldadd(2, 4, 1)}),
            (std::vector<Seen>{{0, 8, false, kPattern}, {0, 8, true, kPattern + 1}}));
  EXPECT_EQ(cpu().x(4), kPattern);
}

TEST_F(CpuMemory, DeviceErrorAndHolesAreExternalAborts) {
  make();
  device.refuse = true;
  run_guest(Code().mov(1, kDevice + 8).add({mem(kLdr, 2, 1)}));
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::kExternal}));
  EXPECT_EQ(far(), kDevice + 8);
  run_guest(Code().mov(1, kHole).add({mem(kStrW, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::kExternal, .write = true}));
  EXPECT_EQ(far(), kHole);
  run_guest(Code().mov(1, kHole).add({br(1)}));
  EXPECT_EQ(esr(), esr::instruction_abort({.same_el = true, .status = fsc::kExternal}));
  EXPECT_EQ(elr(), kHole);
}

TEST_F(CpuMemory, UnalignedDeviceAccessFaultsAndReachesNothing) {
  make();
  for (const VirtAddr va : {kDevice + 1, kDevice + 0xffd, kDevice + 0xfff}) {
    SCOPED_TRACE(va);
    run_guest(Code().mov(1, va).add({mem(kLdrW, 2, 1)}));
    EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::kAlignment}));
    EXPECT_EQ(far(), va);
    EXPECT_TRUE(device.seen.empty());
  }
}

TEST_F(CpuMemory, UnalignedExclusiveFaultsWithItsAddress) {
  make();
  run_guest(Code().mov(1, kData + 4).add({mem(kLdxr, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::kAlignment}));
  EXPECT_EQ(far(), kData + 4);
  EXPECT_EQ(elr(), kGuest + 2 * 4);
}

TEST_F(CpuMemory, Stage1FaultsSayLevelDirectionAndAddress) {
  make();
  PageTables tables(bus, kTables);
  const Code setup = stage1(tables);
  tables.map(kData, kData, Tables::kReadOnly);
  run_guest(Code().mov(1, kData + 0x2018).add({mem(kLdr, 2, 1)}), kHcrRw, setup);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::translation(3)}));
  EXPECT_EQ(far(), kData + 0x2018);
  run_guest(Code().mov(1, kData + 8).add({kNop, mem(kStr, 2, 1)}), kHcrRw, setup);
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::permission(3), .write = true}));
  EXPECT_EQ(elr(), kGuest + 4 * 3);
  poke(kData, kWfi);
  run_guest(Code().mov(1, kData).add({br(1)}), kHcrRw, setup);
  EXPECT_EQ(vector_of(kEl1Vectors), std::nullopt) << "readable pages execute at EL1";
}

TEST_F(CpuMemory, UserFaultsEnterTheLowerVectorAndTgeTakesThemToEl2) {
  make();
  PageTables tables(bus, kTables);
  const Code setup = stage1(tables);
  put(kUser, Code().mov(1, kData).add({mem(kStrb, 2, 1)}));
  Code code = prologue().add(setup).enter(El::el2, kUser, kEl0Masked);
  put(kCode, code);
  cpu().power_on(kCode, El::el2, 0);
  run();
  EXPECT_EQ(vector_of(kEl1Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::data_abort({.status = fsc::translation(3), .write = true}));
  EXPECT_EQ(far(), kData);
}

TEST_F(CpuMemory, AccessAcrossAPageReportsTheFaultingPart) {
  make();
  PageTables tables(bus, kTables);
  const Code setup = stage1(tables);
  tables.map(kData, kData, Tables::kKernel);
  run_guest(Code().mov(1, kData + 0xffc).add({mem(kLdr, 2, 1)}), kHcrRw, setup);
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::translation(3)}));
  EXPECT_EQ(far(), kData + 0x1000);
}

TEST_F(CpuMemory, Stage2FaultHasSyndromeAndIpa) {
  make();
  PageTables second(bus, kStage2Tables);
  second.map(kRam, kRam, Tables::kStage2, 256);
  const Code setup = stage2(second);
  run_guest(Code().mov(1, kDevice + 0x123 * 4).mov(7, 0x55).add({mem(kStrW, 7, 1)}), kHcrVm, setup);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  const AccessSyndrome access{.valid = true, .size_log2 = 2, .rt = 7};
  EXPECT_EQ(esr(), esr::data_abort({.status = fsc::translation(1), .write = true, .access = access}));
  EXPECT_EQ(far(), kDevice + 0x123 * 4);
  EXPECT_EQ(hpfar(), (kDevice >> 12) << 4);
  EXPECT_TRUE(device.seen.empty());

  run_guest(Code().mov(1, kDevice).add({ldp(2, 3, 1)}), kHcrVm, setup);
  EXPECT_EQ(esr(), esr::data_abort({.status = fsc::translation(1)})) << "no ISV for a pair";
}

TEST_F(CpuMemory, Stage2FaultOnAStage1WalkSaysSo) {
  make();
  PageTables first(bus, kTables), second(bus, kStage2Tables);
  const Code one = stage1(first);
  second.map(kRam, kRam, Tables::kStage2, 256);  // Not the stage-1 tables.
  run_guest({kNop}, kHcrVm, Code(one).add(stage2(second)));
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::instruction_abort({.status = fsc::translation(2), .stage1_walk = true}));
  EXPECT_EQ(hpfar(), (kTables >> 12) << 4);
  EXPECT_EQ(elr(), kGuest);
}

TEST_F(CpuMemory, UnprivilegedAccessesAndPan) {
  make({.model = "max"});
  PageTables tables(bus, kTables);
  const Code setup = stage1(tables, 0x30d00801 | 1u << 23);
  tables.map(kData, kData, Tables::kUserRw);
  tables.map(kData + 0x1000, kData + 0x1000, Tables::kKernel);
  const auto faults = [&](const Code& code) {
    run_guest(code, kHcrRw, setup);
    return vector_of(kEl1Vectors) == kFromSpx;
  };
  const Code user = Code().mov(1, kData).mov(2, 5), kernel = Code().mov(1, kData + 0x1000);
  EXPECT_FALSE(faults(Code(user).add({mem(kSttr, 2, 1), mem(kLdtr, 3, 1)})));
  EXPECT_EQ(cpu().x(3), 5u);
  EXPECT_TRUE(faults(Code(kernel).add({mem(kStr, 2, 1), mem(kLdtr, 3, 1)})));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::permission(3)}));
  EXPECT_FALSE(faults(Code(kernel).add({uao(1), mem(kLdtr, 3, 1)}))) << "UAO makes it privileged";
  EXPECT_TRUE(faults(Code(user).add({pan(1), mem(kLdr, 3, 1)})));
  EXPECT_FALSE(faults(Code(user).add({pan(1), mem(kLdtr, 3, 1)}))) << "PAN is not for LDTR";
  EXPECT_TRUE(faults(Code(user).add({mem(kLdr, 3, 1), pan(1), mem(kLdr, 3, 1)})))
      << "a page read before is refused as well";
  EXPECT_FALSE(faults(Code(user).add({pan(1), pan(0), mem(kLdr, 3, 1)})));
}

TEST_F(CpuMemory, AsidsKeepTranslationsApart) {
  make();
  PageTables a(bus, kTables), b(bus, kTables + 0x10'0000);
  const Code setup = stage1(a, 0x30d00801, 1);
  stage1(b);
  poke(kData, 0xaaaa);
  poke(kData + 0x1000, 0xbbbb);
  a.map(kData, kData, Tables::kKernel | Tables::kNonGlobal);
  b.map(kData, kData + 0x1000, Tables::kKernel | Tables::kNonGlobal);
  Code guest = Code().mov(1, kData).add({mem(kLdr, 2, 1)});
  guest.set(reg::TTBR0_EL1, b.root() | 2ull << 48).add({kIsb, mem(kLdr, 3, 1)});
  guest.set(reg::TTBR0_EL1, a.root() | 1ull << 48).add({kIsb, mem(kLdr, 4, 1)});
  run_guest(guest, kHcrRw, setup);
  EXPECT_EQ(cpu().x(2), 0xaaaau);
  EXPECT_EQ(cpu().x(3), 0xbbbbu);
  EXPECT_EQ(cpu().x(4), 0xaaaau);
}

TEST_F(CpuMemory, VmidsKeepTranslationsApart) {
  make();
  PageTables a(bus, kStage2Tables), b(bus, kStage2Tables + 0x10'0000);
  a.map(kRam, kRam, Tables::kStage2, 256 + 1);
  b.map(kRam, kRam, Tables::kStage2, 256);
  b.map(kData, kData + 0x1000, Tables::kStage2);
  poke(kData, 0xaaaa);
  poke(kData + 0x1000, 0xbbbb);
  const Code guest = Code().mov(1, kData).add({mem(kLdr, 2, 1), hvc(0)});
  run_guest(guest, kHcrVm, stage2(a, 1));
  ASSERT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(cpu().x(2), 0xaaaau);
  // A world switch: the handler's ERET is the next instruction.
  put(kGuest + guest.words.size() * 4, {mem(kLdr, 3, 1), kWfi});
  put(kEl2Vectors + kFromLower,
      Code(stage2(b, 2)).add({kEret}));
  cpu().power_on(kCode, El::el2, 0);
  run();
  EXPECT_EQ(cpu().x(2), 0xaaaau);
  EXPECT_EQ(cpu().x(3), 0xbbbbu);
}

/// Reads kData, unmaps it, executes `tlbi` and reads again: true if the second read faulted.
class TlbiTest : public CpuMemory {
 protected:
  bool drops(Word tlbi, std::uint64_t attributes = 0) {
    PageTables tables(bus, kTables);
    const Code setup = stage1(tables, 0x30d00801, 3);
    tables.map(kData, kData, Tables::kKernel | attributes);
    tables.map(kTables, kTables, Tables::kKernel, 16);
    const VirtAddr leaf = leaf_of(tables.root(), kData);
    Code guest = Code().mov(1, kData).mov(5, leaf).mov(6, kData >> 12 | 3ull << 48);
    guest.add({mem(kLdr, 2, 1), mem(kStr, 31, 5), kDsb, tlbi, kDsb, kIsb, mem(kLdr, 2, 1)});
    run_guest(guest, kHcrRw, setup);
    return vector_of(kEl1Vectors) == kFromSpx;
  }
  VirtAddr leaf_of(PhysAddr root, VirtAddr va) {
    PhysAddr table = root;
    for (unsigned level = 1; level < 3; ++level) {
      table = peek(table + ((va >> (39 - 9 * level)) & 511) * 8) & 0xffff'ffff'f000;
    }
    return table + ((va >> 12) & 511) * 8;
  }
};

TEST_F(TlbiTest, EachFormDropsWhatItNames) {
  make();
  EXPECT_FALSE(drops(kNop)) << "the TLB holds an entry until it is told otherwise";
  for (const SysReg reg : {reg::TLBI_VMALLE1, reg::TLBI_VMALLE1IS, reg::TLBI_VAE1,
                           reg::TLBI_VAE1IS, reg::TLBI_VALE1, reg::TLBI_VALE1IS, reg::TLBI_VAAE1,
                           reg::TLBI_VAAE1IS, reg::TLBI_VAALE1IS}) {
    EXPECT_TRUE(drops(msr(reg, 6))) << name_of(reg);
  }
  EXPECT_TRUE(drops(msr(reg::TLBI_ASIDE1, 6), Tables::kNonGlobal));
  EXPECT_FALSE(drops(msr(reg::TLBI_ASIDE1, 6))) << "global entries stay";
  EXPECT_FALSE(drops(msr(reg::TLBI_ASIDE1, 31), Tables::kNonGlobal)) << "another ASID";
  EXPECT_FALSE(drops(msr(reg::TLBI_VAE1, 31))) << "another address";
}

TEST_F(CpuMemory, CodeThatIsOverwrittenIsExecutedAnew) {
  make();
  // A function that returns 1, is called, overwritten to return 2 (a store and IC IVAU), called.
  put(kUser, {movz(0, 1), ret()});
  Code guest = Code().mov(9, kUser).add({blr(9), add(10, 0, 0)});
  guest.mov(1, movz(0, 2)).add({mem(kStrW, 1, 9), msr(reg::DC_CVAU, 9), kDsb,
                               msr(reg::IC_IVAU, 9), kDsb, kIsb, blr(9), add(11, 0, 0)});
  guest.mov(1, movz(0, 3)).add({mem(kStrW, 1, 9), kDsb, kIsb, blr(9), add(12, 0, 0)});
  run_guest(guest);
  EXPECT_EQ(cpu().x(10), 1u);
  EXPECT_EQ(cpu().x(11), 2u);
  EXPECT_EQ(cpu().x(12), 3u);
}

TEST_F(CpuMemory, CodeThatADeviceOverwritesIsExecutedAnewAtOnce) {
  make();
  // Called until it returns 2, which a device writes in the ten thousandth cycle, at six each time.
  put(kUser, {movz(0, 1), ret()});
  Wakeup overwrite(timeline, [this] { put(kUser, {movz(0, 2)}); });
  overwrite.at(10'000'000);
  run_code(
      Code().mov(9, kUser).mov(5, 0).add({blr(9), a64::add(5, 5, 1), sub(1, 0, 2), cbnz(1, -3)}));
  EXPECT_EQ(cpu().x(0), 2u);
  EXPECT_NEAR(static_cast<double>(cpu().x(5)), 10'000.0 / 6, 100);
}

TEST_F(CpuMemory, CodeMayShareItsPageWithTheDataItWrites) {
  make();
  // Counts a word of its own page up to 100.
  Code guest = Code().mov(1, kGuest + 0x800).mov(3, 100);
  guest.add({mem(kLdr, 2, 1), a64::add(2, 2, 1), mem(kStr, 2, 1), sub(3, 3, 1),
             cbnz(3, -4)});
  run_guest(guest);
  EXPECT_EQ(peek(kGuest + 0x800), 100u);
  EXPECT_EQ(cpu().pc(), kGuest + guest.words.size() * 4 + 4);
}

TEST_F(CpuMemory, OneCpusStoresToCodeAreSeenByTheOther) {
  make({.cpus = 2});
  put(kUser, {movz(0, 1), ret()});
  put(kCode, Code().mov(9, kUser).add({blr(9), kWfi, kIsb, blr(9), kWfi}));
  cpu(1).power_on(kCode, El::el2, 0);
  run(1000, 1);
  EXPECT_EQ(cpu(1).x(0), 1u);
  put(kGuest, Code().mov(9, kUser).mov(1, movz(0, 2)).add({mem(kStrW, 1, 9), kWfi}));
  cpu(0).power_on(kGuest, El::el2, 0);
  run(1000, 0);
  run(1000, 1);
  EXPECT_EQ(cpu(1).x(0), 2u);
}

TEST_F(CpuMemory, AnotherInstructionAtAHookedAddressIsItself) {
  make();
  // An identification register is read here first, then the thread pointer at the same address.
  run_guest({mrs(2, reg::ID_AA64PFR0_EL1)});
  EXPECT_EQ(cpu().x(2), 0x01000111u);
  run_guest(Code({mrs(2, reg::TPIDR_EL1)}), kHcrRw, Code().set(reg::TPIDR_EL1, 0x1234));
  EXPECT_EQ(cpu().x(2), 0x1234u);
  poke(kData, ~0ull);
  run_guest({movz(1, kData >> 16, 1), msr(reg::AT_S1E1R, 1)});
  run_guest({movz(1, kData >> 16, 1), msr(reg::DC_ZVA, 1)});
  EXPECT_EQ(peek(kData), 0u);
}

TEST_F(CpuMemory, WatchersSeeWhatAnInstructionAccesses) {
  struct Watcher final : InstructionSink {
    InstructionWindow window() const override { return {}; }
    void on_instruction(const ExecutedInstruction& executed) override {
      if (executed.memory) seen.push_back(*executed.memory);
    }
    std::vector<MemoryContents> seen;
  } watcher;
  make({.instructions = &watcher});
  poke(kData + 0x1040, ~0ull);
  run_guest(Code()
                .mov(1, kData + 0x1048)
                .add({mem(kLdrb, 2, 1), msr(reg::DC_ZVA, 1), mem(kLdr, 3, 1)}));
  ASSERT_EQ(watcher.seen.size(), 3u);
  EXPECT_EQ(watcher.seen[0].va, kData + 0x1048);
  EXPECT_EQ(watcher.seen[0].bytes, 1u);
  EXPECT_FALSE(watcher.seen[0].write);
  // The whole block that the address is in (DDI 0487 C5.3, DC ZVA).
  EXPECT_EQ(watcher.seen[1].va, kData + 0x1040);
  EXPECT_EQ(watcher.seen[1].pa, kData + 0x1040);
  EXPECT_EQ(watcher.seen[1].bytes, 64u);
  EXPECT_TRUE(watcher.seen[1].write);
  EXPECT_EQ(watcher.seen[1].data, decltype(watcher.seen[1].data){});
  EXPECT_EQ(peek(kData + 0x1040), 0u);
  EXPECT_EQ(watcher.seen[2].bytes, 8u);
}

TEST_F(CpuMemory, ExclusivesAreAtomicEvenInThePageTheyAreExecutedFrom) {
  for (const PhysAddr counter_at : {kGuest + 0x800, kData}) {
    SCOPED_TRACE(counter_at);
    make({.cpus = 2});
    poke(counter_at, 0);
    Code code = Code().mov(1, counter_at).mov(3, 200);
    code.add({mem(kLdxr, 2, 1), a64::add(2, 2, 1), stxr(4, 2, 1), cbnz(4, -3), sub(3, 3, 1),
              cbnz(3, -5), kWfi});
    put(kGuest, code);
    PauseReason reason[2] = {};
    for (unsigned i : {0u, 1u}) cpu(i).power_on(kGuest, El::el2, 0);
    for (unsigned turn = 0; turn < 2000; ++turn) {
      for (unsigned i : {0u, 1u}) {
        if (reason[i] != PauseReason::wait_for_interrupt) reason[i] = run(3 + turn % 5, i);
      }
    }
    EXPECT_EQ(reason[0], PauseReason::wait_for_interrupt);
    EXPECT_EQ(reason[1], PauseReason::wait_for_interrupt);
    EXPECT_EQ(peek(counter_at), 400u);
  }
}

TEST_F(CpuMemory, AnExclusivePairReachesTheDevice) {
  make({.model = "max"});
  run_guest(Code().mov(1, kDevice + 0x10).mov(3, 7).add({mem(kLdxr, 2, 1), stxr(4, 3, 1)}));
  EXPECT_EQ(cpu().x(4), 0u);
  ASSERT_EQ(device.seen.size(), 2u);
  EXPECT_EQ(device.seen[1], (Seen{0x10, 8, true, 7}));
}

TEST_F(CpuMemory, TlbiIsBroadcastOnlyInItsInnerShareableForms) {
  for (const bool shareable : {true, false}) {
    make({.cpus = 2});
    PageTables tables(bus, kTables);
    const Code setup = stage1(tables);
    tables.map(kData, kData, Tables::kKernel);
    run_guest(Code().mov(1, kData).add({mem(kLdr, 2, 1), kWfi, mem(kLdr, 2, 1)}), kHcrRw, setup);
    tables.unmap(kData);
    const SysReg tlbi = shareable ? reg::TLBI_VMALLE1IS : reg::TLBI_VMALLE1;
    put(kUser, {msr(tlbi, 31), kWfi});
    cpu(1).power_on(kUser, El::el2, 0);
    run(1000, 1);
    run(1000, 0);
    EXPECT_EQ(vector_of(kEl1Vectors) == kFromSpx, shareable);
  }
}

TEST_F(CpuMemory, AddressTranslationInstructions) {
  make();
  PageTables tables(bus, kTables);
  const Code setup = stage1(tables);
  tables.map(kData, kData + 0x3000, Tables::kKernel);
  Code code = Code(setup).mov(1, kData + 0x123);
  code.add({msr(reg::AT_S1E1R, 1), kIsb, mrs(2, reg::PAR_EL1)});
  code.add({msr(reg::AT_S1E0R, 1), kIsb, mrs(3, reg::PAR_EL1)});
  code.mov(1, kData + 0x5000).add({msr(reg::AT_S12E1W, 1), kIsb, mrs(4, reg::PAR_EL1)});
  run_code(code);
  EXPECT_EQ(cpu().x(2) & 0xfffff'fffff001, (kData + 0x3000));
  EXPECT_EQ(cpu().x(3) & 0x7f, 1u | fsc::permission(3) << 1);
  EXPECT_EQ(cpu().x(4) & 0x7f, 1u | fsc::translation(3) << 1);
}

TEST_F(CpuMemory, AddressTranslationThatCannotReadTheTablesIsAnException) {
  make();
  PageTables tables(bus, kTables);
  const Code setup = stage1(tables);
  tables.map(kData, kData, Tables::kKernel);
  poke(kTables + ((kData >> 30) & 511) * 8, kHole | 3);  // The next table is nowhere.
  run_code(Code(setup).mov(1, kData + 0x123).add({kNop, msr(reg::AT_S1E1R, 1), kNop}));
  EXPECT_EQ(vector_of(kEl2Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true,
                                    .status = fsc::external_on_walk(2),
                                    .cache_maintenance = true}));
  EXPECT_EQ(far(), kData + 0x123);
  EXPECT_EQ(peek(elr()) & 0xffffffff, msr(reg::AT_S1E1R, 1));
}

TEST_F(CpuMemory, AddressTranslationByAGuestWhoseTablesAreNotMappedGoesToEl2) {
  make();
  PageTables second(bus, kStage2Tables);
  second.map(kRam, kRam, Tables::kStage2, 256);
  PageTables tables(bus, kTables);
  const Code setup = Code(stage1(tables)).add(stage2(second));
  second.map(kTables, kTables, Tables::kStage2);                    // Levels of the code,
  second.map(kTables + 0x1000, kTables + 0x1000, Tables::kStage2);  // but not of kData's page.
  second.map(kTables + 0x2000, kTables + 0x2000, Tables::kStage2);
  tables.map(0x8000'0000, kData, Tables::kKernel);
  run_guest(Code().mov(1, 0x8000'0008).add({kNop, msr(reg::AT_S1E1W, 1), kNop}), kHcrVm,
            setup);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::data_abort({.status = fsc::translation(3),
                                    .stage1_walk = true,
                                    .cache_maintenance = true}));
  EXPECT_EQ(far(), 0x8000'0008u);
  EXPECT_EQ(hpfar(), ((kTables + 0x3000) >> 12) << 4);
}

/// Flash memory: reads and code are memory until the device before it says otherwise.
class CpuFlash : public CpuTest {
 protected:
  static constexpr PhysAddr kFlash = 0x8800'0000;

  CpuFlash() {
    commands.on_write = [this](const Access&, std::uint64_t value) {
      flash.set_direct(value == 0xff);
      complex->memory_redirected();
    };
    bus.map_over(commands, flash);
    make();
    poke(kFlash, 0x11);
    put(kFlash + 0x100, Code({movz(7, 42), ret()}));
  }

  Ram& flash = bus.add_ram("flash", kFlash, 0x10000, true);
  RecordingDevice commands;
};

TEST_F(CpuFlash, StoresAreCommandsAndReadsFollowTheMode) {
  run_code(Code()
               .mov(1, kFlash)
               .mov(8, kFlash + 0x100)
               .mov(3, 0x90)
               .mov(4, 0xff)
               .add({mem(kLdr, 2, 1), blr(8), mem(kStrW, 3, 1), mem(kLdr, 5, 1), mem(kStrW, 4, 1),
                     mem(kLdr, 6, 1), movz(7, 0), blr(8)}));
  EXPECT_EQ(cpu().x(2), 0x11u);
  EXPECT_EQ(cpu().x(5), RecordingDevice::kPattern);
  EXPECT_EQ(cpu().x(6), 0x11u);
  EXPECT_EQ(cpu().x(7), 42u);
  EXPECT_EQ(commands.seen, (std::vector<Seen>{{0, 4, true, 0x90},
                                              {0, 8, false, RecordingDevice::kPattern},
                                              {0, 4, true, 0xff}}));
}

TEST_F(CpuFlash, CodeCannotRunFromMemoryThatIsNotDirect) {
  run_code(Code().mov(1, kFlash).mov(8, kFlash + 0x100).mov(3, 0x90).add(
      {blr(8), mem(kStrW, 3, 1), blr(8)}));
  EXPECT_EQ(vector_of(kEl2Vectors), kFromSpx);
  EXPECT_EQ(ec(), ExceptionClass::instruction_abort_same);
  EXPECT_EQ(iss() & 0x3f, fsc::kExternal);
  EXPECT_EQ(elr(), kFlash + 0x100);
}

}  // namespace
}  // namespace trapline::test
