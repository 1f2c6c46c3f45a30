// Arm semihosting for AArch64 callers (abi-aa "Semihosting for AArch32 and AArch64", version 3).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "models/uart/character_port.h"
#include "sim/arch/types.h"
#include "sim/time/clock.h"
#include "sim/trap/host_directory.h"

namespace trapline {

/// Memory as a CPU sees it now: virtual addresses of its current Exception level.
class GuestMemory {
 public:
  virtual ~GuestMemory() = default;
  /// False if any byte cannot be accessed; nothing is written then. No exception reaches the guest.
  virtual bool read(unsigned cpu, VirtAddr va, void* to, std::uint64_t bytes) = 0;
  virtual bool write(unsigned cpu, VirtAddr va, const void* from, std::uint64_t bytes) = 0;
};

/// Where console input comes from: bytes that have arrived by now in virtual time.
class CharacterSource {
 public:
  virtual ~CharacterSource() = default;
  virtual std::optional<std::uint8_t> take() = 0;
};

struct SemihostingConfig {
  std::string command_line{};           ///< SYS_GET_CMDLINE.
  std::string directory{};              ///< Files are opened below it; empty: not at all.
  std::uint64_t epoch = 1'704'067'200;  ///< SYS_TIME at virtual time 0, seconds since 1970.
  /// SYS_HEAPINFO: heap base and limit, stack base and limit.
  std::array<VirtAddr, 4> heap_info{};
};

/// SYS_EXIT and SYS_EXIT_EXTENDED.
struct SemihostingExit {
  unsigned cpu = 0;
  std::uint64_t reason = 0;  ///< ADP_Stopped_...
  std::uint64_t subcode = 0;
  int code = 0;  ///< The guest's exit status; 1 for any reason but ADP_Stopped_ApplicationExit.
};

/// What semihosting works on; all must outlive it.
struct SemihostingPorts {
  GuestMemory& memory;
  const Clock& clock;
  CharacterPort& output;             ///< The console, :tt.
  CharacterSource* input = nullptr;  ///< nullptr: never any input.
  /// The run is over; the calling CPU must not execute another instruction.
  std::function<void(const SemihostingExit&)> exit;
};

/// Carries out semihosting operations. Data blocks are little-endian.
class Semihosting {
 public:
  using Log = std::function<void(const std::string& message)>;

  /// Throws std::runtime_error if `config.directory` cannot be opened. Without a log, messages go
  /// to spdlog as warnings.
  Semihosting(SemihostingConfig config, SemihostingPorts ports, Log log = {});
  ~Semihosting();

  /// Performs `operation` (W0) with the parameter register X1; returns X0.
  std::uint64_t call(unsigned cpu, std::uint32_t operation, std::uint64_t parameter);

 private:
  class Stream;
  class ConsoleInput;
  class ConsoleOutput;
  class FeatureBits;
  class File;
  struct Operation;
  struct Arguments {
    unsigned cpu;
    VirtAddr parameter;                    ///< X1.
    std::array<std::uint64_t, 4> field{};  ///< Of the block at X1, as many as the operation has.
  };

  static const Operation* find(std::uint32_t operation);
  std::uint64_t open(const Arguments& arguments);
  std::uint64_t close(const Arguments& arguments);
  std::uint64_t write_character(const Arguments& arguments);
  std::uint64_t write_string(const Arguments& arguments);
  std::uint64_t write(const Arguments& arguments);
  std::uint64_t read(const Arguments& arguments);
  std::uint64_t read_character(const Arguments& arguments);
  std::uint64_t is_error(const Arguments& arguments);
  std::uint64_t is_tty(const Arguments& arguments);
  std::uint64_t seek(const Arguments& arguments);
  std::uint64_t length(const Arguments& arguments);
  std::uint64_t temporary_name(const Arguments& arguments);
  std::uint64_t remove(const Arguments& arguments);
  std::uint64_t rename(const Arguments& arguments);
  std::uint64_t clock(const Arguments& arguments);
  std::uint64_t time(const Arguments& arguments);
  std::uint64_t system(const Arguments& arguments);
  std::uint64_t last_error(const Arguments& arguments);
  std::uint64_t command_line(const Arguments& arguments);
  std::uint64_t heap_info(const Arguments& arguments);
  std::uint64_t exit(const Arguments& arguments);
  std::uint64_t elapsed(const Arguments& arguments);
  std::uint64_t tick_frequency(const Arguments& arguments);

  std::unique_ptr<Stream> open_stream(const std::string& name, unsigned mode, int& error);
  Stream* stream(std::uint64_t handle);
  std::optional<std::string> read_name(unsigned cpu, VirtAddr va, std::uint64_t bytes);
  bool write_word(unsigned cpu, VirtAddr va, std::uint64_t value);
  std::uint64_t fail(int error);
  void say_once(const std::string& message);

  SemihostingConfig config_;
  SemihostingPorts ports_;
  Log log_;
  std::optional<HostDirectory> directory_;
  std::map<std::uint64_t, std::unique_ptr<Stream>> streams_;  // By handle.
  int errno_ = 0;
  std::set<std::string> said_;
};

}  // namespace trapline
