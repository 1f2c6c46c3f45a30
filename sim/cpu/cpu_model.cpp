#include "sim/cpu/cpu_model.h"

#include <unicorn/unicorn.h>

#include <stdexcept>
#include <string>

#include "sim/arch/registers.h"
#include "sim/cpu/cpu.h"

namespace trapline {
namespace {

// ID_AA64PFR0_EL1 without the GIC field, which depends on the machine: AArch64 at EL0, EL1 and EL2,
// no EL3, FP and Advanced SIMD.
constexpr std::uint64_t kPfr0 = 0x0111;
// ID_AA64DFR0_EL1: Armv8 debug, PMUv3, 6 breakpoints, 4 watchpoints, 2 of them context-aware.
constexpr std::uint64_t kDfr0 = 0x10305106;
// ID_AA64ISAR0_EL1: AES, PMULL, SHA1, SHA256, CRC32.
constexpr std::uint64_t kIsar0 = 0x00011120;

// ID_AA64MMFR0_EL1.MSA and MSA_frac (DDI 0600).
constexpr std::uint64_t kMsa = 0xfull << 48, kMsaFracVmsa = 2ull << 52;

std::vector<CpuModel> make_models() {
  const auto v80 = [](std::string_view name, std::string_view compatible, int engine,
                      std::uint64_t mmfr0, std::uint8_t pa_bits) {
    return CpuModel{.name = name,
                    .compatible = compatible,
                    .engine_model = engine,
                    .translation = {.pa_bits = pa_bits, .granule_16k = false},
                    .id_registers = {{reg::ID_AA64PFR0_EL1, kPfr0},
                                     {reg::ID_AA64DFR0_EL1, kDfr0},
                                     {reg::ID_AA64ISAR0_EL1, kIsar0},
                                     {reg::ID_AA64MMFR0_EL1, mmfr0}}};
  };
  std::vector<CpuModel> models{
      v80("cortex-a53", "arm,cortex-a53", UC_CPU_ARM64_A53, 0x1122, 40),
      v80("cortex-a57", "arm,cortex-a57", UC_CPU_ARM64_A57, 0x1124, 44),
      v80("cortex-a72", "arm,cortex-a72", UC_CPU_ARM64_A72, 0x1124, 44),
  };
  models.push_back(
      {.name = "max",
       .compatible = "arm,armv8",
       .engine_model = UC_CPU_ARM64_MAX,
       .translation = {.pa_bits = 48,
                       .af = true,
                       .dirty = true,
                       .hpd = true,
                       .xnx = true,
                       .pauth = true,
                       .vmid16 = true},
       .vhe = true,
       .pan = true,
       .uao = true,
       .pauth = true,
       .half_precision = true,
       .id_registers = {
           // FP16, and CSV2 and CSV3: nothing here speculates.
           {reg::ID_AA64PFR0_EL1, kPfr0 | 0x1100'0000'0011'0000},
           {reg::ID_AA64DFR0_EL1, kDfr0},
           // AES PMULL SHA1 SHA512 CRC32 LSE RDM SHA3 SM3 SM4 DP FHM FlagM2; not RNDR.
           {reg::ID_AA64ISAR0_EL1, 0x0021'1111'1021'2120},
           // DPB2 PAuth(QARMA5) JSCVT FCMA LRCPC2 generic-auth FRINTTS SB SPECRES
           {reg::ID_AA64ISAR1_EL1, 0x0000'1111'0121'1012},
           // 48-bit PA, 16-bit ASID, mixed endian, 4K, 16K and 64K
           {reg::ID_AA64MMFR0_EL1, 0x0000'0000'0010'1125},
           // HAFDBS2 VMID16 VHE HPDS LO PAN2 XNX
           {reg::ID_AA64MMFR1_EL1, 0x0000'0000'1021'1122},
           // CnP UAO
           {reg::ID_AA64MMFR2_EL1, 0x0000'0000'0000'0011},
       }});
  models.push_back(
      {.name = "cortex-r82",
       .compatible = "arm,cortex-r82",
       .engine_model = UC_CPU_ARM64_MAX,
       .translation =
           {.pa_bits = 40, .hpd = true, .ttst = true, .pauth = true, .vmid16 = true},
       .pan = true,
       .uao = true,
       .pauth = true,
       .half_precision = true,
       .pmsa = true,
       .midr = 0x411f'd150,
       .id_registers = {
           // FP16, SEL2, CSV2 and CSV3.
           {reg::ID_AA64PFR0_EL1, kPfr0 | 0x1100'0010'0011'0000},
           {reg::ID_AA64DFR0_EL1, kDfr0},
           // AES PMULL SHA1 SHA256 CRC32 LSE RDM DP FHM FlagM
           {reg::ID_AA64ISAR0_EL1, 0x0011'1000'1021'1120},
           // DPB PAuth(QARMA5) JSCVT FCMA LRCPC2 generic-auth
           {reg::ID_AA64ISAR1_EL1, 0x0000'0000'0121'1011},
           // 40-bit PA, 16-bit ASID, mixed endian, 4K, 16K and 64K, PMSA, with VMSA at EL1
           {reg::ID_AA64MMFR0_EL1, kMsa | kMsaFracVmsa | 0x10'0122},
           // VMID16 HPDS PAN2
           {reg::ID_AA64MMFR1_EL1, 0x0020'1020},
           // CnP UAO TTST
           {reg::ID_AA64MMFR2_EL1, 0x1000'0011},
       }});
  return models;
}

const std::vector<CpuModel>& models() {
  static const std::vector<CpuModel> table = make_models();
  return table;
}

}  // namespace

std::vector<std::string> cpu_models() {
  std::vector<std::string> names;
  for (const CpuModel& model : models()) names.emplace_back(model.name);
  return names;
}

const CpuModel& cpu_model(std::string_view name) {
  for (const CpuModel& model : models()) {
    if (model.name == name) return model;
  }
  std::string known;
  for (const CpuModel& model : models()) known += " " + std::string(model.name);
  throw std::invalid_argument("unknown CPU '" + std::string(name) + "'; known are:" + known);
}

}  // namespace trapline
