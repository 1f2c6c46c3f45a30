#include "sim/trap/psci.h"

#include <algorithm>
#include <array>

#include "sim/trap/smccc.h"

namespace trapline {
namespace {

using psci::Function;

/// One row a number of DEN0022 chapter 5. `in_32` and `in_64` say in which calling conventions it
/// is implemented here.
struct Row {
  const char* name;
  bool in_32;
  bool in_64;
};

constexpr std::array<Row, 0x15> kFunctions = {{
    {"PSCI_VERSION", true, false},
    {"CPU_SUSPEND", true, true},
    {"CPU_OFF", true, false},
    {"CPU_ON", true, true},
    {"AFFINITY_INFO", true, true},
    {"MIGRATE", false, false},
    {"MIGRATE_INFO_TYPE", true, false},
    {"MIGRATE_INFO_UP_CPU", false, false},
    {"SYSTEM_OFF", true, false},
    {"SYSTEM_RESET", true, false},
    {"PSCI_FEATURES", true, false},
    {"CPU_FREEZE", false, false},
    {"CPU_DEFAULT_SUSPEND", false, false},
    {"NODE_HW_STATE", false, false},
    {"SYSTEM_SUSPEND", false, false},
    {"PSCI_SET_SUSPEND_MODE", false, false},
    {"PSCI_STAT_RESIDENCY", false, false},
    {"PSCI_STAT_COUNT", false, false},
    {"SYSTEM_RESET2", true, true},
    {"MEM_PROTECT", false, false},
    {"MEM_PROTECT_CHECK_RANGE", false, false},
}};

/// MIGRATE_INFO_TYPE: no Trusted OS that would need migration.
constexpr std::int64_t kMigrationNotRequired = 2;

// CPU_SUSPEND's power_state in the original format (DEN0022 5.4.2): PowerLevel [25:24], StateType
// [16], StateID [15:0]. There is no power domain above the core.
constexpr std::uint64_t kPowerDown = 1u << 16;
constexpr std::uint64_t kPowerStateAllowed = kPowerDown | 0xffff;

/// Affinity fields from `level` up.
constexpr std::uint64_t affinity_mask(unsigned level) {
  constexpr std::uint64_t kFields = 0xff'00ff'ffff;
  return kFields & ~((1ull << (8 * level)) - 1);  // Level 3: Aff3 is above the gap at [31:24].
}

}  // namespace

bool Psci::implemented(std::uint16_t number, bool smc64) {
  if (number >= kFunctions.size()) return false;
  return smc64 ? kFunctions[number].in_64 : kFunctions[number].in_32;
}

const char* Psci::name_of(std::uint16_t number) {
  return number < kFunctions.size() ? kFunctions[number].name : nullptr;
}

psci::Answer Psci::call(const psci::Call& call) {
  const auto& arguments = call.arguments;
  if (!implemented(static_cast<std::uint16_t>(call.function), call.smc64)) {
    return {.value = psci::kNotSupported};
  }
  switch (call.function) {
    case Function::version:
      return {.value = psci::kVersion};
    case Function::cpu_suspend:
      return cpu_suspend(arguments[0] & 0xffff'ffff, arguments[1]);
    case Function::cpu_off:
      power_.cpu_off(call.cpu);
      return {};
    case Function::cpu_on:
      return {.value = cpu_on(arguments[0], arguments[1], arguments[2])};
    case Function::affinity_info:
      return {.value = affinity_info(arguments[0], arguments[1] & 0xffff'ffff)};
    case Function::migrate_info_type:
      return {.value = kMigrationNotRequired};
    case Function::system_off:
      power_.system_off(call.cpu);
      return {};
    case Function::system_reset:
      power_.system_reset(call.cpu);
      return {};
    case Function::features:
      return {.value = features(static_cast<std::uint32_t>(arguments[0]))};
    case Function::system_reset2:
      // Only SYSTEM_WARM_RESET (0) is defined; bit 31 marks vendors' own types.
      if ((arguments[0] & 0xffff'ffff) != 0) return {.value = psci::kInvalidParameters};
      power_.system_reset(call.cpu);
      return {};
    default:
      return {.value = psci::kNotSupported};
  }
}

std::optional<unsigned> Psci::find(std::uint64_t affinity) const {
  for (unsigned cpu = 0; cpu < power_.cpu_count(); ++cpu) {
    if (power_.affinity(cpu) == affinity) return cpu;
  }
  return std::nullopt;
}

// DEN0022 5.6. The order of the checks is Trusted Firmware's.
std::int64_t Psci::cpu_on(std::uint64_t target, PhysAddr entry, std::uint64_t context) {
  const std::optional<unsigned> cpu = find(target);
  if (!cpu) return psci::kInvalidParameters;
  if (!valid_entry(entry)) return psci::kInvalidAddress;
  switch (power_.state(*cpu)) {
    case PowerState::on:
      return psci::kAlreadyOn;
    case PowerState::on_pending:
      return psci::kOnPending;
    case PowerState::off:
      break;
  }
  power_.cpu_on(*cpu, entry, entry_el_, context);
  return psci::kSuccess;
}

// A power-down state is entered as standby, which DEN0022 allows (the call returns instead of
// resuming at `entry`); its entry point is checked all the same.
psci::Answer Psci::cpu_suspend(std::uint64_t power_state, PhysAddr entry) {
  if (power_state & ~kPowerStateAllowed) return {.value = psci::kInvalidParameters};
  if ((power_state & kPowerDown) && !valid_entry(entry)) return {.value = psci::kInvalidAddress};
  return {.result = CallResult::wait, .value = psci::kSuccess};
}

// DEN0022 5.7: an affinity level is on if any CPU in it is, off if all are.
std::int64_t Psci::affinity_info(std::uint64_t target, std::uint64_t lowest_level) const {
  if (lowest_level > 3) return psci::kInvalidParameters;
  if (target & ~affinity_mask(0)) return psci::kInvalidParameters;
  const std::uint64_t mask = affinity_mask(static_cast<unsigned>(lowest_level));
  bool found = false, on = false, pending = false;
  for (unsigned cpu = 0; cpu < power_.cpu_count(); ++cpu) {
    if ((power_.affinity(cpu) ^ target) & mask) continue;
    found = true;
    on |= power_.state(cpu) == PowerState::on;
    pending |= power_.state(cpu) == PowerState::on_pending;
  }
  if (!found) return psci::kInvalidParameters;
  const PowerState state = on ? PowerState::on : pending ? PowerState::on_pending : PowerState::off;
  return static_cast<std::int64_t>(state);
}

// DEN0022 5.15. For CPU_SUSPEND the flags are 0: original power_state format, no OS-initiated mode.
std::int64_t Psci::features(std::uint32_t function_id) const {
  if (function_id == smccc::kVersion) {
    return has_smccc_version_ ? psci::kSuccess : psci::kNotSupported;
  }
  const smccc::FunctionId id{function_id};
  const bool in_range = id.fast() && id.service() == smccc::Service::standard &&
                        id.reserved() == 0 && implemented(id.number(), id.smc64());
  return in_range ? psci::kSuccess : psci::kNotSupported;
}

}  // namespace trapline
