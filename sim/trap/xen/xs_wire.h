// The wire protocol of xenstore (Xen's public header io/xs_wire.h, docs/misc/xenstore.txt).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/trap/xen/ports.h"

namespace trapline::xen {

/// xsd_sockmsg_type.
enum class XsType : std::uint32_t {
  control = 0,
  directory = 1,
  read = 2,
  get_perms = 3,
  watch = 4,
  unwatch = 5,
  transaction_start = 6,
  transaction_end = 7,
  introduce = 8,
  release = 9,
  get_domain_path = 10,
  write = 11,
  mkdir = 12,
  rm = 13,
  set_perms = 14,
  watch_event = 15,
  error = 16,
  is_domain_introduced = 17,
  resume = 18,
  set_target = 19,
  reset_watches = 21,
  directory_part = 22,
  get_feature = 23,
  set_feature = 24,
  get_quota = 25,
  set_quota = 26,
};

/// xsd_sockmsg, four little-endian words.
struct XsHeader {
  std::uint32_t type = 0;
  std::uint32_t req_id = 0;
  std::uint32_t tx_id = 0;
  std::uint32_t len = 0;
};
inline constexpr std::size_t kXsHeaderBytes = 16;

inline constexpr std::size_t kXsPayloadMax = 4096;  ///< XENSTORE_PAYLOAD_MAX
inline constexpr std::size_t kXsPathMax = 3072;     ///< XENSTORE_ABS_PATH_MAX

/// DOMID_ANY (xen.h): in a permission, every domain.
inline constexpr DomId kDomIdAny = 0x7ff5;

/// What may go wrong; the names are those on the wire, with a bar as errno.h has macros of them.
enum class XsError : std::uint8_t {
  none,
  EINVAL_,
  EACCES_,
  EEXIST_,
  ENOENT_,
  ENOMEM_,
  ENOSPC_,
  ENOSYS_,
  EBUSY_,
  EAGAIN_,
  E2BIG_,
  EPERM_,
  EIO_,
};

/// Access bits of a permission (XS_PERM_*).
inline constexpr std::uint8_t kXsNone = 0, kXsRead = 1, kXsWrite = 2, kXsBoth = 3;

/// One entry of a node's permissions. The first names the owner, and what every domain without an
/// entry may do.
struct XsPermission {
  DomId domain = 0;
  std::uint8_t access = kXsNone;
  friend bool operator==(const XsPermission&, const XsPermission&) = default;
};
using XsPermissions = std::vector<XsPermission>;

/// xenstore_domain_interface: where things are in the ring's page.
inline constexpr std::uint32_t kXsRingBytes = 1024;
inline constexpr std::size_t kXsRequests = 0, kXsResponses = 1024, kXsReqCons = 2048,
                             kXsReqProd = 2052, kXsRspCons = 2056, kXsRspProd = 2060,
                             kXsFeatures = 2064, kXsConnection = 2068, kXsErrorField = 2072;

/// XENSTORE_SERVER_FEATURE_*.
inline constexpr std::uint32_t kXsFeatureReconnection = 1, kXsFeatureError = 2,
                               kXsFeatureWatchDepth = 4, kXsFeatureDomidAny = 8;
inline constexpr std::uint32_t kXsAllFeatures =
    kXsFeatureReconnection | kXsFeatureError | kXsFeatureWatchDepth | kXsFeatureDomidAny;
/// The values of the connection and error fields.
inline constexpr std::uint32_t kXsConnected = 0, kXsReconnect = 1;
inline constexpr std::uint32_t kXsErrorNone = 0, kXsErrorRingIndex = 2, kXsErrorProtocol = 3;

}  // namespace trapline::xen
