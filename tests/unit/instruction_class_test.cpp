// Instruction classes against Capstone: a mnemonic has one class, and what is no instruction has
// none.
#include "sim/arch/instruction_class.h"

#include <capstone/capstone.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <set>
#include <string>

namespace trapline {
namespace {

using Class = InstructionClass;

TEST(InstructionClass, OfKnownWords) {
  struct Case {
    std::uint32_t word;
    Class expected;
  };
  const Case cases[] = {
      {0x00000000, Class::undefined},
      {0xffffffff, Class::undefined},
      {0x14000000, Class::branch},
      {0x94000001, Class::call},
      {0x54000041, Class::branch_conditional},
      {0xb4000040, Class::branch_conditional},
      {0x3707ffe0, Class::branch_conditional},
      {0xd61f0200, Class::branch_register},
      {0xd63f0200, Class::call},
      {0xd65f03c0, Class::function_return},
      {0xd65f0bff, Class::function_return},
      {0xd69f03e0, Class::exception_return},
      {0xd4000001, Class::exception_generation},
      {0xd4000002, Class::exception_generation},
      {0xd45e0000, Class::exception_generation},
      {0x91000420, Class::integer},
      {0xd2800020, Class::integer},
      {0x90000000, Class::integer},
      {0xeb01001f, Class::integer},
      {0x9a820020, Class::integer},
      {0xdac01020, Class::integer},
      {0xd37ff820, Class::shift},
      {0x9ac22020, Class::shift},
      {0x9b027c20, Class::multiply},
      {0x9bc27c20, Class::multiply},
      {0x9ac20c20, Class::divide},
      {0x1ac20820, Class::divide},
      {0x9ac24c20, Class::crc},
      {0xdac10020, Class::pointer_authentication},
      {0xf9400020, Class::load},
      {0x58000040, Class::load},
      {0xa9400420, Class::load_pair},
      {0xf9000020, Class::store},
      {0xa9bf7bfd, Class::store_pair},
      {0xf9800020, Class::prefetch},
      {0xc85f7c20, Class::exclusive},
      {0xb8230041, Class::atomic},
      {0x4c407000, Class::vector_load},
      {0x4c007000, Class::vector_store},
      {0x1e622820, Class::fp_simple},
      {0x9e780020, Class::fp_simple},
      {0x1e620820, Class::fp_multiply},
      {0x1f420c20, Class::fp_multiply},
      {0x1e221820, Class::fp_divide},
      {0x1e621820, Class::fp_divide_double},
      {0x1e61c020, Class::fp_divide_double},
      {0x6e62fc20, Class::fp_divide_double},
      {0x6ea1f820, Class::fp_divide},
      {0x4ea28420, Class::simd},
      {0x4ea29c20, Class::simd_multiply},
      {0x4e22cc20, Class::simd_multiply},
      {0x4e284820, Class::crypto},
      {0x5e004020, Class::crypto},
      {0xd5381000, Class::sysreg_read},
      {0xd5181000, Class::sysreg_write},
      {0xd50342df, Class::sysreg_write},
      {0xd508871f, Class::tlb_maintenance},
      {0xd5087800, Class::system},
      {0xd5087e40, Class::system},
      {0xd50b7e20, Class::cache_maintenance},
      {0xd50b7420, Class::cache_maintenance},
      {0xd5033f9f, Class::barrier},
      {0xd5033bbf, Class::barrier},
      {0xd5033fdf, Class::instruction_barrier},
      {0xd503201f, Class::hint},
      {0xd503207f, Class::hint},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(name_of(classify(c.word)), name_of(c.expected)) << std::hex << c.word;
  }
}

TEST(InstructionClass, EveryClassHasItsOwnName) {
  std::set<std::string_view> names;
  for (unsigned i = 0; i < kInstructionClasses; ++i) names.insert(name_of(static_cast<Class>(i)));
  EXPECT_EQ(names.size(), kInstructionClasses);
  EXPECT_FALSE(names.contains(""));
}

// The class that a mnemonic of the data-processing, branch and system tables implies.
bool agrees(const std::string& name, Class found) {
  struct Rule {
    const char* prefix;
    Class expected;
  };
  // The longest prefixes come first; a name without a rule may have any of the four last classes.
  constexpr Rule kRules[] = {
      {"fdiv", Class::fp_divide},
      {"fsqrt", Class::fp_divide},
      {"sdiv", Class::divide},
      {"udiv", Class::divide},
      {"crc32", Class::crc},
      {"aes", Class::crypto},
      {"sha1", Class::crypto},
      {"sha256", Class::crypto},
      {"cbz", Class::branch_conditional},
      {"cbnz", Class::branch_conditional},
      {"tbz", Class::branch_conditional},
      {"tbnz", Class::branch_conditional},
      {"b.", Class::branch_conditional},
      {"svc", Class::exception_generation},
      {"hvc", Class::exception_generation},
      {"smc", Class::exception_generation},
      {"brk", Class::exception_generation},
      {"hlt", Class::exception_generation},
      {"dcps", Class::exception_generation},
      {"eret", Class::exception_return},
      {"drps", Class::exception_return},
      {"mrs", Class::sysreg_read},
      {"msr", Class::sysreg_write},
      {"tlbi", Class::tlb_maintenance},
      {"isb", Class::instruction_barrier},
      {"dsb", Class::barrier},
      {"dmb", Class::barrier},
      {"clrex", Class::barrier},
      {"madd", Class::multiply},
      {"msub", Class::multiply},
      {"mneg", Class::multiply},
      {"smulh", Class::multiply},
      {"umulh", Class::multiply},
      {"smaddl", Class::multiply},
      {"umsubl", Class::multiply},
      {"fmadd", Class::fp_multiply},
      {"fnmadd", Class::fp_multiply},
      {"fmsub", Class::fp_multiply},
      {"fnmsub", Class::fp_multiply},
      {"fnmul", Class::fp_multiply},
      {"fcvt", Class::fp_simple},
      {"fccmp", Class::fp_simple},
      {"fcsel", Class::fp_simple},
      {"ubfx", Class::shift},
      {"sbfiz", Class::shift},
      {"bfi", Class::shift},
      {"extr", Class::shift},
      {"adr", Class::integer},
      {"movk", Class::integer},
      {"adc", Class::integer},
      {"ccmp", Class::integer},
      {"csel", Class::integer},
  };
  if (name == "b") return found == Class::branch;
  if (name == "bl" || name == "blr") return found == Class::call;
  if (name == "br") return found == Class::branch_register;
  if (name == "ret") return found == Class::function_return;
  for (const Rule& rule : kRules) {
    if (name.compare(0, std::strlen(rule.prefix), rule.prefix) != 0) continue;
    if (found == rule.expected) return true;
    if (rule.expected == Class::fp_divide) return found == Class::fp_divide_double;
    return rule.expected == Class::fp_simple && found == Class::simd;  // Vector conversions.
  }
  return found != Class::undefined;
}

TEST(InstructionClass, AgreesWithCapstoneOnDataProcessingBranchesAndSystem) {
  csh handle;
  ASSERT_EQ(cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle), CS_ERR_OK);
  unsigned compared = 0, differences = 0;
  constexpr std::uint32_t kLow[] = {0x0020, 0x001f, 0x03e0, 0x0041};
  for (std::uint32_t high = 0; high < 1u << 22; ++high) {
    const std::uint32_t op0 = high >> 15 & 15;
    if ((op0 & 5) == 4 || high % 7 != 0) continue;  // Loads and stores have their own test.
    const std::uint32_t word = high << 10 | kLow[high & 3];
    std::array<std::uint8_t, 4> code;
    for (unsigned i = 0; i < 4; ++i) code[i] = static_cast<std::uint8_t>(word >> (8 * i));
    cs_insn* insn = nullptr;
    if (cs_disasm(handle, code.data(), code.size(), 0, 1, &insn) == 0) continue;
    // Capstone prints unallocated words with op0 = 0 as register moves.
    if ((word & 0xffd80000) == 0xd5000000 && std::strstr(insn->op_str, "s3_")) {
      cs_free(insn, 1);
      continue;
    }
    ++compared;
    const Class found = classify(word);
    if (!agrees(insn->mnemonic, found)) {
      ++differences;
      if (differences < 100)
        std::printf("%08x %s %s: %s\n", word, insn->mnemonic, insn->op_str,
                    std::string(name_of(found)).c_str());
    }
    cs_free(insn, 1);
  }
  cs_close(&handle);
  EXPECT_EQ(differences, 0u);
  EXPECT_GT(compared, 100000u);
}

}  // namespace
}  // namespace trapline
