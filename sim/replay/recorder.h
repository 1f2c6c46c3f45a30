// Records what happens between one device and the rest of its machine.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/uart/character_port.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/sysreg_port.h"
#include "sim/replay/recorded_device.h"
#include "sim/time/clock.h"
#include "sim/trace/hub.h"
#include "sim/trace/trace_file.h"

namespace trapline {

using Facts = std::vector<std::pair<std::string, std::string>>;

/// The machine puts the recorder's stand-ins between the device and its neighbours. They hand on
/// what they are told and change nothing. What a device does in answer to something stands behind it
/// in the recording. Everything given here must outlive the run.
class DeviceRecorder final : public Sink {
 public:
  /// `facts` say what the run is made of.
  DeviceRecorder(RecordedDevice device, Facts facts, TraceFormat format,
                 TraceWriter::Output output);
  ~DeviceRecorder() override;

  RecordedDevice device() const { return device_; }

  // For the machine, in this order.

  void connect(EventHub& events, Clock& clock);
  /// The device's configuration (device_facts.h). Without this call nothing is recorded.
  void begin(const Facts& configuration);
  bool recording() const { return writer_ != nullptr; }

  Device& window(unsigned unit, Device& device);
  SysRegPort& registers(unsigned unit, SysRegPort& port);
  /// The clock for the device's wake-ups.
  Clock& clock();
  CharacterPort& transmitter(unsigned unit, CharacterPort& port);
  /// A line that the device drives, or one that drives it.
  void output(unsigned unit, std::uint64_t number, Line& line);
  void input(unsigned unit, std::uint64_t number, Line& line);

  /// Events that the device raises, on their way to the machine's hub.
  void on_event(const Event& event) override;

  // What has no stand-in.

  void reset(unsigned unit);
  /// Just before the device learns of it.
  void note_input(unsigned unit, std::uint64_t number, std::uint64_t value, bool accepted = true);
  void note_output(unsigned unit, std::uint64_t number, std::uint64_t value);
  /// Called behind each write to one of registers(), for answers that nobody else sees.
  void after_writes(std::function<void(unsigned unit)> action) { after_write_ = std::move(action); }

  /// The run is over.
  void finish(const std::string& digest);

 private:
  class Window;
  class Registers;
  class AlarmClock;
  class Transmitter;
  /// While one exists, what the device does waits until its cause is written.
  class Scope;

  Event make(EventKind kind, unsigned unit, std::uint64_t b = 0, std::uint64_t c = 0,
             std::uint64_t d = 0) const;
  void write(Event event);
  void write_now(const Event& event);
  void note_context(unsigned unit, const SysRegContext& context);

  RecordedDevice device_;
  Facts facts_;
  TraceFormat format_;
  TraceWriter::Output output_;
  std::unique_ptr<TraceWriter> writer_;
  EventHub* events_ = nullptr;
  Clock* time_ = nullptr;
  Scope* scope_ = nullptr;
  std::deque<StoredEvent> waiting_;  // What the device did within scope_.
  std::vector<std::pair<bool, SysRegContext>> contexts_;  // By unit: was written, and which.
  std::function<void(unsigned)> after_write_;

  std::vector<std::unique_ptr<Device>> windows_;
  std::vector<std::unique_ptr<SysRegPort>> registers_;
  std::vector<std::unique_ptr<CharacterPort>> transmitters_;
  std::unique_ptr<AlarmClock> clock_;
};

/// The recorder of one device among some; nullptr if there is none.
DeviceRecorder* recorder_of(const std::vector<DeviceRecorder*>& recorders, RecordedDevice device);

/// The kinds of events that a recording may hold.
EventSet recording_events();

// The device itself, or what the recorder, if there is one, puts in its place.
Device& recorded(DeviceRecorder* recorder, unsigned unit, Device& device);
SysRegPort& recorded(DeviceRecorder* recorder, unsigned unit, SysRegPort& port);
CharacterPort& recorded(DeviceRecorder* recorder, unsigned unit, CharacterPort& port);

}  // namespace trapline
