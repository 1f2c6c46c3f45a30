// Names from ELF files: the sections that occupy memory.
#include <gelf.h>

#include <memory>

#include "sim/machine/image_loader.h"
#include "sim/report/address_names.h"

namespace trapline {
namespace {

/// Where a section is loaded: by the segment that holds it.
std::uint64_t load_address(const ElfImage& image, const GElf_Shdr& section) {
  for (const ElfSegment& segment : image.segments) {
    const std::uint64_t offset = section.sh_addr - segment.virtual_address;
    if (section.sh_addr >= segment.virtual_address && offset < segment.memory_bytes) {
      return segment.address + offset;
    }
  }
  return section.sh_addr;
}

}  // namespace

void AddressNames::add_image(const std::string& path, const std::string& label,
                             std::uint64_t offset) {
  const LoadedImage image = load_image(path, "image");
  if (!image.elf) return;
  elf_version(EV_CURRENT);
  // libelf takes a char* but writes nothing to a file opened for reading in its own byte order.
  auto* bytes = const_cast<char*>(reinterpret_cast<const char*>(image.bytes->data()));
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(elf_memory(bytes, image.bytes->size()), elf_end);
  std::size_t names = 0;
  const bool has_names = elf && elf_getshdrstrndx(elf.get(), &names) == 0;
  std::size_t found = 0;
  for (Elf_Scn* at = has_names ? elf_nextscn(elf.get(), nullptr) : nullptr; at;
       at = elf_nextscn(elf.get(), at)) {
    GElf_Shdr section;
    if (!gelf_getshdr(at, &section) || !(section.sh_flags & SHF_ALLOC) || section.sh_size == 0) {
      continue;
    }
    const char* name = elf_strptr(elf.get(), names, section.sh_name);
    const std::uint64_t first = load_address(*image.elf, section) + offset;
    add({first, first + section.sh_size - 1, label + ' ' + (name ? name : "?"), label,
         NamedRange::Source::image});
    ++found;
  }
  if (found != 0) return;
  for (const ElfSegment& segment : image.elf->segments) {  // Stripped of its sections.
    const std::uint64_t first = segment.address + offset;
    add({first, first + segment.memory_bytes - 1, label, label, NamedRange::Source::image});
  }
}

}  // namespace trapline
