// Frames of several domains, or of one, that are one page of the host's memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/bus/bus.h"
#include "sim/cpu/cpu.h"

namespace trapline {

/// Makes a frame of RAM show the bytes of another, and undoes it. The host's addresses of frames
/// stay: it is their pages that are exchanged, for pages of one file in memory.
class FrameSharing {
 public:
  static constexpr std::size_t kFrameBytes = 4096;
  /// Mappings at one time, an equal share for each machine. Each takes up to four of the areas of
  /// which a process can have 65530.
  static constexpr std::size_t kMostMappings = 8192;

  FrameSharing() = default;
  ~FrameSharing();
  FrameSharing(const FrameSharing&) = delete;
  FrameSharing& operator=(const FrameSharing&) = delete;

  /// Memory whose frames can be shared. Both must outlive every mapping of them.
  void add(Bus& bus, CpuComplex& cpus) { machines_.push_back({&bus, &cpus, 0}); }
  /// Makes the frame at `at` that at `page`, both as Ram::host() says. It cannot be executed there.
  /// What `at` was is kept, also if it is mapped several times. False: too many mappings of that
  /// machine, or not RAM of a machine. Throws std::runtime_error if the host refuses.
  bool map(std::uint8_t* at, std::uint8_t* page, bool writable);
  /// The frame is again what it was before map(); nothing if it was not mapped. Throws likewise.
  void unmap(std::uint8_t* at);
  /// The page at a frame that is not mapped is from now on that of those alone who mapped it; the
  /// frame is a page of its own with the same bytes. Nothing if nobody did. Throws likewise.
  void renew(std::uint8_t* frame);
  std::size_t mappings() const { return displaced_.size(); }
  std::size_t pages() const { return next_ - free_.size(); }  ///< Of the file, in use.

 private:
  struct Machine {
    Bus* bus;
    CpuComplex* cpus;
    std::size_t mappings;  ///< At its frames.
  };
  /// A page of the file. Its places are those where it can be seen now.
  struct Page {
    std::size_t number;
    std::uint8_t* home;  ///< The frame that was it before; nullptr: renew() took it from there.
    PageAliases aliases;
  };
  /// What map() took away: a page that others see as well, or the bytes.
  struct Displaced {
    std::shared_ptr<Page> page;
    std::vector<std::uint8_t> bytes;
  };

  Machine* machine_of(const std::uint8_t* frame);
  const PageAliases::Place* place_of(std::uint8_t* frame);
  std::shared_ptr<Page> shared_page(std::uint8_t* frame);
  void show(std::uint8_t* frame, const std::shared_ptr<Page>& page, PageAccess access);
  void hide(std::uint8_t* frame);
  void make_private(std::uint8_t* frame, const std::uint8_t* bytes);
  void settle(std::shared_ptr<Page> page);

  std::vector<Machine> machines_;
  PageAliases::Place found_{};
  int file_ = -1;
  std::size_t next_ = 0;                                  ///< Pages that the file has.
  std::vector<std::size_t> free_;                         ///< Of these.
  std::map<std::uint8_t*, std::shared_ptr<Page>> shown_;  ///< By frame.
  std::map<std::uint8_t*, Displaced> displaced_;          ///< By frame that was mapped.
};

}  // namespace trapline
