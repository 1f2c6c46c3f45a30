// The requests of docs/misc/xenstore.txt, one function each.
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "sim/trap/xen/xenstore.h"

namespace trapline::xen {
namespace {

constexpr unsigned kIgnoresTransaction = 1, kPrivileged = 2;
constexpr std::uint8_t kOwner = 4;

constexpr const char* kErrorNames[] = {"",       "EINVAL", "EACCES", "EEXIST", "ENOENT",
                                       "ENOMEM", "ENOSPC", "ENOSYS", "EBUSY",  "EAGAIN",
                                       "E2BIG",  "EPERM",  "EIO"};

// The strings of a payload, each with its NUL; what follows the last NUL is none.
std::vector<std::string_view> strings(std::string_view payload) {
  std::vector<std::string_view> found;
  for (std::size_t at = 0, nul; (nul = payload.find('\0', at)) != std::string_view::npos;
       at = nul + 1) {
    found.push_back(payload.substr(at, nul - at));
  }
  return found;
}

// The payload is one string and nothing else.
std::optional<std::string_view> only_string(std::string_view payload) {
  if (payload.empty() || payload.find('\0') != payload.size() - 1) return std::nullopt;
  return payload.substr(0, payload.size() - 1);
}

// As C's strtol does with base 0; nullopt unless that is all there is.
std::optional<DomId> domain_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  DomId number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, number, base);
  if (failed != std::errc() || end != last) return std::nullopt;
  return number;
}

std::string child_list(const XsNode& node) {
  std::string list;
  for (const std::string& child : node.children) list.append(child).push_back('\0');
  return list;
}

}  // namespace

const XenstoreServer::Request* XenstoreServer::find_request(std::uint32_t type) {
  using S = XenstoreServer;
  static constexpr std::array<Request, 27> kRequests = {{
      {&S::do_refuse, kPrivileged},           // CONTROL
      {&S::do_directory, 0},                  // DIRECTORY
      {&S::do_read, 0},                       // READ
      {&S::do_get_perms, 0},                  // GET_PERMS
      {&S::do_watch, kIgnoresTransaction},    // WATCH
      {&S::do_unwatch, kIgnoresTransaction},  // UNWATCH
      {&S::do_transaction_start, 0},          // TRANSACTION_START
      {&S::do_transaction_end, 0},            // TRANSACTION_END
      {&S::do_refuse, kPrivileged},           // INTRODUCE
      {&S::do_refuse, kPrivileged},           // RELEASE
      {&S::do_get_domain_path, 0},            // GET_DOMAIN_PATH
      {&S::do_write, 0},                      // WRITE
      {&S::do_mkdir, 0},                      // MKDIR
      {&S::do_rm, 0},                         // RM
      {&S::do_set_perms, 0},                  // SET_PERMS
      {nullptr, 0},                           // WATCH_EVENT
      {nullptr, 0},                           // ERROR
      {&S::do_refuse, kPrivileged},           // IS_DOMAIN_INTRODUCED
      {&S::do_refuse, kPrivileged},           // RESUME
      {&S::do_refuse, kPrivileged},           // SET_TARGET
      {nullptr, 0},                           // RESTRICT, no longer a request
      {&S::do_reset_watches, 0},              // RESET_WATCHES
      {&S::do_directory_part, 0},             // DIRECTORY_PART
      {&S::do_get_feature, 0},                // GET_FEATURE
      {&S::do_refuse, kPrivileged},           // SET_FEATURE
      {&S::do_refuse, kPrivileged},           // GET_QUOTA
      {&S::do_refuse, kPrivileged},           // SET_QUOTA
  }};
  return type < kRequests.size() && kRequests[type].handler ? &kRequests[type] : nullptr;
}

void XenstoreServer::request(XenstoreConnection& from, const XsHeader& header,
                             std::string_view payload) {
  Call call{from, nullptr, header, payload};
  const Request* request = find_request(header.type);
  XsError error = XsError::none;
  if (!request) {
    error = XsError::ENOSYS_;
  } else if ((request->flags & kPrivileged) && call.unprivileged()) {
    error = XsError::EACCES_;
  } else if (!(request->flags & kIgnoresTransaction) && header.tx_id != 0) {
    const auto found = from.transactions.find(header.tx_id);
    if (found == from.transactions.end()) {
      error = XsError::ENOENT_;
    } else {
      call.transaction = &found->second;
    }
  }
  if (error == XsError::none) error = (this->*request->handler)(call);
  if (error == XsError::none) return;
  call.header.type = static_cast<std::uint32_t>(XsType::error);
  reply(call, std::string(kErrorNames[static_cast<std::size_t>(error)]) + '\0');
}

