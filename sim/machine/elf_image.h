// ELF64 executables for AArch64, loaded by physical address.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/arch/types.h"

namespace trapline {

/// One PT_LOAD entry.
struct ElfSegment {
  unsigned index = 0;            ///< In the program header table.
  PhysAddr address = 0;          ///< p_paddr.
  VirtAddr virtual_address = 0;  ///< p_vaddr.
  std::uint64_t file_offset = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t memory_bytes = 0;  ///< At least file_bytes; the rest is zero.
};

struct ElfImage {
  /// Physical: where e_entry is a virtual address of some segment, it is translated by it.
  PhysAddr entry = 0;
  std::vector<ElfSegment> segments;  ///< Those that occupy memory, in file order.
};

/// True if `bytes` start with the ELF magic, of whatever class and machine.
bool has_elf_magic(std::span<const std::uint8_t> bytes);

/// Reads the program headers. Throws ImageError for another class, byte order or machine, for
/// relocatable objects, and for headers or segments that are truncated or overlap in memory.
ElfImage parse_elf(std::span<const std::uint8_t> bytes, const std::string& path);

}  // namespace trapline
