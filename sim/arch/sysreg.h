// System-register encodings: the one place that owns them (DDI 0487 D22.1 / "op0 op1 CRn CRm op2").
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trapline {

/// A system register or system instruction as MRS/MSR/SYS encode it.
struct SysReg {
  std::uint16_t key = 0;  ///< op0[15:14] op1[13:11] CRn[10:7] CRm[6:3] op2[2:0], as in the opcode.

  constexpr unsigned op0() const { return key >> 14; }
  constexpr unsigned op1() const { return (key >> 11) & 7; }
  constexpr unsigned crn() const { return (key >> 7) & 15; }
  constexpr unsigned crm() const { return (key >> 3) & 15; }
  constexpr unsigned op2() const { return key & 7; }
  constexpr auto operator<=>(const SysReg&) const = default;
};

constexpr SysReg sysreg(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2) {
  return SysReg{
      static_cast<std::uint16_t>(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)};
}

/// The register's name in the Arm manuals ("CNTVCT_EL0"), or "S3_4_C15_C2_1" if it has none here.
std::string name_of(SysReg reg);

/// The register with this manual name or S<op0>_<op1>_C<n>_C<m>_<op2> form, if known.
std::optional<SysReg> sysreg_named(std::string_view name);

}  // namespace trapline
