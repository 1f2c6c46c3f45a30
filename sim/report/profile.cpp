#include "sim/report/profile.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>

namespace trapline {
namespace {

std::string level_name(El el, std::uint16_t vmid) {
  const auto level = static_cast<unsigned>(el);
  return el == El::el2 ? fmt::format("EL{}", level) : fmt::format("EL{} vmid {}", level, vmid);
}

/// Code without a symbol is known by its page.
std::string function_name(const Symbols& symbols, VirtAddr pc, El el, std::uint16_t vmid) {
  const auto place = symbols.lookup(pc, el, vmid);
  if (place && !place->function.empty()) return std::string(place->function);
  return fmt::format("{:#x}", pc & ~0xfffull);
}

}  // namespace

void Profile::on_sample(const StackSample& sample) {
  Place place{sample.cpu, sample.el, sample.vmid, {}};
  place.frames.assign(sample.frames.begin(), sample.frames.begin() + sample.depth);
  samples_[place] += sample.weight;
}

std::string Profile::folded(const Symbols& symbols) const {
  std::map<std::string, std::uint64_t> stacks;
  for (const auto& [place, weight] : samples_) {
    std::string stack = fmt::format("cpu{};{}", place.cpu, level_name(place.el, place.vmid));
    for (auto frame = place.frames.rbegin(); frame != place.frames.rend(); ++frame) {
      stack += ';' + function_name(symbols, *frame, place.el, place.vmid);
    }
    stacks[stack] += weight * period_;
  }
  std::string text;
  for (const auto& [stack, cycles] : stacks) text += fmt::format("{} {}\n", stack, cycles);
  return text;
}

std::string Profile::table(const Symbols& symbols) const {
  struct Cycles {
    std::uint64_t self = 0, total = 0;
  };
  using Name = std::pair<std::string, std::string>;
  std::map<Name, Cycles> functions;
  std::uint64_t all = 0;
  for (const auto& [place, weight] : samples_) {
    const std::string level = level_name(place.el, place.vmid);
    const std::uint64_t cycles = weight * period_;
    all += cycles;
    std::set<Name> seen;  // A function that calls itself has its time once.
    for (std::size_t n = 0; n < place.frames.size(); ++n) {
      const Name name{level, function_name(symbols, place.frames[n], place.el, place.vmid)};
      if (n == 0) functions[name].self += cycles;
      if (seen.insert(name).second) functions[name].total += cycles;
    }
  }
  std::vector<std::pair<Name, Cycles>> rows(functions.begin(), functions.end());
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.second.self > b.second.self;
  });
  std::string text = fmt::format("{:>15} {:>6} {:>15} {:>6}  {:<12} function\n", "self cycles", "%",
                                 "with calls", "%", "level");
  const auto share = [all](std::uint64_t part) {
    return all ? 100.0 * static_cast<double>(part) / static_cast<double>(all) : 0.0;
  };
  for (const auto& [name, cycles] : rows) {
    text += fmt::format("{:>15} {:>6.2f} {:>15} {:>6.2f}  {:<12} {}\n", cycles.self,
                        share(cycles.self), cycles.total, share(cycles.total), name.first,
                        name.second);
  }
  return text;
}

}  // namespace trapline
