#include "sim/trap/xen/xenstore_tree.h"

#include <algorithm>
#include <numeric>

namespace trapline::xen {

std::size_t XsNode::bytes() const {
  // xenstored's record: a header of 16 bytes, 8 for each permission, the value, and the names of
  // the children with their NULs.
  std::size_t total = 16 + 8 * permissions.size() + value.size();
  for (const std::string& child : children) total += child.size() + 1;
  return total;
}

std::string xs_parent(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == 0 || slash == std::string_view::npos) return "/";
  return std::string(path.substr(0, slash));
}

std::string xs_join(std::string_view path, std::string_view child) {
  std::string joined(path);
  if (joined != "/") joined += '/';
  return joined.append(child);
}

bool xs_is_below(std::string_view path, std::string_view parent) {
  if (parent == "/") return path.starts_with('/');
  return path.starts_with(parent) && (path.size() == parent.size() || path[parent.size()] == '/');
}

XenstoreTree::XenstoreTree() {
  const XsPermissions mine{{kBackendDomain, kXsNone}};
  put("/", {"", mine, {"tool"}, 0});
  put("/tool", {"", mine, {"xenstored"}, 0});
  put("/tool/xenstored", {"", mine, {}, 0});
  put("@releaseDomain", {"", {{kBackendDomain, kXsNone}, {kDomIdAny, kXsRead}}, {}, 0});
  put("@introduceDomain", {"", mine, {}, 0});
}

const XsNode* XenstoreTree::find(std::string_view path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

void XenstoreTree::put(const std::string& path, XsNode node) {
  node.generation = next_generation();
  count(node.owner(), 1);
  const auto [place, added] = nodes_.try_emplace(path);
  if (!added) count(place->second.owner(), -1);
  place->second = std::move(node);
}

void XenstoreTree::erase(const std::string& path) {
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return;
  next_generation();
  count(found->second.owner(), -1);
  nodes_.erase(found);
}

unsigned XenstoreTree::owned(DomId domain) const {
  const auto found = owned_.find(domain);
  return found == owned_.end() ? 0 : found->second;
}

void XenstoreTree::count(DomId owner, int change) {
  unsigned& owned = owned_[owner];
  owned += static_cast<unsigned>(change);
  if (owned == 0) owned_.erase(owner);
}

}  // namespace trapline::xen
