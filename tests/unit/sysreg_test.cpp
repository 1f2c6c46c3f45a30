// System-register names and encodings.
#include "sim/arch/sysreg.h"

#include <gtest/gtest.h>

#include <set>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

struct Named {
  const char* name;
  SysReg reg;
};

#define X(name, op0, op1, crn, crm, op2) {#name, reg::name},
const Named kAll[] = {
#include "sim/arch/sysreg_table_debug.inc"
#include "sim/arch/sysreg_table_gic.inc"
#include "sim/arch/sysreg_table_instructions.inc"
#include "sim/arch/sysreg_table_system.inc"
};
#undef X

// Words as binutils and LLVM assemble them: MRS to X0, SYS with X0 (or XZR where none is taken).
TEST(SysReg, EncodesAsAssemblersDo) {
  struct Case {
    std::uint32_t word;
    SysReg reg;
  };
  const Case cases[] = {
      {0xd5381000, reg::SCTLR_EL1},      {0xd53c1100, reg::HCR_EL2},
      {0xd53c2000, reg::TTBR0_EL2},      {0xd53c2100, reg::VTTBR_EL2},
      {0xd53be040, reg::CNTVCT_EL0},     {0xd53ce200, reg::CNTHP_TVAL_EL2},
      {0xd53ce520, reg::CNTHPS_CTL_EL2}, {0xd53dc000, reg::VBAR_EL12},
      {0xd53de320, reg::CNTV_CTL_EL02},  {0xd5384600, reg::ICC_PMR_EL1},
      {0xd538cc00, reg::ICC_IAR1_EL1},   {0xd53ccde0, reg::ICH_LR15_EL2},
      {0xd53b9d00, reg::PMCCNTR_EL0},    {0xd53bebc0, reg::PMEVCNTR30_EL0},
      {0xd5300f80, reg::DBGBVR15_EL1},   {0xd5385400, reg::ERXFR_EL1},
      {0xd5382100, reg::APIAKeyLo_EL1},  {0xd53c6800, reg::PRBAR_EL2},
      {0xd53c6820, reg::PRLAR_EL2},      {0xd5386f80, reg::PRBAR15_EL1},
      {0xd53c6fa0, reg::PRLAR15_EL2},    {0xd53c0080, reg::MPUIR_EL2},
      {0xd53c6120, reg::PRENR_EL2},      {0xd53c6220, reg::PRSELR_EL2},
      {0xd508831f, reg::TLBI_VMALLE1IS}, {0xd50c83df, reg::TLBI_VMALLS12E1IS},
      {0xd50c8020, reg::TLBI_IPAS2E1IS}, {0xd508751f, reg::IC_IALLU},
      {0xd50b7520, reg::IC_IVAU},        {0xd50b7420, reg::DC_ZVA},
      {0xd50c7880, reg::AT_S12E1R},      {0xd5087900, reg::AT_S1E1RP},
  };
  for (const Case& c : cases) {
    const auto access = sysreg_from_instruction(c.word);
    ASSERT_TRUE(access) << std::hex << c.word;
    EXPECT_EQ(name_of(access->reg), name_of(c.reg)) << std::hex << c.word;
  }
}

TEST(SysReg, EveryNameLeadsToItsEncodingAndBack) {
  std::set<std::uint16_t> encodings;
  for (const Named& entry : kAll) {
    EXPECT_TRUE(encodings.insert(entry.reg.key).second) << entry.name;
    EXPECT_EQ(sysreg_named(entry.name), entry.reg) << entry.name;
    EXPECT_EQ(sysreg_named(name_of(entry.reg)), entry.reg) << entry.name;
  }
  EXPECT_GT(encodings.size(), 700u);
}

TEST(SysReg, NamesAreThoseOfTheManuals) {
  EXPECT_EQ(name_of(reg::CNTVCT_EL0), "CNTVCT_EL0");
  EXPECT_EQ(name_of(reg::TLBI_VMALLE1IS), "TLBI VMALLE1IS");
  EXPECT_EQ(name_of(sysreg(3, 4, 15, 2, 1)), "S3_4_C15_C2_1");
  EXPECT_EQ(sysreg_named("sctlr_el1"), reg::SCTLR_EL1);
  EXPECT_EQ(sysreg_named("tlbi vmalle1is"), reg::TLBI_VMALLE1IS);
  EXPECT_EQ(sysreg_named("S3_4_C15_C2_1"), sysreg(3, 4, 15, 2, 1));
  EXPECT_EQ(sysreg_named("s3_0_c1_c0_0"), reg::SCTLR_EL1);
}

TEST(SysReg, KnowsNoNameThatIsNotARegister) {
  for (const char* name : {"", "SCTLR", "SCTLR_EL1 ", "S3_4_C16_C2_1", "S4_0_C0_C0_0", "S3_4_C1_C2",
                           "S3_4_C1_C2_8", "S3_4_C1_C2_1x", "S0_0_C0_C0_0"}) {
    EXPECT_FALSE(sysreg_named(name)) << name;
  }
}

