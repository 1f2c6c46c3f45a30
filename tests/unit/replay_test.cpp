// Recordings of devices and their replay: what is recorded, and which errors of a model replay
// finds.
#include "sim/replay/replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "sim/arch/registers.h"
#include "sim/replay/device_facts.h"
#include "sim/replay/recorder.h"
#include "sim/time/timeline.h"

namespace trapline {
namespace {

namespace fs = std::filesystem;

/// A PL011 with a recorder around it, as a machine has it.
class RecordedUart : public ::testing::Test, public CharacterPort {
 protected:
  RecordedUart()
      : recorder(RecordedDevice::pl011, {{"machine", "none"}}, TraceFormat::text,
                 [this](std::string_view bytes) { recording += bytes; }) {
    recorder.connect(events, timeline);
    recorder.begin(device_facts(Pl011Setup{.uarts = 1, .clock_hz = 24'000'000}));
    uart = std::make_unique<Pl011>("uart0", irq, recorded(&recorder, 0, *this), recorder.clock(),
                                   &recorder, 0u, 24'000'000u);
    window = &recorded(&recorder, 0, *uart);
    recorder.output(0, kUartInterrupt, irq);
  }
  void transmit(std::uint8_t byte) override { sent += static_cast<char>(byte); }
  void write(PhysAddr offset, std::uint64_t value) {
    EXPECT_EQ(window->write({.offset = offset}, value), BusStatus::ok);
  }
  void receive(std::uint8_t byte) {
    recorder.note_input(0, kUartReceive, byte, uart->can_receive());
    uart->receive(byte);
  }
  /// A conversation: a byte out, one in, and what the receive timeout does.
  void converse() {
    write(0x30, 0x301);
    write(0x38, 0x40);
    write(0x00, 'h');
    write(0x00, '\n');
    receive('k');
    timeline.advance_to(timeline.now() + kPicosecondsPerSecond);
    std::uint64_t value = 0;
    window->read({.offset = 0x00}, value);
    EXPECT_EQ(value, std::uint64_t{'k'});
    recorder.finish("0");
  }
  ReplayResult replayed(RecordedDevice as = RecordedDevice::pl011) {
    std::istringstream input(recording);
    TraceReader reader(input, "recording");
    return replay(reader, as);
  }

  Timeline timeline;
  EventHub events;
  Line irq;
  std::string recording, sent;
  DeviceRecorder recorder;
  std::unique_ptr<Pl011> uart;
  Device* window = nullptr;
};

TEST_F(RecordedUart, ReplaysEqual) {
  converse();
  EXPECT_EQ(sent, "h\n");
  const ReplayResult result = replayed();
  EXPECT_EQ(result.mismatch.value_or(""), "");
  EXPECT_GT(result.checked, 10u);
}

TEST_F(RecordedUart, WritesCausesBeforeWhatTheyLeadTo) {
  converse();
  const auto at = [&](const char* text) { return recording.find(text); };
  EXPECT_LT(at("offset=0x0 size=4 value=0x68"),
            at("device-output time=0 unit=0 output=1 value=0x68"));
  EXPECT_LT(at("device-input"), at("device-alarm"));
  EXPECT_LT(at("device-wake"), at("output=0 value=0x1"));
  EXPECT_NE(at("uart-line uart=0 text=\"h\""), std::string::npos);
}

TEST_F(RecordedUart, AnotherValueIsNamedWithItsRegister) {
  converse();
  const auto at = recording.find("value=0x6b status=0");
  ASSERT_NE(at, std::string::npos);
  recording[at + 9] = 'a';
  const std::string mismatch = replayed().mismatch.value_or("none");
  EXPECT_NE(
      mismatch.find("the read of uart0 UARTDR (offset 0x0, 4 bytes): expected 0x6a, got 0x6b"),
      std::string::npos)
      << mismatch;
}

TEST_F(RecordedUart, ALineThatMovesAtAnotherTimeIsADifference) {
  converse();
  const auto wake = recording.find("cpu0 EL0 vmid 0 insn 0 cycle 0 device-wake");
  ASSERT_NE(wake, std::string::npos);
  recording.erase(wake, recording.find('\n', wake) + 1 - wake);
  const auto end = recording.find("events=", recording.find("\nend "));
  recording.replace(end, recording.size() - end - 1,
                    "events=" + std::to_string(std::stoul(recording.substr(end + 7)) - 1));
  const std::string mismatch = replayed().mismatch.value_or("none");
  EXPECT_NE(mismatch.find("expected UARTINTR of unit 0 = 0x1, the model does nothing"),
            std::string::npos)
      << mismatch;
}

TEST_F(RecordedUart, IsRefusedAsAnythingElse) {
  converse();
  EXPECT_THROW(replayed(RecordedDevice::gic), TraceError);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"device.uarts 1", "device.uarts 0"},
           {"device.uarts 1", "device.uarts x"},
           {"device.clock-hz 24000000\n", ""},
           {"device pl011\n", ""},
           {"device-read time",
            "device-read time=1 unit=9 offset=0 size=4 value=0 status=0 secure=0\n"
            "cpu0 EL0 vmid 0 insn 0 cycle 0 device-read time"},
           {"size=4", "size=3"}}) {
    const std::string good = recording;
    recording.replace(recording.find(from), from.size(), to);
    EXPECT_THROW(replayed(), TraceError) << to;
    recording = good;
  }
}

