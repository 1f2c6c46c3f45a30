// Who is told of which change.
#include <charconv>
#include <utility>

#include "sim/trap/xen/xenstore.h"

namespace trapline::xen {
namespace {

// `path` is `watched`, or lies below it by no more levels than `depth` (any if negative).
bool matches(std::string_view path, std::string_view watched, int depth) {
  if (!xs_is_below(path, watched)) return false;
  if (depth < 0 || path.size() == watched.size()) return true;
  int levels = watched == "/" ? 1 : 0;
  for (const char c : path.substr(watched.size())) levels += c == '/';
  return levels <= depth;
}

}  // namespace

void XenstoreServer::fire(Call& call, const std::string& path, XsMatch match,
                          const XsPermissions* old_permissions) {
  if (!call.transaction) return fire_now(path, match, old_permissions);
  XsAccessed* accessed = access(call, path);
  if (!accessed) return;
  if (!accessed->fire || match == XsMatch::subtree) accessed->fire = match;
}

void XenstoreServer::fire_now(const std::string& path, XsMatch match,
                              const XsPermissions* old_permissions) {
  for (const auto& [domain, connection] : connections_) {
    if (connection->watches.empty() || !may_see(domain, path, old_permissions)) continue;
    for (const XsWatch& watch : connection->watches) {
      const bool hit =
          match == XsMatch::exact ? path == watch.path : matches(path, watch.path, watch.depth);
      if (hit) send_event(*connection, path.substr(watch.prefix), watch.token);
    }
  }
  for (const LocalWatch& watch : local_watches_) {
    const bool hit = match == XsMatch::exact ? path == watch.path : matches(path, watch.path, -1);
    if (hit) queue_local(watch.id, path);
  }
}

// Watches with a depth are told which domain it was, others only that there was one.
void XenstoreServer::fire_special(const std::string& name, DomId domain) {
  const std::string with_domain = name + "/" + std::to_string(domain);
  const XsNode* node = tree_.find(name);
  for (const auto& [id, connection] : connections_) {
    if (!node || !(access_of(id, node->permissions) & kXsRead)) continue;
    for (const XsWatch& watch : connection->watches) {
      if (watch.path == with_domain || (watch.path == name && watch.depth > 0)) {
        send_event(*connection, with_domain, watch.token);
      } else if (watch.path == name && watch.depth < 0) {
        send_event(*connection, name, watch.token);
      }
    }
  }
  for (const LocalWatch& watch : local_watches_) {
    if (watch.path == name) queue_local(watch.id, with_domain);
  }
}

// One that may read the node, could read it before, or may read its parent.
bool XenstoreServer::may_see(DomId domain, const std::string& path,
                             const XsPermissions* old_permissions) const {
  if (old_permissions && (access_of(domain, *old_permissions) & kXsRead)) return true;
  const XsNode* node = tree_.find(path);
  if (!node) return false;
  if (access_of(domain, node->permissions) & kXsRead) return true;
  const XsNode* parent = tree_.find(xs_parent(path));
  return parent && (access_of(domain, parent->permissions) & kXsRead);
}

// An event that says nothing new, or that there is no memory for, is dropped.
void XenstoreServer::send_event(XenstoreConnection& to, const std::string& path,
                                const std::string& token) {
  XsMessage message;
  message.payload.reserve(path.size() + token.size() + 2);
  message.payload.append(path).push_back('\0');
  message.payload.append(token).push_back('\0');
  if (message.payload.size() > kXsPayloadMax) return;
  if (to.memory + kXsHeaderBytes + message.payload.size() >= quota_.memory) return;
  if (!path.starts_with('@') && !to.events.insert(message.payload).second) return;
  message.header.type = static_cast<std::uint32_t>(XsType::watch_event);
  send(to, std::move(message));
}

void XenstoreServer::send(XenstoreConnection& to, XsMessage message) {
  message.header.len = static_cast<std::uint32_t>(message.payload.size());
  to.memory += kXsHeaderBytes + message.payload.size();
  if (message.header.type != static_cast<std::uint32_t>(XsType::watch_event)) ++to.replies;
  to.output.push_back(std::move(message));
  if (to.on_output) to.on_output();
}

XsError XenstoreServer::do_watch(Call& call) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0, nul; (nul = call.payload.find('\0', at)) != std::string_view::npos;
       at = nul + 1) {
    if (parts.size() == 3) return XsError::EINVAL_;
    parts.push_back(call.payload.substr(at, nul - at));
  }
  if (parts.size() < 2) return XsError::EINVAL_;
  XsWatch watch;
  if (parts.size() == 3) {
    const std::string_view text = parts[2];
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), watch.depth);
    if (failed != std::errc() || end != text.data() + text.size() || watch.depth < 0) {
      return XsError::EINVAL_;
    }
  }
  if (const XsError error = canonical(call.from, parts[0], true, watch.path);
      error != XsError::none) {
    return error;
  }
  watch.token = parts[1];
  if (!parts[0].starts_with('/') && !parts[0].starts_with('@')) {
    watch.prefix = watch.path.size() - parts[0].size();
  }
  for (const XsWatch& other : call.from.watches) {
    if (other.path == watch.path && other.token == watch.token) return XsError::EEXIST_;
  }
  if (call.unprivileged() && call.from.watches.size() + 1 >= quota_.watches) {
    return XsError::ENOSPC_;
  }
  if (!charge(call, watch.path.size() + watch.token.size(), 0)) return call.error;
  call.from.watches.push_back(watch);
  acknowledge(call);
  // Once for the start, so that whoever watches looks first.
  send_event(call.from, watch.path.substr(watch.prefix), watch.token);
  return XsError::none;
}

XsError XenstoreServer::do_unwatch(Call& call) {
  const std::size_t first = call.payload.find('\0');
  if (first == std::string_view::npos) return XsError::EINVAL_;
  const std::size_t second = call.payload.find('\0', first + 1);
  if (second == std::string_view::npos ||
      call.payload.find('\0', second + 1) != std::string_view::npos) {
    return XsError::EINVAL_;
  }
  std::string path;
  if (const XsError error = canonical(call.from, call.payload.substr(0, first), true, path);
      error != XsError::none) {
    return error;
  }
  const std::string_view token = call.payload.substr(first + 1, second - first - 1);
  auto& watches = call.from.watches;
  for (auto watch = watches.begin(); watch != watches.end(); ++watch) {
    if (watch->path != path || watch->token != token) continue;
    call.from.memory -= watch->path.size() + watch->token.size();
    watches.erase(watch);
    acknowledge(call);
    return XsError::none;
  }
  return XsError::ENOENT_;
}

XsError XenstoreServer::do_reset_watches(Call& call) {
  for (const XsWatch& watch : call.from.watches) {
    call.from.memory -= watch.path.size() + watch.token.size();
  }
  call.from.watches.clear();
  while (!call.from.transactions.empty()) {
    drop_transaction(call.from, call.from.transactions.begin()->first);
  }
  call.transaction = nullptr;
  acknowledge(call);
  return XsError::none;
}

}  // namespace trapline::xen
