// Power State Coordination Interface 1.1 (DEN0022), what firmware above EL2 or EL1 answers.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/arch/types.h"
#include "sim/cpu/cpu.h"

namespace trapline {

/// A CPU as AFFINITY_INFO reports it; the numbers are the call's.
enum class PowerState : std::uint8_t { on = 0, off = 1, on_pending = 2 };

/// The board's power control, which the machine implements. CPUs are named by index.
class PowerController {
 public:
  virtual ~PowerController() = default;

  virtual unsigned cpu_count() const = 0;
  /// MPIDR_EL1's affinity fields, Aff3 in [39:32] and Aff2 to Aff0 in [23:0]; all other bits zero.
  virtual std::uint64_t affinity(unsigned cpu) const = 0;
  virtual PowerState state(unsigned cpu) const = 0;
  /// True if code can be fetched from this physical address.
  virtual bool executable(PhysAddr pa) const = 0;

  /// Starts a CPU that is off, from reset state, with X0 = `context`.
  virtual void cpu_on(unsigned cpu, PhysAddr entry, El el, std::uint64_t context) = 0;
  /// `cpu`, the caller, must not execute another instruction.
  virtual void cpu_off(unsigned cpu) = 0;
  /// The board loses power or is reset. `cpu`, the caller, must not execute another instruction.
  virtual void system_off(unsigned cpu) = 0;
  virtual void system_reset(unsigned cpu) = 0;
};

namespace psci {

/// Function numbers: bits [15:0] of the function identifier.
enum class Function : std::uint16_t {
  version = 0x00,
  cpu_suspend = 0x01,
  cpu_off = 0x02,
  cpu_on = 0x03,
  affinity_info = 0x04,
  migrate = 0x05,
  migrate_info_type = 0x06,
  migrate_info_up_cpu = 0x07,
  system_off = 0x08,
  system_reset = 0x09,
  features = 0x0a,
  cpu_freeze = 0x0b,
  cpu_default_suspend = 0x0c,
  node_hw_state = 0x0d,
  system_suspend = 0x0e,
  set_suspend_mode = 0x0f,
  stat_residency = 0x10,
  stat_count = 0x11,
  system_reset2 = 0x12,
  mem_protect = 0x13,
  mem_protect_check_range = 0x14,
};

/// The last number of PSCI's range; above it are those of other standard services.
inline constexpr std::uint16_t kLastFunction = 0x1f;

inline constexpr std::int64_t kSuccess = 0;
inline constexpr std::int64_t kNotSupported = -1;
inline constexpr std::int64_t kInvalidParameters = -2;
inline constexpr std::int64_t kDenied = -3;
inline constexpr std::int64_t kAlreadyOn = -4;
inline constexpr std::int64_t kOnPending = -5;
inline constexpr std::int64_t kInvalidAddress = -9;

inline constexpr std::int64_t kVersion = 0x1'0001;  ///< 1.1

/// One call. Arguments of a 32-bit call are already cut to 32 bits.
struct Call {
  Function function{};
  bool smc64 = false;
  unsigned cpu = 0;  ///< The caller.
  std::uint64_t arguments[3] = {};
};

struct Answer {
  CallResult result = CallResult::done;
  std::optional<std::int64_t> value;  ///< For X0; nothing if the caller does not return.
};

}  // namespace psci

/// The PSCI functions over a PowerController.
class Psci {
 public:
  /// `entry_el` is where CPU_ON starts a CPU. `has_smccc_version`: PSCI_FEATURES reports
  /// SMCCC_VERSION.
  Psci(PowerController& power, El entry_el, bool has_smccc_version)
      : power_(power), entry_el_(entry_el), has_smccc_version_(has_smccc_version) {}

  psci::Answer call(const psci::Call& call);

  /// The function exists, in the 32-bit (`smc64` false) or 64-bit calling convention.
  static bool implemented(std::uint16_t number, bool smc64);
  /// "CPU_ON"; nullptr for a number that DEN0022 does not define.
  static const char* name_of(std::uint16_t number);

 private:
  std::int64_t cpu_on(std::uint64_t target, PhysAddr entry, std::uint64_t context);
  psci::Answer cpu_suspend(std::uint64_t power_state, PhysAddr entry);
  std::int64_t affinity_info(std::uint64_t target, std::uint64_t lowest_level) const;
  std::int64_t features(std::uint32_t function_id) const;
  std::optional<unsigned> find(std::uint64_t affinity) const;
  bool valid_entry(PhysAddr entry) const { return entry % 4 == 0 && power_.executable(entry); }

  PowerController& power_;
  El entry_el_;
  bool has_smccc_version_;
};

}  // namespace trapline
