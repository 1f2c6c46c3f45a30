// A Cortex-R82 over the small bus of cpu_fixture.h, and MPU programs as code.
#pragma once

#include "tests/unit/cpu_fixture.h"

namespace trapline::test {

/// PRBAR's AP, and XN for both stages on what is not code.
inline constexpr std::uint64_t kReadWrite = 0x3, kReadWriteAll = 0x7, kReadOnly = 0xb,
                               kReadOnlyAll = 0xf, kCodeAll = 0xc, kCodeWritable = 0x0;
inline constexpr std::uint64_t kMpuOn = 0x30c50831;  ///< SCTLR_ELx: M and the RES1 bits.

class PmsaTest : public CpuTest {
 protected:
  void make_r82() { make_r82({.model = "cortex-r82"}); }
  void make_r82(const Options& options) { make(options); }

  static Code region(bool el2, unsigned n, std::uint64_t base, std::uint64_t bytes,
                     std::uint64_t permissions) {
    return Code()
        .set(el2 ? reg::PRSELR_EL2 : reg::PRSELR_EL1, n)
        .add({a64::kIsb})
        .set(el2 ? reg::PRBAR_EL2 : reg::PRBAR_EL1, base | permissions)
        .set(el2 ? reg::PRLAR_EL2 : reg::PRLAR_EL1, ((base + bytes - 1) & ~0x3full) | 1);
  }
  static Code el2_region(unsigned n, std::uint64_t base, std::uint64_t bytes,
                         std::uint64_t permissions) {
    return region(true, n, base, bytes, permissions);
  }
  static Code el1_region(unsigned n, std::uint64_t base, std::uint64_t bytes,
                         std::uint64_t permissions) {
    return region(false, n, base, bytes, permissions);
  }
  /// `regions`, region 0 for all code and vectors (read-only, executable at every level), and the
  /// EL2 MPU on.
  static Code el2_on(const Code& regions) {
    return Code(regions)
        .add(el2_region(0, kRam, 0x10000, kCodeAll))
        .set(reg::MAIR_EL2, 0xff)
        .set(reg::SCTLR_EL2, kMpuOn)
        .add({a64::kIsb});
  }
  static Code el1_on(const Code& before, const Code& regions) {
    return Code(before)
        .add(regions)
        .add(el1_region(0, kRam, 0x10000, kCodeAll))
        .set(reg::MAIR_EL1, 0xff)
        .set(reg::SCTLR_EL1, kMpuOn)
        .add({a64::kIsb});
  }
  /// Replaces a vector's code (up to 32 words).
  void put_handler(PhysAddr vector, const Code& code) {
    ASSERT_LE(code.words.size(), 32u);
    put(vector, code);
  }
};

}  // namespace trapline::test
