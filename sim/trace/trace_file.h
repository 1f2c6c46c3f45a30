// Trace files: a run's events with what the run was made of, as text for review or compressed for
// long runs. traces/FORMAT.md describes both forms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/arch/one_line.h"
#include "sim/trace/event_schema.h"
#include "sim/trace/event_text.h"

namespace trapline {

inline constexpr unsigned kTraceVersion = 1;

/// A file that is no trace, of another version, or corrupt. what() is one line with the place.
class TraceError : public std::runtime_error {
 public:
  explicit TraceError(std::string_view what) : std::runtime_error(one_line(what)) {}
};

enum class TraceFormat : std::uint8_t { text, binary };

/// What stands before the events.
struct TraceHeader {
  /// What the run was made of, in order: "machine" "virt", "image.kernel" "<digest> vmlinuz"... A
  /// name is one word; a value is one line.
  std::vector<std::pair<std::string, std::string>> facts;
  EventSet events = EventSet::standard();  ///< The kinds that were recorded.

  /// nullptr if there is none of that name.
  const std::string* fact(std::string_view name) const;
};

/// What stands behind the events of a run that came to its end.
struct TraceEnd {
  std::string digest;        ///< Of the whole run, recorded or not.
  std::uint64_t events = 0;  ///< In the file.
};

/// Writes a trace. Only finish() makes it whole.
class TraceWriter final : public Sink {
 public:
  using Output = std::function<void(std::string_view bytes)>;

  TraceWriter(TraceFormat format, const TraceHeader& header, Output output);
  ~TraceWriter() override;

  /// Events of kinds that the header does not name are left out.
  void on_event(const Event& event) override;
  bool wants(EventKind kind) const override { return events_.has(kind); }
  void finish(std::string_view digest);
  /// Writes what is held back. Without finish() the trace reads as one that was cut short.
  void flush();

 private:
  class Packer;

  EventSet events_;
  Output output_;
  std::uint64_t written_ = 0;
  std::unique_ptr<Packer> packer_;  // Of the binary form.
};

/// Reads a trace of either form.
class TraceReader {
 public:
  /// `name` is for messages. Throws TraceError.
  TraceReader(std::istream& input, std::string name);
  ~TraceReader();

  TraceFormat format() const { return format_; }
  const TraceHeader& header() const { return header_; }
  /// False where the file ends, whole or cut short. Throws TraceError for a corrupt one.
  bool next(StoredEvent& event);
  /// After next() returned false: nothing if the file was cut short.
  const std::optional<TraceEnd>& end() const { return end_; }

 private:
  class Unpacker;

  [[noreturn]] void fail(const std::string& what) const;
  bool get_line(std::string& line);
  void add_fact(std::string_view line);
  void read_text_header();
  void read_binary_header();
  std::optional<std::pair<char, std::string>> read_block();
  bool next_text(StoredEvent& event);
  bool next_binary(StoredEvent& event);
  void read_end(std::string_view text);

  std::istream& input_;
  std::string name_;
  TraceFormat format_ = TraceFormat::text;
  TraceHeader header_;
  std::optional<TraceEnd> end_;
  bool has_events_fact_ = false;
  std::uint64_t line_ = 0;    // Of the text form, from 1.
  std::uint64_t offset_ = 0;  // Where the line or block being read begins.
  std::uint64_t read_ = 0;    // Events.
  bool done_ = false;
  std::unique_ptr<Unpacker> unpacker_;  // Of the binary form.
};

/// The form that a file name asks for: binary for ".ttb", text for any other.
TraceFormat trace_format_of(std::string_view path);

}  // namespace trapline
