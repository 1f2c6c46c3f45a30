// __HYPERVISOR_xen_version. Strings are those that any guest may read.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

// The address of the command's argument.
VirtAddr argument(const Call& call) {
  return call.args[1];
}

template <std::size_t kSize>
void put(char (&field)[kSize], const std::string& text) {
  std::memset(field, 0, kSize);
  std::memcpy(field, text.data(), std::min(text.size(), kSize - 1));
}

template <std::size_t kSize>
std::int64_t write_string(Call& call, const std::string& text) {
  char field[kSize];
  put(field, text);
  return call.write_bytes(argument(call), field, kSize) ? 0 : kEfault;
}

// features.h
constexpr std::uint32_t kWritablePageTables = 1u << 0;
constexpr std::uint32_t kAutoTranslatedPhysmap = 1u << 2;
constexpr std::uint32_t kMemoryOpVnodeSupported = 1u << 13;
constexpr std::uint32_t kArmSmcccSupported = 1u << 14;
constexpr std::uint32_t kNotDirectMapped = 1u << 16;
constexpr std::uint32_t kDirectMapped = 1u << 17;

// HYPERVISOR_VIRT_START of an arm64 Xen 4.17.
constexpr std::uint64_t kVirtStart = 0x20'0000;

}  // namespace

std::int64_t xenver_version(Call& call) {
  const HypervisorConfig& config = call.hypervisor.config();
  return std::int64_t{config.major} << 16 | config.minor;
}

std::int64_t xenver_extraversion(Call& call) {
  return write_string<16>(call, call.hypervisor.config().extra_version);
}

std::int64_t xenver_compile_info(Call& call) {
  const HypervisorConfig& config = call.hypervisor.config();
  CompileInfo info;
  put(info.compiler, config.compiler);
  put(info.compile_by, config.compile_by);
  put(info.compile_domain, config.compile_domain);
  put(info.compile_date, config.compile_date);
  return call.write(argument(call), info) ? 0 : kEfault;
}

std::int64_t xenver_capabilities(Call& call) {
  return write_string<1024>(call, call.hypervisor.config().capabilities);
}

std::int64_t xenver_changeset(Call& call) {
  return write_string<64>(call, call.hypervisor.config().changeset);
}

std::int64_t xenver_platform_parameters(Call& call) {
  return call.write(argument(call), kVirtStart) ? 0 : kEfault;
}

std::int64_t xenver_get_features(Call& call) {
  FeatureInfo info;
  if (!call.read(argument(call), info)) return kEfault;
  if (info.submap_idx != 0) return kEinval;
  info.submap = kMemoryOpVnodeSupported | kWritablePageTables | kAutoTranslatedPhysmap |
                kArmSmcccSupported |
                (call.domain.config().direct_mapped ? kDirectMapped : kNotDirectMapped);
  return call.write(argument(call), info) ? 0 : kEfault;
}

std::int64_t xenver_pagesize(Call& call) {
  return argument(call) != 0 ? kEinval : std::int64_t{kPageBytes};
}

std::int64_t xenver_guest_handle(Call& call) {
  return call.write(argument(call), call.domain.config().uuid) ? 0 : kEfault;
}

std::int64_t xenver_commandline(Call& call) {
  static constexpr char kDenied[] = "<denied>";
  return call.write_bytes(argument(call), kDenied, sizeof kDenied) ? 0 : kEfault;
}

}  // namespace trapline::xen
