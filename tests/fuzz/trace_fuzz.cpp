// Any bytes as a trace file, of either form.
#include "tests/fuzz/trace_use.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trapline::fuzz::use_trace(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
