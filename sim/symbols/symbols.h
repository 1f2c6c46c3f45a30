// What is known of the addresses of a machine: the symbols of its images, and where each of them
// holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/arch/types.h"
#include "sim/symbols/symbol_file.h"

namespace trapline {

/// `--symbols FILE[,el=N][,vmid=N][,offset=N]`.
struct SymbolSpec {
  std::string path;
  std::optional<El> el;               ///< Only there.
  std::optional<std::uint16_t> vmid;  ///< Only in this VM.
  std::uint64_t offset = 0;  ///< Added to the file's addresses (modulo 2^64): where it runs.

  friend bool operator==(const SymbolSpec&, const SymbolSpec&) = default;
};

/// What an address is. Text is the Symbols object's.
struct CodePlace {
  std::string_view function;  ///< Empty if none is known.
  std::uint64_t offset = 0;   ///< From the function's beginning.
  std::string_view source;    ///< Empty if unknown: the file, as the compiler named it,
  unsigned line = 0;          ///< and the line.

  /// "main+0x10 (guest.c:31)", "main+0x10", "guest.c:31". The file is named without its folders.
  std::string text() const;
};

class Symbols {
 public:
  /// One file's symbols and where they hold.
  struct Entry {
    SymbolSpec spec;
    SymbolFile file;
  };

  /// Loads the file. Where several know an address, the first added tells. Throws SymbolError.
  void add(const SymbolSpec& spec);
  /// As add(), for a file that may as well hold none: false then.
  bool add_if_any(const SymbolSpec& spec);

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }

  /// By the addresses the images were linked for and, failing that, by those they were loaded at:
  /// code runs there until it switches its translation on. Nothing if no file knows the address.
  std::optional<CodePlace> lookup(VirtAddr address, El el, std::uint16_t vmid) const;
  /// lookup()'s text, or an empty one.
  std::string text(VirtAddr address, El el, std::uint16_t vmid) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace trapline
