// The EL1 and EL2 MPU of one Armv8-R64 PE: their registers (DDI 0600 G1.3) and look-ups.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "models/mpu/mpu_lookup.h"
#include "models/mpu/mpu_regions.h"
#include "sim/arch/sysreg.h"
#include "sim/bus/sysreg_port.h"
#include "sim/trace/event.h"

namespace trapline {

struct MpuConfig {
  unsigned el1_regions = 16;  ///< MPUIR_EL1.REGION, 0 to 255.
  unsigned el2_regions = 16;  ///< MPUIR_EL2.REGION, 0 to 255.
  bool el2 = true;            ///< False: a part without EL2; its registers do not exist.
  MpuDefaultMap default_map = pmsav8_default_map();
};

/// What wrote a region: bits 15:8 of `d` in mpu_region events. Append, never renumber.
enum class MpuRegionWrite : std::uint8_t { prbar = 0, prlar = 1, prenr = 2 };

/// MPUIR, PRENR, PRSELR, PRBAR, PRLAR, PRBAR<n> and PRLAR<n> of EL1 and EL2. A change acts at once:
/// no context synchronization is modelled, and a region that is rewritten while enabled passes
/// through every state between.
class Mpu final : public SysRegPort {
 public:
  using Log = std::function<void(const std::string& message)>;

  /// The address ranges whose answers may differ since clear_changes(). Past kMaxChanges they
  /// become one range that holds everything.
  static constexpr std::size_t kMaxChanges = 64;

  /// `sink` may be null and must outlive the MPU. Without a log, messages go to spdlog as warnings.
  /// Throws std::invalid_argument for more than 255 regions or a default map that does not ascend
  /// to ~0.
  Mpu(const MpuConfig& config, unsigned cpu, Sink* sink, Log log = {});

  bool owns(SysReg reg) const override;
  SysRegStatus read(SysReg reg, const SysRegContext& context, std::uint64_t& value) override;
  SysRegStatus write(SysReg reg, const SysRegContext& context, std::uint64_t value) override;

  /// As at a warm reset. EN is zero by the architecture; the rest is UNKNOWN there and zero here.
  void reset();

  /// VTCR_EL2.MSA: EL1 uses VMSAv8-64, so that the EL1 MPU's registers are UNDEFINED at EL1.
  void set_vmsa_at_el1(bool vmsa) { vmsa_at_el1_ = vmsa; }

  /// The regions, for controls that stay the caller's.
  MpuRegions regions() const { return {banks_[0].regions, banks_[1].regions}; }
  std::span<const MpuDefaultRange> default_map() const { return default_map_; }

  /// Moves whenever a write may have changed an answer. Writes that change nothing, and writes to
  /// disabled regions, leave it.
  std::uint64_t generation() const { return generation_; }
  /// What changed in the EL1 (El::el1) or EL2 regions since clear_changes(). EL2's regions answer
  /// for EL2, and for EL1&0 too while stage 2 is enabled.
  std::span<const AddressRange> changes(El el) const;
  void clear_changes();

 private:
  enum class Kind : std::uint8_t { mpuir, prenr, prselr, prbar, prlar };
  struct Register {
    Kind kind;
    bool el2;
    std::uint8_t n;  // Of PRBAR<n> and PRLAR<n>; 0 is the one that PRSELR selects in full.
  };
  struct Bank {
    explicit Bank(unsigned count) : regions(count) {}
    MpuRegionSet regions;
    std::uint8_t prselr = 0;
    std::array<AddressRange, kMaxChanges> changes{};
    std::size_t change_count = 0;
    std::bitset<256> said;  // Unimplemented regions that were named in the log.
  };

  static std::optional<Register> decode(SysReg reg);
  Bank& bank_of(const Register& reg) { return banks_[reg.el2 ? 1 : 0]; }
  SysRegStatus check(const Register& reg, const SysRegContext& context, bool is_write) const;
  std::optional<unsigned> select(const Register& reg, SysReg encoding, bool is_write,
                                 std::uint64_t value);
  bool wanted(EventKind kind) const { return sink_ && sink_->wants(kind); }
  static MpuRegionWrite what_of(const Register& reg);
  Event event_of(EventKind kind, const Register& reg, MpuRegionWrite what) const;
  void write_region(const Register& reg, unsigned n, std::uint64_t value);
  void write_enables(const Register& reg, std::uint32_t enables);
  void note_change(Bank& bank, const MpuRegion& region);
  void report(const Register& reg, MpuRegionWrite what, std::uint64_t a, std::uint64_t b,
              std::uint64_t c);

  std::array<Bank, 2> banks_;  // EL1, EL2.
  bool el2_;
  MpuDefaultMap default_map_;
  unsigned cpu_;
  Sink* sink_;
  Log log_;
  bool vmsa_at_el1_ = false;
  std::uint64_t generation_ = 0;
};

}  // namespace trapline
