#include "sim/replay/replay.h"

#include <cstdio>
#include <stdexcept>

namespace trapline {

bool ReplayClock::wake(std::uint64_t number) {
  if (number >= wakeups_.size() || !wakeups_[number]) return false;
  if (wakeups_[number]->due() == kNever) return false;
  run(*wakeups_[number]);
  return true;
}

std::uint64_t ReplayClock::register_wakeup(Wakeup& wakeup) {
  wakeups_.push_back(&wakeup);
  return wakeups_.size() - 1;
}

void ReplayClock::schedule(Wakeup& wakeup, Time when) {
  set_due(wakeup, when);
  asked_(wakeup.order(), when);
}

class ReplayBench::Transmitter final : public CharacterPort {
 public:
  Transmitter(ReplayBench& bench, unsigned unit) : bench_(bench), unit_(unit) {}
  void transmit(std::uint8_t byte) override { bench_.note_output(unit_, kUartTransmit, byte); }

 private:
  ReplayBench& bench_;
  unsigned unit_;
};

ReplayBench::ReplayBench()
    : clock_([this](std::uint64_t number, Time when) {
        done_.emplace_back(
            Event{.kind = EventKind::device_alarm, .a = clock_.now(), .b = number, .c = when});
      }) {}

Line& ReplayBench::output(unsigned unit, std::uint64_t number) {
  Line& line = lines_.emplace_back();
  watch(unit, number, line);
  return line;
}

void ReplayBench::watch(unsigned unit, std::uint64_t number, Line& line) {
  line.connect([this, unit, number](bool level) { note_output(unit, number, level); });
}

CharacterPort& ReplayBench::transmitter(unsigned unit) {
  return *transmitters_.emplace_back(std::make_unique<Transmitter>(*this, unit));
}

void ReplayBench::note_output(unsigned unit, std::uint64_t number, std::uint64_t value) {
  done_.emplace_back(Event{
      .kind = EventKind::device_output, .a = clock_.now(), .b = number, .c = value, .d = unit});
}

bool ReplayModel::reset(unsigned unit) {
  Device* device = window(unit);
  if (device) device->reset();
  return device != nullptr;
}

namespace {

std::string hex(std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string in_seconds(Time time) {
  char text[40];
  std::snprintf(text, sizeof text, "%llu.%012llu s",
                static_cast<unsigned long long>(time / kPicosecondsPerSecond),
                static_cast<unsigned long long>(time % kPicosecondsPerSecond));
  return text;
}

bool is_cause(EventKind kind) {
  return kind >= EventKind::device_read && kind <= EventKind::device_wake;
}

class Player {
 public:
  Player(TraceReader& recording, RecordedDevice device, ReplayModel& model, ReplayBench& bench)
      : recording_(recording), device_(device), model_(model), bench_(bench) {}

  ReplayResult play() {
    bench_.done().clear();  // The model's own beginning.
    for (StoredEvent event; !result_.mismatch && recording_.next(event);) {
      ++result_.events;
      if (is_cause(event.event.kind)) {
        if (!nothing_left(event.event)) break;
        act(event.event);
      } else {
        compare(event);
      }
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void impossible(const std::string& what) const {
    throw TraceError("event " + std::to_string(result_.events) + ": " + what);
  }

  void differ(const Event& at, const std::string& what) {
    result_.mismatch = "event " + std::to_string(result_.events) + ", at " + in_seconds(at.a) +
                       ", CPU " + std::to_string(at.cpu) + ", EL" +
                       std::to_string(static_cast<unsigned>(at.el)) + ", instruction " +
                       std::to_string(at.instructions) + ": " + what;
  }

  /// What caused the outputs that are being compared.
  std::string behind() const { return cause_.empty() ? std::string() : "\n  behind " + cause_; }

  std::string place(const Event& event) {
    if (event.kind == EventKind::register_read || event.kind == EventKind::register_write) {
      return name_of(SysReg{static_cast<std::uint16_t>(event.b)});
    }
    const Device* device = model_.window(unit_of(event));
    std::string name(device->name());
    const std::string reg = device->register_name(event.b);
    if (!reg.empty()) name += " " + reg;
    return name + " (offset " + hex(event.b) + ", " + std::to_string(event.d >> 8 & 0xff) +
           " bytes)";
  }

  std::string describe(const Event& event) const {
    if (event.kind == EventKind::device_output) {
      return output_name(device_, event.b) + " of unit " + std::to_string(unit_of(event)) + " = " +
             hex(event.c);
    }
    if (event.kind == EventKind::device_alarm) {
      return "wake-up " + std::to_string(event.b) +
             (event.c == kNever ? " cancelled" : " asked for at " + in_seconds(event.c));
    }
    return event_text(event).substr(event_text(event).find(event_kind_name(event.kind)));
  }

  /// The model did more than was recorded before `next`.
  bool nothing_left(const Event& next) {
    if (bench_.done().empty()) return true;
    differ(next, "the model does what the recording does not have: " +
                     describe(bench_.done().front().view()) + behind());
    return false;
  }

  void compare(const StoredEvent& expected) {
    ++result_.checked;
    const Event want = expected.view();
    if (bench_.done().empty()) {
      return differ(last_, "expected " + describe(want) + ", the model does nothing" + behind());
    }
    const StoredEvent got_stored = std::move(bench_.done().front());
    bench_.done().pop_front();
    const Event got = got_stored.view();
    const bool timed = want.kind >= EventKind::device_read;
    const bool same = got.kind == want.kind &&
                      (timed || (got.a == want.a && got.cpu == want.cpu)) && got.b == want.b &&
                      got.c == want.c && got.d == want.d && got.text == want.text;
    if (!same) differ(last_, "expected " + describe(want) + ", got " + describe(got) + behind());
  }

  void act(const Event& event) {
    if (event.el > El::el2) impossible("an Exception level that does not exist");
    last_ = event;
    bench_.replay_clock().set(event.a);
    switch (event.kind) {
      case EventKind::device_read:
      case EventKind::device_write:
        return access_window(event);
      case EventKind::register_read:
      case EventKind::register_write:
        return access_register(event);
      case EventKind::device_context:
        return note_context(event);
      case EventKind::device_reset:
        cause_ = "reset of unit " + std::to_string(unit_of(event));
        if (!model_.reset(unit_of(event)))
          impossible("there is no unit " + std::to_string(unit_of(event)));
        return;
      case EventKind::device_input:
        cause_ = input_name(device_, event.b) + " of unit " + std::to_string(unit_of(event)) +
                 " = " + hex(event.c);
        if (!model_.input(event)) {
          differ(event, "the input " + cause_ + " ends otherwise than recorded");
        }
        return;
      default:
        cause_ = "wake-up " + std::to_string(event.b);
        if (!bench_.replay_clock().wake(event.b)) {
          differ(event, cause_ + " came, and the model did not ask for it");
        }
    }
  }

  void access_window(const Event& event) {
    Device* device = model_.window(unit_of(event));
    const auto size = static_cast<std::uint8_t>(event.d >> 8);
    if (!device) impossible("there is no unit " + std::to_string(unit_of(event)));
    if (event.cpu >= model_.cpus()) impossible("there is no CPU " + std::to_string(event.cpu));
    if (size != 1 && size != 2 && size != 4 && size != 8) impossible("an access of a bad size");
    const Access access{
        .offset = event.b, .size = size, .cpu = event.cpu, .secure = (event.d >> 24 & 1) != 0};
    const auto wanted = static_cast<BusStatus>(event.d >> 16 & 0xff);
    const bool read = event.kind == EventKind::device_read;
    std::uint64_t value = 0;
    const BusStatus status = read ? device->read(access, value) : device->write(access, event.c);
    check_access(event, status == wanted, status == BusStatus::ok, value, read);
  }

  void access_register(const Event& event) {
    SysRegPort* port = model_.registers(unit_of(event));
    if (!port) impossible("there is no unit " + std::to_string(unit_of(event)));
    const SysReg reg{static_cast<std::uint16_t>(event.b)};
    if (unit_of(event) >= contexts_.size()) contexts_.resize(unit_of(event) + 1);
    SysRegContext context = contexts_[unit_of(event)];
    context.el = event.el;
    const auto wanted = static_cast<SysRegStatus>(event.d >> 8 & 0xff);
    const bool read = event.kind == EventKind::register_read;
    std::uint64_t value = 0;
    const SysRegStatus status =
        read ? port->read(reg, context, value) : port->write(reg, context, event.c);
    if (!read) model_.after_write(unit_of(event));
    check_access(event, status == wanted, status == SysRegStatus::ok, value, read);
  }

  void check_access(const Event& event, bool same_status, bool ok, std::uint64_t value, bool read) {
    ++result_.checked;
    cause_ = (read ? "the read of " : "the write of " + hex(event.c) + " to ") + place(event);
    if (!same_status) return differ(event, cause_ + " ends otherwise than recorded");
    if (read && ok && value != event.c) {
      differ(event, cause_ + ": expected " + hex(event.c) + ", got " + hex(value));
    }
  }

  void note_context(const Event& event) {
    if (unit_of(event) >= contexts_.size()) contexts_.resize(unit_of(event) + 1);
    contexts_[unit_of(event)] = {.secure = (event.d >> 8 & 1) != 0,
                                 .el2_present = (event.d >> 9 & 1) != 0,
                                 .hcr_el2 = event.b,
                                 .mdcr_el2 = event.c};
  }

  TraceReader& recording_;
  RecordedDevice device_;
  ReplayModel& model_;
  ReplayBench& bench_;
  ReplayResult result_;
  Event last_{};       ///< The cause of what is being compared.
  std::string cause_;  ///< In words.
  std::vector<SysRegContext> contexts_;
};

}  // namespace

ReplayResult replay(TraceReader& recording, RecordedDevice device, ReplayModel& model,
                    ReplayBench& bench) {
  return Player(recording, device, model, bench).play();
}

ReplayResult replay(TraceReader& recording, RecordedDevice device) {
  const std::string* what = recording.header().fact("device");
  if (!what) throw TraceError("no recording of a device; make one with --record-device");
  if (*what != device_name(device)) {
    throw TraceError("a recording of the device '" + *what + "', not of '" +
                     std::string(device_name(device)) + "'");
  }
  ReplayBench bench;
  const std::unique_ptr<ReplayModel> model = make_replay_model(device, recording.header(), bench);
  return replay(recording, device, *model, bench);
}

}  // namespace trapline
