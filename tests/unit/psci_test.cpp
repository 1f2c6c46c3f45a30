#include "sim/trap/psci.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sim/trap/smccc.h"

namespace trapline {
namespace {

constexpr std::uint32_t kVersion = 0x84000000, kSuspend32 = 0x84000001, kSuspend64 = 0xc4000001,
                        kOff = 0x84000002, kOn32 = 0x84000003, kOn64 = 0xc4000003,
                        kInfo32 = 0x84000004, kInfo64 = 0xc4000004, kMigrateType = 0x84000006,
                        kSystemOff = 0x84000008, kSystemReset = 0x84000009, kFeatures = 0x8400000a,
                        kReset2 = 0x84000012, kReset2Wide = 0xc4000012;
constexpr std::int64_t kNotSupported = -1, kInvalidParameters = -2, kAlreadyOn = -4,
                       kOnPending = -5, kInvalidAddress = -9;
constexpr PhysAddr kRam = 0x4000'0000, kRamSize = 0x1000'0000;

/// Two clusters of two CPUs; CPU 0 runs.
class FakePower final : public PowerController {
 public:
  unsigned cpu_count() const override { return 4; }
  std::uint64_t affinity(unsigned cpu) const override {
    return std::array<std::uint64_t, 4>{0x0, 0x1, 0x100, 0x1'0000'0101}[cpu];
  }
  PowerState state(unsigned cpu) const override { return states[cpu]; }
  bool executable(PhysAddr pa) const override { return pa - kRam < kRamSize; }
  void cpu_on(unsigned cpu, PhysAddr entry, El el, std::uint64_t context) override {
    started.push_back({cpu, entry, el, context});
    states[cpu] = PowerState::on_pending;
  }
  void cpu_off(unsigned cpu) override { log += "off" + std::to_string(cpu) + " "; }
  void system_off(unsigned cpu) override { log += "poweroff" + std::to_string(cpu) + " "; }
  void system_reset(unsigned cpu) override { log += "reset" + std::to_string(cpu) + " "; }

