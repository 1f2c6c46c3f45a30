// Scripted input on a serial line, in virtual time: wait for a pattern, send a text.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "models/uart/character_port.h"
#include "sim/scenario/scenario.h"
#include "sim/time/clock.h"

namespace trapline {

/// Finds one pattern in a stream of bytes. Carriage returns are dropped, so "\n" in a pattern
/// matches a terminal's line end. A text may span lines; a regular expression is searched for in
/// the current line (its last 512 bytes), after every byte.
class PatternMatcher {
 public:
  /// Throws std::regex_error.
  PatternMatcher(std::string pattern, bool regex);

  /// Starts over; `at_line_start` says whether "^" matches here.
  void begin(bool at_line_start);
  /// Takes the next byte; true if the pattern ends there.
  bool feed(std::uint8_t byte);

 private:
  bool feed_text(char c);
  bool feed_regex(char c);

  std::string text_;
  std::vector<std::size_t> fallback_;  // Knuth-Morris-Pratt: longest border of text_[0..i].
  std::size_t matched_ = 0;
  std::optional<std::regex> regex_;
  std::string line_;
  bool line_is_whole_ = true;  // line_ holds the line from its first byte.
};

/// Plays the steps of one UART. What the UART transmits comes in by transmit(); what is sent goes
/// out through the function given to attach(), one byte at a time, at the step's pace and as the
/// receiver takes it. A step's patterns are looked for in everything that came
/// after the previous step was complete, the echo of what was sent included.
///
/// Everything here depends on virtual time and the UART's bytes only, so it is part of the run.
class UartScript final : public CharacterPort {
 public:
  /// `uart` is used in messages. Throws std::regex_error.
  UartScript(unsigned uart, std::vector<ScriptStep> steps);

  /// Starts the script at the current virtual time. `receive` offers a byte to the UART and says
  /// whether it was taken; `on_failure` is called once, at the virtual time of a step's timeout.
  /// The clock must outlive the script. Call before the run.
  void attach(Clock& clock, std::function<bool(std::uint8_t)> receive,
              std::function<void()> on_failure);

  void transmit(std::uint8_t byte) override;

  /// All patterns were seen and all bytes sent.
  bool done() const { return next_ == steps_.size() && pending_.empty(); }
  /// Why the script failed, if it did: several lines, for the user.
  const std::optional<std::string>& failure() const { return failure_; }
  /// Tells the script that the run is over: a pattern still awaited is a failure.
  void finish();

 private:
  struct Pending {
    std::string bytes;
    Time not_before;
    Time pace;
  };

  bool step_complete(std::uint8_t byte);
  void start_step();
  void send_next();
  void fail(const std::string& how);
  void remember(std::uint8_t byte);

  unsigned uart_;
  std::vector<ScriptStep> steps_;
  std::size_t next_ = 0;
  struct Awaited {
    PatternMatcher matcher;
    bool seen = false;
  };
  std::vector<std::vector<Awaited>> awaited_;  // By step.
  std::deque<Pending> pending_;
  std::size_t sent_ = 0;                // Of pending_.front().
  std::deque<std::string> last_lines_;  // The last one is not finished.
  std::optional<std::string> failure_;

  Clock* clock_ = nullptr;
  std::function<bool(std::uint8_t)> receive_;
  std::function<void()> on_failure_;
  std::optional<Wakeup> send_wakeup_;
  std::optional<Wakeup> timeout_wakeup_;
};

/// Hands each byte to several ports, in the order in which they were added.
class CharacterFanOut final : public CharacterPort {
 public:
  void add(CharacterPort& port) { ports_.push_back(&port); }
  void transmit(std::uint8_t byte) override {
    for (CharacterPort* port : ports_) port->transmit(byte);
  }

 private:
  std::vector<CharacterPort*> ports_;
};

}  // namespace trapline
