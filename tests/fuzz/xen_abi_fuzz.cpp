// Hypercalls with arguments that nobody would make, over memory that says anything. Whatever comes,
// the layer returns, touches nothing but the domain's frames, and leaves the other domain alone.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "sim/time/timeline.h"
#include "sim/trap/xen/abi.h"
#include "sim/trap/xen/domain.h"
#include "sim/trap/xen/event_channels.h"
#include "sim/trap/xen/hypervisor.h"
#include "tests/fuzz/fuzz.h"

namespace trapline::xen {
namespace {

constexpr std::uint64_t kRam = 0x4000'0000;
constexpr std::uint64_t kFrames = 16;

/// A few frames of RAM at the bottom, virtual addresses being physical ones, and a grant region.
class Machine final : public DomainHost, public DomainMemory {
 public:
  std::uint8_t* frame(Gfn gfn) override {
    const auto mapped = mapped_.find(gfn);
    if (mapped != mapped_.end()) return mapped->second;
    const Gfn first = kRam >> kPageBits;
    return gfn >= first && gfn - first < kFrames + 2 ? ram_.data() + (gfn - first) * kPageBytes
                                                     : nullptr;
  }
  void written(Gfn gfn, std::size_t offset, std::size_t bytes) override {
    fuzz::check(frame(gfn) && offset <= kPageBytes && bytes <= kPageBytes - offset,
                "what is written lies in a frame");
  }
  bool map(Gfn gfn, std::uint8_t* page, bool) override {
    if (mapped_.size() >= 64) return false;
    mapped_[gfn] = page;
    return true;
  }
  void unmap(Gfn gfn) override { mapped_.erase(gfn); }
  bool read_virtual(unsigned, std::uint64_t va, void* to, std::size_t bytes) override {
    return copy(va, static_cast<std::uint8_t*>(to), nullptr, bytes);
  }
  bool write_virtual(unsigned, std::uint64_t va, const void* from, std::size_t bytes) override {
    return copy(va, nullptr, static_cast<const std::uint8_t*>(from), bytes);
  }
  std::uint64_t pc(unsigned) const override { return 0; }
  void raise_upcall(unsigned) override {}
  bool is_up(unsigned vcpu) const override { return vcpu == 0; }
  bool interrupt_deliverable(unsigned) const override { return false; }
  void unmask_interrupts(unsigned) override {}
  void wake(unsigned) override {}
  void shut_down(ShutdownReason) override { ++stopped; }
  void console_line(const char*, std::size_t length) override {
    fuzz::check(length < 400, "a line has an end");
  }

  int stopped = 0;

 private:
  bool copy(std::uint64_t va, std::uint8_t* to, const std::uint8_t* from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes;) {
      std::uint8_t* page = frame((va + i) >> kPageBits);
      if (!page) return false;
      const std::size_t at = (va + i) % kPageBytes;
      const std::size_t part = std::min(bytes - i, kPageBytes - at);
      if (to) std::memcpy(to + i, page + at, part);
      if (from) std::memcpy(page + at, from + i, part);
      i += part;
    }
    return true;
  }

  std::vector<std::uint8_t> ram_ = std::vector<std::uint8_t>((kFrames + 2) * kPageBytes);
  std::map<Gfn, std::uint8_t*> mapped_;
};

DomainConfig config_of(DomId id) {
  DomainConfig config;
  config.id = id;
  config.vcpus = 2;
  config.ram = {{kRam >> kPageBits, kFrames}};
  config.max_event_port = 200'000;
  return config;
}

/// Mostly numbers and addresses that mean something.
std::uint64_t number(fuzz::Input& input) {
  const std::uint8_t form = input.byte();
  switch (form >> 5) {
    case 0:
      return form & 31;
    case 1:
      return kRam + ((form & 15u) << kPageBits) + input.byte();
    case 2:
      return (kRam >> kPageBits) + (form & 31);
    case 3:
      return 0x7ff0 + (form & 3);
    case 4:
      return ~std::uint64_t{0} - input.byte();
    case 5:
      return std::uint64_t{1} << (form & 31) << (input.byte() & 31);
    default:
      return input.number(4);
  }
}

void run(fuzz::Input input) {
  Timeline timeline;
  Machine machine, bystander;
  Hypervisor hypervisor(timeline, {.silo = false}, [](const std::string&) {});
  Domain& domain = hypervisor.add_domain(config_of(1), machine, machine);
  Domain& other = hypervisor.add_domain(config_of(2), bystander, bystander);
  EventPort console = 0;
  int heard = 0;
  auto backend = domain.channels().allocate([&heard] { ++heard; }, console);
  std::vector<std::unique_ptr<GrantedPage>> pages;

  for (int step = 0; step < 400 && !input.empty(); ++step) {
    const std::uint8_t action = input.byte();
    if (action < 0x60) {  // Memory.
      const std::uint64_t at = kRam + (input.byte() % kFrames << kPageBits) + input.byte();
      for (unsigned i = 0; i < action % 8u + 1u; ++i) {
        const std::uint64_t value = number(input);
        machine.write_virtual(0, at + i * 8, &value, sizeof value);
      }
    } else if (action < 0x70) {  // The backends.
      pages.resize(std::min<std::size_t>(pages.size(), 20));
      if (auto page = domain.grants().map(static_cast<GrantRef>(number(input)), action & 1)) {
        page->bytes()[4095] = 1;
        page->written(4095, 1);
        pages.push_back(std::move(page));
      }
      if (backend) backend->notify();
      if (action == 0x60) backend.reset();
    } else {
      std::array<std::uint64_t, 18> x{};
      x[16] = input.byte() % 64;
      for (int i = 0; i < 5; ++i) x[i] = number(input);
      // A guest that goes on for ever is not the layer's fault.
      for (int i = 0; i < 3; ++i) {
        if (hypervisor.hypercall(domain, action & 1, x) != Outcome::again) break;
      }
    }
    if (action % 16 == 0) timeline.advance_to(timeline.now() + input.byte() * 1'000'000ull);
  }
  fuzz::check(domain.physmap().frames() <= domain.physmap().max_frames(), "memory is limited");
  fuzz::check(domain.events().valid_ports() <= kFifoPorts, "ports are limited");
  fuzz::check(bystander.stopped == 0 && other.physmap().frames() == kFrames,
              "another domain does not notice");
  pages.clear();
  backend.reset();
  hypervisor.remove_domain(1);
}

}  // namespace
}  // namespace trapline::xen

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trapline::xen::run(trapline::fuzz::Input(data, size));
  return 0;
}
