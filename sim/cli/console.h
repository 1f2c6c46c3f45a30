// The host's end of the UARTs: terminal, files, pseudo-terminals.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "models/uart/character_port.h"
#include "sim/scenario/scenario.h"
#include "sim/time/clock.h"

namespace trapline {

/// A file descriptor that closes itself.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1, bool owned = true) : fd_(fd), owned_(owned) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_), owned_(other.owned_) {
    other.fd_ = -1;
  }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  int get() const { return fd_; }
  /// Closes now; false with errno set if the system reports a delayed write error.
  bool close();

 private:
  int fd_;
  bool owned_;
};

/// Bytes on their way out. Never throws while the machine runs: an error is kept, and later bytes
/// are dropped, until somebody asks.
class HostOutput final : public CharacterPort {
 public:
  /// What to do with a reader that does not read: wait for it, or drop bytes (a pseudo-terminal
  /// that nobody opened).
  enum class WhenFull : std::uint8_t { wait, drop };

  HostOutput(FileDescriptor fd, std::string name, WhenFull when_full = WhenFull::wait)
      : fd_(std::move(fd)), name_(std::move(name)), when_full_(when_full) {}

  /// Creates or truncates a file. Throws ScenarioError naming it.
  static HostOutput to_file(const std::string& path);

  void transmit(std::uint8_t byte) override;
  void write(std::string_view text);
  void flush();
  /// Flushes and closes; the last chance for an error to show.
  void close();
  /// The last byte ended a line, or there was none.
  bool at_line_start() const { return at_line_start_; }
  /// "out.log: No space left on device".
  const std::optional<std::string>& error() const { return error_; }

 private:
  void fail(int number);

  FileDescriptor fd_;
  std::string name_;
  WhenFull when_full_;
  std::string buffer_;
  bool at_line_start_ = true;
  std::optional<std::string> error_;
};

/// A UART beside the one that has the terminal: its output goes there too, a line at a time and each
/// with the UART's name in front.
class TaggedLines final : public CharacterPort {
 public:
  TaggedLines(std::shared_ptr<HostOutput> terminal, const std::string& name);
  void transmit(std::uint8_t byte) override;
  /// Writes a line that has no end yet.
  void end_line();

 private:
  std::shared_ptr<HostOutput> terminal_;
  std::string tag_;
  std::string line_;
};

/// What the user typed, less the commands to the simulator. Ctrl-A is the escape, as in QEMU.
class EscapeDecoder {
 public:
  enum class Command : std::uint8_t { none, quit, help };

  /// Takes one key. Bytes for the guest are appended to `to_guest`.
  Command feed(std::uint8_t byte, std::deque<std::uint8_t>& to_guest);
  static std::string_view help();

 private:
  bool escaped_ = false;
};

/// The far end of one UART: where its bytes go, and what the host has for it.
class UartHost {
 public:
  /// Opens what `spec` names. `read_stdin` says whether standard input belongs to this UART.
  /// `name` is what lines are marked with, and `terminal` standard output, which UARTs share. Throws
  /// ScenarioError naming what cannot be opened.
  UartHost(unsigned index, const std::string& name, const UartBackendSpec& spec,
           bool read_stdin, std::shared_ptr<HostOutput> terminal);

  CharacterPort& output();
  HostOutput* host_output() { return output_.get(); }
  /// Ends what the run left unfinished.
  void end_line() {
    if (lines_) lines_->end_line();
  }
  /// Bytes read from the host and not yet taken by the UART.
  std::deque<std::uint8_t>& pending() { return pending_; }

  /// The descriptor to wait on for input; -1 for none (any more).
  int input_fd() const { return input_open_ ? input_.get() : -1; }
  /// Moves what can be read without waiting into pending(), or through `escapes` if given. Returns
  /// the first command met; keys after it wait for the next call.
  EscapeDecoder::Command read_input(EscapeDecoder* escapes);

  /// "UART 1 is /dev/pts/3", for a pseudo-terminal.
  const std::string& announcement() const { return announcement_; }

 private:
  class Null final : public CharacterPort {
    void transmit(std::uint8_t) override {}
  };

  void open_pty(unsigned index);

  Null null_;
  std::shared_ptr<HostOutput> output_;
  std::optional<TaggedLines> lines_;
  FileDescriptor input_;
  FileDescriptor pty_far_end_;  // Held open, or the near end reports errors until somebody comes.
  bool input_open_ = false;
  std::deque<std::uint8_t> pending_;
  std::deque<std::uint8_t> unread_;  // Read, but behind a command.
  std::string announcement_;
};

/// Keeps an interactive session from running ahead of the clock on the wall. Virtual time that was
/// lost (a slow host) is not made up for.
class Pacer {
 public:
  /// How long to sleep now, in seconds; 0 if virtual time is not ahead. `host` is any monotonic
  /// time in seconds.
  double ahead(Time virtual_time, double host);

 private:
  std::optional<double> offset_;  // Virtual minus host time at the last moment of no debt.
};

}  // namespace trapline
