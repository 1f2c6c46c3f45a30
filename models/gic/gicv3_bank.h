// The state of 32 interrupts, which the distributor keeps for SPIs and a redistributor for SGIs and
// PPIs. Both frames show it through registers of one layout (IHI 0069 12.9, 12.11).
#pragma once

#include <array>
#include <cstdint>

#include "models/gic/gic_common.h"

namespace trapline::gicv3 {

/// Interrupt groups (IHI 0069 4.6). With one Security state only g0 and g1 are used.
enum class Group : std::uint8_t { g0 = 0, g1_secure = 1, g1 = 2 };

/// What GICD_CTLR lets through to the CPUs.
struct GroupEnables {
  bool single_state = true;
  bool g0 = false;
  bool g1_secure = false;
  bool g1 = false;
};

/// Who is looking. With two Security states a Non-secure access sees Group 1 interrupts, and others
/// as far as NSACR permits.
struct View {
  bool secure = false;
  bool single_state = true;
  bool nsacr_applies = false;  ///< In GICD; GICR_NSACR only governs SGI generation.

  bool sees_all() const { return secure || single_state; }
};

/// The registers that hold one bit an interrupt; the values are offset >> 7 in both frames.
enum class BitRegister : std::uint8_t {
  igroupr = 1,
  isenabler = 2,
  icenabler = 3,
  ispendr = 4,
  icpendr = 5,
  isactiver = 6,
  icactiver = 7,
  igrpmodr = 26,
};

class InterruptBank {
 public:
  /// `edge` are edge-triggered after reset; `configurable` may be changed through ICFGR.
  InterruptBank(std::uint32_t edge, std::uint32_t configurable, std::uint8_t priority_mask);

  /// Everything but the input levels.
  void reset();

  std::uint32_t read_bits(BitRegister reg, const View& view) const;
  void write_bits(BitRegister reg, std::uint32_t value, const View& view);
  std::uint8_t read_priority(unsigned n, const View& view) const;
  void write_priority(unsigned n, std::uint8_t value, const View& view);
  /// `half` 0 holds interrupts 0-15 of the bank, 1 holds 16-31.
  std::uint32_t read_icfgr(unsigned half, const View& view) const;
  void write_icfgr(unsigned half, std::uint32_t value, const View& view);
  std::uint32_t read_nsacr(unsigned half, const View& view) const;
  void write_nsacr(unsigned half, std::uint32_t value, const View& view);

  /// Input level of interrupt n; a rising edge latches an edge-triggered one.
  void set_level(unsigned n, bool level);
  /// A message-based SPI: sets or clears the level, or latches an edge (IHI 0069 4.3).
  void message(unsigned n, bool set);
  void latch(std::uint32_t mask) { latched_ |= mask; }
  void unlatch(std::uint32_t mask) { latched_ &= ~mask; }
  /// Pending to active; a level-sensitive input that is still high leaves active and pending.
  void acknowledge(unsigned n);
  void deactivate(unsigned n) { active_ &= ~(1u << n); }

  std::uint32_t pending() const { return latched_ | ((level_ | message_level_) & ~edge_); }
  std::uint32_t active() const { return active_; }
  std::uint8_t priority(unsigned n) const { return priority_[n]; }
  Group group(unsigned n, bool single_state) const;
  /// GICD_NSACR's two bits for interrupt n.
  unsigned ns_access(unsigned n) const { return nsacr_[n / 16] >> (n % 16 * 2) & 3; }
  /// Group 1 as a Non-secure access sees it.
  bool ns_visible(unsigned n) const { return group_ >> n & 1; }

  /// Interrupts that may be signalled: pending, enabled, not active, group enabled. Cached.
  std::uint32_t ready() const { return ready_; }
  /// Recomputes ready() and returns the bits that changed.
  std::uint32_t refresh(const GroupEnables& enables);

 private:
  std::uint32_t accessible(const View& view, unsigned needed_ns_access) const;

  std::uint32_t reset_edge_;
  std::uint32_t configurable_;
  std::uint8_t priority_mask_;
  std::uint32_t group_ = 0;
  std::uint32_t group_modifier_ = 0;
  std::uint32_t enabled_ = 0;
  std::uint32_t latched_ = 0;
  std::uint32_t active_ = 0;
  std::uint32_t level_ = 0;
  std::uint32_t message_level_ = 0;
  std::uint32_t edge_ = 0;
  std::uint32_t ready_ = 0;
  std::array<std::uint32_t, 2> nsacr_{};
  std::array<std::uint8_t, 32> priority_{};
};

}  // namespace trapline::gicv3
