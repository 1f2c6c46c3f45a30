// Files below one directory of the host, and nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trapline {

/// A file descriptor that closes itself.
class GuestFileHandle {
 public:
  GuestFileHandle() = default;
  explicit GuestFileHandle(int fd) : fd_(fd) {}
  GuestFileHandle(GuestFileHandle&& other) noexcept : fd_(other.release()) {}
  GuestFileHandle& operator=(GuestFileHandle&& other) noexcept;
  ~GuestFileHandle();

  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release();

 private:
  int fd_ = -1;
};

/// An open regular file. Errors are host errno values, 0 for none.
class HostFile {
 public:
  explicit HostFile(GuestFileHandle fd) : fd_(std::move(fd)) {}

  /// Bytes read, fewer only at the end of the file; nullopt with `error` set if the host failed.
  std::optional<std::uint64_t> read(void* to, std::uint64_t bytes, int& error);
  std::optional<std::uint64_t> write(const void* from, std::uint64_t bytes, int& error);
  int seek(std::uint64_t position);
  std::optional<std::uint64_t> length(int& error) const;

 private:
  GuestFileHandle fd_;
};

/// Opens, removes and renames by paths that a guest gives. A path is relative to the directory; it
/// may not be absolute, contain "..", or pass through or name a symbolic link, and only regular
/// files are opened, removed or renamed. The path is walked one component at a time, so nothing
/// that changes meanwhile can lead out.
class HostDirectory {
 public:
  /// Throws std::runtime_error naming the directory if it cannot be opened.
  explicit HostDirectory(const std::string& path);

  /// `flags` as open(2) takes them: O_RDONLY, O_RDWR, O_CREAT...
  std::unique_ptr<HostFile> open(std::string_view path, int flags, int& error);
  /// 0, or the host's errno.
  int remove(std::string_view path);
  int rename(std::string_view from, std::string_view to);

 private:
  struct Place {
    GuestFileHandle directory;
    std::string name;
  };
  std::optional<Place> walk(std::string_view path, int& error) const;
  /// As walk(), for a regular file that exists.
  std::optional<Place> find_file(std::string_view path, int& error) const;

  GuestFileHandle root_;
};

}  // namespace trapline
