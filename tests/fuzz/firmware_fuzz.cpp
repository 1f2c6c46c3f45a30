// What a guest asks of firmware: SMCCC, PSCI and semihosting, with the input as its memory.
#include <cstring>
#include <vector>

#include "sim/time/timeline.h"
#include "sim/trap/semihosting.h"
#include "sim/trap/smccc.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace trapline;

class Power final : public PowerController {
 public:
  unsigned cpu_count() const override { return 4; }
  std::uint64_t affinity(unsigned cpu) const override { return cpu < 3 ? cpu : 0x1'0000'0101; }
  PowerState state(unsigned cpu) const override { return states[cpu]; }
  bool executable(PhysAddr pa) const override { return pa >> 28 == 4; }
  void cpu_on(unsigned cpu, PhysAddr entry, El, std::uint64_t) override {
    fuzz::check(cpu < 4 && states[cpu] == PowerState::off, "only a CPU that is off is started");
    fuzz::check(executable(entry), "a CPU starts where there is code");
    states[cpu] = PowerState::on_pending;
  }
  void cpu_off(unsigned cpu) override { states[cpu] = PowerState::off; }
  void system_off(unsigned) override {}
  void system_reset(unsigned) override {}

  PowerState states[4] = {PowerState::on, PowerState::off, PowerState::off, PowerState::off};
};

class Memory final : public GuestMemory {
 public:
  static constexpr VirtAddr kBase = 0x1000;
  explicit Memory(std::span<const std::uint8_t> bytes) : bytes_(bytes.begin(), bytes.end()) {}

  bool read(unsigned, VirtAddr va, void* to, std::uint64_t bytes) override {
    if (!inside(va, bytes)) return false;
    if (bytes) std::memcpy(to, bytes_.data() + (va - kBase), bytes);
    return true;
  }
  bool write(unsigned, VirtAddr va, const void* from, std::uint64_t bytes) override {
    if (!inside(va, bytes)) return false;
    if (bytes) std::memcpy(bytes_.data() + (va - kBase), from, bytes);
    return true;
  }

 private:
  bool inside(VirtAddr va, std::uint64_t bytes) const {
    return va >= kBase && va - kBase <= bytes_.size() && bytes <= bytes_.size() - (va - kBase);
  }
  std::vector<std::uint8_t> bytes_;
};

class Console final : public CharacterPort, public CharacterSource {
 public:
  void transmit(std::uint8_t) override {}
  std::optional<std::uint8_t> take() override {
    if (left == 0) return std::nullopt;
    return static_cast<std::uint8_t>(left--);
  }
  unsigned left = 5;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned calls = input.byte() % 32;
  struct Call {
    std::uint8_t how;
    std::array<std::uint64_t, 4> x;
  };
  std::vector<Call> list;
  for (unsigned n = 0; n < calls; ++n) {
    Call call{input.byte(), {}};
    call.x[0] = input.number(call.how & 1 ? 1 : 4);
    for (unsigned m = 1; m < 4; ++m) call.x[m] = input.number(call.how & 0x80 ? 8 : 2);
    list.push_back(call);
  }
  Memory memory(input.rest());
  Console console;
  Timeline timeline;
  Power power;
  bool exited = false;
  const auto quiet = [](const std::string&) {};
  Semihosting semihosting({.command_line = "a b"},
                          {.memory = memory,
                           .clock = timeline,
                           .output = console,
                           .input = &console,
                           .exit = [&](const SemihostingExit&) { exited = true; }},
                          quiet);
  Firmware firmware({}, power, &semihosting, nullptr, quiet);
  for (const Call& call : list) {
    const unsigned cpu = call.how >> 1 & 3;
    if (call.how & 1) {
      std::uint64_t x0 = call.x[0];
      fuzz::check(firmware.semihosting(cpu, x0, call.x[1]), "semihosting is on");
    } else {
      std::array<std::uint64_t, 18> x{};
      std::copy(call.x.begin(), call.x.end(), x.begin());
      const auto before = x;
      const CallResult result =
          firmware.call(call.how & 8 ? Conduit::hvc : Conduit::smc, 0, cpu, x);
      // DEN0028 3.1: X4 to X17 are preserved.
      fuzz::check(std::equal(x.begin() + 4, x.end(), before.begin() + 4), "X4 to X17 are kept");
      fuzz::check(result != CallResult::refused || x == before, "a refused call changes nothing");
    }
    if (exited) break;
  }
  return 0;
}
