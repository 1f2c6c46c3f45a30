// The grant table, and what domains and backends do with it.
#include <algorithm>

#include "xen_abi_fixture.h"

namespace trapline::xen {
namespace {

using Number = HypercallNumber;

constexpr std::uint64_t kMap = 0, kUnmap = 1, kSetup = 2, kDump = 3, kTransfer = 4, kCopy = 5,
                        kQuerySize = 6, kReplace = 7, kSetVersion = 8, kStatusFrames = 9,
                        kGetVersion = 10, kSwap = 11, kCacheFlush = 12;
constexpr std::uint64_t kPage = kRam + 0x1'0000;   // What the tests grant.
constexpr std::uint64_t kWhere = kRam + 0x2'0000;  // Where they map.

constexpr std::int16_t number(GrantStatus status) {
  return static_cast<std::int16_t>(status);
}

class XenGrants : public XenAbi {
 protected:
  XenGrants() : other(hypervisor, 2) {
    guest.map_grant_table();
    other.map_grant_table();
  }
  ~XenGrants() override { hypervisor.remove_domain(2); }

  GnttabMapGrantRef map(std::uint32_t flags, GrantRef ref, DomId from = 2) {
    GnttabMapGrantRef op{.host_addr = kWhere, .flags = flags, .ref = ref, .dom = from};
    EXPECT_EQ(guest.grant(kMap, op), 0);
    return op;
  }
  std::int16_t unmap(std::uint32_t handle, std::uint64_t address = kWhere) {
    GnttabUnmapGrantRef op{.host_addr = address, .handle = handle};
    EXPECT_EQ(guest.grant(kUnmap, op), 0);
    return op.status;
  }

  Guest other;
};

TEST_F(XenGrants, AMappedGrantIsTheGrantersMemoryUntilItIsUnmapped) {
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  other.put(kPage, std::uint64_t{0x1234});
  guest.put(kWhere, std::uint64_t{1});
  const GnttabMapGrantRef op = map(kGntmapHostMap, 5);
  ASSERT_EQ(op.status, 0);
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess | kGtfReading | kGtfWriting);
  EXPECT_EQ(guest.get<std::uint64_t>(kWhere), 0x1234u);
  guest.put(kWhere, std::uint64_t{0x5678});
  EXPECT_EQ(other.get<std::uint64_t>(kPage), 0x5678u);

  EXPECT_EQ(unmap(op.handle), 0);
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess);
  EXPECT_EQ(guest.get<std::uint64_t>(kWhere), 1u);
  EXPECT_EQ(unmap(op.handle), number(GrantStatus::bad_handle));
}

TEST_F(XenGrants, OnlyWhatTheEntrySaysIsGranted) {
  const auto status = [this](std::uint32_t flags, GrantRef ref) { return map(flags, ref).status; };
  EXPECT_EQ(status(kGntmapHostMap, 512), number(GrantStatus::bad_gntref));
  EXPECT_EQ(status(kGntmapHostMap, 5), number(GrantStatus::general_error));  // Invalid.
  other.grant_entry(5, kGtfPermitAccess, 3, kPage);
  EXPECT_EQ(status(kGntmapHostMap, 5), number(GrantStatus::general_error));  // Somebody else's.
  other.grant_entry(5, kGtfPermitAccess | kGtfReadonly, 1, kPage);
  EXPECT_EQ(status(kGntmapHostMap, 5), number(GrantStatus::general_error));
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess | kGtfReadonly);
  EXPECT_EQ(status(kGntmapHostMap | kGntmapReadonly, 5), 0);
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess | kGtfReadonly | kGtfReading);
  other.grant_entry(6, kGtfPermitAccess | kGtfSubPage, 1, kPage);
  EXPECT_EQ(status(kGntmapHostMap, 6), number(GrantStatus::general_error));
  other.grant_entry(7, kGtfPermitAccess, 1, 0x1000);  // No page of its own.
  EXPECT_EQ(status(kGntmapHostMap, 7), number(GrantStatus::bad_page));
  EXPECT_EQ(other.grant_flags(7), kGtfPermitAccess);
}

