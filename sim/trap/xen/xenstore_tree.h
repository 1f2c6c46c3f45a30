// The nodes of xenstore, and the view that a transaction has of them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/trap/xen/xs_wire.h"

namespace trapline::xen {

struct XsNode {
  std::string value;
  XsPermissions permissions;
  std::vector<std::string> children;  ///< In the order in which they were made.
  std::uint64_t generation = 0;       ///< Of the last change.

  DomId owner() const { return permissions.front().domain; }
  /// What counts against a node's quota.
  std::size_t bytes() const;
};

/// The parent's path; "/" for "/" and for a path right below it.
std::string xs_parent(std::string_view path);
std::string xs_join(std::string_view path, std::string_view child);
/// `path` is `parent` or lies below it.
bool xs_is_below(std::string_view path, std::string_view parent);

/// All nodes, by absolute path, and the special nodes @introduceDomain and @releaseDomain, which
/// have permissions only.
class XenstoreTree {
 public:
  XenstoreTree();

  /// nullptr if there is none.
  const XsNode* find(std::string_view path) const;
  /// Puts a node where the parent is known to list it, with a new generation.
  void put(const std::string& path, XsNode node);
  void erase(const std::string& path);
  std::uint64_t next_generation() { return ++generation_; }

  /// Nodes that a domain owns.
  unsigned owned(DomId domain) const;
  const std::map<std::string, XsNode, std::less<>>& nodes() const { return nodes_; }

 private:
  void count(DomId owner, int change);

  std::map<std::string, XsNode, std::less<>> nodes_;
  std::map<DomId, unsigned> owned_;
  std::uint64_t generation_ = 0;
};

/// How a change is told to watches: to those of the very node, or also to those above it.
enum class XsMatch : std::uint8_t { exact, subtree };

/// What a transaction did with one node. While a node is not in this list the transaction sees the
/// tree's own.
struct XsAccessed {
  std::optional<XsNode> node;  ///< As the transaction sees it.
  /// At first sight, 0 if there was no such node. Another one at the end is a conflict.
  std::uint64_t generation = 0;
  bool modified = false;
  std::optional<XsMatch> fire;    ///< Watches to tell on commit.
  XsPermissions old_permissions;  ///< At first sight.
};

struct XsTransaction {
  std::uint32_t id = 0;
  std::map<std::string, XsAccessed> accessed;
  std::vector<std::string> order;  ///< Of first access.
  std::map<DomId, int> owned;      ///< Change of the number of nodes.
  std::size_t bytes = 0;           ///< Held by `accessed`.
  bool failed = false;             ///< A quota was exceeded; it can only be discarded.
  bool created = false;
};

}  // namespace trapline::xen
