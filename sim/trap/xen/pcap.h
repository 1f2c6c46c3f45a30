// Frames into a capture file.
#pragma once

#include <ostream>

#include "sim/trap/xen/net_switch.h"

namespace trapline::xen {

/// Writes pcap with nanoseconds of virtual time (libpcap's pcap-savefile(5), magic 0xa1b23c4d),
/// link type Ethernet. Checksums that a sender left to the hardware are filled in.
class PcapWriter final : public NetObserver {
 public:
  /// Writes the file's header. What `out` cannot take is lost; look at its state in the end.
  explicit PcapWriter(std::ostream& out);
  void on_frame(Time when, const NetFrame& frame) override;

 private:
  std::ostream& out_;
};

}  // namespace trapline::xen
