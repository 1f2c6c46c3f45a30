#include "sim/cli/input_files.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>

#include "sim/cli/open_trace.h"
#include "sim/report/run_facts.h"

namespace trapline {
namespace {

constexpr std::string_view kInteractive = "interactive";

EventSet input_events() {
  EventSet set;
  set.add(EventKind::host_input);
  set.add(EventKind::host_quit);
  return set;
}

TraceHeader header_of(const Scenario& scenario, bool interactive) {
  TraceHeader header{run_facts(scenario), input_events()};
  header.facts.emplace_back(kInteractive, interactive ? "on" : "off");
  return header;
}

void say_differences(const Scenario& scenario, const TraceHeader& recorded) {
  std::string names;
  for (const auto& [name, value] : run_facts(scenario)) {
    const std::string* was = recorded.fact(name);
    if (name == "input" || is_argument_fact(name) || (was && *was == value)) continue;
    names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return;
  std::fprintf(stderr, "trapline: %s was recorded from another run; it differs in %s\n",
               scenario.replay_input.c_str(), names.c_str());
}

}  // namespace

std::optional<InputRecording> read_input_recording(const Scenario& scenario) {
  if (scenario.replay_input.empty()) return std::nullopt;
  OpenTrace trace(scenario.replay_input);
  const TraceHeader& header = trace.reader().header();
  const std::string* interactive = header.fact(kInteractive);
  if (!interactive || !header.events.has(EventKind::host_input)) {
    throw TraceError(scenario.replay_input +
                     ": no recording of input; make one with --record-input");
  }
  say_differences(scenario, header);
  InputRecording recording{.interactive = *interactive == "on", .inputs = {}};
  for (StoredEvent stored; trace.reader().next(stored);) {
    const EventKind kind = stored.event.kind;
    if (kind != EventKind::host_input && kind != EventKind::host_quit) continue;
    recording.inputs.push_back(HostInput::of(stored.event));
  }
  return recording;
}

InputRecorder::InputRecorder(const Scenario& scenario, bool interactive)
    : output_(HostOutput::to_file(scenario.record_input)),
      writer_(trace_format_of(scenario.record_input), header_of(scenario, interactive),
              [this](std::string_view bytes) { output_.write(bytes); }) {}

std::optional<std::string> InputRecorder::close(const std::string& digest) {
  writer_.finish(digest);
  output_.close();
  return output_.error();
}

}  // namespace trapline
