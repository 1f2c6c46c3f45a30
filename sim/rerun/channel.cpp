#include "sim/rerun/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace trapline {
namespace {

struct Head {
  std::uint32_t type;
  std::uint32_t bytes;
};

}  // namespace

std::pair<Channel, Channel> Channel::make_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error(std::string("cannot connect two processes: ") + std::strerror(errno));
  }
  return {Channel(ends[0]), Channel(ends[1])};
}

void Channel::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Channel::send(std::uint32_t type, std::string_view bytes) {
  const Head head{type, static_cast<std::uint32_t>(bytes.size())};
  return write_all(&head, sizeof head) && write_all(bytes.data(), bytes.size());
}

std::optional<Channel::Message> Channel::receive() {
  Head head{};
  if (!read_all(&head, sizeof head) || head.bytes > kMostBytes) return std::nullopt;
  Message message{head.type, std::string(head.bytes, '\0')};
  if (!read_all(message.bytes.data(), head.bytes)) return std::nullopt;
  return message;
}

bool Channel::write_all(const void* from, std::size_t bytes) {
  const char* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t written = ::send(fd_, at, bytes, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

bool Channel::read_all(void* to, std::size_t bytes) {
  char* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::recv(fd_, at, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace trapline
