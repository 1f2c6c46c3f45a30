// The back end of a domain's primary console (Xen's public header io/console.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "models/uart/character_port.h"
#include "sim/time/clock.h"
#include "sim/trace/event.h"
#include "sim/trap/xen/ports.h"

namespace trapline::xen {

/// xenconsoled's end of xencons_interface. The page is the domain's own, named to it by
/// HVM_PARAM_CONSOLE_PFN, and port() by HVM_PARAM_CONSOLE_EVTCHN. Output is taken when the domain
/// raises the event. Indexes that lie apart by more than the ring are ignored until they make
/// sense, and so is a page of another domain that is mapped in its place.
class ConsoleBackend {
 public:
  /// `index` numbers the console in uart_line events, which go to `sink` unless it is null.
  ConsoleBackend(DomainMemory& memory, Gfn gfn, Channels& channels, CharacterPort& output,
                 Sink* sink = nullptr, unsigned index = 0);
  ConsoleBackend(const ConsoleBackend&) = delete;
  ConsoleBackend& operator=(const ConsoleBackend&) = delete;

  EventPort port() const { return port_; }
  /// Offers one byte of input. False while the ring is full: to be offered again later.
  bool receive(std::uint8_t byte);
  /// Takes what output there is though no event was raised, and ends an unfinished line: for the
  /// end of the run.
  void flush();

 private:
  void take_output();
  void record(std::uint8_t byte);
  void end_line();

  DomainMemory& memory_;
  Gfn gfn_;
  CharacterPort& output_;
  Sink* sink_;
  unsigned index_;
  EventPort port_ = 0;
  std::unique_ptr<BackendChannel> channel_;
  std::string line_;
};

}  // namespace trapline::xen
