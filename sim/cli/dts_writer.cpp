#include "sim/cli/dts_writer.h"

#include <libfdt.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace trapline {
namespace {

// One or more NUL-terminated printable strings, none of them empty.
bool looks_like_strings(std::string_view value) {
  if (value.empty() || value.front() == '\0' || value.back() != '\0') return false;
  for (std::size_t n = 0; n < value.size(); ++n) {
    const auto c = static_cast<unsigned char>(value[n]);
    if (c == 0 ? value[n - 1] == '\0' : (c < 0x20 || c > 0x7e)) return false;
  }
  return true;
}

std::string strings_source(std::string_view value) {
  std::string text = "\"";
  value.remove_suffix(1);
  for (const char c : value) {
    if (c == '\0') {
      text += "\", \"";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

std::string value_source(std::string_view value) {
  if (looks_like_strings(value)) return strings_source(value);
  const bool cells = value.size() % 4 == 0;
  std::string text(1, cells ? '<' : '[');
  for (std::size_t n = 0; n < value.size(); n += cells ? 4 : 1) {
    if (n != 0) text += ' ';
    text += cells ? fmt::format("{:#x}", fdt32_ld(reinterpret_cast<const fdt32_t*>(&value[n])))
                  : fmt::format("{:02x}", static_cast<unsigned char>(value[n]));
  }
  return text + (cells ? '>' : ']');
}

void write_properties(const void* fdt, int node, const std::string& indent, std::string& out) {
  int property = 0;
  fdt_for_each_property_offset(property, fdt, node) {
    const char* name = nullptr;
    int size = 0;
    const void* data = fdt_getprop_by_offset(fdt, property, &name, &size);
    if (!data && size < 0) throw std::invalid_argument("the device tree has a broken property");
    out += indent + name;
    if (size > 0) {
      out += " = " + value_source({static_cast<const char*>(data), static_cast<std::size_t>(size)});
    }
    out += ";\n";
  }
}

void write_reservations(const void* fdt, std::string& out) {
  for (int n = 0; n < fdt_num_mem_rsv(fdt); ++n) {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    if (fdt_get_mem_rsv(fdt, n, &address, &size) == 0) {
      out += fmt::format("/memreserve/ {:#x} {:#x};\n", address, size);
    }
  }
}

}  // namespace

std::string device_tree_source(std::span<const std::uint8_t> blob) {
  const void* fdt = blob.data();
  if (blob.size() < sizeof(fdt_header) || fdt_check_full(fdt, blob.size()) != 0) {
    throw std::invalid_argument("not a device-tree blob");
  }
  std::string out = "/dts-v1/;\n";
  write_reservations(fdt, out);
  out += '\n';
  int depth = 0;
  int open = 0;
  for (int node = 0; node >= 0 && depth >= 0; node = fdt_next_node(fdt, node, &depth)) {
    for (; open > depth; --open)
      out += std::string(static_cast<std::size_t>(open) - 1, '\t') + "};\n";
    const std::string indent(static_cast<std::size_t>(depth), '\t');
    const std::string_view name = fdt_get_name(fdt, node, nullptr);
    out += fmt::format("{}{} {{\n", indent, name.empty() ? "/" : name);
    write_properties(fdt, node, indent + '\t', out);
    ++open;
  }
  for (; open > 0; --open) out += std::string(static_cast<std::size_t>(open) - 1, '\t') + "};\n";
  return out;
}

}  // namespace trapline
