// What is behind a virtual disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace trapline::xen {

inline constexpr std::uint64_t kSectorBytes = 512;

/// The sectors of a disk. Reads and writes lie within sectors(). False: the host failed.
class BlockImage {
 public:
  virtual ~BlockImage() = default;
  virtual std::uint64_t sectors() const = 0;
  virtual bool read(std::uint64_t sector, std::span<std::uint8_t> to) = 0;
  virtual bool write(std::uint64_t sector, std::span<const std::uint8_t> from) = 0;
  virtual bool flush() { return true; }
  /// They read as zeros afterwards.
  virtual bool discard(std::uint64_t sector, std::uint64_t count) = 0;
};

/// A file of the host as a disk sees it.
class BlockFile {
 public:
  virtual ~BlockFile() = default;
  virtual std::uint64_t bytes() const = 0;
  virtual bool read(std::uint64_t offset, std::span<std::uint8_t> to) = 0;
  virtual bool write(std::uint64_t offset, std::span<const std::uint8_t> from) = 0;
  virtual bool flush() = 0;
};

/// Throws std::runtime_error naming the file and what to do. Only regular files; the length is a
/// multiple of a sector. `writable` files are locked against a second simulator.
std::unique_ptr<BlockFile> open_block_file(const std::string& path, bool writable);

/// Changes stay in memory, so that the file is what it was and a run is a function of its inputs.
/// Without a file it is an empty disk in memory.
class SnapshotImage final : public BlockImage {
 public:
  explicit SnapshotImage(std::unique_ptr<BlockFile> file);
  explicit SnapshotImage(std::uint64_t bytes);

  std::uint64_t sectors() const override { return sectors_; }
  bool read(std::uint64_t sector, std::span<std::uint8_t> to) override;
  bool write(std::uint64_t sector, std::span<const std::uint8_t> from) override;
  bool discard(std::uint64_t sector, std::uint64_t count) override;

 private:
  // Of a size that keeps the map small for large disks and copies little for scattered writes.
  static constexpr std::uint64_t kChunkBytes = 16384;
  using Chunk = std::vector<std::uint8_t>;  // Empty: zeros, whatever the file says.

  bool base(std::uint64_t offset, std::span<std::uint8_t> to);
  Chunk* writable(std::uint64_t index);

  std::unique_ptr<BlockFile> file_;
  std::uint64_t sectors_;
  std::map<std::uint64_t, Chunk> changed_;
};

/// Changes reach the file: what the next run sees depends on this one.
class WriteThroughImage final : public BlockImage {
 public:
  explicit WriteThroughImage(std::unique_ptr<BlockFile> file) : file_(std::move(file)) {}

  std::uint64_t sectors() const override { return file_->bytes() / kSectorBytes; }
  bool read(std::uint64_t sector, std::span<std::uint8_t> to) override {
    return file_->read(sector * kSectorBytes, to);
  }
  bool write(std::uint64_t sector, std::span<const std::uint8_t> from) override {
    return file_->write(sector * kSectorBytes, from);
  }
  bool flush() override { return file_->flush(); }
  bool discard(std::uint64_t sector, std::uint64_t count) override;

 private:
  std::unique_ptr<BlockFile> file_;
};

}  // namespace trapline::xen
