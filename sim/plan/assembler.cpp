#include "sim/plan/assembler.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>

#include "sim/scenario/scenario.h"

namespace trapline::plan {
namespace {

constexpr TargetFacts kTargets[] = {
    {Target::xen_arm, "xen-arm", "the earlier Arm port of Xen (xen/arch/arm_mpu)", kPage},
    {Target::xen_upstream, "xen-upstream", "upstream Xen's MPU port (xen/arch/arm/mpu)", kPage},
    {Target::r82, "r82", "Trapline's own hypervisor (guests/r82/hypervisor)", 64},
    {Target::layer, "layer", "the simulator's hypervisor layer (trapline run --domain)", kPage},
};

}  // namespace

std::span<const TargetFacts> targets() {
  return kTargets;
}

const TargetFacts& target_named(std::string_view name) {
  std::string names;
  for (const TargetFacts& target : kTargets) {
    if (target.name == name) return target;
    names += names.empty() ? "" : ", ";
    names += target.name;
  }
  throw ScenarioError(fmt::format("unknown target '{}'; there are {}", name, names));
}

Assembler::Assembler(const PlanConfig& plan, const Board& of, const TargetFacts& facts,
                     const ImageReader& images)
    : config(plan), board(of), target(facts), images_(images) {
  if (config.regions == 0) {
    fail("the part has no regions (0): without any, its EL2 has no MPU to plan for");
  }
  std::set<std::string> names;
  for (const DomainConfig& domain : config.domains) {
    if (domain.name.empty() || domain.name.find_first_of("/@ \"\\") != std::string::npos) {
      fail(domain, fmt::format("'{}' cannot be the name of a node", domain.name));
    }
    if (!names.insert(domain.name).second) {
      fail(domain, fmt::format("two domains have the name '{}'", domain.name));
    }
  }
  LayoutProblem& problem = out.problem;
  problem.memory = board.memory;
  problem.regions = config.regions;
  out.domains.resize(config.domains.size());
  const auto forbid = [&](const MemoryRange& range, std::string text) {
    constrain(Constraint::Kind::forbidden, static_cast<unsigned>(problem.forbidden.size()),
              std::move(text));
    problem.forbidden.push_back(range);
  };
  for (const MemoryRange& range : config.reserved) {
    forbid(range, fmt::format("{} is reserved", to_string(range)));
  }
  if (config.memory_start && *config.memory_start != 0) {
    forbid({0, *config.memory_start},
           fmt::format("usable memory starts at {:#x}", *config.memory_start));
  }
  const PhysAddr last = board.memory.back().end();
  if (config.memory_end && *config.memory_end < last) {
    forbid({*config.memory_end, last - *config.memory_end},
           fmt::format("usable memory ends at {:#x}", *config.memory_end));
  }
  if (config.memory_start && config.memory_end && *config.memory_start >= *config.memory_end) {
    fail(fmt::format("usable memory ends at {:#x}, where it has not started ({:#x})",
                     *config.memory_end, *config.memory_start));
  }
  // Addresses are not translated, and software takes address 0 for none. The layer does not.
  if (board.memory.front().base == 0 && target.target != Target::layer) {
    problem.forbidden.push_back({0, kPage});
  }
  constrain(Constraint::Kind::regions, 0, fmt::format("the part has {} regions", config.regions));
}

void Assembler::fail(std::string_view message) const {
  throw ScenarioError(fmt::format("{}: {}", config.path, message));
}

void Assembler::fail(const DomainConfig& domain, std::string_view message) const {
  throw ScenarioError(fmt::format("{}: {}: {}", domain.where, domain.name, message));
}

unsigned Assembler::add_piece(Piece piece) {
  out.problem.pieces.push_back(std::move(piece));
  return static_cast<unsigned>(out.problem.pieces.size()) - 1;
}

unsigned Assembler::add_group(Group group) {
  out.problem.groups.push_back(std::move(group));
  return static_cast<unsigned>(out.problem.groups.size()) - 1;
}

unsigned Assembler::add_context(std::string name, std::vector<SlotRow> rows, unsigned weight) {
  Context context{std::move(name), 0, {}, weight};
  for (const SlotRow& row : rows) {
    if (row.group) {
      context.groups.push_back(*row.group);
    } else {
      ++context.own;
    }
  }
  out.problem.contexts.push_back(std::move(context));
  out.slots.push_back(std::move(rows));
  return static_cast<unsigned>(out.problem.contexts.size()) - 1;
}

void Assembler::constrain(Constraint::Kind kind, unsigned index, std::string text,
                          std::uint64_t value, unsigned group) {
  out.constraints.push_back({kind, index, group, value, std::move(text)});
}

unsigned Assembler::add_memory(const std::string& name, std::uint64_t size, std::uint64_t align,
                               std::optional<PhysAddr> fixed, const std::string& why) {
  const std::uint64_t granule = target.granule;
  align = std::max(align, granule);
  if (fixed && (*fixed & (granule - 1)) != 0) {
    fail(fmt::format("{}: {:#x} is not a multiple of {:#x}", name, *fixed, granule));
  }
  const unsigned piece = add_piece({name, round_up(size, granule), align, fixed, false});
  if (fixed) {
    constrain(Constraint::Kind::fixed, piece,
              why.empty() ? fmt::format("{} is at {:#x}", name, *fixed) : why);
  } else if (align > kPage) {
    constrain(Constraint::Kind::align, piece,
              fmt::format("{} starts at a multiple of {}", name, size_text(align)), kPage);
  }
  constrain(Constraint::Kind::size, piece, fmt::format("{} takes {}", name, size_text(size)),
            std::min(round_up(size, granule), kPage));
  return piece;
}

unsigned Assembler::add_registers(const std::string& name, const MemoryRange& range) {
  const PhysAddr base = range.base & ~(target.granule - 1);
  const PhysAddr end = round_up(range.end(), target.granule);
  return add_piece({name, end - base, 1, base, true});
}

void Assembler::add_hypervisor(std::uint64_t size, std::uint64_t align, const ImageFacts& facts) {
  std::optional<PhysAddr> fixed = config.hypervisor_address;
  std::string why;
  if (!fixed && facts.linked && !config.relink) {
    fixed = facts.linked;
    why = fmt::format("the hypervisor is linked at {:#x}", *fixed);
  }
  out.hypervisor = add_memory("the hypervisor", size, align, fixed, why);
}

void Assembler::add_device_tree(PhysAddr usual, std::uint64_t size) {
  std::optional<PhysAddr> address = config.device_tree_address;
  for (const MemoryRange& bank : board.memory) {
    if (!address && bank.contains({usual, size})) address = usual;
  }
  const std::string why =
      address ? fmt::format("the device tree is loaded at {:#x}", *address) : std::string();
  out.device_tree = add_memory("the device tree", size, kTwoMiB, address, why);
}

void Assembler::add_heap(std::uint64_t align) {
  if (config.heap % kPage != 0) fail("the heap is not a whole number of pages");
  if (config.heap_address && *config.heap_address % align != 0) {
    fail(fmt::format("the heap at {:#x} is not at a multiple of {:#x}", *config.heap_address,
                     align));
  }
  out.heap = add_memory("the heap", config.heap, align, config.heap_address, "");
}

void Assembler::add_domain_memory(unsigned n) {
  const DomainConfig& domain = config.domains[n];
  const std::string name = domain.name + "'s memory";
  const ImageFacts facts = image(domain.kernel, domain.name + "'s kernel");
  if (domain.memory % kPage != 0) fail(domain, "its memory is not a whole number of pages");
  if (facts.memory_bytes > domain.memory) {
    fail(domain, fmt::format("its kernel takes {}, its memory is {}", size_text(facts.memory_bytes),
                             size_text(domain.memory)));
  }
  for (std::size_t bank = 0; bank < domain.banks.size(); ++bank) {
    const MemoryRange& range = domain.banks[bank];
    if (range.base % kPage != 0 || range.size % kPage != 0) {
      fail(domain, fmt::format("memory at {} is not made of whole pages", to_string(range)));
    }
    const std::string label = bank == 0 ? name : fmt::format("{} (bank {})", name, bank);
    out.domains[n].ram.push_back(add_memory(label, range.size, kPage, range.base, ""));
  }
  if (!domain.banks.empty()) {
    const PhysAddr base = domain.banks.front().base;
    if (facts.linked && !domain.relink && *facts.linked != base) {
      fail(domain, fmt::format("its kernel is linked at {:#x}, its memory starts at {:#x}",
                               *facts.linked, base));
    }
    if (facts.arm64_image && base % kTwoMiB != 0) {
      fail(domain, fmt::format("its kernel is an arm64 Image, which runs from a multiple of 2 MiB; "
                               "its memory starts at {:#x}",
                               base));
    }
    return;
  }
  std::optional<PhysAddr> fixed;
  std::string why;
  if (facts.linked && !domain.relink) {
    fixed = facts.linked;
    why = fmt::format("{}'s kernel is linked at {:#x}", domain.name, *fixed);
  }
  // The layer puts the device tree of any domain at a multiple of 2 MiB.
  const bool wide = facts.arm64_image || target.target == Target::layer;
  const std::uint64_t align = domain.align.value_or(wide ? kTwoMiB : kPage);
  out.domains[n].ram.push_back(add_memory(name, domain.memory, align, fixed, why));
}

void Assembler::add_modules(unsigned n) {
  const DomainConfig& domain = config.domains[n];
  const auto add = [&](const std::string& path, const char* what) -> std::optional<unsigned> {
    if (path.empty()) return std::nullopt;
    const std::string name = fmt::format("{}'s {} as loaded", domain.name, what);
    const ImageFacts facts = image(path, name);
    // Loaders keep the format's rule for an Image also where it is only going to be copied.
    return add_memory(name, facts.file_bytes, facts.arm64_image ? kTwoMiB : kPage, std::nullopt,
                      "");
  };
  out.domains[n].kernel = add(domain.kernel, "kernel");
  out.domains[n].ramdisk = add(domain.ramdisk, "ramdisk");
  out.domains[n].passthrough = add(domain.passthrough, "passthrough tree");
  if (domain.passthrough.empty() && !domain.devices.empty()) {
    out.domains[n].passthrough =
        add_memory(domain.name + "'s passthrough tree as loaded",
                   passthrough_bytes(domain.devices.size()), kPage, std::nullopt, "");
  }
}

void Assembler::add_devices(unsigned n) {
  const DomainConfig& domain = config.domains[n];
  for (const std::string& text : domain.devices) {
    DomainDevice device;
    if (text.find(' ') != std::string::npos) {
      try {
        device.reg = {parse_range(text)};
      } catch (const std::invalid_argument& error) {
        fail(domain, error.what());
      }
    } else if (const BoardDevice* found = board.find(text)) {
      device.path = found->path;
      device.reg = found->reg;
    } else {
      fail(domain, fmt::format("the board has no device '{}'", text));
    }
    if (device.path == board.console) {
      fail(domain, fmt::format("{} is the hypervisor's console", device.path));
    }
    for (const MemoryRange& range : device.reg) {
      device.pieces.push_back(
          add_registers(device.path.empty() ? to_string(range) : device.path, range));
    }
    out.domains[n].devices.push_back(std::move(device));
  }
}

unsigned Assembler::add_console(std::uint64_t size) {
  const BoardDevice* console = board.find(board.console);
  out.console = console->reg.front();
  out.console.size = std::min(out.console.size, size);
  return add_registers(board.console, out.console);
}

void Assembler::check_devices() const {
  for (unsigned a = 0; a < out.domains.size(); ++a) {
    for (unsigned b = 0; b < a; ++b) {
      for (const DomainDevice& mine : out.domains[a].devices) {
        for (const DomainDevice& other : out.domains[b].devices) {
          for (const unsigned p : mine.pieces) {
            for (const unsigned q : other.pieces) {
              const Piece &x = out.problem.pieces[p], &y = out.problem.pieces[q];
              if (!MemoryRange{*x.fixed, x.size}.overlaps({*y.fixed, y.size})) continue;
              fail(config.domains[a],
                   x.name == y.name
                       ? fmt::format("{} has {}", config.domains[b].name, x.name)
                       : fmt::format("{} shares a granule of {:#x} bytes with {}, which {} has",
                                     x.name, target.granule, y.name, config.domains[b].name));
            }
          }
        }
      }
    }
  }
}

Assembly assemble(const PlanConfig& config, const Board& board, const TargetFacts& target,
                  const ImageReader& images) {
  Assembler assembler(config, board, target, images);
  if (config.hypervisor.empty() && target.target != Target::layer)
    assembler.fail("no hypervisor image is given");
  switch (target.target) {
    case Target::xen_arm:
      assemble_xen_arm(assembler);
      break;
    case Target::xen_upstream:
      assemble_xen_upstream(assembler);
      break;
    case Target::r82:
      assemble_r82(assembler);
      break;
    case Target::layer:
      assemble_layer(assembler);
      break;
  }
  assembler.check_devices();
  return std::move(assembler.out);
}

}  // namespace trapline::plan
