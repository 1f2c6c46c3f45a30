// The numbers and names of Xen's hypercalls (public/xen.h and the headers it names).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace trapline::xen {

/// The immediate of a hypercall's HVC (XEN_HYPERCALL_TAG, public/arch-arm.h).
inline constexpr std::uint16_t kHypercallTag = 0xea1;

/// __HYPERVISOR_*, those that an Arm hypervisor knows of.
enum class HypercallNumber : std::uint8_t {
  sched_op_compat = 6,
  platform_op = 7,
  memory_op = 12,
  multicall = 13,
  set_timer_op = 15,
  event_channel_op_compat = 16,
  xen_version = 17,
  console_io = 18,
  physdev_op_compat = 19,
  grant_table_op = 20,
  vm_assist = 21,
  vcpu_op = 24,
  xsm_op = 27,
  sched_op = 29,
  event_channel_op = 32,
  physdev_op = 33,
  hvm_op = 34,
  sysctl = 35,
  domctl = 36,
  argo_op = 39,
  dm_op = 41,
  hypfs_op = 42,
};

struct XenSubOp {
  std::uint32_t command;
  std::string_view name;  ///< "alloc_unbound".
};

struct XenCall {
  std::uint8_t number;
  std::string_view name;   ///< "event_channel_op".
  unsigned arguments = 0;  ///< How many of X0 to X4 it takes.
  /// Bits of X0 that hold the command; 0 for a call that has none there.
  std::uint64_t command_mask = 0;
  std::span<const XenSubOp> sub_ops{};

  /// The name of a command; empty if it has none.
  std::string_view sub_op_name(std::uint64_t command) const;
};

/// In the order of their numbers.
std::span<const XenCall> xen_calls();
/// nullptr for a number that has no name here.
const XenCall* xen_call(std::uint64_t number);

}  // namespace trapline::xen
