// The Generic Interrupt Controller, architecture version 2 (IHI 0048B): distributor and whole.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "models/gic/gicv2_cpu_interface.h"
#include "models/gic/gicv2_virtual.h"
#include "sim/bus/cpu_lines.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/trace/event.h"

namespace trapline {

struct GicV2Config {
  unsigned cpus = 1;    ///< 1-8.
  unsigned spis = 256;  ///< A multiple of 32, at most 992; INTIDs end at 1019.
  bool security_extensions = false;
  bool boots_nonsecure = false;     ///< With Security Extensions: reset as firmware hands it over,
                                    ///< all interrupts in group 1.
  bool virtualization = true;       ///< GICH and GICV exist.
  unsigned list_registers = 4;      ///< 1-64.
  unsigned priority_bits = 8;       ///< 4-8, with virtualization 5-8.
  unsigned maintenance_intid = 25;  ///< The PPI that GICH raises, 16-31.
};

/// GICD: the state of every interrupt and its routing to CPU interfaces (IHI 0048B 4.3).
class GicV2Distributor final : public Device {
 public:
  static constexpr unsigned kSize = 0x1000;
  static constexpr unsigned kMaxCpus = 8;

  GicV2Distributor(const GicV2Config& config, Sink* sink);
  ~GicV2Distributor() override;

  /// The distributor as the CPU interface of `cpu` sees it.
  GicV2InterruptSource& port(unsigned cpu);
  /// Must be called for every CPU before the first access.
  void connect(unsigned cpu, GicV2CpuInterface& interface) { interfaces_[cpu] = &interface; }
  Line& spi(unsigned intid);
  Line& ppi(unsigned cpu, unsigned intid);
  unsigned intid_limit() const { return intid_limit_; }

  std::string_view name() const override { return "gicv2-distributor"; }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;
  std::string register_name(PhysAddr offset) const override {
    return gic::register_name(gic::Frame::gicd, offset);
  }

 private:
  // 32 interrupts, one bit each.
  struct Bank {
    std::uint32_t enabled = 0;
    std::uint32_t latched = 0;  // Pending by an edge or by software; the level comes on top.
    std::uint32_t level = 0;    // The wire.
    std::uint32_t edge = 0;     // Configured edge-triggered.
    std::uint32_t active = 0;
    std::uint32_t group1 = 0;

    std::uint32_t pending() const { return latched | (level & ~edge); }
  };
  // What INTIDs 0-31 have once for every CPU.
  struct Private {
    Bank bank;
    std::array<std::uint8_t, 32> priority{};
    std::array<std::uint8_t, 16> sgi_sources{};  // One bit a requesting CPU.
  };
  class Port;
  // One aligned word of a register array.
  struct Word {
    unsigned offset;  // From the start of the array, in bytes.
    unsigned cpu;
    bool nonsecure;
    std::uint32_t lanes;  // 0xff in each byte that a write carries.
  };
  struct Registers;
  static const Registers kRegisters[];

  static const Registers* find(unsigned offset);
  bool accepts(const Access& access) const;
  Word word_of(const Registers& registers, const Access& access) const;
  void name_unknown(const Access& access, const char* verb);

  std::uint32_t read_ctlr(const Word& word) const;
  void write_ctlr(const Word& word, std::uint32_t value);
  std::uint32_t read_typer(const Word& word) const;
  std::uint32_t read_iidr(const Word& word) const;
  std::uint32_t read_bits(const Word& word) const;
  void write_bits(const Word& word, std::uint32_t value);
  std::uint32_t read_priority(const Word& word) const;
  void write_priority(const Word& word, std::uint32_t value);
  std::uint32_t read_targets(const Word& word) const;
  void write_targets(const Word& word, std::uint32_t value);
  std::uint32_t read_config(const Word& word) const;
  void write_config(const Word& word, std::uint32_t value);
  std::uint32_t read_nothing(const Word& word) const;
  void write_nothing(const Word& word, std::uint32_t value);
  void write_sgir(const Word& word, std::uint32_t value);
  std::uint32_t read_sgi_pending(const Word& word) const;
  void clear_sgi_pending(const Word& word, std::uint32_t value);
  void set_sgi_pending(const Word& word, std::uint32_t value);
  std::uint32_t read_id(const Word& word) const;

