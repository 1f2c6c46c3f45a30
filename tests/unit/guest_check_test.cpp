// Each finding of a running machine, provoked and not. Those of hypercalls are in
// hypercall_check_test.
#include "sim/check/guest_check.h"

#include "tests/unit/check_fixture.h"

namespace trapline {
namespace {

constexpr unsigned kCpu = 3;  // What events call the only CPU.
constexpr std::uint16_t kVmid = 2;
constexpr VirtAddr kPc = kImage + 0x100;

class GuestCheckTest : public testing::Test {
 protected:
  GuestCheckTest() { bus.add_ram("ram", kRam, kRamBytes); }

  /// The tree lies where X0 says, and the part starts: as a domain, or, with EL2, as a hypervisor
  /// that will have guests.
  void start(bool has_el2 = false, const DeviceTree& source = guest_tree()) {
    const std::vector<std::uint8_t> blob = source.bytes();
    tree_bytes = blob.size();
    tree = GuestTree(blob);
    ASSERT_TRUE(bus.write(kTree, blob.data(), blob.size()));
    cpu.config_.has_el2 = has_el2;
    cpu.level = has_el2 ? El::el2 : El::el1;
    cpu.set_x(0, has_el2 ? kRam + 0xf'0000 : kTree);
    cpu.at = kImage;
    guard = &check.add_part();
    check.start_part(cpus, bus, kCpu, has_el2 ? 0 : kVmid);
  }
  Event event(EventKind kind, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0,
              std::uint64_t d = 0) {
    Event made;
    made.kind = kind;
    made.cpu = kCpu;
    made.el = El::el1;
    made.vmid = kVmid;
    made.a = a, made.b = b, made.c = c, made.d = d;
    return made;
  }
  Kinds after(const Event& told) {
    check.on_event(told);
    return findings.kinds();
  }
  static std::uint64_t levels(El from, El to) {
    return static_cast<std::uint64_t>(to) << 8 | static_cast<std::uint64_t>(from);
  }
  Kinds abort(std::uint64_t ec, std::uint64_t iss, VirtAddr far, El to = El::el1) {
    return after(
        event(EventKind::exception_entry, levels(El::el1, to), ec << 26 | iss, next_pc(), far));
  }
  /// Each event is of another instruction, as the same is told but once.
  VirtAddr next_pc() { return pc_ += 4; }
  Kinds store(PhysAddr pa, unsigned bytes = 8, bool mmu = false, El el = El::el1) {
    if (!guard->has_page(pa)) return {};
    guard->on_store({.cpu = kCpu,
                     .el = el,
                     .vmid = kVmid,
                     .pc = next_pc(),
                     .pa = pa,
                     .bytes = bytes,
                     .mmu = mmu});
    return findings.kinds();
  }

  Bus bus;
  FakeCpus cpus{bus};
  FakeCpu& cpu = cpus.only;
  Findings findings;
  GuestCheck check{findings};
  StoreGuard* guard = nullptr;
  GuestTree tree;
  std::size_t tree_bytes = 0;

 private:
  VirtAddr pc_ = kPc;
};

TEST_F(GuestCheckTest, AStoreToTheImagesFirstPageWithTheMmuOff) {
  start();
  EXPECT_EQ(store(kImage + 0x1000), Kinds{}) << "the second page is data, perhaps";
  EXPECT_EQ(store(kImage + 0xffc, 4), Kinds{FindingKind::image_overwritten});
  EXPECT_EQ(store(kImage + 8), Kinds{}) << "told once";
}

TEST_F(GuestCheckTest, AnImageWithItsMmuOnMayDoWithItsFirstPageWhatItLikes) {
  start();
  EXPECT_EQ(store(kImage + 8, 8, true), Kinds{});
  EXPECT_EQ(store(kImage + 8), Kinds{});
}

TEST_F(GuestCheckTest, AStoreToTheDeviceTree) {
  start();
  const Kinds found{FindingKind::device_tree_overwritten};
  EXPECT_EQ(store(kTree), found);
  EXPECT_EQ(store(kTree + tree_bytes - 4, 4), found);
  EXPECT_EQ(store(kTree + tree_bytes, 4), Kinds{}) << "behind it, in its page";
  ASSERT_EQ(tree.erasable().size(), 1u);
  const GivenRange seed = tree.erasable()[0];
  EXPECT_EQ(store(kTree + seed.base + 12, 8), Kinds{}) << "the seed";
  EXPECT_EQ(store(kTree + seed.base - 4, 4), found) << "what is before it";
  EXPECT_EQ(store(kTree + seed.base + seed.bytes, 4), found) << "and behind";
  EXPECT_EQ(store(kTree + 8, 8, true), found) << "with the MMU on as well";
}

TEST_F(GuestCheckTest, AStoreToAnInitrdThatNobodyRead) {
  start();
  EXPECT_EQ(store(kInitrd - 8), Kinds{}) << "before it, in its page";
  EXPECT_EQ(store(kInitrd - 4, 8), Kinds{FindingKind::initrd_overwritten}) << "across its start";
  guard->on_read(kInitrd + 0x1000);
  EXPECT_EQ(store(kInitrd + 0x1000), Kinds{}) << "its second page was read";
  EXPECT_FALSE(guard->has_page(kInitrd + kInitrdBytes + 0x1000));
  // A read of something else takes nothing from the others.
  guard->on_read(kImage);
  EXPECT_EQ(store(kImage), Kinds{FindingKind::image_overwritten});
}

TEST_F(GuestCheckTest, AHypervisorMayTakeAnyPage) {
  start();
  EXPECT_EQ(store(kTree, 8, false, El::el2), Kinds{});
  EXPECT_EQ(store(kTree), Kinds{}) << "nor is it the guest's any more";
}

TEST_F(GuestCheckTest, WithoutATreeNothingIsGuarded) {
  guard = &check.add_part();
  cpu.set_x(0, kTree);
  check.start_part(cpus, bus, kCpu, kVmid);
  EXPECT_FALSE(guard->has_page(kImage));
  EXPECT_EQ(abort(0x25, 0x10, kNothing), Kinds{});
  EXPECT_EQ(after(event(EventKind::exception_entry, levels(El::el1, El::el1), 0x80, next_pc())),
            Kinds{});
}

TEST_F(GuestCheckTest, AnAddressThatTheTreeDoesNotGive) {
  start();
  const Kinds found{FindingKind::address_not_given};
  const auto text = [&](std::uint64_t ec, std::uint64_t iss) {
    check.on_event(event(EventKind::exception_entry, levels(El::el1, El::el1), ec << 26 | iss,
                         next_pc(), kNothing));
    const std::string said = findings.all.empty() ? "" : findings.all[0].text;
    findings.all.clear();
    return said.substr(0, said.find(" 0x"));
  };
  EXPECT_EQ(text(0x25, 0x10), "a load is from");
  EXPECT_EQ(text(0x24, 0x50), "a store goes to") << "WnR, from EL0";
  EXPECT_EQ(text(0x21, 0x10), "code is fetched from");
  EXPECT_EQ(abort(0x25, 0x10, kUart), Kinds{}) << "given, and not there";
  EXPECT_EQ(abort(0x25, 0x07, kNothing), Kinds{}) << "a translation fault of its own";
  EXPECT_EQ(abort(0x25, 0x21, kNothing), Kinds{}) << "alignment";
  EXPECT_EQ(abort(0x15, 0x10, kNothing), Kinds{}) << "no abort: SVC";
  cpu.hidden[kNothing >> 12];
  EXPECT_EQ(abort(0x25, 0x10, kNothing), Kinds{}) << "what it means nobody knows";
  cpu.hidden.clear();
  EXPECT_EQ(abort(0x25, 0x10, kNothing), found);
}

TEST_F(GuestCheckTest, TablesThatLeadOutOfMemory) {
  start();
  const Kinds found{FindingKind::page_tables_overwritten};
  for (const std::uint64_t status : {0x14, 0x17}) EXPECT_EQ(abort(0x25, status, kRam), found);
  EXPECT_EQ(abort(0x21, 0x15, kRam), found) << "of a fetch";
  EXPECT_EQ(abort(0x25, 0x13, kRam), Kinds{});
  EXPECT_EQ(abort(0x25, 0x18, kRam), Kinds{});
  EXPECT_EQ(abort(0x24, 0x80 | 0x05, kRam, El::el2), found) << "S1PTW at stage 2";
  EXPECT_EQ(abort(0x24, 0x80 | 0x0d, kRam, El::el2), Kinds{}) << "a permission of stage 2";
}

TEST_F(GuestCheckTest, UnderAHypervisorStage2Tells) {
  start();
  EXPECT_EQ(abort(0x24, 0x06, kNothing, El::el2), Kinds{FindingKind::address_not_given});
  EXPECT_EQ(abort(0x24, 0x06, kRam, El::el2), Kinds{}) << "given: on demand, perhaps";
  EXPECT_EQ(abort(0x24, 0x0e, kNothing, El::el2), Kinds{}) << "a permission";
}

TEST_F(GuestCheckTest, AnInterruptBeforeItsControllerIsSetUp) {
  start();
  const auto irq = [&](std::uint64_t vector, El to = El::el1) {
    return after(event(EventKind::exception_entry, levels(El::el1, to), vector, next_pc()));
  };
  const Kinds found{FindingKind::interrupt_too_early};
  EXPECT_EQ(irq(0x80), found);
  EXPECT_EQ(irq(0x81), found) << "a virtual one";
  EXPECT_EQ(irq(0x80, El::el2), Kinds{}) << "the hypervisor's";
  EXPECT_EQ(irq(0x100), Kinds{}) << "FIQ";
  EXPECT_EQ(irq(0x180), Kinds{}) << "SError";
  EXPECT_EQ(after(event(EventKind::mmio, kUart)), Kinds{});
  EXPECT_EQ(irq(0x80), found) << "only the UART was touched";
  EXPECT_EQ(after(event(EventKind::mmio, kGic + 4)), Kinds{});
  EXPECT_EQ(irq(0x80), Kinds{});
}

TEST_F(GuestCheckTest, AnEmulatedControllerIsTouchedByATrap) {
  start();
  EXPECT_EQ(abort(0x24, 0x07, kGic, El::el2), Kinds{});
  EXPECT_EQ(after(event(EventKind::exception_entry, levels(El::el1, El::el1), 0x81, next_pc())),
            Kinds{});
}

TEST_F(GuestCheckTest, HypercallsAreJudgedWhereTheyAreMade) {
  start();
  cpu.sctlr = 0;
  cpu.set_x(16, 29);
  cpu.at = kPc + 4;  // Behind the HVC.
  check.on_event(event(EventKind::hypercall, kXenHypercall));
  ASSERT_EQ(findings.all.size(), 1u);
  EXPECT_EQ(findings.all[0].kind, FindingKind::hypercall_mmu_off);
  EXPECT_EQ(findings.all[0].pc, kPc);
  EXPECT_EQ(findings.all[0].vmid, kVmid);
  EXPECT_EQ(findings.all[0].cpu, kCpu);
  findings.all.clear();
  EXPECT_EQ(after(event(EventKind::hypercall, kXenHypercall)), Kinds{}) << "the same again";
  cpu.at = kPc + 0x40;
  EXPECT_EQ(after(event(EventKind::hypercall, 0)), Kinds{}) << "PSCI";
  Event of_el2 = event(EventKind::hypercall, kXenHypercall);
  of_el2.el = El::el2;
  EXPECT_EQ(after(of_el2), Kinds{});
  Event elsewhere = event(EventKind::hypercall, kXenHypercall);
  elsewhere.cpu = kCpu + 1;
  EXPECT_EQ(after(elsewhere), Kinds{}) << "no CPU of a part";
}

TEST_F(GuestCheckTest, ResultsBelongToTheCallBeforeThem) {
  start();
  constexpr VirtAddr kPort = kRam + 0x4'0000;
  const Event result = event(EventKind::call_result, static_cast<std::uint64_t>(std::int64_t{-22}));
  const auto send = [&] {
    cpu.at = next_pc();
    cpu.set_x(16, 32);
    cpu.set_x(0, 4);
    cpu.set_x(1, kPort);
    return after(event(EventKind::hypercall, kXenHypercall));
  };
  EXPECT_EQ(after(result), Kinds{}) << "of no call";
  EXPECT_EQ(send(), Kinds{});
  EXPECT_EQ(after(result), Kinds{FindingKind::bad_event_channel});
  EXPECT_EQ(after(result), Kinds{}) << "the call is over";
  EXPECT_EQ(send(), Kinds{});
  Event of_another = result;
  of_another.vmid = kVmid + 1;
  EXPECT_EQ(after(of_another), Kinds{});
  EXPECT_EQ(send(), Kinds{});
  EXPECT_EQ(after(event(EventKind::hypercall, 0)), Kinds{});
  EXPECT_EQ(after(result), Kinds{}) << "PSCI's";
}

TEST_F(GuestCheckTest, EachInstructionOnceAndFiveOfAKindForADomain) {
  start();
  for (unsigned n = 0; n < 3; ++n) {
    check.on_event(event(EventKind::exception_entry, levels(El::el1, El::el1),
                         std::uint64_t{0x25} << 26 | 0x10, kPc, kNothing));
  }
  EXPECT_EQ(findings.all.size(), 1u);
  for (unsigned n = 0; n < 9; ++n) {
    check.on_event(event(EventKind::exception_entry, levels(El::el1, El::el1),
                         std::uint64_t{0x25} << 26 | 0x10, next_pc(), kNothing));
  }
  ASSERT_EQ(findings.all.size(), GuestCheck::kMostOfAKind);
  EXPECT_EQ(findings.all[3].text.find("more of the kind"), std::string::npos);
  EXPECT_NE(findings.all[4].text.find("; more of the kind are not told"), std::string::npos);
  findings.all.clear();
  EXPECT_EQ(abort(0x25, 0x14, kRam), Kinds{FindingKind::page_tables_overwritten}) << "another kind";
  Event other = event(EventKind::exception_entry, levels(El::el1, El::el1), 0x80, next_pc());
  EXPECT_EQ(after(other), Kinds{FindingKind::interrupt_too_early});
}

TEST_F(GuestCheckTest, DevicesThatAreNotSetUp) {
  start();
  cpu.at = next_pc();
  EXPECT_EQ(after(event(EventKind::misuse, 0, 1)), Kinds{FindingKind::uart_not_enabled});
  EXPECT_EQ(after(event(EventKind::misuse, 1)), Kinds{FindingKind::counter_not_enabled});
  EXPECT_EQ(after(event(EventKind::timer_fired)), Kinds{});
  EXPECT_TRUE(check.wants(EventKind::misuse));
  EXPECT_TRUE(check.wants(EventKind::call_result));
  EXPECT_FALSE(check.wants(EventKind::xen_call));
}

/// A part whose hypervisor is an image: its guests start with their first exception return.
class GuestCheckEl2Test : public GuestCheckTest {
 protected:
  void start_guest() {
    start(true);
    cpu.level = El::el1;
    cpu.set_x(0, kTree);
    returns_to(kImage);
  }
  Kinds returns_to(VirtAddr pc) {
    return after(event(EventKind::exception_return, levels(El::el2, El::el1), 0, pc));
  }
  Kinds hvc_at(VirtAddr pc) {
    cpu.at = pc + 4;
    return after(event(EventKind::hypercall, 0));
  }
};

TEST_F(GuestCheckEl2Test, TheGuestsMemoryIsGuardedWhereItReallyIs) {
  start(true);
  EXPECT_FALSE(guard->has_page(kTree)) << "the hypervisor may move what it was given";
  // Stage 2 puts the guest's frames 128 KiB up.
  cpu.offset = 0x2'0000;
  const std::vector<std::uint8_t> blob = guest_tree().bytes();
  ASSERT_TRUE(bus.write(kTree + cpu.offset, blob.data(), blob.size()));
  cpu.level = El::el1;
  cpu.set_x(0, kTree);
  EXPECT_EQ(returns_to(kImage), Kinds{});
  EXPECT_FALSE(guard->has_page(kTree));
  EXPECT_EQ(store(kTree + cpu.offset), Kinds{FindingKind::device_tree_overwritten});
  EXPECT_EQ(store(kImage + cpu.offset), Kinds{FindingKind::image_overwritten});
  EXPECT_EQ(store(kInitrd + cpu.offset), Kinds{FindingKind::initrd_overwritten});
}

TEST_F(GuestCheckEl2Test, AnInstructionBehindAnHvcIsSkipped) {
  start_guest();
  EXPECT_EQ(hvc_at(kPc), Kinds{});
  EXPECT_EQ(returns_to(kPc + 4), Kinds{}) << "right";
  EXPECT_EQ(hvc_at(kPc), Kinds{});
  check.on_event(event(EventKind::exception_return, levels(El::el2, El::el1), 0, kPc + 8));
  ASSERT_EQ(findings.all.size(), 1u);
  EXPECT_EQ(findings.all[0].kind, FindingKind::instruction_skipped);
  EXPECT_EQ(findings.all[0].pc, kPc);
  findings.all.clear();
  EXPECT_EQ(returns_to(kPc + 0x48), Kinds{}) << "no HVC before it";
  EXPECT_EQ(hvc_at(kPc + 0x40), Kinds{});
  EXPECT_EQ(returns_to(kPc + 0x100), Kinds{}) << "elsewhere";
  EXPECT_EQ(returns_to(kPc + 0x48), Kinds{}) << "later";
  EXPECT_EQ(hvc_at(kPc + 0x60), Kinds{});
  Event of_another = event(EventKind::exception_return, levels(El::el2, El::el1), 0, kPc + 0x68);
  of_another.vmid = kVmid + 1;
  EXPECT_EQ(after(of_another), Kinds{}) << "another guest's";
  EXPECT_EQ(hvc_at(kPc + 0x80), Kinds{});
  EXPECT_EQ(after(event(EventKind::exception_return, levels(El::el1, El::el0), 0, kPc + 0x88)),
            Kinds{})
      << "not of EL2";
}

}  // namespace
}  // namespace trapline
