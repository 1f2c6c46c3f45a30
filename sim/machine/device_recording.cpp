#include "sim/machine/device_recording.h"

#include <utility>

namespace trapline {

RecordedPorts::RecordedPorts(const BoardPorts& ports, RecordedDevice device)
    : recorder(recorder_of(ports.recorders, device)),
      clock(recorder ? recorder->clock() : static_cast<Clock&>(ports.timeline)),
      sink(recorder ? static_cast<Sink*>(recorder) : &ports.events) {}

void begin_recording(DeviceRecorder* recorder, SystemCounter& counter, TimerSetup setup) {
  if (!recorder) return;
  setup.counter_hz = counter.frequency();
  setup.counter_runs = counter.enabled();
  recorder->begin(device_facts(setup));
  counter.connect([recorder, &counter, running = counter.enabled()]() mutable {
    if (std::exchange(running, counter.enabled()) != running) {
      recorder->note_input(0, kCounterRunning, running);
    } else {
      recorder->note_input(0, kCounterValue, counter.count());
    }
  });
}

void record_lines(DeviceRecorder* recorder, unsigned cpu, const TimerLines& lines,
                  const GenericTimerConfig& config) {
  if (!recorder) return;
  const auto output = [&](TimerIndex index, Line* line) {
    if (line) recorder->output(cpu, static_cast<std::uint64_t>(index), *line);
  };
  output(TimerIndex::el1_physical, &lines.el1_physical);
  output(TimerIndex::el1_virtual, &lines.el1_virtual);
  output(TimerIndex::hyp_physical, &lines.hyp_physical);
  output(TimerIndex::hyp_virtual, &lines.hyp_virtual);
  output(TimerIndex::secure_hyp_physical, config.secure_hyp_physical);
  output(TimerIndex::secure_hyp_virtual, config.secure_hyp_virtual);
}

void begin_recording(DeviceRecorder* recorder, const Pl011Setup& setup) {
  if (recorder) recorder->begin(device_facts(setup));
}

}  // namespace trapline