TEST_F(XenGrants, FlagsOfAMapAreThoseOfArm) {
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  EXPECT_EQ(map(0, 5).status, number(GrantStatus::bad_gntref));
  EXPECT_EQ(map(kGntmapDeviceMap | kGntmapHostMap, 5).status, number(GrantStatus::general_error));
  EXPECT_EQ(map(kGntmapHostMap | kGntmapContainsPte, 5).status, number(GrantStatus::general_error));
  EXPECT_EQ(map(kGntmapHostMap | 1 << 16, 5).status, number(GrantStatus::general_error));
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess);
  EXPECT_EQ(map(kGntmapHostMap, 5, 9).status, number(GrantStatus::bad_domain));
  EXPECT_EQ(map(kGntmapHostMap, 5, kDomIdSelf).status, number(GrantStatus::bad_domain));
}

TEST_F(XenGrants, HandlesAreGivenOutAsXenDoes) {
  for (GrantRef ref = 8; ref < 12; ++ref) other.grant_entry(ref, kGtfPermitAccess, 1, kPage);
  EXPECT_EQ(map(kGntmapHostMap, 8).handle, 0u);
  EXPECT_EQ(map(kGntmapHostMap, 9).handle, 1u);
  // One that is given back comes last.
  EXPECT_EQ(unmap(0), number(GrantStatus::okay));
  EXPECT_EQ(map(kGntmapHostMap, 10).handle, 2u);
  EXPECT_EQ(unmap(999), number(GrantStatus::bad_handle));
}

TEST_F(XenGrants, AnUnmapNamesWhereThePageIs) {
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  const std::uint32_t handle = map(kGntmapHostMap, 5).handle;
  EXPECT_EQ(unmap(handle, 0), 0);  // Asks for nothing.
  EXPECT_EQ(unmap(handle, kRam + 0x3000), number(GrantStatus::general_error));
  GnttabUnmapAndReplace replace{.host_addr = kWhere, .new_addr = kPage, .handle = handle};
  EXPECT_EQ(guest.grant(kReplace, replace), 0);
  EXPECT_EQ(replace.status, number(GrantStatus::general_error));
  EXPECT_EQ(unmap(handle), 0);
}

TEST_F(XenGrants, AMachineThatCannotShareFramesSaysSo) {
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  guest.machine.can_map = false;
  EXPECT_EQ(map(kGntmapHostMap, 5).status, number(GrantStatus::general_error));
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess);
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NE(log[0].find("d1v0 at PC 0x80000: map_grant_ref"), std::string::npos) << log[0];
}

TEST_F(XenGrants, CopiesGoBetweenOwnFramesAndGrants) {
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  guest.put(kRam + 0x5000 + 16, std::uint64_t{0xabcd});
  GnttabCopy op{};
  op.source = {.u = {.gmfn = (kRam + 0x5000) >> kPageBits}, .domid = kDomIdSelf, .offset = 16};
  op.dest = {.u = {.ref = 5}, .domid = 2, .offset = 32};
  op.len = 8;
  op.flags = kGntcopyDestGref;
  const auto status = [this](GnttabCopy copy) {
    EXPECT_EQ(guest.grant(kCopy, copy), 0);
    return copy.status;
  };
  EXPECT_EQ(status(op), 0);
  EXPECT_EQ(other.get<std::uint64_t>(kPage + 32), 0xabcdu);
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess);

  GnttabCopy bad = op;
  bad.len = 4090;
  EXPECT_EQ(status(bad), number(GrantStatus::bad_copy_arg));
  bad = op;
  bad.source.domid = 2;  // Another's frame by number.
  EXPECT_EQ(status(bad), number(GrantStatus::permission_denied));
  bad = op;
  bad.dest.domid = 9;
  EXPECT_EQ(status(bad), number(GrantStatus::bad_domain));
  bad = op;
  bad.source.u.gmfn = 1;
  EXPECT_EQ(status(bad), number(GrantStatus::bad_page));
  bad = op;
  bad.dest.u.ref = 6;
  EXPECT_EQ(status(bad), number(GrantStatus::general_error));
  bad.dest.u.ref = 600;
  EXPECT_EQ(status(bad), number(GrantStatus::bad_gntref));
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess);
}

