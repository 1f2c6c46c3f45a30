#include "sim/trap/xen/xenbus.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace trapline::xen {

std::string domain_path(DomId domain) {
  return "/local/domain/" + std::to_string(domain);
}

XenbusBackend::XenbusBackend(const GuestPorts& guest, XenstoreServer& server, std::string_view kind,
                             unsigned device)
    : guest_(guest), store_(server) {
  const std::string device_text = std::to_string(device);
  frontend_ = domain_path(guest.id) + "/device/" + std::string(kind) + "/" + device_text;
  backend_ = domain_path(kBackendDomain) + "/backend/" + std::string(kind) + "/" +
             std::to_string(guest.id) + "/" + device_text;
}

void XenbusBackend::start(const XenbusNodes& front, const XenbusNodes& read_only_front,
                          const XenbusNodes& back) {
  const XsPermissions guests{{guest_.id, kXsNone}, {kBackendDomain, kXsRead}};
  const XsPermissions ours{{kBackendDomain, kXsNone}, {guest_.id, kXsRead}};
  const auto number = [](XenbusState state) {
    return std::to_string(static_cast<unsigned>(state));
  };
  const auto put = [&](const std::string& path, std::string_view value,
                       const XsPermissions& permissions) {
    store_.write(path, value);
    store_.set_permissions(path, permissions);
  };
  store_.make(frontend_, guests);
  put(frontend_ + "/backend", backend_, guests);
  put(frontend_ + "/backend-id", std::to_string(kBackendDomain), guests);
  for (const auto& [name, value] : front) put(frontend_ + "/" + name, value, guests);
  for (const auto& [name, value] : read_only_front) put(frontend_ + "/" + name, value, ours);
  store_.make(backend_, ours);
  store_.write(backend_ + "/frontend", frontend_);
  store_.write(backend_ + "/frontend-id", guest_.id);
  store_.write(backend_ + "/online", "1");
  for (const auto& [name, value] : back) store_.write(backend_ + "/" + name, value);
  store_.write(backend_ + "/hotplug-status", "connected");
  publish();
  go_to(XenbusState::init_wait);
  // Last, as with it the front end finds the device complete.
  put(frontend_ + "/state", number(XenbusState::initialising), guests);
  store_.watch(frontend_ + "/state", [this](const std::string&) { frontend_changed(); });
}

void XenbusBackend::go_to(XenbusState state) {
  state_ = state;
  store_.write(backend_ + "/state", static_cast<std::uint64_t>(state));
}

void XenbusBackend::write_error(const std::string& problem) {
  const std::string below = backend_.substr(domain_path(kBackendDomain).size());
  store_.write(domain_path(kBackendDomain) + "/error" + below + "/error", problem);
}

void XenbusBackend::complain(const std::string& problem) {
  if (std::exchange(complained_, true)) return;
  spdlog::warn("{}: {}", frontend_, problem);
}

void XenbusBackend::frontend_changed() {
  const auto text = store_.read_number(frontend_ + "/state");
  const auto front = text && *text <= static_cast<unsigned>(XenbusState::reconfigured)
                         ? static_cast<XenbusState>(*text)
                         : XenbusState::unknown;
  if (front == seen_) return;
  const XenbusState before = std::exchange(seen_, front);
  switch (front) {
    case XenbusState::initialising:
      if (state_ == XenbusState::closed) {
        publish();
        go_to(XenbusState::init_wait);
      }
      break;
    case XenbusState::initialised:
    case XenbusState::connected:
      // A front end that was connected and says so anew has started again.
      if (state_ == XenbusState::connected && before != XenbusState::connected) break;
      connect_or_fail();
      break;
    case XenbusState::closing:
      go_to(XenbusState::closing);
      break;
    case XenbusState::closed:
    case XenbusState::unknown:
      disconnect();
      if (before != XenbusState::unknown) go_to(XenbusState::closed);
      break;
    default:
      break;
  }
}

void XenbusBackend::connect_or_fail() {
  disconnect();
  std::string problem;
  if (connect(problem)) return go_to(XenbusState::connected);
  disconnect();
  write_error(problem);
  complain("cannot be connected: " + problem);
  go_to(XenbusState::closing);
}

std::optional<std::uint64_t> XenbusBackend::front_number(const std::string& name) const {
  return store_.read_number(frontend_ + "/" + name);
}

bool XenbusBackend::front_flag(const std::string& name, bool otherwise) const {
  const auto number = front_number(name);
  return number ? *number != 0 : otherwise;
}

std::unique_ptr<BackendChannel> XenbusBackend::bind(const std::string& name,
                                                    std::function<void()> on_event,
                                                    std::string& problem) {
  const auto port = front_number(name);
  if (port && *port <= 0xffff'ffff) {
    if (auto channel = guest_.channels.bind(static_cast<EventPort>(*port), std::move(on_event))) {
      return channel;
    }
  }
  problem = frontend_ + "/" + name + " names no event channel for domain 0";
  return nullptr;
}

std::unique_ptr<GrantedPage> XenbusBackend::map(const std::string& name, std::string& problem) {
  const auto ref = front_number(name);
  if (ref && *ref <= 0xffff'ffff) {
    if (auto page = guest_.grants.map(static_cast<GrantRef>(*ref), true)) return page;
  }
  problem = frontend_ + "/" + name + " names no page granted to domain 0";
  return nullptr;
}

}  // namespace trapline::xen
