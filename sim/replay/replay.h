// Drives one device model from a recording: no CPU, no engine, no images.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/uart/character_port.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/sysreg_port.h"
#include "sim/replay/recorded_device.h"
#include "sim/time/clock.h"
#include "sim/trace/trace_file.h"

namespace trapline {

/// Time as it was recorded. The model's wake-ups come when they came then.
class ReplayClock final : public Clock {
 public:
  /// Told of each wake-up that the model asks for.
  using Asked = std::function<void(std::uint64_t number, Time when)>;

  explicit ReplayClock(Asked asked) : asked_(std::move(asked)) {}
  Time now() const override { return now_; }
  void set(Time now) { now_ = now; }
  /// False if the model has no such wake-up, or did not ask for it.
  bool wake(std::uint64_t number);

 private:
  std::uint64_t register_wakeup(Wakeup& wakeup) override;
  void unregister_wakeup(Wakeup& wakeup) override { wakeups_[wakeup.order()] = nullptr; }
  void schedule(Wakeup& wakeup, Time when) override;

  Asked asked_;
  Time now_ = 0;
  std::vector<Wakeup*> wakeups_;
};

/// What surrounds the model: it notes all that the model does.
class ReplayBench final : public Sink {
 public:
  ReplayBench();

  Clock& clock() { return clock_; }
  ReplayClock& replay_clock() { return clock_; }
  /// A new line that the model drives.
  Line& output(unsigned unit, std::uint64_t number);
  /// A line of the model's own, where it has one.
  void watch(unsigned unit, std::uint64_t number, Line& line);
  CharacterPort& transmitter(unsigned unit);
  void note_output(unsigned unit, std::uint64_t number, std::uint64_t value);
  /// Events that the model raises.
  void on_event(const Event& event) override { done_.emplace_back(event); }

  /// What the model has done and nobody has taken, in order.
  std::deque<StoredEvent>& done() { return done_; }

 private:
  class Transmitter;

  ReplayClock clock_;
  std::deque<Line> lines_;
  std::vector<std::unique_ptr<CharacterPort>> transmitters_;
  std::deque<StoredEvent> done_;
};

/// A model on its bench.
class ReplayModel {
 public:
  virtual ~ReplayModel() = default;
  /// nullptr where there is none.
  virtual Device* window(unsigned) { return nullptr; }
  virtual SysRegPort* registers(unsigned) { return nullptr; }
  /// False if there is no such input, or it did not take the value as it did then.
  virtual bool input(const Event& event) = 0;
  /// False if there is no such unit.
  virtual bool reset(unsigned unit);
  /// CPUs that can reach its windows.
  virtual unsigned cpus() const { return 256; }
  /// Behind each write to one of registers().
  virtual void after_write(unsigned) {}
};

/// The model that a recording is of, configured as it was. Throws TraceError.
std::unique_ptr<ReplayModel> make_replay_model(RecordedDevice device, const TraceHeader& header,
                                               ReplayBench& bench);

struct ReplayResult {
  std::uint64_t events = 0;   ///< Of the recording, replayed.
  std::uint64_t checked = 0;  ///< Values read, lines driven, wake-ups asked for, events raised.
  /// The first difference: several lines, for the user.
  std::optional<std::string> mismatch;
};

/// Replays to the recording's end, or to the first difference. Throws TraceError for a recording of
/// another device, or one that cannot be.
ReplayResult replay(TraceReader& recording, RecordedDevice device);

/// The same with a model and a bench of the caller's.
ReplayResult replay(TraceReader& recording, RecordedDevice device, ReplayModel& model,
                    ReplayBench& bench);

}  // namespace trapline
