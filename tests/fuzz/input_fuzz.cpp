// Any bytes as a recording of input, let into a run.
#include <sstream>

#include "sim/rerun/input_recording.h"
#include "sim/time/timeline.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace trapline;

void play(const InputRecording& recording) {
  Timeline timeline;
  std::vector<HostInput> entered;
  std::size_t room = recording.inputs.size() / 2 + 1, refused = 0;
  InputGate gate(timeline, 1'000'000'000,
                 {.receive =
                      [&](unsigned, std::uint8_t) {
                        if (room == 0) return ++refused, false;
                        --room;
                        return true;
                      },
                  .quit = [] {}});
  gate.on_entered([&](const HostInput& input) {
    fuzz::check(input.time <= timeline.now(), "nothing enters before its time");
    entered.push_back(input);
  });
  gate.play(recording.inputs);
  timeline.advance_to(kNever - 1);
  std::size_t never = 0;
  for (const HostInput& input : recording.inputs) never += input.time == kNever ? 1 : 0;
  fuzz::check(entered.size() + refused + never == recording.inputs.size(), "all input enters");
  fuzz::check(gate.refused().has_value() == (refused != 0), "what is refused is said");
  if (gate.refused()) fuzz::check_message(*gate.refused());
  for (std::size_t n = 1; n < entered.size(); ++n) {
    fuzz::check(entered[n - 1].time <= entered[n].time, "input enters in order");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream bytes(std::string(reinterpret_cast<const char*>(data), size));
  try {
    TraceReader reader(bytes, "t");
    play(read_input_recording(reader, "t"));
  } catch (const TraceError& error) {
    fuzz::check_message(error.what());
  }
  return 0;
}
