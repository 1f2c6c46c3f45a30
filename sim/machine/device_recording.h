// Where boards attach recorders to their timers and UARTs.
#pragma once

#include <deque>

#include "models/timer/generic_timer.h"
#include "models/timer/system_counter.h"
#include "models/uart/pl011.h"
#include "sim/machine/board.h"
#include "sim/replay/device_facts.h"
#include "sim/replay/recorder.h"

namespace trapline {

/// What a board's timers or UARTs are given: the machine's own, or a recorder's stand-ins.
struct RecordedPorts {
  RecordedPorts(const BoardPorts& ports, RecordedDevice device);
  DeviceRecorder* recorder;
  Clock& clock;
  Sink* sink;
};

/// Before the board's timers are made, so that the counter's changes are seen before they act on
/// them.
void begin_recording(DeviceRecorder* recorder, SystemCounter& counter, TimerSetup setup);
/// The lines of one CPU's timers.
void record_lines(DeviceRecorder* recorder, unsigned cpu, const TimerLines& lines,
                  const GenericTimerConfig& config);

/// Before the board's UARTs are made.
void begin_recording(DeviceRecorder* recorder, const Pl011Setup& setup);

}  // namespace trapline
