#include "sim/machine/image_loader.h"

#include <capstone/capstone.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace trapline {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4} << 30;
constexpr std::size_t kReadChunk = std::size_t{1} << 20;
constexpr std::size_t kRecognisedBytes = 64;  // Enough for an Image's or an ELF's magic.
constexpr std::size_t kFlatProbe = 64;        // Bytes of code that make a file a program.

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

ImageError read_error(const std::string& path, const std::string& role, const std::string& why) {
  return ImageError(path, "cannot read " + role + ": " + why);
}

/// A zlib inflater over one input, able to go through several gzip members.
class Inflater {
 public:
  explicit Inflater(std::span<const std::uint8_t> input) : input_(input) {
    stream_.next_in = const_cast<Bytef*>(input.data());
    ok_ = inflateInit2(&stream_, 15 + 16) == Z_OK;  // 15: largest window; 16: gzip only.
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Appends up to `room` bytes to `output`; returns zlib's verdict.
  int inflate_some(std::vector<std::uint8_t>& output, std::size_t room) {
    if (!ok_) return Z_MEM_ERROR;
    const std::size_t before = output.size();
    output.resize(before + room);
    stream_.next_out = output.data() + before;
    stream_.avail_out = static_cast<uInt>(room);
    stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(remaining(), kReadChunk));
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    output.resize(output.size() - stream_.avail_out);
    return result;
  }
  /// After Z_STREAM_END: true if another gzip member follows, and goes to it.
  bool next_member() {
    return has_gzip_magic(input_.last(remaining())) && inflateReset(&stream_) == Z_OK;
  }
  std::size_t offset() const { return static_cast<std::size_t>(stream_.next_in - input_.data()); }
  std::size_t remaining() const { return input_.size() - offset(); }
  const char* message() const { return stream_.msg != nullptr ? stream_.msg : "bad data"; }

 private:
  std::span<const std::uint8_t> input_;
  z_stream stream_{};
  bool ok_ = false;
};

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  const char* what;
};

// What people pass by mistake, so that the message can say so.
constexpr Signature kSignatures[] = {
    {0x202, "HdrS", "an x86 Linux bzImage"},
    {0x24, std::string_view("\x18\x28\x6f\x01", 4), "a 32-bit Arm Linux zImage"},
    {0x38, "RSC\x05", "a RISC-V Linux Image"},
    {0, std::string_view("\x27\x05\x19\x56", 4), "a U-Boot uImage"},
    {0, std::string_view("\xd0\x0d\xfe\xed", 4), "a device tree or FIT image"},
    {0, "070701", "a cpio archive"},
    {0, std::string_view("\x28\xb5\x2f\xfd", 4), "zstd-compressed"},
    {0, std::string_view("\xfd\x37zXZ", 5), "xz-compressed"},
    {0, std::string_view("\x1f\x8b", 2), "gzip-compressed, but with no arm64 Image or ELF inside"},
    {0, "!<arch>", "a Debian package or ar archive"},
    {0, "MZ", "an EFI application with no arm64 Image header"},
};

const char* guess(std::span<const std::uint8_t> bytes) {
  for (const Signature& known : kSignatures) {
    if (bytes.size() >= known.offset + known.bytes.size() &&
        std::memcmp(bytes.data() + known.offset, known.bytes.data(), known.bytes.size()) == 0) {
      return known.what;
    }
  }
  return nullptr;
}

bool is_executable(std::span<const std::uint8_t> bytes) {
  return has_elf_magic(bytes) || has_arm64_image_magic(bytes);
}

}  // namespace

