#include "sim/trap/xen/block_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "tests/unit/xen_front_ring.h"

namespace trapline::xen {
namespace {

constexpr DomId kDomain = 5;
constexpr std::uint64_t kDiskSectors = 2048;
constexpr Gfn kRing = 0, kData = 8, kIndirectPage = 40;
constexpr std::uint8_t kRead = 0, kWrite = 1, kBarrier = 2, kFlush = 3, kDiscard = 5, kIndirect = 6;
const std::string kFront = "/local/domain/5/device/vbd/51712/";
const std::string kBack = "/local/domain/0/backend/vbd/5/51712/";

// Records what reaches the disk, and fails on demand.
class SpyImage final : public BlockImage {
 public:
  std::uint64_t sectors() const override { return inner.sectors(); }
  bool read(std::uint64_t sector, std::span<std::uint8_t> to) override {
    log.push_back("r" + std::to_string(sector));
    return !broken && inner.read(sector, to);
  }
  bool write(std::uint64_t sector, std::span<const std::uint8_t> from) override {
    log.push_back("w" + std::to_string(sector));
    return !broken && inner.write(sector, from);
  }
  bool flush() override {
    log.push_back("f");
    return true;
  }
  bool discard(std::uint64_t sector, std::uint64_t count) override {
    log.push_back("d" + std::to_string(sector));
    return inner.discard(sector, count);
  }

  SnapshotImage inner{kDiskSectors * kSectorBytes};
  std::vector<std::string> log;
  bool broken = false;
};

struct Seg {
  GrantRef ref;
  std::uint8_t first, last;
};

class XenBlockTest : public testing::Test {
 protected:
  void make(const BlockOptions& options = {}) {
    write_domain_nodes(server, {kDomain, "d", "", 65536, 1, 0, 0});
    auto image = std::make_unique<SpyImage>();
    disk = image.get();
    backend = std::make_unique<BlockBackend>(GuestPorts{kDomain, guest, guest}, server,
                                             std::move(image), options);
    settle();
  }
  void settle() { timeline.advance_to(timeline.now() + 100'000'000); }

  // As blkfront does.
  void connect(unsigned order = 0) {
    const unsigned pages = 1u << order;
    const std::uint32_t size = order == 0 ? 32 : order == 1 ? 64 : 128;
    ring = std::make_unique<FrontRing>(guest, kRing, 112, size);
    port = guest.alloc_unbound();
    for (unsigned n = 0; n < pages; ++n) {
      ring_ref = guest.grant(kRing + n);
      set(order == 0 ? "ring-ref" : "ring-ref" + std::to_string(n), ring_ref);
    }
    if (order > 0) set("ring-page-order", order);
    set("event-channel", port);
    client.write(kFront + "protocol", "arm-abi");
    state(3);
    guest.events(port);
    sent_at = timeline.now();
  }
  void set(const std::string& name, std::uint64_t value) { client.write(kFront + name, value); }
  void state(unsigned value) {
    set("state", value);
    settle();
  }
  std::string back(const std::string& name) { return client.read(kBack + name).value_or("-"); }

  void put(std::uint8_t operation, std::uint64_t id, std::uint64_t sector,
           const std::vector<Seg>& segments) {
    std::array<std::uint8_t, 112> entry{};
    entry[0] = operation;
    entry[1] = static_cast<std::uint8_t>(segments.size());
    put_le(&entry[8], id);
    put_le(&entry[16], sector);
    for (std::size_t n = 0; n < std::min<std::size_t>(segments.size(), 11); ++n) {
      put_le(&entry[24 + 8 * n], segments[n].ref);
      entry[28 + 8 * n] = segments[n].first;
      entry[29 + 8 * n] = segments[n].last;
    }
    ring->put(entry);
  }
  void put_indirect(std::uint8_t operation, std::uint16_t count, GrantRef ref,
                    std::uint64_t sector = 0) {
    std::array<std::uint8_t, 112> entry{};
    entry[0] = kIndirect;
    entry[1] = operation;
    put_le(&entry[2], count);
    put_le(&entry[8], std::uint64_t{1});
    put_le(&entry[16], sector);
    put_le(&entry[28], ref);
    ring->put(entry);
  }
  void put_discard(std::uint64_t sector, std::uint64_t count) {
    std::array<std::uint8_t, 112> entry{};
    entry[0] = kDiscard;
    put_le(&entry[8], std::uint64_t{1});
    put_le(&entry[16], sector);
    put_le(&entry[24], count);
    ring->put(entry);
  }
  void send() {
    sent_at = timeline.now();
    if (ring->push()) guest.send(port);
  }
  struct Answer {
    std::uint64_t id;
    unsigned operation;
    int status;
    friend bool operator==(const Answer&, const Answer&) = default;
  };
  std::vector<Answer> answers() {
    std::vector<Answer> found;
    for (auto entry = ring->take(); !entry.empty(); entry = ring->take()) {
      found.push_back({get_le<std::uint64_t>(&entry[0]), entry[8],
                       static_cast<std::int16_t>(get_le<std::uint16_t>(&entry[10]))});
    }
    return found;
  }
  // One request alone: its status.
  int ask(std::uint8_t operation, std::uint64_t sector, const std::vector<Seg>& segments) {
    put(operation, 1, sector, segments);
    return only_status();
  }
  int only_status() {
    send();
    settle();
    const auto found = answers();
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? 99 : found[0].status;
  }
  void fill(Gfn gfn, std::uint8_t with) { std::fill_n(guest.frame(gfn), kPageBytes, with); }

