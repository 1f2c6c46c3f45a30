#include "sim/trap/semihosting.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "sim/time/timeline.h"
#include "sim/trap/smccc.h"

namespace trapline {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFailed = ~0ull;
constexpr std::uint32_t kOpen = 0x01, kClose = 0x02, kWriteC = 0x03, kWrite0 = 0x04, kWrite = 0x05,
                        kRead = 0x06, kReadC = 0x07, kIsError = 0x08, kIsTty = 0x09, kSeek = 0x0a,
                        kFlen = 0x0c, kTmpnam = 0x0d, kRemove = 0x0e, kRename = 0x0f, kClock = 0x10,
                        kTime = 0x11, kSystem = 0x12, kErrno = 0x13, kCommandLine = 0x15,
                        kHeapInfo = 0x16, kExit = 0x18, kExitExtended = 0x20, kElapsed = 0x30,
                        kTickFreq = 0x31;
constexpr std::uint64_t kR = 0, kRPlus = 2, kW = 4, kWPlus = 6, kA = 8;

/// Two pages of memory for each of two CPUs, at the same virtual address.
class FakeMemory final : public GuestMemory {
 public:
  static constexpr VirtAddr kBase = 0xffff'0000'1000'0000;
  static constexpr std::uint64_t kSize = 0x2000;

  bool read(unsigned cpu, VirtAddr va, void* to, std::uint64_t bytes) override {
    if (!inside(va, bytes)) return false;
    std::memcpy(to, pages[cpu].data() + (va - kBase), bytes);
    return true;
  }
  bool write(unsigned cpu, VirtAddr va, const void* from, std::uint64_t bytes) override {
    if (!inside(va, bytes)) return false;
    std::memcpy(pages[cpu].data() + (va - kBase), from, bytes);
    return true;
  }
  static bool inside(VirtAddr va, std::uint64_t bytes) {
    return va >= kBase && va - kBase <= kSize && bytes <= kSize - (va - kBase);
  }

  std::vector<std::uint8_t> pages[2] = {std::vector<std::uint8_t>(kSize),
                                        std::vector<std::uint8_t>(kSize)};
};

class FakeConsole final : public CharacterPort, public CharacterSource {
 public:
  void transmit(std::uint8_t byte) override { output += static_cast<char>(byte); }
  std::optional<std::uint8_t> take() override {
    if (input.empty()) return std::nullopt;
    const std::uint8_t byte = input.front();
    input.pop_front();
    return byte;
  }
  std::string output;
  std::deque<std::uint8_t> input;
};

class SemihostingTest : public ::testing::Test {
 protected:
  static constexpr VirtAddr kBlock = FakeMemory::kBase + 0x100;
  static constexpr VirtAddr kText = FakeMemory::kBase + 0x200;
  static constexpr VirtAddr kBuffer = FakeMemory::kBase + 0x800;

  SemihostingTest() { use({}); }
  void use(SemihostingConfig config) {
    semihosting.emplace(
        std::move(config),
        SemihostingPorts{.memory = memory,
                         .clock = timeline,
                         .output = console,
                         .input = &console,
                         .exit = [this](const SemihostingExit& exit) { exits.push_back(exit); }},
        [this](const std::string& message) { messages.push_back(message); });
  }

  std::uint64_t call(std::uint32_t operation, std::vector<std::uint64_t> fields) {
    memory.write(0, kBlock, fields.data(), 8 * fields.size());
    return semihosting->call(0, operation, kBlock);
  }
  void put(VirtAddr va, const std::string& text) {
    memory.write(0, va, text.c_str(), text.size() + 1);
  }
  std::string get(VirtAddr va, std::uint64_t bytes) {
    std::string text(bytes, '\0');
    memory.read(0, va, text.data(), bytes);
    return text;
  }
  std::uint64_t word(VirtAddr va) {
    std::uint64_t value = 0;
    memory.read(0, va, &value, 8);
    return value;
  }
  std::uint64_t open(const std::string& name, std::uint64_t mode) {
    put(kText, name);
    return call(kOpen, {kText, mode, name.size()});
  }
  std::uint64_t write(std::uint64_t handle, const std::string& text) {
    put(kBuffer, text);
    return call(kWrite, {handle, kBuffer, text.size()});
  }
  std::string read(std::uint64_t handle, std::uint64_t bytes) {
    const std::uint64_t left = call(kRead, {handle, kBuffer, bytes});
    return left > bytes ? "<failed>" : get(kBuffer, bytes - left);
  }
  std::uint64_t error() { return semihosting->call(0, kErrno, 0); }

