#include "sim/machine/device_tree.h"

#include <libfdt.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "sim/machine/image_error.h"

namespace trapline {
namespace {

constexpr std::size_t kInitialBytes = 16 * 1024;

/// Editing our own tree fails only by a mistake of ours, such as a node that was not added.
[[noreturn]] void fail(const char* what, const std::string& path, int error) {
  throw std::logic_error(std::string("device tree: ") + what + " " + path + ": " +
                         fdt_strerror(error));
}

std::uint64_t read_cells(const fdt32_t*& cell, unsigned count) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < count; ++i) value = value << 32 | fdt32_to_cpu(*cell++);
  return value;
}

bool is_memory_node(const void* fdt, int node) {
  int length = 0;
  const void* type = fdt_getprop(fdt, node, "device_type", &length);
  if (type == nullptr || !fdt_stringlist_contains(static_cast<const char*>(type), length, "memory"))
    return false;
  const void* status = fdt_getprop(fdt, node, "status", &length);
  return status == nullptr || (length >= 2 && std::memcmp(status, "ok", 2) == 0);
}

}  // namespace

DeviceTree::DeviceTree() : blob_(kInitialBytes) {
  const int error = fdt_create_empty_tree(blob_.data(), static_cast<int>(blob_.size()));
  if (error != 0) fail("create", "/", error);
}

DeviceTree DeviceTree::parse(std::span<const std::uint8_t> bytes, const std::string& path) {
  if (bytes.size() < sizeof(fdt_header) || fdt_magic(bytes.data()) != FDT_MAGIC) {
    throw ImageError(path, "not a device tree blob (no FDT magic)",
                     "compile a .dts file with dtc first");
  }
  const std::uint32_t total = fdt_totalsize(bytes.data());
  if (total > bytes.size()) {
    throw ImageError(path,
                     "truncated: the device tree's header says " + std::to_string(total) +
                         " bytes, the file has " + std::to_string(bytes.size()),
                     "copy or compile it again");
  }
  if (const int error = fdt_check_full(bytes.data(), total); error != 0) {
    throw ImageError(path, std::string("device tree is corrupt: ") + fdt_strerror(error),
                     "copy or compile it again");
  }
  DeviceTree tree;
  tree.file_ = path;
  tree.blob_.resize(total + kInitialBytes);
  const int error =
      fdt_open_into(bytes.data(), tree.blob_.data(), static_cast<int>(tree.blob_.size()));
  if (error != 0) {
    throw ImageError(path, std::string("device tree cannot be used: ") + fdt_strerror(error));
  }
  // libfdt checks a tree that begins with FDT_NOP, but cannot edit its root.
  int length = 0;
  if (!fdt_get_name(tree.blob_.data(), 0, &length)) {
    throw ImageError(path, "device tree is corrupt: it does not begin with the root node",
                     "copy or compile it again");
  }
  return tree;
}

int DeviceTree::node_offset(const std::string& path) const {
  return fdt_path_offset(blob_.data(), path.c_str());
}

bool DeviceTree::has_node(const std::string& path) const {
  return node_offset(path) >= 0;
}

void DeviceTree::grow() {
  std::vector<std::uint8_t> larger(blob_.size() * 2);
  const int error = fdt_open_into(blob_.data(), larger.data(), static_cast<int>(larger.size()));
  if (error != 0) fail("grow", "/", error);
  blob_ = std::move(larger);
}

/// Runs a libfdt call again in a larger buffer until it fits.
template <typename Edit>
int DeviceTree::edit(const char* what, const std::string& path, Edit&& action) {
  int result = action();
  while (result == -FDT_ERR_NOSPACE) {
    grow();
    result = action();
  }
  if (result < 0) fail(what, path, result);
  return result;
}

void DeviceTree::add_node(const std::string& path) {
  if (has_node(path)) return;
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) fail("add", path, -FDT_ERR_BADPATH);
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  add_node(parent);
  const std::string name = path.substr(slash + 1);
  edit("add", path,
       [&] { return fdt_add_subnode(blob_.data(), node_offset(parent), name.c_str()); });
}

void DeviceTree::remove_node(const std::string& path) {
  const int node = node_offset(path);
  if (node < 0) return;
  if (const int error = fdt_del_node(blob_.data(), node); error != 0) fail("remove", path, error);
}

void DeviceTree::set_raw(const std::string& path, const char* property, const void* data,
                         std::size_t size) {
  edit(property, path, [&] {
    return fdt_setprop(blob_.data(), node_offset(path), property, data, static_cast<int>(size));
  });
}

void DeviceTree::set_empty(const std::string& path, const char* property) {
  set_raw(path, property, nullptr, 0);
}

void DeviceTree::set_cells(const std::string& path, const char* property,
                           std::span<const std::uint32_t> cells) {
  std::vector<fdt32_t> data;
  data.reserve(cells.size());
  for (const std::uint32_t cell : cells) data.push_back(cpu_to_fdt32(cell));
  set_raw(path, property, data.data(), data.size() * sizeof(fdt32_t));
}

void DeviceTree::set_cells(const std::string& path, const char* property,
                           std::initializer_list<std::uint32_t> cells) {
  set_cells(path, property, std::span(cells.begin(), cells.size()));
}

void DeviceTree::set_u64s(const std::string& path, const char* property,
                          std::initializer_list<std::uint64_t> values) {
  std::vector<std::uint32_t> cells;
  for (const std::uint64_t value : values) {
    cells.push_back(static_cast<std::uint32_t>(value >> 32));
    cells.push_back(static_cast<std::uint32_t>(value));
  }
  set_cells(path, property, cells);
}

