// Binary traces whose blocks are sound and whose contents are not: sizes, hashes and compression are
// made here, so that the records behind them are reached.
#include <zstd.h>

#include "sim/trace/event_codec.h"
#include "sim/trace/trace_block.h"
#include "tests/fuzz/trace_use.h"

namespace {

using namespace trapline;

std::string block(char type, std::string_view raw, std::size_t claimed) {
  std::string stored(ZSTD_compressBound(raw.size()), '\0');
  stored.resize(ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), 1));
  return trace_block::header(type, claimed, stored) + stored;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  std::string file = trace_block::magic();
  while (!input.empty()) {
    // A lower-case type claims another size than it has.
    const char type = static_cast<char>(input.byte());
    const std::uint64_t length = input.number(2);
    const std::string_view raw = fuzz::Input::text(input.take(length));
    const bool lies = type >= 'a' && type <= 'z';
    file += block(lies ? static_cast<char>(type - 'a' + 'A') : type, raw,
                  lies ? length * 3 : raw.size());
    EventDecoder decoder(raw);
    for (StoredEvent event; !decoder.at_end() && decoder.next(event);) {
    }
  }
  fuzz::use_trace(file);
  return 0;
}
