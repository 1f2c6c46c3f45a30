// The generic timer: system registers at every level, and the memory-mapped frames beside them.
#include "models/timer/counter_frame.h"
#include "models/timer/generic_timer.h"
#include "models/timer/timer_frame.h"
#include "tests/fuzz/device.h"

namespace {

using namespace trapline;

class TimerRig final : public fuzz::Rig {
 public:
  explicit TimerRig(std::uint8_t shape)
      : counter_(timeline, 100'000'000),
        timer_(timeline, counter_, TimerLines{lines_[0], lines_[1], lines_[2], lines_[3]}, 0, this,
               GenericTimerConfig{.vhe = (shape & 1) != 0,
                                  .frequency_known = (shape & 2) != 0,
                                  .ecv = (shape & 4) != 0,
                                  .secure_hyp_physical = shape & 8 ? &lines_[4] : nullptr,
                                  .secure_hyp_virtual = (shape & 9) == 9 ? &lines_[5] : nullptr}),
        frame_("frame", timeline, counter_, lines_[6], lines_[7]),
        control_("control", counter_, {&frame_, nullptr}, 1),
        counter_control_("counter", counter_, (shape & 16) != 0),
        counter_read_("count", counter_) {
    ports = {&timer_};
    frames = {{&frame_.base(), 0x1000},   {&frame_.el0(), 0x1000},     {&control_, 0x1000},
              {&counter_control_, 0x1000}, {&counter_read_, 0x1000}};
    for (Line& line : lines_) outputs.push_back(&line);
    other = [this](std::uint8_t with) {
      const Time next = timer_.next_event_stream(timeline.now(), with & 1 ? 1ull << 34 : 0);
      fuzz::check(next > timeline.now(), "an event stream's next event is to come");
      answers.push_back(next);
    };
  }

 private:
  Line lines_[8];
  SystemCounter counter_;
  GenericTimer timer_;
  TimerFrame frame_;
  TimerControlFrame control_;
  CounterControlFrame counter_control_;
  CounterReadFrame counter_read_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t shape = input.byte();
  const auto rest = input.rest();
  fuzz::play_twice(rest.data(), rest.size(), [&] { return std::make_unique<TimerRig>(shape); });
  return 0;
}
