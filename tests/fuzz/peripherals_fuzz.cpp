// The smaller devices of both machines, side by side.
#include "models/flash/nor_flash.h"
#include "models/rtc/pl031.h"
#include "models/system/cci400.h"
#include "models/system/sp810.h"
#include "models/system/unmodelled.h"
#include "models/system/ve_sysregs.h"
#include "models/timer/sp804.h"
#include "models/virtio/empty_slots.h"
#include "models/watchdog/sp805.h"
#include "tests/fuzz/device.h"

namespace {

using namespace trapline;

class PeripheralRig final : public fuzz::Rig {
 public:
  PeripheralRig() {
    frames = {{&sp804_, 0x1000}, {&sp805_, 0x1000}, {&pl031_, 0x1000},     {&sysregs_, 0x1000},
              {&sp810_, 0x1000}, {&cci_, 0x10000},  {&flash_, kFlashBytes}, {&virtio_, 0x4000},
              {&unmodelled_, 0x1000}};
    for (Line& line : lines_) outputs.push_back(&line);
  }

 private:
  static constexpr std::uint64_t kFlashBytes = 4 * NorFlash::kBlockBytes;

  // One for all: it is large, and what a rig leaves in it the next one erases.
  static std::span<std::uint8_t> flash_array() {
    static std::vector<std::uint8_t> array(kFlashBytes);
    std::fill(array.begin(), array.end(), 0xff);
    return array;
  }

  Line lines_[4];
  Sp804 sp804_{"sp804", lines_[0], timeline};
  Sp805 sp805_{"sp805", lines_[1], lines_[2], timeline};
  Pl031 pl031_{lines_[3], timeline};
  VeSysregs sysregs_{"sysregs", timeline, [this](unsigned cpu, VeSysregs::PowerRequest request) {
                       answers.push_back(cpu);
                       answers.push_back(static_cast<std::uint64_t>(request));
                     }};
  Sp810 sp810_{"sp810", [this](unsigned timer, Sp810::TimerClock clock) {
                 answers.push_back(static_cast<std::uint64_t>(clock));
                 if (timer < 2) {
                   sp804_.set_clock(timer, clock == Sp810::TimerClock::refclk ? 32'768 : 1'000'000);
                 }
               }};
  Cci400 cci_{"cci"};
  NorFlash flash_{"flash", flash_array(),
                  {.mode = [this](bool array) { answers.push_back(array); },
                   .changed = [this](std::uint64_t offset, std::uint64_t bytes) {
                     fuzz::check(offset <= kFlashBytes && bytes <= kFlashBytes - offset,
                                 "what changed is in the flash");
                     answers.push_back(offset);
                   }}};
  VirtioEmptySlots virtio_;
  Unmodelled unmodelled_{"unmodelled"};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::play_twice(data, size, [] { return std::make_unique<PeripheralRig>(); });
  return 0;
}
