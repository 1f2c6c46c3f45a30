#include "sim/plan/board.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>

extern "C" {
#include <libfdt.h>
}

#include "sim/scenario/scenario.h"

namespace trapline::plan {
namespace {

constexpr std::uint64_t kMaxAddress = std::uint64_t{1} << 48;

/// One property as 32-bit cells.
class Cells {
 public:
  Cells(const void* fdt, int node, const char* name) {
    int bytes = 0;
    data_ = static_cast<const fdt32_t*>(fdt_getprop(fdt, node, name, &bytes));
    count_ = data_ && bytes > 0 ? static_cast<std::size_t>(bytes) / 4 : 0;
  }
  bool present() const { return data_ != nullptr; }
  std::size_t left() const { return count_ - at_; }
  std::uint64_t take(unsigned cells) {
    std::uint64_t value = 0;
    for (; cells > 0 && at_ < count_; --cells) value = value << 32 | fdt32_ld(data_ + at_++);
    return value;
  }

 private:
  const fdt32_t* data_ = nullptr;
  std::size_t count_ = 0, at_ = 0;
};

struct Window {
  PhysAddr child = 0, parent = 0;
  std::uint64_t size = 0;
};

/// How addresses below a bus node reach the CPU.
struct Bus {
  unsigned address_cells = 2, size_cells = 1;
  bool reachable = true;
  bool identity = true;
  std::vector<Window> windows{};
};

class Reader {
 public:
  Reader(std::span<const std::uint8_t> blob, const std::string& path)
      : fdt_(blob.data()), path_(path) {
    if (blob.size() < sizeof(fdt_header) || fdt_check_full(fdt_, blob.size()) != 0) {
      fail("not a device-tree blob");
    }
  }

  Board read() {
    children(0, bus_of(0, Bus{}), "");
    read_aliases();
    read_console();
    board_.psci = fdt_path_offset(fdt_, "/psci") >= 0;
    merge_memory();
    if (board_.memory.empty()) fail("it has no memory node");
    if (board_.gicd.size == 0 || board_.gicr.empty()) {
      fail(
          "it has no GICv3 (a node with compatible \"arm,gic-v3\" and its distributor and "
          "redistributors in reg)");
    }
    return std::move(board_);
  }

 private:
  [[noreturn]] void fail(std::string_view message) const {
    throw ScenarioError(fmt::format("{}: {}", path_, message));
  }

  unsigned cell_count(int node, const char* name, unsigned otherwise) const {
    Cells cells(fdt_, node, name);
    if (!cells.present()) return otherwise;
    const std::uint64_t value = cells.left() == 1 ? cells.take(1) : ~std::uint64_t{0};
    if (value > 3) fail(fmt::format("{} of {} is not possible", name, node_path(node)));
    return static_cast<unsigned>(value);
  }

  std::string node_path(int node) const {
    char buffer[512];
    return fdt_get_path(fdt_, node, buffer, sizeof buffer) == 0 ? buffer : "?";
  }

  Bus bus_of(int node, const Bus& parent) const {
    Bus bus;
    bus.address_cells = cell_count(node, "#address-cells", 2);
    bus.size_cells = cell_count(node, "#size-cells", 1);
    if (node == 0) return bus;
    Cells ranges(fdt_, node, "ranges");
    bus.reachable = parent.reachable && ranges.present();
    bus.identity = ranges.left() == 0 && parent.identity;
    const unsigned row = bus.address_cells + parent.address_cells + bus.size_cells;
    while (row != 0 && ranges.left() >= row) {
      Window window{ranges.take(bus.address_cells), ranges.take(parent.address_cells),
                    ranges.take(bus.size_cells)};
      const std::optional<MemoryRange> above = translate(parent, {window.parent, window.size});
      if (above) bus.windows.push_back({window.child, above->base, window.size});
    }
    if (ranges.present() && bus.windows.empty()) bus.windows = parent.windows;
    return bus;
  }

  static std::optional<MemoryRange> translate(const Bus& bus, const MemoryRange& range) {
    if (!bus.reachable) return std::nullopt;
    if (bus.identity) return range;
    for (const Window& window : bus.windows) {
      if (range.base < window.child || range.base - window.child >= window.size) continue;
      if (range.size > window.size - (range.base - window.child)) continue;
      return MemoryRange{window.parent + (range.base - window.child), range.size};
    }
    return std::nullopt;
  }

  std::vector<MemoryRange> reg_of(int node, const Bus& bus) const {
    std::vector<MemoryRange> result;
    Cells reg(fdt_, node, "reg");
    const unsigned row = bus.address_cells + bus.size_cells;
    if (!reg.present() || row == 0 || bus.size_cells == 0) return result;
    if (reg.left() % row != 0) {
      fail(fmt::format("reg of {} does not fit its bus's cells", node_path(node)));
    }
    while (reg.left() != 0) {
      const std::uint64_t base = reg.take(bus.address_cells), size = reg.take(bus.size_cells);
      const std::optional<MemoryRange> range = translate(bus, {base, size});
      if (!range || size == 0) continue;
      if (range->base >= kMaxAddress || size > kMaxAddress - range->base) {
        fail(fmt::format("reg of {} reaches beyond 48 bits of address", node_path(node)));
      }
      result.push_back(*range);
    }
    return result;
  }

