// Any bytes as a file of symbols: an ELF with its DWARF, or a list as nm and System.map have it.
#include "sim/symbols/symbols.h"
#include "tests/fuzz/memory_file.h"

namespace {

using namespace trapline;

void use(const SymbolFile& file) {
  fuzz::check(!file.functions().empty(), "a file that is accepted has functions");
  const Function* last = nullptr;
  for (const Function& function : file.functions()) {
    fuzz::check(!last || last->address < function.address, "functions are in order, each once");
    fuzz::check(!function.name.empty(), "functions have names");
    if (function.size != 0) {
      fuzz::check(file.function_at(function.address) == &function, "a function is found");
    }
    last = &function;
  }
  const LineRow* before = nullptr;
  for (const LineRow& row : file.lines()) {
    fuzz::check(!before || before->address < row.address, "lines are in order, each once");
    fuzz::check(row.file < file.sources().size(), "a line has a file");
    const LineRow* found = file.line_at(row.address);
    fuzz::check(row.line == 0 ? !found : found == &row, "a line is found");
    before = &row;
  }
  for (const VirtAddr address : {VirtAddr{0}, ~VirtAddr{0}, VirtAddr{1} << 63}) {
    file.function_at(address);
    file.line_at(address);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile bytes({data, size});
  try {
    const SymbolFile file = SymbolFile::load(bytes.path());
    use(file);
    Symbols symbols;
    symbols.add({.path = bytes.path(), .el = El::el1, .vmid = {}, .offset = 0x1000});
    for (const Function& function : file.functions()) {
      symbols.text(function.address + 0x1000, El::el1, 0);
      fuzz::check(!symbols.lookup(function.address, El::el2, 0), "symbols hold at their level");
    }
  } catch (const SymbolError& error) {
    fuzz::check_message(error.what());
  }
  return 0;
}
