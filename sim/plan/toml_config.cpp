#include <spdlog/fmt/fmt.h>

#include "sim/plan/plan_config.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/toml_table.h"

namespace trapline::plan {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxAddress = std::uint64_t{1} << 48;

class Reader {
 public:
  explicit Reader(PlanConfig& plan) : plan_(plan) {}

  void read(TomlTable table) {
    take(table.text("target"), plan_.target);
    take(table.text("machine"), plan_.machine);
    take(table.path("device-tree"), plan_.device_tree);
    if (const auto regions = table.integer("regions", 0, 255)) {
      plan_.regions = static_cast<unsigned>(*regions);
    }
    for (const std::string& text : table.texts("reserved")) {
      table.located("reserved", [&] {
        for (const MemoryRange& range : parse_ranges(text)) plan_.reserved.push_back(range);
      });
    }
    address(table, "device-tree-address", plan_.device_tree_address);
    address(table, "memory-start", plan_.memory_start);
    address(table, "memory-end", plan_.memory_end);
    if (std::optional<TomlTable> hypervisor = table.table("hypervisor"))
      read_hypervisor(*hypervisor);
    for (TomlTable& domain : table.tables("domain")) read_domain(domain);
    table.finish();
  }

 private:
  template <typename T>
  static void take(std::optional<T> value, T& to) {
    if (value) to = std::move(*value);
  }
  static void address(TomlTable& table, std::string_view key, std::optional<PhysAddr>& to) {
    const std::optional<std::string> text = table.scalar(key);
    if (!text) return;
    table.located(key, [&] { to = parse_address(*text); });
    if (*to > kMaxAddress) table.fail(key, "it lies beyond 48 bits of address");
  }
  static std::optional<std::uint64_t> size(TomlTable& table, std::string_view key) {
    const std::optional<std::string> text = table.scalar(key);
    if (!text) return std::nullopt;
    std::uint64_t bytes = 0;
    table.located(key, [&] { bytes = parse_size(*text, kMiB); });
    if (bytes == 0 || bytes > kMaxAddress) table.fail(key, fmt::format("{} bytes", bytes));
    return bytes;
  }

  void read_hypervisor(TomlTable& table) {
    take(table.path("image"), plan_.hypervisor);
    take(table.text("append"), plan_.append);
    address(table, "address", plan_.hypervisor_address);
    take(table.flag("relink"), plan_.relink);
    take(table.flag("early-console"), plan_.early_console);
    take(size(table, "heap"), plan_.heap);
    address(table, "heap-address", plan_.heap_address);
    table.finish();
  }

  void read_domain(TomlTable& table) {
    DomainConfig domain;
    domain.name = table.text("name").value_or(fmt::format("domU{}", plan_.domains.size()));
    domain.where = table.where();
    take(table.path("kernel"), domain.kernel);
    if (domain.kernel.empty()) table.fail("kernel", "a domain has a kernel");
    take(table.path("ramdisk"), domain.ramdisk);
    take(table.path("passthrough"), domain.passthrough);
    take(table.text("append"), domain.append);
    if (const auto vcpus = table.integer("vcpus", 1, 8)) {
      domain.vcpus = static_cast<unsigned>(*vcpus);
    }
    take(table.flag("vpl011"), domain.vpl011);
    take(table.flag("pmsa"), domain.pmsa);
    take(table.flag("relink"), domain.relink);
    domain.devices = table.texts("devices");
    const std::optional<std::uint64_t> memory = size(table, "memory");
    domain.memory = memory.value_or(0);
    domain.align = size_of_align(table);
    std::optional<PhysAddr> at;
    address(table, "address", at);
    const std::vector<std::string> banks = table.texts("static-memory");
    if (at && !banks.empty()) table.fail("address", "static-memory says it already");
    for (const std::string& bank : banks) {
      table.located("static-memory", [&] { domain.banks.push_back(parse_range(bank)); });
    }
    if (at && domain.memory > kMaxAddress - *at) table.fail("address", "memory overflows");
    if (at && memory) domain.banks.push_back({*at, domain.memory});
    std::uint64_t total = 0;
    for (const MemoryRange& bank : domain.banks) total += bank.size;
    if (!banks.empty() && memory && total != *memory) {
      table.fail("static-memory",
                 fmt::format("it holds {}, memory is {}", size_text(total), size_text(*memory)));
    }
    if (!domain.banks.empty()) domain.memory = total;
    if (domain.memory == 0) table.fail("memory", "a domain has memory");
    table.finish();
    plan_.domains.push_back(std::move(domain));
  }

  static std::optional<std::uint64_t> size_of_align(TomlTable& table) {
    const std::optional<std::string> text = table.scalar("align");
    if (!text) return std::nullopt;
    std::uint64_t align = 0;
    table.located("align", [&] { align = parse_size(*text); });
    if (align == 0 || (align & (align - 1)) != 0) {
      table.fail("align", "an alignment is a power of two");
    }
    return align;
  }

  PlanConfig& plan_;
};

}  // namespace

PlanConfig read_plan_toml(std::string_view text, const std::string& path,
                          const Environment& environment) {
  PlanConfig plan;
  plan.path = path;
  const std::size_t slash = path.rfind('/');
  const TomlFile file{path, slash == std::string::npos ? "" : path.substr(0, slash + 1),
                      environment};
  try {
    const toml::table table = toml::parse(text, path);
    Reader(plan).read(TomlTable(file, table, "the file"));
  } catch (const toml::parse_error& error) {
    throw ScenarioError(fmt::format("{}:{}:{}: {}", path, error.source().begin.line,
                                    error.source().begin.column, error.description()));
  }
  return plan;
}

}  // namespace trapline::plan
