#include "sim/symbols/symbols.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "tests/unit/boot_files.h"

namespace trapline {
namespace {

using testing::Bytes;

Bytes contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  const std::string bytes = std::move(text).str();
  return {bytes.begin(), bytes.end()};
}

Bytes text(std::string_view lines) {
  return {lines.begin(), lines.end()};
}

class SymbolsTest : public testing::BootFilesTest {
 protected:
  SymbolFile nm(std::string_view lines) {
    return SymbolFile::load(write("System.map", text(lines)));
  }
  std::string error_of(const Bytes& bytes) {
    try {
      SymbolFile::load(write("bad", bytes));
    } catch (const SymbolError& error) {
      return error.what();
    }
    return {};
  }
  // A guest with debug information; CMake says where it is.
  const std::string guest = TRAPLINE_TEST_GUEST;
};

TEST_F(SymbolsTest, ReadsSystemMap) {
  const SymbolFile file =
      nm("ffff800008000000 T _text\n"
         "ffff800008000040 t helper\n"
         "ffff800008000080 D data\n"
         "ffff8000080000c0 W weak\n");
  ASSERT_EQ(file.functions().size(), 3u);
  EXPECT_EQ(file.function_at(0xffff80000800003c)->name, "_text");
  EXPECT_EQ(file.function_at(0xffff80000800007c)->name, "helper");
  EXPECT_EQ(file.function_at(0xffff800008000080), nullptr);  // Data follows it.
  EXPECT_EQ(file.function_at(0xffff800007ffffff), nullptr);
  EXPECT_EQ(file.function_at(0xffff8000080000c0)->name, "weak");
  EXPECT_TRUE(file.lines().empty());
}

TEST_F(SymbolsTest, ReadsSizesAndUndefinedSymbolsOfNm) {
  const SymbolFile file =
      nm("                 U printf\n"
         "0000000000001000 0000000000000008 T short\n"
         "0000000000001000 a absolute\n"
         "0000000000002000 t $x\n");
  ASSERT_EQ(file.functions().size(), 1u);
  EXPECT_EQ(file.function_at(0x1004)->name, "short");
  EXPECT_EQ(file.function_at(0x1008), nullptr);
}

TEST_F(SymbolsTest, SaysWhichLineIsNoSymbol) {
  EXPECT_NE(error_of(text("0000000000001000 T good\nnonsense\n")).find("(line 2)"),
            std::string::npos);
  EXPECT_NE(error_of(text("0000000000001000 D only_data\n")).find("no symbols of functions"),
            std::string::npos);
  EXPECT_NE(error_of({}).find("no symbols of functions"), std::string::npos);
}

TEST_F(SymbolsTest, RefusesWhatIsNoFile) {
  EXPECT_THROW(SymbolFile::load(path("absent")), SymbolError);
  EXPECT_THROW(SymbolFile::load("/"), SymbolError);
  EXPECT_THROW(SymbolFile::load("/dev/zero"), SymbolError);
}

TEST_F(SymbolsTest, ReadsFunctionsAndLinesOfAnElf) {
  const SymbolFile file = SymbolFile::load(guest);
  const auto main = std::find_if(file.functions().begin(), file.functions().end(),
                                 [](const Function& f) { return f.name == "guest_main"; });
  ASSERT_NE(main, file.functions().end());
  EXPECT_GT(main->size, 4u);
  EXPECT_EQ(file.function_at(main->address + 4), &*main);
  const LineRow* row = file.line_at(main->address);
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(file.sources()[row->file], "guests/conformance/exceptions.c");
  EXPECT_GT(row->line, 0u);
  // Assembly: a label without a size reaches to the next.
  const Function* start = file.function_at(file.functions().front().address);
  ASSERT_NE(start, nullptr);
  EXPECT_GE(start->size, 4u);
  for (std::size_t n = 1; n < file.functions().size(); ++n) {
    EXPECT_LT(file.functions()[n - 1].address, file.functions()[n].address);
  }
  for (std::size_t n = 1; n < file.lines().size(); ++n) {
    EXPECT_LT(file.lines()[n - 1].address, file.lines()[n].address);
  }
}

TEST_F(SymbolsTest, ATruncatedElfIsOneClearLine) {
  const Bytes whole = contents(guest);
  for (std::size_t size = 4; size < whole.size(); size += size < 512 ? 1 : 1021) {
    const std::string error = error_of(Bytes(whole.begin(), whole.begin() + size));
    EXPECT_NE(error, "") << size;
    EXPECT_EQ(error.find('\n'), std::string::npos);
    EXPECT_NE(error.find("/bad: "), std::string::npos);
  }
}

TEST_F(SymbolsTest, ADamagedElfIsReadOrRefused) {
  const Bytes whole = contents(guest);
  std::mt19937_64 random(4);
  unsigned refused = 0;
  for (unsigned round = 0; round < 600; ++round) {
    Bytes bytes = whole;
    for (unsigned change = 0; change <= round % 8; ++change) {
      bytes[4 + random() % (bytes.size() - 4)] = static_cast<std::uint8_t>(random());
    }
    if (round % 3 == 0) bytes[4 + random() % 60] ^= 1u << random() % 8;
    refused += !error_of(bytes).empty();
  }
  EXPECT_GT(refused, 20u);
}

TEST_F(SymbolsTest, FindsPlacesByLevelAndVm) {
  const std::string one = write("one", text("1000 T hyp\n1100 T end\n"));
  const std::string two = write("two", text("1000 T kernel\n1100 T end\n"));
  Symbols symbols;
  symbols.add({one, El::el2, {}, 0});
  symbols.add({two, {}, 3, 0x10000});
  EXPECT_EQ(symbols.text(0x1010, El::el2, 0), "hyp+0x10");
  EXPECT_EQ(symbols.text(0x1010, El::el1, 0), "");
  EXPECT_EQ(symbols.text(0x11010, El::el1, 3), "kernel+0x10");
  EXPECT_EQ(symbols.text(0x11010, El::el1, 2), "");
  EXPECT_EQ(symbols.entries().size(), 2u);
}

TEST_F(SymbolsTest, AFileWithoutSymbolsMayBeLeftOut) {
  Symbols symbols;
  EXPECT_FALSE(symbols.add_if_any({write("raw", Bytes(64, 0)), {}, {}, 0}));
  EXPECT_TRUE(symbols.empty());
  EXPECT_THROW(symbols.add({path("raw"), {}, {}, 0}), SymbolError);
}

TEST_F(SymbolsTest, WritesPlacesShort) {
  EXPECT_EQ((CodePlace{"main", 16, "a/b/guest.c", 31}.text()), "main+0x10 (guest.c:31)");
  EXPECT_EQ((CodePlace{"main", 0, "", 0}.text()), "main+0x0");
  EXPECT_EQ((CodePlace{"", 0, "guest.c", 31}.text()), "guest.c:31");
}

}  // namespace
}  // namespace trapline
