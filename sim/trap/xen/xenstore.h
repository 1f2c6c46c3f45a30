// xenstored: the store, its protocol, and the view that the simulator's own backends have of it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/time/clock.h"
#include "sim/trap/xen/xenstore_tree.h"
#include "sim/trap/xen/xs_wire.h"

namespace trapline::xen {

/// As xenstored's options; no domain but 0 reaches any of them.
struct XenstoreQuota {
  unsigned nodes = 1000;
  unsigned watches = 128;
  unsigned transactions = 10;
  unsigned transaction_nodes = 1024;
  unsigned permissions = 5;
  std::size_t path_bytes = 2048;  ///< Without a leading /local/domain/N/.
  std::size_t node_bytes = 2048;
  unsigned outstanding = 20;         ///< Replies not taken; no request is read meanwhile.
  std::size_t memory = 2560 * 1024;  ///< Of transactions, watches and messages that wait.
};

/// How long xenstored and a backend take to answer, in virtual time.
struct XenstoreTiming {
  Time request = 10'000'000;  ///< From the event to the reply (10 us).
  Time watch = 10'000'000;    ///< From a change to a backend's watch (10 us).
};

struct XsWatch {
  std::string path;  ///< Absolute, or @special.
  std::string token;
  std::size_t prefix = 0;  ///< Bytes of the path that the domain does not see (relative paths).
  int depth = -1;          ///< -1: any.
};

/// One message to a domain: header and payload as on the wire.
struct XsMessage {
  XsHeader header;
  std::string payload;
};

/// What xenstored keeps of one domain that it talks to. The transport (XenstoreRing) takes messages
/// off `output`.
struct XenstoreConnection {
  explicit XenstoreConnection(DomId domain) : id(domain) {}

  DomId id;
  std::list<XsWatch> watches;
  std::map<std::uint32_t, XsTransaction> transactions;
  std::uint32_t next_transaction = 1;
  std::deque<XsMessage> output;
  std::set<std::string> events;  ///< Payloads of the watch events in `output`, but special ones.
  unsigned replies = 0;          ///< Of `output`, those that are no watch events.
  std::size_t memory = 0;        ///< Counts against XenstoreQuota::memory.
  bool shut_down = false;
  std::function<void()> on_output;  ///< A message was added.

  /// Takes the first message off.
  XsMessage take();
};

class XenstoreClient;

/// xenstored of one machine. Domain 0 is the simulator; it always exists.
class XenstoreServer {
 public:
  explicit XenstoreServer(Clock& clock, const XenstoreQuota& quota = {},
                          const XenstoreTiming& timing = {});
  ~XenstoreServer();
  XenstoreServer(const XenstoreServer&) = delete;
  XenstoreServer& operator=(const XenstoreServer&) = delete;

  /// INTRODUCE: the domain may talk to the store from now on. Fires @introduceDomain. Called again,
  /// it only fires.
  XenstoreConnection& introduce(DomId domain);
  /// The domain has shut down or crashed but still exists. Fires @releaseDomain, once.
  void shut_down(DomId domain);
  /// RELEASE: the domain is gone, and with it the nodes that it owns. Fires @releaseDomain.
  void release(DomId domain);
  bool introduced(DomId domain) const { return connections_.contains(domain); }

  /// One request; the reply, and watch events for whoever waits for them, are put into the
  /// connections' output. `payload` has header.len bytes, no more than kXsPayloadMax.
  void request(XenstoreConnection& from, const XsHeader& header, std::string_view payload);
  /// A request may be read: neither replies nor memory wait in excess.
  bool accepts(const XenstoreConnection& from) const;
  /// Watches, transactions and messages of the connection are dropped (a ring that reconnects).
  void reset(XenstoreConnection& connection);

  Clock& clock() const { return clock_; }
  const XenstoreTiming& timing() const { return timing_; }
  const XenstoreTree& tree() const { return tree_; }

 private:
  friend class XenstoreClient;
  /// A request that is being worked on.
  struct Call {
    XenstoreConnection& from;
    XsTransaction* transaction = nullptr;
    XsHeader header{};
    std::string_view payload{};
    XsError error = XsError::none;  ///< Why a node cannot be had.
    bool unprivileged() const { return from.id != kBackendDomain; }
  };
  struct Request {
    XsError (XenstoreServer::*handler)(Call&);
    unsigned flags;
  };
  struct LocalWatch {
    std::uint64_t id;
    std::string path;
    std::function<void(const std::string& path)> action;
  };

