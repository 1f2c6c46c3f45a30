#include "sim/trap/xen/console_backend.h"

#include "sim/trap/xen/le_bytes.h"

namespace trapline::xen {
namespace {

// xencons_interface.
constexpr std::uint32_t kInBytes = 1024, kOutBytes = 2048;
constexpr std::size_t kIn = 0, kOut = 1024, kInCons = 3072, kInProd = 3076, kOutCons = 3080,
                      kOutProd = 3084, kConnection = 3088;
constexpr std::uint8_t kConnected = 0;
// Longer lines are cut in the trace, as the PL011's are.
constexpr std::size_t kLongestLine = 4096;

}  // namespace

ConsoleBackend::ConsoleBackend(DomainMemory& memory, Gfn gfn, Channels& channels,
                               CharacterPort& output, Sink* sink, unsigned index)
    : memory_(memory), gfn_(gfn), output_(output), sink_(sink), index_(index) {
  channel_ = channels.allocate([this] { take_output(); }, port_);
  if (std::uint8_t* page = memory_.own_frame(gfn_)) {
    for (const std::size_t field : {kInCons, kInProd, kOutCons, kOutProd}) {
      put_le<std::uint32_t>(page + field, 0);
    }
    page[kConnection] = kConnected;
    memory_.written(gfn_, kInCons, kConnection + 1 - kInCons);
  }
}

bool ConsoleBackend::receive(std::uint8_t byte) {
  std::uint8_t* page = memory_.own_frame(gfn_);
  if (!page) return false;
  const auto consumer = get_le<std::uint32_t>(page + kInCons);
  const auto producer = get_le<std::uint32_t>(page + kInProd);
  if (producer - consumer >= kInBytes) return false;
  const std::size_t at = kIn + producer % kInBytes;
  page[at] = byte;
  memory_.written(gfn_, at, 1);
  put_le(page + kInProd, producer + 1);
  memory_.written(gfn_, kInProd, 4);
  channel_->notify();
  return true;
}

void ConsoleBackend::take_output() {
  std::uint8_t* page = memory_.own_frame(gfn_);
  if (!page) return;
  const auto consumer = get_le<std::uint32_t>(page + kOutCons);
  const auto producer = get_le<std::uint32_t>(page + kOutProd);
  const std::uint32_t count = producer - consumer;
  if (count == 0 || count > kOutBytes) return;
  for (std::uint32_t n = 0; n < count; ++n) {
    const std::uint8_t byte = page[kOut + (consumer + n) % kOutBytes];
    record(byte);
    output_.transmit(byte);
  }
  put_le(page + kOutCons, producer);
  memory_.written(gfn_, kOutCons, 4);
  channel_->notify();
}

void ConsoleBackend::flush() {
  take_output();
  if (!line_.empty()) end_line();
}

void ConsoleBackend::record(std::uint8_t byte) {
  if (!sink_) return;
  if (byte == '\n') return end_line();
  if (byte == '\r') return;
  line_.push_back(static_cast<char>(byte));
  if (line_.size() >= kLongestLine) end_line();
}

void ConsoleBackend::end_line() {
  Event event;
  event.kind = EventKind::uart_line;
  event.a = index_;
  event.text = line_;
  sink_->on_event(event);
  line_.clear();
}

}  // namespace trapline::xen
