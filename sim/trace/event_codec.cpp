#include "sim/trace/event_codec.h"

namespace trapline {
namespace {

constexpr std::uint64_t Event::*kArguments[] = {&Event::a, &Event::b, &Event::c, &Event::d};

// The flags of a record.
constexpr std::uint8_t kPlace = 1;     ///< CPU, EL and VMID follow: they are not those of before.
constexpr std::uint8_t kArgument = 2;  ///< Shifted by 0 to 3: argument a to d differs.
constexpr std::uint8_t kText = 1 << 5;
constexpr std::uint8_t kKnownFlags = kPlace | kArgument * 15 | kText;

void put_number(std::string& block, std::uint64_t value) {
  while (value >= 0x80) {
    block += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  block += static_cast<char>(value);
}

/// The difference modulo 2^64, its sign in bit 0, so that small ones of either sign are short.
void put_difference(std::string& block, std::uint64_t value, std::uint64_t& last) {
  const std::uint64_t difference = value - last;
  put_number(block, difference << 1 ^ (difference >> 63 ? ~std::uint64_t{0} : 0));
  last = value;
}

}  // namespace

void EventEncoder::add(const Event& event, std::string& block) {
  const auto kind = static_cast<std::uint8_t>(event.kind);
  auto& last = last_[kind];
  std::uint8_t flags = 0;
  if (event.cpu != place_.cpu || event.el != place_.el || event.vmid != place_.vmid) {
    flags |= kPlace;
  }
  for (unsigned n = 0; n < 4; ++n) {
    if (event.*kArguments[n] != last[n]) flags |= static_cast<std::uint8_t>(kArgument << n);
  }
  if (!event.text.empty()) flags |= kText;
  block += static_cast<char>(kind);
  block += static_cast<char>(flags);
  if (flags & kPlace) {
    block += static_cast<char>(event.cpu);
    block += static_cast<char>(event.el);
    put_number(block, event.vmid);
    place_.cpu = event.cpu;
    place_.el = event.el;
    place_.vmid = event.vmid;
  }
  Clock& clock = clocks_[event.cpu];
  put_difference(block, event.instructions, clock.instructions);
  put_difference(block, event.cycles, clock.cycles);
  for (unsigned n = 0; n < 4; ++n) {
    if (flags & kArgument << n) put_difference(block, event.*kArguments[n], last[n]);
  }
  if (flags & kText) {
    put_number(block, event.text.size());
    block += event.text;
  }
}

bool EventDecoder::byte(std::uint8_t& value) {
  if (at_end()) return false;
  value = static_cast<std::uint8_t>(block_[at_++]);
  return true;
}

bool EventDecoder::number(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    std::uint8_t part = 0;
    if (!byte(part)) return false;
    value |= std::uint64_t{part & 0x7fu} << shift;
    if (!(part & 0x80)) return shift < 63 || part <= 1;
  }
  return false;
}

bool EventDecoder::difference(std::uint64_t& value) {
  std::uint64_t folded = 0;
  if (!number(folded)) return false;
  value += folded >> 1 ^ (folded & 1 ? ~std::uint64_t{0} : 0);
  return true;
}

bool EventDecoder::next(StoredEvent& stored) {
  std::uint8_t kind = 0, flags = 0;
  if (!byte(kind) || !byte(flags) || (flags & ~kKnownFlags)) return false;
  Event& place = state_.place_;
  if (flags & kPlace) {
    std::uint8_t el = 0;
    std::uint64_t vmid = 0;
    if (!byte(place.cpu) || !byte(el) || el > 3 || !number(vmid) || vmid > 0xffff) return false;
    place.el = static_cast<El>(el);
    place.vmid = static_cast<std::uint16_t>(vmid);
  }
  auto& clock = state_.clocks_[place.cpu];
  auto& last = state_.last_[kind];
  if (!difference(clock.instructions) || !difference(clock.cycles)) return false;
  for (unsigned n = 0; n < 4; ++n) {
    if ((flags & kArgument << n) && !difference(last[n])) return false;
  }
  stored.event = place;
  stored.event.kind = static_cast<EventKind>(kind);
  stored.event.instructions = clock.instructions;
  stored.event.cycles = clock.cycles;
  for (unsigned n = 0; n < 4; ++n) stored.event.*kArguments[n] = last[n];
  stored.text.clear();
  if (flags & kText) {
    std::uint64_t length = 0;
    if (!number(length) || length > block_.size() - at_) return false;
    stored.text = block_.substr(at_, length);
    at_ += length;
  }
  return true;
}

}  // namespace trapline
