#include "sim/trap/xen/block_image.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace trapline::xen {
namespace {

class PosixFile final : public BlockFile {
 public:
  explicit PosixFile(int fd) : fd_(fd) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  std::uint64_t bytes() const override { return bytes_; }
  void set_bytes(std::uint64_t bytes) { bytes_ = bytes; }
  bool read(std::uint64_t offset, std::span<std::uint8_t> to) override {
    return all(to.data(), to.size(), offset, ::pread);
  }
  bool write(std::uint64_t offset, std::span<const std::uint8_t> from) override {
    return all(from.data(), from.size(), offset, ::pwrite);
  }
  bool flush() override { return ::fsync(fd_) == 0; }

 private:
  template <typename Byte, typename Call>
  bool all(Byte* bytes, std::size_t count, std::uint64_t offset, Call call) {
    while (count > 0) {
      const ssize_t done = call(fd_, bytes, count, static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return false;
      bytes += done;
      count -= static_cast<std::size_t>(done);
      offset += static_cast<std::uint64_t>(done);
    }
    return true;
  }

  int fd_;
  std::uint64_t bytes_ = 0;
};

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw std::runtime_error("disk image " + path + ": " + why);
}

}  // namespace

std::unique_ptr<BlockFile> open_block_file(const std::string& path, bool writable) {
  // O_NONBLOCK: a FIFO is refused below and not waited for.
  const int fd = ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) refuse(path, std::string("cannot be opened: ") + std::strerror(errno));
  auto file = std::make_unique<PosixFile>(fd);
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) refuse(path, std::strerror(errno));
  if (!S_ISREG(facts.st_mode)) refuse(path, "is not a regular file; copy it into one");
  const auto bytes = static_cast<std::uint64_t>(facts.st_size);
  if (bytes == 0) refuse(path, "is empty; make it as large as the disk (truncate -s 64M FILE)");
  if (bytes % kSectorBytes != 0) {
    refuse(path, "is " + std::to_string(bytes) + " bytes long, which is no multiple of 512");
  }
  // Two writers, or a writer beside a reader, would make both runs depend on the host's timing.
  if (::flock(fd, (writable ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    refuse(path, writable ? "is in use by another run; wait for it or give each its own copy"
                          : "is being written by another run; wait for it or use a copy");
  }
  file->set_bytes(bytes);
  return file;
}

SnapshotImage::SnapshotImage(std::unique_ptr<BlockFile> file)
    : file_(std::move(file)), sectors_(file_->bytes() / kSectorBytes) {}

SnapshotImage::SnapshotImage(std::uint64_t bytes) : sectors_(bytes / kSectorBytes) {}

bool SnapshotImage::base(std::uint64_t offset, std::span<std::uint8_t> to) {
  if (file_) return file_->read(offset, to);
  std::fill(to.begin(), to.end(), std::uint8_t{0});
  return true;
}

bool SnapshotImage::read(std::uint64_t sector, std::span<std::uint8_t> to) {
  std::uint64_t offset = sector * kSectorBytes;
  while (!to.empty()) {
    const std::uint64_t within = offset % kChunkBytes;
    const auto part = to.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), kChunkBytes - within)));
    const auto found = changed_.find(offset / kChunkBytes);
    if (found == changed_.end()) {
      if (!base(offset, part)) return false;
    } else if (found->second.empty()) {
      std::fill(part.begin(), part.end(), std::uint8_t{0});
    } else {
      std::memcpy(part.data(), found->second.data() + within, part.size());
    }
    to = to.subspan(part.size());
    offset += part.size();
  }
  return true;
}

// The chunk with what it holds now, to be changed.
SnapshotImage::Chunk* SnapshotImage::writable(std::uint64_t index) {
  const auto [place, added] = changed_.try_emplace(index);
  Chunk& chunk = place->second;
  if (!chunk.empty()) return &chunk;
  chunk.resize(kChunkBytes);
  const std::uint64_t offset = index * kChunkBytes;
  const std::uint64_t there = std::min(kChunkBytes, sectors_ * kSectorBytes - offset);
  if (added && !base(offset, std::span(chunk).first(static_cast<std::size_t>(there)))) {
    changed_.erase(place);
    return nullptr;
  }
  return &chunk;
}

bool SnapshotImage::write(std::uint64_t sector, std::span<const std::uint8_t> from) {
  std::uint64_t offset = sector * kSectorBytes;
  while (!from.empty()) {
    const std::uint64_t within = offset % kChunkBytes;
    const auto part = from.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(from.size(), kChunkBytes - within)));
    Chunk* chunk = writable(offset / kChunkBytes);
    if (!chunk) return false;
    std::memcpy(chunk->data() + within, part.data(), part.size());
    from = from.subspan(part.size());
    offset += part.size();
  }
  return true;
}

bool SnapshotImage::discard(std::uint64_t sector, std::uint64_t count) {
  const std::uint64_t end = (sector + count) * kSectorBytes;
  for (std::uint64_t offset = sector * kSectorBytes; offset < end;) {
    const std::uint64_t within = offset % kChunkBytes;
    const std::uint64_t part = std::min(end - offset, kChunkBytes - within);
    const std::uint64_t index = offset / kChunkBytes;
    if (part == kChunkBytes) {
      // Without a file what is not there reads as zeros anyway.
      if (file_) {
        changed_[index] = {};
      } else {
        changed_.erase(index);
      }
    } else if (file_ || changed_.contains(index)) {
      Chunk* chunk = writable(index);
      if (!chunk) return false;
      std::memset(chunk->data() + within, 0, static_cast<std::size_t>(part));
    }
    offset += part;
  }
  return true;
}

bool WriteThroughImage::discard(std::uint64_t sector, std::uint64_t count) {
  constexpr std::uint64_t kAtOnce = 128;
  static constexpr std::array<std::uint8_t, kAtOnce * kSectorBytes> kZeros{};
  while (count > 0) {
    const std::uint64_t part = std::min(count, kAtOnce);
    if (!write(sector, std::span(kZeros).first(static_cast<std::size_t>(part * kSectorBytes)))) {
      return false;
    }
    sector += part;
    count -= part;
  }
  return true;
}

}  // namespace trapline::xen
