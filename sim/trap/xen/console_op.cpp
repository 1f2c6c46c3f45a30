// __HYPERVISOR_console_io.
#include <algorithm>
#include <array>
#include <string>

#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

constexpr std::size_t kChunk = 127;       // Of guest_console_write(): kbuf.
constexpr std::size_t kLineBuffer = 200;  // DOMAIN_PBUF_SIZE.
constexpr std::uint64_t kWriteCommand = 0;

bool printable(char c) {
  return (c >= 0x20 && c < 0x7f) || c == '\t';
}

/// Takes what belongs to one line from a chunk; returns how much that is.
std::size_t take_line(Call& call, const char* text, std::size_t length) {
  std::string kept;
  std::size_t taken = 0;
  bool ended = false;
  while (taken < length && !ended) {
    const char c = text[taken++];
    ended = c == '\n';
    if (printable(c)) kept += c;
  }
  std::string& buffer = call.domain.console_buffer();
  if (!ended && buffer.size() + kept.size() < kLineBuffer - 1) {
    buffer += kept;
    return taken;
  }
  const std::string line = buffer + kept;
  call.domain.host().console_line(line.data(), line.size());
  buffer.clear();
  return taken;
}

}  // namespace

std::int64_t check_console_io(Call& call) {
  return call.domain.config().console_io ? 0 : kEperm;
}

std::int64_t console_write(Call& call) {
  auto count = static_cast<std::uint32_t>(call.args[1]);
  VirtAddr at = call.args[2];
  bool first = true;
  while (count > 0) {
    if (!first && call.preempted()) return call.continue_with({kWriteCommand, count, at});
    first = false;
    std::array<char, kChunk> chunk;
    const std::size_t length = std::min<std::size_t>(count, chunk.size());
    if (!call.read_bytes(at, chunk.data(), length)) return kEfault;
    const std::size_t taken = take_line(call, chunk.data(), length);
    at += taken;
    count -= static_cast<std::uint32_t>(taken);
  }
  return 0;
}

std::int64_t console_read(Call& call) {
  const auto count = static_cast<std::uint32_t>(call.args[1]);
  if (count > 0x7fff'ffff) return kE2big;
  std::array<std::uint8_t, 128> input;
  std::uint32_t done = 0;
  while (done < count) {
    const std::size_t most = std::min<std::size_t>(count - done, input.size());
    const std::size_t got = call.domain.host().console_read(input.data(), most);
    if (got == 0) break;
    if (!call.write_bytes(call.args[2] + done, input.data(), got)) return kEfault;
    done += static_cast<std::uint32_t>(got);
    if (call.preempted()) break;  // A short read is as good.
  }
  return done;
}

}  // namespace trapline::xen