  struct Start {
    unsigned cpu;
    PhysAddr entry;
    El el;
    std::uint64_t context;
  };
  std::array<PowerState, 4> states{PowerState::on, PowerState::off, PowerState::off,
                                   PowerState::off};
  std::vector<Start> started;
  std::string log;
};

class Recorder final : public Sink {
 public:
  void on_event(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

class PsciTest : public ::testing::Test {
 protected:
  PsciTest() { use({}); }
  void use(const FirmwareConfig& config) {
    firmware.emplace(config, power, nullptr, &recorder,
                     [this](const std::string& message) { messages.push_back(message); });
  }
  /// Calls and returns X0, a signed number.
  std::int64_t call(std::uint64_t function, std::uint64_t x1 = 0, std::uint64_t x2 = 0,
                    std::uint64_t x3 = 0) {
    registers = {function, x1, x2, x3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    const auto before = registers;
    result = firmware->call(Conduit::smc, 0, 0, registers);
    for (unsigned n = 1; n < 18; ++n) EXPECT_EQ(registers[n], before[n]) << "X" << n;
    return static_cast<std::int64_t>(registers[0]);
  }

  FakePower power;
  Recorder recorder;
  std::vector<std::string> messages;
  std::array<std::uint64_t, 18> registers{};
  CallResult result = CallResult::refused;
  std::optional<Firmware> firmware;
};

TEST_F(PsciTest, VersionsAndMigration) {
  EXPECT_EQ(call(kVersion), 0x10001);
  EXPECT_EQ(result, CallResult::done);
  EXPECT_EQ(call(kMigrateType), 2);
  EXPECT_EQ(call(0xffff'ffff'0000'0000 | kVersion), 0x10001);  // Only W0 names the function.
  EXPECT_TRUE(messages.empty());
}

TEST_F(PsciTest, CpuOnStartsAtEl2WithTheContext) {
  EXPECT_EQ(call(kOn64, 0x1'0000'0101, kRam + 0x80000, 0xfeed'0000'0000'0001), 0);
  ASSERT_EQ(power.started.size(), 1u);
  EXPECT_EQ(power.started[0].cpu, 3u);
  EXPECT_EQ(power.started[0].entry, kRam + 0x80000);
  EXPECT_EQ(power.started[0].el, El::el2);
  EXPECT_EQ(power.started[0].context, 0xfeed'0000'0000'0001u);
}

TEST_F(PsciTest, CpuOnErrors) {
  EXPECT_EQ(call(kOn64, 0x2, kRam, 0), kInvalidParameters);
  EXPECT_EQ(call(kOn64, 0x8000'0001, kRam, 0), kInvalidParameters);  // MPIDR's bit 31 is not Aff.
  EXPECT_EQ(call(kOn64, 0x1, 0x1000, 0), kInvalidAddress);
  EXPECT_EQ(call(kOn64, 0x1, kRam + 2, 0), kInvalidAddress);
  EXPECT_EQ(call(kOn64, 0x0, kRam, 0), kAlreadyOn);
  EXPECT_EQ(call(kOn64, 0x0, 0x1000, 0), kInvalidAddress);
  EXPECT_TRUE(power.started.empty());
  EXPECT_EQ(call(kOn64, 0x1, kRam, 0), 0);
  EXPECT_EQ(call(kOn64, 0x1, kRam, 0), kOnPending);
  power.states[1] = PowerState::on;
  EXPECT_EQ(call(kOn64, 0x1, kRam, 0), kAlreadyOn);
  EXPECT_EQ(power.started.size(), 1u);
}

TEST_F(PsciTest, ThirtyTwoBitCallsUseWRegisters) {
  constexpr std::uint64_t kJunk = 0xabcd'0000'0000'0000;
  EXPECT_EQ(call(kOn32, kJunk | 0x100, kJunk | kRam, kJunk | 0x1234), 0);
  ASSERT_EQ(power.started.size(), 1u);
  EXPECT_EQ(power.started[0].cpu, 2u);
  EXPECT_EQ(power.started[0].entry, kRam);
  EXPECT_EQ(power.started[0].context, 0x1234u);
  EXPECT_EQ(call(kOn64, kJunk | 0x1, kRam, 0), kInvalidParameters);
  EXPECT_EQ(call(kInfo32, kJunk | 0x0, kJunk | 0), 0);
}

TEST_F(PsciTest, StartLevelFollowsTheBoard) {
  struct Case {
    FirmwareConfig config;
    El el;
  };
  const Case cases[] = {
      {{.conduit = Conduit::smc, .has_el2 = true}, El::el2},
      {{.conduit = Conduit::smc, .has_el2 = false}, El::el1},
      {{.conduit = Conduit::hvc, .has_el2 = false}, El::el1},
      {{.conduit = Conduit::hvc, .has_el2 = true}, El::el1},
  };
  for (const Case& c : cases) {
    power = {};
    use(c.config);
    std::array<std::uint64_t, 18> x{kOn64, 1, kRam, 0};
    EXPECT_EQ(firmware->call(*c.config.conduit, 0, 0, x), CallResult::done);
    ASSERT_EQ(power.started.size(), 1u);
    EXPECT_EQ(power.started[0].el, c.el);
  }
}

TEST_F(PsciTest, AffinityInfoLooksAtEachLevel) {
  EXPECT_EQ(call(kInfo64, 0x0, 0), 0);
  EXPECT_EQ(call(kInfo64, 0x1, 0), 1);
  power.states[1] = PowerState::on_pending;
  EXPECT_EQ(call(kInfo64, 0x1, 0), 2);
  EXPECT_EQ(call(kInfo64, 0x1, 1), 0);    // Its cluster has CPU 0, which is on.
  EXPECT_EQ(call(kInfo64, 0x1ff, 1), 1);  // The other cluster is off, whatever Aff0 says.
  EXPECT_EQ(call(kInfo64, 0x100, 2), 0);
  EXPECT_EQ(call(kInfo64, 0x1'0000'0000, 3), 1);
  power.states[3] = PowerState::on_pending;
  EXPECT_EQ(call(kInfo64, 0x1'0000'0000, 3), 2);
  EXPECT_EQ(call(kInfo64, 0x2'0000'0000, 3), kInvalidParameters);
  EXPECT_EQ(call(kInfo64, 0x0, 4), kInvalidParameters);
  EXPECT_EQ(call(kInfo64, 0x2, 0), kInvalidParameters);
  EXPECT_EQ(call(kInfo64, 0x8000'0000, 0), kInvalidParameters);
}

TEST_F(PsciTest, SuspendWaitsForAnInterrupt) {
  EXPECT_EQ(call(kSuspend64, 0x0, 0, 0), 0);
  EXPECT_EQ(result, CallResult::wait);
  EXPECT_EQ(call(kSuspend32, 0x1'0000'0000 | 0x1234), 0);
  EXPECT_EQ(result, CallResult::wait);
  // A power-down state: standby, but the entry point must be good.
  EXPECT_EQ(call(kSuspend64, 0x10001, kRam, 7), 0);
  EXPECT_EQ(result, CallResult::wait);
  EXPECT_EQ(call(kSuspend64, 0x10001, 0x10, 7), kInvalidAddress);
  EXPECT_EQ(result, CallResult::done);
  EXPECT_EQ(call(kSuspend64, 0x0100'0000, kRam, 7), kInvalidParameters);
  EXPECT_EQ(call(kSuspend64, 0x0002'0000, kRam, 7), kInvalidParameters);
}

TEST_F(PsciTest, PowerOffAndReset) {
  call(kOff);
  call(kSystemOff);
  call(kSystemReset);
  call(kReset2, 0, 5);
  call(kReset2Wide, 0, 5);
  EXPECT_EQ(power.log, "off0 poweroff0 reset0 reset0 reset0 ");
  EXPECT_EQ(call(kReset2, 0x8000'0000), kInvalidParameters);
  EXPECT_EQ(call(kReset2, 1), kInvalidParameters);
  EXPECT_EQ(power.log, "off0 poweroff0 reset0 reset0 reset0 ");
}

TEST_F(PsciTest, FeaturesListExactlyWhatIsThere) {
  for (std::uint32_t there :
       {kVersion, kSuspend32, kSuspend64, kOff, kOn32, kOn64, kInfo32, kInfo64, kMigrateType,
        kSystemOff, kSystemReset, kFeatures, kReset2, kReset2Wide, 0x80000000u}) {
    EXPECT_EQ(call(kFeatures, there), 0) << std::hex << there;
  }
  for (std::uint32_t absent :
       {0xc4000000u, 0xc4000002u, 0xc4000008u, 0x84000005u, 0x84000007u, 0x8400000bu, 0x8400000cu,
        0x8400000du, 0x8400000eu, 0xc400000eu, 0x8400000fu, 0x84000010u, 0x84000013u, 0x84000014u,
        0x8400001fu, 0x04000003u, 0x85000003u, 0x84010003u, 0x80000001u, 0xc4000050u}) {
    EXPECT_EQ(call(kFeatures, absent), kNotSupported) << std::hex << absent;
  }
}

TEST_F(PsciTest, AbsentFunctionsAreNotSupportedAndNamedOnce) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(call(0xc400000e, kRam), kNotSupported);  // SYSTEM_SUSPEND
    EXPECT_EQ(call(0x8400000d), kNotSupported);        // NODE_HW_STATE
    EXPECT_EQ(call(0xc4000008), kNotSupported);        // SYSTEM_OFF has no 64-bit form.
    EXPECT_EQ(call(0x8400001e), kNotSupported);
  }
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_NE(messages[0].find("SYSTEM_SUSPEND (0xc400000e)"), std::string::npos) << messages[0];
  EXPECT_NE(messages[1].find("NODE_HW_STATE"), std::string::npos) << messages[1];
  EXPECT_EQ(power.log, "");
}

TEST_F(PsciTest, DiscoveryOfAbsentServicesIsQuiet) {
  for (std::uint32_t probe : {0x84000050u, 0xc4000053u, 0xc4000020u, 0x84000063u, 0x8600ff01u,
                              0xbf00ff01u, 0x80000002u, 0xc5000020u, 0x80008000u}) {
    EXPECT_EQ(call(probe), kNotSupported) << std::hex << probe;
  }
  EXPECT_TRUE(messages.empty());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(call(0xc2000001), kNotSupported);  // SiP service
    EXPECT_EQ(call(0x02000001), kNotSupported);  // A yielding call.
  }
  EXPECT_EQ(messages.size(), 2u);
}

TEST_F(PsciTest, MessagesAreBoundedWhateverTheGuestInvents) {
  for (std::uint32_t n = 0; n < 1000; ++n) EXPECT_EQ(call(0xc2000000 + n), kNotSupported);
  EXPECT_EQ(messages.size(), 64u);
}

TEST_F(PsciTest, SmcccDiscovery) {
  EXPECT_EQ(call(0x80000000), 0x10001);
  EXPECT_EQ(call(0x80000001, 0x80000000), 0);
  EXPECT_EQ(call(0x80000001, 0x80000001), 0);
  EXPECT_EQ(call(0x80000001, 0xabcd'0000'8000'0001), 0);
  for (std::uint32_t id : {0x80008000u, 0x80007fffu, 0x80003fffu, 0x80000002u, 0x80000050u}) {
    EXPECT_EQ(call(0x80000001, id), kNotSupported) << std::hex << id;
  }
}

TEST_F(PsciTest, WorkaroundsAreNotRequiredIfTheBoardSaysSo) {
  use({.arch_workarounds = true});
  EXPECT_EQ(call(0x80000001, 0x80008000), 1);
  EXPECT_EQ(call(0x80000001, 0x80003fff), 1);
  EXPECT_EQ(call(0x80000001, 0x80007fff), -2);
  EXPECT_EQ(call(0x80008000), static_cast<std::int64_t>(0x80008000));  // Returns nothing.
  EXPECT_EQ(result, CallResult::done);
}

TEST_F(PsciTest, WithoutSmccc11ThereIsNoDiscovery) {
  use({.smccc_1_1 = false});
  EXPECT_EQ(call(kFeatures, 0x80000000), kNotSupported);
  EXPECT_EQ(call(0x80000000), kNotSupported);
  EXPECT_EQ(call(0x80000001, 0x80000001), kNotSupported);
  EXPECT_EQ(call(kVersion), 0x10001);
}

TEST_F(PsciTest, OtherConduitAndOtherImmediatesAreRefused) {
  std::array<std::uint64_t, 18> x{kVersion};
  EXPECT_EQ(firmware->call(Conduit::hvc, 0, 0, x), CallResult::refused);
  EXPECT_EQ(firmware->call(Conduit::smc, 0xea1, 0, x), CallResult::refused);
  EXPECT_EQ(x[0], kVersion);
  use({.conduit = Conduit::hvc, .has_el2 = false});
  EXPECT_EQ(firmware->call(Conduit::smc, 0, 0, x), CallResult::refused);
  EXPECT_EQ(firmware->call(Conduit::hvc, 0, 0, x), CallResult::done);
  EXPECT_EQ(x[0], 0x10001u);
  use({.conduit = std::nullopt});
  EXPECT_EQ(firmware->call(Conduit::smc, 0, 0, x), CallResult::refused);
  EXPECT_EQ(firmware->call(Conduit::hvc, 0, 0, x), CallResult::refused);
}

TEST_F(PsciTest, EachCallIsAnEvent) {
  std::array<std::uint64_t, 18> x{0xff'0000'0000 | kOn64, 0x1, kRam, 9};
  firmware->call(Conduit::smc, 0, 2, x);
  call(0x80000000);
  ASSERT_EQ(recorder.events.size(), 1u);
  const Event& event = recorder.events[0];
  EXPECT_EQ(event.kind, EventKind::psci);
  EXPECT_EQ(event.cpu, 2);
  EXPECT_EQ(event.a, kOn64);
  EXPECT_EQ(event.b, 0x1u);
  EXPECT_EQ(event.c, kRam);
  EXPECT_EQ(event.d, 9u);
}

TEST_F(PsciTest, SemihostingIsOffWithoutAPort) {
  std::uint64_t x0 = 0x18;
  EXPECT_FALSE(firmware->semihosting(0, x0, 0));
  EXPECT_EQ(x0, 0x18u);
}

}  // namespace
}  // namespace trapline