TEST_F(XenGrants, SetupTableGrowsTheTableAndTellsWhereItIsMapped) {
  GnttabSetupTable op{.dom = kDomIdSelf, .nr_frames = 3, .frame_list = kRam + 0x2000};
  EXPECT_EQ(guest.grant(kSetup, op), 0);
  EXPECT_EQ(op.status, 0);
  EXPECT_EQ(guest.get<std::uint64_t>(kRam + 0x2000), kGrantRegion >> kPageBits);
  EXPECT_EQ(guest.get<std::uint64_t>(kRam + 0x2008), ~std::uint64_t{0});
  op.nr_frames = 65;
  EXPECT_EQ(guest.grant(kSetup, op), 0);
  EXPECT_EQ(op.status, number(GrantStatus::general_error));
  op = {.dom = kDomIdSelf, .nr_frames = 1, .frame_list = 0x10};
  EXPECT_EQ(guest.grant(kSetup, op), 0);
  EXPECT_EQ(op.status, number(GrantStatus::bad_virt_addr));
  op.dom = 2;
  EXPECT_EQ(guest.grant(kSetup, op), 0);
  EXPECT_EQ(op.status, number(GrantStatus::permission_denied));
  EXPECT_EQ(guest.call(Number::grant_table_op, {kSetup, kArgument, 2}), kEinval);

  GnttabQuerySize size{.dom = kDomIdSelf};
  EXPECT_EQ(guest.grant(kQuerySize, size), 0);
  EXPECT_EQ(size.nr_frames, 3u);
  EXPECT_EQ(size.max_nr_frames, 64u);
}

TEST_F(XenGrants, OnlyVersion1IsThere) {
  GnttabSetVersion set{2};
  EXPECT_EQ(guest.grant(kSetVersion, set), kEnosys);
  EXPECT_EQ(set.version, 1u);
  set.version = 3;
  EXPECT_EQ(guest.grant(kSetVersion, set), kEinval);
  set.version = 1;
  EXPECT_EQ(guest.grant(kSetVersion, set), 0);
  GnttabGetVersion get{.dom = kDomIdSelf};
  EXPECT_EQ(guest.grant(kGetVersion, get), 0);
  EXPECT_EQ(get.version, 1u);
  get.dom = 2;
  EXPECT_EQ(guest.grant(kGetVersion, get), kEperm);
  GnttabGetStatusFrames frames{.nr_frames = 1, .dom = kDomIdSelf};
  EXPECT_EQ(guest.grant(kStatusFrames, frames), 0);
  EXPECT_EQ(frames.status, number(GrantStatus::general_error));
  std::uint64_t nothing = 0;
  EXPECT_EQ(guest.grant(kDump, nothing), kEnosys);
  EXPECT_EQ(guest.grant(kTransfer, nothing), kEopnotsupp);
}

TEST_F(XenGrants, SwapNeedsEntriesThatNobodyUses) {
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  other.grant_entry(6, kGtfPermitAccess | kGtfReadonly, 1, kPage);
  GnttabSwapGrantRef op{.ref_a = 5, .ref_b = 6};
  EXPECT_EQ(other.grant(kSwap, op), 0);
  EXPECT_EQ(op.status, 0);
  EXPECT_EQ(other.grant_flags(5), kGtfPermitAccess | kGtfReadonly);
  map(kGntmapHostMap, 6);
  EXPECT_EQ(other.grant(kSwap, op), 0);
  EXPECT_EQ(op.status, number(GrantStatus::eagain));
}

TEST_F(XenGrants, CacheFlushChecksWhoseMemoryItIs) {
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  const std::uint64_t address = map(kGntmapHostMap, 5).dev_bus_addr;
  GnttabCacheFlush op{.dev_bus_addr = address, .offset = 0, .length = 64, .op = 3};
  EXPECT_EQ(guest.grant(kCacheFlush, op), 0);
  op.dev_bus_addr = address + 0x1000;
  EXPECT_EQ(guest.grant(kCacheFlush, op), kEinval);
  op.dev_bus_addr = kRam;  // Its own address is not the machine's.
  EXPECT_EQ(guest.grant(kCacheFlush, op), kEperm);
  op.dev_bus_addr = 0x1000;
  EXPECT_EQ(guest.grant(kCacheFlush, op), kEinval);
  op.op = 4;
  EXPECT_EQ(guest.grant(kCacheFlush, op), kEinval);
}

