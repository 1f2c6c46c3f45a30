// Loads and stores: what a stage-2 syndrome says of them, and what they do to registers and memory.
#include "sim/arch/load_store.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <vector>

namespace trapline {
namespace {

using Kind = LoadStoreKind;

class Registers final : public RegisterFile {
 public:
  std::uint64_t get_x(unsigned n) const override {
    EXPECT_LT(n, 31u);
    return x[n];
  }
  void put_x(unsigned n, std::uint64_t value) override {
    ASSERT_LT(n, 31u);
    x[n] = value;
  }
  std::uint64_t get_sp() const override { return sp; }
  void put_sp(std::uint64_t value) override { sp = value; }
  Vector128 get_v(unsigned n) const override { return v[n]; }
  void put_v(unsigned n, const Vector128& value) override { v[n] = value; }
  std::uint64_t get_pc() const override { return pc; }

  bool operator==(const Registers& other) const {
    return x == other.x && v == other.v && sp == other.sp && pc == other.pc;
  }

  std::array<std::uint64_t, 31> x{};
  std::array<Vector128, 32> v{};
  std::uint64_t sp = 0x8000, pc = 0x1000;
};

class Memory final : public MemoryPort {
 public:
  bool load(VirtAddr va, unsigned bytes, void* to) override {
    log.push_back({va, bytes, false});
    if (va + bytes > fault_at && va <= fault_at) return false;
    for (unsigned i = 0; i < bytes; ++i) static_cast<std::uint8_t*>(to)[i] = at(va + i);
    return true;
  }
  bool store(VirtAddr va, unsigned bytes, const void* from) override {
    log.push_back({va, bytes, true});
    if (va + bytes > fault_at && va <= fault_at) return false;
    for (unsigned i = 0; i < bytes; ++i) data[va + i] = static_cast<const std::uint8_t*>(from)[i];
    return true;
  }
  void set_exclusive(VirtAddr va, unsigned bytes) override { monitor = {va, bytes}; }
  bool take_exclusive(VirtAddr va, unsigned bytes) override {
    const bool held = monitor == std::pair<VirtAddr, unsigned>(va, bytes);
    monitor = {};
    return held;
  }

  // Every byte not yet written tells its address.
  std::uint8_t at(VirtAddr va) const {
    const auto found = data.find(va);
    return found == data.end() ? static_cast<std::uint8_t>(va) : found->second;
  }
  std::uint64_t word(VirtAddr va, unsigned bytes) const {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) value |= static_cast<std::uint64_t>(at(va + i)) << 8 * i;
    return value;
  }

  struct Logged {
    VirtAddr va;
    unsigned bytes;
    bool write;
    bool operator==(const Logged&) const = default;
  };
  std::map<VirtAddr, std::uint8_t> data;
  std::vector<Logged> log;
  std::pair<VirtAddr, unsigned> monitor{};
  VirtAddr fault_at = ~0ull;
};

class LoadStoreExecution : public ::testing::Test {
 protected:
  bool run(std::uint32_t word) {
    const auto decoded = decode_load_store(word);
    if (!decoded) {
      ADD_FAILURE() << "not decoded: " << std::hex << word;
      return false;
    }
    memory.log.clear();
    return execute_load_store(*decoded, registers, memory);
  }

