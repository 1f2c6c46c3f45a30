#include "sim/trap/host_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace trapline {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

GuestFileHandle& GuestFileHandle::operator=(GuestFileHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

GuestFileHandle::~GuestFileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

int GuestFileHandle::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

std::optional<std::uint64_t> HostFile::read(void* to, std::uint64_t bytes, int& error) {
  std::uint64_t done = 0;
  while (done < bytes) {
    const auto got =
        retry([&] { return ::read(fd_.get(), static_cast<char*>(to) + done, bytes - done); });
    if (got < 0) {
      error = errno;
      return std::nullopt;
    }
    if (got == 0) break;
    done += static_cast<std::uint64_t>(got);
  }
  return done;
}

std::optional<std::uint64_t> HostFile::write(const void* from, std::uint64_t bytes, int& error) {
  std::uint64_t done = 0;
  while (done < bytes) {
    const auto put = retry(
        [&] { return ::write(fd_.get(), static_cast<const char*>(from) + done, bytes - done); });
    if (put < 0) {
      error = errno;
      return done ? std::optional(done) : std::nullopt;
    }
    done += static_cast<std::uint64_t>(put);
  }
  return done;
}

int HostFile::seek(std::uint64_t position) {
  if (position >> 63) return EINVAL;
  return ::lseek(fd_.get(), static_cast<off_t>(position), SEEK_SET) < 0 ? errno : 0;
}

std::optional<std::uint64_t> HostFile::length(int& error) const {
  struct stat status;
  if (::fstat(fd_.get(), &status) != 0) {
    error = errno;
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(status.st_size);
}

HostDirectory::HostDirectory(const std::string& path)
    // The directory itself is the user's choice and may be a link.
    : root_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_.valid()) {
    throw std::runtime_error("semihosting directory '" + path + "': " + std::strerror(errno));
  }
}

/// The directory that holds the last component of `path`.
std::optional<HostDirectory::Place> HostDirectory::walk(std::string_view path, int& error) const {
  const auto fail = [&error](int why) {
    error = why;
    return std::nullopt;
  };
  if (path.empty()) return fail(ENOENT);
  if (path.front() == '/') return fail(EACCES);
  if (path.find('\0') != std::string_view::npos) return fail(EINVAL);
  Place place{GuestFileHandle(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0)), {}};
  if (!place.directory.valid()) return fail(errno);
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string component(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (component.empty() || component == ".") continue;
    if (component == "..") return fail(EACCES);
    if (!place.name.empty()) {
      GuestFileHandle next(::openat(place.directory.get(), place.name.c_str(), kDirectoryFlags));
      if (!next.valid()) return fail(errno);
      place.directory = std::move(next);
    }
    place.name = component;
  }
  if (place.name.empty()) return fail(EISDIR);
  return place;
}

std::unique_ptr<HostFile> HostDirectory::open(std::string_view path, int flags, int& error) {
  const std::optional<Place> place = walk(path, error);
  if (!place) return nullptr;
  // O_NONBLOCK: opening a FIFO must not wait for its other end. Truncation waits until the file is
  // known to be a regular one.
  const int safe_flags = (flags & ~O_TRUNC) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  GuestFileHandle fd(::openat(place->directory.get(), place->name.c_str(), safe_flags, 0666));
  struct stat status;
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) {
    error = errno;
    return nullptr;
  }
  if (!S_ISREG(status.st_mode)) {
    error = S_ISDIR(status.st_mode) ? EISDIR : EACCES;
    return nullptr;
  }
  if ((flags & O_TRUNC) && ::ftruncate(fd.get(), 0) != 0) {
    error = errno;
    return nullptr;
  }
  return std::make_unique<HostFile>(std::move(fd));
}

std::optional<HostDirectory::Place> HostDirectory::find_file(std::string_view path,
                                                             int& error) const {
  std::optional<Place> place = walk(path, error);
  if (!place) return std::nullopt;
  struct stat status;
  if (::fstatat(place->directory.get(), place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    error = errno;
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    error = S_ISDIR(status.st_mode) ? EISDIR : EACCES;
    return std::nullopt;
  }
  return place;
}

int HostDirectory::remove(std::string_view path) {
  int error = 0;
  const std::optional<Place> place = find_file(path, error);
  if (!place) return error;
  return ::unlinkat(place->directory.get(), place->name.c_str(), 0) == 0 ? 0 : errno;
}

int HostDirectory::rename(std::string_view from, std::string_view to) {
  int error = 0;
  const std::optional<Place> source = find_file(from, error);
  const std::optional<Place> target = source ? walk(to, error) : std::nullopt;
  if (!target) return error;
  const int result = ::renameat(source->directory.get(), source->name.c_str(),
                                target->directory.get(), target->name.c_str());
  return result == 0 ? 0 : errno;
}

}  // namespace trapline