void XenstoreServer::reply(Call& call, std::string payload) {
  XsMessage message{call.header, std::move(payload)};
  if (message.payload.size() > kXsPayloadMax) {
    message.header.type = static_cast<std::uint32_t>(XsType::error);
    message.payload = std::string("E2BIG", 6);
  }
  send(call.from, std::move(message));
}

XsError XenstoreServer::do_directory(Call& call) {
  std::string path;
  const auto text = only_string(call.payload);
  if (!text || canonical(call.from, *text, false, path) != XsError::none) return XsError::EINVAL_;
  const XsNode* node = permitted(call, path, kXsRead);
  if (!node) return call.error;
  reply(call, child_list(*node));
  return XsError::none;
}

XsError XenstoreServer::do_directory_part(Call& call) {
  const auto parts = strings(call.payload);
  std::string path;
  if (parts.size() != 2 || canonical(call.from, parts[0], false, path) != XsError::none) {
    return XsError::EINVAL_;
  }
  const XsNode* node = permitted(call, path, kXsRead);
  if (!node) return call.error;
  std::size_t offset = 0;
  std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), offset);
  std::string answer = std::to_string(node->generation) + '\0';
  const std::string list = child_list(*node);
  // An empty name ends the list.
  if (offset >= list.size()) {
    reply(call, answer + '\0');
    return XsError::none;
  }
  const std::size_t room = kXsPayloadMax - answer.size() - 1;
  std::size_t end = offset;
  while (end < list.size()) {
    const std::size_t next = list.find('\0', end) + 1;
    if (next - offset > room) break;
    end = next;
  }
  answer.append(list, offset, end - offset);
  if (end == list.size()) answer += '\0';
  reply(call, std::move(answer));
  return XsError::none;
}

XsError XenstoreServer::do_read(Call& call) {
  std::string path;
  const auto text = only_string(call.payload);
  if (!text || canonical(call.from, *text, false, path) != XsError::none) return XsError::EINVAL_;
  const XsNode* node = permitted(call, path, kXsRead);
  if (!node) return call.error;
  reply(call, node->value);
  return XsError::none;
}

XsError XenstoreServer::do_get_perms(Call& call) {
  std::string path;
  const auto text = only_string(call.payload);
  if (!text || canonical(call.from, *text, true, path) != XsError::none) return XsError::EINVAL_;
  const XsNode* node = permitted(call, path, kXsRead);
  if (!node) return call.error;
  std::string answer;
  for (const XsPermission& permission : node->permissions) {
    answer += "nrwb"[permission.access & kXsBoth];
    answer += std::to_string(permission.domain);
    answer += '\0';
  }
  reply(call, std::move(answer));
  return XsError::none;
}

XsError XenstoreServer::do_transaction_start(Call& call) {
  if (call.transaction) return XsError::EBUSY_;
  auto& transactions = call.from.transactions;
  if (call.unprivileged() && transactions.size() + 1 >= quota_.transactions) {
    return XsError::ENOSPC_;
  }
  std::uint32_t& next = call.from.next_transaction;
  while (next == 0 || transactions.contains(next)) ++next;
  const std::uint32_t id = next++;
  transactions[id].id = id;
  reply(call, std::to_string(id) + '\0');
  return XsError::none;
}

XsError XenstoreServer::do_transaction_end(Call& call) {
  const auto text = only_string(call.payload);
  if (!text || (*text != "T" && *text != "F")) return XsError::EINVAL_;
  if (!call.transaction) return XsError::ENOENT_;
  const XsError error = *text == "T" ? commit(call, *call.transaction) : XsError::none;
  call.transaction = nullptr;
  drop_transaction(call.from, call.header.tx_id);
  if (error == XsError::none) acknowledge(call);
  return error;
}

XsError XenstoreServer::do_get_domain_path(Call& call) {
  const auto text = only_string(call.payload);
  const auto domain = text ? domain_number(*text) : std::nullopt;
  if (!domain) return XsError::EINVAL_;
  reply(call, "/local/domain/" + std::to_string(*domain) + '\0');
  return XsError::none;
}

