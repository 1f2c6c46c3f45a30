#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "sim/plan/plan_config.h"
#include "sim/plan/shell_config.h"
#include "sim/scenario/scenario.h"

namespace trapline::plan {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxAddress = std::uint64_t{1} << 48;  // PRBAR_EL2.BASE is [47:6].
constexpr unsigned kMaxDomains = 256;

// ImageBuilder's variables that say how to load and boot, not where.
constexpr std::string_view kWithoutEffect[] = {"UBOOT_SOURCE",  "UBOOT_SCRIPT",
                                               "FDTEDIT",       "LOAD_CMD",
                                               "BOOT_CMD",      "EFI",
                                               "FIT",           "APPEND_EXTRA_CMDS",
                                               "DT_OVERLAY",    "NUM_DT_OVERLAY",
                                               "BITSTREAM",     "NUM_BOOT_AUX_FILE",
                                               "NUM_BITSTREAM", "DOM0_ROOTFS",
                                               "DOMU_ROOTFS",   "PASSTHROUGH_DTS_REPO",
                                               "XEN_COLORS",    "DOM0_COLORS",
                                               "DOMU_COLORS",   "DOMU_ENHANCED"};
// These would change what the plan must hold.
constexpr std::string_view kUnsupported[] = {"DOM0_KERNEL",     "DOM0_RAMDISK", "DOM0_CMD",
                                             "DOM0_MEM",        "DOM0_VCPUS",   "DOMU_NOBOOT",
                                             "DOMU_SHARED_MEM", "XEN_POLICY",   "CPUPOOL"};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = text.find_first_not_of(" \t", at);
    if (start == std::string_view::npos) break;
    at = std::min(text.find_first_of(" \t", start), text.size());
    words.push_back(text.substr(start, at - start));
  }
  return words;
}

class Reader {
 public:
  Reader(const ShellConfig& shell, PlanConfig& plan) : shell_(shell), plan_(plan) {
    const std::size_t slash = shell.path.rfind('/');
    if (slash != std::string::npos) folder_ = shell.path.substr(0, slash + 1);
  }

  void read() {
    text("MPU_TARGET", plan_.target);
    text("MPU_MACHINE", plan_.machine);
    path("DEVICE_TREE", 0, plan_.device_tree);
    number("MPU_REGIONS", 0, 0, 255, plan_.regions);
    path("XEN", 0, plan_.hypervisor);
    text("XEN_CMD", plan_.append);
    address("MPU_XEN_ADDRESS", plan_.hypervisor_address);
    flag("MPU_XEN_RELINK", 0, plan_.relink);
    flag("MPU_EARLY_CONSOLE", 0, plan_.early_console);
    address("MPU_DEVICE_TREE_ADDRESS", plan_.device_tree_address);
    address("MEMORY_START", plan_.memory_start);
    address("MEMORY_END", plan_.memory_end);
    size("MPU_HEAP", plan_.heap);
    if (const ShellValue* value = find("XEN_STATIC_HEAP")) {
      const MemoryRange heap = located(*value, [&] { return parse_range(value->text); });
      plan_.heap_address = heap.base;
      plan_.heap = heap.size;
    }
    for (unsigned n = 0; n < kMaxDomains; ++n) {
      const ShellValue* value = find("MPU_RESERVED", n);
      if (!value) continue;
      for (const MemoryRange& range : located(*value, [&] { return parse_ranges(value->text); })) {
        plan_.reserved.push_back(range);
      }
    }
    domains();
    unknown();
  }

