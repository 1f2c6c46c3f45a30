#include "sim/symbols/elf_symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

namespace trapline {

/// A symbol on its way to be a Function.
struct ElfSymbols::Candidate {
  Function function;
  std::uint64_t section_end = 0;
  unsigned rank = 0;  ///< Of several at one address, the lowest is the best name.
  bool is_function = false;
};

namespace {

bool is_internal(std::string_view name) {
  return name.empty() || name.front() == '$' || name.starts_with(".L");
}

unsigned rank_of(const GElf_Sym& symbol) {
  const unsigned kind = GELF_ST_TYPE(symbol.st_info) == STT_FUNC ? 0 : 3;
  switch (GELF_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
      return kind;
    case STB_WEAK:
      return kind + 1;
    default:
      return kind + 2;
  }
}

struct DwarfEnd {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

}  // namespace

void ElfSymbols::fail(const std::string& what) const {
  throw SymbolError(path_ + ": " + what);
}

ElfSymbols::ElfSymbols(std::string_view bytes, const std::string& path)
    : bytes_(bytes), path_(path), elf_(nullptr, elf_end) {
  elf_version(EV_CURRENT);
  // libelf takes a char* but writes nothing to a file opened for reading in its own byte order.
  elf_.reset(elf_memory(const_cast<char*>(bytes.data()), bytes.size()));
  if (!elf_ || elf_kind(elf_.get()) != ELF_K_ELF) {
    fail(std::string("not a usable ELF file: ") + elf_errmsg(-1));
  }
}

void ElfSymbols::read(SymbolFile& file) {
  check_header();
  check_sections();
  read_ranges(file);
  read_functions(file);
  read_lines(file);
}

void ElfSymbols::check_header() const {
  GElf_Ehdr header;
  if (!gelf_getehdr(elf_.get(), &header)) {
    fail(std::string("ELF header unreadable: ") + elf_errmsg(-1));
  }
  if (header.e_machine != EM_AARCH64 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB) {
    fail("not a little-endian ELF64 of AArch64");
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    fail("the ELF is not linked, so its symbols have no addresses");
  }
  if (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr)) {
    fail("the ELF header is corrupt: section headers of " + std::to_string(header.e_shentsize) +
         " bytes");
  }
  if (header.e_phnum != 0 && header.e_phentsize != sizeof(Elf64_Phdr)) {
    fail("the ELF header is corrupt: program headers of " + std::to_string(header.e_phentsize) +
         " bytes");
  }
  if (header.e_shoff > bytes_.size() || header.e_phoff > bytes_.size() ||
      header.e_shnum * sizeof(Elf64_Shdr) > bytes_.size() - header.e_shoff ||
      header.e_phnum * sizeof(Elf64_Phdr) > bytes_.size() - header.e_phoff) {
    fail("the ELF file is cut short: its headers lie beyond its end");
  }
}

void ElfSymbols::check_sections() const {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf_.get(), section))) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header)) {
      fail(std::string("a section header is unreadable: ") + elf_errmsg(-1));
    }
    if (header.sh_type == SHT_NOBITS || header.sh_type == SHT_NULL) continue;
    if (header.sh_offset > bytes_.size() || header.sh_size > bytes_.size() - header.sh_offset) {
      fail("the ELF file is cut short: section " + std::to_string(elf_ndxscn(section)) +
           " lies beyond its end");
    }
  }
}

void ElfSymbols::read_ranges(SymbolFile& file) const {
  std::size_t count = 0;
  if (elf_getphdrnum(elf_.get(), &count) != 0) fail("its program headers are unreadable");
  for (std::size_t n = 0; n < count; ++n) {
    GElf_Phdr header;
    if (!gelf_getphdr(elf_.get(), static_cast<int>(n), &header)) {
      fail("its program headers are unreadable");
    }
    if (header.p_type != PT_LOAD || header.p_memsz == 0) continue;
    file.ranges_.push_back({header.p_vaddr, header.p_paddr, header.p_memsz});
  }
}

