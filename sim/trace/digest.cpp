#include "sim/trace/digest.h"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <array>
#include <cstdio>

namespace trapline {

struct alignas(64) Digest::State {
  XXH3_state_t xxh;
};

Digest::Digest() : state_(std::make_unique<State>()) { reset(); }
Digest::~Digest() = default;

void Digest::reset() {
  XXH3_128bits_reset(&state_->xxh);
  events_ = 0;
}

void Digest::add(const void* data, std::size_t bytes) {
  XXH3_128bits_update(&state_->xxh, data, bytes);
}

void Digest::add(const Event& event) {
  // Explicit little-endian packing: the digest must not depend on the host's struct layout.
  std::array<std::uint8_t, 64> buffer;
  std::size_t at = 0;
  const auto put = [&](std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) buffer[at++] = static_cast<std::uint8_t>(value >> (8 * i));
  };
  put(static_cast<std::uint8_t>(event.kind), 1);
  put(event.cpu, 1);
  put(static_cast<std::uint8_t>(event.el), 1);
  put(0, 1);
  put(event.vmid, 2);
  put(event.text.size(), 2);
  put(event.instructions, 8);
  put(event.cycles, 8);
  put(event.a, 8);
  put(event.b, 8);
  put(event.c, 8);
  put(event.d, 8);
  XXH3_128bits_update(&state_->xxh, buffer.data(), at);
  if (!event.text.empty()) {
    XXH3_128bits_update(&state_->xxh, event.text.data(), event.text.size());
  }
  ++events_;
}

std::uint64_t Digest::low64() const { return XXH3_128bits_digest(&state_->xxh).low64; }

std::string Digest::text() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  char out[40];
  std::snprintf(out, sizeof out, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return out;
}

}  // namespace trapline
