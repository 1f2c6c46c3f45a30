#include "sim/rerun/input_recording.h"

#include <string_view>

#include "sim/report/run_facts.h"
#include "sim/trace/open_trace.h"

namespace trapline {
namespace {

constexpr std::string_view kInteractive = "interactive";

EventSet input_events() {
  EventSet set;
  set.add(EventKind::host_input);
  set.add(EventKind::host_quit);
  return set;
}

std::vector<std::string> differences(const Scenario& scenario, const TraceHeader& recorded) {
  std::vector<std::string> names;
  for (const auto& [name, value] : run_facts(scenario)) {
    const std::string* was = recorded.fact(name);
    if (name == kInputFact || is_argument_fact(name) || (was && *was == value)) continue;
    names.push_back(name);
  }
  return names;
}

}  // namespace

TraceHeader input_recording_header(const Scenario& scenario, bool interactive) {
  TraceHeader header{run_facts(scenario), input_events()};
  header.facts.emplace_back(kInteractive, interactive ? "on" : "off");
  return header;
}

InputRecording read_input_recording(TraceReader& reader, const std::string& name) {
  const std::string* interactive = reader.header().fact(kInteractive);
  if (!interactive || !reader.header().events.has(EventKind::host_input)) {
    throw TraceError(name + ": no recording of input; make one with --record-input");
  }
  InputRecording recording{.interactive = *interactive == "on", .inputs = {}, .differences = {}};
  for (StoredEvent stored; reader.next(stored);) {
    const EventKind kind = stored.event.kind;
    if (kind != EventKind::host_input && kind != EventKind::host_quit) continue;
    recording.inputs.push_back(HostInput::of(stored.event));
  }
  return recording;
}

std::optional<InputRecording> read_input_recording(const Scenario& scenario) {
  if (scenario.replay_input.empty()) return std::nullopt;
  OpenTrace trace(scenario.replay_input);
  InputRecording recording = read_input_recording(trace.reader(), scenario.replay_input);
  recording.differences = differences(scenario, trace.reader().header());
  return recording;
}

}  // namespace trapline
