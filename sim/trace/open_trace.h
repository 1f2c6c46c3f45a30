// A trace on the host's disk.
#pragma once

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "sim/trace/trace_file.h"

namespace trapline {

/// Opens a file and reads its head. Throws TraceError.
class OpenTrace {
 public:
  explicit OpenTrace(const std::string& path) : file_(open(path)), reader_(file_, path) {}
  TraceReader& reader() { return reader_; }

 private:
  static std::ifstream open(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) throw TraceError(path + ": " + std::strerror(errno));
    return file;
  }

  std::ifstream file_;
  TraceReader reader_;
};

}  // namespace trapline