SharedBytes read_file(const std::string& path, const std::string& role) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (fd.get() < 0 || ::fstat(fd.get(), &status) != 0) {
    throw read_error(path, role, std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) throw read_error(path, role, "it is a directory");
  // Some never end, and would be read up to the limit below.
  if (S_ISCHR(status.st_mode)) throw read_error(path, role, "it is a character device");

  // One byte more than a regular file holds, so that its end is seen without growing the buffer.
  const auto expected = static_cast<std::size_t>(S_ISREG(status.st_mode) ? status.st_size : 0);
  std::vector<std::uint8_t> bytes(expected + 1);
  std::size_t used = 0;
  while (true) {
    if (used == bytes.size()) bytes.resize(used + kReadChunk);
    const ssize_t got = ::read(fd.get(), bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw read_error(path, role, std::strerror(errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > kMaxFileBytes) throw read_error(path, role, "it is larger than 4 GiB");
  }
  if (used == 0) throw read_error(path, role, "the file is empty");
  bytes.resize(used);
  return std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
}

bool has_gzip_magic(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

std::vector<std::uint8_t> gunzip_prefix(std::span<const std::uint8_t> bytes, std::size_t limit) {
  Inflater inflater(bytes);
  std::vector<std::uint8_t> output;
  while (output.size() < limit && inflater.remaining() > 0) {
    if (inflater.inflate_some(output, limit - output.size()) != Z_OK) break;
  }
  return output;
}

std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> bytes, const std::string& path) {
  Inflater inflater(bytes);
  std::vector<std::uint8_t> output;
  while (true) {
    const int result = inflater.inflate_some(output, kReadChunk);
    if (result == Z_STREAM_END) {
      if (!inflater.next_member()) return output;
    } else if (result == Z_BUF_ERROR) {  // No progress: the input is used up.
      throw ImageError(
          path, "truncated: gzip data ends early at offset " + std::to_string(inflater.offset()),
          "copy or download it again");
    } else if (result != Z_OK) {
      throw ImageError(path,
                       "gzip data is corrupt at offset " + std::to_string(inflater.offset()) +
                           ": " + inflater.message(),
                       "copy or download it again");
    }
    if (output.size() > kMaxFileBytes) throw ImageError(path, "gzip data unpacks to over 4 GiB");
  }
}

LoadedImage load_image(const std::string& path, const std::string& role) {
  LoadedImage image{.path = path, .bytes = read_file(path, role)};
  std::span<const std::uint8_t> packed = *image.bytes;
  if (const auto payload = zboot_payload(packed, path)) packed = *payload;
  if (has_gzip_magic(packed) && is_executable(gunzip_prefix(packed, kRecognisedBytes))) {
    image.bytes = std::make_shared<const std::vector<std::uint8_t>>(gunzip(packed, path));
    image.was_compressed = true;
  }
  if (has_elf_magic(*image.bytes)) {
    image.kind = ImageKind::elf;
    image.elf = parse_elf(*image.bytes, path);
  } else if ((image.header = parse_arm64_image(*image.bytes, path))) {
    image.kind = ImageKind::arm64_image;
  }
  return image;
}

LoadedImage load_bootable_image(const std::string& path, const std::string& role) {
  LoadedImage image = load_image(path, role);
  check_bootable(image, role);
  return image;
}

bool is_flat_program(const LoadedImage& image) {
  const std::vector<std::uint8_t>& bytes = *image.bytes;
  if (image.kind != ImageKind::raw || bytes.size() < kFlatProbe || guess(bytes)) return false;
  // Text decodes as instructions quite often.
  const auto is_text = [](std::uint8_t byte) { return byte >= 0x20 ? byte < 0x7f : byte - 9 < 5; };
  if (std::all_of(bytes.begin(), bytes.begin() + kFlatProbe, is_text)) return false;
  csh handle = 0;
  if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle) != CS_ERR_OK) return false;
  std::size_t decoded = 0;
  for (std::size_t at = 0; at < kFlatProbe; at += 4) {
    cs_insn* instruction = nullptr;
    // UDF is what an image of zeros would be made of.
    const bool udf = bytes[at + 2] == 0 && bytes[at + 3] == 0;
    if (udf || cs_disasm(handle, bytes.data() + at, 4, at, 1, &instruction) != 1) break;
    cs_free(instruction, 1);
    ++decoded;
  }
  cs_close(&handle);
  return decoded == kFlatProbe / 4;
}

void check_bootable(const LoadedImage& image, const std::string& role) {
  if (image.kind != ImageKind::raw) return;
  const char* what = guess(*image.bytes);
  throw ImageError(image.path,
                   role + " is neither an arm64 Image nor an AArch64 ELF" +
                       (what != nullptr ? std::string(" (it looks like ") + what + ")" : ""),
                   "load a flat binary with --load FILE@ADDRESS --entry ADDRESS");
}

const LoadedImage& ImageCache::bootable(const std::string& path, const std::string& role) {
  const auto known = images_.find(path);
  if (known != images_.end()) return known->second;
  return images_.emplace(path, load_bootable_image(path, role)).first->second;
}

SharedBytes ImageCache::file(const std::string& path, const std::string& role) {
  const auto known = files_.find(path);
  if (known != files_.end()) return known->second;
  return files_.emplace(path, read_file(path, role)).first->second;
}

}  // namespace trapline
