// Files below one directory of the host, and nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trapline {

/// A file descriptor that closes itself.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release();

 private:
  int fd_ = -1;
};

/// An open regular file. Errors are host errno values, 0 for none.
class HostFile {
 public:
  explicit HostFile(FileDescriptor fd) : fd_(std::move(fd)) {}

  /// Bytes read, fewer only at the end of the file; nullopt with `error` set if the host failed.
  std::optional<std::uint64_t> read(void* to, std::uint64_t bytes, int& error);
  std::optional<std::uint64_t> write(const void* from, std::uint64_t bytes, int& error);
  int seek(std::uint64_t position);
  std::optional<std::uint64_t> length(int& error) const;

 private:
  FileDescriptor fd_;
};

/// Opens, removes and renames by paths that a guest gives. A path is relative to the directory; it
/// may not be absolute, contain "..", or pass through or name a symbolic link, and only regular
/// files are opened. The path is walked one component at a time, so nothing that changes meanwhile
/// can lead out.
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
    FileDescriptor directory;
    std::string name;
  };
  std::optional<Place> walk(std::string_view path, int& error) const;

  FileDescriptor root_;
};

}  // namespace trapline
