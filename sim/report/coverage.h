// Which code a run executed, and how often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "sim/symbols/symbols.h"
#include "sim/trace/instruction.h"

namespace trapline {

/// Counts blocks by address, Exception level and VMID.
class Coverage final : public BlockSink {
 public:
  void on_block(const ExecutedBlock& block) override;

  /// A tracefile of lcov (geninfo(1)): for each source file of `symbols` the functions and lines that
  /// have code, with how often it was executed. Of several instructions of a line the most often
  /// executed one counts.
  std::string lcov(const Symbols& symbols) const;

  /// A drcov log, version 2 (DynamoRIO's, as Lighthouse and others read it). Modules are the images
  /// that have addresses; code outside of them goes to one module each 4 GiB of an Exception level
  /// and VMID, "EL1 vmid 1 0xffff800000000000".
  std::string drcov(const Symbols& symbols) const;

 private:
  struct Key {
    VirtAddr pc = 0;
    std::uint16_t bytes = 0;
    std::uint16_t vmid = 0;
    El el = El::el0;

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return (key.pc ^ std::uint64_t{key.bytes} << 40 ^ std::uint64_t{key.vmid} << 52 ^
              static_cast<std::uint64_t>(key.el) << 50) *
             0x9e3779b97f4a7c15u;
    }
  };

  std::unordered_map<Key, std::uint64_t, Hash> counts_;
};

}  // namespace trapline
