#include "sim/check/hypercall_check.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>

namespace trapline {
namespace {

// xen.h
constexpr std::uint64_t kMemoryOp = 12, kMulticall = 13, kXenVersion = 17, kConsoleIo = 18,
                        kGrantTableOp = 20, kVcpuOp = 24, kSchedOp = 29, kEventChannelOp = 32,
                        kPhysdevOp = 33, kHvmOp = 34;
constexpr std::int64_t kEinval = -22;
constexpr std::uint64_t kMostFrames = 8, kMostGrants = 16;
constexpr unsigned kGfnBits = 36;  // Of 48-bit addresses.

/// Which argument points to memory; none for calls without one.
std::optional<unsigned> buffer_of(std::uint64_t number) {
  switch (number) {
    case kMulticall:
      return 0;
    case kMemoryOp:
    case kXenVersion:
    case kGrantTableOp:
    case kSchedOp:
    case kEventChannelOp:
    case kPhysdevOp:
    case kHvmOp:
      return 1;
    case kConsoleIo:
    case kVcpuOp:
      return 2;
    default:
      return std::nullopt;
  }
}

template <class T>
std::optional<T> value_at(Cpu& cpu, VirtAddr va) {
  T value{};
  if (!cpu.peek(va, &value, sizeof value)) return std::nullopt;
  return value;
}

void check_gfn(std::uint64_t gfn, const char* what, const GuestTree& tree,
               const HypercallCheck::Report& report) {
  const std::uint64_t address = gfn << 12;
  if (gfn >> kGfnBits != 0 || (tree.valid() && !tree.gives(address))) {
    const bool is_address = tree.valid() && tree.gives(gfn);
    report(
        FindingKind::bad_frame_number,
        is_address && (gfn & 0xfff) == 0
            ? fmt::format("{}: frame number 0x{:x} is an address; its frame is 0x{:x}", what, gfn,
                          gfn >> 12)
            : fmt::format("{}: frame number 0x{:x} (address 0x{:x}) is outside of what the device "
                          "tree gives",
                          what, gfn, address));
  }
}

void check_frames(const SeenHypercall& call, Cpu& cpu, const GuestTree& tree,
                  const HypercallCheck::Report& report) {
  const auto check = [&](VirtAddr at, const char* what) {
    if (const auto gfn = value_at<std::uint64_t>(cpu, at)) check_gfn(*gfn, what, tree, report);
  };
  if (call.number == kMemoryOp) {
    switch (call.x[0] & 63) {
      case 1:
      case 6: {
        const auto list = value_at<std::uint64_t>(cpu, call.x[1]);
        const auto count = value_at<std::uint64_t>(cpu, call.x[1] + 8);
        const char* what =
            (call.x[0] & 63) == 1 ? "XENMEM_decrease_reservation" : "XENMEM_populate_physmap";
        for (std::uint64_t n = 0; list && count && n < std::min(*count, kMostFrames); ++n) {
          check(*list + n * 8, what);
        }
        break;
      }
      case 7:
        return check(call.x[1] + 16, "XENMEM_add_to_physmap");
      case 15:
        return check(call.x[1] + 8, "XENMEM_remove_from_physmap");
      default:
        break;
    }
  } else if (call.number == kEventChannelOp) {
    if (call.x[0] == 11) check(call.x[1], "EVTCHNOP_init_control");
    if (call.x[0] == 12) check(call.x[1], "EVTCHNOP_expand_array");
  } else if (call.number == kVcpuOp && call.x[0] == 10) {
    check(call.x[2], "VCPUOP_register_vcpu_info");
  } else if (call.number == kGrantTableOp && call.x[0] == 0) {
    const auto address = value_at<std::uint64_t>(cpu, call.x[1]);
    if (call.x[2] != 0 && address && (*address & 0xfff) != 0) {
      report(FindingKind::bad_frame_number,
             fmt::format("GNTTABOP_map_grant_ref: host_addr 0x{:x} is not the beginning of a page",
                         *address));
    }
  }
}

void check_event_result(const SeenHypercall& call, std::int64_t result, Cpu& cpu,
                        const HypercallCheck::Report& report) {
  if (result != kEinval) return;
  const char* name = nullptr;
  unsigned at = 0;
  switch (call.x[0]) {
    case 0:
      name = "EVTCHNOP_bind_interdomain: remote port", at = 4;
      break;
    case 3:
      name = "EVTCHNOP_close: port";
      break;
    case 4:
      name = "EVTCHNOP_send: port";
      break;
    case 5:
      name = "EVTCHNOP_status: port", at = 4;
      break;
    default:
      return;
  }
  if (const auto port = value_at<std::uint32_t>(cpu, call.x[1] + at)) {
    report(FindingKind::bad_event_channel,
           fmt::format("{} {} is not open for that, or was never given", name, *port));
  }
}

/// Structures of grant_table.h: sizes and offsets of fields.
void check_grant_results(const SeenHypercall& call, Cpu& cpu,
                         const HypercallCheck::Report& report) {
  constexpr std::uint64_t kMapBytes = 32, kMapRef = 12, kMapDom = 16, kMapStatus = 18;
  constexpr std::uint64_t kCopyBytes = 40, kCopyDest = 16, kCopyFlags = 34, kCopyStatus = 36,
                          kEndDom = 8;
  const auto judge = [&](const char* name, VirtAddr ref, VirtAddr dom, VirtAddr status) {
    const auto got = value_at<std::int16_t>(cpu, status);
    if (!got || (*got != -1 && *got != -3)) return;  // GNTST_general_error, GNTST_bad_gntref
    const auto number = value_at<std::uint32_t>(cpu, ref);
    const auto domain = value_at<std::uint16_t>(cpu, dom);
    if (!number || !domain) return;
    report(FindingKind::bad_grant_reference,
           fmt::format("{}: reference {} of domain {} is not granted, or not so (status {})", name,
                       *number, *domain, *got));
  };
  for (std::uint64_t n = 0; n < std::min(call.x[2], kMostGrants); ++n) {
    if (call.x[0] == 0) {
      const VirtAddr entry = call.x[1] + n * kMapBytes;
      judge("GNTTABOP_map_grant_ref", entry + kMapRef, entry + kMapDom, entry + kMapStatus);
    } else if (call.x[0] == 5) {
      const VirtAddr entry = call.x[1] + n * kCopyBytes;
      const auto flags = value_at<std::uint16_t>(cpu, entry + kCopyFlags);
      if (!flags || *flags == 0) continue;
      const VirtAddr end = *flags & 1 ? entry : entry + kCopyDest;
      judge("GNTTABOP_copy", end, end + kEndDom, entry + kCopyStatus);
    }
  }
}

}  // namespace

void HypercallCheck::begun(const SeenHypercall& call, Cpu& cpu, const GuestTree& tree,
                           const Report& report) {
  const std::uint64_t sctlr = cpu.sctlr_el1();
  if (!bit(sctlr, 0) || !bit(sctlr, 2)) {
    report(FindingKind::hypercall_mmu_off,
           fmt::format("hypercall {} with the {} off (SCTLR_EL1 0x{:x})", call.number,
                       !bit(sctlr, 0) ? "MMU" : "data cache", sctlr));
  } else if (const auto argument = buffer_of(call.number); argument && call.x[*argument] != 0) {
    const auto view = cpu.view(call.x[*argument]);
    if (view && !view->normal_write_back) {
      report(FindingKind::hypercall_buffer,
             fmt::format("hypercall {}: its buffer at 0x{:x} is not Normal Write-Back memory",
                         call.number, call.x[*argument]));
    }
  }
  check_frames(call, cpu, tree, report);
}

void HypercallCheck::ended(const SeenHypercall& call, std::int64_t result, Cpu& cpu,
                           const Report& report) {
  if (call.number == kEventChannelOp) check_event_result(call, result, cpu, report);
  if (call.number == kGrantTableOp && result == 0) check_grant_results(call, cpu, report);
}

}  // namespace trapline
