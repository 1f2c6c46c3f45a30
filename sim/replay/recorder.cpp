#include "sim/replay/recorder.h"

#include <stdexcept>

namespace trapline {

/// Holds back what the device does until its cause, known in full only when all is done, is
/// written.
class DeviceRecorder::Scope {
 public:
  explicit Scope(DeviceRecorder& recorder) : recorder_(recorder), outer_(recorder.scope_) {
    recorder.scope_ = this;
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { recorder_.scope_ = outer_; }

  /// Within another scope the device has called itself, which is none of the world's business.
  void end(const Event& cause) {
    if (outer_) return;
    recorder_.write_now(cause);
    for (const StoredEvent& event : recorder_.waiting_) recorder_.writer_->on_event(event.view());
    recorder_.waiting_.clear();
  }

 private:
  DeviceRecorder& recorder_;
  Scope* outer_;
};

class DeviceRecorder::Window final : public Device {
 public:
  Window(DeviceRecorder& recorder, unsigned unit, Device& device)
      : recorder_(recorder), unit_(unit), device_(device) {}

  std::string_view name() const override { return device_.name(); }
  std::string register_name(PhysAddr offset) const override {
    return device_.register_name(offset);
  }
  void reset() override {
    Scope scope(recorder_);
    const Event cause = recorder_.make(EventKind::device_reset, unit_);
    device_.reset();
    scope.end(cause);
  }
  BusStatus read(const Access& access, std::uint64_t& value) override {
    Scope scope(recorder_);
    Event cause = describe(EventKind::device_read, access);
    const BusStatus status = device_.read(access, value);
    finish(cause, status, value);
    scope.end(cause);
    return status;
  }
  BusStatus write(const Access& access, std::uint64_t value) override {
    Scope scope(recorder_);
    Event cause = describe(EventKind::device_write, access);
    const BusStatus status = device_.write(access, value);
    finish(cause, status, value);
    scope.end(cause);
    return status;
  }

 private:
  Event describe(EventKind kind, const Access& access) const {
    Event event =
        recorder_.make(kind, unit_, access.offset, 0,
                       std::uint64_t{access.size} << 8 | std::uint64_t{access.secure} << 24);
    event.cpu = access.cpu;
    return event;
  }
  static void finish(Event& event, BusStatus status, std::uint64_t value) {
    event.c = status == BusStatus::ok ? value : 0;
    event.d |= static_cast<std::uint64_t>(status) << 16;
  }

  DeviceRecorder& recorder_;
  unsigned unit_;
  Device& device_;
};

class DeviceRecorder::Registers final : public SysRegPort {
 public:
  Registers(DeviceRecorder& recorder, unsigned unit, SysRegPort& port)
      : recorder_(recorder), unit_(unit), port_(port) {}

  bool owns(SysReg reg) const override { return port_.owns(reg); }
  SysRegStatus read(SysReg reg, const SysRegContext& context, std::uint64_t& value) override {
    recorder_.note_context(unit_, context);
    Scope scope(recorder_);
    Event cause = recorder_.make(EventKind::register_read, unit_, reg.key);
    const SysRegStatus status = port_.read(reg, context, value);
    cause.c = status == SysRegStatus::ok ? value : 0;
    cause.d |= static_cast<std::uint64_t>(status) << 8;
    cause.el = context.el;
    cause.cpu = static_cast<std::uint8_t>(unit_);
    scope.end(cause);
    return status;
  }
  SysRegStatus write(SysReg reg, const SysRegContext& context, std::uint64_t value) override {
    recorder_.note_context(unit_, context);
    Scope scope(recorder_);
    Event cause = recorder_.make(EventKind::register_write, unit_, reg.key, value);
    const SysRegStatus status = port_.write(reg, context, value);
    cause.d |= static_cast<std::uint64_t>(status) << 8;
    cause.el = context.el;
    cause.cpu = static_cast<std::uint8_t>(unit_);
    if (recorder_.after_write_) recorder_.after_write_(unit_);
    scope.end(cause);
    return status;
  }

 private:
  DeviceRecorder& recorder_;
  unsigned unit_;
  SysRegPort& port_;
};

/// Keeps the device's wake-ups as wake-ups of the machine's clock, one for one and in their order.
class DeviceRecorder::AlarmClock final : public Clock {
 public:
  explicit AlarmClock(DeviceRecorder& recorder) : recorder_(recorder) {}
  Time now() const override { return recorder_.time_->now(); }

 private:
  struct Alarm {
    Wakeup* wakeup;
    std::unique_ptr<Wakeup> stand_in;
  };

  std::uint64_t register_wakeup(Wakeup& wakeup) override {
    const std::uint64_t number = alarms_.size();
    alarms_.push_back({&wakeup, std::make_unique<Wakeup>(*recorder_.time_, [this, number] {
                         Scope scope(recorder_);
                         const Event cause = recorder_.make(EventKind::device_wake, 0, number);
                         run(*alarms_[number].wakeup);
                         scope.end(cause);
                       })});
    return number;
  }
  void unregister_wakeup(Wakeup& wakeup) override { alarms_[wakeup.order()].stand_in.reset(); }
  void schedule(Wakeup& wakeup, Time when) override {
    set_due(wakeup, when);
    alarms_[wakeup.order()].stand_in->at(when);
    recorder_.write(recorder_.make(EventKind::device_alarm, 0, wakeup.order(), when));
  }

