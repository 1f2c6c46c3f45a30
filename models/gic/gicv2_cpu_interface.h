// The GICv2 CPU interface: GICC, and in the same form GICV (IHI 0048B chapters 4.4 and 5.5).
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/gic/gic_register_names.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/trace/event.h"

namespace trapline {

/// The interrupt that a CPU interface would acknowledge next.
struct GicV2Pending {
  static constexpr std::uint16_t kNone = 1023;

  std::uint16_t intid = kNone;
  std::uint8_t source_cpu = 0;  ///< The requesting CPU of an SGI, else 0.
  std::uint8_t priority = 0xff;
  bool group1 = false;

  bool exists() const { return intid != kNone; }
};

/// What a CPU interface takes its interrupts from: the distributor for GICC, the list registers for
/// GICV. State changes take effect on the lines at the next refresh().
class GicV2InterruptSource {
 public:
  virtual ~GicV2InterruptSource() = default;
  /// Selects the highest priority pending interrupt again and presents it to the CPU interface.
  virtual void refresh() = 0;
  /// Pending to active, or to active and pending where the interrupt is still asserted.
  virtual void acknowledge(const GicV2Pending& pending) = 0;
  /// Removes the active state. False if no such interrupt is active here.
  virtual bool deactivate(unsigned intid, unsigned source_cpu) = 0;
  /// `intid` is below the interface's intid_limit.
  virtual bool is_group1(unsigned intid) const = 0;
  /// A completion named an interrupt that deactivate() did not find (GICH_HCR.EOICount).
  virtual void completion_not_found() {}
};

struct GicV2CpuInterfaceConfig {
  unsigned cpu = 0;
  unsigned priority_bits = 8;   ///< 4-8; GICV has 5.
  unsigned intid_limit = 1020;  ///< INTIDs from here on are ignored by EOIR and DIR.
  bool security_extensions = false;
  bool boots_nonsecure = false;  ///< PMR leaves reset as Secure firmware would hand it over.
  bool is_virtual = false;       ///< GICV: one active priorities register, EOICount.
};

/// The CPU interface of one PE. Owns control, masks and active priorities, not interrupts.
class GicV2CpuInterface {
 public:
  GicV2CpuInterface(const GicV2CpuInterfaceConfig& config, GicV2InterruptSource& source, Line& irq,
                    Line& fiq, Sink* sink);

  /// Does not refresh the source.
  void reset();

  /// `offset` is a multiple of 4. False if there is no such register.
  bool read(unsigned offset, bool nonsecure, std::uint32_t& value);
  bool write(unsigned offset, bool nonsecure, std::uint32_t value);

  /// The source's answer to refresh(): drives the IRQ and FIQ lines.
  void present(const GicV2Pending& best);

  /// Bit 0 group 0, bit 1 group 1.
  unsigned enabled_groups() const { return ctlr_ & 3; }

  /// The fields of GICH_VMCR, which are this interface's CTLR, ABPR, BPR and PMR (IHI 0048B 5.3.3).
  std::uint32_t vmcr() const;
  void set_vmcr(std::uint32_t value);
  std::uint32_t virtual_active_priorities() const { return apr_[0]; }
  void set_virtual_active_priorities(std::uint32_t value) { apr_[0] = value; }

 private:
  /// Which interrupts an access handles: those of both groups as AckCtl allows, or (a Non-secure
  /// access, or a Secure one by the aliased registers) those of group 1.
  enum class View : std::uint8_t { full, group1 };
  static constexpr unsigned kIdle = 0x100;
  static constexpr unsigned kAprs = 4;

  unsigned group_priority(const GicV2Pending& pending) const;
  unsigned running_priority() const;
  bool can_be_signalled() const;
  /// What HPPIR and IAR show of best_: its ID with the source CPU, 1022 or 1023.
  std::uint32_t visible_id(View view) const;

