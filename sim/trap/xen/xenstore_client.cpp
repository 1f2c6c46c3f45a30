#include <algorithm>
#include <charconv>
#include <utility>

#include "sim/trap/xen/xenstore.h"

namespace trapline::xen {

std::uint64_t XenstoreServer::add_local_watch(std::string path,
                                              std::function<void(const std::string&)> action) {
  local_watches_.push_back({next_local_, path, std::move(action)});
  queue_local(next_local_, path);
  return next_local_++;
}

void XenstoreServer::remove_local_watch(std::uint64_t id) {
  std::erase_if(local_watches_, [&](const LocalWatch& watch) { return watch.id == id; });
  std::erase_if(local_events_, [&](const auto& event) { return event.first == id; });
}

// What waits already says all there is to say.
void XenstoreServer::queue_local(std::uint64_t watch, const std::string& path) {
  const std::pair<std::uint64_t, std::string> event(watch, path);
  if (std::find(local_events_.begin(), local_events_.end(), event) != local_events_.end()) return;
  local_events_.push_back(event);
  if (deliver_.due() == kNever) deliver_.at(clock_.now() + timing_.watch);
}

void XenstoreServer::deliver_local() {
  // What the actions change is told another time, so that no backend starves the guests.
  for (std::size_t count = local_events_.size(); count > 0 && !local_events_.empty(); --count) {
    const auto event = std::move(local_events_.front());
    local_events_.pop_front();
    const auto found =
        std::find_if(local_watches_.begin(), local_watches_.end(),
                     [&](const LocalWatch& watch) { return watch.id == event.first; });
    if (found == local_watches_.end()) continue;
    const auto action = found->action;  // The list may change meanwhile.
    action(event.second);
  }
  if (!local_events_.empty() && deliver_.due() == kNever) {
    deliver_.at(clock_.now() + timing_.watch);
  }
}

XenstoreClient::~XenstoreClient() {
  for (const std::uint64_t watch : watches_) server_.remove_local_watch(watch);
}

std::optional<std::string> XenstoreClient::read(const std::string& path) const {
  const XsNode* node = server_.tree_.find(path);
  return node ? std::optional(node->value) : std::nullopt;
}

std::optional<std::uint64_t> XenstoreClient::read_number(const std::string& path) const {
  const std::optional<std::string> text = read(path);
  if (!text) return std::nullopt;
  std::uint64_t number = 0;
  const char* const last = text->data() + text->size();
  const auto [end, failed] = std::from_chars(text->data(), last, number);
  if (failed != std::errc() || end != last) return std::nullopt;
  return number;
}

std::vector<std::string> XenstoreClient::directory(const std::string& path) const {
  const XsNode* node = server_.tree_.find(path);
  return node ? node->children : std::vector<std::string>();
}

void XenstoreClient::write(const std::string& path, std::string_view value) {
  XenstoreServer::Call call{server_.domain0_};
  if (const XsNode* node = server_.view(call, path)) {
    XsNode changed = *node;
    changed.value = value;
    server_.put(call, path, std::move(changed));
  } else {
    server_.create(call, path, std::string(value));
  }
  server_.fire(call, path, XsMatch::subtree);
}

void XenstoreClient::make(const std::string& path, const XsPermissions& permissions) {
  XenstoreServer::Call call{server_.domain0_};
  if (!server_.view(call, path)) server_.create(call, path, {});
  set_permissions(path, permissions);
}

void XenstoreClient::set_permissions(const std::string& path, const XsPermissions& permissions) {
  XenstoreServer::Call call{server_.domain0_};
  const XsNode* node = server_.view(call, path);
  if (!node) return;
  const XsPermissions old = node->permissions;
  XsNode changed = *node;
  changed.permissions = permissions;
  server_.put(call, path, std::move(changed));
  server_.fire(call, path, XsMatch::subtree, &old);
}

void XenstoreClient::remove(const std::string& path) {
  XenstoreServer::Call call{server_.domain0_};
  if (path != "/" && server_.view(call, path)) server_.remove(call, path);
}

void XenstoreClient::watch(const std::string& path,
                           std::function<void(const std::string& path)> action) {
  watches_.push_back(server_.add_local_watch(path, std::move(action)));
}

}  // namespace trapline::xen
