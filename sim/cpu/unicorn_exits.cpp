// Words on which the engine would abort the process, and how it is kept from them.
//
// Unicorn's translator asserts on some unallocated encodings of half-precision SIMD instructions where
// the CPU has those (max). An exit point stops the translator before the word and, when execution gets
// there, the engine; the word is then UNDEFINED, as the architecture has it.
#include <algorithm>

#include "sim/cpu/unicorn_cpu.h"

namespace trapline {
namespace {

constexpr std::uint32_t kWfi = 0xd503207f;

}  // namespace

/// Which ones: all values of bits 31 to 10 were tried on Unicorn 2.1.4. A bit is a value of the opcode
/// field; the groups are "Advanced SIMD three same (FP16)" and "two-register miscellaneous (FP16)",
/// vector and scalar (DDI 0487 C4.1).
bool is_untranslatable(std::uint32_t word) {
  constexpr std::uint32_t kThreeSame[2][2] = {{0x20, 0x38}, {0x02, 0x8a}};  // [U][a]
  constexpr std::uint32_t kTwoMisc[2][2][2] = {                             // [scalar][U][a]
      {{0xc0ffffff, 0xd0ff0fff}, {0xc0ffffff, 0x51ff4fff}},
      {{0xc0ffffff, 0x50ff8fff}, {0xc0ffffff, 0xd1ff4fff}}};
  const unsigned u = (word >> 29) & 1, a = (word >> 23) & 1;
  if ((word & 0x9f60c400) == 0x0e400400) return (kThreeSame[u][a] >> ((word >> 11) & 7)) & 1;
  if ((word & 0x8f7e0c00) != 0x0e780800) return false;
  const unsigned scalar = (word >> 28) & 1;
  if (scalar && !(word & 1u << 30)) return false;  // Floating point, not SIMD.
  return (kTwoMisc[scalar][u][a] >> ((word >> 12) & 31)) & 1;
}

void UnicornCpu::add_exits(VirtAddr page, const CodePage& code) {
  if (code.untranslatable.empty() || !model_.half_precision) return;
  const std::size_t before = exits_.size();
  for (const std::uint16_t index : code.untranslatable) exits_.insert(page + 4u * index);
  if (exits_.size() == before) return;
  std::vector<std::uint64_t> all(exits_.begin(), exits_.end());
  uc_ctl_set_exits(engine_, all.data(), all.size());
}

void UnicornCpu::clear_exits() {
  if (exits_.empty()) return;
  exits_.clear();
  std::uint64_t none = 0;
  uc_ctl_set_exits(engine_, &none, 0);
}

/// The engine stopped as it does after WFI. True if it came to an exit point instead.
bool UnicornCpu::stopped_at_exit(VirtAddr pc) {
  if (exits_.empty() || !exits_.contains(pc)) return false;
  return block_size_ == 0 || block_pc_ + block_size_ != pc || word_at(pc - 4) != kWfi;
}

/// An exit point is a WFI to the engine, also to what traps WFI: it then reports an UNDEFINED
/// instruction 4 bytes before it. A word that is UNDEFINED itself, just before an exit point, cannot be
/// told from that; no compiler makes such a pair.
bool UnicornCpu::trapped_at_exit(VirtAddr pc) {
  if (exits_.empty() || !exits_.contains(pc + 4)) return false;
  return (el_ == El::el0 || bit(hcr_, 13)) && word_at(pc) != kWfi;
}

void UnicornCpu::on_exit_point(VirtAddr at) {
  notice_exception_return();
  const std::optional<std::uint32_t> word = word_at(at);
  if (word && is_untranslatable(*word)) {
    undefined(at, *word);
  } else {
    collect_hooks();  // Other code is here now than when the exit was set.
  }
}

}  // namespace trapline