 private:
  const ShellValue* find(std::string_view name, unsigned index = 0) {
    known_.emplace(name);
    const ShellValue* value = shell_.find(name, index);
    return value && !value->text.empty() ? value : nullptr;
  }
  [[noreturn]] void fail(const ShellValue& value, std::string_view message) const {
    throw ScenarioError(
        fmt::format("{}:{}:{}: {}", shell_.path, value.line, value.column, message));
  }
  template <typename Parse>
  auto located(const ShellValue& value, Parse&& parse) const -> decltype(parse()) {
    try {
      return parse();
    } catch (const std::invalid_argument& error) {
      fail(value, error.what());
    }
  }
  void text(std::string_view name, std::string& to) {
    if (const ShellValue* value = find(name)) to = value->text;
  }
  void path(std::string_view name, unsigned index, std::string& to) {
    const ShellValue* value = find(name, index);
    if (!value) return;
    to = value->text.front() == '/' ? value->text : folder_ + value->text;
  }
  void number(std::string_view name, unsigned index, unsigned low, unsigned high, unsigned& to) {
    if (const ShellValue* value = find(name, index)) {
      to = located(*value, [&] { return parse_integer(value->text, low, high, name); });
    }
  }
  void flag(std::string_view name, unsigned index, bool& to) {
    const ShellValue* value = find(name, index);
    if (!value) return;
    if (value->text != "0" && value->text != "1") fail(*value, fmt::format("{} is 0 or 1", name));
    to = value->text == "1";
  }
  void address(std::string_view name, std::optional<PhysAddr>& to) {
    const ShellValue* value = find(name);
    if (!value) return;
    to = located(*value, [&] { return parse_address(value->text); });
    if (*to > kMaxAddress) fail(*value, fmt::format("{} lies beyond 48 bits of address", name));
  }
  void size(std::string_view name, std::uint64_t& to) {
    const ShellValue* value = find(name);
    if (!value) return;
    to = located(*value, [&] { return parse_size(value->text, kMiB); });
    if (to == 0 || to > kMaxAddress) fail(*value, fmt::format("{} of {} bytes", name, to));
  }

  void domains() {
    unsigned count = 0;
    number("NUM_DOMUS", 0, 0, kMaxDomains, count);
    for (unsigned n = 0; n < count; ++n) plan_.domains.push_back(domain(n));
    for (const auto& [name, array] : shell_.variables) {
      if (!name.starts_with("DOMU_") && !name.starts_with("MPU_DOMU_")) continue;
      if (array.empty() || array.rbegin()->first < count) continue;
      const auto& [index, value] = *array.rbegin();
      fail(value, fmt::format("{}[{}]: NUM_DOMUS is {}", name, index, count));
    }
  }

  DomainConfig domain(unsigned n) {
    DomainConfig domain;
    domain.name = fmt::format("domU{}", n);
    if (const ShellValue* name = find("MPU_DOMU_NAME", n)) domain.name = name->text;
    path("DOMU_KERNEL", n, domain.kernel);
    if (domain.kernel.empty()) {
      const ShellValue* count = find("NUM_DOMUS");
      fail(*count, fmt::format("DOMU_KERNEL[{}] is missing", n));
    }
    const ShellValue& kernel = *find("DOMU_KERNEL", n);
    domain.where = fmt::format("{}:{}:{}", shell_.path, kernel.line, kernel.column);
    path("DOMU_RAMDISK", n, domain.ramdisk);
    path("DOMU_PASSTHROUGH_DTB", n, domain.passthrough);
    if (const ShellValue* append = find("DOMU_CMD", n)) domain.append = append->text;
    number("DOMU_VCPUS", n, 1, 8, domain.vcpus);
    flag("DOMU_VPL011", n, domain.vpl011);
    flag("MPU_DOMU_PMSA", n, domain.pmsa);
    flag("MPU_DOMU_RELINK", n, domain.relink);
    bool direct_map = true;
    flag("DOMU_DIRECT_MAP", n, direct_map);
    if (!direct_map) {
      fail(*find("DOMU_DIRECT_MAP", n), "under an MPU every domain is mapped directly");
    }
    memory(n, domain);
    for (const char* name : {"DOMU_PASSTHROUGH_PATHS", "MPU_DOMU_DEVICES"}) {
      const ShellValue* value = find(name, n);
      if (!value) continue;
      for (const std::string_view word : words_of(value->text)) domain.devices.emplace_back(word);
    }
    return domain;
  }

