#include "sim/trap/semihosting.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace trapline {
namespace {

static_assert(std::endian::native == std::endian::little, "data blocks are copied as they are");

constexpr std::uint64_t kFailure = ~0ull;
constexpr std::uint64_t kApplicationExit = 0x20026;  // ADP_Stopped_ApplicationExit
constexpr std::uint64_t kTicksPerSecond = 1'000'000'000;
constexpr Time kPicosecondsPerCentisecond = kPicosecondsPerSecond / 100;
constexpr std::uint64_t kLongestName = 4096;
constexpr std::size_t kMostStreams = 256;
constexpr std::size_t kMostMessages = 64;
constexpr std::uint64_t kChunk = 4096;

constexpr unsigned kOpenModes = 12;
/// Modes 0 to 11, r rb r+ r+b w wb w+ w+b a ab a+ a+b, as open(2) flags.
constexpr std::array<int, kOpenModes> kOpenFlags = {
    O_RDONLY,
    O_RDONLY,
    O_RDWR,
    O_RDWR,
    O_WRONLY | O_CREAT | O_TRUNC,
    O_WRONLY | O_CREAT | O_TRUNC,
    O_RDWR | O_CREAT | O_TRUNC,
    O_RDWR | O_CREAT | O_TRUNC,
    O_WRONLY | O_CREAT | O_APPEND,
    O_WRONLY | O_CREAT | O_APPEND,
    O_RDWR | O_CREAT | O_APPEND,
    O_RDWR | O_CREAT | O_APPEND,
};

}  // namespace

/// What a handle stands for. Unless overridden an operation fails with EINVAL.
class Semihosting::Stream {
 public:
  virtual ~Stream() = default;
  virtual bool interactive() const { return false; }
  /// Bytes moved; nullopt with `error` set on failure. Fewer than `bytes` ends the transfer.
  virtual std::optional<std::uint64_t> read(void*, std::uint64_t, int& error) {
    error = EBADF;
    return std::nullopt;
  }
  virtual std::optional<std::uint64_t> write(const void*, std::uint64_t, int& error) {
    error = EBADF;
    return std::nullopt;
  }
  virtual int seek(std::uint64_t) { return ESPIPE; }
  virtual std::optional<std::uint64_t> length(int& error) const {
    error = EINVAL;
    return std::nullopt;
  }
};

class Semihosting::ConsoleInput final : public Stream {
 public:
  explicit ConsoleInput(CharacterSource* source) : source_(source) {}
  bool interactive() const override { return true; }
  std::optional<std::uint64_t> read(void* to, std::uint64_t bytes, int&) override {
    std::uint64_t done = 0;
    while (done < bytes) {
      const std::optional<std::uint8_t> byte = source_ ? source_->take() : std::nullopt;
      if (!byte) break;
      static_cast<std::uint8_t*>(to)[done++] = *byte;
    }
    return done;
  }

 private:
  CharacterSource* source_;
};

class Semihosting::ConsoleOutput final : public Stream {
 public:
  explicit ConsoleOutput(CharacterPort& port) : port_(port) {}
  bool interactive() const override { return true; }
  std::optional<std::uint64_t> write(const void* from, std::uint64_t bytes, int&) override {
    for (std::uint64_t i = 0; i < bytes; ++i) {
      port_.transmit(static_cast<const std::uint8_t*>(from)[i]);
    }
    return bytes;
  }

 private:
  CharacterPort& port_;
};

/// :semihosting-features: magic, then SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR.
class Semihosting::FeatureBits final : public Stream {
 public:
  std::optional<std::uint64_t> read(void* to, std::uint64_t bytes, int&) override {
    const std::uint64_t count = std::min<std::uint64_t>(bytes, kBytes.size() - position_);
    std::memcpy(to, kBytes.data() + position_, count);
    position_ += count;
    return count;
  }
  int seek(std::uint64_t position) override {
    if (position > kBytes.size()) return EINVAL;
    position_ = position;
    return 0;
  }
  std::optional<std::uint64_t> length(int&) const override { return kBytes.size(); }

 private:
  static constexpr std::array<std::uint8_t, 5> kBytes = {'S', 'H', 'F', 'B', 0x03};
  std::uint64_t position_ = 0;
};