void ElfSymbols::read_functions(SymbolFile& file) const {
  std::vector<Candidate> found;
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf_.get(), section))) {
    GElf_Shdr header;
    gelf_getshdr(section, &header);
    if (header.sh_type != SHT_SYMTAB || header.sh_entsize != sizeof(Elf64_Sym)) continue;
    Elf_Data* data = elf_getdata(section, nullptr);
    if (!data) fail(std::string("its symbols are unreadable: ") + elf_errmsg(-1));
    const std::size_t count = header.sh_size / header.sh_entsize;
    for (std::size_t n = 0; n < count; ++n) {
      GElf_Sym symbol;
      if (!gelf_getsym(data, static_cast<int>(n), &symbol)) fail("its symbols are unreadable");
      const unsigned type = GELF_ST_TYPE(symbol.st_info);
      if (type != STT_FUNC && type != STT_NOTYPE) continue;
      Elf_Scn* home = elf_getscn(elf_.get(), symbol.st_shndx);
      GElf_Shdr place;
      if (symbol.st_shndx == SHN_UNDEF || !home || !gelf_getshdr(home, &place)) continue;
      if (!(place.sh_flags & SHF_EXECINSTR)) continue;
      const char* name = elf_strptr(elf_.get(), header.sh_link, symbol.st_name);
      if (!name || is_internal(name)) continue;
      found.push_back({{symbol.st_value, symbol.st_size, name},
                       place.sh_addr + place.sh_size,
                       rank_of(symbol),
                       type == STT_FUNC && symbol.st_size != 0});
    }
  }
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    if (a.function.address != b.function.address) return a.function.address < b.function.address;
    return a.rank != b.rank ? a.rank < b.rank : a.function.name < b.function.name;
  });
  // Labels reach to the next symbol, or to the end of their section.
  std::uint64_t next = ~std::uint64_t{0};
  for (std::size_t n = found.size(); n-- > 0;) {
    Function& function = found[n].function;
    if (n + 1 < found.size() && found[n + 1].function.address != function.address) {
      next = found[n + 1].function.address;
    }
    if (function.size != 0) continue;
    function.size =
        std::min(std::max(found[n].section_end, function.address), next) - function.address;
  }
  std::uint64_t covered = 0;  // By functions: labels within them are places in them.
  for (Candidate& symbol : found) {
    if (symbol.is_function) {
      covered = std::max(covered, symbol.function.address + symbol.function.size);
    } else if (symbol.function.address < covered) {
      continue;
    }
    file.functions_.push_back(std::move(symbol.function));
  }
}

void ElfSymbols::read_lines(SymbolFile& file) const {
  const std::unique_ptr<Dwarf, DwarfEnd> dwarf(dwarf_begin_elf(elf_.get(), DWARF_C_READ, nullptr));
  if (!dwarf) return;  // None there: symbols alone are useful.
  std::map<std::string, std::uint32_t> numbers;
  Dwarf_Off offset = 0, next = 0;
  std::size_t header_bytes = 0;
  for (;; offset = next) {
    const int result =
        dwarf_nextcu(dwarf.get(), offset, &next, &header_bytes, nullptr, nullptr, nullptr);
    if (result > 0) return;
    if (result < 0) fail(std::string("its DWARF is corrupt: ") + dwarf_errmsg(-1));
    Dwarf_Die unit;
    if (!dwarf_offdie(dwarf.get(), offset + header_bytes, &unit)) {
      fail(std::string("its DWARF is corrupt: ") + dwarf_errmsg(-1));
    }
    if (!dwarf_hasattr(&unit, DW_AT_stmt_list)) continue;
    Dwarf_Lines* rows = nullptr;
    std::size_t count = 0;
    if (dwarf_getsrclines(&unit, &rows, &count) != 0) {
      fail(std::string("its DWARF is corrupt: ") + dwarf_errmsg(-1));
    }
    for (std::size_t n = 0; n < count; ++n) {
      Dwarf_Line* row = dwarf_onesrcline(rows, n);
      Dwarf_Addr address = 0;
      int line = 0;
      bool end = false;
      const char* source = dwarf_linesrc(row, nullptr, nullptr);
      if (dwarf_lineaddr(row, &address) || dwarf_lineno(row, &line) ||
          dwarf_lineendsequence(row, &end)) {
        fail(std::string("its DWARF is corrupt: ") + dwarf_errmsg(-1));
      }
      const auto [known, is_new] = numbers.try_emplace(
          source ? std::filesystem::path(source).lexically_normal().string() : "?",
          static_cast<std::uint32_t>(file.sources_.size()));
      if (is_new) file.sources_.push_back(known->first);
      file.lines_.push_back({address, known->second, end ? 0 : static_cast<std::uint32_t>(line)});
    }
  }
}

}  // namespace trapline
