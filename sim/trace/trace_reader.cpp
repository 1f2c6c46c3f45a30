#include <zstd.h>

#include <array>
#include <charconv>

#include "sim/trace/event_codec.h"
#include "sim/trace/trace_block.h"
#include "sim/trace/trace_file.h"

namespace trapline {
namespace {

constexpr std::string_view kTextName = "trapline-trace ";
constexpr std::size_t kLongestLine = 64 * 1024;

}  // namespace

/// The records of one block.
class TraceReader::Unpacker {
 public:
  explicit Unpacker(std::string block) : block_(std::move(block)), decoder_(block_) {}
  EventDecoder& decoder() { return decoder_; }

 private:
  std::string block_;
  EventDecoder decoder_;
};

const std::string* TraceHeader::fact(std::string_view name) const {
  for (const auto& [known, value] : facts) {
    if (known == name) return &value;
  }
  return nullptr;
}

TraceReader::TraceReader(std::istream& input, std::string name)
    : input_(input), name_(std::move(name)) {
  if (input_.peek() == trace_block::kName.front()) {
    format_ = TraceFormat::binary;
    read_binary_header();
  } else {
    read_text_header();
  }
  if (!has_events_fact_) fail("the header does not say which events were recorded");
}

TraceReader::~TraceReader() = default;

void TraceReader::fail(const std::string& what) const {
  const std::string place = format_ == TraceFormat::text ? "line " + std::to_string(line_)
                                                         : "offset " + std::to_string(offset_);
  throw TraceError(name_ + ": " + place + ": " + what);
}

/// False where a cut file ends in the middle of a line, too.
bool TraceReader::get_line(std::string& line) {
  line.clear();
  ++line_;
  for (int byte = input_.get(); byte != std::char_traits<char>::eof(); byte = input_.get()) {
    if (byte == '\n') return true;
    line += static_cast<char>(byte);
    if (line.size() > kLongestLine) fail("the line is too long for a trace");
  }
  return false;
}

void TraceReader::add_fact(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos) fail("expected a name and a value");
  const std::string_view name = line.substr(0, space), value = line.substr(space + 1);
  if (name != "events") {
    header_.facts.emplace_back(name, value);
    return;
  }
  has_events_fact_ = true;
  try {
    header_.events = EventSet::parse(value);
  } catch (const std::invalid_argument& error) {
    fail(error.what());
  }
}

void TraceReader::read_text_header() {
  std::string line;
  if (!get_line(line) || !line.starts_with(kTextName)) fail("not a trace of trapline");
  if (line.substr(kTextName.size()) != std::to_string(kTraceVersion)) {
    fail("a trace of version " + line.substr(kTextName.size()) + "; this program reads " +
         std::to_string(kTraceVersion));
  }
  while (get_line(line) && !line.empty()) add_fact(line);
  if (!line.empty() || !input_) fail("the file ends within the header");
}

void TraceReader::read_binary_header() {
  std::array<char, trace_block::kMagicBytes> magic{};
  input_.read(magic.data(), magic.size());
  if (!input_ || std::string_view(magic.data(), trace_block::kName.size()) != trace_block::kName) {
    fail("not a trace of trapline");
  }
  if (const unsigned version = static_cast<std::uint8_t>(magic.back()); version != kTraceVersion) {
    fail("a trace of version " + std::to_string(version) + "; this program reads " +
         std::to_string(kTraceVersion));
  }
  const auto block = read_block();
  if (!block) fail("the file ends within the header");
  if (block->first != 'H') fail("the header is missing");
  std::string_view text = block->second;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    add_fact(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
}

/// Nothing at the end of the file, or where it was cut.
std::optional<std::pair<char, std::string>> TraceReader::read_block() {
  offset_ = static_cast<std::uint64_t>(input_.tellg());
  std::array<char, trace_block::kHeaderBytes> bytes{};
  input_.read(bytes.data(), bytes.size());
  if (!input_) return std::nullopt;
  const trace_block::Header header = trace_block::parse({bytes.data(), bytes.size()});
  if (header.stored_bytes > trace_block::kMostBytes || header.raw_bytes > trace_block::kMostBytes) {
    fail("corrupt: a block of an impossible size");
  }
  std::string stored(header.stored_bytes, '\0');
  input_.read(stored.data(), static_cast<std::streamsize>(stored.size()));
  if (!input_) return std::nullopt;
  if (trace_block::hash(header.type, header.raw_bytes, stored) != header.hash) {
    fail("corrupt: the block's check sum is wrong");
  }
  std::string raw(header.raw_bytes, '\0');
  const std::size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) || size != raw.size()) fail("corrupt: the block does not decompress");
  return std::pair{header.type, std::move(raw)};
}

bool TraceReader::next(StoredEvent& event) {
  if (done_) return false;
  const bool more = format_ == TraceFormat::text ? next_text(event) : next_binary(event);
  if (more) {
    ++read_;
  } else {
    done_ = true;
  }
  return more;
}

bool TraceReader::next_text(StoredEvent& event) {
  std::string line;
  if (!get_line(line)) return false;
  constexpr std::string_view kEnd = "end ";
  if (line.starts_with(kEnd)) {
    read_end(std::string_view(line).substr(kEnd.size()));
    return false;
  }
  try {
    event = parse_event_text(line);
  } catch (const std::invalid_argument& error) {
    fail(error.what());
  }
  return true;
}

bool TraceReader::next_binary(StoredEvent& event) {
  while (!unpacker_ || unpacker_->decoder().at_end()) {
    auto block = read_block();
    if (!block) return false;
    if (block->first == 'Z') {
      read_end(block->second);
      return false;
    }
    if (block->first != 'E') fail("corrupt: a block of an unknown type");
    unpacker_ = std::make_unique<Unpacker>(std::move(block->second));
  }
  if (!unpacker_->decoder().next(event)) fail("corrupt: a record in this block");
  return true;
}

void TraceReader::read_end(std::string_view text) {
  constexpr std::string_view kDigest = "digest=", kEvents = " events=";
  const std::size_t events = text.find(kEvents);
  TraceEnd end;
  if (!text.starts_with(kDigest) || events == std::string_view::npos) fail("a bad last line");
  end.digest = text.substr(kDigest.size(), events - kDigest.size());
  const std::string_view count = text.substr(events + kEvents.size());
  const auto [at, error] = std::from_chars(count.data(), count.data() + count.size(), end.events);
  if (error != std::errc{} || at != count.data() + count.size()) fail("a bad last line");
  if (end.events != read_) {
    fail("the end speaks of " + std::string(count) + " events, but there are " +
         std::to_string(read_));
  }
  end_ = end;
}

}  // namespace trapline
