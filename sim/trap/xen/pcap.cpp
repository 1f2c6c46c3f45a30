#include "sim/trap/xen/pcap.h"

#include <algorithm>
#include <array>
#include <vector>

#include "sim/trap/xen/le_bytes.h"
#include "sim/trap/xen/net_checksum.h"

namespace trapline::xen {
namespace {

constexpr std::uint32_t kMagicNanoseconds = 0xa1b23c4d, kSnapLength = 65535, kLinkEthernet = 1;
constexpr Time kPicosecondsPerNanosecond = 1000;

template <std::size_t Words>
void write_words(std::ostream& out, const std::array<std::uint32_t, Words>& words) {
  std::array<std::uint8_t, Words * 4> bytes;
  for (std::size_t n = 0; n < Words; ++n) put_le(bytes.data() + 4 * n, words[n]);
  out.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

PcapWriter::PcapWriter(std::ostream& out) : out_(out) {
  // Version 2.4 is the word 2 | 4 << 16; then two words that are always zero.
  write_words<6>(out_, {kMagicNanoseconds, 4u << 16 | 2, 0, 0, kSnapLength, kLinkEthernet});
}

void PcapWriter::on_frame(Time when, const NetFrame& frame) {
  std::vector<std::uint8_t> bytes = frame.bytes;
  if (frame.checksum_blank) fill_checksum(bytes);
  const auto length = static_cast<std::uint32_t>(bytes.size());
  const Time in_second = when % kPicosecondsPerSecond / kPicosecondsPerNanosecond;
  write_words<4>(out_,
                 {static_cast<std::uint32_t>(when / kPicosecondsPerSecond),
                  static_cast<std::uint32_t>(in_second), std::min(length, kSnapLength), length});
  out_.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(std::min(length, kSnapLength)));
}

}  // namespace trapline::xen
