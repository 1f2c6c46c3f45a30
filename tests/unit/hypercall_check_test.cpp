// Each mistake in a hypercall, and the call without it.
#include "sim/check/hypercall_check.h"

#include "tests/unit/check_fixture.h"

namespace trapline {
namespace {

constexpr std::uint64_t kMemoryOp = 12, kXenVersion = 17, kConsoleIo = 18, kGrantTableOp = 20,
                        kVcpuOp = 24, kSchedOp = 29, kEventChannelOp = 32;
constexpr VirtAddr kBuffer = kRam + 0x4'0000, kList = kRam + 0x5'0000;
constexpr std::uint64_t kGfn = kRam >> 12;
constexpr std::int64_t kEinval = -22, kEnosys = -38;

class HypercallCheckTest : public testing::Test {
 protected:
  HypercallCheckTest() { bus.add_ram("ram", kRam, kRamBytes); }

  Kinds begun(std::uint64_t number, std::uint64_t x0, std::uint64_t x1, std::uint64_t x2 = 0) {
    Kinds found;
    HypercallCheck::begun({.number = number, .x = {x0, x1, x2, 0, 0}}, cpu, tree,
                          [&](FindingKind kind, std::string said) {
                            found.push_back(kind);
                            text = said;
                          });
    return found;
  }
  Kinds ended(std::uint64_t number, std::int64_t result, std::uint64_t x0, std::uint64_t x2 = 1) {
    Kinds found;
    HypercallCheck::ended({.number = number, .x = {x0, kBuffer, x2, 0, 0}}, result, cpu,
                          [&](FindingKind kind, std::string said) {
                            found.push_back(kind);
                            text = said;
                          });
    return found;
  }

