#include "sim/arch/sysreg.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

struct Entry {
  SysReg reg;
  std::string_view name;
};

#define X(name, op0, op1, crn, crm, op2) Entry{sysreg(op0, op1, crn, crm, op2), #name},
constexpr auto kEntries = std::to_array<Entry>({
#include "sim/arch/sysreg_table_debug.inc"
#include "sim/arch/sysreg_table_gic.inc"
#include "sim/arch/sysreg_table_instructions.inc"
#include "sim/arch/sysreg_table_system.inc"
});
#undef X

#define X(alias, name) Entry{reg::name, #alias},
constexpr auto kAliases = std::to_array<Entry>({
#include "sim/arch/sysreg_table_aliases.inc"
});
#undef X

using Table = std::array<Entry, kEntries.size()>;

constexpr Table sorted_by_encoding() {
  Table table = kEntries;
  std::sort(table.begin(), table.end(),
            [](const Entry& a, const Entry& b) { return a.reg < b.reg; });
  return table;
}

constexpr Table kByEncoding = sorted_by_encoding();

static_assert(std::adjacent_find(kByEncoding.begin(), kByEncoding.end(),
                                 [](const Entry& a, const Entry& b) { return a.reg == b.reg; }) ==
                  kByEncoding.end(),
              "two first names for one encoding; make one an alias");

constexpr char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

// The manuals write CurrentEL, SPSel and APIAKeyLo_EL1; people write any case, and TLBI with a
// space.
bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return upper(x) == upper(y) || (x == '_' && y == ' ') || (x == ' ' && y == '_');
  });
}

// Takes `prefix` and a number of at most `max` off the front of `text`.
std::optional<unsigned> take(std::string_view& text, std::string_view prefix, unsigned max) {
  if (text.size() < prefix.size() || !same_name(text.substr(0, prefix.size()), prefix))
    return std::nullopt;
  text.remove_prefix(prefix.size());
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value > max) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// S<op0>_<op1>_C<n>_C<m>_<op2> (DDI 0487 C5.1).
std::optional<SysReg> parse_generic_name(std::string_view text) {
  const auto op0 = take(text, "S", 3);
  const auto op1 = op0 ? take(text, "_", 7) : std::nullopt;
  const auto crn = op1 ? take(text, "_C", 15) : std::nullopt;
  const auto crm = crn ? take(text, "_C", 15) : std::nullopt;
  const auto op2 = crm ? take(text, "_", 7) : std::nullopt;
  if (!op2 || !text.empty() || *op0 == 0) return std::nullopt;
  return sysreg(*op0, *op1, *crn, *crm, *op2);
}

}  // namespace

std::string name_of(SysReg reg) {
  const auto found = std::lower_bound(kByEncoding.begin(), kByEncoding.end(), reg,
                                      [](const Entry& e, SysReg key) { return e.reg < key; });
  if (found != kByEncoding.end() && found->reg == reg) {
    std::string name(found->name);
    if (is_system_instruction(reg)) {
      if (const auto at = name.find('_'); at != std::string::npos) name[at] = ' ';
    }
    return name;
  }
  return "S" + std::to_string(reg.op0()) + "_" + std::to_string(reg.op1()) + "_C" +
         std::to_string(reg.crn()) + "_C" + std::to_string(reg.crm()) + "_" +
         std::to_string(reg.op2());
}

std::optional<SysReg> sysreg_named(std::string_view name) {
  for (const Entry& entry : kEntries)
    if (same_name(entry.name, name)) return entry.reg;
  for (const Entry& entry : kAliases)
    if (same_name(entry.name, name)) return entry.reg;
  return parse_generic_name(name);
}

}  // namespace trapline
