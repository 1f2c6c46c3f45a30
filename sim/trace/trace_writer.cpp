#include <zstd.h>

#include <stdexcept>

#include "sim/trace/event_codec.h"
#include "sim/trace/trace_block.h"
#include "sim/trace/trace_file.h"

namespace trapline {
namespace {

std::string header_text(const TraceHeader& header) {
  std::string text;
  for (const auto& [name, value] : header.facts) text += name + ' ' + value + '\n';
  text += "events " + header.events.text() + '\n';
  return text;
}

std::string end_text(std::string_view digest, std::uint64_t events) {
  return "digest=" + std::string(digest) + " events=" + std::to_string(events);
}

}  // namespace

/// Collects records and writes them a block at a time.
class TraceWriter::Packer {
 public:
  explicit Packer(const Output& output) : output_(output) {}

  void add(const Event& event) {
    encoder_.add(event, records_);
    if (records_.size() >= kBlockBytes) flush();
  }

  void flush() {
    if (!records_.empty()) write('E', records_);
    records_.clear();
    encoder_.restart();
  }

  void write(char type, std::string_view raw) {
    std::string stored(ZSTD_compressBound(raw.size()), '\0');
    const std::size_t size =
        ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), kCompressionLevel);
    if (ZSTD_isError(size)) throw std::runtime_error(ZSTD_getErrorName(size));
    stored.resize(size);
    output_(trace_block::header(type, raw.size(), stored));
    output_(stored);
  }

 private:
  static constexpr std::size_t kBlockBytes = 128 * 1024;
  static constexpr int kCompressionLevel = 3;

  const Output& output_;
  EventEncoder encoder_;
  std::string records_;
};

TraceWriter::TraceWriter(TraceFormat format, const TraceHeader& header, Output output)
    : events_(header.events), output_(std::move(output)) {
  if (format == TraceFormat::text) {
    output_("trapline-trace " + std::to_string(kTraceVersion) + '\n' + header_text(header) + '\n');
    return;
  }
  packer_ = std::make_unique<Packer>(output_);
  output_(trace_block::magic());
  packer_->write('H', header_text(header));
}

TraceWriter::~TraceWriter() = default;

void TraceWriter::on_event(const Event& event) {
  if (!events_.has(event.kind)) return;
  ++written_;
  if (packer_) {
    packer_->add(event);
  } else {
    output_(event_text(event) + '\n');
  }
}

void TraceWriter::flush() {
  if (packer_) packer_->flush();
}

void TraceWriter::finish(std::string_view digest) {
  const std::string end = end_text(digest, written_);
  flush();
  if (packer_) {
    packer_->write('Z', end);
  } else {
    output_("end " + end + '\n');
  }
}

TraceFormat trace_format_of(std::string_view path) {
  return path.ends_with(".ttb") ? TraceFormat::binary : TraceFormat::text;
}

}  // namespace trapline
