// Nodes, permissions and transactions. The rules are those of docs/misc/xenstore.txt, and where it
// is silent those of xenstored.
#include "sim/trap/xen/xenstore.h"

#include <algorithm>
#include <set>

namespace trapline::xen {
namespace {

constexpr std::uint8_t kOwner = 4;  // Beside kXsRead and kXsWrite: may change permissions.
// What the book-keeping of one node in a transaction takes, beside its path and contents.
constexpr std::size_t kAccessedBytes = 128;

bool valid_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '/' || c == '_' || c == '@';
}

// How much of a path is "/local/domain/N/".
std::size_t local_prefix(std::string_view path) {
  constexpr std::string_view kLocal = "/local/domain/";
  if (!path.starts_with(kLocal)) return 0;
  std::size_t at = kLocal.size();
  while (at < path.size() && at < kLocal.size() + 5 && path[at] >= '0' && path[at] <= '9') ++at;
  return at > kLocal.size() && at < path.size() && path[at] == '/' ? at + 1 : 0;
}

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

XsMessage XenstoreConnection::take() {
  XsMessage message = std::move(output.front());
  output.pop_front();
  memory -= kXsHeaderBytes + message.payload.size();
  if (message.header.type == static_cast<std::uint32_t>(XsType::watch_event)) {
    events.erase(message.payload);
  } else {
    --replies;
  }
  return message;
}

XenstoreServer::XenstoreServer(Clock& clock, const XenstoreQuota& quota,
                               const XenstoreTiming& timing)
    : clock_(clock), quota_(quota), timing_(timing), deliver_(clock, [this] { deliver_local(); }) {}

XenstoreServer::~XenstoreServer() = default;

XenstoreConnection& XenstoreServer::introduce(DomId domain) {
  auto& connection = connections_[domain];
  if (!connection) connection = std::make_unique<XenstoreConnection>(domain);
  fire_special("@introduceDomain", domain);
  return *connection;
}

void XenstoreServer::shut_down(DomId domain) {
  const auto found = connections_.find(domain);
  if (found == connections_.end() || found->second->shut_down) return;
  found->second->shut_down = true;
  fire_special("@releaseDomain", domain);
}

void XenstoreServer::release(DomId domain) {
  if (connections_.erase(domain) == 0) return;
  // What it owned goes; what others let it see does not wait for the next domain of this number.
  std::set<std::string> owned;
  Call call{domain0_};
  std::vector<std::pair<std::string, XsNode>> changed;
  for (const auto& [path, node] : tree_.nodes()) {
    if (node.owner() == domain) {
      owned.insert(path);
      continue;
    }
    XsNode stripped = node;
    std::erase_if(stripped.permissions, [&](const XsPermission& p) { return p.domain == domain; });
    if (stripped.permissions.size() != node.permissions.size()) {
      changed.emplace_back(path, std::move(stripped));
    }
  }
  for (auto& [path, node] : changed) tree_.put(path, std::move(node));
  for (const std::string& path : owned) {
    if (path != "/" && path[0] == '/' && tree_.find(path) != nullptr) remove(call, path);
  }
  fire_special("@releaseDomain", domain);
}

bool XenstoreServer::accepts(const XenstoreConnection& from) const {
  return from.replies < quota_.outstanding && from.memory < quota_.memory;
}

void XenstoreServer::reset(XenstoreConnection& connection) {
  connection.watches.clear();
  connection.transactions.clear();
  connection.output.clear();
  connection.events.clear();
  connection.replies = 0;
  connection.memory = 0;
}

XsError XenstoreServer::canonical(const XenstoreConnection& from, std::string_view path,
                                  bool special, std::string& out) const {
  if (!std::all_of(path.begin(), path.end(), valid_character)) return XsError::EINVAL_;
  if (path.starts_with('@')) {
    if (!special) return XsError::EINVAL_;
    out = path;
  } else if (path.starts_with('/')) {
    out = path;
  } else {
    out = "/local/domain/" + std::to_string(from.id) + "/" + std::string(path);
  }
  if (out.size() > 1 && out.ends_with('/')) return XsError::EINVAL_;
  if (out.find("//") != std::string::npos || out.size() > kXsPathMax) return XsError::EINVAL_;
  const std::size_t own = out.size() - local_prefix(out);
  if (from.id != kBackendDomain && own >= quota_.path_bytes) return XsError::EINVAL_;
  return XsError::none;
}

std::uint8_t XenstoreServer::access_of(DomId domain, const XsPermissions& permissions) {
  const auto names = [&](const XsPermission& permission) {
    return permission.domain == domain || permission.domain == kDomIdAny;
  };
  if (domain == kBackendDomain || names(permissions.front())) return kXsBoth | kOwner;
  for (std::size_t n = 1; n < permissions.size(); ++n) {
    if (names(permissions[n])) return permissions[n].access;
  }
  return permissions.front().access;
}

bool XenstoreServer::charge(Call& call, std::size_t added, std::size_t removed) {
  XenstoreConnection& from = call.from;
  if (added > removed && call.unprivileged() && from.memory + (added - removed) >= quota_.memory) {
    call.error = XsError::ENOMEM_;
    if (call.transaction) call.transaction->failed = true;
    return false;
  }
  from.memory += added - removed;
  if (call.transaction) call.transaction->bytes += added - removed;
  return true;
}

XsAccessed* XenstoreServer::access(Call& call, const std::string& path) {
  XsTransaction& transaction = *call.transaction;
  const auto found = transaction.accessed.find(path);
  if (found != transaction.accessed.end()) return &found->second;
  if (call.unprivileged() && transaction.accessed.size() + 1 >= quota_.transaction_nodes) {
    transaction.failed = true;
    call.error = XsError::ENOSPC_;
    return nullptr;
  }
  const XsNode* node = tree_.find(path);
  if (!charge(call, kAccessedBytes + 2 * path.size() + (node ? node->bytes() : 0), 0)) {
    return nullptr;
  }
  XsAccessed accessed;
  if (node) {
    accessed.node = *node;
    accessed.generation = node->generation;
    accessed.old_permissions = node->permissions;
  }
  transaction.order.push_back(path);
  return &transaction.accessed.emplace(path, std::move(accessed)).first->second;
}

const XsNode* XenstoreServer::view(Call& call, const std::string& path) {
  call.error = XsError::none;
  const XsNode* node = nullptr;
  if (call.transaction) {
    const XsAccessed* accessed = access(call, path);
    if (!accessed) return nullptr;
    if (accessed->node) node = &*accessed->node;
  } else {
    node = tree_.find(path);
  }
  if (!node) call.error = XsError::ENOENT_;
  return node;
}

const XsNode* XenstoreServer::permitted(Call& call, const std::string& path, std::uint8_t access) {
  const XsNode* node = view(call, path);
  if (!node && call.error != XsError::ENOENT_) return nullptr;
  if (node) {
    if ((access_of(call.from.id, node->permissions) & access) == access) return node;
    call.error = XsError::EACCES_;
  }
  call.error = error_of_parents(call, path, call.error, access);
  return nullptr;
}

// Whoever may not see the place is not told whether something is there.
XsError XenstoreServer::error_of_parents(Call& call, const std::string& path, XsError error,
                                         std::uint8_t access) {
  std::string parent = path;
  do {
    parent = xs_parent(parent);
    if (const XsNode* node = view(call, parent)) {
      return access_of(call.from.id, node->permissions) & access ? error : XsError::EACCES_;
    }
    if (call.error != XsError::ENOENT_) return call.error;
  } while (parent != "/");
  return XsError::EACCES_;
}

bool XenstoreServer::fits(Call& call, const XsNode& node) {
  if (!call.unprivileged() || node.bytes() < quota_.node_bytes) return true;
  call.error = XsError::ENOSPC_;
  if (call.transaction) call.transaction->failed = true;
  return false;
}

bool XenstoreServer::put(Call& call, const std::string& path, XsNode node) {
  if (!call.transaction) {
    tree_.put(path, std::move(node));
    return true;
  }
  XsTransaction& transaction = *call.transaction;
  XsAccessed* accessed = access(call, path);
  if (!accessed) return false;
  const std::size_t before = accessed->node ? accessed->node->bytes() : 0;
  if (!charge(call, node.bytes(), before)) return false;
  if (accessed->node) --transaction.owned[accessed->node->owner()];
  ++transaction.owned[node.owner()];
  node.generation = tree_.next_generation();
  accessed->node = std::move(node);
  accessed->modified = true;
  return true;
}

// Makes the node and the parents that are missing. Nothing is changed where something forbids it,
// but for a transaction, which then can only fail.
bool XenstoreServer::create(Call& call, const std::string& path, std::string value) {
  std::vector<std::string> missing{path};
  const XsNode* parent = nullptr;
  while (true) {
    const std::string above = xs_parent(missing.back());
    parent = view(call, above);
    if (parent) break;
    if (call.error != XsError::ENOENT_ || above == "/") return false;
    missing.push_back(above);
  }
  if (call.unprivileged() && tree_.owned(call.from.id) + missing.size() >= quota_.nodes) {
    call.error = XsError::ENOSPC_;
    return false;
  }
  XsNode changed = *parent;
  changed.children.push_back(last_part(missing.back()));
  XsNode made;
  made.permissions = parent->permissions;
  if (call.unprivileged()) made.permissions.front().domain = call.from.id;
  XsNode leaf = made;
  leaf.value = std::move(value);
  if (!fits(call, changed) || !fits(call, leaf)) return false;
  if (call.transaction) call.transaction->created = true;
  if (!put(call, xs_parent(missing.back()), std::move(changed))) return false;
  for (std::size_t n = missing.size() - 1; n > 0; --n) {
    XsNode between = made;
    between.children = {last_part(missing[n - 1])};
    if (!fits(call, between) || !put(call, missing[n], std::move(between))) return false;
  }
  return put(call, path, std::move(leaf));
}

bool XenstoreServer::remove(Call& call, const std::string& path) {
  const std::string above = xs_parent(path);
  if (!view(call, above)) {
    if (call.error == XsError::ENOENT_) call.error = XsError::EINVAL_;
    return false;
  }
  if (!remove_below(call, path, XsMatch::subtree)) return false;
  const XsNode* parent = view(call, above);
  if (!parent) return false;
  XsNode changed = *parent;
  std::erase(changed.children, last_part(path));
  return put(call, above, std::move(changed));
}

// Children first, and each is told of while it can still be seen whom it may be told to.
bool XenstoreServer::remove_below(Call& call, const std::string& path, XsMatch match) {
  const XsNode* node = view(call, path);
  if (!node) return false;
  const std::vector<std::string> children = node->children;
  for (const std::string& child : children) {
    if (!remove_below(call, xs_join(path, child), XsMatch::exact)) return false;
  }
  fire(call, path, match);
  if (!call.transaction) {
    tree_.erase(path);
    return true;
  }
  XsAccessed* accessed = access(call, path);
  if (!accessed || !accessed->node) return false;
  charge(call, 0, accessed->node->bytes());
  --call.transaction->owned[accessed->node->owner()];
  accessed->node.reset();
  accessed->modified = true;
  return true;
}

XsError XenstoreServer::commit(Call& call, XsTransaction& transaction) {
  if (transaction.failed) return XsError::ENOMEM_;
  if (transaction.created && call.unprivileged()) {
    for (const auto& [domain, change] : transaction.owned) {
      if (change > 0 && domain != kBackendDomain &&
          tree_.owned(domain) + static_cast<unsigned>(change) >= quota_.nodes) {
        return XsError::ENOSPC_;
      }
    }
  }
  for (const auto& [path, accessed] : transaction.accessed) {
    const XsNode* node = tree_.find(path);
    if ((node ? node->generation : 0) != accessed.generation) return XsError::EAGAIN_;
  }
  for (const std::string& path : transaction.order) {
    XsAccessed& accessed = transaction.accessed[path];
    if (!accessed.modified) continue;
    if (accessed.node) {
      tree_.put(path, std::move(*accessed.node));
    } else {
      tree_.erase(path);
    }
  }
  for (const std::string& path : transaction.order) {
    const XsAccessed& accessed = transaction.accessed[path];
    if (!accessed.fire) continue;
    fire_now(path, *accessed.fire, accessed.generation == 0 ? nullptr : &accessed.old_permissions);
  }
  return XsError::none;
}

void XenstoreServer::drop_transaction(XenstoreConnection& from, std::uint32_t id) {
  const auto found = from.transactions.find(id);
  if (found == from.transactions.end()) return;
  from.memory -= found->second.bytes;
  from.transactions.erase(found);
}

}  // namespace trapline::xen