  Bank& bank(unsigned cpu, unsigned index) {
    return index == 0 ? private_[cpu].bank : shared_[index];
  }
  const Bank& bank(unsigned cpu, unsigned index) const {
    return index == 0 ? private_[cpu].bank : shared_[index];
  }
  std::uint8_t& priority(unsigned cpu, unsigned intid) {
    return intid < 32 ? private_[cpu].priority[intid] : priority_[intid];
  }
  std::uint8_t priority(unsigned cpu, unsigned intid) const {
    return intid < 32 ? private_[cpu].priority[intid] : priority_[intid];
  }
  // The interrupts of a bank that exist, and of those the ones this access may touch.
  std::uint32_t implemented(unsigned index) const;
  std::uint32_t accessible(const Word& word, unsigned index) const;
  bool accessible_intid(const Word& word, unsigned intid) const;
  void set_target(unsigned intid, std::uint8_t cpus);
  void set_sgi_sources(unsigned cpu, unsigned sgi, unsigned sources);

  void line_changed(unsigned cpu, unsigned intid, bool level);
  GicV2Pending highest_pending(unsigned cpu, unsigned groups) const;
  void acknowledge(unsigned cpu, const GicV2Pending& pending);
  bool deactivate(unsigned cpu, unsigned intid);
  // The CPUs whose selection depends on this interrupt of `cpu`.
  unsigned cpus_of(unsigned cpu, unsigned intid) const;
  void refresh(unsigned cpus);

  GicV2Config config_;
  Sink* sink_;
  unsigned banks_;
  unsigned intid_limit_;
  unsigned all_cpus_;
  std::array<GicV2CpuInterface*, kMaxCpus> interfaces_{};
  std::vector<std::unique_ptr<Port>> ports_;
  std::deque<Line> spi_lines_;
  std::deque<Line> ppi_lines_;

  std::uint32_t ctlr_ = 0;
  unsigned stale_ = 0;  // CPUs whose selection must be made again at the next refresh.
  std::array<Private, kMaxCpus> private_;
  std::array<Bank, 32> shared_;  // [0] is unused: see private_.
  std::array<std::uint8_t, 1024> priority_{};
  std::array<std::uint8_t, 1024> targets_{};
  std::array<std::array<std::uint32_t, 32>, kMaxCpus> targeted_{};  // targets_, by CPU.
  std::bitset<kSize / 4> named_;  // Words already named in the log.
};

/// A whole GICv2: distributor, one CPU interface and one virtual interface a PE.
class GicV2 {
 public:
  /// `lines[n]` belongs to CPU n and must outlive the GIC; `sink` may be nullptr. Throws
  /// std::invalid_argument if `config` asks for what IHI 0048B does not allow.
  GicV2(const GicV2Config& config, std::vector<CpuLines*> lines, Sink* sink);
  GicV2(const GicV2&) = delete;
  GicV2& operator=(const GicV2&) = delete;

  Device& distributor() { return distributor_; }  ///< GICD, 0x1000 bytes.
  Device& cpu_interface() { return *gicc_; }      ///< GICC, 0x2000 bytes.
  /// GICH: 0x200 bytes for the accessing CPU, and from 0x1000 on 0x200 bytes for each CPU. Throws
  /// std::logic_error, as does virtual_cpu_interface(), without virtualization.
  Device& hypervisor_interface();
  Device& virtual_cpu_interface();  ///< GICV, 0x2000 bytes.

  /// `intid` 32 and up. Throws std::out_of_range, as does ppi() (16-31), for one that does not
  /// exist.
  Line& spi(unsigned intid) { return distributor_.spi(intid); }
  Line& ppi(unsigned cpu, unsigned intid) { return distributor_.ppi(cpu, intid); }

  /// All four register files as at power-on. The wires keep their levels.
  void reset();

 private:
  GicV2Distributor distributor_;
  std::deque<GicV2CpuInterface> interfaces_;
  std::deque<GicV2VirtualInterface> virtual_interfaces_;
  std::unique_ptr<GicV2CpuFrame> gicc_;
  std::unique_ptr<GicV2HypervisorFrame> gich_;
  std::unique_ptr<GicV2CpuFrame> gicv_;
};

}  // namespace trapline
