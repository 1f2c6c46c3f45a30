// The GICv2 virtual interface control registers of one PE: GICH (IHI 0048B chapter 5.3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/gic/gicv2_cpu_interface.h"

namespace trapline {

struct GicV2VirtualConfig {
  unsigned cpu = 0;
  unsigned list_registers = 4;        ///< 1-64.
  unsigned physical_intid_limit = 0;  ///< First INTID that the distributor does not have.
  bool security_extensions = false;
};

/// The list registers of one PE and the virtual CPU interface that they feed.
class GicV2VirtualInterface final : public GicV2InterruptSource {
 public:
  /// `physical` is the same PE's view of the distributor, told of the end of hardware interrupts;
  /// `maintenance` is the line of the maintenance interrupt.
  GicV2VirtualInterface(const GicV2VirtualConfig& config, GicV2InterruptSource& physical,
                        Line& virq, Line& vfiq, Line& maintenance, Sink* sink);

  void reset();
  /// GICH registers. `offset` is a multiple of 4. False if there is no such register.
  bool read(unsigned offset, std::uint32_t& value) const;
  bool write(unsigned offset, std::uint32_t value);

  GicV2CpuInterface& cpu_interface() { return interface_; }

  void refresh() override;
  void acknowledge(const GicV2Pending& pending) override;
  bool deactivate(unsigned intid, unsigned source_cpu) override;
  bool is_group1(unsigned intid) const override;
  void completion_not_found() override;

 private:
  std::uint32_t misr() const;
  std::uint32_t status(unsigned first, bool (*test)(std::uint32_t)) const;
  std::uint32_t* find_active(unsigned intid, unsigned source_cpu);
  void deactivate_physical(unsigned intid);

  GicV2VirtualConfig config_;
  GicV2InterruptSource& physical_;
  Line& maintenance_;
  Sink* sink_;
  std::vector<std::uint32_t> list_;
  std::uint32_t hcr_ = 0;
  unsigned best_list_register_ = 0;  // The one last presented; valid while a vIRQ is acknowledged.
  GicV2CpuInterface interface_;
};

/// The GICH frame: the accessing PE's registers at 0, and those of PE n at 0x1000 + 0x200 * n for
/// every PE, as a GIC-400 lays them out (DDI 0471B 3.2).
class GicV2HypervisorFrame final : public GicV2WordFrame {
 public:
  static constexpr unsigned kSize = 0x2000;

  GicV2HypervisorFrame(std::string name, std::vector<GicV2VirtualInterface*> interfaces);
  void reset() override;

 private:
  bool read_word(unsigned cpu, unsigned offset, bool secure, std::uint32_t& value) override;
  bool write_word(unsigned cpu, unsigned offset, bool secure, std::uint32_t value) override;
  GicV2VirtualInterface* select(unsigned cpu, unsigned& offset) const;

  std::vector<GicV2VirtualInterface*> interfaces_;
};

}  // namespace trapline
