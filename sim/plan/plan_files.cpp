// What to build with and what to run: a Kconfig fragment, a C header, a scenario.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "sim/plan/layer.h"
#include "sim/plan/plan.h"

namespace trapline::plan {
namespace {

constexpr std::uint32_t kSpi = 0;
constexpr std::uint64_t kPage = 4096;

std::string macro_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter) {
      name += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    } else if (c != '\'' && (name.empty() || name.back() != '_')) {
      name += '_';
    }
  }
  return name;
}

std::string define(std::string_view name, std::uint64_t value) {
  return fmt::format("#define {} {:#x}\n", name, value);
}

/// From the lowest to the highest address of what is mapped as memory, or as devices.
MemoryRange hull(const Plan& plan, bool device) {
  PhysAddr first = ~PhysAddr{0}, end = 0;
  const LayoutProblem& problem = plan.assembly.problem;
  for (unsigned n = 0; n < problem.pieces.size(); ++n) {
    if (problem.pieces[n].device != device || problem.pieces[n].size == 0) continue;
    first = std::min(first, plan.at(n));
    end = std::max(end, plan.range(n).end());
  }
  return {first, end - first};
}

/// INTID of the first interrupt in a node's `interrupts` (arm,gic-v3.yaml).
unsigned first_interrupt(const Plan& plan, const DomainDevice& device) {
  const BoardDevice* node = device.path.empty() ? nullptr : plan.board.find(device.path);
  if (!node || node->interrupts.size() < 8) return 0;
  const auto cell = [&](std::size_t n) {
    std::uint32_t value = 0;
    for (std::size_t byte = 0; byte < 4; ++byte)
      value = value << 8 | node->interrupts[4 * n + byte];
    return value;
  };
  return cell(0) == kSpi ? cell(1) + 32 : cell(1) + 16;
}

std::string r82_table(const Plan& plan) {
  std::string out;
  std::size_t most = 0;
  const auto own = [&](const DomainParts& parts) {
    return plan.contexts[parts.context].slots.size() - plan.contexts[0].slots.size();
  };
  std::uint64_t device_bytes = kPage;  // The same for all guests: r82_target.cpp.
  for (const DomainParts& parts : plan.assembly.domains) {
    most = std::max(most, own(parts));
    for (const DomainDevice& device : parts.devices) {
      device_bytes = plan.range(device.pieces.front()).size;
    }
  }
  out += fmt::format("#define LAYOUT_GUESTS {}\n", plan.config.domains.size());
  out += fmt::format("#define LAYOUT_GUEST_REGIONS {}\n", most);
  out += define("LAYOUT_DEVICE_BYTES", device_bytes);
  out += "#define LAYOUT_TABLE";
  for (unsigned n = 0; n < plan.config.domains.size(); ++n) {
    const DomainConfig& domain = plan.config.domains[n];
    const DomainParts& parts = plan.assembly.domains[n];
    const MemoryRange ram = plan.range(parts.ram.front());
    out += fmt::format(" \\\n  {{.name = \"{}\", .entry = {:#x}, .ram = {:#x}, .ram_last = {:#x}",
                       domain.name, ram.base, ram.base, ram.end() - 1);
    if (!domain.pmsa) out += ", .vmsa = 1";
    if (!parts.devices.empty()) {
      const MemoryRange device = plan.range(parts.devices.front().pieces.front());
      out += fmt::format(", \\\n   .device = {:#x}, .device_interrupt = {}", device.base,
                         first_interrupt(plan, parts.devices.front()));
    }
    out += "},";
  }
  return out + "\n";
}

/// A TOML basic string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// As a path, in which '$' is doubled (docs/scenario.md).
std::string quoted_path(const std::string& path) {
  std::string doubled;
  for (const char c : path) doubled += c == '$' ? "$$" : std::string(1, c);
  return quoted(doubled);
}

std::string scenario_head(const Plan& plan) {
  return fmt::format("title = {}\n", quoted("Planned from " + plan.config.path));
}
std::string scenario_machine(const Plan& plan) {
  return fmt::format("\n[machine]\ntype = {}\ncpus = {}\nmpu-regions = \"16,{}\"\n",
                     quoted(plan.config.machine), std::max(plan.board.cpus, 1u),
                     plan.config.regions);
}

