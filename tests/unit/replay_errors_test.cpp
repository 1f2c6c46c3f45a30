// Recordings of real boots and of our own guests: they replay, and an error in a model shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "sim/arch/registers.h"
#include "sim/replay/replay.h"

namespace trapline {
namespace {

namespace fs = std::filesystem;

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

constexpr std::uintmax_t kSmall = 10'000;  // Replayed in a few milliseconds.

/// Errors of one bit in what a register keeps: inverted in each write of it.
std::string mismatch_with_bit(const Recording& recording, const std::string& reg, unsigned bit) {
  return mismatch_of(
      recording,
      {.read = {}, .write = [&](const std::string& name, std::uint64_t, std::uint64_t value) {
         return name == reg ? value ^ std::uint64_t{1} << bit : value;
       }});
}

/// The bits that software sets in the registers it writes, by name.
std::map<std::string, std::uint64_t> bits_written(const Recording& recording) {
  std::map<std::string, std::uint64_t> bits;
  mismatch_of(
      recording,
      {.read = {}, .write = [&](const std::string& name, std::uint64_t, std::uint64_t value) {
         bits[name] |= value;
         return value;
       }});
  return bits;
}

/// "gic GICD_IPRIORITYR" for GICD_IPRIORITYR17.
std::string group_of(const Recording& recording, std::string reg) {
  while (!reg.empty() && reg.back() >= '0' && reg.back() <= '9') reg.pop_back();
  return std::string(device_name(recording.device)) + " " + reg;
}

TEST(Mutants, ABitOfEachRegisterThatIsWrittenMatters) {
  // One Security state only, system registers that cannot be turned off, and SGIs of Group 0, which
  // nobody enables.
  const std::set<std::string> without = {"gic GICD_IGRPMODR", "gic GICR_IGRPMODR",
                                         "gic ICC_SGI0R_EL", "gic ICC_SRE_EL"};
  std::map<std::string, std::pair<unsigned, unsigned>> found;  // And looked for.
  for (const Recording& recording : recordings()) {
    if (fs::file_size(recording.path) > kSmall) continue;
    for (const auto& [name, bits] : bits_written(recording)) {
      if (name.empty() || bits == 0) continue;
      for (const int bit : {std::countr_zero(bits), 63 - std::countl_zero(bits)}) {
        auto& [hits, tries] = found[group_of(recording, name)];
        ++tries;
        hits += mismatch_with_bit(recording, name, static_cast<unsigned>(bit)).empty() ? 0 : 1;
      }
    }
  }
  unsigned hits = 0, tries = 0;
  for (const auto& [name, counts] : found) {
    EXPECT_EQ(counts.first == 0, without.contains(name))
        << name << ": " << counts.first << " of " << counts.second << " errors are found";
    hits += counts.first;
    tries += counts.second;
  }
  RecordProperty("found", static_cast<int>(hits));
  RecordProperty("tried", static_cast<int>(tries));
  EXPECT_GT(hits * 3, tries) << "of " << tries;
}

/// The recording's text with one fact of its head changed.
std::string with_fact(const Recording& recording, const std::string& name,
                      const std::string& value) {
  std::ifstream file(recording.path, std::ios::binary);
  TraceReader reader(file, recording.path.filename());
  TraceHeader header = reader.header();
  for (auto& [fact, text] : header.facts) {
    if (fact == name) text = value;
  }
  std::string bytes;
  TraceWriter writer(TraceFormat::binary, header, [&](std::string_view part) { bytes += part; });
  for (StoredEvent event; reader.next(event);) writer.on_event(event.view());
  writer.finish(reader.end()->digest);
  return bytes;
}

TEST(Mutants, AModelOfAnotherConfigurationIsFound) {
  // What none of the recorded software can tell: a GICv2 that leaves reset in Non-secure state,
  // what a sleeping redistributor holds back, and a timer that only Secure EL2 has.
  const std::set<std::string> without = {"gic device.boots-nonsecure", "gic device.sleep-gates",
                                         "timer device.secure-virtual"};
  std::map<std::string, unsigned> found;
  for (const Recording& recording : recordings()) {
    std::ifstream file(recording.path, std::ios::binary);
    const TraceHeader header = TraceReader(file, "t").header();
    for (const auto& [name, value] : header.facts) {
      if (!name.starts_with("device.") || value.find(':') != std::string::npos) continue;
      const std::string key = std::string(device_name(recording.device)) + " " + name;
      if (found[key] != 0) continue;
      const std::uint64_t number = std::stoull(value);
      for (const std::uint64_t other : {number ^ 1, number + 1}) {
        std::istringstream changed(with_fact(recording, name, std::to_string(other)));
        TraceReader reader(changed, "changed");
        try {
          found[key] += replay(reader, recording.device).mismatch ? 1 : 0;
        } catch (const TraceError&) {
          ++found[key];
        }
      }
    }
  }
  EXPECT_GT(found.size(), 20u);
  for (const auto& [name, count] : found) {
    EXPECT_EQ(count == 0, without.contains(name)) << name << ": " << count;
  }
}

}  // namespace
}  // namespace trapline
