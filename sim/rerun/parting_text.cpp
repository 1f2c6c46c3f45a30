#include "sim/rerun/parting_text.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "sim/trace/disassembler.h"

namespace trapline {
namespace {

std::string memory_text(const MemoryContents& memory) {
  std::string bytes;
  for (unsigned n = memory.bytes; n-- > 0;) bytes += fmt::format("{:02x}", memory.data[n]);
  return fmt::format("{} 0x{} at {:#x} (physical {:#x})", memory.write ? "wrote" : "read", bytes,
                     memory.va, memory.pa);
}

bool same_memory(const ExecutedInstruction& a, const ExecutedInstruction& b) {
  if (a.memory.has_value() != b.memory.has_value()) return false;
  if (!a.memory) return true;
  return a.memory->va == b.memory->va && a.memory->pa == b.memory->pa &&
         a.memory->bytes == b.memory->bytes &&
         std::equal(a.memory->data.begin(), a.memory->data.begin() + a.memory->bytes,
                    b.memory->data.begin());
}

using Pair = std::pair<const ExecutedInstruction*, const ExecutedInstruction*>;

/// The first two that differ; events that do may stand before instructions that do not.
Pair different_instructions(const Parting& parting) {
  const auto next = [](const std::vector<PartingStep>& steps, std::size_t& at) {
    while (at < steps.size() && !steps[at].instruction) ++at;
    return at < steps.size() ? &*steps[at++].instruction : nullptr;
  };
  for (std::size_t in_a = 0, in_b = 0;;) {
    const Pair pair{next(parting.a, in_a), next(parting.b, in_b)};
    if (!pair.first || !pair.second || hash_of(*pair.first) != hash_of(*pair.second)) return pair;
  }
}

std::string where(const ExecutedInstruction& one, const Symbols& symbols) {
  const std::string place = symbols.text(one.pc, one.el, one.vmid);
  return fmt::format("cpu{} insn {} pc {:#x}{}{}", one.cpu, one.number, one.pc,
                     place.empty() ? "" : " ", place);
}

std::string checkpoint_text(const ProbeReport& common) {
  if (common.checkpoint == 0) return "the beginning";
  return fmt::format("cpu{} insn {}", common.cpu, common.instructions);
}

class Writer {
 public:
  void step(std::string_view mark, const PartingStep& step, const Symbols& symbols) {
    if (!step.instruction) {
      text_ += fmt::format("{:3}{}\n", mark, step.event);
      return;
    }
    const ExecutedInstruction& one = *step.instruction;
    std::string line = fmt::format("{:3}cpu{} EL{} insn {}  {:016x} {:08x}  {}", mark, one.cpu,
                                   static_cast<unsigned>(one.el), one.number, one.pc, one.word,
                                   disassembler_.text(one.pc, one.word));
    const std::string place = symbols.text(one.pc, one.el, one.vmid);
    if (!place.empty()) line += "  ; " + place;
    text_ += line + '\n';
  }

  void steps(std::string_view mark, const std::vector<PartingStep>& steps, const Symbols& symbols) {
    for (const PartingStep& one : steps) step(mark, one, symbols);
    if (steps.empty()) text_ += fmt::format("{:3}the run has ended\n", mark);
  }

  void results(const ExecutedInstruction& a, const ExecutedInstruction& b) {
    const auto value = [this](std::string_view name, std::uint64_t in_a, std::uint64_t in_b) {
      if (in_a != in_b) text_ += fmt::format("   {:7} a {:#018x}  b {:#018x}\n", name, in_a, in_b);
    };
    for (unsigned n = 0; n < a.x.size(); ++n) value(fmt::format("x{}", n), a.x[n], b.x[n]);
    value("sp", a.sp, b.sp);
    value("pstate", a.pstate, b.pstate);
    if (a.vector && b.vector &&
        (a.vector->low != b.vector->low || a.vector->high != b.vector->high)) {
      text_ += fmt::format("   {:7} a {:#018x}{:016x}  b {:#018x}{:016x}\n",
                           fmt::format("v{}", a.vector->reg), a.vector->high, a.vector->low,
                           b.vector->high, b.vector->low);
    }
    if (same_memory(a, b)) return;
    text_ += fmt::format("   {:7} a {}\n   {:7} b {}\n", "memory",
                         a.memory ? memory_text(*a.memory) : "not accessed", "",
                         b.memory ? memory_text(*b.memory) : "not accessed");
  }

