#include "sim/machine/elf_image.h"

#include <gelf.h>

#include <cstring>
#include <memory>

#include "sim/machine/image_error.h"
#include "sim/machine/memory_layout.h"

namespace trapline {
namespace {

using ElfHandle = std::unique_ptr<Elf, int (*)(Elf*)>;

std::string machine_name(unsigned machine) {
  switch (machine) {
    case EM_386:
      return "x86";
    case EM_X86_64:
      return "x86-64";
    case EM_ARM:
      return "32-bit Arm";
    case EM_RISCV:
      return "RISC-V";
    default:
      return "machine " + std::to_string(machine);
  }
}

/// The identification and type rules; everything that needs no segment.
void check_header(Elf* elf, const std::string& path) {
  GElf_Ehdr header;
  if (gelf_getehdr(elf, &header) == nullptr) {
    throw ImageError(path, std::string("ELF header unreadable: ") + elf_errmsg(-1));
  }
  if (header.e_machine != EM_AARCH64) {
    throw ImageError(path, "ELF for " + machine_name(header.e_machine) + ", not for AArch64",
                     "build it with an aarch64 compiler");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64) {
    throw ImageError(path, "ELF of the 32-bit class (ILP32)", "build it as ELF64");
  }
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
    throw ImageError(path, "big-endian ELF", "only little-endian images are supported");
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    throw ImageError(path,
                     "ELF is not an executable (e_type " + std::to_string(header.e_type) + ")",
                     "link it first");
  }
  // libelf does not look at the size, and would take the entries for its own.
  if (header.e_phnum != 0 && header.e_phentsize != sizeof(Elf64_Phdr)) {
    throw ImageError(path, "ELF header is corrupt: program headers of " +
                               std::to_string(header.e_phentsize) + " bytes");
  }
}

ElfSegment read_segment(const GElf_Phdr& phdr, unsigned index, std::uint64_t file_size,
                        const std::string& path) {
  const std::string name = "segment " + std::to_string(index);
  if (phdr.p_offset > file_size || phdr.p_filesz > file_size - phdr.p_offset) {
    throw ImageError(path,
                     "truncated: ELF " + name + " needs " + std::to_string(phdr.p_filesz) +
                         " bytes at offset " + std::to_string(phdr.p_offset) + ", the file has " +
                         std::to_string(file_size),
                     "copy or link it again");
  }
  if (phdr.p_filesz > phdr.p_memsz || phdr.p_paddr + phdr.p_memsz < phdr.p_paddr) {
    throw ImageError(path, "ELF " + name + " is corrupt: its sizes contradict each other");
  }
  return {.index = index,
          .address = phdr.p_paddr,
          .virtual_address = phdr.p_vaddr,
          .file_offset = phdr.p_offset,
          .file_bytes = phdr.p_filesz,
          .memory_bytes = phdr.p_memsz};
}

void check_overlap(const std::vector<ElfSegment>& segments, const ElfSegment& added,
                   const std::string& path) {
  const MemoryRange range{added.address, added.memory_bytes};
  for (const ElfSegment& other : segments) {
    const MemoryRange taken{other.address, other.memory_bytes};
    if (!taken.overlaps(range)) continue;
    throw ImageError(path,
                     "ELF segments " + std::to_string(other.index) + " (" + to_string(taken) +
                         ") and " + std::to_string(added.index) + " (" + to_string(range) +
                         ") overlap",
                     "check the load addresses (AT) in its linker script");
  }
}

PhysAddr physical_entry(std::uint64_t entry, const std::vector<ElfSegment>& segments) {
  for (const ElfSegment& segment : segments) {
    if (entry >= segment.virtual_address &&
        entry - segment.virtual_address < segment.memory_bytes) {
      return entry - segment.virtual_address + segment.address;
    }
  }
  return entry;
}

}  // namespace

bool has_elf_magic(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= SELFMAG && std::memcmp(bytes.data(), ELFMAG, SELFMAG) == 0;
}

ElfImage parse_elf(std::span<const std::uint8_t> bytes, const std::string& path) {
  if (elf_version(EV_CURRENT) == EV_NONE) {
    throw ImageError(path, std::string("libelf: ") + elf_errmsg(-1));
  }
  // libelf takes a char* but writes nothing to a file opened for reading in its own byte order.
  auto* data = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
  const ElfHandle elf(elf_memory(data, bytes.size()), elf_end);
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF) {
    throw ImageError(path, std::string("not a usable ELF file: ") + elf_errmsg(-1));
  }
  check_header(elf.get(), path);

  std::size_t count = 0;
  if (elf_getphdrnum(elf.get(), &count) != 0) {
    throw ImageError(path, std::string("ELF program headers unreadable: ") + elf_errmsg(-1));
  }
  ElfImage image;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr phdr;
    if (gelf_getphdr(elf.get(), static_cast<int>(i), &phdr) == nullptr) {
      throw ImageError(path, "truncated: ELF program header " + std::to_string(i) +
                                 " lies beyond the end of the file");
    }
    if (phdr.p_type != PT_LOAD || phdr.p_memsz == 0) continue;
    const ElfSegment segment = read_segment(phdr, static_cast<unsigned>(i), bytes.size(), path);
    check_overlap(image.segments, segment, path);
    image.segments.push_back(segment);
  }
  if (image.segments.empty()) {
    throw ImageError(path, "ELF has nothing to load (no PT_LOAD segment)");
  }
  GElf_Ehdr header;
  gelf_getehdr(elf.get(), &header);
  image.entry = physical_entry(header.e_entry, image.segments);
  return image;
}

}  // namespace trapline
