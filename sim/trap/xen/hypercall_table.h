// The hypercalls that exist, and what becomes of each: one table, for the dispatcher and for
// people.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "sim/arch/xen_calls.h"
#include "sim/trap/xen/operations.h"

namespace trapline::xen {

enum class Support : std::uint8_t {
  implemented,
  refused,  ///< As real Xen refuses it to an unprivileged domain, or on Arm.
  missing,  ///< Real Xen offers it and the layer does not; -ENOSYS, named once in the log.
};

struct Operation {
  std::uint32_t command;
  Support support;
  Handler handler;
  const char* note = "";
};

struct Hypercall {
  HypercallNumber number;
  Support support;
  /// Of a call without commands.
  Handler handler = nullptr;
  std::span<const Operation> operations{};
  /// Before the command is looked at. May be null.
  Handler check = nullptr;
  const char* note = "";
};

std::span<const Hypercall> hypercalls();

/// Runs the call `number`; call.args are its arguments.
std::int64_t dispatch(Call& call, std::uint64_t number);

/// The table as text: a line for each hypercall, and one for each of its commands.
std::string describe_hypercalls();

}  // namespace trapline::xen
