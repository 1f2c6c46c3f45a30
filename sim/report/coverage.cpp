#include "sim/report/coverage.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

namespace trapline {
namespace {

bool holds(const SymbolSpec& spec, El el, std::uint16_t vmid) {
  return (!spec.el || *spec.el == el) && (!spec.vmid || *spec.vmid == vmid);
}

/// `pc` as `file` was linked, or nothing if it is no part of it.
std::optional<VirtAddr> linked(const Symbols::Entry& entry, VirtAddr pc) {
  const VirtAddr address = pc - entry.spec.offset;
  for (const LoadRange& range : entry.file.ranges()) {
    if (address - range.virtual_address < range.bytes) return address;
  }
  for (const LoadRange& range : entry.file.ranges()) {
    if (address - range.physical < range.bytes) {
      return range.virtual_address + (address - range.physical);
    }
  }
  if (entry.file.ranges().empty() && entry.file.function_at(address)) return address;
  return std::nullopt;
}

struct SourceCounts {
  std::map<std::uint32_t, std::uint64_t> lines;
  /// By line and name; a static function can be in several places.
  std::map<std::pair<std::uint32_t, std::string>, std::uint64_t> functions;
};

using WordCounts = std::unordered_map<VirtAddr, std::uint64_t>;

std::uint64_t count_at(const WordCounts& words, VirtAddr address) {
  const auto found = words.find(address);
  return found == words.end() ? 0 : found->second;
}

void add_file(const SymbolFile& file, const WordCounts& words,
              std::map<std::string, SourceCounts>& sources) {
  const auto rows = file.lines();
  for (std::size_t n = 0; n < rows.size(); ++n) {
    if (rows[n].line == 0) continue;
    std::uint64_t most = 0;
    const VirtAddr end = n + 1 < rows.size() ? rows[n + 1].address : rows[n].address + 4;
    for (VirtAddr at = rows[n].address & ~3ull; at < end; at += 4) {
      most = std::max(most, count_at(words, at));
    }
    std::uint64_t& line = sources[file.sources()[rows[n].file]].lines[rows[n].line];
    line = std::max(line, most);
  }
  for (const Function& function : file.functions()) {
    const LineRow* row = file.line_at(function.address);
    if (!row || row->line == 0) continue;
    std::uint64_t& hits =
        sources[file.sources()[row->file]].functions[{row->line, function.name}];
    hits = std::max(hits, count_at(words, function.address));
  }
}

void append_source(std::string& text, const std::string& path, const SourceCounts& counts) {
  const auto hit = [](const auto& table) {
    return std::count_if(table.begin(), table.end(), [](const auto& e) { return e.second != 0; });
  };
  text += fmt::format("TN:\nSF:{}\n", path);
  for (const auto& [key, count] : counts.functions) {
    text += fmt::format("FN:{},{}\n", key.first, key.second);
  }
  for (const auto& [key, count] : counts.functions) {
    text += fmt::format("FNDA:{},{}\n", count, key.second);
  }
  text += fmt::format("FNF:{}\nFNH:{}\n", counts.functions.size(), hit(counts.functions));
  for (const auto& [line, count] : counts.lines) text += fmt::format("DA:{},{}\n", line, count);
  text += fmt::format("LF:{}\nLH:{}\nend_of_record\n", counts.lines.size(), hit(counts.lines));
}

struct Module {
  VirtAddr base = 0, end = 0;
  std::string path;
};

}  // namespace

void Coverage::on_block(const ExecutedBlock& block) {
  ++counts_[{block.pc, static_cast<std::uint16_t>(block.bytes), block.vmid, block.el}];
}

std::string Coverage::lcov(const Symbols& symbols) const {
  std::map<std::string, SourceCounts> sources;
  for (const Symbols::Entry& entry : symbols.entries()) {
    WordCounts words;
    for (const auto& [key, count] : counts_) {
      if (!holds(entry.spec, key.el, key.vmid)) continue;
      const auto first = linked(entry, key.pc);
      if (!first) continue;
      for (unsigned at = 0; at < key.bytes; at += 4) words[*first + at] += count;
    }
    add_file(entry.file, words, sources);
  }
  std::string text;
  for (const auto& [path, counts] : sources) append_source(text, path, counts);
  return text;
}

std::string Coverage::drcov(const Symbols& symbols) const {
  std::vector<Module> modules;
  std::vector<const Symbols::Entry*> entries;
  for (const Symbols::Entry& entry : symbols.entries()) {
    const auto ranges = entry.file.ranges();
    if (ranges.empty()) continue;
    Module module{~0ull, 0, entry.spec.path};
    for (const LoadRange& range : ranges) {
      module.base = std::min(module.base, range.virtual_address);
      module.end = std::max(module.end, range.virtual_address + range.bytes);
    }
    modules.push_back(module);
    entries.push_back(&entry);
  }
  // In order, so that the same run writes the same bytes.
  std::map<std::tuple<std::string, VirtAddr>, std::size_t> elsewhere;
  std::vector<std::tuple<std::size_t, std::uint32_t, std::uint16_t>> blocks;
  std::vector<Key> keys;
  for (const auto& [key, count] : counts_) keys.push_back(key);
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return std::tie(a.el, a.vmid, a.pc, a.bytes) < std::tie(b.el, b.vmid, b.pc, b.bytes);
  });
  for (const Key& key : keys) {
    std::optional<std::size_t> module;
    VirtAddr address = key.pc;
    for (std::size_t n = 0; n < entries.size() && !module; ++n) {
      if (!holds(entries[n]->spec, key.el, key.vmid)) continue;
      if (const auto there = linked(*entries[n], key.pc)) {
        module = n;
        address = *there;
      }
    }
    if (!module) {
      const VirtAddr base = key.pc & ~0xffff'ffffull;
      const std::string name = fmt::format("EL{} vmid {} {:#x}", static_cast<unsigned>(key.el),
                                           key.vmid, base);
      const auto [found, fresh] = elsewhere.try_emplace({name, base}, modules.size());
      if (fresh) modules.push_back({base, base + 0xffff'ffffull, name});
      module = found->second;
    }
    blocks.emplace_back(*module, static_cast<std::uint32_t>(address - modules[*module].base),
                        key.bytes);
  }
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());

  std::string text = fmt::format(
      "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\nModule Table: version 2, count {}\n"
      "Columns: id, base, end, entry, path\n",
      modules.size());
  for (std::size_t n = 0; n < modules.size(); ++n) {
    text += fmt::format("{:3}, {:#018x}, {:#018x}, {:#018x}, {}\n", n, modules[n].base,
                        modules[n].end, 0, modules[n].path);
  }
  text += fmt::format("BB Table: {} bbs\n", blocks.size());
  const auto put = [&](std::uint64_t value, unsigned bytes) {
    for (unsigned n = 0; n < bytes; ++n) text += static_cast<char>(value >> (8 * n));
  };
  for (const auto& [module, start, bytes] : blocks) {
    put(start, 4);
    put(bytes, 2);
    put(module, 2);
  }
  return text;
}

}  // namespace trapline
