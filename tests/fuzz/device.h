// Drives a model as a guest would, with any bytes, twice: what it answers must follow from them
// alone, and fit the access.
#pragma once

#include <spdlog/spdlog.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/sysreg_port.h"
#include "sim/time/timeline.h"
#include "sim/trace/event.h"
#include "tests/fuzz/fuzz.h"

namespace trapline::fuzz {

/// A model with everything around it.
class Rig : public Sink {
 public:
  struct Frame {
    Device* device;
    std::uint64_t bytes;
  };

  ~Rig() override = default;
  void on_event(const Event& event) override {
    for (const std::uint64_t part : {static_cast<std::uint64_t>(event.kind), event.a, event.b,
                                     event.c, event.d}) {
      answers.push_back(part);
    }
  }

  Timeline timeline;
  std::vector<Frame> frames;
  std::vector<SysRegPort*> ports;  ///< By CPU.
  std::vector<Line*> inputs, outputs;
  std::function<void(std::uint8_t)> other;  ///< What else can happen to it.
  std::vector<std::uint64_t> answers;       ///< All that could be seen of it.
};

/// Every register that `port` has.
inline std::vector<SysReg> registers_of(const SysRegPort& port) {
  std::vector<SysReg> found;
  for (unsigned key = 0x8000; key <= 0xffff; ++key) {
    const SysReg reg{static_cast<std::uint16_t>(key)};
    if (port.owns(reg)) found.push_back(reg);
  }
  return found;
}

class Player {
 public:
  Player(Rig& rig, const std::vector<SysReg>& registers) : rig_(rig), registers_(registers) {}

  void play(Input input) {
    for (unsigned n = 0; n < kMostSteps && !input.empty(); ++n) {
      step(input);
      for (const Line* line : rig_.outputs) rig_.answers.push_back(line->level());
    }
  }

 private:
  static constexpr unsigned kMostSteps = 400;
  static constexpr Time kMostTime = 1'000'000'000;  // A millisecond a step.

  void step(Input& input) {
    const std::uint8_t code = input.byte();
    switch (code & 7) {
      case 0:
      case 1:
        return register_access(input, code);
      case 2:
      case 3:
        return rig_.ports.empty() ? register_access(input, code) : sysreg_access(input, code);
      case 4:
        if (!rig_.inputs.empty()) {
          rig_.inputs[input.number(2) % rig_.inputs.size()]->set(code & 8);
        }
        return;
      case 5:
        return rig_.timeline.advance_to(rig_.timeline.now() +
                                        input.number(4) % kMostTime * (code & 8 ? 1 : 1000) %
                                            kMostTime);
      case 6:
        if (rig_.other) rig_.other(input.byte());
        return;
      default:
        if (code == 7) {
          for (const Rig::Frame& frame : rig_.frames) frame.device->reset();
        }
    }
  }

  void register_access(Input& input, std::uint8_t code) {
    if (rig_.frames.empty()) return;
    const std::uint8_t where = input.byte();
    const Rig::Frame& frame = rig_.frames[(where & 31) % rig_.frames.size()];
    Access access;
    access.size = static_cast<std::uint8_t>(1u << (code >> 3 & 3));
    access.cpu = static_cast<std::uint8_t>((where >> 5) % kCpus);
    access.secure = code & 0x20;
    access.offset = input.number(3) % (frame.bytes - access.size + 1);
    // A CPU splits what is not aligned to its size.
    if (!(code & 0x40)) access.offset -= access.offset % access.size;
    const std::uint64_t mask = access.size == 8 ? ~0ull : (1ull << 8 * access.size) - 1;
    if (code & 1) {
      rig_.answers.push_back(
          static_cast<std::uint64_t>(frame.device->write(access, input.number(access.size) & mask)));
      return;
    }
    std::uint64_t value = 0;
    if (frame.device->read(access, value) == BusStatus::ok) {
      check((value & ~mask) == 0, "what is read fits the access");
    }
    rig_.answers.push_back(value);
  }

  void sysreg_access(Input& input, std::uint8_t code) {
    const std::uint8_t who = input.byte();
    SysRegPort& port = *rig_.ports[who % rig_.ports.size()];
    const SysReg reg = registers_[input.number(2) % registers_.size()];
    SysRegContext context;
    context.el = static_cast<El>((who >> 4 & 3) % 3);
    context.secure = who & 0x40;
    context.el2_present = !(who & 0x80) || context.el == El::el2;
    // TGE, IMO, FMO, E2H and whatever else.
    if (code & 8) context.hcr_el2 = input.number(5);
    std::uint64_t value = 0;
    if (code & 1) {
      rig_.answers.push_back(
          static_cast<std::uint64_t>(port.write(reg, context, input.number(code & 16 ? 8 : 2))));
    } else {
      rig_.answers.push_back(static_cast<std::uint64_t>(port.read(reg, context, value)));
      rig_.answers.push_back(value);
    }
  }

  static constexpr unsigned kCpus = 2;

  Rig& rig_;
  const std::vector<SysReg>& registers_;
};

/// Plays the input to two rigs that `make` made, one after the other.
template <typename Make>
void play_twice(const std::uint8_t* data, std::size_t size, Make&& make) {
  spdlog::set_level(spdlog::level::off);
  static const std::vector<SysReg> registers = [&] {
    const auto rig = make();
    return rig->ports.empty() ? std::vector<SysReg>{} : registers_of(*rig->ports.front());
  }();
  std::vector<std::uint64_t> first;
  for (unsigned n = 0; n < 2; ++n) {
    const auto rig = make();
    Player(*rig, registers).play(Input(data, size));
    if (n == 0) first = rig->answers;
    if (n == 1) check(rig->answers == first, "a model's answers follow from what is done to it");
  }
}

}  // namespace trapline::fuzz
