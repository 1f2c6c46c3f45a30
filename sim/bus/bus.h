// Physical address to RAM or Device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/arch/types.h"
#include "sim/bus/device.h"

namespace trapline {

/// A contiguous block of host memory that the guest sees as RAM or ROM. Pages are committed by the
/// host on first touch, so peak host memory follows what the guest touches.
class Ram {
 public:
  /// `size` in bytes, a multiple of 4096. Throws std::runtime_error if the host has no memory.
  Ram(std::string name, PhysAddr base, std::uint64_t size, bool read_only = false);
  ~Ram();
  Ram(const Ram&) = delete;
  Ram& operator=(const Ram&) = delete;

  const std::string& name() const { return name_; }
  PhysAddr base() const { return base_; }
  std::uint64_t size() const { return size_; }
  bool read_only() const { return read_only_; }
  bool contains(PhysAddr pa, std::uint64_t bytes = 1) const {
    return pa >= base_ && bytes <= size_ && pa - base_ <= size_ - bytes;
  }
  /// False while a device answers reads in its place (Bus::map_over).
  bool direct() const { return direct_; }
  void set_direct(bool direct) { direct_ = direct; }
  /// Gives every byte the value, as an erased memory has it, without taking host memory for it.
  void fill(std::uint8_t value);
  std::uint8_t* host(PhysAddr pa) { return data_ + (pa - base_); }
  const std::uint8_t* host(PhysAddr pa) const { return data_ + (pa - base_); }

 private:
  std::string name_;
  PhysAddr base_;
  std::uint64_t size_;
  bool read_only_;
  bool direct_ = true;
  std::uint8_t* data_;
};

/// The physical address space of a machine. Built once by the machine; windows never overlap.
class Bus {
 public:
  struct Window {
    PhysAddr base;
    std::uint64_t size;
    Device* device;
  };

  /// Throws std::invalid_argument naming both parts if the range is taken or wraps.
  Ram& add_ram(std::string name, PhysAddr base, std::uint64_t size, bool read_only = false);
  /// Memory that other buses have as well. Who may use which part is not the bus's business.
  Ram& add_ram(std::shared_ptr<Ram> ram);
  /// The device must outlive the bus. `size` in bytes.
  void map(Device& device, PhysAddr base, std::uint64_t size);
  /// A device that stands before read-only memory: it gets the writes, and the reads while the
  /// memory is not direct().
  void map_over(Device& device, const Ram& ram);

  /// The RAM that holds `pa`, or nullptr.
  Ram* ram_at(PhysAddr pa);
  const Ram* ram_at(PhysAddr pa) const { return const_cast<Bus*>(this)->ram_at(pa); }
  /// The device window that holds `pa`, or nullptr.
  const Window* window_at(PhysAddr pa) const;

  const std::vector<std::shared_ptr<Ram>>& rams() const { return rams_; }
  const std::vector<Window>& windows() const { return windows_; }

  /// Copies from or to RAM; false if any byte is not RAM (nothing is written then). Read-only RAM
  /// can be written here: this is the loader's door, not the guest's.
  bool read(PhysAddr pa, void* to, std::uint64_t bytes) const;
  bool write(PhysAddr pa, const void* from, std::uint64_t bytes);

  /// Each device once, in the order of its first window.
  void reset_devices();

 private:
  void check_free(const std::string& name, PhysAddr base, std::uint64_t size) const;
  void add_window(const Window& window);

  std::vector<std::shared_ptr<Ram>> rams_;
  std::vector<Window> windows_;  // Sorted by base.
};

}  // namespace trapline
