#include "sim/trap/smccc.h"

#include <spdlog/spdlog.h>

#include <cstdio>

#include "sim/trap/semihosting.h"

namespace trapline {
namespace {

using smccc::FunctionId;
using smccc::Service;

constexpr std::size_t kMostMessages = 64;

El entry_el(const FirmwareConfig& config) {
  return config.has_el2 && config.conduit == Conduit::smc ? El::el2 : El::el1;
}

std::string hex(std::uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "%#x", value);
  return text;
}

bool is_workaround(std::uint32_t function_id) {
  return function_id == smccc::kArchWorkaround1 || function_id == smccc::kArchWorkaround2 ||
         function_id == smccc::kArchWorkaround3;
}

/// Calls by which software asks whether a service exists: NOT_SUPPORTED is a full answer and needs
/// no warning. General service queries (DEN0028 6.2: count, UID, revision), Arm's True Random
/// Number Generator (DEN0098), SDEI (DEN0054), FF-A (DEN0077) versions, and paravirtualized time
/// (DEN0057).
bool is_discovery(FunctionId id) {
  const unsigned number = id.number();
  if (number >= 0xff00) return true;
  if (id.service() == Service::standard) {
    return (number >= 0x20 && number < 0x40) ||  // SDEI
           (number >= 0x50 && number < 0x60) ||  // TRNG
           number == 0x63;                       // FFA_VERSION
  }
  return id.service() == Service::standard_hypervisor && (number == 0x20 || number == 0x21);
}

}  // namespace

Firmware::Firmware(const FirmwareConfig& config, PowerController& power, Semihosting* semihosting,
                   Sink* events, Log log)
    : config_(config),
      psci_(power, entry_el(config), config.smccc_1_1),
      semihosting_(semihosting),
      events_(events),
      log_(std::move(log)) {}

CallResult Firmware::call(Conduit conduit, std::uint16_t immediate, unsigned cpu,
                          std::array<std::uint64_t, 18>& x) {
  if (conduit != config_.conduit) return CallResult::refused;
  if (immediate != 0) {
    // DEN0028 2.6: calls of the convention have immediate 0, others are somebody else's.
    say_once(std::string(conduit == Conduit::hvc ? "HVC" : "SMC") + " #" + hex(immediate) +
             " is not a call of the SMC calling convention: UNDEFINED for the guest");
    return CallResult::refused;
  }
  const FunctionId id{static_cast<std::uint32_t>(x[0])};
  if (id.fast()) return fast_call(id, cpu, x);
  say_once("yielding call " + hex(id.value) + ": not supported");
  x[0] = static_cast<std::uint64_t>(smccc::kNotSupported);
  return CallResult::done;
}

CallResult Firmware::fast_call(FunctionId id, unsigned cpu, std::array<std::uint64_t, 18>& x) {
  if (id.service() == Service::standard && id.reserved() == 0 &&
      id.number() <= psci::kLastFunction) {
    return psci_call(id, cpu, x);
  }
  const auto answer = [&x](std::int64_t value) {
    x[0] = static_cast<std::uint64_t>(value);
    return CallResult::done;
  };
  if (config_.smccc_1_1) {
    if (id.value == smccc::kVersion) return answer(0x1'0001);
    if (id.value == smccc::kArchFeatures) {
      return answer(arch_features(static_cast<std::uint32_t>(x[1])));
    }
    // Discovered as not required: nothing to do, nothing returned (DEN0028 7.5).
    if (config_.arch_workarounds && is_workaround(id.value)) return CallResult::done;
  }
  const bool probe = id.service() == Service::architecture || is_discovery(id);
  if (!probe) say_once("call " + hex(id.value) + ": not supported");
  return answer(smccc::kNotSupported);
}

CallResult Firmware::psci_call(FunctionId id, unsigned cpu, std::array<std::uint64_t, 18>& x) {
  const std::uint64_t mask = id.smc64() ? ~0ull : 0xffff'ffffull;
  psci::Call call{.function = static_cast<psci::Function>(id.number()),
                  .smc64 = id.smc64(),
                  .cpu = cpu,
                  .arguments = {x[1] & mask, x[2] & mask, x[3] & mask}};
  if (events_) {
    Event event;
    event.kind = EventKind::psci;
    event.cpu = static_cast<std::uint8_t>(cpu);
    event.a = id.value;
    event.b = call.arguments[0];
    event.c = call.arguments[1];
    event.d = call.arguments[2];
    events_->on_event(event);
  }
  if (!Psci::implemented(id.number(), id.smc64())) {
    const char* name = Psci::name_of(id.number());
    say_once(std::string("PSCI ") + (name ? name : "call") + " (" + hex(id.value) +
             "): not supported");
  }
  const psci::Answer answer = psci_.call(call);
  if (answer.value) x[0] = static_cast<std::uint64_t>(*answer.value);
  return answer.result;
}

// DEN0028 7.3. For ARCH_WORKAROUND_2 "no PE needs it" has a value of its own.
std::int64_t Firmware::arch_features(std::uint32_t function_id) const {
  switch (function_id) {
    case smccc::kVersion:
    case smccc::kArchFeatures:
      return 0;
    case smccc::kArchWorkaround1:
    case smccc::kArchWorkaround3:
      return config_.arch_workarounds ? 1 : smccc::kNotSupported;
    case smccc::kArchWorkaround2:
      return config_.arch_workarounds ? smccc::kNotRequired : smccc::kNotSupported;
    default:
      return smccc::kNotSupported;
  }
}

bool Firmware::semihosting(unsigned cpu, std::uint64_t& x0, std::uint64_t x1) {
  if (!semihosting_) return false;
  x0 = semihosting_->call(cpu, static_cast<std::uint32_t>(x0), x1);
  return true;
}

void Firmware::say_once(const std::string& message) {
  // Bounded, because a guest can make up as many identifiers as it likes.
  if (said_.size() >= kMostMessages || !said_.insert(message).second) return;
  if (log_) {
    log_("firmware: " + message);
  } else {
    spdlog::warn("firmware: {}", message);
  }
}

}  // namespace trapline
