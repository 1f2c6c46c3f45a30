// The SMC Calling Convention (DEN0028): function identifiers, and the firmware that answers them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "sim/cpu/cpu.h"
#include "sim/trace/event.h"
#include "sim/trap/psci.h"

namespace trapline {

class Semihosting;

namespace smccc {

/// Owning entity, bits [29:24] of a function identifier.
enum class Service : std::uint8_t {
  architecture = 0,
  cpu = 1,
  sip = 2,
  oem = 3,
  standard = 4,
  standard_hypervisor = 5,
  vendor_hypervisor = 6,
};

/// A function identifier as passed in W0.
struct FunctionId {
  std::uint32_t value = 0;

  constexpr bool fast() const { return bit(value, 31); }
  constexpr bool smc64() const { return bit(value, 30); }
  constexpr Service service() const { return static_cast<Service>(bits(value, 29, 24)); }
  /// Bits [23:16], zero in a fast call.
  constexpr unsigned reserved() const { return static_cast<unsigned>(bits(value, 23, 16)); }
  constexpr std::uint16_t number() const { return static_cast<std::uint16_t>(value); }
};

inline constexpr std::uint32_t kVersion = 0x8000'0000;
inline constexpr std::uint32_t kArchFeatures = 0x8000'0001;
inline constexpr std::uint32_t kArchSocId = 0x8000'0002;
inline constexpr std::uint32_t kArchWorkaround1 = 0x8000'8000;
inline constexpr std::uint32_t kArchWorkaround2 = 0x8000'7fff;
inline constexpr std::uint32_t kArchWorkaround3 = 0x8000'3fff;

inline constexpr std::int64_t kNotSupported = -1;
inline constexpr std::int64_t kNotRequired = -2;

}  // namespace smccc

struct FirmwareConfig {
  /// The instruction that reaches PSCI and SMCCC; the other is refused. Nothing: both are (a board
  /// without firmware).
  std::optional<Conduit> conduit = Conduit::smc;
  /// With EL2 and calls by SMC, CPU_ON starts CPUs at EL2; otherwise at EL1.
  bool has_el2 = true;
  /// SMCCC 1.1. False: SMCCC_VERSION and SMCCC_ARCH_FEATURES are not there, which means 1.0, as on
  /// QEMU's boards.
  bool smccc_1_1 = true;
  /// What SMCCC_ARCH_FEATURES says of ARCH_WORKAROUND_1, 2 and 3. Not required is the truth here.
  /// Hypervisors that only ask whether the call exists make it at every exit, though, and without
  /// it they log what they log on QEMU.
  bool arch_workarounds = false;
};

/// Answers calls that leave the highest implemented Exception level, as the firmware of a board
/// would: SMCCC discovery and PSCI, and semihosting if it is on.
class Firmware final : public TrapPort {
 public:
  using Log = std::function<void(const std::string& message)>;

  /// `semihosting` may be null: HLT #0xF000 is then UNDEFINED. `events` (may be null) gets a psci
  /// event a call. Without a log, messages go to spdlog as warnings. All must outlive the firmware.
  Firmware(const FirmwareConfig& config, PowerController& power, Semihosting* semihosting = nullptr,
           Sink* events = nullptr, Log log = {});

  CallResult call(Conduit conduit, std::uint16_t immediate, unsigned cpu,
                  std::array<std::uint64_t, 18>& x) override;
  bool semihosting(unsigned cpu, std::uint64_t& x0, std::uint64_t x1) override;

 private:
  CallResult fast_call(smccc::FunctionId id, unsigned cpu, std::array<std::uint64_t, 18>& x);
  CallResult psci_call(smccc::FunctionId id, unsigned cpu, std::array<std::uint64_t, 18>& x);
  std::int64_t arch_features(std::uint32_t function_id) const;
  void say_once(const std::string& message);

  FirmwareConfig config_;
  Psci psci_;
  Semihosting* semihosting_;
  Sink* events_;
  Log log_;
  std::set<std::string> said_;
};

}  // namespace trapline
