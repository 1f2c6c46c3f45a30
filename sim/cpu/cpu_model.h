// The CPUs that can be chosen, as software identifies them.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/arch/sysreg.h"
#include "sim/cpu/vmsa.h"

namespace trapline {

/// What one part implements. The ID registers say exactly what is modelled: AArch64 only, no EL3.
struct CpuModel {
  std::string_view name;
  std::string_view compatible;  ///< Device-tree compatible string.
  int engine_model = 0;
  TranslationFeatures translation;
  bool vhe = false;
  bool pan = false;
  bool uao = false;
  bool pauth = false;
  bool half_precision = false;  ///< FEAT_FP16
  /// Armv8-R AArch64 (DDI 0600): PMSAv8-64 at EL2 and EL1, Secure state only, SMC UNDEFINED.
  bool pmsa = false;
  std::uint64_t midr = 0;  ///< MIDR_EL1; 0: the engine's own.
  std::vector<std::pair<SysReg, std::uint64_t>> id_registers;

  /// The value of an ID register; registers not listed read as zero, as the space is defined to.
  std::uint64_t id(SysReg reg) const {
    for (const auto& [known, value] : id_registers) {
      if (known == reg) return value;
    }
    return 0;
  }
};

/// Throws std::invalid_argument naming the known models.
const CpuModel& cpu_model(std::string_view name);

}  // namespace trapline
