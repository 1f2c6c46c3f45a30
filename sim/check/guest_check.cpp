#include "sim/check/guest_check.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "sim/arch/esr.h"

namespace trapline {
namespace {

constexpr std::uint64_t kInterruptVectors = 0x200;  // Below: not a syndrome (event.h).
constexpr std::uint32_t kFdtMagic = 0xd00dfeed;
constexpr std::uint32_t kLargestTree = 2u << 20;
constexpr std::uint64_t kPageBytes = 1u << StoreGuard::kPageBits;

std::uint32_t big_endian(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
         at[3];
}

}  // namespace

/// Software below the hypervisor, or the only software: everything with one VMID.
struct GuestCheck::Guest {
  bool started = false;
  GuestTree tree;
  bool touched_controller = false;
};

/// Whom the CPUs of a part tell of stores.
struct GuestCheck::Part final : StoreGuard {
  struct Guarded {
    FindingKind kind{};
    std::uint16_t vmid = 0;
    PhysAddr first = 0;  ///< Of the bytes that count.
    std::uint64_t bytes = 0;
    std::vector<GivenRange> except;  ///< Of them: may be erased.
  };

  explicit Part(GuestCheck& check) : check(check) {}

  void on_read(PhysAddr page) override {
    const auto found = guarded.find(page >> kPageBits);
    // The initrd's page has found its reader; the memory may be used for something else.
    if (found != guarded.end() && found->second.kind == FindingKind::initrd_overwritten) {
      drop(page);
    }
  }
  void on_store(const GuardedStore& store) override;
  void guard(PhysAddr page, const Guarded& what) {
    if (guarded.emplace(page >> kPageBits, what).second) add_page(page);
  }
  void drop(PhysAddr page) {
    guarded.erase(page >> kPageBits);
    drop_page(page);
  }

