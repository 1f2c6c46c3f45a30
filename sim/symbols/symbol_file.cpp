#include "sim/symbols/symbol_file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/symbols/elf_symbols.h"

namespace trapline {
namespace {

constexpr std::uintmax_t kMostBytes = std::uintmax_t{4} << 30;
constexpr std::string_view kElfMagic{"\177ELF", 4};
/// Functions that may lie around another one, at most.
constexpr unsigned kDeepest = 16;

std::string contents(const std::string& path) {
  std::error_code error;
  const std::filesystem::path file(path);
  if (!std::filesystem::is_regular_file(file, error)) {
    throw SymbolError(path + ": " + (error ? error.message() : "it is no file"));
  }
  if (std::filesystem::file_size(file, error) > kMostBytes) {
    throw SymbolError(path + ": it is larger than 4 GiB");
  }
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) {
    throw SymbolError(path + ": " + (errno ? std::strerror(errno) : "cannot be read"));
  }
  return std::move(text).str();
}

std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

bool parse_hex(std::string_view text, std::uint64_t& value) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value, 16);
  return error == std::errc{} && at == end && !text.empty();
}

bool is_code(std::string_view type) {
  return type == "t" || type == "T" || type == "w" || type == "W";
}

/// Tools' own labels: mapping symbols (AAELF64, "Mapping symbols") and those of the compiler.
bool is_internal(std::string_view name) {
  return name.empty() || name.front() == '$' || name.starts_with(".L");
}

}  // namespace

SymbolFile SymbolFile::load(const std::string& path) {
  const std::string bytes = contents(path);
  SymbolFile file;
  if (std::string_view(bytes).starts_with(kElfMagic)) {
    ElfSymbols(bytes, path).read(file);
  } else {
    file.read_nm(path, bytes);
  }
  file.finish(path);
  return file;
}

/// "ADDRESS [SIZE] TYPE NAME" a line. Symbols of data end the function before them.
void SymbolFile::read_nm(const std::string& path, std::string_view text) {
  std::vector<VirtAddr> ends;
  unsigned number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t newline = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (line.front() == ' ') continue;  // nm's undefined symbols have no address.
    Function function;
    std::string_view rest = line, word = take_word(rest);
    bool good = parse_hex(word, function.address);
    word = take_word(rest);
    if (word.size() > 1) {
      good = good && parse_hex(word, function.size);
      word = take_word(rest);
    }
    const std::string_view name = take_word(rest);
    if (!good || word.size() != 1 || name.empty()) {
      throw SymbolError(path +
                        ": neither ELF nor a list of symbols as nm or System.map have it (line " +
                        std::to_string(number) + ")");
    }
    ends.push_back(function.address);
    if (!is_code(word) || is_internal(name)) continue;
    function.name = name;
    functions_.push_back(std::move(function));
  }
  std::sort(ends.begin(), ends.end());
  for (Function& function : functions_) {
    if (function.size) continue;
    const auto next = std::upper_bound(ends.begin(), ends.end(), function.address);
    // The last one of all: nothing says where it ends.
    function.size = next == ends.end() ? 4 : *next - function.address;
  }
}

void SymbolFile::finish(const std::string& path) {
  if (functions_.empty()) {
    throw SymbolError(path + ": it holds no symbols of functions; was it stripped?");
  }
  // Of several names for one address, the reader that made the list put the best first.
  std::stable_sort(functions_.begin(), functions_.end(),
                   [](const Function& a, const Function& b) { return a.address < b.address; });
  functions_.erase(
      std::unique(functions_.begin(), functions_.end(),
                  [](const Function& a, const Function& b) { return a.address == b.address; }),
      functions_.end());
  // A sequence may end where the next one begins, and is followed by that.
  std::stable_sort(lines_.begin(), lines_.end(), [](const LineRow& a, const LineRow& b) {
    return a.address != b.address ? a.address < b.address : a.line == 0 && b.line != 0;
  });
  std::vector<LineRow> once;
  for (const LineRow& row : lines_) {
    if (!once.empty() && once.back().address == row.address) {
      once.back() = row;
    } else if (once.empty() || once.back().line != row.line || once.back().file != row.file) {
      once.push_back(row);
    }
  }
  lines_ = std::move(once);
}

const Function* SymbolFile::function_at(VirtAddr address) const {
  auto after = std::upper_bound(
      functions_.begin(), functions_.end(), address,
      [](VirtAddr wanted, const Function& function) { return wanted < function.address; });
  for (unsigned depth = 0; depth < kDeepest && after != functions_.begin(); ++depth) {
    --after;
    if (address - after->address < after->size) return &*after;
  }
  return nullptr;
}

const LineRow* SymbolFile::line_at(VirtAddr address) const {
  const auto after =
      std::upper_bound(lines_.begin(), lines_.end(), address,
                       [](VirtAddr wanted, const LineRow& row) { return wanted < row.address; });
  if (after == lines_.begin()) return nullptr;
  const LineRow& row = *std::prev(after);
  return row.line == 0 ? nullptr : &row;
}

}  // namespace trapline