  FakeMemory memory;
  Timeline timeline;
  FakeConsole console;
  std::vector<SemihostingExit> exits;
  std::vector<std::string> messages;
  std::optional<Semihosting> semihosting;
};

TEST_F(SemihostingTest, WritesToTheConsole) {
  put(kText, "Hello, ");
  semihosting->call(0, kWrite0, kText);
  put(kText, "w");
  semihosting->call(0, kWriteC, kText);
  const std::uint64_t out = open(":tt", kW);
  const std::uint64_t err = open(":tt", kA);
  EXPECT_NE(out, err);
  EXPECT_EQ(write(out, "or"), 0u);
  EXPECT_EQ(write(err, "ld"), 0u);
  EXPECT_EQ(console.output, "Hello, world");
  EXPECT_EQ(call(kIsTty, {out}), 1u);
  EXPECT_EQ(call(kClose, {out}), 0u);
  EXPECT_EQ(write(out, "xyz"), 3u);
  EXPECT_EQ(error(), static_cast<std::uint64_t>(EBADF));
  EXPECT_EQ(console.output, "Hello, world");
}

TEST_F(SemihostingTest, StringMayEndAtTheLastMappedByte) {
  const VirtAddr last = FakeMemory::kBase + FakeMemory::kSize;
  put(last - 3, "ab");
  EXPECT_EQ(semihosting->call(0, kWrite0, last - 3), 0u);
  EXPECT_EQ(console.output, "ab");
  memory.write(0, last - 2, "xy", 2);
  EXPECT_EQ(semihosting->call(0, kWrite0, last - 2), kFailed);
  EXPECT_EQ(error(), static_cast<std::uint64_t>(EFAULT));
}

TEST_F(SemihostingTest, MemoryIsTheCallingCpus) {
  memory.write(1, kText, "B", 2);
  put(kText, "A");
  semihosting->call(1, kWrite0, kText);
  EXPECT_EQ(console.output, "B");
}

TEST_F(SemihostingTest, ReadsTheConsole) {
  EXPECT_EQ(semihosting->call(0, kReadC, 0), kFailed);
  console.input = {'o', 'n', 'e', 0xff};
  EXPECT_EQ(semihosting->call(0, kReadC, 0), std::uint64_t{'o'});
  const std::uint64_t in = open(":tt", kR);
  EXPECT_EQ(read(in, 2), "ne");
  EXPECT_EQ(call(kRead, {in, kBuffer, 10}), 9u);
  EXPECT_EQ(get(kBuffer, 1), "\xff");
  EXPECT_EQ(call(kRead, {in, kBuffer, 10}), 10u);
  EXPECT_EQ(write(in, "no"), 2u);
  EXPECT_EQ(call(kSeek, {in, 0}), kFailed);
  EXPECT_EQ(call(kFlen, {in}), kFailed);
}

TEST_F(SemihostingTest, ExitCarriesTheGuestsCode) {
  call(kExit, {0x20026, 42});
  call(kExitExtended, {0x20026, 7});
  call(kExit, {0x20023, 0});
  ASSERT_EQ(exits.size(), 3u);
  EXPECT_EQ(exits[0].code, 42);
  EXPECT_EQ(exits[0].cpu, 0u);
  EXPECT_EQ(exits[1].code, 7);
  EXPECT_EQ(exits[2].code, 1);
  EXPECT_EQ(exits[2].reason, 0x20023u);
  EXPECT_EQ(semihosting->call(0, kExit, 0x10), kFailed);
  EXPECT_EQ(exits.size(), 3u);
}

TEST_F(SemihostingTest, TimeIsVirtual) {
  use({.epoch = 1000});
  timeline.advance_to(12'345'678'901'234);
  EXPECT_EQ(semihosting->call(0, kClock, 0), 1234u);
  EXPECT_EQ(semihosting->call(0, kTime, 0), 1012u);
  EXPECT_EQ(semihosting->call(0, kTickFreq, 0), 1'000'000'000u);
  EXPECT_EQ(semihosting->call(0, kElapsed, kBuffer), 0u);
  EXPECT_EQ(word(kBuffer), 12'345'678'901u);
  EXPECT_EQ(semihosting->call(0, kElapsed, 0x10), kFailed);
}

TEST_F(SemihostingTest, FeatureBitsSayExitExtendedAndStderr) {
  const std::uint64_t handle = open(":semihosting-features", kR);
  EXPECT_EQ(call(kFlen, {handle}), 5u);
  EXPECT_EQ(call(kIsTty, {handle}), 0u);
  EXPECT_EQ(read(handle, 4), "SHFB");
  EXPECT_EQ(read(handle, 4), "\x03");
  EXPECT_EQ(call(kSeek, {handle, 1}), 0u);
  EXPECT_EQ(read(handle, 2), "HF");
  EXPECT_EQ(call(kSeek, {handle, 6}), kFailed);
  EXPECT_EQ(open(":semihosting-features", kW), kFailed);
  EXPECT_EQ(open(":semihosting-features", kRPlus), kFailed);
}

TEST_F(SemihostingTest, SmallQueries) {
  use({.command_line = "guest --fast", .heap_info = {0x1000, 0x2000, 0x4000, 0x3000}});
  EXPECT_EQ(call(kIsError, {0}), 0u);
  EXPECT_EQ(call(kIsError, {static_cast<std::uint64_t>(-2)}), 1u);
  EXPECT_EQ(call(kCommandLine, {kBuffer, 13}), 0u);
  EXPECT_EQ(word(kBlock + 8), 12u);
  EXPECT_EQ(get(kBuffer, 13), std::string("guest --fast") + '\0');
  EXPECT_EQ(call(kCommandLine, {kBuffer, 12}), kFailed);
  EXPECT_EQ(call(kHeapInfo, {kBuffer}), 0u);
  EXPECT_EQ(word(kBuffer), 0x1000u);
  EXPECT_EQ(word(kBuffer + 24), 0x3000u);
}

TEST_F(SemihostingTest, UnknownOperationsFailAndAreNamedOnce) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(semihosting->call(0, 0x17, 0), kFailed);
    EXPECT_EQ(call(kSystem, {kText, 2}), kFailed);
  }
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_NE(messages[0].find("0x17"), std::string::npos);
  EXPECT_NE(messages[1].find("SYS_SYSTEM"), std::string::npos);
}

TEST_F(SemihostingTest, BadArgumentsAreErrorsNotCrashes) {
  EXPECT_EQ(semihosting->call(0, kOpen, 0x8), kFailed);
  EXPECT_EQ(call(kOpen, {kText, 12, 3}), kFailed);
  EXPECT_EQ(call(kOpen, {kText, 0, 1ull << 60}), kFailed);
  EXPECT_EQ(error(), static_cast<std::uint64_t>(ENAMETOOLONG));
  EXPECT_EQ(call(kOpen, {0x10, 0, 3}), kFailed);
  EXPECT_EQ(call(kClose, {77}), kFailed);
  EXPECT_EQ(call(kIsTty, {77}), kFailed);
  EXPECT_EQ(call(kRead, {77, kBuffer, 4}), kFailed);
  const std::uint64_t out = open(":tt", kW);
  EXPECT_EQ(call(kWrite, {out, kBuffer, 1ull << 40}), (1ull << 40) - 0x1800);
  EXPECT_EQ(console.output.size(), 0x1800u);
  EXPECT_EQ(call(kWrite, {out, ~0ull, ~0ull}), ~0ull);
}

TEST_F(SemihostingTest, HandlesAreReusedAndBounded) {
  EXPECT_EQ(open(":tt", kW), 1u);
  EXPECT_EQ(open(":tt", kW), 2u);
  EXPECT_EQ(open(":tt", kW), 3u);
  EXPECT_EQ(call(kClose, {2}), 0u);
  EXPECT_EQ(open(":tt", kR), 2u);
  std::uint64_t last = 0;
  for (int i = 0; i < 300; ++i) last = open(":tt", kW);
  EXPECT_EQ(last, kFailed);
  EXPECT_EQ(error(), static_cast<std::uint64_t>(EMFILE));
}

TEST_F(SemihostingTest, HostFilesAreOffByDefault) {
  EXPECT_EQ(open("/etc/passwd", kR), kFailed);
  EXPECT_EQ(open("file", kW), kFailed);
  EXPECT_EQ(error(), static_cast<std::uint64_t>(EACCES));
  put(kText, "file");
  EXPECT_EQ(call(kRemove, {kText, 4}), kFailed);
  EXPECT_EQ(call(kRename, {kText, 4, kText, 4}), kFailed);
  EXPECT_EQ(call(kTmpnam, {kBuffer, 0, 100}), kFailed);
  EXPECT_NE(messages.at(0).find("/etc/passwd"), std::string::npos);
}

TEST_F(SemihostingTest, ThroughFirmwareOnlyW0NamesTheOperation) {
  class NoPower final : public PowerController {
   public:
    unsigned cpu_count() const override { return 0; }
    std::uint64_t affinity(unsigned) const override { return 0; }
    PowerState state(unsigned) const override { return PowerState::off; }
    bool executable(PhysAddr) const override { return false; }
    void cpu_on(unsigned, PhysAddr, El, std::uint64_t) override {}
    void cpu_off(unsigned) override {}
    void system_off(unsigned) override {}
    void system_reset(unsigned) override {}
  } power;
  Firmware firmware({}, power, &*semihosting);
  std::uint64_t x0 = 0xabcd'0000'0000'0000 | kTickFreq;
  EXPECT_TRUE(firmware.semihosting(0, x0, 0));
  EXPECT_EQ(x0, 1'000'000'000u);
}

/// A directory "inside" with a neighbour that must stay out of reach.
class SemihostingFilesTest : public SemihostingTest {
 protected:
  SemihostingFilesTest() {
    root = fs::path(::testing::TempDir()) /
           (std::string("semihosting_") +
            ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root);
    inside = root / "inside";
    fs::create_directories(inside / "sub");
    fs::create_directories(root / "outside");
    std::ofstream(root / "outside/secret") << "secret";
    use({.directory = inside});
  }
  ~SemihostingFilesTest() override { fs::remove_all(root); }

  static std::string content(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::uint64_t remove(const std::string& name) {
    put(kText, name);
    return call(kRemove, {kText, name.size()});
  }
  std::uint64_t rename(const std::string& from, const std::string& to) {
    put(kText, from);
    put(kBuffer, to);
    return call(kRename, {kText, from.size(), kBuffer, to.size()});
  }

  fs::path root, inside;
};

TEST_F(SemihostingFilesTest, WritesSeeksAndReadsBack) {
  const std::uint64_t file = open("sub/data", kWPlus);
  ASSERT_NE(file, kFailed);
  EXPECT_EQ(write(file, "0123456789"), 0u);
  EXPECT_EQ(call(kFlen, {file}), 10u);
  EXPECT_EQ(call(kIsTty, {file}), 0u);
  EXPECT_EQ(call(kSeek, {file, 6}), 0u);
  EXPECT_EQ(read(file, 3), "678");
  EXPECT_EQ(call(kRead, {file, kBuffer, 5}), 4u);  // One byte left, 4 not filled.
  EXPECT_EQ(call(kRead, {file, kBuffer, 5}), 5u);
  EXPECT_EQ(call(kSeek, {file, ~0ull}), kFailed);
  EXPECT_EQ(call(kClose, {file}), 0u);
  EXPECT_EQ(content(inside / "sub/data"), "0123456789");
}

TEST_F(SemihostingFilesTest, ModesAreThoseOfFopen) {
  EXPECT_EQ(open("new", kR), kFailed);
  EXPECT_EQ(error(), static_cast<std::uint64_t>(ENOENT));
  EXPECT_EQ(open("new", kRPlus), kFailed);
  write(open("new", kW), "abc");
  write(open("new", kA), "def");
  EXPECT_EQ(content(inside / "new"), "abcdef");
  write(open("new", kRPlus), "X");
  EXPECT_EQ(content(inside / "new"), "Xbcdef");
  const std::uint64_t reader = open("new", kR);
  EXPECT_EQ(write(reader, "no"), 2u);
  EXPECT_EQ(read(reader, 6), "Xbcdef");
  open("new", kW);
  EXPECT_EQ(content(inside / "new"), "");
}

TEST_F(SemihostingFilesTest, LongTransfersCrossPages) {
  std::string big;
  for (int i = 0; i < 20'000; ++i) big += static_cast<char>('a' + i % 26);
  std::ofstream(inside / "big") << big;
  const std::uint64_t file = open("big", kR);
  EXPECT_EQ(read(file, 0x1800), big.substr(0, 0x1800));
  EXPECT_EQ(read(file, 0x1700), big.substr(0x1800, 0x1700));
}

TEST_F(SemihostingFilesTest, NothingLeadsOut) {
  fs::create_symlink(root / "outside", inside / "link");
  fs::create_symlink(root / "outside/secret", inside / "sub/link");
  fs::create_symlink("sub", inside / "inner");
  const std::string absolute = (root / "outside/secret").string();
  for (const std::string& path :
       {std::string("../outside/secret"), std::string("sub/../../outside/secret"),
        std::string("link/secret"), std::string("sub/link"), std::string("inner/new"), absolute,
        (inside / "new").string(), std::string(".."), std::string("."), std::string(""),
        std::string("sub"), std::string("sub/"), std::string("./sub/.././sub/new")}) {
    for (std::uint64_t mode : {kR, kRPlus, kW, kA}) {
      EXPECT_EQ(open(path, mode), kFailed) << path << " mode " << mode;
    }
    EXPECT_NE(remove("../outside/secret"), 0u);
    EXPECT_NE(remove(absolute), 0u);
    EXPECT_NE(remove("link/secret"), 0u);
    EXPECT_NE(rename(path, "stolen"), 0u) << path;
  }
  write(open("mine", kW), "mine");
  EXPECT_NE(rename("mine", "../outside/secret"), 0u);
  EXPECT_NE(rename("mine", "link/secret"), 0u);
  EXPECT_EQ(content(root / "outside/secret"), "secret");
  EXPECT_EQ(std::distance(fs::directory_iterator(root / "outside"), {}), 1);
}

TEST_F(SemihostingFilesTest, NamesWithZeroBytesAreRefused) {
  const std::string name("a\0b", 3);
  memory.write(0, kText, name.data(), name.size());
  EXPECT_EQ(call(kOpen, {kText, kW, name.size()}), kFailed);
  EXPECT_FALSE(fs::exists(inside / "a"));
}

TEST_F(SemihostingFilesTest, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(::mkfifo((inside / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(open("fifo", kR), kFailed);
  EXPECT_EQ(open("fifo", kRPlus), kFailed);
  EXPECT_EQ(open("sub", kR), kFailed);
}

TEST_F(SemihostingFilesTest, RemoveAndRename) {
  write(open("one", kW), "1");
  EXPECT_EQ(rename("one", "sub/two"), 0u);
  EXPECT_EQ(content(inside / "sub/two"), "1");
  EXPECT_EQ(remove("sub/two"), 0u);
  EXPECT_FALSE(fs::exists(inside / "sub/two"));
  EXPECT_NE(remove("sub/two"), 0u);
  EXPECT_EQ(error(), static_cast<std::uint64_t>(ENOENT));
  EXPECT_NE(remove("sub"), 0u);
}

TEST_F(SemihostingFilesTest, TemporaryNamesDoNotDependOnTheHost) {
  EXPECT_EQ(call(kTmpnam, {kBuffer, 0x2a, 100}), 0u);
  EXPECT_EQ(get(kBuffer, 7), std::string("tmp-2a") + '\0');
  EXPECT_EQ(call(kTmpnam, {kBuffer, 0x2a, 6}), kFailed);
  EXPECT_EQ(call(kTmpnam, {kBuffer, 0x100, 100}), kFailed);
}

TEST_F(SemihostingFilesTest, MissingDirectoryIsSaidAtOnce) {
  try {
    use({.directory = root / "nowhere"});
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("nowhere"), std::string::npos);
  }
}

}  // namespace
}  // namespace trapline