class Semihosting::File final : public Stream {
 public:
  explicit File(std::unique_ptr<HostFile> file) : file_(std::move(file)) {}
  std::optional<std::uint64_t> read(void* to, std::uint64_t bytes, int& error) override {
    return file_->read(to, bytes, error);
  }
  std::optional<std::uint64_t> write(const void* from, std::uint64_t bytes, int& error) override {
    return file_->write(from, bytes, error);
  }
  int seek(std::uint64_t position) override { return file_->seek(position); }
  std::optional<std::uint64_t> length(int& error) const override { return file_->length(error); }

 private:
  std::unique_ptr<HostFile> file_;
};

struct Semihosting::Operation {
  std::uint32_t number;
  unsigned fields;  ///< Of the parameter block.
  std::uint64_t (Semihosting::*perform)(const Arguments&);
};

const Semihosting::Operation* Semihosting::find(std::uint32_t operation) {
  static constexpr Operation kOperations[] = {
      {0x01, 3, &Semihosting::open},
      {0x02, 1, &Semihosting::close},
      {0x03, 0, &Semihosting::write_character},
      {0x04, 0, &Semihosting::write_string},
      {0x05, 3, &Semihosting::write},
      {0x06, 3, &Semihosting::read},
      {0x07, 0, &Semihosting::read_character},
      {0x08, 1, &Semihosting::is_error},
      {0x09, 1, &Semihosting::is_tty},
      {0x0a, 2, &Semihosting::seek},
      {0x0c, 1, &Semihosting::length},
      {0x0d, 3, &Semihosting::temporary_name},
      {0x0e, 2, &Semihosting::remove},
      {0x0f, 4, &Semihosting::rename},
      {0x10, 0, &Semihosting::clock},
      {0x11, 0, &Semihosting::time},
      {0x12, 2, &Semihosting::system},
      {0x13, 0, &Semihosting::last_error},
      {0x15, 2, &Semihosting::command_line},
      {0x16, 1, &Semihosting::heap_info},
      {0x18, 2, &Semihosting::exit},
      {0x20, 2, &Semihosting::exit},
      {0x30, 0, &Semihosting::elapsed},
      {0x31, 0, &Semihosting::tick_frequency},
  };
  const auto* found =
      std::find_if(std::begin(kOperations), std::end(kOperations),
                   [operation](const Operation& o) { return o.number == operation; });
  return found == std::end(kOperations) ? nullptr : found;
}

Semihosting::Semihosting(SemihostingConfig config, SemihostingPorts ports, Log log)
    : config_(std::move(config)), ports_(std::move(ports)), log_(std::move(log)) {
  if (!config_.directory.empty()) directory_.emplace(config_.directory);
}

Semihosting::~Semihosting() = default;

std::uint64_t Semihosting::call(unsigned cpu, std::uint32_t number, std::uint64_t parameter) {
  char text[48];
  const Operation* operation = find(number);
  if (!operation) {
    std::snprintf(text, sizeof text, "operation %#x is not implemented", number);
    say_once(text);
    return fail(ENOSYS);
  }
  Arguments arguments{.cpu = cpu, .parameter = parameter};
  const std::uint64_t block = 8 * operation->fields;
  if (block != 0 && !ports_.memory.read(cpu, parameter, arguments.field.data(), block)) {
    std::snprintf(text, sizeof text, "operation %#x: its block cannot be read", number);
    say_once(text);
    return fail(EFAULT);
  }
  return (this->*operation->perform)(arguments);
}

std::uint64_t Semihosting::fail(int error) {
  errno_ = error;
  return kFailure;
}

void Semihosting::say_once(const std::string& message) {
  if (said_.size() >= kMostMessages || !said_.insert(message).second) return;
  if (log_) {
    log_("semihosting: " + message);
  } else {
    spdlog::warn("semihosting: {}", message);
  }
}

Semihosting::Stream* Semihosting::stream(std::uint64_t handle) {
  const auto found = streams_.find(handle);
  if (found != streams_.end()) return found->second.get();
  errno_ = EBADF;
  return nullptr;
}

std::optional<std::string> Semihosting::read_name(unsigned cpu, VirtAddr va, std::uint64_t bytes) {
  if (bytes > kLongestName) {
    errno_ = ENAMETOOLONG;
    return std::nullopt;
  }
  std::string name(bytes, '\0');
  if (!ports_.memory.read(cpu, va, name.data(), bytes)) {
    errno_ = EFAULT;
    return std::nullopt;
  }
  return name;
}

bool Semihosting::write_word(unsigned cpu, VirtAddr va, std::uint64_t value) {
  return ports_.memory.write(cpu, va, &value, sizeof value);
}

