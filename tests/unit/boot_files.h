// Small images made on the spot, for the tests of loaders and boot plans.
#pragma once

#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace trapline::testing {

using Bytes = std::vector<std::uint8_t>;

/// A directory of its own for each test, removed afterwards.
class BootFilesTest : public ::testing::Test {
 protected:
  BootFilesTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::temp_directory_path() /
                 ("trapline-" + std::to_string(::getpid()) + "-" + test->name());
    std::filesystem::create_directories(directory_);
  }
  ~BootFilesTest() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::string write(const std::string& name, const Bytes& bytes) const {
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }

 private:
  std::filesystem::path directory_;
};

template <typename T>
void put(Bytes& bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

/// An arm64 Image of `file_size` bytes (0x5a after the header) without an EFI stub.
inline Bytes make_image(std::size_t file_size, std::uint64_t image_size,
                        std::uint64_t text_offset = 0, std::uint64_t flags = 0xa) {
  Bytes bytes(file_size, 0x5a);
  std::memset(bytes.data(), 0, 64);
  put<std::uint64_t>(bytes, 8, text_offset);
  put<std::uint64_t>(bytes, 16, image_size);
  put<std::uint64_t>(bytes, 24, flags);
  std::memcpy(&bytes[0x38], "ARMd", 4);
  return bytes;
}

/// The same with a PE header whose one section ends at the end of the file.
inline Bytes make_efi_image(std::size_t file_size, std::uint64_t image_size) {
  Bytes bytes = make_image(file_size, image_size);
  put<std::uint32_t>(bytes, 0x3c, 0x40);
  std::memset(&bytes[0x40], 0, 0x40);
  std::memcpy(&bytes[0x40], "PE\0\0", 4);
  put<std::uint16_t>(bytes, 0x46, 1);  // One section, no optional header.
  std::memcpy(&bytes[0x58], ".text\0\0", 8);
  put<std::uint32_t>(bytes, 0x58 + 16, static_cast<std::uint32_t>(file_size - 0x80));
  put<std::uint32_t>(bytes, 0x58 + 20, 0x80);
  return bytes;
}

struct Segment {
  std::uint64_t address;
  std::uint64_t file_bytes;
  std::uint64_t memory_bytes;
  std::uint64_t virtual_address = 0;  ///< 0: as the address.
  std::uint32_t type = PT_LOAD;
};

/// An ELF64 executable; segment i is filled with 0x10 + i.
inline Bytes make_elf(const std::vector<Segment>& segments, std::uint64_t entry,
                      std::uint16_t machine = EM_AARCH64) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_entry = entry;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<Elf64_Half>(segments.size());
  Bytes bytes(sizeof header + segments.size() * sizeof(Elf64_Phdr));
  put(bytes, 0, header);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    Elf64_Phdr phdr{};
    phdr.p_type = segments[i].type;
    phdr.p_flags = PF_R | PF_X;
    phdr.p_offset = bytes.size();
    phdr.p_paddr = segments[i].address;
    phdr.p_vaddr =
        segments[i].virtual_address != 0 ? segments[i].virtual_address : segments[i].address;
    phdr.p_filesz = segments[i].file_bytes;
    phdr.p_memsz = segments[i].memory_bytes;
    put(bytes, sizeof header + i * sizeof phdr, phdr);
    bytes.resize(bytes.size() + segments[i].file_bytes, static_cast<std::uint8_t>(0x10 + i));
  }
  return bytes;
}

inline Bytes gzip(const Bytes& plain) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes packed(deflateBound(&stream, plain.size()));
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// The message of the exception that `action` throws; empty if it throws none.
template <typename Error, typename Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace trapline::testing

/// `text` holds `part`, with both shown if not.
#define EXPECT_HOLDS(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << "text: " << (text)