TEST(SysReg, SecondNamesShareAnEncoding) {
  EXPECT_EQ(reg::VSCTLR_EL2, reg::TTBR0_EL2);
  EXPECT_EQ(sysreg_named("VSCTLR_EL2"), reg::TTBR0_EL2);
  EXPECT_EQ(name_of(reg::VSCTLR_EL2), "TTBR0_EL2");
  EXPECT_EQ(sysreg_named("ICV_IAR1_EL1"), reg::ICC_IAR1_EL1);
  EXPECT_EQ(name_of(reg::ICV_IAR1_EL1), "ICC_IAR1_EL1");
}

TEST(SysReg, IndexedFamiliesAreTheirMembers) {
  for (unsigned n = 0; n < 16; ++n) {
    const std::string i = std::to_string(n);
    EXPECT_EQ(name_of(reg::DBGBVRn_EL1(n)), "DBGBVR" + i + "_EL1");
    EXPECT_EQ(name_of(reg::DBGBCRn_EL1(n)), "DBGBCR" + i + "_EL1");
    EXPECT_EQ(name_of(reg::DBGWVRn_EL1(n)), "DBGWVR" + i + "_EL1");
    EXPECT_EQ(name_of(reg::DBGWCRn_EL1(n)), "DBGWCR" + i + "_EL1");
    EXPECT_EQ(name_of(reg::PMEVCNTRn_EL0(n + 15)), "PMEVCNTR" + std::to_string(n + 15) + "_EL0");
    EXPECT_EQ(name_of(reg::PMEVTYPERn_EL0(n + 15)), "PMEVTYPER" + std::to_string(n + 15) + "_EL0");
    EXPECT_EQ(name_of(reg::ICH_LRn_EL2(n)), "ICH_LR" + i + "_EL2");
    const std::string region = n == 0 ? "" : i;
    EXPECT_EQ(name_of(reg::PRBARn_EL1(n)), "PRBAR" + region + "_EL1");
    EXPECT_EQ(name_of(reg::PRLARn_EL1(n)), "PRLAR" + region + "_EL1");
    EXPECT_EQ(name_of(reg::PRBARn_EL2(n)), "PRBAR" + region + "_EL2");
    EXPECT_EQ(name_of(reg::PRLARn_EL2(n)), "PRLAR" + region + "_EL2");
  }
  for (unsigned n = 0; n < 4; ++n) {
    const std::string i = std::to_string(n);
    EXPECT_EQ(name_of(reg::ICC_AP0Rn_EL1(n)), "ICC_AP0R" + i + "_EL1");
    EXPECT_EQ(name_of(reg::ICC_AP1Rn_EL1(n)), "ICC_AP1R" + i + "_EL1");
    EXPECT_EQ(name_of(reg::ICH_AP0Rn_EL2(n)), "ICH_AP0R" + i + "_EL2");
    EXPECT_EQ(name_of(reg::ICH_AP1Rn_EL2(n)), "ICH_AP1R" + i + "_EL2");
  }
}

TEST(SysReg, DecodesOnlyRegisterForms) {
  const auto msr = sysreg_from_instruction(0xd51c1103);  // msr hcr_el2, x3
  ASSERT_TRUE(msr);
  EXPECT_EQ(msr->reg, reg::HCR_EL2);
  EXPECT_FALSE(msr->is_read);
  EXPECT_EQ(msr->rt, 3);
  const auto sysl = sysreg_from_instruction(0xd5297c05);  // sysl x5, #1, c7, c12, #0
  ASSERT_TRUE(sysl);
  EXPECT_TRUE(sysl->is_read);
  EXPECT_TRUE(is_system_instruction(sysl->reg));
  for (const std::uint32_t word : {0xd503201fu,     // NOP
                                   0xd50342dfu,     // MSR DAIFSet, #2
                                   0xd5033fdfu,     // ISB
                                   0xd69f03e0u,     // ERET
                                   0xd4000002u}) {  // HVC
    EXPECT_FALSE(sysreg_from_instruction(word)) << std::hex << word;
  }
  for (const std::uint32_t word : {0xd51c1103u, 0xd53be05fu, 0xd5297c05u, 0xd50b7423u})
    EXPECT_EQ(sysreg_instruction(*sysreg_from_instruction(word)), word);
}

TEST(SysReg, TellsTheReservedSpaces) {
  EXPECT_TRUE(is_id_space(reg::ID_AA64PFR0_EL1));
  EXPECT_TRUE(is_id_space(sysreg(3, 0, 0, 7, 7)));
  EXPECT_FALSE(is_id_space(reg::MIDR_EL1));
  EXPECT_FALSE(is_id_space(reg::CCSIDR_EL1));
  EXPECT_TRUE(is_implementation_defined(sysreg(3, 1, 15, 2, 0)));
  EXPECT_TRUE(is_implementation_defined(sysreg(3, 0, 11, 0, 0)));
  EXPECT_FALSE(is_implementation_defined(reg::ICC_IAR1_EL1));
}

}  // namespace
}  // namespace trapline
