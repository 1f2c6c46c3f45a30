// The user's terminal and the signals that end a run.
#pragma once

#include <optional>

namespace trapline {

/// Puts a terminal into raw mode, where keys reach the guest as they are: no echo, no line editing,
/// no signals from the keyboard. Output keeps its line-end translation. The mode found is restored
/// by the destructor and, should the process die of a signal, on the way out. One at a time.
class RawTerminal {
 public:
  /// `fd` must be a terminal. Throws std::system_error if its mode cannot be set.
  explicit RawTerminal(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
};

/// Turns SIGINT, SIGTERM and SIGHUP into a question that is asked between slices of a run, so that
/// outputs are flushed. A second such signal ends the process at once. A process stopped by the
/// shell comes back in raw mode. SIGPIPE is ignored: writes report it. One at a time.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The signal that asked the run to end, if one did.
  std::optional<int> received() const;
};

}  // namespace trapline