XsError XenstoreServer::do_write(Call& call) {
  const std::size_t nul = call.payload.find('\0');
  std::string path;
  if (nul == std::string_view::npos ||
      canonical(call.from, call.payload.substr(0, nul), false, path) != XsError::none) {
    return XsError::EINVAL_;
  }
  std::string value(call.payload.substr(nul + 1));
  if (const XsNode* node = permitted(call, path, kXsWrite)) {
    XsNode changed = *node;
    changed.value = std::move(value);
    if (!fits(call, changed) || !put(call, path, std::move(changed))) return call.error;
  } else if (call.error != XsError::ENOENT_ || !create(call, path, std::move(value))) {
    return call.error;
  }
  fire(call, path, XsMatch::subtree);
  acknowledge(call);
  return XsError::none;
}

XsError XenstoreServer::do_mkdir(Call& call) {
  std::string path;
  const auto text = only_string(call.payload);
  if (!text || canonical(call.from, *text, false, path) != XsError::none) return XsError::EINVAL_;
  if (!permitted(call, path, kXsWrite)) {
    if (call.error != XsError::ENOENT_ || !create(call, path, {})) return call.error;
    fire(call, path, XsMatch::subtree);
  }
  acknowledge(call);
  return XsError::none;
}

XsError XenstoreServer::do_rm(Call& call) {
  std::string path;
  const auto text = only_string(call.payload);
  if (!text || canonical(call.from, *text, false, path) != XsError::none) return XsError::EINVAL_;
  if (permitted(call, path, kXsWrite)) {
    if (path == "/") return XsError::EINVAL_;
    if (!remove(call, path)) return call.error;
  } else if (call.error != XsError::ENOENT_ || !view(call, xs_parent(path))) {
    // It is no error that there is no such node, but that there is not even its parent.
    return call.error;
  }
  acknowledge(call);
  return XsError::none;
}

XsError XenstoreServer::parse_permissions(const Call& call,
                                          const std::vector<std::string_view>& texts,
                                          XsPermissions& out) const {
  for (const std::string_view text : texts) {
    const std::size_t access =
        text.empty() ? std::string_view::npos : std::string_view("nrwb").find(text.front());
    const auto domain = text.empty() ? std::nullopt : domain_number(text.substr(1));
    if (access == std::string_view::npos || !domain) return XsError::EINVAL_;
    out.push_back({*domain, static_cast<std::uint8_t>(access)});
  }
  const DomId owner = out.front().domain;
  const bool exists = owner == kBackendDomain || owner == call.from.id || introduced(owner);
  return exists ? XsError::none : XsError::ENOENT_;
}

XsError XenstoreServer::do_set_perms(Call& call) {
  auto parts = strings(call.payload);
  if (parts.size() < 2) return XsError::EINVAL_;
  const std::string_view name = parts.front();
  parts.erase(parts.begin());
  if (call.unprivileged() && parts.size() >= quota_.permissions) return XsError::ENOSPC_;
  XsPermissions permissions;
  if (const XsError error = parse_permissions(call, parts, permissions); error != XsError::none) {
    return error;
  }
  std::string path;
  if (canonical(call.from, name, true, path) != XsError::none) return XsError::EINVAL_;
  const XsNode* node = permitted(call, path, kXsWrite | kOwner);
  if (!node) return call.error;
  if (call.unprivileged() && permissions.front().domain != node->owner()) return XsError::EPERM_;
  const XsPermissions old = node->permissions;
  XsNode changed = *node;
  changed.permissions = std::move(permissions);
  if (!fits(call, changed) || !put(call, path, std::move(changed))) return call.error;
  fire(call, path, XsMatch::subtree, &old);
  acknowledge(call);
  return XsError::none;
}

// The features of the caller's own ring.
XsError XenstoreServer::do_get_feature(Call& call) {
  if (call.payload.find('\0') != std::string_view::npos) return XsError::EACCES_;
  reply(call, std::to_string(kXsAllFeatures) + '\0');
  return XsError::none;
}

// Only domain 0 gets here, and the simulator sends no such messages.
XsError XenstoreServer::do_refuse(Call&) {
  return XsError::ENOSYS_;
}

}  // namespace trapline::xen
