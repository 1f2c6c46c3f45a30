#include "sim/bus/register_bank.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

namespace trapline {
namespace {

std::string hex(std::uint64_t value, const char* format = "0x%llx") {
  char text[24];
  std::snprintf(text, sizeof text, format, static_cast<unsigned long long>(value));
  return text;
}

constexpr std::uint64_t byte_mask(std::uint64_t bytes) {
  return bytes >= 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

}  // namespace

Register& Register::resets_to(std::uint64_t value) {
  reset_ = value_ = value;
  return *this;
}

Register& Register::writable(std::uint64_t mask) {
  writable_ = mask;
  return *this;
}

Register& Register::write_only() {
  readable_ = false;
  command_ = true;
  return *this;
}

Register& Register::command() {
  command_ = true;
  return *this;
}

Register& Register::on_read(std::function<std::uint64_t()> callback) {
  on_read_ = std::move(callback);
  return *this;
}

Register& Register::on_write(std::function<void(const RegisterWrite&)> callback) {
  on_write_ = std::move(callback);
  return *this;
}

Register& Register::unimplemented(std::string field, unsigned msb, unsigned lsb) {
  const std::uint64_t mask = bits(~0ull, msb - lsb, 0) << lsb;
  unimplemented_fields_.push_back({std::move(field), mask});
  return *this;
}

Register& Register::unimplemented() {
  implemented_ = false;
  return *this;
}

RegisterBank::RegisterBank(std::string owner, Log log)
    : owner_(std::move(owner)), log_(std::move(log)) {
  if (!log_) {
    log_ = [](const std::string& message) { spdlog::warn("{}", message); };
  }
}

Register& RegisterBank::add(PhysAddr offset, std::string name, unsigned bytes) {
  if ((bytes != 4 && bytes != 8) || offset % 4 != 0) {
    throw std::invalid_argument(owner_ + ": register " + name + " at " + hex(offset) +
                                " must be 4 or 8 bytes at a multiple of 4");
  }
  const std::size_t first = offset / 4;
  const std::size_t last = first + bytes / 4;
  if (by_word_.size() < last) by_word_.resize(last, nullptr);
  for (std::size_t word = first; word < last; ++word) {
    if (by_word_[word]) {
      throw std::invalid_argument(owner_ + ": register " + name + " at " + hex(offset) +
                                  " overlaps " + by_word_[word]->name());
    }
  }
  auto reg = std::make_unique<Register>(offset, std::move(name), bytes);
  Register& result = *reg;
  for (std::size_t word = first; word < last; ++word) by_word_[word] = &result;
  const auto at = std::find_if(registers_.begin(), registers_.end(), [&](const auto& other) {
    return other->offset() > result.offset();
  });
  registers_.insert(at, std::move(reg));
  return result;
}

void RegisterBank::add_identification(PhysAddr offset, std::span<const std::uint8_t, 8> bytes) {
  static constexpr std::array<const char*, 8> kNames = {"PeriphID0", "PeriphID1", "PeriphID2",
                                                        "PeriphID3", "PCellID0",  "PCellID1",
                                                        "PCellID2",  "PCellID3"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    add(offset + 4 * i, kNames[i]).resets_to(bytes[i]);
  }
}

std::string RegisterBank::name_at(PhysAddr offset) const {
  const PhysAddr word = offset / 4;
  return word < by_word_.size() && by_word_[word] ? by_word_[word]->name() : std::string();
}

Register* RegisterBank::find(PhysAddr offset) {
  const PhysAddr word = offset / 4;
  return word < by_word_.size() ? by_word_[word] : nullptr;
}

std::uint64_t RegisterBank::read_register(Register& reg) {
  if (!reg.implemented_) say_once(reg.name() + " is not implemented");
  if (!reg.readable_) {
    say_once("read of write-only register " + reg.name());
    return 0;
  }
  return reg.on_read_ ? reg.on_read_() : reg.value_;
}

void RegisterBank::write_register(Register& reg, std::uint64_t lanes, std::uint64_t value,
                                  std::uint8_t cpu) {
  if (!reg.implemented_) say_once(reg.name() + " is not implemented");
  if (!reg.accepts_writes()) {
    if (reg.implemented_) say_once("write of read-only register " + reg.name());
    return;
  }
  const std::uint64_t previous = reg.value_;
  const std::uint64_t others = reg.command_ ? 0 : previous & ~lanes;
  const std::uint64_t written = others | (value & lanes);
  for (const Register::Field& field : reg.unimplemented_fields_) {
    if (((written ^ reg.reset_) & field.mask) != 0) {
      say_once(reg.name() + "." + field.name + " is not implemented");
    }
  }
  reg.value_ = (previous & ~reg.writable_) | (written & reg.writable_);
  if (reg.on_write_) reg.on_write_(RegisterWrite{written, lanes, previous, cpu});
}

void RegisterBank::say_unassigned(const char* verb, const Access& access) {
  say_once(std::string(verb) + " of unassigned offset " + hex(access.offset));
}

BusStatus RegisterBank::read(const Access& access, std::uint64_t& value) {
  value = 0;
  const PhysAddr end = access.offset + access.size;
  for (PhysAddr at = access.offset; at < end;) {
    Register* reg = find(at);
    const PhysAddr next = std::min(end, reg ? reg->offset() + reg->bytes() : (at | 3) + 1);
    if (reg) {
      const std::uint64_t part = read_register(*reg) >> (8 * (at - reg->offset()));
      value |= (part & byte_mask(next - at)) << (8 * (at - access.offset));
    } else {
      say_unassigned("read", access);
    }
    at = next;
  }
  return BusStatus::ok;
}

BusStatus RegisterBank::write(const Access& access, std::uint64_t value) {
  const PhysAddr end = access.offset + access.size;
  for (PhysAddr at = access.offset; at < end;) {
    Register* reg = find(at);
    const PhysAddr next = std::min(end, reg ? reg->offset() + reg->bytes() : (at | 3) + 1);
    if (reg) {
      const unsigned shift = static_cast<unsigned>(8 * (at - reg->offset()));
      const std::uint64_t part = value >> (8 * (at - access.offset));
      write_register(*reg, byte_mask(next - at) << shift, part << shift, access.cpu);
    } else {
      say_unassigned("write", access);
    }
    at = next;
  }
  return BusStatus::ok;
}

void RegisterBank::reset() {
  for (const auto& reg : registers_) reg->value_ = reg->reset_;
}

std::string RegisterBank::describe() const {
  std::string text;
  for (const auto& reg : registers_) {
    const char* access = !reg->readable_ ? "wo" : reg->accepts_writes() ? "rw" : "ro";
    text += hex(reg->offset(), "0x%03llx") + ' ' + reg->name() + ' ' + access + ' ' +
            hex(reg->reset_) + (reg->implemented_ ? "" : " unimplemented") + '\n';
  }
  return text;
}

void RegisterBank::say_once(const std::string& message) {
  if (said_.insert(message).second) log_(owner_ + ": " + message);
}

}  // namespace trapline