/// The domains, on the CPUs of the board.
std::string layer_scenario(const Plan& plan,
                           const std::function<std::string(const std::string&)>& path_of) {
  std::string out = scenario_head(plan) + "scheduler = \"rr\"\n" + scenario_machine(plan);
  for (unsigned n = 0; n < plan.config.domains.size(); ++n) {
    const DomainConfig& domain = plan.config.domains[n];
    const DomainParts& parts = plan.assembly.domains[n];
    out += fmt::format("\n[[domain]]\nname = {}\nkernel = {}\n", quoted(domain.name),
                       quoted_path(path_of(domain.kernel)));
    if (!domain.ramdisk.empty()) {
      out += fmt::format("initrd = {}\n", quoted_path(path_of(domain.ramdisk)));
    }
    if (!domain.append.empty()) out += fmt::format("append = {}\n", quoted(domain.append));
    out += fmt::format("vcpus = {}\nmsa = \"{}\"\nvpl011 = {}\n", domain.vcpus,
                       domain.pmsa ? "mpu" : "mmu", domain.vpl011);
    std::string banks;
    for (const unsigned piece : parts.ram) {
      banks += fmt::format("{}\"{:#x}:{}K\"", banks.empty() ? "" : ", ", plan.range(piece).base,
                           plan.range(piece).size / 1024);
    }
    out += fmt::format("static-mem = [{}]\n", banks);
    for (const DomainDevice& device : parts.devices) {
      out += fmt::format("uart = {}\n", layer_uart(device.reg));
    }
  }
  return out;
}

}  // namespace

std::string plan_kconfig(const Plan& plan) {
  std::string out = "# Values of the plan for this hypervisor's build.\n";
  if (!is_xen(plan.target.target)) {
    return out + "# This hypervisor has no Kconfig: plan.h has them.\n";
  }
  out += fmt::format("CONFIG_XEN_START_ADDRESS={:#x}\n", plan.at(*plan.assembly.hypervisor));
  if (!plan.config.early_console) return out;
  out += "CONFIG_EARLY_UART_CHOICE_PL011=y\n";
  out += fmt::format("CONFIG_EARLY_UART_BASE_ADDRESS={:#x}\n", plan.assembly.console.base);
  if (plan.target.target == Target::xen_upstream) {
    // The console's driver maps the same range again, which must be all of it or a part.
    out += fmt::format("CONFIG_EARLY_UART_SIZE={:#x}\n", plan.assembly.console.size);
  }
  return out;
}

std::string plan_header(const Plan& plan) {
  std::string out = "/* Values of the plan for the hypervisor's build. Ends are inclusive. */\n";
  out += "#pragma once\n\n";
  const MemoryRange normal = hull(plan, false), device = hull(plan, true);
  if (plan.assembly.hypervisor) {
    out += define("PLAN_START_ADDRESS", plan.at(*plan.assembly.hypervisor));
  }
  out += define("PLAN_NORMAL_MEMORY_START", normal.base);
  out += define("PLAN_NORMAL_MEMORY_END", normal.end() - 1);
  out += define("PLAN_DEVICE_MEMORY_START", device.base);
  out += define("PLAN_DEVICE_MEMORY_END", device.end() - 1);
  out += fmt::format("#define PLAN_EL2_REGIONS {}\n", plan.solution.score.peak);
  const LayoutProblem& problem = plan.assembly.problem;
  for (unsigned n = 0; n < problem.pieces.size(); ++n) {
    if (problem.pieces[n].device || problem.pieces[n].size == 0) continue;
    const std::string name = "PLAN_" + macro_name(problem.pieces[n].name);
    out += define(name + "_START", plan.at(n));
    out += define(name + "_END", plan.range(n).end() - 1);
  }
  if (plan.target.target == Target::r82) out += "\n" + r82_table(plan);
  return out;
}

std::string plan_scenario(const Plan& plan,
                          const std::function<std::string(const std::string&)>& path_of) {
  if (plan.target.target == Target::layer) return layer_scenario(plan, path_of);
  const bool xen = is_xen(plan.target.target);
  std::string out = scenario_head(plan) + scenario_machine(plan);
  if (!xen) out += "semihosting = true\n";
  out += "\n[boot]\n";
  if (xen) {
    out += "dtb = \"planned.dtb\"\n";
  } else if (!plan.config.device_tree.empty()) {
    out += fmt::format("dtb = {}\n", quoted_path(path_of(plan.config.device_tree)));
  }
  const auto load = [&](const std::string& path, std::optional<PhysAddr> address) {
    out += fmt::format("\n[[boot.load]]\nfile = {}\n", quoted_path(path));
    if (address) out += fmt::format("address = {:#x}\n", *address);
  };
  if (xen) {
    load(path_of(plan.config.hypervisor), plan.at(*plan.assembly.hypervisor));
  } else {
    load(path_of(plan.config.hypervisor), std::nullopt);
  }
  for (unsigned n = 0; n < plan.config.domains.size(); ++n) {
    const DomainConfig& domain = plan.config.domains[n];
    const DomainParts& parts = plan.assembly.domains[n];
    if (!xen) {
      load(path_of(domain.kernel), std::nullopt);
      continue;
    }
    load(path_of(domain.kernel), plan.at(*parts.kernel));
    if (parts.ramdisk) load(path_of(domain.ramdisk), plan.at(*parts.ramdisk));
    if (!parts.passthrough) continue;
    load(
        domain.passthrough.empty() ? domain.name + "-passthrough.dtb" : path_of(domain.passthrough),
        plan.at(*parts.passthrough));
  }
  return out;
}

}  // namespace trapline::plan
