// The back end of a virtual disk (Xen's public header io/blkif.h).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "sim/time/clock.h"
#include "sim/trap/xen/block_image.h"
#include "sim/trap/xen/shared_ring.h"
#include "sim/trap/xen/xenbus.h"

namespace trapline::xen {

/// One request after another; each takes `request` and, for what it moves, `per_byte`.
struct BlockTiming {
  Time request = 20'000'000;      ///< 20 us.
  Time per_byte = 500;            ///< 2 GB/s.
  Time discard_per_kib = 10'000;  ///< 100 GB/s.
};

struct BlockOptions {
  unsigned number = 0;  ///< xvda is 0, xvdb 1, ... below 26.
  bool read_only = false;
  bool cdrom = false;
  std::uint32_t sector_bytes = 512;           ///< Power of two, 512 to 4096.
  std::uint32_t physical_sector_bytes = 512;  ///< A multiple of sector_bytes, power of two.
  std::string path;                           ///< As xenstore's `params` says.
  BlockTiming timing;
};

/// "xvda" and its number for the front end (docs/man/xen-vbd-interface.7).
std::string block_device_name(unsigned number);
unsigned block_device_id(unsigned number);

/// Requests are worked off in the order in which they were sent, each at its time, so completions
/// depend on nothing else, and a barrier or flush needs no more than its place.
class BlockBackend final : public XenbusBackend {
 public:
  /// Throws std::invalid_argument for options that no disk has.
  BlockBackend(const GuestPorts& guest, XenstoreServer& server, std::unique_ptr<BlockImage> image,
               const BlockOptions& options);

  struct Counts {
    std::uint64_t reads = 0, writes = 0, flushes = 0, discards = 0, errors = 0, sectors = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Segment {
    GrantRef ref;
    std::uint8_t first, last;  // Sectors in the page.
  };
  struct Request {
    std::uint64_t id = 0;
    std::uint8_t operation = 0;  // As the response names it.
    std::uint8_t work = 0;       // BLKIF_OP_READ, WRITE, ... after indirection.
    bool bad = false;            // Answered with an error.
    bool unknown = false;        // No operation of ours.
    std::uint64_t sector = 0, count = 0;
    std::vector<Segment> segments;
    std::vector<std::unique_ptr<GrantedPage>> pages;
    Time due = 0;
  };

  bool connect(std::string& problem) override;
  void disconnect() override;
  void publish() override;

  void take_requests();
  Time duration(const Request& request) const;
  Request parse(const std::uint8_t* entry);
  void parse_direct(const std::uint8_t* entry, Request& request);
  void parse_indirect(const std::uint8_t* entry, Request& request);
  void check_range(Request& request);
  void add_segments(const std::uint8_t* from, unsigned count, Request& request);
  void prepare(Request& request);
  void complete();
  std::int16_t execute(Request& request);
  bool transfer(Request& request);
  void respond(const Request& request, std::int16_t status);

  std::unique_ptr<BlockImage> image_;
  BlockOptions options_;
  BackRing ring_;
  std::unique_ptr<BackendChannel> channel_;
  std::deque<Request> queue_;
  Time busy_until_ = 0;
  bool halted_ = false;  // The ring was broken.
  Counts counts_;
  Wakeup complete_;
};

}  // namespace trapline::xen
