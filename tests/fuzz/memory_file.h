// A file without a place, for what reads files.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <span>
#include <string>

#include "tests/fuzz/fuzz.h"

namespace trapline::fuzz {

class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::uint8_t> bytes) : fd_(memfd_create("t", MFD_CLOEXEC)) {
    check(fd_ >= 0 && ::write(fd_, bytes.data(), bytes.size()) ==
                          static_cast<ssize_t>(bytes.size()),
          "the host has room");
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace trapline::fuzz
