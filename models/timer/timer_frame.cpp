#include "models/timer/timer_frame.h"

#include <stdexcept>
#include <utility>

#include "models/timer/counter_frame.h"

namespace trapline {
namespace {

// CNTACR<n>: bit numbers.
constexpr unsigned kRpct = 0, kRvct = 1, kRfrq = 2, kRvoff = 3, kRwvt = 4, kRwpt = 5;
// CNTEL0ACR: bit numbers.
constexpr unsigned kEl0Pcten = 0, kEl0Vcten = 1, kEl0Vten = 8, kEl0Pten = 9;

}  // namespace

TimerFrame::TimerFrame(const std::string& name, Clock& clock, SystemCounter& counter,
                       Line& physical, Line& virtual_line)
    : counter_(counter),
      frequency_(counter.frequency()),
      physical_(clock, counter, physical, {}),
      virtual_(clock, counter, virtual_line, {}),
      base_(*this, name, false),
      el0_(*this, name + "-el0", true) {
  counter_.connect([this] {
    physical_.update();
    virtual_.update();
  });
}

void TimerFrame::reset() {
  frequency_ = counter_.frequency();
  access_ = el0_access_ = 0;
  physical_.reset();
  virtual_.reset();
}

TimerFrame::View::View(TimerFrame& frame, std::string name, bool el0)
    : frame_(frame), el0_(el0), bank_(std::move(name)) {
  bank_.add(0x000, "CNTPCT", 8).on_read([this] {
    return allows(kRpct, kEl0Pcten) ? frame_.counter_.count() : 0;
  });
  bank_.add(0x008, "CNTVCT", 8).on_read([this] {
    return allows(kRvct, kEl0Vcten) ? frame_.counter_.count() - frame_.virtual_.offset() : 0;
  });
  bank_.add(0x010, "CNTFRQ").on_read([this] {
    const bool allowed = allows(kRfrq, kEl0Pcten) || allows(kRfrq, kEl0Vcten);
    return allowed ? frame_.frequency_ : 0;
  });
  if (!el0) {
    bank_.add(0x014, "CNTEL0ACR")
        .on_read([this] { return frame_.el0_access_; })
        .on_write([this](const RegisterWrite& w) {
          frame_.el0_access_ = ((frame_.el0_access_ & ~w.lanes) | (w.written & w.lanes)) & 0x303;
        });
    bank_.add(0x018, "CNTVOFF", 8).on_read([this] {
      return bit(frame_.access_, kRvoff) ? frame_.virtual_.offset() : 0;
    });
  }
  add_timer(0x020, "CNTP", frame.physical_, kRwpt, kEl0Pten);
  add_timer(0x030, "CNTV", frame.virtual_, kRwvt, kEl0Vten);
  add_counter_id(bank_);
}

bool TimerFrame::View::allows(unsigned access_bit, unsigned el0_bit) const {
  return bit(frame_.access_, access_bit) && (!el0_ || bit(frame_.el0_access_, el0_bit));
}

void TimerFrame::View::add_timer(PhysAddr offset, const std::string& prefix, CompareTimer& timer,
                                 unsigned access_bit, unsigned el0_bit) {
  bank_.add(offset, prefix + "_CVAL", 8)
      .on_read([=, this, &timer] { return allows(access_bit, el0_bit) ? timer.compare() : 0; })
      .on_write([=, this, &timer](const RegisterWrite& w) {
        if (!allows(access_bit, el0_bit)) return;
        timer.set_compare((timer.compare() & ~w.lanes) | (w.written & w.lanes));
      });
  bank_.add(offset + 8, prefix + "_TVAL")
      .on_read([=, this, &timer] { return allows(access_bit, el0_bit) ? timer.timer_value() : 0; })
      .on_write([=, this, &timer](const RegisterWrite& w) {
        if (!allows(access_bit, el0_bit)) return;
        timer.set_timer_value(
            static_cast<std::uint32_t>((timer.timer_value() & ~w.lanes) | (w.written & w.lanes)));
      });
  bank_.add(offset + 12, prefix + "_CTL")
      .on_read([=, this, &timer] { return allows(access_bit, el0_bit) ? timer.control() : 0; })
      .on_write([=, this, &timer](const RegisterWrite& w) {
        if (!allows(access_bit, el0_bit)) return;
        timer.set_control((timer.control() & ~w.lanes) | (w.written & w.lanes));
      });
}

void TimerFrame::View::reset() {
  if (!el0_) frame_.reset();
}

BusStatus TimerFrame::View::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus TimerFrame::View::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

TimerControlFrame::TimerControlFrame(std::string name, const SystemCounter& counter,
                                     std::vector<TimerFrame*> frames, unsigned el0_frames)
    : frames_(std::move(frames)), bank_(std::move(name)) {
  if (frames_.size() > 8) {
    throw std::invalid_argument(bank_.owner() + ": more than eight timer frames");
  }
  bank_.add(0x000, "CNTFRQ")
      .resets_to(counter.frequency())
      .writable(0xffffffff)
      .on_write([this](const RegisterWrite& w) {
        for (TimerFrame* frame : frames_) {
          if (frame) frame->frequency_ = w.written;
        }
      });
  // Kept but without effect: there is one Security state.
  bank_.add(0x004, "CNTNSAR").writable(0xff);
  std::uint64_t features = 0;  // CNTTIDR: four bits a frame: implemented, virtual, second window.
  for (unsigned n = 0; n < frames_.size(); ++n) {
    if (!frames_[n]) continue;
    features |= (bit(el0_frames, n) ? 7ull : 3ull) << (4 * n);
    add_frame(n, *frames_[n]);
  }
  bank_.add(0x008, "CNTTIDR").resets_to(features);
  add_counter_id(bank_);
}

void TimerControlFrame::add_frame(unsigned n, TimerFrame& frame) {
  bank_.add(0x040 + 4 * n, "CNTACR" + std::to_string(n))
      .on_read([&frame] { return frame.access_; })
      .on_write([&frame](const RegisterWrite& w) {
        frame.access_ = ((frame.access_ & ~w.lanes) | (w.written & w.lanes)) & 0x3f;
      });
  bank_.add(0x080 + 8 * n, "CNTVOFF" + std::to_string(n), 8)
      .on_read([&frame] { return frame.virtual_.offset(); })
      .on_write([&frame](const RegisterWrite& w) {
        frame.virtual_.set_offset((frame.virtual_.offset() & ~w.lanes) | (w.written & w.lanes));
      });
}

void TimerControlFrame::reset() {
  bank_.reset();
  for (TimerFrame* frame : frames_) {
    if (frame) frame->reset();
  }
}

BusStatus TimerControlFrame::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus TimerControlFrame::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

}  // namespace trapline