  Registers registers;
  Memory memory;
};

// Words as assembled by binutils, for extensions that Capstone 4 does not print.
TEST(LoadStoreDecoder, DecodesExtensionsAfterV8_0) {
  struct Case {
    std::uint32_t word;
    LoadStore expected;
  };
  const Case cases[] = {
      {0x38bfc041,  // ldaprb w1, [x2]
       {.kind = Kind::load, .acquire = true, .size = 1, .rt = 1, .rn = 2}},
      {0xf8bfc3e1,  // ldapr x1, [sp]
       {.kind = Kind::load, .sixty_four = true, .acquire = true, .size = 8, .rt = 1}},
      {0x999fc041,  // ldapursw x1, [x2, #-4]
       {.kind = Kind::load,
        .sign_extend = true,
        .sixty_four = true,
        .acquire = true,
        .size = 4,
        .rt = 1,
        .rn = 2,
        .offset = -4}},
      {0x990ff041,  // stlur w1, [x2, #255]
       {.kind = Kind::store, .release = true, .size = 4, .rt = 1, .rn = 2, .offset = 255}},
      {0x88df7c41,  // ldlar w1, [x2]
       {.kind = Kind::load,
        .acquire = true,
        .limited_ordering = true,
        .size = 4,
        .rt = 1,
        .rn = 2}},
      {0x48e5fc41,  // casalh w5, w1, [x2]
       {.kind = Kind::compare_swap,
        .acquire = true,
        .release = true,
        .size = 2,
        .rt = 1,
        .rs = 5,
        .rn = 2}},
      {0x48247cc2,  // casp x4, x5, x2, x3, [x6]
       {.kind = Kind::compare_swap_pair, .sixty_four = true, .size = 8, .rt = 2, .rs = 4, .rn = 6}},
      {0xb8a31041,  // ldclra w3, w1, [x2]
       {.kind = Kind::atomic,
        .op = AtomicOp::clear,
        .acquire = true,
        .size = 4,
        .rt = 1,
        .rs = 3,
        .rn = 2}},
      {0xf8638041,  // swpl x3, x1, [x2]
       {.kind = Kind::atomic,
        .op = AtomicOp::swap,
        .sixty_four = true,
        .release = true,
        .size = 8,
        .rt = 1,
        .rs = 3,
        .rn = 2}},
      {0xf8eff441,  // ldrab x1, [x2, #-2056]
       {.kind = Kind::load,
        .authenticate = PointerKey::b,
        .sixty_four = true,
        .size = 8,
        .rt = 1,
        .rn = 2,
        .offset = -2056}},
  };
  for (const Case& c : cases) {
    const auto decoded = decode_load_store(c.word);
    ASSERT_TRUE(decoded) << std::hex << c.word;
    EXPECT_EQ(*decoded, c.expected) << std::hex << c.word;
  }
}

TEST(LoadStoreDecoder, RefusesWhatIsNotAnAllocatedLoadOrStore) {
  for (const std::uint32_t word : {
           0x00000000u,  // UDF
           0xd503201fu,  // NOP
           0x48217cc2u,  // CASP with an odd Rs
           0xd9200041u,  // STG (MTE)
           0xf83f9041u,  // ST64B
           0x69000041u,  // STGP
           0xd50b7a40u,  // SYS op2 = 2 beside DC CVAC
           0xd5087640u,  // DC ISW: by set and way, no address
       }) {
    EXPECT_FALSE(decode_load_store(word)) << std::hex << word;
  }
}

TEST(LoadStoreDecoder, TellsSizeAlignmentAndDirection) {
  const auto stlxp = decode_load_store(0xc825a8e9).value();  // stlxp w5, x9, x10, [x7]
  EXPECT_EQ(stlxp.total_bytes(), 16u);
  EXPECT_EQ(stlxp.alignment(), 16u);
  EXPECT_TRUE(stlxp.writes());
  EXPECT_FALSE(stlxp.reads());
  const auto ldp = decode_load_store(0xa9400be1).value();  // ldp x1, x2, [sp]
  EXPECT_EQ(ldp.total_bytes(), 16u);
  EXPECT_EQ(ldp.alignment(), 8u);
  EXPECT_TRUE(ldp.reads());
  const auto ld3 = decode_load_store(0x4c404440).value();  // ld3 {v0.8h - v2.8h}, [x2]
  EXPECT_EQ(ld3.total_bytes(), 48u);
  EXPECT_EQ(ld3.alignment(), 2u);
  const auto ldadd = decode_load_store(0xb8230041).value();
  EXPECT_TRUE(ldadd.reads() && ldadd.writes() && ldadd.is_atomic());
  const auto zva = decode_load_store(0xd50b7423).value();  // dc zva, x3
  EXPECT_EQ(zva.kind, Kind::zero_block);
  EXPECT_TRUE(zva.writes());
  const auto civac = decode_load_store(0xd50b7e23).value();
  EXPECT_EQ(civac.kind, Kind::cache_maintenance);
  EXPECT_FALSE(civac.reads() || civac.writes());
}

TEST(AccessSyndrome, IsValidForSingleRegistersWithoutWriteback) {
  struct Case {
    std::uint32_t word;
    AccessSyndrome expected;
  };
  const Case cases[] = {
      {0xb9400041, {.valid = true, .size_log2 = 2, .rt = 1}},                       // ldr w1, [x2]
      {0xf90003ff, {.valid = true, .size_log2 = 3, .rt = 31, .sixty_four = true}},  // str xzr, [sp]
      {0x39800041,
       {.valid = true,
        .size_log2 = 0,
        .sign_extend = true,
        .rt = 1,
        .sixty_four = true}},  // ldrsb x1, [x2]
      {0x79c00041, {.valid = true, .size_log2 = 1, .sign_extend = true, .rt = 1}},  // ldrsh w1
      {0xb8a36841,
       {.valid = true,
        .size_log2 = 2,
        .sign_extend = true,
        .rt = 1,
        .sixty_four = true}},                                  // ldrsw x1, [x2, x3]
      {0x785ff041, {.valid = true, .size_log2 = 1, .rt = 1}},  // ldurh w1, [x2, #-1]
      {0xb8000841, {.valid = true, .size_log2 = 2, .rt = 1}},  // sttr w1, [x2]
      {0x88dffc41, {.valid = true, .size_log2 = 2, .rt = 1, .ordered = true}},  // ldar w1, [x2]
      {0xc89ffc41,
       {.valid = true, .size_log2 = 3, .rt = 1, .sixty_four = true, .ordered = true}},  // stlr x1,
                                                                                        // [x2]
      {0x18000001, {.valid = true, .size_log2 = 2, .rt = 1}},  // ldr w1, literal
      {0xb8404441, {}},                                        // ldr w1, [x2], #4
      {0xb8004c41, {}},                                        // str w1, [x2, #4]!
      {0xa9400be1, {}},                                        // ldp
      {0xbd400041, {}},                                        // ldr s1, [x2]
      {0x885f7c41, {}},                                        // ldxr
      {0xb8230041, {}},                                        // ldadd
      {0x4c407040, {}},                                        // ld1
      {0xd50b7423, {}},                                        // dc zva
      {0xf9800040, {}},                                        // prfm
  };
  for (const Case& c : cases) {
    const auto decoded = decode_load_store(c.word);
    ASSERT_TRUE(decoded) << std::hex << c.word;
    const AccessSyndrome actual = access_syndrome(*decoded);
    EXPECT_EQ(actual.valid, c.expected.valid) << std::hex << c.word;
    EXPECT_EQ(actual.size_log2, c.expected.size_log2) << std::hex << c.word;
    EXPECT_EQ(actual.sign_extend, c.expected.sign_extend) << std::hex << c.word;
    EXPECT_EQ(actual.rt, c.expected.rt) << std::hex << c.word;
    EXPECT_EQ(actual.sixty_four, c.expected.sixty_four) << std::hex << c.word;
    EXPECT_EQ(actual.ordered, c.expected.ordered) << std::hex << c.word;
  }
}

TEST_F(LoadStoreExecution, ExtendsLoadedValuesToTheTargetRegister) {
  registers.x[2] = 0x2084;       // Bytes 84 85 86 87 88 89 8a 8b.
  ASSERT_TRUE(run(0x39400041));  // ldrb w1, [x2]
  EXPECT_EQ(registers.x[1], 0x84u);
  ASSERT_TRUE(run(0x39800041));  // ldrsb x1, [x2]
  EXPECT_EQ(registers.x[1], 0xffffffffffffff84u);
  ASSERT_TRUE(run(0x39c00041));  // ldrsb w1, [x2]
  EXPECT_EQ(registers.x[1], 0xffffff84u);
  ASSERT_TRUE(run(0xb9800041));  // ldrsw x1, [x2]
  EXPECT_EQ(registers.x[1], 0xffffffff87868584u);
  ASSERT_TRUE(run(0xf9400041));  // ldr x1, [x2]
  EXPECT_EQ(registers.x[1], 0x8b8a898887868584u);
}

TEST_F(LoadStoreExecution, ComputesEachAddressingMode) {
  registers.x[2] = 0x2000;
  registers.x[3] = 0xfffffffe;   // -2 as a W register.
  ASSERT_TRUE(run(0xb863d841));  // ldr w1, [x2, w3, sxtw #2]
  EXPECT_EQ(memory.log[0], (Memory::Logged{0x1ff8, 4, false}));
  ASSERT_TRUE(run(0xb8634841));  // ldr w1, [x2, w3, uxtw]
  EXPECT_EQ(memory.log[0].va, 0x100001ffeu);
  ASSERT_TRUE(run(0xf8637841));  // ldr x1, [x2, x3, lsl #3]
  EXPECT_EQ(memory.log[0].va, 0x2000 + (0xfffffffeull << 3));
  ASSERT_TRUE(run(0x18ffffe1));  // ldr w1, . - 4
  EXPECT_EQ(memory.log[0].va, 0xffcu);
  EXPECT_EQ(registers.x[2], 0x2000u);
  ASSERT_TRUE(run(0xb8404441));  // ldr w1, [x2], #4
  EXPECT_EQ(memory.log[0].va, 0x2000u);
  EXPECT_EQ(registers.x[2], 0x2004u);
  ASSERT_TRUE(run(0xb81fcc41));  // str w1, [x2, #-4]!
  EXPECT_EQ(memory.log[0], (Memory::Logged{0x2000, 4, true}));
  EXPECT_EQ(registers.x[2], 0x2000u);
  ASSERT_TRUE(run(0xa9be7bfd));  // stp x29, x30, [sp, #-32]!
  EXPECT_EQ(registers.sp, 0x7fe0u);
}

TEST_F(LoadStoreExecution, StoresZeroFromRegister31AndDropsLoadsToIt) {
  registers.x[2] = 0x2000;
  ASSERT_TRUE(run(0xf900005f));  // str xzr, [x2]
  EXPECT_EQ(memory.word(0x2000, 8), 0u);
  const Registers before = registers;
  ASSERT_TRUE(run(0xb940005f));  // ldr wzr, [x2]
  EXPECT_TRUE(registers == before);
  EXPECT_EQ(memory.log.size(), 1u);
}

TEST_F(LoadStoreExecution, TransfersPairsLowestFirst) {
  registers.x[2] = 0x2080;
  ASSERT_TRUE(run(0x69400c41));  // ldpsw x1, x3, [x2]
  EXPECT_EQ(registers.x[1], 0xffffffff83828180u);
  EXPECT_EQ(registers.x[3], 0xffffffff87868584u);
  ASSERT_TRUE(run(0xad000c41));  // stp q1, q3, [x2]
  EXPECT_EQ(memory.log, (std::vector<Memory::Logged>{{0x2080, 16, true}, {0x2090, 16, true}}));
}

TEST_F(LoadStoreExecution, ChangesNoRegisterWhenAnAccessFaults) {
  registers.x[2] = 0x2000;
  memory.fault_at = 0x200c;
  const Registers before = registers;
  EXPECT_FALSE(run(0xa8c10c41));  // ldp x1, x3, [x2], #16: the second faults
  EXPECT_TRUE(registers == before);
  EXPECT_FALSE(run(0x4cdf0040));  // ld4 {v0.16b - v3.16b}, [x2], #64
  EXPECT_TRUE(registers == before);
  memory.fault_at = 0x2000;
  EXPECT_FALSE(run(0xb8230041));  // ldadd w3, w1, [x2]
  EXPECT_FALSE(run(0xb8004441));  // str w1, [x2], #4
  EXPECT_FALSE(run(0xd50b7422));  // dc zva, x2
  EXPECT_TRUE(registers == before);
}

TEST_F(LoadStoreExecution, LoadsWithinVectorsKeepOrClearTheOtherLanes) {
  registers.x[2] = 0x2000;
  registers.v[0] = {~0ull, ~0ull};
  ASSERT_TRUE(run(0x4d408440));  // ld1 {v0.d}[1], [x2]
  EXPECT_EQ(registers.v[0], (Vector128{~0ull, 0x0706050403020100}));
  ASSERT_TRUE(run(0x0c407040));  // ld1 {v0.8b}, [x2]
  EXPECT_EQ(registers.v[0], (Vector128{0x0706050403020100, 0}));
  ASSERT_TRUE(run(0x4d40c440));  // ld1r {v0.8h}, [x2]
  EXPECT_EQ(registers.v[0], (Vector128{0x0100010001000100, 0x0100010001000100}));
  ASSERT_TRUE(run(0x3d400040));  // ldr b0, [x2]
  EXPECT_EQ(registers.v[0], (Vector128{0, 0}));
  ASSERT_TRUE(run(0xfd400440));  // ldr d0, [x2, #8]
  EXPECT_EQ(registers.v[0], (Vector128{0x0f0e0d0c0b0a0908, 0}));
}

TEST_F(LoadStoreExecution, DeinterleavesStructures) {
  registers.x[2] = 0x2000;
  ASSERT_TRUE(run(0x0cdf805f));  // ld2 {v31.8b, v0.8b}, [x2], #16
  EXPECT_EQ(registers.v[31].low, 0x0e0c0a0806040200u);
  EXPECT_EQ(registers.v[0].low, 0x0f0d0b0907050301u);
  EXPECT_EQ(registers.x[2], 0x2010u);
  registers.x[2] = 0x3000;
  registers.x[5] = 0x123;
  ASSERT_TRUE(run(0x0c85805f));  // st2 {v31.8b, v0.8b}, [x2], x5
  EXPECT_EQ(memory.word(0x3000, 8), 0x0706050403020100u);
  EXPECT_EQ(registers.x[2], 0x3123u);
}

TEST_F(LoadStoreExecution, AtomicsReturnTheOldValueAndStoreTheNew) {
  struct Case {
    std::uint32_t word;
    std::uint64_t result;
  };
  // On bytes: memory 0x84, operand 0x05 (with rubbish above it).
  const Case cases[] = {{0x38230041, 0x89}, {0x38231041, 0x80}, {0x38232041, 0x81},
                        {0x38233041, 0x85}, {0x38234041, 0x05}, {0x38235041, 0x84},
                        {0x38236041, 0x84}, {0x38237041, 0x05}, {0x38238041, 0x05}};
  for (const Case& c : cases) {
    memory.data.clear();
    registers.x[2] = 0x2084;
    registers.x[3] = 0xabcdef05;
    ASSERT_TRUE(run(c.word));
    EXPECT_EQ(registers.x[1], 0x84u) << std::hex << c.word;
    EXPECT_EQ(memory.word(0x2084, 2), 0x8500 | c.result) << std::hex << c.word;
  }
}

TEST_F(LoadStoreExecution, CompareAndSwapStoresOnlyOnEquality) {
  registers.x[2] = 0x2000;
  registers.x[5] = 0xffff0100;  // Only the halfword counts.
  registers.x[1] = 0xbeef;
  ASSERT_TRUE(run(0x48a57c41));  // cash w5, w1, [x2]
  EXPECT_EQ(memory.word(0x2000, 2), 0xbeefu);
  EXPECT_EQ(registers.x[5], 0x0100u);
  ASSERT_TRUE(run(0x48a57c41));
  EXPECT_EQ(memory.log.size(), 1u);
  EXPECT_EQ(registers.x[5], 0xbeefu);

  registers.x[6] = 0x2010;
  registers.x[4] = 0x13121110;
  registers.x[5] = 0x17161514;
  registers.x[2] = 1;
  registers.x[3] = 2;
  ASSERT_TRUE(run(0x08247cc2));  // casp w4, w5, w2, w3, [x6]
  EXPECT_EQ(memory.word(0x2010, 8), 0x0000000200000001u);
}

TEST_F(LoadStoreExecution, ExclusivesAskTheMonitor) {
  registers.x[7] = 0x2000;
  registers.x[9] = 0x1111;
  registers.x[5] = 99;
  ASSERT_TRUE(run(0xc805fce9));  // stlxr w5, x9, [x7]: monitor not set
  EXPECT_EQ(registers.x[5], 1u);
  EXPECT_TRUE(memory.log.empty());
  ASSERT_TRUE(run(0xc87f28e9));  // ldxp x9, x10, [x7]
  EXPECT_EQ(memory.log, (std::vector<Memory::Logged>{{0x2000, 16, false}}));
  EXPECT_EQ(registers.x[10], 0x0f0e0d0c0b0a0908u);
  registers.x[9] = 7;
  ASSERT_TRUE(run(0xc82528e9));  // stxp w5, x9, x10, [x7]
  EXPECT_EQ(registers.x[5], 0u);
  EXPECT_EQ(memory.word(0x2000, 8), 7u);
}

TEST_F(LoadStoreExecution, ZeroesTheBlockThatHoldsTheAddress) {
  registers.x[3] = 0x2055;
  ASSERT_TRUE(run(0xd50b7423));  // dc zva, x3
  EXPECT_EQ(memory.at(0x203f), 0x3f);
  for (VirtAddr va = 0x2040; va < 0x2080; ++va) EXPECT_EQ(memory.at(va), 0);
  EXPECT_EQ(memory.at(0x2080), 0x80);
}

TEST_F(LoadStoreExecution, PrefetchAndCacheMaintenanceAccessNothing) {
  ASSERT_TRUE(run(0xf9800040));  // prfm pldl1keep, [x2]
  EXPECT_TRUE(memory.log.empty());
  ASSERT_TRUE(run(0xd50b7e23));  // dc civac, x3
  EXPECT_TRUE(memory.log.empty());
}

}  // namespace
}  // namespace trapline
