// A trace on the host's disk.
#pragma once

#include <cerrno>
#include <cstdio>
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

/// Says so on standard error if a trace that was read to its end has none.
inline void say_if_cut(const TraceReader& reader, const std::string& path) {
  if (!reader.end()) {
    std::fprintf(stderr, "trapline: %s: cut short; the run did not end or the file was truncated\n",
                 path.c_str());
  }
}

}  // namespace trapline
