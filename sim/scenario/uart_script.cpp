#include "sim/scenario/uart_script.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "sim/scenario/units.h"

namespace trapline {
namespace {

constexpr std::size_t kSearchedBytes = 512;  // std::regex takes time and stack by length.
constexpr std::size_t kRememberedBytes = 512;
constexpr std::size_t kRememberedLines = 12;

// Control characters as a reader of a terminal log wants to see them.
std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

PatternMatcher::PatternMatcher(std::string pattern, bool regex) {
  if (regex) {
    regex_.emplace(pattern);
    return;
  }
  std::erase(pattern, '\r');
  text_ = std::move(pattern);
  fallback_.assign(text_.size(), 0);
  for (std::size_t at = 1, border = 0; at < text_.size(); ++at) {
    while (border > 0 && text_[at] != text_[border]) border = fallback_[border - 1];
    if (text_[at] == text_[border]) ++border;
    fallback_[at] = border;
  }
}

bool PatternMatcher::feed(std::uint8_t byte) {
  const char c = static_cast<char>(byte);
  if (c == '\r') return false;
  return regex_ ? feed_regex(c) : feed_text(c);
}

bool PatternMatcher::feed_text(char c) {
  if (text_.empty()) return false;
  while (matched_ > 0 && c != text_[matched_]) matched_ = fallback_[matched_ - 1];
  if (c == text_[matched_]) ++matched_;
  return matched_ == text_.size();
}

bool PatternMatcher::feed_regex(char c) {
  if (c == '\n') {
    line_.clear();
    line_is_whole_ = true;
    return false;
  }
  if (line_.size() == kSearchedBytes) {
    line_.erase(0, kSearchedBytes / 2);
    line_is_whole_ = false;
  }
  line_ += c;
  return std::regex_search(
      line_, *regex_,
      line_is_whole_ ? std::regex_constants::match_default : std::regex_constants::match_not_bol);
}

void PatternMatcher::begin(bool at_line_start) {
  matched_ = 0;
  line_.clear();
  line_is_whole_ = at_line_start;
}

UartScript::UartScript(unsigned uart, std::vector<ScriptStep> steps)
    : uart_(uart), steps_(std::move(steps)) {
  for (const ScriptStep& step : steps_) {
    std::vector<Awaited>& awaited = awaited_.emplace_back();
    for (const std::string& pattern : step.expect) {
      awaited.push_back({PatternMatcher(pattern, step.regex)});
    }
  }
}

void UartScript::attach(Clock& clock, std::function<bool(std::uint8_t)> receive,
                        std::function<void()> on_failure) {
  clock_ = &clock;
  receive_ = std::move(receive);
  on_failure_ = std::move(on_failure);
  send_wakeup_.emplace(clock, [this] { send_next(); });
  timeout_wakeup_.emplace(clock, [this] {
    fail(fmt::format("was not seen within {} of virtual time",
                     format_duration(steps_[next_].timeout)));
  });
  start_step();
}

void UartScript::start_step() {
  timeout_wakeup_->cancel();
  const Time now = clock_->now();
  for (; next_ < steps_.size(); ++next_) {
    const ScriptStep& step = steps_[next_];
    if (!step.expect.empty()) break;
    pending_.push_back({step.send, now + step.delay, step.pace});
  }
  if (next_ < steps_.size()) {
    const bool at_line_start = last_lines_.empty() || last_lines_.back().empty();
    for (Awaited& awaited : awaited_[next_]) awaited.matcher.begin(at_line_start);
    if (steps_[next_].timeout != kNever) timeout_wakeup_->at(now + steps_[next_].timeout);
  }
  if (!pending_.empty() && send_wakeup_->due() == kNever) {
    send_wakeup_->at(pending_.front().not_before);
  }
}

// Every pattern sees every byte until its own end.
bool UartScript::step_complete(std::uint8_t byte) {
  bool complete = true;
  for (Awaited& awaited : awaited_[next_]) {
    awaited.seen = awaited.seen || awaited.matcher.feed(byte);
    complete = complete && awaited.seen;
  }
  return complete;
}

void UartScript::transmit(std::uint8_t byte) {
  remember(byte);
  if (!clock_ || failure_ || next_ == steps_.size()) return;
  // No exception may leave here: the caller may be inside a guest's store instruction.
  try {
    if (!step_complete(byte)) return;
  } catch (const std::regex_error& error) {
    fail(fmt::format("could not be searched for: {}", error.what()));
    return;
  }
  const ScriptStep& step = steps_[next_++];
  if (!step.send.empty()) pending_.push_back({step.send, clock_->now() + step.delay, step.pace});
  start_step();
}

void UartScript::send_next() {
  Pending& front = pending_.front();
  const Time now = clock_->now();
  if (now < front.not_before) {
    send_wakeup_->at(front.not_before);
    return;
  }
  const Time next_byte = now + front.pace;
  if (receive_(static_cast<std::uint8_t>(front.bytes[sent_])) && ++sent_ == front.bytes.size()) {
    sent_ = 0;
    pending_.pop_front();
  }
  if (pending_.empty()) return;
  send_wakeup_->at(sent_ == 0 ? std::max(next_byte, pending_.front().not_before) : next_byte);
}

void UartScript::remember(std::uint8_t byte) {
  if (byte == '\r') return;
  if (last_lines_.empty()) last_lines_.emplace_back();
  if (byte != '\n') {
    if (last_lines_.back().size() < kRememberedBytes) last_lines_.back() += static_cast<char>(byte);
    return;
  }
  last_lines_.emplace_back();
  if (last_lines_.size() > kRememberedLines) last_lines_.pop_front();
}

void UartScript::fail(const std::string& how) {
  if (failure_) return;
  const ScriptStep& step = steps_[next_];
  std::string missing;
  for (std::size_t n = 0; n < step.expect.size(); ++n) {
    if (awaited_[next_][n].seen) continue;
    missing += fmt::format("{}{}\"{}\"", missing.empty() ? "" : " and ", step.regex ? "regex " : "",
                           printable(step.expect[n]));
  }
  std::string message =
      fmt::format("{}{}UART {}: {} {} (at {})", step.where, step.where.empty() ? "" : ": ", uart_,
                  missing, how, clock_ ? format_duration(clock_->now()) : "the start");
  message += last_lines_.empty() ? "; the UART sent nothing" : "; the last lines it sent were";
  for (const std::string& line : last_lines_) message += "\n  | " + printable(line);
  failure_ = std::move(message);
  if (send_wakeup_) send_wakeup_->cancel();
  if (timeout_wakeup_) timeout_wakeup_->cancel();
  if (on_failure_) on_failure_();
}

void UartScript::finish() {
  on_failure_ = nullptr;
  if (failure_) return;
  while (next_ < steps_.size() && steps_[next_].expect.empty()) ++next_;
  if (next_ < steps_.size()) fail("was not seen before the end of the run");
}

}  // namespace trapline