  Bus bus;
  FakeCpu cpu{bus};
  GuestTree tree{guest_tree().bytes()};
  std::string text;
};

TEST_F(HypercallCheckTest, TheMmuAndTheDataCacheMustBeOn) {
  const Kinds off{FindingKind::hypercall_mmu_off};
  EXPECT_EQ(begun(kXenVersion, 0, 0), Kinds{});
  cpu.sctlr = 0x4;
  EXPECT_EQ(begun(kXenVersion, 0, 0), off);
  EXPECT_NE(text.find("with the MMU off (SCTLR_EL1 0x4)"), std::string::npos) << text;
  cpu.sctlr = 0x1;
  EXPECT_EQ(begun(kXenVersion, 0, 0), off);
  EXPECT_NE(text.find("data cache"), std::string::npos) << text;
  cpu.sctlr = 0x1005;
  EXPECT_EQ(begun(kXenVersion, 0, 0), Kinds{});
}

TEST_F(HypercallCheckTest, ABufferMustBeNormalWriteBack) {
  const Kinds bad{FindingKind::hypercall_buffer};
  cpu.uncached[kBuffer >> 12];
  EXPECT_EQ(begun(kXenVersion, 6, kBuffer), bad);
  EXPECT_EQ(begun(kSchedOp, 2, kBuffer), bad);
  EXPECT_EQ(begun(13, kBuffer, 1), bad) << "multicall's is its first argument";
  EXPECT_EQ(begun(kConsoleIo, 0, 5, kBuffer), bad) << "console_io's is its third";
  EXPECT_EQ(begun(kXenVersion, 6, kList), Kinds{});
  EXPECT_EQ(begun(kXenVersion, 6, 0), Kinds{}) << "none";
  EXPECT_EQ(begun(kConsoleIo, 0, kBuffer, kList), Kinds{}) << "a count";
  EXPECT_EQ(begun(21, 0, kBuffer), Kinds{}) << "vm_assist takes none";
  cpu.hidden[kBuffer >> 12];
  EXPECT_EQ(begun(kXenVersion, 6, kBuffer), Kinds{}) << "Xen says so itself";
}

TEST_F(HypercallCheckTest, FrameNumbersAreOfGivenMemory) {
  const Kinds bad{FindingKind::bad_frame_number};
  struct {
    std::uint64_t number, command;
    unsigned at;  // Of the frame number in the structure.
    bool third;   // The structure is the third argument.
  } const calls[] = {{kMemoryOp, 7, 16, false},
                     {kMemoryOp, 15, 8, false},
                     {kEventChannelOp, 11, 0, false},
                     {kEventChannelOp, 12, 0, false},
                     {kVcpuOp, 10, 0, true}};
  for (const auto& call : calls) {
    SCOPED_TRACE(testing::Message() << call.number << " " << call.command);
    const auto with = [&](std::uint64_t gfn) {
      cpu.put(kBuffer + call.at, gfn);
      return call.third ? begun(call.number, call.command, 0, kBuffer)
                        : begun(call.number, call.command, kBuffer);
    };
    EXPECT_EQ(with(kGfn), Kinds{});
    EXPECT_EQ(with(kNothing >> 12), bad);
    EXPECT_NE(text.find("outside of what the device tree gives"), std::string::npos) << text;
    EXPECT_EQ(with(std::uint64_t{1} << 36), bad);
    EXPECT_EQ(with(kRam), bad);
    EXPECT_NE(text.find("is an address; its frame is 0x40000"), std::string::npos) << text;
  }
  cpu.put(kBuffer + 16, kNothing >> 12);
  EXPECT_EQ(begun(kMemoryOp, 8, kBuffer), Kinds{}) << "another command";
}

TEST_F(HypercallCheckTest, ListsOfFrameNumbersAreLookedAtUpToTheEighth) {
  cpu.put(kBuffer, kList);
  cpu.put(kBuffer + 8, std::uint64_t{20});
  for (unsigned n = 0; n < 20; ++n) cpu.put(kList + n * 8, kGfn + n);
  for (const std::uint64_t command : {1, 6}) {
    EXPECT_EQ(begun(kMemoryOp, command, kBuffer), Kinds{});
    cpu.put(kList + 7 * 8, std::uint64_t{1});
    cpu.put(kList + 8 * 8, std::uint64_t{1});
    EXPECT_EQ(begun(kMemoryOp, command, kBuffer), Kinds{FindingKind::bad_frame_number});
    // The rest of a call that was preempted has its progress in the upper bits.
    EXPECT_EQ(begun(kMemoryOp, command | 64, kBuffer), Kinds{FindingKind::bad_frame_number});
    cpu.put(kList + 7 * 8, kGfn);
  }
  cpu.put(kBuffer + 8, std::uint64_t{7});
  cpu.put(kList + 7 * 8, std::uint64_t{1});
  EXPECT_EQ(begun(kMemoryOp, 1, kBuffer), Kinds{}) << "behind the list's end";
}

TEST_F(HypercallCheckTest, WithoutATreeOnlyTheRangeCounts) {
  tree = GuestTree();
  cpu.put(kBuffer + 16, kNothing >> 12);
  EXPECT_EQ(begun(kMemoryOp, 7, kBuffer), Kinds{});
  cpu.put(kBuffer + 16, ~std::uint64_t{0});
  EXPECT_EQ(begun(kMemoryOp, 7, kBuffer), Kinds{FindingKind::bad_frame_number});
}

TEST_F(HypercallCheckTest, AGrantIsMappedToTheBeginningOfAPage) {
  cpu.put(kBuffer, kRam + 8);
  EXPECT_EQ(begun(kGrantTableOp, 0, kBuffer, 1), Kinds{FindingKind::bad_frame_number});
  EXPECT_EQ(begun(kGrantTableOp, 0, kBuffer, 0), Kinds{}) << "maps nothing";
  EXPECT_EQ(begun(kGrantTableOp, 1, kBuffer, 1), Kinds{}) << "unmap";
  cpu.put(kBuffer, kRam);
  EXPECT_EQ(begun(kGrantTableOp, 0, kBuffer, 1), Kinds{});
}

TEST_F(HypercallCheckTest, PortsThatAreRefused) {
  const Kinds bad{FindingKind::bad_event_channel};
  cpu.put(kBuffer, std::uint32_t{77});
  cpu.put(kBuffer + 4, std::uint32_t{88});
  for (const std::uint64_t command : {0, 3, 4, 5}) {
    EXPECT_EQ(ended(kEventChannelOp, kEinval, command), bad) << command;
    const std::string port = command == 0 || command == 5 ? " 88 is not open" : " 77 is not open";
    EXPECT_NE(text.find(port), std::string::npos) << text;
    EXPECT_EQ(ended(kEventChannelOp, 0, command), Kinds{}) << command;
    EXPECT_EQ(ended(kEventChannelOp, kEnosys, command), Kinds{}) << command;
  }
  EXPECT_EQ(ended(kEventChannelOp, kEinval, 1), Kinds{}) << "bind_virq names no port";
  EXPECT_EQ(ended(kSchedOp, kEinval, 4), Kinds{});
}

TEST_F(HypercallCheckTest, GrantsThatAreNot) {
  const Kinds bad{FindingKind::bad_grant_reference};
  const auto map = [&](std::int16_t status) {
    cpu.put(kBuffer + 12, std::uint32_t{8});
    cpu.put(kBuffer + 16, std::uint16_t{3});
    cpu.put(kBuffer + 18, status);
    return ended(kGrantTableOp, 0, 0);
  };
  EXPECT_EQ(map(0), Kinds{});
  EXPECT_EQ(map(-1), bad);
  EXPECT_NE(text.find("reference 8 of domain 3"), std::string::npos) << text;
  EXPECT_EQ(map(-3), bad);
  EXPECT_EQ(map(-2), Kinds{}) << "no such domain";
  EXPECT_EQ(map(-1), bad);
  EXPECT_EQ(ended(kGrantTableOp, kEinval, 0), Kinds{}) << "the call itself was refused";
  EXPECT_EQ(ended(kGrantTableOp, 0, 1), Kinds{}) << "unmap";
  EXPECT_EQ(ended(kGrantTableOp, 0, 0, 0), Kinds{}) << "no entries";
}

TEST_F(HypercallCheckTest, CopiesNameTheirReferenceAtEitherEnd) {
  const auto copy = [&](std::uint16_t flags, std::int16_t status) {
    cpu.put(kBuffer, std::uint64_t{8});
    cpu.put(kBuffer + 8, std::uint16_t{1});
    cpu.put(kBuffer + 16, std::uint64_t{9});
    cpu.put(kBuffer + 24, std::uint16_t{2});
    cpu.put(kBuffer + 34, flags);
    cpu.put(kBuffer + 36, status);
    return ended(kGrantTableOp, 0, 5);
  };
  EXPECT_EQ(copy(1, -1), Kinds{FindingKind::bad_grant_reference});
  EXPECT_NE(text.find("reference 8 of domain 1"), std::string::npos) << text;
  EXPECT_EQ(copy(2, -3), Kinds{FindingKind::bad_grant_reference});
  EXPECT_NE(text.find("reference 9 of domain 2"), std::string::npos) << text;
  EXPECT_EQ(copy(0, -1), Kinds{}) << "from page to page";
  EXPECT_EQ(copy(1, 0), Kinds{});
}

TEST_F(HypercallCheckTest, TheFirstSixteenEntriesAreLookedAt) {
  for (unsigned n = 0; n < 20; ++n) {
    cpu.put(kBuffer + n * 32 + 18, static_cast<std::int16_t>(n < 14 ? 0 : -1));
  }
  EXPECT_EQ(ended(kGrantTableOp, 0, 0, 20).size(), 2u);
  EXPECT_EQ(ended(kGrantTableOp, 0, 0, 15).size(), 1u);
  // A buffer that is gone is nobody's mistake.
  cpu.hidden[kBuffer >> 12];
  EXPECT_EQ(ended(kGrantTableOp, 0, 0, 20), Kinds{});
  EXPECT_EQ(begun(kMemoryOp, 7, kBuffer), Kinds{});
}

}  // namespace
}  // namespace trapline
