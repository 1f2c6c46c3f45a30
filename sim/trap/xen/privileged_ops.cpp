// Calls that an unprivileged domain does not get far with.
#include <array>

#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

// XEN_DOMCTL_INTERFACE_VERSION and its like of 4.17.
constexpr std::uint32_t kDomctlVersion = 0x15;
constexpr std::uint32_t kSysctlVersion = 0x15;
constexpr std::uint32_t kPlatformVersion = 0x0300'0001;

constexpr std::uint32_t kCreateDomain = 1;
constexpr std::uint32_t kGetDomainInfo = 5;

/// What stands before the union in all three structures. They are copied whole.
struct Header {
  std::uint32_t command;
  std::uint32_t interface_version;
  std::uint16_t domain;  ///< domctl only.
};

template <std::size_t kSize>
std::int64_t read_header(Call& call, std::uint32_t version, Header& header) {
  std::array<std::uint8_t, kSize> whole;
  if (!call.read(call.args[0], whole)) return kEfault;
  const auto number = [&whole](std::size_t at, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | whole[at + i];
    return value;
  };
  header.command = number(0, 4);
  header.interface_version = number(4, 4);
  header.domain = static_cast<std::uint16_t>(number(8, 2));
  return header.interface_version == version ? 0 : kEacces;
}

}  // namespace

std::int64_t no_such_call(Call&) {
  return kEnosys;
}
std::int64_t not_permitted(Call&) {
  return kEperm;
}
std::int64_t invalid(Call&) {
  return kEinval;
}
std::int64_t no_such_type(Call&) {
  return kEopnotsupp;
}

std::int64_t platform_op(Call& call) {
  Header header;
  const std::int64_t error = read_header<136>(call, kPlatformVersion, header);
  return error != 0 ? error : kEperm;
}

std::int64_t sysctl(Call& call) {
  Header header;
  const std::int64_t error = read_header<136>(call, kSysctlVersion, header);
  return error != 0 ? error : kEperm;
}

std::int64_t domctl(Call& call) {
  Header header;
  if (const std::int64_t error = read_header<144>(call, kDomctlVersion, header)) return error;
  // These two are refused before the domain is looked for.
  if (header.command == kCreateDomain || header.command == kGetDomainInfo) return kEperm;
  return call.hypervisor.find(header.domain) ? kEperm : kEsrch;
}

}  // namespace trapline::xen
