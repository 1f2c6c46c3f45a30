// Memory-mapped timers: CNTCTLBase, CNTBaseN and CNTEL0BaseN (DDI 0487 I2.3, I5.7).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/timer/compare_timer.h"
#include "models/timer/system_counter.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/register_bank.h"
#include "sim/time/clock.h"

namespace trapline {

/// One frame: a physical and a virtual timer with two register windows. The control frame decides
/// what the first window may reach (CNTACR), the first window what the second may (CNTEL0ACR);
/// what is out of reach reads as zero and ignores writes.
class TimerFrame {
 public:
  /// `name` names the first window; the second is called `name`-el0. The rest must outlive it.
  TimerFrame(const std::string& name, Clock& clock, SystemCounter& counter, Line& physical,
             Line& virtual_line);

  /// CNTBaseN.
  Device& base() { return base_; }
  /// CNTEL0BaseN; a machine without it does not map it.
  Device& el0() { return el0_; }

 private:
  friend class TimerControlFrame;

  class View final : public Device {
   public:
    View(TimerFrame& frame, std::string name, bool el0);
    std::string_view name() const override { return bank_.owner(); }
    void reset() override;
    BusStatus read(const Access& access, std::uint64_t& value) override;
    BusStatus write(const Access& access, std::uint64_t value) override;

   private:
    bool allows(unsigned access_bit, unsigned el0_bit) const;
    void add_timer(PhysAddr offset, const std::string& prefix, CompareTimer& timer,
                   unsigned access_bit, unsigned el0_bit);

    TimerFrame& frame_;
    bool el0_;
    RegisterBank bank_;
  };

  void reset();

  SystemCounter& counter_;
  std::uint64_t frequency_;       // CNTFRQ, as the control frame last set it.
  std::uint64_t access_ = 0;      // CNTACR<n>.
  std::uint64_t el0_access_ = 0;  // CNTEL0ACR.
  CompareTimer physical_;
  CompareTimer virtual_;
  View base_;
  View el0_;
};

/// CNTCTLBase: frequency, features, access rights and virtual offsets of up to eight frames.
class TimerControlFrame final : public Device {
 public:
  /// `frames[n]` is frame n, or nullptr where that number is not implemented. `el0_frames` bit n
  /// says that frame n has a second window. Throws std::invalid_argument for more than eight.
  TimerControlFrame(std::string name, const SystemCounter& counter, std::vector<TimerFrame*> frames,
                    unsigned el0_frames = 0);

  std::string_view name() const override { return bank_.owner(); }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

 private:
  void add_frame(unsigned n, TimerFrame& frame);

  std::vector<TimerFrame*> frames_;
  RegisterBank bank_;
};

}  // namespace trapline