std::unique_ptr<Semihosting::Stream> Semihosting::open_stream(const std::string& name,
                                                              unsigned mode, int& error) {
  if (name == ":tt") {
    if (mode < 4) return std::make_unique<ConsoleInput>(ports_.input);
    return std::make_unique<ConsoleOutput>(ports_.output);
  }
  if (name == ":semihosting-features") {
    if (mode < 2) return std::make_unique<FeatureBits>();
    error = EACCES;
    return nullptr;
  }
  if (!directory_) {
    say_once("access to host files is off; '" + name.substr(0, 64) + "' was not opened");
    error = EACCES;
    return nullptr;
  }
  std::unique_ptr<HostFile> file = directory_->open(name, kOpenFlags[mode], error);
  return file ? std::make_unique<File>(std::move(file)) : nullptr;
}

std::uint64_t Semihosting::open(const Arguments& arguments) {
  const std::uint64_t mode = arguments.field[1];
  if (mode >= kOpenModes) return fail(EINVAL);
  const auto name = read_name(arguments.cpu, arguments.field[0], arguments.field[2]);
  if (!name) return kFailure;
  if (streams_.size() >= kMostStreams) return fail(EMFILE);
  int error = 0;
  std::unique_ptr<Stream> opened = open_stream(*name, static_cast<unsigned>(mode), error);
  if (!opened) return fail(error);
  std::uint64_t handle = 1;  // The lowest free one.
  for (const auto& [taken, unused] : streams_) {
    if (taken != handle) break;
    ++handle;
  }
  streams_.emplace(handle, std::move(opened));
  return handle;
}

std::uint64_t Semihosting::close(const Arguments& arguments) {
  return streams_.erase(arguments.field[0]) ? 0 : fail(EBADF);
}

std::uint64_t Semihosting::write_character(const Arguments& arguments) {
  std::uint8_t byte = 0;
  if (!ports_.memory.read(arguments.cpu, arguments.parameter, &byte, 1)) return fail(EFAULT);
  ports_.output.transmit(byte);
  return 0;
}

std::uint64_t Semihosting::write_string(const Arguments& arguments) {
  // Chunks end at aligned addresses, so none reads beyond the page that holds the string's end.
  std::array<std::uint8_t, 64> chunk;
  for (VirtAddr va = arguments.parameter;;) {
    const std::uint64_t bytes = chunk.size() - va % chunk.size();
    if (!ports_.memory.read(arguments.cpu, va, chunk.data(), bytes)) return fail(EFAULT);
    for (std::uint64_t i = 0; i < bytes; ++i) {
      if (chunk[i] == 0) return 0;
      ports_.output.transmit(chunk[i]);
    }
    va += bytes;
  }
}

// SYS_WRITE and SYS_READ return the number of bytes that were not transferred.
std::uint64_t Semihosting::write(const Arguments& arguments) {
  std::uint64_t left = arguments.field[2];
  Stream* to = stream(arguments.field[0]);
  if (!to) return left;
  std::array<std::uint8_t, kChunk> chunk;
  for (VirtAddr va = arguments.field[1]; left != 0;) {
    const std::uint64_t bytes = std::min(left, kChunk - va % kChunk);
    if (!ports_.memory.read(arguments.cpu, va, chunk.data(), bytes)) {
      errno_ = EFAULT;
      return left;
    }
    int error = 0;
    const std::uint64_t done = to->write(chunk.data(), bytes, error).value_or(0);
    if (error != 0) errno_ = error;
    left -= done;
    va += done;
    if (done < bytes) return left;
  }
  return 0;
}

std::uint64_t Semihosting::read(const Arguments& arguments) {
  std::uint64_t left = arguments.field[2];
  Stream* from = stream(arguments.field[0]);
  if (!from) return kFailure;
  std::array<std::uint8_t, kChunk> chunk;
  for (VirtAddr va = arguments.field[1]; left != 0;) {
    const std::uint64_t bytes = std::min(left, kChunk - va % kChunk);
    int error = 0;
    const std::optional<std::uint64_t> done = from->read(chunk.data(), bytes, error);
    if (!done) return fail(error);
    if (!ports_.memory.write(arguments.cpu, va, chunk.data(), *done)) return fail(EFAULT);
    left -= *done;
    va += *done;
    if (*done < bytes) break;
  }
  return left;
}

std::uint64_t Semihosting::read_character(const Arguments&) {
  const std::optional<std::uint8_t> byte = ports_.input ? ports_.input->take() : std::nullopt;
  return byte ? *byte : kFailure;
}