  std::uint32_t read_ctlr(bool nonsecure) const;
  void write_ctlr(bool nonsecure, std::uint32_t value);
  std::uint32_t read_pmr(bool nonsecure) const;
  void write_pmr(bool nonsecure, std::uint32_t value);
  std::uint32_t read_bpr(bool nonsecure) const;
  void write_bpr(bool nonsecure, std::uint32_t value);
  std::uint32_t read_rpr(bool nonsecure) const;
  std::uint32_t acknowledge(View view);
  void end_of_interrupt(std::uint32_t value, View view);
  void deactivate(std::uint32_t value, bool nonsecure);
  void drop(unsigned intid, unsigned source_cpu, bool group1, bool split);
  bool drop_priority(bool group1);
  bool eoi_split(bool by_nonsecure_bit) const;
  /// The bits of an active priorities register that an APR or NSAPR access reaches.
  struct ActivePriorities {
    std::uint32_t* word = nullptr;  ///< nullptr where the access is RAZ/WI.
    unsigned shift = 0;
    std::uint32_t mask = ~0u;
  };
  ActivePriorities active_priorities(unsigned offset, bool nonsecure);
  void emit(EventKind kind, unsigned intid);

  GicV2CpuInterfaceConfig config_;
  GicV2InterruptSource& source_;
  Line& irq_;
  Line& fiq_;
  Sink* sink_;
  unsigned min_bpr_;
  std::uint8_t priority_mask_;

  GicV2Pending best_;
  std::uint32_t ctlr_ = 0;
  std::uint8_t pmr_ = 0;
  std::uint8_t bpr_ = 0;
  std::uint8_t abpr_ = 0;
  // One bit a preemption level, group 0 and group 1. GICV has one register for both groups.
  std::array<std::uint32_t, kAprs> apr_{};
  std::array<std::uint32_t, kAprs> nsapr_{};
};

/// A frame of 32-bit registers banked by the accessing CPU. Narrow accesses reach the register at
/// an aligned offset; 64-bit ones are two words. Accesses beyond the frame end in an External
/// abort.
class GicV2WordFrame : public Device {
 public:
  GicV2WordFrame(std::string name, gic::Frame frame, unsigned cpus, unsigned size)
      : name_(std::move(name)), frame_(frame), cpus_(cpus), size_(size) {}

  std::string_view name() const override { return name_; }
  BusStatus read(const Access& access, std::uint64_t& value) final;
  BusStatus write(const Access& access, std::uint64_t value) final;
  std::string register_name(PhysAddr offset) const final {
    return gic::register_name(frame_, offset);
  }

 protected:
  virtual bool read_word(unsigned cpu, unsigned offset, bool secure, std::uint32_t& value) = 0;
  virtual bool write_word(unsigned cpu, unsigned offset, bool secure, std::uint32_t value) = 0;

 private:
  bool accepts(const Access& access) const;
  void name_unknown(const Access& access, unsigned offset, const char* verb);

  std::string name_;
  gic::Frame frame_;
  unsigned cpus_;
  unsigned size_;
  std::bitset<0x1000> named_;  // Words already named in the log.
};

/// GICC or GICV: the frame through which each PE reaches its own CPU interface.
class GicV2CpuFrame final : public GicV2WordFrame {
 public:
  static constexpr unsigned kSize = 0x2000;

  GicV2CpuFrame(std::string name, gic::Frame frame, std::vector<GicV2CpuInterface*> interfaces,
                std::vector<GicV2InterruptSource*> sources, bool security_extensions);
  void reset() override;

 private:
  bool read_word(unsigned cpu, unsigned offset, bool secure, std::uint32_t& value) override;
  bool write_word(unsigned cpu, unsigned offset, bool secure, std::uint32_t value) override;

  std::vector<GicV2CpuInterface*> interfaces_;
  std::vector<GicV2InterruptSource*> sources_;
  bool security_extensions_;
};

}  // namespace trapline