  bool is(int node, const char* property, std::string_view value) const {
    int bytes = 0;
    const auto* text = static_cast<const char*>(fdt_getprop(fdt_, node, property, &bytes));
    return text && fdt_stringlist_contains(text, bytes, std::string(value).c_str());
  }

  std::vector<std::uint8_t> bytes_of(int node, const char* property) const {
    int bytes = 0;
    const auto* data = static_cast<const std::uint8_t*>(fdt_getprop(fdt_, node, property, &bytes));
    return data && bytes > 0 ? std::vector<std::uint8_t>(data, data + bytes)
                             : std::vector<std::uint8_t>{};
  }

  void children(int parent, const Bus& bus, const std::string& path) {
    for (int node = fdt_first_subnode(fdt_, parent); node >= 0;
         node = fdt_next_subnode(fdt_, node)) {
      const std::string here = path + "/" + fdt_get_name(fdt_, node, nullptr);
      if (here == "/cpus") {
        read_cpus(node);
        continue;
      }
      if (here == "/chosen" || here == "/aliases" || here == "/reserved-memory") continue;
      const std::vector<MemoryRange> reg = reg_of(node, bus);
      if (is(node, "device_type", "memory")) {
        board_.memory.insert(board_.memory.end(), reg.begin(), reg.end());
      } else if (!reg.empty()) {
        board_.devices.push_back(
            {here, reg, bytes_of(node, "compatible"), bytes_of(node, "interrupts")});
        if (is(node, "compatible", "arm,gic-v3")) read_gic(node, reg);
      }
      children(node, bus_of(node, bus), here);
    }
  }

  void read_gic(int node, const std::vector<MemoryRange>& reg) {
    Cells regions(fdt_, node, "#redistributor-regions");
    const std::uint64_t count = regions.present() ? regions.take(1) : 1;
    board_.gicd = reg.front();
    for (std::size_t n = 1; n < reg.size() && n <= count; ++n) board_.gicr.push_back(reg[n]);
  }

  void read_cpus(int cpus) {
    for (int cpu = fdt_first_subnode(fdt_, cpus); cpu >= 0; cpu = fdt_next_subnode(fdt_, cpu)) {
      if (!is(cpu, "device_type", "cpu")) continue;
      ++board_.cpus;
      Cells release(fdt_, cpu, "cpu-release-addr");
      if (is(cpu, "enable-method", "spin-table") && release.left() != 0) {
        board_.release_addresses.push_back(
            release.take(static_cast<unsigned>(std::min<std::size_t>(release.left(), 2))));
      }
    }
  }

  void read_aliases() {
    const int aliases = fdt_path_offset(fdt_, "/aliases");
    if (aliases < 0) return;
    int property = 0;
    fdt_for_each_property_offset(property, fdt_, aliases) {
      const char* name = nullptr;
      int bytes = 0;
      const auto* value =
          static_cast<const char*>(fdt_getprop_by_offset(fdt_, property, &name, &bytes));
      if (!value || bytes <= 1 || value[bytes - 1] != '\0') continue;
      board_.aliases.push_back(fmt::format("{}={}", name, value));
    }
  }

  void read_console() {
    const int chosen = fdt_path_offset(fdt_, "/chosen");
    int bytes = 0;
    const auto* text =
        chosen < 0 ? nullptr
                   : static_cast<const char*>(fdt_getprop(fdt_, chosen, "stdout-path", &bytes));
    if (!text || bytes <= 1 || text[bytes - 1] != '\0') fail("/chosen has no stdout-path");
    std::string name = text;
    name = name.substr(0, name.find(':'));
    const BoardDevice* device = board_.find(name);
    if (!device) fail(fmt::format("stdout-path '{}' names no device with registers", text));
    board_.console = device->path;
  }

  void merge_memory() {
    auto& memory = board_.memory;
    std::sort(memory.begin(), memory.end(),
              [](const MemoryRange& a, const MemoryRange& b) { return a.base < b.base; });
    std::vector<MemoryRange> merged;
    for (const MemoryRange& range : memory) {
      if (!merged.empty() && range.base <= merged.back().end()) {
        const PhysAddr end = std::max(merged.back().end(), range.end());
        merged.back().size = end - merged.back().base;
      } else {
        merged.push_back(range);
      }
    }
    memory = std::move(merged);
  }

  const void* fdt_;
  const std::string& path_;
  Board board_;
};

}  // namespace

const BoardDevice* Board::find(std::string_view name) const {
  for (const std::string& alias : aliases) {
    const std::size_t equals = alias.find('=');
    if (std::string_view(alias).substr(0, equals) == name) {
      name = std::string_view(alias).substr(equals + 1);
      break;
    }
  }
  const BoardDevice* found = nullptr;
  for (const BoardDevice& device : devices) {
    if (device.path == name) return &device;
    const std::string_view path = device.path;
    if (path.substr(path.rfind('/') + 1) != name) continue;
    if (found) {
      throw ScenarioError(fmt::format("'{}' names {} and {}", name, found->path, device.path));
    }
    found = &device;
  }
  return found;
}

Board read_board(std::span<const std::uint8_t> blob, const std::string& path) {
  return Reader(blob, path).read();
}

}  // namespace trapline::plan