  Timeline timeline;
  XenstoreServer server{timeline};
  XenstoreClient client{server};
  FakeGuest guest;
  SpyImage* disk = nullptr;
  std::unique_ptr<BlockBackend> backend;
  std::unique_ptr<FrontRing> ring;
  EventPort port = 0;
  GrantRef ring_ref = 0;
  Time sent_at = 0;
};

TEST_F(XenBlockTest, ItsNodesAreThereBeforeTheGuestLooks) {
  make();
  EXPECT_EQ(client.read(kFront + "state"), "1");
  EXPECT_EQ(client.read(kFront + "backend"), kBack.substr(0, kBack.size() - 1));
  EXPECT_EQ(client.read(kFront + "backend-id"), "0");
  EXPECT_EQ(client.read(kFront + "virtual-device"), "51712");
  EXPECT_EQ(back("state"), "2");
  EXPECT_EQ(back("frontend"), kFront.substr(0, kFront.size() - 1));
  EXPECT_EQ(back("dev"), "xvda");
  EXPECT_EQ(back("mode"), "w");
  EXPECT_EQ(back("feature-flush-cache"), "1");
  EXPECT_EQ(back("sectors"), "-");
  // The guest may write its own side and read the other.
  const XsNode* front = server.tree().find(kFront.substr(0, kFront.size() - 1));
  EXPECT_EQ(front->permissions, (XsPermissions{{kDomain, kXsNone}, {0, kXsRead}}));
  const XsNode* node = server.tree().find(kBack + "state");
  EXPECT_EQ(node->permissions, (XsPermissions{{0, kXsNone}, {kDomain, kXsRead}}));
}

TEST_F(XenBlockTest, ConnectsAndPublishesTheDisk) {
  make();
  connect();
  EXPECT_EQ(back("state"), "4");
  EXPECT_EQ(back("sectors"), "2048");
  EXPECT_EQ(back("sector-size"), "512");
  EXPECT_EQ(back("info"), "0");
  state(4);
  EXPECT_EQ(back("state"), "4");
  EXPECT_TRUE(guest.bound(port));
}

TEST_F(XenBlockTest, WhatWasWrittenIsReadAtItsTime) {
  make();
  connect();
  fill(kData, 0x5a);
  const GrantRef out = guest.grant(kData, true), in = guest.grant(kData + 1);
  EXPECT_EQ(ask(kWrite, 16, {{out, 0, 7}}), 0);
  put(kRead, 77, 18, {{in, 2, 3}});
  send();
  EXPECT_EQ(guest.mapped(in), 1u) << "until it is answered the page is in use";
  const BlockTiming timing;
  timeline.advance_to(sent_at + timing.request + 1024 * timing.per_byte - 1);
  EXPECT_TRUE(answers().empty());
  EXPECT_EQ(guest.frame(kData + 1)[1024], 0);
  guest.events(port);
  timeline.advance_to(timeline.now() + 1);
  EXPECT_EQ(guest.events(port), 1u);
  EXPECT_EQ(answers(), (std::vector<Answer>{{77, kRead, 0}}));
  EXPECT_EQ(guest.frame(kData + 1)[1023], 0);
  EXPECT_EQ(guest.frame(kData + 1)[1024], 0x5a);
  EXPECT_EQ(guest.frame(kData + 1)[2047], 0x5a);
  EXPECT_EQ(guest.frame(kData + 1)[2048], 0);
  EXPECT_EQ(guest.mapped(in), 0u);
}

TEST_F(XenBlockTest, RequestsAreWorkedOffInTheirOrder) {
  make();
  connect();
  const GrantRef page = guest.grant(kData);
  put(kRead, 1, 100, {{page, 0, 7}});
  put(kWrite, 2, 0, {{page, 0, 0}});
  put(kBarrier, 3, 50, {{page, 0, 1}});
  put(kFlush, 4, 0, {});
  put(kRead, 5, 9, {{page, 0, 0}});
  send();
  settle();
  settle();
  const auto found = answers();
  ASSERT_EQ(found.size(), 5u);
  for (unsigned n = 0; n < 5; ++n) EXPECT_EQ(found[n].id, n + 1);
  EXPECT_EQ(disk->log, (std::vector<std::string>{"r100", "w0", "f", "w50", "f", "f", "r9"}));
}

TEST_F(XenBlockTest, RequestsNoDiskCanServeAreErrors) {
  make();
  connect();
  const GrantRef page = guest.grant(kData), read_only = guest.grant(kData + 1, true);
  EXPECT_EQ(ask(kRead, kDiskSectors, {{page, 0, 0}}), -1);
  EXPECT_EQ(ask(kRead, kDiskSectors - 1, {{page, 0, 1}}), -1);
  EXPECT_EQ(ask(kRead, kDiskSectors - 1, {{page, 0, 0}}), 0);
  EXPECT_EQ(ask(kRead, ~0ull, {{page, 0, 0}}), -1);
  EXPECT_EQ(ask(kRead, 0, {}), -1);
  EXPECT_EQ(ask(kRead, 0, std::vector<Seg>(12, Seg{page, 0, 0})), -1);
  EXPECT_EQ(ask(kRead, 0, {{page, 5, 4}}), -1);
  EXPECT_EQ(ask(kRead, 0, {{page, 0, 8}}), -1);
  EXPECT_EQ(ask(kRead, 0, {{9999, 0, 0}}), -1) << "no such grant";
  EXPECT_EQ(ask(kRead, 0, {{read_only, 0, 0}}), -1) << "the disk would write it";
  EXPECT_EQ(ask(kWrite, 0, {{read_only, 0, 0}}), 0);
  EXPECT_EQ(ask(4, 0, {{page, 0, 0}}), -2);
  EXPECT_EQ(ask(200, 0, {{page, 0, 0}}), -2);
  disk->broken = true;
  EXPECT_EQ(ask(kRead, 0, {{page, 0, 0}}), -1) << "the host failed";
  EXPECT_EQ(guest.mappings(), 1u) << "only the ring";
}

TEST_F(XenBlockTest, IndirectSegments) {
  make();
  connect();
  for (unsigned n = 0; n < 20; ++n) {
    fill(kData + n, static_cast<std::uint8_t>(n + 1));
    put_le(guest.frame(kIndirectPage) + 8 * n, guest.grant(kData + n));
    guest.frame(kIndirectPage)[8 * n + 4] = 0;
    guest.frame(kIndirectPage)[8 * n + 5] = 7;
  }
  const GrantRef list = guest.grant(kIndirectPage, true);
  put_indirect(kWrite, 20, list, 8);
  send();
  settle();
  EXPECT_EQ(answers(), (std::vector<Answer>{{1, kWrite, 0}}));
  std::uint8_t sector[512];
  disk->inner.read(8 + 19 * 8, sector);
  EXPECT_EQ(sector[0], 20);
  put_indirect(kWrite, 0, list);
  EXPECT_EQ(only_status(), -1);
  put_indirect(kWrite, 257, list);
  EXPECT_EQ(only_status(), -1);
  put_indirect(kFlush, 1, list);
  EXPECT_EQ(only_status(), -1);
  put_indirect(kRead, 20, 9999);
  EXPECT_EQ(only_status(), -1);
}

TEST_F(XenBlockTest, DiscardedSectorsReadAsZeros) {
  make();
  connect();
  fill(kData, 0xff);
  const GrantRef page = guest.grant(kData);
  EXPECT_EQ(ask(kWrite, 0, {{page, 0, 7}}), 0);
  put_discard(2, 4);
  EXPECT_EQ(only_status(), 0);
  EXPECT_EQ(ask(kRead, 0, {{page, 0, 7}}), 0);
  EXPECT_EQ(guest.frame(kData)[1023], 0xff);
  EXPECT_EQ(guest.frame(kData)[1024], 0);
  EXPECT_EQ(guest.frame(kData)[3071], 0);
  EXPECT_EQ(guest.frame(kData)[3072], 0xff);
  put_discard(2000, 49);
  EXPECT_EQ(only_status(), -1);
  put_discard(1, ~0ull);
  EXPECT_EQ(only_status(), -1);
}

TEST_F(XenBlockTest, ReadOnlyDisksRefuseToChange) {
  BlockOptions options;
  options.read_only = true;
  make(options);
  connect();
  EXPECT_EQ(back("mode"), "r");
  EXPECT_EQ(back("info"), "4");
  EXPECT_EQ(back("feature-discard"), "0");
  const GrantRef page = guest.grant(kData);
  EXPECT_EQ(ask(kWrite, 0, {{page, 0, 0}}), -1);
  EXPECT_EQ(ask(kBarrier, 0, {{page, 0, 0}}), -1);
  EXPECT_EQ(ask(kFlush, 0, {{page, 0, 0}}), -1);
  EXPECT_EQ(ask(kFlush, 0, {}), 0);
  EXPECT_EQ(ask(kRead, 0, {{page, 0, 0}}), 0);
  put_discard(0, 1);
  EXPECT_EQ(only_status(), -1);
  EXPECT_EQ(std::count_if(disk->log.begin(), disk->log.end(),
                          [](const std::string& what) { return what[0] == 'w'; }),
            0);
}

TEST_F(XenBlockTest, LargeSectorsMustBeWhole) {
  BlockOptions options;
  options.sector_bytes = options.physical_sector_bytes = 4096;
  make(options);
  connect();
  EXPECT_EQ(back("sector-size"), "4096");
  EXPECT_EQ(back("sectors"), "2048") << "always of 512 bytes";
  const GrantRef page = guest.grant(kData);
  EXPECT_EQ(ask(kRead, 8, {{page, 0, 7}}), 0);
  EXPECT_EQ(ask(kRead, 8, {{page, 0, 3}}), -1);
  EXPECT_EQ(ask(kRead, 4, {{page, 0, 7}}), -1);
  options.sector_bytes = 500;
  EXPECT_THROW(make(options), std::invalid_argument);
}

TEST_F(XenBlockTest, RingsOfSeveralPages) {
  make();
  connect(2);
  EXPECT_EQ(back("state"), "4");
  const GrantRef page = guest.grant(kData);
  // Around the ring twice: entries lie across pages.
  for (unsigned n = 0; n < 256; ++n) {
    put(kRead, n, n, {{page, 0, 0}});
    send();
    settle();
    ASSERT_EQ(answers(), (std::vector<Answer>{{n, kRead, 0}}));
  }
}

TEST_F(XenBlockTest, WhoDoesNotAskIsNotTold) {
  make();
  connect();
  const GrantRef page = guest.grant(kData);
  guest.set_word(kRing, 12, 3);  // rsp_event: not before the third response.
  for (unsigned n = 1; n <= 4; ++n) {
    put(kRead, n, 0, {{page, 0, 0}});
    send();
    settle();
    EXPECT_EQ(guest.events(port), n == 3 ? 1u : 0u) << n;
  }
  EXPECT_EQ(answers().size(), 4u);
}

TEST_F(XenBlockTest, AFullRingIsAllTaken) {
  make();
  connect();
  const GrantRef page = guest.grant(kData);
  for (unsigned n = 0; n < 32; ++n) put(kRead, n, 0, {{page, 0, 0}});
  send();
  EXPECT_EQ(guest.mapped(page), 32u);
  for (int n = 0; n < 10; ++n) settle();
  EXPECT_EQ(answers().size(), 32u);
}

TEST_F(XenBlockTest, AnIndexOutOfReachStopsTheRingAndNothingElse) {
  make();
  connect();
  guest.set_word(kRing, 0, 1000);
  guest.send(port);
  settle();
  guest.set_word(kRing, 0, ring->produced());
  put(kRead, 1, 0, {{guest.grant(kData), 0, 0}});
  ring->push();
  guest.send(port);
  settle();
  EXPECT_TRUE(answers().empty());
  // A front end that starts anew is served.
  state(6);
  EXPECT_EQ(back("state"), "6");
  EXPECT_EQ(guest.mappings(), 0u);
  state(1);
  EXPECT_EQ(back("state"), "2");
  connect();
  EXPECT_EQ(back("state"), "4");
  EXPECT_EQ(ask(kRead, 0, {{guest.grant(kData), 0, 0}}), 0);
}

TEST_F(XenBlockTest, FrontEndsThatSayNonsenseAreClosed) {
  make();
  set("ring-ref", 12345);
  set("event-channel", guest.alloc_unbound());
  state(3);
  EXPECT_EQ(back("state"), "5");
  EXPECT_NE(client.read("/local/domain/0/error/backend/vbd/5/51712/error"), std::nullopt);
  EXPECT_EQ(guest.mappings(), 0u);
  state(6);
  state(1);
  client.write(kFront + "ring-ref", "-7");
  state(3);
  EXPECT_EQ(back("state"), "5");
  state(6);
  state(1);
  set("ring-page-order", 40);
  state(3);
  EXPECT_EQ(back("state"), "5");
  client.write(kFront + "state", "no number");
  settle();
  client.remove(kFront.substr(0, kFront.size() - 1));
  settle();
}

TEST_F(XenBlockTest, ClosingWhileRequestsAreInFlight) {
  make();
  connect();
  const GrantRef page = guest.grant(kData);
  put(kWrite, 1, 0, {{page, 0, 7}});
  send();
  set("state", 6);
  timeline.advance_to(timeline.now() + server.timing().watch);
  EXPECT_EQ(guest.mappings(), 0u);
  EXPECT_FALSE(guest.bound(port));
  settle();
  EXPECT_FALSE(guest.out_of_bounds);
}

class BlockFileTest : public testing::Test {
 protected:
  BlockFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "trapline-XXXXXX").string();
    path = mkdtemp(name.data());
    file = (path / "disk").string();
    std::ofstream(file) << std::string(65536, 'a');
  }
  ~BlockFileTest() override { std::filesystem::remove_all(path); }
  std::string content() {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path path;
  std::string file;
};

TEST_F(BlockFileTest, ASnapshotLeavesTheFileAsItWas) {
  SnapshotImage image(open_block_file(file, false));
  EXPECT_EQ(image.sectors(), 128u);
  std::vector<std::uint8_t> bytes(1024, 'b');
  ASSERT_TRUE(image.write(31, bytes));
  ASSERT_TRUE(image.discard(0, 33));
  std::vector<std::uint8_t> all(65536);
  ASSERT_TRUE(image.read(0, all));
  EXPECT_EQ(std::count(all.begin(), all.end(), 0), 33 * 512);
  EXPECT_EQ(all[33 * 512], 'a');
  EXPECT_EQ(content(), std::string(65536, 'a'));
}

TEST_F(BlockFileTest, WritingThroughChangesIt) {
  {
    WriteThroughImage image(open_block_file(file, true));
    std::vector<std::uint8_t> bytes(1024, 'b');
    ASSERT_TRUE(image.write(1, bytes));
    ASSERT_TRUE(image.discard(2, 1));
    ASSERT_TRUE(image.flush());
  }
  EXPECT_EQ(content().substr(510, 4), "aabb");
  EXPECT_EQ(content().substr(1023, 2), std::string("b\0", 2));
}

TEST_F(BlockFileTest, FilesThatAreNoDisks) {
  const auto message = [&](const std::string& name, bool writable) -> std::string {
    try {
      open_block_file(name, writable);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(file + "x", false).find(file + "x"), std::string::npos);
  EXPECT_NE(message(path.string(), false), "");
  std::ofstream(file, std::ios::app) << "x";
  EXPECT_NE(message(file, false).find("65537"), std::string::npos);
  std::ofstream(file, std::ios::trunc);
  EXPECT_NE(message(file, false).find("empty"), std::string::npos);
  std::ofstream(file, std::ios::trunc) << std::string(512, 'a');
  const auto held = open_block_file(file, true);
  EXPECT_NE(message(file, true).find("in use"), std::string::npos);
  EXPECT_NE(message(file, false).find("being written"), std::string::npos);
}

}  // namespace
}  // namespace trapline::xen
