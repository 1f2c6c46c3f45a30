#include "sim/report/mpu_usage.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace trapline {
namespace {

// Bits 15:8 of an mpu_region event's d (sim/trace/event.h).
enum : unsigned { kPrbar = 0, kPrlar = 1, kPrenr = 2 };

}  // namespace

void MpuLoad::pass_time(std::uint64_t cycles) {
  if (cycles <= since_) return;
  held_[enabled()] += cycles - since_;
  since_ = cycles;
}

void MpuLoad::add(const Event& event) {
  pass_time(event.cycles);
  const unsigned what = event.d >> 8 & 0xff;
  if (what == kPrenr) {
    ++writes_.prenr;
    constexpr std::uint64_t kReached = 0xffff'ffff;  // Regions 0 to 31 (DDI 0600 G1.3).
    const std::uint64_t before = enabled_[0] & kReached, now = event.c & kReached;
    enabled_[0] ^= before ^ now;
    count_ += static_cast<unsigned>(std::popcount(now & ~before));
    count_ -= static_cast<unsigned>(std::popcount(before & ~now));
    used_[0] |= now;
  } else {
    ++(what == kPrbar ? writes_.prbar : writes_.prlar);
    writes_.indexed += event.d >> 16 & 1;
    if (event.a <= kMostRegions) {
      std::uint64_t& word = enabled_[event.a / 64];
      const std::uint64_t region = 1ull << event.a % 64;
      const bool now = event.c & 1;  // PRLAR.EN
      if (now != ((word & region) != 0)) {
        word ^= region;
        count_ += now ? 1u : ~0u;
        if (now) used_[event.a / 64] |= region;
      }
    }
  }
  peak_ = std::max(peak_, enabled());
}

void MpuLoad::finish(std::uint64_t cycles) {
  pass_time(cycles);
}

unsigned MpuLoad::steady() const {
  return static_cast<unsigned>(std::max_element(held_.begin(), held_.end()) - held_.begin());
}

void MpuUsage::on_event(const Event& event) {
  cycles_[event.cpu] = event.cycles;
  if (event.kind != EventKind::mpu_region) return;
  const El el = (event.d & 0xff) == 2 ? El::el2 : El::el1;
  loads_[{event.cpu, el}].add(event);
}

void MpuUsage::finish() {
  for (auto& [key, load] : loads_) load.finish(cycles_[key.first]);
}

std::string mpu_table(const MpuUsage& usage) {
  if (usage.loads().empty()) return "no MPU region was ever written\n";
  std::string text =
      fmt::format("{:<12}{:>8}{:>8}{:>8}{:>8}{:>12}{:>12}{:>12}{:>12}\n", "MPU", "peak", "steady",
                  "at end", "used", "PRBAR", "PRLAR", "PRENR", "indexed");
  for (const auto& [key, load] : usage.loads()) {
    const MpuLoad::Writes& writes = load.writes();
    text += fmt::format("{:<12}{:>8}{:>8}{:>8}{:>8}{:>12}{:>12}{:>12}{:>12}\n",
                        fmt::format("cpu{} EL{}", key.first, static_cast<unsigned>(key.second)),
                        load.peak(), load.steady(), load.enabled(), load.used(), writes.prbar,
                        writes.prlar, writes.prenr, writes.indexed);
  }
  return text;
}

}  // namespace trapline
