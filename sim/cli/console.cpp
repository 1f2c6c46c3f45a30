#include "sim/cli/console.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace trapline {
namespace {

constexpr std::size_t kFlushAt = 1 << 16;
constexpr std::size_t kEnoughPending = 1 << 12;  // The host's writer may wait beyond that.
constexpr std::size_t kLongestLine = 4096;
constexpr std::uint8_t kEscape = 1;              // Ctrl-A.

bool readable_now(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLIN | POLLHUP)) != 0;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  close();
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(owned_, other.owned_);
  return *this;
}

bool FileDescriptor::close() {
  const int fd = std::exchange(fd_, -1);
  return fd < 0 || !owned_ || ::close(fd) == 0;
}

HostOutput HostOutput::to_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) throw ScenarioError(fmt::format("{}: {}", path, std::strerror(errno)));
  return HostOutput(FileDescriptor(fd), path);
}

void HostOutput::transmit(std::uint8_t byte) {
  if (error_) return;
  buffer_ += static_cast<char>(byte);
  at_line_start_ = byte == '\n';
  if (buffer_.size() >= kFlushAt) flush();
}

void HostOutput::write(std::string_view text) {
  if (error_ || text.empty()) return;
  buffer_ += text;
  at_line_start_ = text.back() == '\n';
  if (buffer_.size() >= kFlushAt) flush();
}

void HostOutput::flush() {
  std::size_t done = 0;
  while (done < buffer_.size() && !error_) {
    const ssize_t n = ::write(fd_.get(), buffer_.data() + done, buffer_.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN && when_full_ == WhenFull::drop) {
      break;
    } else if (errno == EAGAIN) {
      // Somebody else made the descriptor non-blocking, as shells do with a shared terminal.
      pollfd entry{fd_.get(), POLLOUT, 0};
      ::poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      fail(errno);
    }
  }
  buffer_.clear();
}

void HostOutput::close() {
  flush();
  if (!fd_.close() && !error_) fail(errno);
}

void HostOutput::fail(int number) {
  error_ = fmt::format("{}: {}", name_, std::strerror(number));
}

TaggedLines::TaggedLines(std::shared_ptr<HostOutput> terminal, const std::string& name)
    : terminal_(std::move(terminal)), tag_(name + ": ") {}

void TaggedLines::transmit(std::uint8_t byte) {
  if (byte == '\r') return;
  if (byte != '\n') line_ += static_cast<char>(byte);
  if (byte != '\n' && line_.size() < kLongestLine) return;
  // What another UART has begun stays a line of its own.
  if (!terminal_->at_line_start()) terminal_->write("\n");
  terminal_->write(tag_ + line_ + "\n");
  line_.clear();
}

void TaggedLines::end_line() {
  if (!line_.empty()) transmit('\n');
}

EscapeDecoder::Command EscapeDecoder::feed(std::uint8_t byte, std::deque<std::uint8_t>& to_guest) {
  if (!escaped_) {
    escaped_ = byte == kEscape;
    if (!escaped_) to_guest.push_back(byte);
    return Command::none;
  }
  escaped_ = false;
  switch (byte) {
    case 'x':
      return Command::quit;
    case 'h':
    case '?':
      return Command::help;
    case 'a':
    case kEscape:
      to_guest.push_back(kEscape);
      break;
    case 'd':
      to_guest.insert(to_guest.end(), 3, kEscape);
      break;
    default:
      break;  // As QEMU: an unknown command is dropped.
  }
  return Command::none;
}

std::string_view EscapeDecoder::help() {
  return "\n"
         "Ctrl-A x       quit\n"
         "Ctrl-A d       send Ctrl-A three times: Xen gives the console to the next domain\n"
         "Ctrl-A Ctrl-A  send Ctrl-A (also Ctrl-A a)\n"
         "Ctrl-A h       this help\n";
}

UartHost::UartHost(unsigned index, const std::string& name, const UartBackendSpec& spec,
                   bool read_stdin, std::shared_ptr<HostOutput> terminal) {
  using Kind = UartBackendSpec::Kind;
  switch (spec.kind) {
    case Kind::null:
      break;
    case Kind::lines:
      output_ = std::move(terminal);
      lines_.emplace(output_, name);
      break;
    case Kind::stdio:
      output_ = std::move(terminal);
      if (read_stdin) {
        input_ = FileDescriptor(STDIN_FILENO, false);
        input_open_ = true;
      }
      break;
    case Kind::file:
      output_ = std::make_shared<HostOutput>(HostOutput::to_file(spec.path));
      break;
    case Kind::pty:
      open_pty(index);
      break;
  }
}

void UartHost::open_pty(unsigned index) {
  FileDescriptor near(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  std::array<char, 128> name{};
  if (near.get() < 0 || ::grantpt(near.get()) != 0 || ::unlockpt(near.get()) != 0 ||
      ::ptsname_r(near.get(), name.data(), name.size()) != 0) {
    throw ScenarioError(
        fmt::format("UART {}: no pseudo-terminal: {}", index, std::strerror(errno)));
  }
  pty_far_end_ = FileDescriptor(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios mode{};
  if (pty_far_end_.get() < 0 || ::tcgetattr(pty_far_end_.get(), &mode) != 0) {
    throw ScenarioError(fmt::format("UART {}: {}: {}", index, name.data(), std::strerror(errno)));
  }
  ::cfmakeraw(&mode);
  ::tcsetattr(pty_far_end_.get(), TCSANOW, &mode);
  ::fcntl(near.get(), F_SETFL, O_NONBLOCK);
  announcement_ = fmt::format("UART {} is {}", index, name.data());
  output_ = std::make_shared<HostOutput>(FileDescriptor(near.get(), false), name.data(),
                                         HostOutput::WhenFull::drop);
  input_ = std::move(near);
  input_open_ = true;
}

CharacterPort& UartHost::output() {
  if (lines_) return *lines_;
  if (output_) return *output_;
  return null_;
}

EscapeDecoder::Command UartHost::read_input(EscapeDecoder* escapes) {
  std::array<std::uint8_t, 4096> bytes;
  while (input_open_ && unread_.empty() && pending_.size() < kEnoughPending &&
         readable_now(input_.get())) {
    const ssize_t n = ::read(input_.get(), bytes.data(), bytes.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) break;
    if (n <= 0) {
      input_open_ = false;
      break;
    }
    unread_.insert(unread_.end(), bytes.begin(), bytes.begin() + n);
  }
  while (!unread_.empty()) {
    const std::uint8_t byte = unread_.front();
    unread_.pop_front();
    if (!escapes) {
      pending_.push_back(byte);
    } else if (const auto command = escapes->feed(byte, pending_);
               command != EscapeDecoder::Command::none) {
      return command;
    }
  }
  return EscapeDecoder::Command::none;
}

double Pacer::ahead(Time virtual_time, double host) {
  const double offset = static_cast<double>(virtual_time) / kPicosecondsPerSecond - host;
  if (!offset_ || offset < *offset_) offset_ = offset;
  return offset - *offset_;
}

}  // namespace trapline