  void memory(unsigned n, DomainConfig& domain) {
    const ShellValue* mem = find("DOMU_MEM", n);
    const ShellValue* fixed = find("DOMU_STATIC_MEM", n);
    // ImageBuilder's default.
    domain.memory = 512 * kMiB;
    if (mem) domain.memory = located(*mem, [&] { return parse_size(mem->text, kMiB); });
    if (mem && (domain.memory == 0 || domain.memory > kMaxAddress)) {
      fail(*mem, fmt::format("DOMU_MEM of {} bytes", domain.memory));
    }
    if (const ShellValue* align = find("MPU_DOMU_ALIGN", n)) {
      domain.align = located(*align, [&] { return parse_size(align->text); });
      if (*domain.align == 0 || (*domain.align & (*domain.align - 1)) != 0) {
        fail(*align, "an alignment is a power of two");
      }
    }
    if (!fixed) return;
    domain.banks = located(*fixed, [&] { return parse_ranges(fixed->text); });
    std::uint64_t total = 0;
    for (const MemoryRange& bank : domain.banks) total += bank.size;
    if (mem && total != domain.memory) {
      fail(*fixed, fmt::format("DOMU_STATIC_MEM[{}] holds {}, DOMU_MEM[{}] is {}", n,
                               size_text(total), n, size_text(domain.memory)));
    }
    domain.memory = total;
  }

  void unknown() {
    for (const auto& variable : shell_.variables) {
      const auto& [name, array] = variable;
      if (known_.contains(name) || array.empty()) continue;
      const ShellValue& value = array.begin()->second;
      const auto is = [&](std::string_view other) { return variable.first.starts_with(other); };
      if (std::any_of(std::begin(kUnsupported), std::end(kUnsupported), is)) {
        fail(value, fmt::format("{}: there is no plan for it; these ports run dom0less", name));
      }
      if (name.starts_with("MPU_")) fail(value, fmt::format("unknown variable {}", name));
      if (std::any_of(std::begin(kWithoutEffect), std::end(kWithoutEffect), is)) continue;
      plan_.notes.push_back(
          fmt::format("{}:{}: {} has no effect on the plan", shell_.path, value.line, name));
    }
  }

  const ShellConfig& shell_;
  PlanConfig& plan_;
  std::string folder_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace

std::vector<MemoryRange> parse_ranges(std::string_view text) {
  const std::vector<std::string_view> words = words_of(text);
  if (words.empty() || words.size() % 2 != 0) {
    throw std::invalid_argument(fmt::format("'{}' is not pairs of BASE and SIZE", text));
  }
  std::vector<MemoryRange> ranges;
  for (std::size_t n = 0; n < words.size(); n += 2) {
    const MemoryRange range{parse_address(words[n]), parse_address(words[n + 1])};
    if (range.size == 0) throw std::invalid_argument(fmt::format("'{}' has the size 0", text));
    if (range.base >= kMaxAddress || range.size > kMaxAddress - range.base) {
      throw std::invalid_argument(fmt::format("'{}' reaches beyond 48 bits of address", text));
    }
    ranges.push_back(range);
  }
  return ranges;
}

MemoryRange parse_range(std::string_view text) {
  const std::vector<MemoryRange> ranges = parse_ranges(text);
  if (ranges.size() != 1) {
    throw std::invalid_argument(fmt::format("'{}' is more than one BASE and SIZE", text));
  }
  return ranges.front();
}

PlanConfig read_imagebuilder(std::string_view text, const std::string& path) {
  const ShellConfig shell = parse_shell_config(text, path);
  PlanConfig plan;
  plan.path = path;
  Reader(shell, plan).read();
  return plan;
}

PlanConfig read_plan_config(std::string_view text, const std::string& path,
                            const Environment& environment) {
  return path.ends_with(".toml") ? read_plan_toml(text, path, environment)
                                 : read_imagebuilder(text, path);
}

}  // namespace trapline::plan