void DeviceTree::set_string(const std::string& path, const char* property,
                            const std::string& value) {
  set_raw(path, property, value.c_str(), value.size() + 1);
}

void DeviceTree::set_strings(const std::string& path, const char* property,
                             std::initializer_list<std::string_view> values) {
  std::string list;
  for (const std::string_view value : values) list.append(value).push_back('\0');
  set_raw(path, property, list.data(), list.size());
}

void DeviceTree::set_bytes(const std::string& path, const char* property,
                           std::span<const std::uint8_t> bytes) {
  set_raw(path, property, bytes.data(), bytes.size());
}

void DeviceTree::remove_property(const std::string& path, const char* property) {
  const int error = fdt_delprop(blob_.data(), node_offset(path), property);
  if (error != 0 && error != -FDT_ERR_NOTFOUND) fail(property, path, error);
}

void DeviceTree::reserve(const MemoryRange& range) {
  edit("reserve memory in", "/",
       [&] { return fdt_add_mem_rsv(blob_.data(), range.base, range.size); });
}

std::optional<std::string> DeviceTree::string(const std::string& path, const char* property) const {
  int length = 0;
  const int node = node_offset(path);
  if (node < 0) return std::nullopt;
  const char* text = fdt_stringlist_get(blob_.data(), node, property, 0, &length);
  if (text == nullptr) return std::nullopt;
  return std::string(text, static_cast<std::size_t>(length));
}

std::optional<std::uint32_t> DeviceTree::u32(const std::string& path, const char* property) const {
  int length = 0;
  const int node = node_offset(path);
  if (node < 0) return std::nullopt;
  const void* data = fdt_getprop(blob_.data(), node, property, &length);
  if (data == nullptr || length != static_cast<int>(sizeof(fdt32_t))) return std::nullopt;
  return fdt32_ld(static_cast<const fdt32_t*>(data));
}

std::vector<MemoryRange> DeviceTree::memory() const {
  const void* fdt = blob_.data();
  const int address_cells = fdt_address_cells(fdt, 0);
  const int size_cells = fdt_size_cells(fdt, 0);
  std::vector<MemoryRange> ranges;
  int node = 0;
  fdt_for_each_subnode(node, fdt, 0) {
    if (!is_memory_node(fdt, node)) continue;
    int length = 0;
    const auto* cell = static_cast<const fdt32_t*>(fdt_getprop(fdt, node, "reg", &length));
    const int stride = (address_cells + size_cells) * static_cast<int>(sizeof(fdt32_t));
    if (cell == nullptr || address_cells < 1 || address_cells > 2 || size_cells < 1 ||
        size_cells > 2 || length == 0 || length % stride != 0) {
      throw ImageError(file_, std::string("device tree node /") + fdt_get_name(fdt, node, nullptr) +
                                  ": \"reg\" is missing or does not fit the root's cell counts");
    }
    for (int i = 0; i < length / stride; ++i) {
      const PhysAddr base = read_cells(cell, static_cast<unsigned>(address_cells));
      const std::uint64_t size = read_cells(cell, static_cast<unsigned>(size_cells));
      if (size != 0) ranges.push_back({base, size});
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const MemoryRange& a, const MemoryRange& b) { return a.base < b.base; });
  return ranges;
}

std::vector<std::uint8_t> DeviceTree::bytes(std::size_t slack) const {
  std::vector<std::uint8_t> packed = blob_;
  if (const int error = fdt_pack(packed.data()); error != 0) fail("pack", "/", error);
  // A multiple of eight, so that whatever follows in memory is aligned.
  const std::size_t total = (fdt_totalsize(packed.data()) + slack + 7) & ~std::size_t{7};
  packed.resize(std::max(total, packed.size()));
  const int error = fdt_open_into(packed.data(), packed.data(), static_cast<int>(total));
  if (error != 0) fail("open", "/", error);
  packed.resize(total);
  return packed;
}

void write_chosen(DeviceTree& tree, const std::string& bootargs,
                  const std::optional<MemoryRange>& initrd) {
  tree.add_node("/chosen");
  if (!bootargs.empty()) tree.set_string("/chosen", "bootargs", bootargs);
  if (initrd) {
    tree.set_u64s("/chosen", "linux,initrd-end", {initrd->end()});
    tree.set_u64s("/chosen", "linux,initrd-start", {initrd->base});
  }
}

std::vector<MemoryRange> check_dtb_memory(const DeviceTree& tree,
                                          const std::vector<MemoryRange>& ram,
                                          const std::string& path) {
  std::string ram_text;
  for (const MemoryRange& bank : ram) {
    ram_text += (ram_text.empty() ? "" : ", ") + to_string(bank);
  }
  const std::vector<MemoryRange> memory = tree.memory();
  if (memory.empty()) {
    throw ImageError(path, "device tree has no memory node (device_type = \"memory\")",
                     "add one for " + ram_text);
  }
  for (std::size_t i = 0; i < memory.size(); ++i) {
    if (std::none_of(ram.begin(), ram.end(),
                     [&](const MemoryRange& bank) { return bank.contains(memory[i]); })) {
      throw ImageError(path,
                       "device tree describes memory at " + to_string(memory[i]) +
                           ", but the machine's RAM is " + ram_text,
                       "change the memory node or -m");
    }
    if (i > 0 && memory[i - 1].overlaps(memory[i])) {
      throw ImageError(path, "device tree describes memory twice: " + to_string(memory[i - 1]) +
                                 " and " + to_string(memory[i]));
    }
  }
  return memory;
}

}  // namespace trapline
