// The shared page through which a domain talks to xenstored.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sim/time/clock.h"
#include "sim/trap/xen/ports.h"
#include "sim/trap/xen/xenstore.h"

namespace trapline::xen {

/// xenstored's end of xenstore_domain_interface (docs/misc/xenstore-ring.txt). The page is the
/// domain's own, named to it by HVM_PARAM_STORE_PFN, and port() by HVM_PARAM_STORE_EVTCHN.
/// Introduces the domain, and releases it in the end.
///
/// A ring whose indexes lie apart by more than its size, or a message longer than the protocol
/// allows, ends the connection with the error field set; the domain may reconnect.
class XenstoreRing {
 public:
  /// `gfn` must be a frame of the domain's RAM. Fields of the page are set.
  XenstoreRing(XenstoreServer& server, DomId domain, DomainMemory& memory, Gfn gfn,
               Channels& channels);
  ~XenstoreRing();
  XenstoreRing(const XenstoreRing&) = delete;
  XenstoreRing& operator=(const XenstoreRing&) = delete;

  EventPort port() const { return port_; }

 private:
  void soon();
  void service();
  bool read_input(std::uint8_t* page);
  bool take_input(std::uint8_t* page, std::size_t wanted);
  bool write_output(std::uint8_t* page);
  void set_word(std::uint8_t* page, std::size_t offset, std::uint32_t value);
  void reset_page(std::uint8_t* page);
  void fail(std::uint8_t* page, std::uint32_t error);

  XenstoreServer& server_;
  DomId domain_;
  DomainMemory& memory_;
  Gfn gfn_;
  XenstoreConnection& connection_;
  Wakeup service_;
  EventPort port_ = 0;
  std::unique_ptr<BackendChannel> channel_;
  std::string input_;    // Of the message that is being read: header, then payload.
  std::string sending_;  // The rest of the message that is being written.
  bool in_service_ = false;
  bool dead_ = false;  // Until the domain reconnects.
};

}  // namespace trapline::xen
