// Where input from outside enters virtual time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/time/clock.h"
#include "sim/trace/event.h"

namespace trapline {

/// One thing that came from outside.
struct HostInput {
  Time time = 0;
  bool quit = false;  ///< The user ends the run; else a byte for a UART.
  unsigned uart = 0;
  std::uint8_t byte = 0;

  static HostInput of(const Event& event);
  Event event() const;
  friend bool operator==(const HostInput&, const HostInput&) = default;
};

/// Lets bytes and the wish to quit into the run at moments of virtual time that lie strictly ahead
/// when they are chosen. So a run that knows them from the beginning is the same run.
class InputGate {
 public:
  struct Ends {
    std::function<bool(unsigned uart, std::uint8_t byte)> receive;  ///< False: no room.
    std::function<void()> quit;
  };

  /// `cpu_hz` is the clock of the CPUs. The clock must outlive the gate.
  InputGate(Clock& clock, std::uint64_t cpu_hz, Ends ends);

  /// Is told of everything that entered.
  void on_entered(std::function<void(const HostInput&)> action) { entered_ = std::move(action); }

  /// Bytes that wait for `uart`; the UART takes what it has room for and the rest is offered again.
  void offer(unsigned uart, std::deque<std::uint8_t>& bytes);
  void ask_to_quit();

  /// Instead of the above: what entered in another run, by time.
  void play(std::vector<HostInput> inputs);
  /// A byte that was taken then and was not now: this is another run.
  const std::optional<std::string>& refused() const { return refused_; }

 private:
  void open();
  void enter(const HostInput& input);
  void play_next();

  Clock& clock_;
  Time lead_;
  Ends ends_;
  std::function<void(const HostInput&)> entered_;
  std::vector<std::deque<std::uint8_t>*> offered_;  // By UART.
  bool quit_ = false;
  Time due_ = kNever;
  std::deque<HostInput> to_play_;
  std::optional<std::string> refused_;
  Wakeup wakeup_;
};

}  // namespace trapline
