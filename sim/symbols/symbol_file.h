// The functions and source lines that one file knows: an ELF with its DWARF, or nm's text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sim/arch/types.h"

namespace trapline {

/// A file that holds no usable symbols. what() is one line that names it.
class SymbolError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Code from `address` on. Assembly's labels have no size of their own: they reach to the next one.
struct Function {
  VirtAddr address = 0;
  std::uint64_t size = 0;  ///< In bytes.
  std::string name;
};

/// Code from `address` to the next row's was made from this line.
struct LineRow {
  VirtAddr address = 0;
  std::uint32_t file = 0;  ///< Of SymbolFile::sources().
  std::uint32_t line = 0;  ///< From 1; 0: from no line, or the end of what is known.
};

/// Where a segment was linked and where it is loaded.
struct LoadRange {
  VirtAddr virtual_address = 0;
  PhysAddr physical = 0;
  std::uint64_t bytes = 0;
};

/// Addresses are those that the file was linked for.
class SymbolFile {
 public:
  /// Reads an ELF64 of AArch64 (executable or shared; its debug sections may be compressed), or
  /// what nm and System.map write: "ffff800008000000 T _text" a line. Throws SymbolError for a file
  /// that is neither, is cut short or corrupt, or holds no symbols of code.
  static SymbolFile load(const std::string& path);

  /// In the order of their addresses; none begins where another does.
  std::span<const Function> functions() const { return functions_; }
  /// In the order of their addresses, each address once.
  std::span<const LineRow> lines() const { return lines_; }
  /// Source files as the compiler named them.
  std::span<const std::string> sources() const { return sources_; }
  /// Of an ELF's PT_LOAD entries.
  std::span<const LoadRange> ranges() const { return ranges_; }

  /// nullptr where no function is. Of functions within each other, the inner one.
  const Function* function_at(VirtAddr address) const;
  /// nullptr where the line is not known.
  const LineRow* line_at(VirtAddr address) const;

 private:
  friend class ElfSymbols;

  void read_nm(const std::string& path, std::string_view text);
  void finish(const std::string& path);

  std::vector<Function> functions_;
  std::vector<LineRow> lines_;
  std::vector<std::string> sources_;
  std::vector<LoadRange> ranges_;
};

}  // namespace trapline