  GuestCheck& check;
  CpuComplex* cpus = nullptr;
  Bus* bus = nullptr;
  unsigned first_cpu = 0;
  std::uint16_t vmid = 0;
  std::map<std::uint64_t, Guarded> guarded;  // By page number.
  std::map<std::uint16_t, Guest> guests;     // By VMID.
};

GuestCheck::GuestCheck(FindingSink& sink) : sink_(sink) {}
GuestCheck::~GuestCheck() = default;

StoreGuard& GuestCheck::add_part() {
  return *parts_.emplace_back(std::make_unique<Part>(*this));
}

void GuestCheck::start_part(CpuComplex& cpus, Bus& bus, unsigned first_cpu, std::uint16_t vmid) {
  const auto waiting = std::find_if(parts_.begin(), parts_.end(),
                                    [](const auto& part) { return part->cpus == nullptr; });
  if (waiting == parts_.end()) return;
  Part& part = **waiting;
  part.cpus = &cpus;
  part.bus = &bus;
  part.first_cpu = first_cpu;
  part.vmid = vmid;
  Cpu& cpu = cpus.cpu(0);
  start_guest(part, guest_of(part, vmid), cpu, cpu.pc());
}

GuestCheck::Part* GuestCheck::part_of(unsigned cpu) {
  for (const auto& part : parts_) {
    if (part->cpus && cpu - part->first_cpu < part->cpus->count()) return part.get();
  }
  return nullptr;
}

GuestCheck::Guest& GuestCheck::guest_of(Part& part, std::uint16_t vmid) {
  return part.guests[vmid];
}

void GuestCheck::report(FindingKind kind, std::string text, const Event& event, VirtAddr pc) {
  if (!said_.insert({kind, event.vmid, pc}).second) return;
  const unsigned said = ++said_of_kind_[{kind, event.vmid}];
  if (said > kMostOfAKind) return;
  if (said == kMostOfAKind) text += "; more of the kind are not told";
  sink_.on_finding({.kind = kind,
                    .text = std::move(text),
                    .cpu = event.cpu,
                    .el = event.el,
                    .vmid = event.vmid,
                    .pc = pc});
}

/// A guest's first instruction comes: X0 points to its device tree, by the arm64 boot protocol.
void GuestCheck::start_guest(Part& part, Guest& guest, Cpu& cpu, VirtAddr pc) {
  guest.started = true;
  const PhysAddr tree_at = cpu.x(0);
  std::array<std::uint8_t, 8> head{};
  // Software that starts at EL2 may move its tree about; a guest's MMU is off, so that its
  // addresses are physical ones as it knows them.
  const bool el2 = cpu.config().has_el2 && cpu.el() == El::el2;
  const auto read = [&](PhysAddr at, void* to, std::size_t bytes) {
    return el2 || !cpu.config().has_el2 ? part.bus->read(at, to, bytes) : cpu.peek(at, to, bytes);
  };
  if (!read(tree_at, head.data(), head.size()) || big_endian(head.data()) != kFdtMagic) return;
  std::vector<std::uint8_t> blob(std::min(big_endian(head.data() + 4), kLargestTree));
  if (!read(tree_at, blob.data(), blob.size())) return;
  guest.tree = GuestTree(blob);
  if (!guest.tree.valid() || el2) return;
  guard_range(part, cpu, tree_at, blob.size(), FindingKind::device_tree_overwritten, guest);
  const GivenRange initrd = guest.tree.initrd();
  guard_range(part, cpu, initrd.base, initrd.bytes, FindingKind::initrd_overwritten, guest);
  guard_range(part, cpu, pc & ~(kPageBytes - 1), kPageBytes, FindingKind::image_overwritten, guest);
}

void GuestCheck::guard_range(Part& part, Cpu& cpu, PhysAddr first, std::uint64_t bytes,
                             FindingKind kind, Guest& guest) {
  constexpr std::uint64_t kMost = 1ull << 30;
  if (bytes == 0 || bytes > kMost) return;
  const std::uint16_t vmid = cpu.config().has_el2 ? 0 : part.vmid;
  for (PhysAddr at = first & ~(kPageBytes - 1); at < first + bytes; at += kPageBytes) {
    PhysAddr page = at;
    if (cpu.config().has_el2) {
      const auto view = cpu.view(at);
      if (!view || view->pa == ~PhysAddr{0}) continue;
      page = view->pa & ~(kPageBytes - 1);
    }
    const PhysAddr begin = std::max(first, at), end = std::min(first + bytes, at + kPageBytes);
    Part::Guarded what{.kind = kind,
                       .vmid = vmid,
                       .first = page + (begin - at),
                       .bytes = end - begin,
                       .except = {}};
    if (kind == FindingKind::device_tree_overwritten) {
      for (const GivenRange& range : guest.tree.erasable()) {
        what.except.push_back({page - at + first + range.base, range.bytes});
      }
    }
    part.guard(page, what);
  }
}

void GuestCheck::Part::on_store(const GuardedStore& store) {
  const auto found = guarded.find(store.pa >> kPageBits);
  if (found == guarded.end()) return;
  const Guarded what = found->second;
  // A hypervisor has taken the page for something else; and once the MMU is on, a guest knows its
  // image by other tables than its loader's.
  if (store.el == El::el2 || (what.kind == FindingKind::image_overwritten && store.mmu)) {
    return drop(store.pa);
  }
  if (store.pa + store.bytes <= what.first || store.pa >= what.first + what.bytes) return;
  for (const GivenRange& range : what.except) {
    if (range.contains(store.pa)) return;
  }
  const char* name = what.kind == FindingKind::image_overwritten ? "the image's first page"
                     : what.kind == FindingKind::device_tree_overwritten
                         ? "the device tree"
                         : "the initrd, which nothing has read";
  Event event;
  event.cpu = static_cast<std::uint8_t>(store.cpu);
  event.el = store.el;
  event.vmid = store.vmid;
  check.report(
      what.kind,
      fmt::format("a store of {} bytes at 0x{:x} overwrites {}", store.bytes, store.pa, name),
      event, store.pc);
  if (what.kind != FindingKind::device_tree_overwritten) drop(store.pa);
}

void GuestCheck::on_event(const Event& event) {
  Part* part = part_of(event.cpu);
  if (!part) return;
  switch (event.kind) {
    case EventKind::hypercall:
      return on_hypercall(*part, event);
    case EventKind::call_result:
      return on_call_result(*part, event);
    case EventKind::exception_entry:
      return on_entry(*part, event);
    case EventKind::exception_return:
      return on_return(*part, event);
    case EventKind::mmio:
      return on_mmio(*part, event);
    case EventKind::misuse:
      return on_misuse(*part, event);
    default:
      return;
  }
}

void GuestCheck::on_hypercall(Part& part, const Event& event) {
  Cpu& cpu = part.cpus->cpu(event.cpu - part.first_cpu);
  CpuState& state = cpus_[event.cpu];
  state.call.open = false;
  if (event.el == El::el2) return;
  // PC is behind the HVC already.
  const VirtAddr pc = cpu.pc() - 4;
  if (cpu.config().has_el2) {
    state.behind_hvc = pc + 4;
    state.hvc_vmid = event.vmid;
  }
  if (event.a != kXenHypercall) return;
  SeenHypercall& call = state.call;
  call = {.number = cpu.x(16), .x = {}, .pc = pc, .vmid = event.vmid, .open = true};
  for (unsigned n = 0; n < call.x.size(); ++n) call.x[n] = cpu.x(n);
  HypercallCheck::begun(
      call, cpu, guest_of(part, event.vmid).tree,
      [&](FindingKind kind, std::string text) { report(kind, std::move(text), event, pc); });
}

void GuestCheck::on_call_result(Part& part, const Event& event) {
  const auto found = cpus_.find(event.cpu);
  if (found == cpus_.end()) return;
  SeenHypercall& call = found->second.call;
  if (!std::exchange(call.open, false) || call.vmid != event.vmid) return;
  HypercallCheck::ended(
      call, static_cast<std::int64_t>(event.a), part.cpus->cpu(event.cpu - part.first_cpu),
      [&](FindingKind kind, std::string text) { report(kind, std::move(text), event, call.pc); });
}

void GuestCheck::on_entry(Part& part, const Event& event) {
  const auto target = static_cast<El>(event.a >> 8);
  if (event.b < kInterruptVectors) {
    Guest& guest = guest_of(part, event.vmid);
    const bool irq = (event.b & ~1ull) == 0x80;
    if (irq && target == El::el1 && !guest.touched_controller &&
        !guest.tree.controllers().empty()) {
      report(FindingKind::interrupt_too_early,
             "an interrupt is taken, and its controller was never set up", event, event.c);
    }
    return;
  }
  const auto ec = static_cast<unsigned>(bits(event.b, 31, 26));
  constexpr unsigned kFetchLower = 0x20, kFetch = 0x21, kDataLower = 0x24, kData = 0x25;
  if (ec == kFetchLower || ec == kFetch || ec == kDataLower || ec == kData) {
    on_abort(part, event, ec);
  }
}

void GuestCheck::on_abort(Part& part, const Event& event, unsigned ec) {
  if (event.el == El::el2) return;
  Cpu& cpu = part.cpus->cpu(event.cpu - part.first_cpu);
  Guest& guest = guest_of(part, event.vmid);
  const auto status = static_cast<unsigned>(event.b & 63);
  const bool to_el2 = static_cast<El>(event.a >> 8) == El::el2;
  const bool on_walk = bit(event.b, 7);  // S1PTW
  if (!guest.tree.valid()) return;
  // External abort on a walk, levels 0 to 3; or a stage-2 translation fault of one.
  if ((status >= 0x14 && status <= 0x17) || (to_el2 && on_walk && (status & 0x3c) == 4)) {
    return report(FindingKind::page_tables_overwritten,
                  fmt::format("the translation tables for 0x{:x} lead out of memory: an entry was "
                              "overwritten, or never written",
                              event.d),
                  event, event.c);
  }
  const bool stage2_miss = to_el2 && !on_walk && (status & 0x3c) == 4;
  const bool external = !to_el2 && status == 0x10;
  if (!stage2_miss && !external) return;
  const auto view = cpu.view(event.d);
  if (!view) return;
  if (guest.tree.is_interrupt_controller(view->ipa)) guest.touched_controller = true;
  if (guest.tree.gives(view->ipa)) return;
  const bool fetch = ec < 0x24;
  report(FindingKind::address_not_given,
         fmt::format("{} 0x{:x}, which the device tree does not give",
                     fetch             ? "code is fetched from"
                     : bit(event.b, 6) ? "a store goes to"
                                       : "a load is from",
                     view->ipa),
         event, event.c);
}

void GuestCheck::on_return(Part& part, const Event& event) {
  const auto from = static_cast<El>(event.a & 0xff), to = static_cast<El>(event.a >> 8);
  if (from != El::el2 || to == El::el2) return;
  Cpu& cpu = part.cpus->cpu(event.cpu - part.first_cpu);
  Guest& guest = guest_of(part, event.vmid);
  if (!guest.started) start_guest(part, guest, cpu, event.c);
  CpuState& state = cpus_[event.cpu];
  const std::optional<VirtAddr> behind = std::exchange(state.behind_hvc, std::nullopt);
  if (!behind || state.hvc_vmid != event.vmid || event.c != *behind + 4) return;
  report(FindingKind::instruction_skipped,
         fmt::format("EL2 returns from the HVC at 0x{:x} to 0x{:x}: the instruction behind it is "
                     "skipped",
                     *behind - 4, event.c),
         event, *behind - 4);
}

void GuestCheck::on_mmio(Part& part, const Event& event) {
  for (auto& [vmid, guest] : part.guests) {
    if (vmid != event.vmid && part.guests.size() > 1 && event.vmid != 0) continue;
    if (guest.tree.is_interrupt_controller(event.a)) guest.touched_controller = true;
  }
}

void GuestCheck::on_misuse(Part& part, const Event& event) {
  Cpu& cpu = part.cpus->cpu(event.cpu - part.first_cpu);
  if (event.a == 0) {
    report(FindingKind::uart_not_enabled,
           fmt::format("a byte is written to UART {} while its transmitter is off", event.b), event,
           cpu.pc());
  } else {
    report(FindingKind::counter_not_enabled, "the system counter is read, and it is stopped", event,
           cpu.pc());
  }
}

}  // namespace trapline