std::uint64_t Semihosting::is_error(const Arguments& arguments) {
  return static_cast<std::int64_t>(arguments.field[0]) < 0 ? 1 : 0;
}

std::uint64_t Semihosting::is_tty(const Arguments& arguments) {
  const Stream* found = stream(arguments.field[0]);
  if (!found) return kFailure;
  return found->interactive() ? 1 : 0;
}

std::uint64_t Semihosting::seek(const Arguments& arguments) {
  Stream* found = stream(arguments.field[0]);
  if (!found) return kFailure;
  const int error = found->seek(arguments.field[1]);
  return error == 0 ? 0 : fail(error);
}

std::uint64_t Semihosting::length(const Arguments& arguments) {
  const Stream* found = stream(arguments.field[0]);
  if (!found) return kFailure;
  int error = 0;
  const std::optional<std::uint64_t> bytes = found->length(error);
  return bytes ? *bytes : fail(error);
}

// The name depends on the identifier alone, so that it is the same in every run.
std::uint64_t Semihosting::temporary_name(const Arguments& arguments) {
  if (!directory_) return fail(EACCES);
  if (arguments.field[1] > 255) return fail(EINVAL);
  char name[16];
  const int length =
      std::snprintf(name, sizeof name, "tmp-%02x", static_cast<unsigned>(arguments.field[1]));
  if (arguments.field[2] < static_cast<std::uint64_t>(length) + 1) return fail(ENAMETOOLONG);
  if (!ports_.memory.write(arguments.cpu, arguments.field[0], name, length + 1)) {
    return fail(EFAULT);
  }
  return 0;
}

std::uint64_t Semihosting::remove(const Arguments& arguments) {
  const auto name = read_name(arguments.cpu, arguments.field[0], arguments.field[1]);
  if (!name) return kFailure;
  const int error = directory_ ? directory_->remove(*name) : EACCES;
  return error == 0 ? 0 : fail(error);
}

std::uint64_t Semihosting::rename(const Arguments& arguments) {
  const auto from = read_name(arguments.cpu, arguments.field[0], arguments.field[1]);
  const auto to = read_name(arguments.cpu, arguments.field[2], arguments.field[3]);
  if (!from || !to) return kFailure;
  const int error = directory_ ? directory_->rename(*from, *to) : EACCES;
  return error == 0 ? 0 : fail(error);
}

std::uint64_t Semihosting::clock(const Arguments&) {
  return ports_.clock.now() / kPicosecondsPerCentisecond;
}

std::uint64_t Semihosting::time(const Arguments&) {
  return config_.epoch + ports_.clock.now() / kPicosecondsPerSecond;
}

std::uint64_t Semihosting::system(const Arguments&) {
  say_once("SYS_SYSTEM: commands of the host are never run");
  return fail(EACCES);
}

std::uint64_t Semihosting::last_error(const Arguments&) {
  return static_cast<std::uint64_t>(errno_);
}

std::uint64_t Semihosting::command_line(const Arguments& arguments) {
  const std::string& line = config_.command_line;
  if (arguments.field[1] < line.size() + 1) return fail(E2BIG);
  const bool written =
      ports_.memory.write(arguments.cpu, arguments.field[0], line.c_str(), line.size() + 1) &&
      write_word(arguments.cpu, arguments.parameter + 8, line.size());
  return written ? 0 : fail(EFAULT);
}

// The parameter register points to a pointer to the block.
std::uint64_t Semihosting::heap_info(const Arguments& arguments) {
  const bool written = ports_.memory.write(arguments.cpu, arguments.field[0],
                                           config_.heap_info.data(), sizeof config_.heap_info);
  return written ? 0 : fail(EFAULT);
}

std::uint64_t Semihosting::exit(const Arguments& arguments) {
  const std::uint64_t reason = arguments.field[0];
  const std::uint64_t subcode = arguments.field[1];
  const int code = reason == kApplicationExit ? static_cast<int>(subcode) : 1;
  ports_.exit({.cpu = arguments.cpu, .reason = reason, .subcode = subcode, .code = code});
  return 0;
}

std::uint64_t Semihosting::elapsed(const Arguments& arguments) {
  const Time now = ports_.clock.now();
  const std::uint64_t ticks = now / (kPicosecondsPerSecond / kTicksPerSecond);
  return write_word(arguments.cpu, arguments.parameter, ticks) ? 0 : fail(EFAULT);
}

std::uint64_t Semihosting::tick_frequency(const Arguments&) {
  return kTicksPerSecond;
}

}  // namespace trapline
