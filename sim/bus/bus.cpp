#include "sim/bus/bus.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace trapline {
namespace {

std::string hex(std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

// Calls step(host address, bytes done so far, bytes in this piece) for each block of RAM that the
// range crosses, up to the first byte that is not RAM. True if there was none.
template <typename AnyBus, typename Step>
bool for_each_piece(AnyBus& bus, PhysAddr pa, std::uint64_t bytes, Step step) {
  std::uint64_t done = 0;
  while (done < bytes) {
    auto* ram = bus.ram_at(pa + done);
    if (!ram || pa + done < pa) return false;
    const std::uint64_t left = ram->size() - (pa + done - ram->base());
    const std::uint64_t length = std::min(left, bytes - done);
    step(ram->host(pa + done), done, length);
    done += length;
  }
  return true;
}

}  // namespace

Ram::Ram(std::string name, PhysAddr base, std::uint64_t size, bool read_only)
    : name_(std::move(name)), base_(base), size_(size), read_only_(read_only) {
  if (size == 0 || size % 4096 != 0 || base % 4096 != 0 || base + size - 1 < base) {
    throw std::invalid_argument("RAM " + name_ + " at " + hex(base) + " with " + hex(size) +
                                " bytes: base and size must be multiples of 4096");
  }
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::runtime_error("RAM " + name_ + ": the host cannot reserve " + hex(size) + " bytes");
  }
  // As QEMU does. Page faults are a seventh of a boot of Xen and Linux otherwise.
  madvise(memory, size, MADV_HUGEPAGE);
  data_ = static_cast<std::uint8_t*>(memory);
}

Ram::~Ram() { munmap(data_, size_); }

void Ram::fill(std::uint8_t value) {
  // One piece of host memory, seen again and again until a write makes a copy of a page.
  constexpr std::uint64_t kPiece = 1 << 20;
  const std::string bytes(std::min(kPiece, size_), static_cast<char>(value));
  const int fd = memfd_create("fill", MFD_CLOEXEC);
  bool done = fd >= 0 && ::write(fd, bytes.data(), bytes.size()) ==
                             static_cast<ssize_t>(bytes.size());
  for (std::uint64_t at = 0; done && at < size_; at += kPiece) {
    done = mmap(data_ + at, std::min(kPiece, size_ - at), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0) != MAP_FAILED;
  }
  if (fd >= 0) close(fd);
  if (!done) throw std::runtime_error("RAM " + name_ + ": the host cannot fill it");
}

void Bus::check_free(const std::string& name, PhysAddr base, std::uint64_t size) const {
  if (size == 0 || base + size - 1 < base) {
    throw std::invalid_argument(name + " at " + hex(base) + ": bad size " + hex(size));
  }
  const auto overlaps = [&](PhysAddr other, std::uint64_t other_size) {
    return base <= other + (other_size - 1) && other <= base + (size - 1);
  };
  for (const auto& ram : rams_) {
    if (overlaps(ram->base(), ram->size())) {
      throw std::invalid_argument(name + " at " + hex(base) + " overlaps RAM " + ram->name());
    }
  }
  for (const Window& window : windows_) {
    if (overlaps(window.base, window.size)) {
      throw std::invalid_argument(name + " at " + hex(base) + " overlaps " +
                                  std::string(window.device->name()));
    }
  }
}

Ram& Bus::add_ram(std::string name, PhysAddr base, std::uint64_t size, bool read_only) {
  check_free(name, base, size);
  return add_ram(std::make_shared<Ram>(std::move(name), base, size, read_only));
}

Ram& Bus::add_ram(std::shared_ptr<Ram> ram) {
  check_free(ram->name(), ram->base(), ram->size());
  rams_.push_back(std::move(ram));
  return *rams_.back();
}

void Bus::map(Device& device, PhysAddr base, std::uint64_t size) {
  check_free(std::string(device.name()), base, size);
  add_window({base, size, &device});
}

void Bus::map_over(Device& device, const Ram& ram) {
  if (!ram.read_only()) {
    throw std::invalid_argument("RAM " + ram.name() + " can be written without " +
                                std::string(device.name()));
  }
  add_window({ram.base(), ram.size(), &device});
}

void Bus::add_window(const Window& window) {
  const auto at = std::find_if(windows_.begin(), windows_.end(), [&](const Window& other) {
    return other.base > window.base;
  });
  windows_.insert(at, window);
}

Ram* Bus::ram_at(PhysAddr pa) {
  for (const auto& ram : rams_) {
    if (ram->contains(pa)) return ram.get();
  }
  return nullptr;
}

const Bus::Window* Bus::window_at(PhysAddr pa) const {
  auto after = std::upper_bound(windows_.begin(), windows_.end(), pa,
                                [](PhysAddr p, const Window& window) { return p < window.base; });
  if (after == windows_.begin()) return nullptr;
  const Window& window = *--after;
  return pa - window.base < window.size ? &window : nullptr;
}

bool Bus::read(PhysAddr pa, void* to, std::uint64_t bytes) const {
  auto* target = static_cast<std::uint8_t*>(to);
  const auto skip = [](const std::uint8_t*, std::uint64_t, std::uint64_t) {};
  const auto copy = [&](const std::uint8_t* host, std::uint64_t done, std::uint64_t length) {
    std::memcpy(target + done, host, length);
  };
  return for_each_piece(*this, pa, bytes, skip) && for_each_piece(*this, pa, bytes, copy);
}

bool Bus::write(PhysAddr pa, const void* from, std::uint64_t bytes) {
  const auto* source = static_cast<const std::uint8_t*>(from);
  const auto skip = [](std::uint8_t*, std::uint64_t, std::uint64_t) {};
  const auto copy = [&](std::uint8_t* host, std::uint64_t done, std::uint64_t length) {
    std::memcpy(host, source + done, length);
  };
  return for_each_piece(*this, pa, bytes, skip) && for_each_piece(*this, pa, bytes, copy);
}

void Bus::reset_devices() {
  std::vector<Device*> done;
  for (const Window& window : windows_) {
    if (std::find(done.begin(), done.end(), window.device) != done.end()) continue;
    window.device->reset();
    done.push_back(window.device);
  }
}

}  // namespace trapline
