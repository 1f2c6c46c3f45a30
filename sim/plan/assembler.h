// What the targets' assembly has in common: pieces out of a configuration.
#pragma once

#include <string>
#include <utility>

#include "sim/plan/target.h"

namespace trapline::plan {

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kTwoMiB = std::uint64_t{2} << 20;

/// Memory kept for a passthrough tree that is made here.
constexpr std::uint64_t passthrough_bytes(std::size_t devices) {
  return (1024 + 768 * devices + kPage - 1) & ~(kPage - 1);
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t align) {
  return (value + align - 1) & ~(align - 1);
}

class Assembler {
 public:
  Assembler(const PlanConfig& config, const Board& board, const TargetFacts& target,
            const ImageReader& images);

  [[noreturn]] void fail(std::string_view message) const;
  [[noreturn]] void fail(const DomainConfig& domain, std::string_view message) const;

  unsigned add_piece(Piece piece);
  /// Memory of `size` bytes, rounded up to the granule. `why` says whose wish a fixed address is.
  unsigned add_memory(const std::string& name, std::uint64_t size, std::uint64_t align,
                      std::optional<PhysAddr> fixed, const std::string& why);
  /// Registers, rounded outward to the granule.
  unsigned add_registers(const std::string& name, const MemoryRange& range);
  unsigned add_group(Group group);
  unsigned add_context(std::string name, std::vector<SlotRow> rows, unsigned weight);
  void constrain(Constraint::Kind kind, unsigned index, std::string text, std::uint64_t value = 1,
                 unsigned group = 0);

  /// Everything else than slots: the hypervisor's image, reserved ranges, regions.
  void add_hypervisor(std::uint64_t size, std::uint64_t align, const ImageFacts& facts);
  /// Where the boot loader is said to put it, or else `usual`, if there is memory.
  void add_device_tree(PhysAddr usual, std::uint64_t size);
  void add_heap(std::uint64_t align);
  void add_domain_memory(unsigned domain);
  void add_modules(unsigned domain);
  void add_devices(unsigned domain);
  /// The console's registers, at most `size` bytes of them.
  unsigned add_console(std::uint64_t size);
  void check_devices() const;

  ImageFacts image(const std::string& path, const std::string& role) const {
    return images_(path, role);
  }

  const PlanConfig& config;
  const Board& board;
  const TargetFacts& target;
  Assembly out;

 private:
  const ImageReader& images_;
};

void assemble_xen_arm(Assembler& assembler);
void assemble_xen_upstream(Assembler& assembler);
void assemble_r82(Assembler& assembler);
void assemble_layer(Assembler& assembler);

}  // namespace trapline::plan