  // Requests, in xenstore_requests.cpp. An error is the reply; otherwise they replied.
  static const Request* find_request(std::uint32_t type);
  XsError do_directory(Call& call);
  XsError do_directory_part(Call& call);
  XsError do_read(Call& call);
  XsError do_get_perms(Call& call);
  XsError do_watch(Call& call);
  XsError do_unwatch(Call& call);
  XsError do_transaction_start(Call& call);
  XsError do_transaction_end(Call& call);
  XsError do_get_domain_path(Call& call);
  XsError do_write(Call& call);
  XsError do_mkdir(Call& call);
  XsError do_rm(Call& call);
  XsError do_set_perms(Call& call);
  XsError do_reset_watches(Call& call);
  XsError do_get_feature(Call& call);
  XsError do_refuse(Call& call);
  XsError parse_permissions(const Call& call, const std::vector<std::string_view>& texts,
                            XsPermissions& out) const;
  void reply(Call& call, std::string payload);
  void acknowledge(Call& call) { reply(call, std::string("OK", 3)); }

  // Paths and permissions.
  XsError canonical(const XenstoreConnection& from, std::string_view path, bool special,
                    std::string& out) const;
  static std::uint8_t access_of(DomId domain, const XsPermissions& permissions);

  // Nodes, as the call's transaction sees them. nullptr with call.error set.
  const XsNode* view(Call& call, const std::string& path);
  const XsNode* permitted(Call& call, const std::string& path, std::uint8_t access);
  XsError error_of_parents(Call& call, const std::string& path, XsError error, std::uint8_t access);
  XsAccessed* access(Call& call, const std::string& path);
  bool charge(Call& call, std::size_t added, std::size_t removed);
  bool fits(Call& call, const XsNode& node);
  bool put(Call& call, const std::string& path, XsNode node);
  bool create(Call& call, const std::string& path, std::string value);
  bool remove(Call& call, const std::string& path);
  bool remove_below(Call& call, const std::string& path, XsMatch match);
  XsError commit(Call& call, XsTransaction& transaction);
  void drop_transaction(XenstoreConnection& from, std::uint32_t id);

  // Watches, in xenstore_watches.cpp.
  void fire(Call& call, const std::string& path, XsMatch match,
            const XsPermissions* old_permissions = nullptr);
  void fire_now(const std::string& path, XsMatch match, const XsPermissions* old_permissions);
  void fire_special(const std::string& name, DomId domain);
  bool may_see(DomId domain, const std::string& path, const XsPermissions* old_permissions) const;
  void send_event(XenstoreConnection& to, const std::string& path, const std::string& token);
  void send(XenstoreConnection& to, XsMessage message);

  // The simulator's own watches, in xenstore_client.cpp.
  std::uint64_t add_local_watch(std::string path, std::function<void(const std::string&)> action);
  void remove_local_watch(std::uint64_t id);
  void queue_local(std::uint64_t watch, const std::string& path);
  void deliver_local();

  Clock& clock_;
  XenstoreQuota quota_;
  XenstoreTiming timing_;
  XenstoreTree tree_;
  std::map<DomId, std::unique_ptr<XenstoreConnection>> connections_;
  XenstoreConnection domain0_{kBackendDomain};
  std::vector<LocalWatch> local_watches_;
  std::deque<std::pair<std::uint64_t, std::string>> local_events_;  // Watch and path.
  std::uint64_t next_local_ = 1;
  Wakeup deliver_;
};

/// Domain 0's view, for the simulator's backends and for whoever builds domains. Calls act at once;
/// watches are told XenstoreTiming::watch later, in the order of the changes, and of the watches
/// for each. Paths are absolute. Watches end with the client.
class XenstoreClient {
 public:
  explicit XenstoreClient(XenstoreServer& server) : server_(server) {}
  ~XenstoreClient();
  XenstoreClient(const XenstoreClient&) = delete;
  XenstoreClient& operator=(const XenstoreClient&) = delete;

  std::optional<std::string> read(const std::string& path) const;
  /// As a number in decimal; nullopt if there is no node or it holds anything else.
  std::optional<std::uint64_t> read_number(const std::string& path) const;
  std::vector<std::string> directory(const std::string& path) const;
  bool exists(const std::string& path) const { return read(path).has_value(); }
  /// Makes the node and its parents where they are missing.
  void write(const std::string& path, std::string_view value);
  void write(const std::string& path, std::uint64_t number) { write(path, std::to_string(number)); }
  void make(const std::string& path, const XsPermissions& permissions);
  void set_permissions(const std::string& path, const XsPermissions& permissions);
  /// With all that is below. Nothing if there is no such node.
  void remove(const std::string& path);

  /// `action` runs for each change of the node or below it, and once for the start. It may do
  /// anything but destroy its own client.
  void watch(const std::string& path, std::function<void(const std::string& path)> action);

  XenstoreServer& server() const { return server_; }

 private:
  XenstoreServer& server_;
  std::vector<std::uint64_t> watches_;
};

}  // namespace trapline::xen