TEST_F(XenGrants, LongListsGoOnWhereTheyStopped) {
  guest.put(kArgument, GnttabSwapGrantRef{.ref_a = 1, .ref_b = 2});
  // Far more than one call does: the list runs out of memory in the end.
  std::uint64_t address = kArgument, count = 0x7fff'ffff;
  int calls = 0;
  std::int64_t result = 0;
  do {
    result = guest.call(Number::grant_table_op, {kSwap, address, count});
    address = guest.x[1];
    count = guest.x[2];
    ++calls;
  } while (guest.outcome == Outcome::again);
  EXPECT_GT(calls, 5);
  EXPECT_EQ(result, kEfault);
  EXPECT_EQ(guest.call(Number::grant_table_op, {kSwap, kArgument, 0x8000'0000}), kEinval);
}

TEST_F(XenGrants, BackendsMapWhatIsGrantedToDomain0) {
  Grants& grants = guest.domain().grants();
  EXPECT_EQ(grants.map(5, false), nullptr);
  guest.grant_entry(5, kGtfPermitAccess | kGtfReadonly, 0, kPage);
  EXPECT_EQ(grants.map(5, true), nullptr);
  EXPECT_EQ(grants.map(100'000, true), nullptr);
  guest.put(kPage, std::uint8_t{77});
  {
    const auto page = grants.map(5, false);
    ASSERT_NE(page, nullptr);
    EXPECT_EQ(page->bytes()[0], 77);
    EXPECT_EQ(guest.grant_flags(5), kGtfPermitAccess | kGtfReadonly | kGtfReading);
    const auto again = grants.map(5, false);
    ASSERT_NE(again, nullptr);
  }
  EXPECT_EQ(guest.grant_flags(5), kGtfPermitAccess | kGtfReadonly);
}

TEST_F(XenGrants, APageThatADomainGaveAwayWhileItWasMappedHarmsNobody) {
  guest.grant_entry(5, kGtfPermitAccess, 0, kPage);
  const auto page = guest.domain().grants().map(5, true);
  ASSERT_NE(page, nullptr);
  guest.put(kRam + 0x2000, std::uint64_t{kPage >> kPageBits});
  MemoryReservation give{.extent_start = kRam + 0x2000, .nr_extents = 1, .domid = kDomIdSelf};
  EXPECT_EQ(guest.op(Number::memory_op, 1, give), 1);
  page->bytes()[4095] = 1;
  page->written(4095, 1);
  EXPECT_EQ(guest.get<std::uint8_t>(kPage + 4095), 0) << "which is no longer that page";
}

// A frame that is granted, whose page somebody holds, and where a read-only page is mapped then.
class XenGrantsReplaced : public XenGrants {
 protected:
  XenGrantsReplaced() {
    other.grant_entry(5, kGtfPermitAccess | kGtfReadonly, 1, kPage);
    other.put(kPage, std::uint64_t{0xc0de});
    guest.put(kWhere, std::uint64_t{0x0ff});
  }
  void map_constant() { ASSERT_EQ(map(kGntmapHostMap | kGntmapReadonly, 5).status, 0); }
  std::int16_t copy_to(GrantRef ref) {
    GnttabCopy op{};
    op.source = {.u = {.gmfn = (kRam + 0x5000) >> kPageBits}, .domid = kDomIdSelf};
    op.dest = {.u = {.ref = ref}, .domid = 1};
    op.len = 8;
    op.flags = kGntcopyDestGref;
    EXPECT_EQ(guest.grant(kCopy, op), 0);
    return op.status;
  }
};

TEST_F(XenGrantsReplaced, ACopyDoesNotWriteWhatIsMappedReadOnly) {
  guest.grant_entry(6, kGtfPermitAccess, 1, kWhere);
  GnttabMapGrantRef own{.host_addr = kRam + 0x3'0000, .flags = kGntmapHostMap, .ref = 6, .dom = 1};
  ASSERT_EQ(guest.grant(kMap, own), 0);
  ASSERT_EQ(own.status, 0);
  EXPECT_EQ(copy_to(6), 0);
  guest.put(kWhere, std::uint64_t{0x0ff});
  map_constant();
  EXPECT_EQ(copy_to(6), number(GrantStatus::bad_page));
  EXPECT_EQ(other.get<std::uint64_t>(kPage), 0xc0deu);
  // Nor can what is there now be had by the old reference.
  own.host_addr += kPageBytes;
  ASSERT_EQ(guest.grant(kMap, own), 0);
  EXPECT_EQ(own.status, number(GrantStatus::bad_page));
}

TEST_F(XenGrantsReplaced, ABackendDoesNotWriteWhatIsMappedReadOnly) {
  guest.grant_entry(6, kGtfPermitAccess, 0, kWhere);
  const auto page = guest.domain().grants().map(6, true);
  ASSERT_NE(page, nullptr);
  map_constant();
  EXPECT_EQ(page->bytes()[0], 0xff) << "what it held";
  page->bytes()[0] = 1;
  page->written(0, 1);
  EXPECT_EQ(other.get<std::uint64_t>(kPage), 0xc0deu);
  EXPECT_EQ(page->bytes()[0], 1);
  // Granted anew, the frame is what the domain has there now.
  EXPECT_EQ(guest.domain().grants().map(7, true), nullptr);
  guest.grant_entry(7, kGtfPermitAccess, 0, kWhere);
  EXPECT_EQ(guest.domain().grants().map(7, true), nullptr);
  GnttabUnmapGrantRef op{.host_addr = kWhere, .handle = 0};
  EXPECT_EQ(guest.grant(kUnmap, op), 0);
}

TEST_F(XenGrants, AFrameWhosePageGoesIsRenewed) {
  const auto renewed = [this](std::uint64_t address) {
    const bool was = std::count(guest.machine.renewed.begin(), guest.machine.renewed.end(),
                                address >> kPageBits) != 0;
    guest.machine.renewed.clear();
    return was;
  };
  renewed(kPage);
  guest.put(kRam + 0x2000, std::uint64_t{kPage >> kPageBits});
  MemoryReservation pages{.extent_start = kRam + 0x2000, .nr_extents = 1, .domid = kDomIdSelf};
  EXPECT_EQ(guest.op(Number::memory_op, 1, pages), 1);
  EXPECT_TRUE(renewed(kPage)) << "decrease_reservation";
  EXPECT_EQ(guest.op(Number::memory_op, 6, pages), 1);
  EXPECT_TRUE(renewed(kPage)) << "populate_physmap";
  EXPECT_EQ(guest.op(Number::memory_op, 6, pages), 1);
  EXPECT_TRUE(renewed(kPage)) << "populate_physmap over a page";
  GnttabSetupTable grow{.dom = kDomIdSelf, .nr_frames = 2, .frame_list = kRam + 0x3000};
  EXPECT_EQ(guest.grant(kSetup, grow), 0);
  AddToPhysmap table{.domid = kDomIdSelf, .space = 1, .idx = 1, .gpfn = kPage >> kPageBits};
  EXPECT_EQ(guest.op(Number::memory_op, 7, table), 0);
  EXPECT_TRUE(renewed(kPage)) << "add_to_physmap";
  RemoveFromPhysmap remove{.domid = kDomIdSelf, .gpfn = kPage >> kPageBits};
  EXPECT_EQ(guest.op(Number::memory_op, 15, remove), 0);
  EXPECT_TRUE(renewed(kPage)) << "remove_from_physmap";
}

TEST_F(XenGrants, TheCountOfMappingsIsLimited) {
  guest.grant_entry(5, kGtfPermitAccess, 0, kPage);
  std::vector<std::unique_ptr<GrantedPage>> pages;
  for (int i = 0; i < 128; ++i) pages.push_back(guest.domain().grants().map(5, true));
  EXPECT_NE(pages.back(), nullptr);
  EXPECT_EQ(guest.domain().grants().map(5, true), nullptr);
  EXPECT_EQ(guest.domain().grants().map(5, false), nullptr) << "nor of another kind";
}

TEST_F(XenGrants, ADomainThatGoesTakesItsPagesWithIt) {
  auto third = std::make_unique<Guest>(hypervisor, 3);
  third->map_grant_table();
  third->grant_entry(5, kGtfPermitAccess, 1, kPage);
  guest.put(kWhere, std::uint64_t{9});
  const GnttabMapGrantRef op = map(kGntmapHostMap, 5, 3);
  ASSERT_EQ(op.status, 0);
  hypervisor.remove_domain(3);
  third.reset();
  EXPECT_EQ(guest.get<std::uint64_t>(kWhere), 9u);
  EXPECT_EQ(unmap(op.handle), number(GrantStatus::bad_handle));
  // And the other way round: the granter has its page back.
  other.grant_entry(6, kGtfPermitAccess, 1, kPage);
  map(kGntmapHostMap, 6);
  hypervisor.remove_domain(1);
  EXPECT_EQ(other.grant_flags(6), kGtfPermitAccess);
}

TEST_F(XenGrants, NothingStaysMappedOfADomainThatEnds) {
  // Two handles for one page at two places; either undoes the other's mapping, and then there is
  // a mapping without a handle.
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  guest.put(kWhere, std::uint64_t{9});
  const std::uint32_t first = map(kGntmapHostMap, 5).handle;
  GnttabMapGrantRef second{
      .host_addr = kWhere + kPageBytes, .flags = kGntmapHostMap, .ref = 5, .dom = 2};
  ASSERT_EQ(guest.grant(kMap, second), 0);
  EXPECT_EQ(unmap(first, kWhere + kPageBytes), 0);
  EXPECT_EQ(unmap(second.handle, kWhere + kPageBytes), 0);
  other.put(kPage, std::uint64_t{1});
  EXPECT_EQ(guest.get<std::uint64_t>(kWhere), 1u);
  // And RAM where a mapping was.
  other.grant_entry(6, kGtfPermitAccess, 1, kPage + kPageBytes);
  GnttabMapGrantRef covered{
      .host_addr = kWhere + 2 * kPageBytes, .flags = kGntmapHostMap, .ref = 6, .dom = 2};
  ASSERT_EQ(guest.grant(kMap, covered), 0);
  guest.put(kRam + 0x2000, std::uint64_t{(kWhere + 2 * kPageBytes) >> kPageBits});
  MemoryReservation pages{.extent_start = kRam + 0x2000, .nr_extents = 1, .domid = kDomIdSelf};
  EXPECT_EQ(guest.op(Number::memory_op, 6, pages), 1);

  hypervisor.end_domain(1);
  EXPECT_EQ(guest.get<std::uint64_t>(kWhere), 9u);
  EXPECT_EQ(other.grant_flags(6), kGtfPermitAccess);
  EXPECT_EQ(guest.domain().physmap().kind((kWhere + 2 * kPageBytes) >> kPageBits),
            Physmap::Kind::ram);
}

TEST_F(XenGrants, WhatIsMappedOfADomainThatEndedStaysAndNothingElseCanBeHad) {
  other.grant_entry(5, kGtfPermitAccess, 1, kPage);
  other.put(kPage, std::uint64_t{0x1234});
  const GnttabMapGrantRef op = map(kGntmapHostMap, 5);
  ASSERT_EQ(op.status, 0);
  EvtchnAllocUnbound port{.dom = kDomIdSelf, .remote_dom = 1};
  EXPECT_EQ(other.op(Number::event_channel_op, 6, port), 0);
  EvtchnBindInterdomain bind{.remote_dom = 2, .remote_port = port.port};
  EXPECT_EQ(guest.op(Number::event_channel_op, 0, bind), 0);

  hypervisor.end_domain(2);
  EXPECT_EQ(guest.get<std::uint64_t>(kWhere), 0x1234u);
  EXPECT_EQ(map(kGntmapHostMap, 5).status, number(GrantStatus::bad_domain));
  GnttabCopy copy{};
  copy.source = {.u = {.ref = 5}, .domid = 2};
  copy.dest = {.u = {.gmfn = (kRam + 0x5000) >> kPageBits}, .domid = kDomIdSelf};
  copy.len = 8;
  copy.flags = kGntcopySourceGref;
  EXPECT_EQ(guest.grant(kCopy, copy), 0);
  EXPECT_EQ(copy.status, number(GrantStatus::bad_domain));
  EvtchnStatus status{.dom = kDomIdSelf, .port = bind.local_port};
  EXPECT_EQ(guest.op(Number::event_channel_op, 5, status), 0);
  EXPECT_EQ(status.status, 1u) << "EVTCHNSTAT_unbound";
  EXPECT_EQ(guest.op(Number::event_channel_op, 0, bind), kEsrch);
  EXPECT_EQ(unmap(op.handle), 0);
}

}  // namespace
}  // namespace trapline::xen
