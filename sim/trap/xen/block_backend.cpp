#include "sim/trap/xen/block_backend.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <stdexcept>
#include <utility>

#include "sim/trap/xen/le_bytes.h"

namespace trapline::xen {
namespace {

// blkif.h.
constexpr std::uint8_t kRead = 0, kWrite = 1, kWriteBarrier = 2, kFlushDiskcache = 3, kDiscard = 5,
                       kIndirect = 6;
constexpr std::int16_t kOkay = 0, kError = -1, kNotSupported = -2;
constexpr std::uint32_t kInfoCdrom = 1, kInfoReadOnly = 4;
constexpr unsigned kSegments = 11;  // BLKIF_MAX_SEGMENTS_PER_REQUEST
constexpr unsigned kIndirectSegments = 256;
constexpr unsigned kMostRingOrder = 2;

// blkif_request and what overlays it, in the layout of 64-bit machines.
constexpr std::size_t kEntryBytes = 112, kResponseBytes = 16;
constexpr std::size_t kOperation = 0, kCount8 = 1, kId = 8, kSector = 16, kSegmentList = 24;
constexpr std::size_t kIndirectOperation = 1, kIndirectCount = 2, kIndirectRefs = 28;
constexpr std::size_t kDiscardCount = 24;
constexpr std::size_t kSegmentBytes = 8;
constexpr unsigned kPageSectors = kPageBytes / kSectorBytes;
constexpr unsigned kSegmentsInPage = kPageBytes / kSegmentBytes;

void check(const BlockOptions& options, std::uint64_t sectors) {
  const auto refuse = [](const std::string& why) { throw std::invalid_argument(why); };
  if (options.number >= 26) refuse("a domain has at most 26 disks");
  if (!std::has_single_bit(options.sector_bytes) || options.sector_bytes < kSectorBytes ||
      options.sector_bytes > kPageBytes) {
    refuse("a disk's sectors are 512, 1024, 2048 or 4096 bytes");
  }
  if (!std::has_single_bit(options.physical_sector_bytes) ||
      options.physical_sector_bytes < options.sector_bytes) {
    refuse("a disk's physical sectors are a power of two and no smaller than its sectors");
  }
  if (sectors == 0 || sectors * kSectorBytes % options.physical_sector_bytes != 0) {
    refuse("a disk holds a whole number of its physical sectors, and at least one");
  }
}

}  // namespace

std::string block_device_name(unsigned number) {
  return std::string("xvd") + static_cast<char>('a' + number);
}

// xen-vbd-interface(7): 202 << 8 | disk << 4 for the first 16 disks, and 1 << 28 | disk << 8 after.
unsigned block_device_id(unsigned number) {
  return number < 16 ? 202u << 8 | number << 4 : 1u << 28 | number << 8;
}

BlockBackend::BlockBackend(const GuestPorts& guest, XenstoreServer& server,
                           std::unique_ptr<BlockImage> image, const BlockOptions& options)
    : XenbusBackend(guest, server, "vbd", block_device_id(options.number)),
      image_(std::move(image)),
      options_(options),
      complete_(server.clock(), [this] { complete(); }) {
  check(options_, image_->sectors());
  if (options_.cdrom) options_.read_only = true;
  const std::string type = options_.cdrom ? "cdrom" : "disk";
  start({{"virtual-device", std::to_string(block_device_id(options_.number))},
         {"device-type", type},
         {"trusted", "1"}},
        {},
        {{"params", options_.path},
         {"removable", options_.cdrom ? "1" : "0"},
         {"bootable", "1"},
         {"dev", block_device_name(options_.number)},
         {"type", "phy"},
         {"mode", options_.read_only ? "r" : "w"},
         {"device-type", type},
         {"discard-enable", "1"},
         {"specification", "xen"}});
}

void BlockBackend::publish() {
  const auto put = [&](const char* name, std::uint64_t value) {
    store_.write(backend() + "/" + name, value);
  };
  put("feature-flush-cache", 1);
  put("feature-barrier", 1);
  put("feature-persistent", 0);
  put("feature-max-indirect-segments", kIndirectSegments);
  put("max-ring-page-order", kMostRingOrder);
  put("feature-discard", options_.read_only ? 0 : 1);
  if (options_.read_only) return;
  put("discard-granularity", options_.sector_bytes);
  put("discard-alignment", 0);
  put("discard-secure", 0);
}

bool BlockBackend::connect(std::string& problem) {
  const auto protocol = store_.read(frontend() + "/protocol");
  if (protocol && *protocol != "arm-abi" && *protocol != "x86_64-abi") {
    problem = frontend() + "/protocol is not arm-abi";
    return false;
  }
  const std::uint64_t order = front_number("ring-page-order").value_or(0);
  if (order > kMostRingOrder) {
    problem = frontend() + "/ring-page-order is above " + std::to_string(kMostRingOrder);
    return false;
  }
  if (front_number("multi-queue-num-queues").value_or(1) != 1) {
    problem = frontend() + "/multi-queue-num-queues is not 1";
    return false;
  }
  std::vector<std::unique_ptr<GrantedPage>> pages;
  for (unsigned n = 0; n < 1u << order; ++n) {
    const bool single = order == 0 && front_number("ring-ref").has_value();
    auto page = map(single ? "ring-ref" : "ring-ref" + std::to_string(n), problem);
    if (!page) return false;
    pages.push_back(std::move(page));
  }
  ring_ = BackRing(std::move(pages), kEntryBytes);
  halted_ = false;
  channel_ = bind(
      "event-channel", [this] { take_requests(); }, problem);
  if (!channel_) return false;
  const auto put = [&](const char* name, std::uint64_t value) {
    store_.write(backend() + "/" + name, value);
  };
  put("sectors", image_->sectors());
  put("info", (options_.cdrom ? kInfoCdrom : 0) | (options_.read_only ? kInfoReadOnly : 0));
  put("sector-size", options_.sector_bytes);
  put("physical-sector-size", options_.physical_sector_bytes);
  take_requests();
  return true;
}

void BlockBackend::disconnect() {
  complete_.cancel();
  queue_.clear();
  channel_.reset();
  ring_ = BackRing();
}

void BlockBackend::take_requests() {
  if (halted_ || !ring_.attached()) return;
  bool broken = false;
  do {
    for (std::uint32_t count = ring_.available(broken); count > 0; --count) {
      std::array<std::uint8_t, kEntryBytes> entry;
      ring_.peek(0, entry);
      ring_.consume(1);
      Request request = parse(entry.data());
      if (!request.bad) prepare(request);
      if (request.bad) request.pages.clear();
      const Time begin = std::max(busy_until_, store_.server().clock().now());
      request.due = busy_until_ = begin + duration(request);
      queue_.push_back(std::move(request));
    }
  } while (!broken && ring_.final_check(broken));
  // A ring that cannot be believed is not looked at again until the front end makes another.
  if (broken) {
    halted_ = true;
    complain("the ring's request index is out of reach; no more requests are taken");
  }
  if (!queue_.empty()) complete_.at(queue_.front().due);
}

Time BlockBackend::duration(const Request& request) const {
  const BlockTiming& timing = options_.timing;
  if (request.bad || request.unknown) return timing.request;
  const std::uint64_t bytes = request.count * kSectorBytes;
  if (request.work == kDiscard) return timing.request + bytes / 1024 * timing.discard_per_kib;
  return timing.request + bytes * timing.per_byte;
}

BlockBackend::Request BlockBackend::parse(const std::uint8_t* entry) {
  Request request;
  request.operation = request.work = entry[kOperation];
  request.id = get_le<std::uint64_t>(entry + kId);
  request.sector = get_le<std::uint64_t>(entry + kSector);
  switch (request.operation) {
    case kRead:
    case kWrite:
    case kWriteBarrier:
    case kFlushDiskcache:
      parse_direct(entry, request);
      break;
    case kIndirect:
      parse_indirect(entry, request);
      break;
    case kDiscard:
      request.count = get_le<std::uint64_t>(entry + kDiscardCount);
      break;
    default:
      request.unknown = true;
      return request;
  }
  if (request.count > 0 || !request.segments.empty()) check_range(request);
  return request;
}

void BlockBackend::check_range(Request& request) {
  const std::uint64_t sectors = image_->sectors();
  const std::uint64_t unit = options_.sector_bytes / kSectorBytes;
  if (request.sector > sectors || request.count > sectors - request.sector) request.bad = true;
  if (request.sector % unit != 0 || request.count % unit != 0) request.bad = true;
  if (request.work != kRead && options_.read_only) request.bad = true;
}

void BlockBackend::parse_direct(const std::uint8_t* entry, Request& request) {
  const unsigned count = entry[kCount8];
  // Only a flush may come without data.
  if (count > kSegments || (count == 0 && request.work != kFlushDiskcache)) {
    request.bad = true;
    return;
  }
  add_segments(entry + kSegmentList, count, request);
}

// The segments stand in pages of their own. The response names the operation behind the
// indirection.
void BlockBackend::parse_indirect(const std::uint8_t* entry, Request& request) {
  request.operation = request.work = entry[kIndirectOperation];
  unsigned count = get_le<std::uint16_t>(entry + kIndirectCount);
  if ((request.work != kRead && request.work != kWrite) || count == 0 ||
      count > kIndirectSegments) {
    request.bad = true;
    return;
  }
  for (unsigned n = 0; count > 0 && !request.bad; ++n) {
    const auto ref = get_le<std::uint32_t>(entry + kIndirectRefs + 4 * n);
    const auto page = guest_.grants.map(ref, false);
    const unsigned part = std::min(count, kSegmentsInPage);
    if (page) {
      add_segments(page->bytes(), part, request);
    } else {
      request.bad = true;
    }
    count -= part;
  }
}

void BlockBackend::add_segments(const std::uint8_t* from, unsigned count, Request& request) {
  const unsigned unit = options_.sector_bytes / kSectorBytes;
  for (unsigned n = 0; n < count; ++n, from += kSegmentBytes) {
    const Segment segment{get_le<std::uint32_t>(from), from[4], from[5]};
    if (segment.first > segment.last || segment.last >= kPageSectors || segment.first % unit != 0 ||
        (segment.last + 1u) % unit != 0) {
      request.bad = true;
      return;
    }
    request.count += segment.last + 1u - segment.first;
    request.segments.push_back(segment);
  }
}

// The pages stay mapped until the response, as the front end may not take them back earlier.
void BlockBackend::prepare(Request& request) {
  const bool writable = request.work == kRead;
  for (const Segment& segment : request.segments) {
    request.pages.push_back(guest_.grants.map(segment.ref, writable));
    if (!request.pages.back()) {
      request.bad = true;
      return;
    }
  }
}

void BlockBackend::complete() {
  const Time now = store_.server().clock().now();
  while (!queue_.empty() && queue_.front().due <= now) {
    Request& request = queue_.front();
    const std::int16_t status = request.unknown ? kNotSupported
                                : request.bad   ? kError
                                                : execute(request);
    if (status != kOkay) ++counts_.errors;
    request.pages.clear();
    respond(request, status);
    queue_.pop_front();
  }
  if (ring_.push()) channel_->notify();
  take_requests();
  if (!queue_.empty()) complete_.at(queue_.front().due);
}

std::int16_t BlockBackend::execute(Request& request) {
  bool done = true;
  switch (request.work) {
    case kRead:
      ++counts_.reads;
      done = transfer(request);
      break;
    case kWrite:
      ++counts_.writes;
      done = transfer(request);
      break;
    case kWriteBarrier:
    case kFlushDiskcache:
      // What came before is done, as nothing overtakes; it is made durable first.
      ++counts_.flushes;
      done = image_->flush() && transfer(request);
      if (done && request.work == kWriteBarrier) done = image_->flush();
      break;
    default:
      ++counts_.discards;
      done = image_->discard(request.sector, request.count);
  }
  return done ? kOkay : kError;
}

bool BlockBackend::transfer(Request& request) {
  std::uint64_t sector = request.sector;
  for (std::size_t n = 0; n < request.segments.size(); ++n) {
    const Segment& segment = request.segments[n];
    const unsigned sectors = segment.last + 1u - segment.first;
    const std::size_t offset = segment.first * kSectorBytes;
    const std::span<std::uint8_t> bytes(request.pages[n]->bytes() + offset, sectors * kSectorBytes);
    if (request.work == kRead) {
      if (!image_->read(sector, bytes)) return false;
      request.pages[n]->written(offset, bytes.size());
    } else if (!image_->write(sector, bytes)) {
      return false;
    }
    sector += sectors;
  }
  counts_.sectors += request.count;
  return true;
}

void BlockBackend::respond(const Request& request, std::int16_t status) {
  std::array<std::uint8_t, kResponseBytes> response{};
  put_le(response.data(), request.id);
  response[8] = request.operation;
  put_le(response.data() + 10, static_cast<std::uint16_t>(status));
  ring_.respond(response);
}

}  // namespace trapline::xen