  DeviceRecorder& recorder_;
  std::deque<Alarm> alarms_;
};

class DeviceRecorder::Transmitter final : public CharacterPort {
 public:
  Transmitter(DeviceRecorder& recorder, unsigned unit, CharacterPort& port)
      : recorder_(recorder), unit_(unit), port_(port) {}
  void transmit(std::uint8_t byte) override {
    recorder_.note_output(unit_, kUartTransmit, byte);
    port_.transmit(byte);
  }

 private:
  DeviceRecorder& recorder_;
  unsigned unit_;
  CharacterPort& port_;
};

DeviceRecorder::DeviceRecorder(RecordedDevice device, Facts facts, TraceFormat format,
                               TraceWriter::Output output)
    : device_(device), facts_(std::move(facts)), format_(format), output_(std::move(output)) {}

DeviceRecorder::~DeviceRecorder() = default;

void DeviceRecorder::connect(EventHub& events, Clock& clock) {
  events_ = &events;
  time_ = &clock;
  clock_ = std::make_unique<AlarmClock>(*this);
}

void DeviceRecorder::begin(const Facts& configuration) {
  facts_.emplace_back("device", device_name(device_));
  facts_.insert(facts_.end(), configuration.begin(), configuration.end());
  writer_ =
      std::make_unique<TraceWriter>(format_, TraceHeader{facts_, recording_events()}, output_);
}

Event DeviceRecorder::make(EventKind kind, unsigned unit, std::uint64_t b, std::uint64_t c,
                           std::uint64_t d) const {
  Event event;
  event.kind = kind;
  event.a = time_->now();
  event.b = b;
  event.c = c;
  event.d = unit | d;
  events_->stamp(event);
  return event;
}

void DeviceRecorder::write(Event event) {
  if (!scope_) return write_now(event);
  waiting_.emplace_back(event);
}

void DeviceRecorder::write_now(const Event& event) {
  if (writer_) writer_->on_event(event);
}

Device& DeviceRecorder::window(unsigned unit, Device& device) {
  return *windows_.emplace_back(std::make_unique<Window>(*this, unit, device));
}

SysRegPort& DeviceRecorder::registers(unsigned unit, SysRegPort& port) {
  if (contexts_.size() <= unit) contexts_.resize(unit + 1);
  return *registers_.emplace_back(std::make_unique<Registers>(*this, unit, port));
}

Clock& DeviceRecorder::clock() {
  return *clock_;
}

CharacterPort& DeviceRecorder::transmitter(unsigned unit, CharacterPort& port) {
  return *transmitters_.emplace_back(std::make_unique<Transmitter>(*this, unit, port));
}

void DeviceRecorder::output(unsigned unit, std::uint64_t number, Line& line) {
  line.connect([this, unit, number](bool level) { note_output(unit, number, level); });
}

void DeviceRecorder::input(unsigned unit, std::uint64_t number, Line& line) {
  line.watch([this, unit, number](bool level) { note_input(unit, number, level); });
}

void DeviceRecorder::on_event(const Event& event) {
  events_->on_event(event);
  Event stamped = event;
  events_->stamp(stamped);
  write(stamped);
}

void DeviceRecorder::reset(unsigned unit) {
  write(make(EventKind::device_reset, unit));
}

void DeviceRecorder::note_input(unsigned unit, std::uint64_t number, std::uint64_t value,
                                bool accepted) {
  // A line of the device's own, from its output back to its input.
  if (scope_) return;
  write(make(EventKind::device_input, unit, number, value, std::uint64_t{accepted} << 8));
}

void DeviceRecorder::note_output(unsigned unit, std::uint64_t number, std::uint64_t value) {
  write(make(EventKind::device_output, unit, number, value));
}

void DeviceRecorder::note_context(unsigned unit, const SysRegContext& context) {
  auto& [written, last] = contexts_[unit];
  const bool same = written && last.hcr_el2 == context.hcr_el2 &&
                    last.mdcr_el2 == context.mdcr_el2 && last.secure == context.secure &&
                    last.el2_present == context.el2_present;
  if (same) return;
  written = true;
  last = context;
  write(make(EventKind::device_context, unit, context.hcr_el2, context.mdcr_el2,
             std::uint64_t{context.secure} << 8 | std::uint64_t{context.el2_present} << 9));
}

void DeviceRecorder::finish(const std::string& digest) {
  if (writer_) writer_->finish(digest);
}

DeviceRecorder* recorder_of(const std::vector<DeviceRecorder*>& recorders, RecordedDevice device) {
  for (DeviceRecorder* recorder : recorders) {
    if (recorder->device() == device) return recorder;
  }
  return nullptr;
}

EventSet recording_events() {
  EventSet set;
  for (const EventSchema& schema : event_schemas()) {
    if (schema.kind >= EventKind::device_read && schema.kind <= EventKind::device_alarm) {
      set.add(schema.kind);
    }
  }
  for (const EventKind kind :
       {EventKind::interrupt_line, EventKind::interrupt_ack, EventKind::interrupt_eoi,
        EventKind::list_register, EventKind::timer_fired, EventKind::uart_line,
        EventKind::mpu_region}) {
    set.add(kind);
  }
  return set;
}

Device& recorded(DeviceRecorder* recorder, unsigned unit, Device& device) {
  return recorder ? recorder->window(unit, device) : device;
}

SysRegPort& recorded(DeviceRecorder* recorder, unsigned unit, SysRegPort& port) {
  return recorder ? recorder->registers(unit, port) : port;
}

CharacterPort& recorded(DeviceRecorder* recorder, unsigned unit, CharacterPort& port) {
  return recorder ? recorder->transmitter(unit, port) : port;
}

}  // namespace trapline
