// An ELF's symbol table and DWARF line programs. Internal to sim/symbols.
#pragma once

#include <libelf.h>

#include <memory>
#include <string>
#include <string_view>

#include "sim/symbols/symbol_file.h"

namespace trapline {

class ElfSymbols {
 public:
  /// `bytes` must outlive this object. Throws SymbolError.
  ElfSymbols(std::string_view bytes, const std::string& path);
  /// Throws SymbolError.
  void read(SymbolFile& file);

 private:
  struct Candidate;

  [[noreturn]] void fail(const std::string& what) const;
  void check_header() const;
  void check_sections() const;
  void read_ranges(SymbolFile& file) const;
  void read_functions(SymbolFile& file) const;
  void read_lines(SymbolFile& file) const;

  std::string_view bytes_;
  const std::string& path_;
  std::unique_ptr<Elf, int (*)(Elf*)> elf_;
};

}  // namespace trapline