  void parting(const std::string& title, const Parting& parting, const Symbols& symbols_a,
               const Symbols& symbols_b) {
    const auto [a, b] = different_instructions(parting);
    if (a && b && a->pc == b->pc) {
      line(fmt::format("{}: {}: {}", title, where(*a, symbols_a),
                       fmt::join(different_parts(*a, *b), ", ")));
      results(*a, *b);
    } else {
      line(title + ':');
      line("   a " + (a ? where(*a, symbols_a) : "none, the run has ended"));
      line("   b " + (b ? where(*b, symbols_b) : "none, the run has ended"));
    }
    for (const PartingStep& one : parting.before) step("", one, symbols_a);
    steps("a", parting.a, symbols_a);
    steps("b", parting.b, symbols_b);
  }

  void line(std::string_view text) { (text_ += text) += '\n'; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  Disassembler disassembler_;
};

/// What was not watched to the end may have been used before.
std::string unwatched(const ProbeReport& common) {
  if (common.unwatched == 0) return {};
  return fmt::format(
      "memory that differs, on {} page{}, is used so often that it was not watched to the end: an "
      "instruction before may have read it\n",
      common.unwatched, common.unwatched == 1 ? "" : "s");
}

}  // namespace

std::vector<std::string> different_parts(const ExecutedInstruction& a,
                                         const ExecutedInstruction& b) {
  std::vector<std::string> parts;
  const auto part = [&](std::string name, bool same) {
    if (!same) parts.push_back(std::move(name));
  };
  part("cpu", a.cpu == b.cpu);
  part("EL", a.el == b.el);
  part("vmid", a.vmid == b.vmid);
  part("insn", a.number == b.number);
  part("pc", a.pc == b.pc);
  part("instruction", a.word == b.word);
  for (unsigned n = 0; n < a.x.size(); ++n) part(fmt::format("x{}", n), a.x[n] == b.x[n]);
  part("sp", a.sp == b.sp);
  part("pstate", a.pstate == b.pstate);
  part("memory", same_memory(a, b));
  if (a.vector && b.vector && a.vector->reg == b.vector->reg) {
    part(fmt::format("v{}", a.vector->reg),
         a.vector->low == b.vector->low && a.vector->high == b.vector->high);
  }
  return parts;
}

std::string partings_text(const Partings& partings, const Symbols& symbols_a,
                          const Symbols& symbols_b) {
  if (partings.first.kind == Parting::Kind::nowhere) return "done again, the runs are equal\n";
  if (partings.first.kind == Parting::Kind::events_only) {
    return fmt::format(
        "no instruction differs from {} on for some millions: the runs differ in what the machine "
        "did "
        "by itself, such as the time that passed\n",
        checkpoint_text(partings.first.common));
  }
  Writer writer;
  writer.parting("first instruction that differs", partings.first, symbols_a, symbols_b);
  const std::optional<Parting>& nearest = partings.nearest;
  std::string rest;
  if (nearest && nearest->kind == Parting::Kind::instruction) {
    writer.line({});
    writer.parting("the registers were equal again at " + checkpoint_text(nearest->common) +
                       "; first instruction that differs after it",
                   *nearest, symbols_a, symbols_b);
    rest = unwatched(nearest->common);
  }
  return writer.take() + (rest.empty() ? unwatched(partings.first.common) : rest);
}

}  // namespace trapline
