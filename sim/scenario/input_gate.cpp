#include "sim/scenario/input_gate.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "sim/scenario/units.h"

namespace trapline {
namespace {

constexpr Time kLead = 1'000'000;  // 1 us

}  // namespace

HostInput HostInput::of(const Event& event) {
  return {.time = event.a,
          .quit = event.kind == EventKind::host_quit,
          .uart = static_cast<unsigned>(event.c),
          .byte = static_cast<std::uint8_t>(event.b)};
}

Event HostInput::event() const {
  return {
      .kind = quit ? EventKind::host_quit : EventKind::host_input, .a = time, .b = byte, .c = uart};
}

// Two cycles ahead at least: whoever lets something in may be in the middle of the present one.
InputGate::InputGate(Clock& clock, std::uint64_t cpu_hz, Ends ends)
    : clock_(clock),
      lead_(kLead + 2 * (kPicosecondsPerSecond / cpu_hz + 1)),
      ends_(std::move(ends)),
      wakeup_(clock, [this] { to_play_.empty() ? open() : play_next(); }) {}

void InputGate::offer(unsigned uart, std::deque<std::uint8_t>& bytes) {
  if (offered_.size() <= uart) offered_.resize(uart + 1);
  offered_[uart] = &bytes;
  if (bytes.empty() || due_ != kNever) return;
  due_ = clock_.now() + lead_;
  wakeup_.at(due_);
}

void InputGate::ask_to_quit() {
  quit_ = true;
  if (due_ != kNever) return;
  due_ = clock_.now() + lead_;
  wakeup_.at(due_);
}

void InputGate::enter(const HostInput& input) {
  if (entered_) entered_(input);
}

void InputGate::open() {
  const Time due = std::exchange(due_, kNever);
  for (unsigned uart = 0; uart < offered_.size(); ++uart) {
    std::deque<std::uint8_t>* bytes = offered_[uart];
    while (bytes && !bytes->empty() && ends_.receive(uart, bytes->front())) {
      enter({.time = due, .uart = uart, .byte = bytes->front()});
      bytes->pop_front();
    }
  }
  if (!quit_) return;
  quit_ = false;
  enter({.time = due, .quit = true});
  ends_.quit();
}

void InputGate::play(std::vector<HostInput> inputs) {
  std::stable_sort(inputs.begin(), inputs.end(),
                   [](const HostInput& a, const HostInput& b) { return a.time < b.time; });
  to_play_.assign(inputs.begin(), inputs.end());
  if (!to_play_.empty()) wakeup_.at(to_play_.front().time);
}

void InputGate::play_next() {
  const Time now = to_play_.front().time;
  while (!to_play_.empty() && to_play_.front().time == now) {
    const HostInput input = to_play_.front();
    to_play_.pop_front();
    if (input.quit) {
      enter(input);
      ends_.quit();
    } else if (ends_.receive(input.uart, input.byte)) {
      enter(input);
    } else if (!refused_) {
      refused_ =
          fmt::format("UART {} does not take byte {:#04x} at {}, as it did when that was recorded",
                      input.uart, input.byte, format_duration(now));
    }
  }
  if (!to_play_.empty()) wakeup_.at(to_play_.front().time);
}

}  // namespace trapline
