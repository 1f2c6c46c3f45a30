#include "sim/report/mpu_layer_watch.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "models/mpu/mpu.h"
#include "sim/machine/mpu_layer_plan.h"

namespace trapline {
namespace {

constexpr std::string_view kGuest = "guest.";

std::optional<MemoryRange> parse_memory(const std::string& text) {
  unsigned long long base = 0, size = 0;
  if (std::sscanf(text.c_str(), "%llx+%llx", &base, &size) != 2) return std::nullopt;
  if (size == 0 || base > ~0ull - size) return std::nullopt;  // Of a trace that says anything.
  return MemoryRange{base, size};
}

/// What run_facts says of "guest.NAME", and of nothing else of a guest.
bool is_guest(std::string_view value) {
  return value.starts_with("gic=") &&
         (value.ends_with(" input=pv") || value.ends_with(" input=vpl011"));
}

}  // namespace

std::optional<MpuLayerFacts> mpu_layer_facts(
    const std::vector<std::pair<std::string, std::string>>& facts) {
  MpuLayerFacts found;
  bool mpu = false;
  for (const auto& [name, value] : facts) {
    if (name == "mpu-regions") {
      mpu = true;
      std::from_chars(value.data(), value.data() + value.size(), found.el1_regions);
    } else if (name == "scheduler") {
      const std::size_t at = value.find("switch-cycles=");
      if (at != std::string::npos) {
        std::from_chars(value.data() + at + 14, value.data() + value.size(), found.switch_cycles);
      }
    } else if (name.starts_with(kGuest)) {
      // "guest.NAME", then "guest.NAME.KEY". A name may have dots and look like such a key, but
      // only a guest's own fact has this value.
      const std::string rest = name.substr(kGuest.size());
      MpuLayerFacts::Guest* last = found.guests.empty() ? nullptr : &found.guests.back();
      if (is_guest(value)) {
        found.guests.push_back({rest});
      } else if (!last) {
        continue;
      } else if (rest == last->name + ".msa") {
        last->vmsa = value == "mmu";
      } else if (rest == last->name + ".static-mem") {
        if (const auto range = parse_memory(value)) last->memory.push_back(*range);
      }
    }
  }
  if (!mpu || found.guests.empty()) return std::nullopt;
  return found;
}

void add_layer_names(AddressNames& names, const MpuLayerFacts& facts) {
  const auto add = [&](const MemoryRange& range, std::string name, const std::string& owner) {
    names.add(
        {range.base, range.end() - 1, std::move(name), owner, NamedRange::Source::device_tree});
  };
  for (const MpuLayerRegion& region : mpu_layer_regions()) {
    const bool device = region.use == MpuLayerRegion::Use::device;
    add(region.range, (device ? "" : "layer ") + std::string(region.name), device ? "" : "layer");
  }
  for (const MpuLayerFacts::Guest& guest : facts.guests) {
    for (const MemoryRange& range : guest.memory) add(range, guest.name + " RAM", guest.name);
  }
}

bool MpuLayerWatch::pmsa(unsigned vmid) const {
  return vmid >= 1 && vmid <= facts_.guests.size() && !facts_.guests[vmid - 1].vmsa;
}

void MpuLayerWatch::stay(Stay& stay, std::uint64_t cycles, const MpuTrack* el1,
                         const MpuTrack* el2) {
  MpuGuest& guest = guests_[stay.vmid];
  if (!stay.runs) {
    stay.runs = true;
    if (guest.vmid == 0) guest.first = stay.since;
    guest.vmid = stay.vmid;
    guest.entries = std::max<std::uint64_t>(guest.entries, 1);  // A CPU of its own.
    std::uint64_t bytes = 0;
    for (const MpuSlot& at : el2 ? el2->slots() : std::vector<MpuSlot>{}) {
      const std::uint64_t size = at.region.limit() - at.region.base();
      if (!at.region.lower_el() || size < bytes) continue;
      guest.home = at.region.base();
      bytes = size;
    }
  }
  const std::uint64_t passed = cycles - std::min(cycles, stay.since);
  stay.since = cycles;
  guest.cycles += passed;
  if (el1) guest.el1.add(*el1, passed);
  if (el2) guest.el2.add(*el2, passed);
}

void MpuLayerWatch::count_write(const Event& event) {
  MpuSwitch& cost = switch_->cost;
  ++cost.el2_writes;
  const bool prbar = static_cast<MpuRegionWrite>(event.d >> 8 & 0xff) == MpuRegionWrite::prbar;
  // PRSELR is written for each PRLAR, by which a region is set or disabled.
  cost.region_cycles +=
      kCyclesPerMpuRegister *
      (prbar ? kRegistersPerMpuRegion - kRegistersPerDisabledRegion : kRegistersPerDisabledRegion);
  cost.from_cycle = event.cycles;
}

void MpuLayerWatch::on_event(const Event& event, const MpuTrack* el1, const MpuTrack* el2) {
  if (event.kind == EventKind::mpu_region && (event.d & 0xff) == 2) {
    if (switch_ && event.vmid == switch_->to) count_write(event);
    Stay& at = stays_[event.cpu];
    at.vmid = event.vmid;
    if (!at.runs) at.since = event.cycles;
    return;
  }
  close_switch();
  const auto at = stays_.find(event.cpu);
  if (at != stays_.end()) stay(at->second, event.cycles, el1, el2);
}

void MpuLayerWatch::on_switch(const Event& event) {
  close_switch();
  if (static_cast<unsigned>(event.b) == 0) return;  // To nobody.
  switch_ = Switch{static_cast<unsigned>(event.a), static_cast<unsigned>(event.b), {}};
}

/// No more writes come. EL1's regions are saved and loaded without events: charged all the same.
void MpuLayerWatch::close_switch() {
  if (!switch_) return;
  Switch done = *switch_;
  switch_.reset();
  if (done.from == done.to) return;  // Another vCPU of the domain: no region changes.
  ++guests_[done.to].entries;
  const std::uint64_t el1 = kRegistersPerMpuRegion * facts_.el1_regions * kCyclesPerMpuRegister;
  if (pmsa(done.from)) {
    done.cost.reads += 2ull * facts_.el1_regions;
    done.cost.region_cycles += el1;
  }
  if (pmsa(done.to)) {
    done.cost.el1_writes += 2ull * facts_.el1_regions;
    done.cost.region_cycles += el1;
  }
  done.cost.to_cycle = done.cost.from_cycle + facts_.switch_cycles + done.cost.region_cycles;
  switches_[{done.from, done.to}].add(done.cost);
}

void MpuLayerWatch::finish(unsigned cpu, std::uint64_t cycles, const MpuTrack* el1,
                           const MpuTrack* el2) {
  const auto at = stays_.find(cpu);
  if (at != stays_.end()) stay(at->second, std::max(cycles, at->second.since), el1, el2);
}

void MpuLayerWatch::finish(MpuGuestWatch::Seen& seen) {
  close_switch();
  std::map<unsigned, int> index{{0, MpuSwitches::kBoot}};
  for (auto& [vmid, guest] : guests_) {
    guest.vmid = vmid;
    index[vmid] = static_cast<int>(seen.guests.size());
    seen.guests.push_back(std::move(guest));
  }
  for (const auto& [pair, all] : switches_) {
    if (!index.contains(pair.first)) continue;  // Its only event was to leave.
    seen.switches[{index.at(pair.first), index.at(pair.second)}] = all;
  }
}

}  // namespace trapline