// ---- Recordings of real boots ----

struct Recording {
  fs::path path;
  RecordedDevice device;
};

/// traces/replay/WHAT-DEVICE.ttb
std::vector<Recording> recordings() {
  std::vector<Recording> found;
  for (const auto& entry : fs::directory_iterator(TRAPLINE_RECORDINGS)) {
    const std::string name = entry.path().stem().string();
    const auto device = device_named(name.substr(name.rfind('-') + 1));
    EXPECT_TRUE(device) << entry.path();
    if (device) found.push_back({entry.path(), *device});
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

TEST(Recordings, ReplayWithoutADifference) {
  std::vector<unsigned> of_device(kRecordedDevices.size());
  for (const Recording& recording : recordings()) {
    std::ifstream file(recording.path, std::ios::binary);
    TraceReader reader(file, recording.path.filename());
    const ReplayResult result = replay(reader, recording.device);
    EXPECT_EQ(result.mismatch.value_or(""), "") << recording.path;
    EXPECT_TRUE(reader.end()) << recording.path << " is cut short";
    EXPECT_GT(result.checked, 10u) << recording.path;
    ++of_device[static_cast<std::size_t>(recording.device)];
  }
  for (const RecordedDevice device : kRecordedDevices) {
    EXPECT_GE(of_device[static_cast<std::size_t>(device)], 2u) << device_name(device);
  }
}

/// A model with an error: something about one access in the recording is changed.
class Mutant final : public ReplayModel {
 public:
  /// Changes the value of a read or a write. `number` counts the accesses of each kind from 0.
  struct Error {
    std::function<std::uint64_t(const std::string&reg, std::uint64_t number, std::uint64_t value)>
        read, write;
  };

  Mutant(std::unique_ptr<ReplayModel> model, Error error)
      : model_(std::move(model)), error_(std::move(error)) {}

  Device* window(unsigned unit) override {
    Device* device = model_->window(unit);
    if (!device) return nullptr;
    auto& wrapped = windows_[unit];
    if (!wrapped) wrapped = std::make_unique<Window>(*this, *device);
    return wrapped.get();
  }
  SysRegPort* registers(unsigned unit) override {
    SysRegPort* port = model_->registers(unit);
    if (!port) return nullptr;
    auto& wrapped = ports_[unit];
    if (!wrapped) wrapped = std::make_unique<Port>(*this, *port);
    return wrapped.get();
  }
  bool input(const Event& event) override { return model_->input(event); }
  bool reset(unsigned unit) override { return model_->reset(unit); }
  unsigned cpus() const override { return model_->cpus(); }
  void after_write(unsigned unit) override { model_->after_write(unit); }

  std::uint64_t on_read(const std::string& reg, std::uint64_t value) {
    return error_.read ? error_.read(reg, reads_++, value) : value;
  }
  std::uint64_t on_write(const std::string& reg, std::uint64_t value) {
    return error_.write ? error_.write(reg, writes_[reg]++, value) : value;
  }

 private:
  class Window final : public Device {
   public:
    Window(Mutant& mutant, Device& device) : mutant_(mutant), device_(device) {}
    std::string_view name() const override { return device_.name(); }
    std::string register_name(PhysAddr offset) const override {
      return device_.register_name(offset);
    }
    void reset() override { device_.reset(); }
    BusStatus read(const Access& access, std::uint64_t& value) override {
      const BusStatus status = device_.read(access, value);
      value = mutant_.on_read(device_.register_name(access.offset), value);
      return status;
    }
    BusStatus write(const Access& access, std::uint64_t value) override {
      return device_.write(access, mutant_.on_write(device_.register_name(access.offset), value));
    }

   private:
    Mutant& mutant_;
    Device& device_;
  };
  class Port final : public SysRegPort {
   public:
    Port(Mutant& mutant, SysRegPort& port) : mutant_(mutant), port_(port) {}
    bool owns(SysReg reg) const override { return port_.owns(reg); }
    SysRegStatus read(SysReg reg, const SysRegContext& context, std::uint64_t& value) override {
      const SysRegStatus status = port_.read(reg, context, value);
      if (status == SysRegStatus::ok) value = mutant_.on_read(name_of(reg), value);
      return status;
    }
    SysRegStatus write(SysReg reg, const SysRegContext& context, std::uint64_t value) override {
      return port_.write(reg, context, mutant_.on_write(name_of(reg), value));
    }

   private:
    Mutant& mutant_;
    SysRegPort& port_;
  };

  std::unique_ptr<ReplayModel> model_;
  Error error_;
  std::map<unsigned, std::unique_ptr<Device>> windows_;
  std::map<unsigned, std::unique_ptr<SysRegPort>> ports_;
  std::uint64_t reads_ = 0;
  std::map<std::string, std::uint64_t> writes_;
};

std::string mismatch_of(const Recording& recording, Mutant::Error error) {
  std::ifstream file(recording.path, std::ios::binary);
  TraceReader reader(file, recording.path.filename());
  ReplayBench bench;
  Mutant mutant(make_replay_model(recording.device, reader.header(), bench), std::move(error));
  return replay(reader, recording.device, mutant, bench).mismatch.value_or("");
}

TEST(Mutants, OneBitOfOneValueReadIsFoundWhereItIsRead) {
  for (const Recording& recording : recordings()) {
    // The first, one in the middle of the shorter recordings, and one late.
    for (const std::uint64_t victim : {0u, 5u, 9u}) {
      std::string seen;
      std::uint64_t was = 0;
      const std::string mismatch = mismatch_of(
          recording, {.read =
                          [&](const std::string& reg, std::uint64_t number, std::uint64_t value) {
                            if (number != victim) return value;
                            seen = reg;
                            was = value;
                            return value ^ std::uint64_t{1} << (victim % 8);
                          },
                      .write = {}});
      if (seen.empty()) continue;  // Software reads less often than that.
      EXPECT_NE(mismatch.find(seen), std::string::npos) << recording.path << ": " << mismatch;
      EXPECT_NE(mismatch.find("expected 0x"), std::string::npos) << mismatch;
    }
  }
}

/// What is lost of the first `number`-th write of a register, and must show in what the model does.
struct LostBit {
  const char* recording;
  const char* reg;
  std::uint64_t number;
  unsigned bit;
};

TEST(Mutants, OneBitLostInAWriteIsFoundByItsConsequences) {
  const LostBit cases[] = {
      {"xen-gic2-gic", "GICD_CTLR", 1, 0},        {"xen-gic2-gic", "GICH_LR0", 0, 28},
      {"xen-gic2-gic", "GICD_ISENABLER0", 2, 26}, {"xen-gic2-gic", "GICC_PMR", 0, 7},
      {"xen-gic3-gic", "ICH_LR0_EL2", 0, 62},     {"xen-gic3-gic", "ICC_IGRPEN1_EL1", 0, 0},
      {"xen-gic3-gic", "GICR_ISENABLER0", 2, 26}, {"xen-gic3-timer", "CNTHP_CTL_EL2", 1, 0},
      {"xen-gic3-timer", "CNTV_CVAL_EL0", 0, 20}, {"xen-mpu-mpu", "PRLAR_EL2", 3, 0},
      {"xen-mpu-mpu", "PRBAR_EL2", 2, 12},        {"r82-hypervisor-mpu", "PRENR_EL2", 1, 3},
      {"linux-el1-pl011", "UARTCR", 0, 9},        {"linux-el1-pl011", "UARTDR", 100, 0},
  };
  for (const LostBit& lost : cases) {
    const fs::path path = fs::path(TRAPLINE_RECORDINGS) / (std::string(lost.recording) + ".ttb");
    const std::string name = lost.recording;
    bool seen = false;
    const std::string mismatch = mismatch_of(
        {path, *device_named(name.substr(name.rfind('-') + 1))},
        {.read = {},
         .write = [&](const std::string& reg, std::uint64_t number, std::uint64_t value) {
           if (reg != lost.reg || number != lost.number) return value;
           seen = true;
           return value ^ std::uint64_t{1} << lost.bit;
         }});
    EXPECT_TRUE(seen) << name << " has no such write of " << lost.reg;
    EXPECT_NE(mismatch, "") << name << ", " << lost.reg;
  }
}

}  // namespace
}  // namespace trapline
