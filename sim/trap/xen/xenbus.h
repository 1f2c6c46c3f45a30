// What PV backends share: the directories of a device in xenstore, and the states that its two ends
// go through (Xen's public header io/xenbus.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/trap/xen/ports.h"
#include "sim/trap/xen/xenstore.h"

namespace trapline::xen {

/// One domain as its backends know it.
struct GuestPorts {
  DomId id = 0;
  Grants& grants;
  Channels& channels;
};

enum class XenbusState : std::uint8_t {
  unknown = 0,
  initialising = 1,
  init_wait = 2,
  initialised = 3,
  connected = 4,
  closing = 5,
  closed = 6,
  reconfiguring = 7,
  reconfigured = 8,
};

/// "/local/domain/N".
std::string domain_path(DomId domain);

/// What is written of a domain before it starts, as libxl does.
struct DomainNodes {
  DomId id = 0;
  std::string name;
  std::string uuid;  ///< Empty: one made from the id.
  std::uint64_t memory_kb = 0;
  unsigned vcpus = 1;
  Gfn store_gfn = 0;
  EventPort store_port = 0;
};
void write_domain_nodes(XenstoreServer& server, const DomainNodes& domain);
/// The primary console's.
void write_console_nodes(XenstoreServer& server, DomId domain, Gfn gfn, EventPort port);

using XenbusNodes = std::vector<std::pair<std::string, std::string>>;

/// The back end of one device. Writes both directories of the device, and follows the front end's
/// state. A front end that says nonsense finds the device closed, with the reason in
/// /local/domain/0/error/backend/...
class XenbusBackend {
 public:
  virtual ~XenbusBackend() = default;
  XenbusBackend(const XenbusBackend&) = delete;
  XenbusBackend& operator=(const XenbusBackend&) = delete;

  XenbusState state() const { return state_; }
  const std::string& frontend() const { return frontend_; }
  const std::string& backend() const { return backend_; }

 protected:
  /// `kind` is "vbd" or "vif".
  XenbusBackend(const GuestPorts& guest, XenstoreServer& server, std::string_view kind,
                unsigned device);

  /// Writes what the toolstack would, and starts. To be called by the constructor of the final
  /// class.
  void start(const XenbusNodes& front, const XenbusNodes& read_only_front, const XenbusNodes& back);

  /// The front end said what is to be connected. False with `problem` set to say no.
  virtual bool connect(std::string& problem) = 0;
  /// What it said no longer holds. Also called where nothing was connected.
  virtual void disconnect() = 0;
  /// Features, before the state becomes InitWait.
  virtual void publish() = 0;

  std::optional<std::uint64_t> front_number(const std::string& name) const;
  bool front_flag(const std::string& name, bool otherwise = false) const;
  /// The channel that the front end's node `name` names. nullptr with `problem` set.
  std::unique_ptr<BackendChannel> bind(const std::string& name, std::function<void()> on_event,
                                       std::string& problem);
  std::unique_ptr<GrantedPage> map(const std::string& name, std::string& problem);

  /// Tells the user, the first time only, that the front end is not served, and why.
  void complain(const std::string& problem);

  GuestPorts guest_;
  XenstoreClient store_;

 private:
  void frontend_changed();
  void connect_or_fail();
  void go_to(XenbusState state);
  void write_error(const std::string& problem);

  std::string frontend_;
  std::string backend_;
  XenbusState state_ = XenbusState::initialising;
  bool complained_ = false;
  XenbusState seen_ = XenbusState::unknown;  // Of the front end, when last looked at.
};

}  // namespace trapline::xen
