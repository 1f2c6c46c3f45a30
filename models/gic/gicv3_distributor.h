// GICv3 distributor: the SPIs, their routing, and the GICD frame (IHI 0069 12.9).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "models/gic/gic_common.h"
#include "models/gic/gic_register_names.h"
#include "models/gic/gicv3_bank.h"
#include "models/gic/gicv3_core.h"
#include "sim/bus/device.h"

namespace trapline::gicv3 {

class Distributor final : public Device {
 public:
  explicit Distributor(Core& core);

  std::string_view name() const override { return "gicv3-distributor"; }
  void reset() override;
  /// The part of reset() that tells nobody.
  void power_on();
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;
  std::string register_name(PhysAddr offset) const override {
    return gic::register_name(gic::Frame::gicd, offset);
  }

  bool single_state() const { return ctlr_ & kDs; }
  bool affinity_routing() const { return ctlr_ & kAre; }
  GroupEnables group_enables() const;
  unsigned banks() const { return static_cast<unsigned>(banks_.size()); }
  /// SPIs 32 * (n + 1) and up.
  InterruptBank& bank(unsigned n) { return banks_[n]; }
  /// One bit a CPU that SPI `intid` is routed to; 0 if it is routed to any one of them (1 of N).
  std::uint64_t targets(std::uint32_t intid) const { return targets_[intid - gic::kPrivateIntids]; }
  bool any_of_n(std::uint32_t intid) const;
  /// Forgets which CPU sent a legacy SGI, on its acknowledge.
  void sgi_acknowledged(unsigned cpu, unsigned intid) { sgi_sources_[cpu][intid] = 0; }

 private:
  static constexpr std::uint32_t kEnableGrp0 = 1u << 0;
  static constexpr std::uint32_t kEnableGrp1 = 1u << 1;
  static constexpr std::uint32_t kEnableGrp1S = 1u << 2;
  static constexpr std::uint32_t kAre = 1u << 4;  // ARE_S with two Security states.
  static constexpr std::uint32_t kAreNs = 1u << 5;
  static constexpr std::uint32_t kDs = 1u << 6;
  static constexpr std::uint32_t kE1nwf = 1u << 7;

  View view_of(const Access& access) const;
  InterruptBank* bank_at(unsigned index, const Access& access);
  void bank_changed(unsigned index, const Access& access, bool reordered);

  std::uint32_t read_word(std::uint32_t offset, const Access& access);
  std::uint32_t read_control(std::uint32_t offset, const View& view);
  std::uint32_t read_ctlr(const View& view) const;
  std::uint32_t read_typer() const;
  std::uint32_t read_priorities(std::uint32_t first, const Access& access);
  std::uint32_t read_targets(std::uint32_t first, const Access& access);
  std::uint32_t read_sgi_sources(std::uint32_t first, const Access& access) const;
  std::uint64_t read_router(std::uint32_t intid, const View& view);

  void write_word(std::uint32_t offset, std::uint32_t value, const Access& access);
  bool write_bytes(const Access& access, std::uint64_t value);
  void write_control(std::uint32_t offset, std::uint32_t value, const Access& access);
  void write_ctlr(std::uint32_t value, const View& view);
  void write_priority(std::uint32_t intid, std::uint8_t value, const Access& access);
  void write_target(std::uint32_t intid, std::uint8_t value, const Access& access);
  void write_half_register(std::uint32_t offset, std::uint32_t value, const Access& access);
  void write_router(std::uint32_t intid, std::uint64_t value, const View& view);
  void write_message(std::uint32_t offset, std::uint32_t value, const View& view);
  void write_sgir(std::uint32_t value, const Access& access);
  void write_sgi_sources(std::uint32_t offset, std::uint8_t value, const Access& access);

  bool router_accessible(std::uint32_t intid, const View& view);
  void route(std::uint32_t intid);

  Core& core_;
  gic::AccessLog log_;
  std::uint32_t ctlr_ = 0;
  std::vector<InterruptBank> banks_;
  std::vector<std::uint64_t> routers_;        // GICD_IROUTER<n>, by SPI.
  std::vector<std::uint8_t> legacy_targets_;  // GICD_ITARGETSR<n> fields, by SPI.
  std::vector<std::uint64_t> targets_;        // What these two amount to.
  // Which CPUs have sent each pending SGI to each CPU while ARE is 0.
  std::vector<std::array<std::uint8_t, gic::kSgis>> sgi_sources_;
};

}  // namespace trapline::gicv3
