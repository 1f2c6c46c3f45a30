// Any bytes as a recording of a device, replayed by the model that it says it is of.
#include <spdlog/spdlog.h>

#include <sstream>

#include "sim/replay/replay.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace trapline;

std::optional<RecordedDevice> device_of(const std::string& bytes) {
  std::istringstream input(bytes);
  TraceReader reader(input, "t");
  const std::string* name = reader.header().fact("device");
  return name ? device_named(*name) : std::nullopt;
}

ReplayResult replayed(const std::string& bytes, RecordedDevice device) {
  std::istringstream input(bytes);
  TraceReader reader(input, "t");
  return replay(reader, device);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  spdlog::set_level(spdlog::level::off);  // Models say what software does wrong.
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const RecordedDevice device = device_of(bytes).value_or(RecordedDevice::gic);
    const ReplayResult first = replayed(bytes, device), again = replayed(bytes, device);
    fuzz::check(first.mismatch == again.mismatch && first.events == again.events,
                "a replay is the same again");
    if (first.mismatch) fuzz::check(!first.mismatch->empty(), "a difference is named");
  } catch (const TraceError& error) {
    fuzz::check_message(error.what());
  }
  return 0;
}
