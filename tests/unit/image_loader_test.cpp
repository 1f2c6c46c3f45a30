#include "sim/machine/image_loader.h"

#include "boot_files.h"
#include "sim/machine/boot_blob.h"

namespace trapline::testing {
namespace {

class ImageLoaderTest : public BootFilesTest {
 protected:
  std::string load_error(const std::string& name, const Bytes& bytes) {
    const std::string file = write(name, bytes);
    const std::string message = error_of<ImageError>([&] { load_bootable_image(file, "kernel"); });
    EXPECT_TRUE(message.starts_with(file + ": ")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  MemoryLayout layout_{{{0x40000000, 64 << 20}}};
};

TEST_F(ImageLoaderTest, ReadsTheArm64HeaderAndCountsTheBss) {
  const std::string file = write("Image", make_image(4096, 0x300000, 0x80000, 0x2));
  const LoadedImage image = load_image(file, "kernel");
  ASSERT_EQ(image.kind, ImageKind::arm64_image);
  EXPECT_EQ(image.header->text_offset, 0x80000u);
  EXPECT_EQ(image.memory_bytes(), 0x300000u);
  EXPECT_EQ(image.header->page_size(), 4096u);
  EXPECT_FALSE(image.header->placed_anywhere());
  EXPECT_FALSE(image.was_compressed);
}

TEST_F(ImageLoaderTest, ImageFromBeforeLinux317HasAFixedOffset) {
  const LoadedImage image = load_image(write("Image", make_image(8192, 0, 0x1234)), "kernel");
  EXPECT_EQ(image.header->text_offset, 0x80000u);
  EXPECT_EQ(image.memory_bytes(), 8192u);
}

TEST_F(ImageLoaderTest, UnpacksGzipAroundImageAndElf) {
  const Bytes plain = make_image(3 << 20, 4 << 20);
  const LoadedImage image = load_image(write("Image.gz", gzip(plain)), "kernel");
  EXPECT_EQ(image.kind, ImageKind::arm64_image);
  EXPECT_TRUE(image.was_compressed);
  EXPECT_EQ(*image.bytes, plain);

  const Bytes elf = make_elf({{0x40000000, 16, 16}}, 0x40000000);
  EXPECT_EQ(load_image(write("elf.gz", gzip(elf)), "kernel").kind, ImageKind::elf);
}

TEST_F(ImageLoaderTest, LeavesGzipAroundAnythingElsePacked) {
  const Bytes packed = gzip(Bytes(5000, 0x30));
  const LoadedImage image = load_image(write("initrd.gz", packed), "file");
  EXPECT_EQ(image.kind, ImageKind::raw);
  EXPECT_FALSE(image.was_compressed);
  EXPECT_EQ(*image.bytes, packed);
}

TEST_F(ImageLoaderTest, FlatProgramsBeginWithSixteenInstructions) {
  const auto is_flat = [&](const Bytes& bytes) {
    return is_flat_program(load_image(write("flat", bytes), "kernel"));
  };
  Bytes code(64);
  for (std::size_t at = 0; at < code.size(); at += 4) put<std::uint32_t>(code, at, 0xd503201f);  // NOP
  EXPECT_TRUE(is_flat(code));
  EXPECT_FALSE(is_flat(Bytes(code.begin(), code.end() - 1))) << "too short to tell";
  put<std::uint32_t>(code, 60, 0x03020100);
  EXPECT_FALSE(is_flat(code)) << "the last word is unallocated";
  put<std::uint32_t>(code, 60, 0x1234);
  EXPECT_FALSE(is_flat(code)) << "the last word is UDF";
  EXPECT_FALSE(is_flat(Bytes(4096, 0)));
  std::string text;
  while (text.size() < 64) text += "hello, hello\n";
  EXPECT_FALSE(is_flat(Bytes(text.begin(), text.end())));
  EXPECT_FALSE(is_flat(make_image(4096, 8192)));
}

TEST_F(ImageLoaderTest, UnpacksSeveralGzipMembersAndIgnoresWhatFollows) {
  Bytes packed = gzip(make_image(4096, 8192));
  const Bytes second = gzip(Bytes(100, 0x77));
  packed.insert(packed.end(), second.begin(), second.end());
  packed.insert(packed.end(), 32, 0);
  const LoadedImage image = load_image(write("two.gz", packed), "kernel");
  ASSERT_EQ(image.bytes->size(), 4196u);
  EXPECT_EQ(image.bytes->back(), 0x77);
}

TEST_F(ImageLoaderTest, UnpacksEfiZboot) {
  const Bytes plain = make_image(4096, 8192);
  const Bytes packed = gzip(plain);
  Bytes zboot(0x40);
  std::memcpy(zboot.data(), "MZ\0\0zimg", 8);
  put<std::uint32_t>(zboot, 8, 0x40);
  put<std::uint32_t>(zboot, 12, static_cast<std::uint32_t>(packed.size()));
  std::memcpy(&zboot[24], "gzip", 4);
  Bytes file = zboot;
  file.insert(file.end(), packed.begin(), packed.end());
  EXPECT_EQ(*load_image(write("vmlinuz.efi", file), "kernel").bytes, plain);

  file.resize(file.size() - 1);
  EXPECT_HOLDS(load_error("cut.efi", file), "truncated");
  std::memcpy(&zboot[24], "zstd", 4);
  EXPECT_HOLDS(load_error("zstd.efi", zboot), "\"zstd\"");
}

TEST_F(ImageLoaderTest, ReportsFilesThatCannotBeRead) {
  EXPECT_HOLDS(error_of<ImageError>([&] { read_file(path("none"), "initrd"); }),
               "none: cannot read initrd: No such file or directory");
  EXPECT_HOLDS(error_of<ImageError>([&] { read_file(path(""), "kernel"); }), "directory");
  const std::string empty = write("empty", {});
  EXPECT_HOLDS(error_of<ImageError>([&] { read_file(empty, "initrd"); }), "empty");
}

TEST_F(ImageLoaderTest, ReportsATruncatedEfiImage) {
  Bytes bytes = make_efi_image(0x1000, 0x2000);
  EXPECT_EQ(load_image(write("whole", bytes), "kernel").kind, ImageKind::arm64_image);
  bytes.resize(0xfff);
  EXPECT_HOLDS(load_error("cut", bytes), "truncated: section .text, which ends at offset 4096,");
  bytes.resize(0x60);
  EXPECT_HOLDS(load_error("cut", bytes), "truncated: its PE section table");
}

TEST_F(ImageLoaderTest, ReportsTruncatedAndCorruptGzip) {
  Bytes noise = make_image(200000, 200000);
  for (std::size_t i = 64; i < noise.size(); ++i) {
    noise[i] = static_cast<std::uint8_t>(i * i * 31 >> 7);
  }
  Bytes packed = gzip(noise);
  Bytes cut(packed.begin(), packed.begin() + static_cast<long>(packed.size() / 2));
  EXPECT_HOLDS(load_error("cut.gz", cut),
               "gzip data ends early at offset " + std::to_string(cut.size()));
  packed[packed.size() - 6] ^= 0xff;  // In the CRC.
  EXPECT_HOLDS(load_error("bad.gz", packed), "gzip data is corrupt at offset");
}

TEST_F(ImageLoaderTest, ReportsForeignKernelsByWhatTheyAre) {
  Bytes bzimage(0x300);
  std::memcpy(&bzimage[0x202], "HdrS", 4);
  EXPECT_HOLDS(load_error("bzImage", bzimage), "x86 Linux bzImage");
  Bytes zimage(0x40);
  put<std::uint32_t>(zimage, 0x24, 0x016f2818);
  EXPECT_HOLDS(load_error("zImage", zimage), "32-bit Arm Linux zImage");
  EXPECT_HOLDS(load_error("initrd.gz", gzip(Bytes(100, 1))), "no arm64 Image or ELF inside");
  EXPECT_HOLDS(load_error("raw.bin", Bytes(100, 1)), "--load FILE@ADDRESS");
  EXPECT_HOLDS(load_error("be", make_image(4096, 4096, 0, 1)), "big-endian");
}

TEST_F(ImageLoaderTest, ElfSegmentsLoadAtPhysicalAddresses) {
  const std::string file = write("a.elf", make_elf({{0x40100000, 16, 4096, 0xffff000000100000},
                                                    {0, 0, 64, 0, PT_GNU_STACK},
                                                    {0x40200000, 8, 8}},
                                                   0xffff000000100008));
  const LoadedImage image = load_bootable_image(file, "kernel");
  ASSERT_EQ(image.elf->segments.size(), 2u);
  EXPECT_EQ(image.elf->entry, 0x40100008u);
  const PlacedImage placed = place_image(image, "kernel", {}, layout_);
  ASSERT_EQ(placed.blobs.size(), 2u);
  EXPECT_EQ(placed.blobs[0].address, 0x40100000u);
  EXPECT_EQ(Bytes(placed.blobs[0].bytes.begin(), placed.blobs[0].bytes.end()), Bytes(16, 0x10));
  EXPECT_EQ(placed.blobs[1].address, 0x40200000u);
  EXPECT_FALSE(placed.linux_protocol);
  // The bss is taken too.
  EXPECT_FALSE(layout_.is_free({0x40100fff, 1}));
  EXPECT_TRUE(layout_.is_free({0x40101000, 1}));
}

TEST_F(ImageLoaderTest, ReportsWrongElfs) {
  const std::vector<Segment> one = {{0x40000000, 16, 16}};
  EXPECT_HOLDS(load_error("x86", make_elf(one, 0, EM_X86_64)), "ELF for x86-64, not for AArch64");
  EXPECT_HOLDS(load_error("arm", make_elf(one, 0, EM_ARM)), "32-bit Arm");
  Bytes big = make_elf(one, 0);
  put<std::uint16_t>(big, offsetof(Elf64_Ehdr, e_type), ET_REL);
  EXPECT_HOLDS(load_error("reloc", big), "not an executable");
  EXPECT_HOLDS(load_error("none", make_elf({{0, 0, 64, 0, PT_NOTE}}, 0)), "nothing to load");
  Bytes cut = make_elf(one, 0);
  cut.resize(cut.size() - 1);
  EXPECT_HOLDS(load_error("cut", cut), "truncated: ELF segment 0 needs 16 bytes");
  cut.resize(70);
  EXPECT_HOLDS(load_error("cut2", cut), "cut2: ");
  cut.resize(20);
  EXPECT_HOLDS(load_error("cut3", cut), "cut3: ");
}

TEST_F(ImageLoaderTest, ReportsOverlappingElfSegments) {
  const Bytes elf = make_elf({{0x40000000, 16, 0x2000}, {0x40001fff, 16, 16}}, 0x40000000);
  EXPECT_HOLDS(load_error("lap", elf),
               "ELF segments 0 (0x40000000-0x40001fff) and 1 (0x40001fff-0x4000200e) overlap");
}

TEST_F(ImageLoaderTest, ReportsElfSegmentsOutsideRam) {
  const std::string file =
      write("high.elf", make_elf({{0x40000000, 16, 16}, {0x43fffff0, 16, 17}}, 0x40000000));
  const LoadedImage image = load_image(file, "kernel");
  const std::string message =
      error_of<ImageError>([&] { place_image(image, "kernel", {}, layout_); });
  EXPECT_HOLDS(message,
               "kernel segment 1 at 0x43fffff0-0x44000000 is outside RAM "
               "(0x40000000-0x43ffffff)");
  EXPECT_HOLDS(message, "high.elf");
}

TEST_F(ImageLoaderTest, FixedImageAddressMustKeepItsOffset) {
  const LoadedImage image = load_image(write("Image", make_image(4096, 0x10000)), "kernel");
  EXPECT_EQ(place_image(image, "kernel", 0x40400000, layout_).entry, 0x40400000u);
  EXPECT_HOLDS(error_of<ImageError>([&] { place_image(image, "kernel", 0x40500000, layout_); }),
               "2 MiB boundary");
}

TEST_F(ImageLoaderTest, LayoutErrorsNameBothParties) {
  layout_.claim({"initrd", "i.cpio"}, {0x40000000, 0x1000});
  const std::string message = error_of<ImageError>([&] {
    layout_.claim({"loaded file", "f.bin"}, {0x40000fff, 0x10});
  });
  EXPECT_HOLDS(message,
               "f.bin: loaded file at 0x40000fff-0x4000100e overlaps initrd (i.cpio) at "
               "0x40000000-0x40000fff");
}

TEST_F(ImageLoaderTest, PlacementSkipsWhatIsTaken) {
  const std::uint64_t mib = 1 << 20;
  layout_.claim({"a", ""}, {0x42000000, 2 * mib});
  EXPECT_EQ(layout_.place({"b", ""}, mib, 2 * mib, 0x42000000), 0x42200000u);
  EXPECT_EQ(layout_.place({"c", ""}, 27 * mib, 2 * mib, 0x42000000), 0x42400000u);
}

TEST_F(ImageLoaderTest, PlacementWrapsToLowMemoryAndSaysHowMuchIsMissing) {
  const std::uint64_t mib = 1 << 20;
  EXPECT_EQ(layout_.place({"a", ""}, 16 * mib, 2 * mib, 0x43000000), 0x43000000u);
  EXPECT_EQ(layout_.place({"b", ""}, mib, 2 * mib, 0x43000000), 0x40000000u);
  EXPECT_EQ(layout_.place({"c", ""}, mib, 2 * mib, 0x40000000, 0x80000), 0x40280000u);
  const std::string message = error_of<ImageError>([&] {
    layout_.place({"d", "big"}, 60 * mib, 2 * mib, 0x40000000);
  });
  EXPECT_HOLDS(message, "big: RAM too small: no room for d (60 MiB) in 64 MiB");
  EXPECT_HOLDS(message, "at least 80 MiB");
}

}  // namespace
}  // namespace trapline::testing
