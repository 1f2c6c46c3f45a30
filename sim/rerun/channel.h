// Messages between the process that compares two runs and those that run them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace trapline {

/// One end of a pair of connected sockets; both ways, whole messages, in order.
class Channel {
 public:
  static constexpr std::uint32_t kMostBytes = 16 << 20;

  struct Message {
    std::uint32_t type = 0;
    std::string bytes;

    /// The bytes as a T, if they are one.
    template <typename T>
    std::optional<T> as() const {
      if (bytes.size() != sizeof(T)) return std::nullopt;
      T value;
      __builtin_memcpy(&value, bytes.data(), sizeof value);
      return value;
    }
  };

  /// Both ends. Throws std::runtime_error where the host has no more.
  static std::pair<Channel, Channel> make_pair();

  Channel() = default;
  ~Channel() { close(); }
  Channel(Channel&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Channel& operator=(Channel&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }

  void close();
  /// False if the other end is gone.
  bool send(std::uint32_t type, std::string_view bytes = {});
  template <typename T>
  bool send_value(std::uint32_t type, const T& value) {
    return send(type, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  /// Waits. Nothing if the other end is gone.
  std::optional<Message> receive();

 private:
  explicit Channel(int fd) : fd_(fd) {}
  bool write_all(const void* from, std::size_t bytes);
  bool read_all(void* to, std::size_t bytes);

  int fd_ = -1;
};

}  // namespace trapline
