// What each slot of an MPU held over time, in a fixed number of columns however long the run is.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace trapline {

/// Columns of equal width that become twice as wide when time outgrows them. Times are cycles of one
/// CPU and never run backwards.
class MpuTimeline {
 public:
  static constexpr unsigned kColumns = 512;
  static constexpr std::uint32_t kNobody = ~0u;

  /// A slot in one column.
  struct Cell {
    std::uint64_t cycles = 0;          ///< Enabled, whoever held it.
    std::uint64_t longest = 0;         ///< Of which `tenant` held it.
    std::uint32_t tenant = kNobody;    ///< Who held it for longest.
  };
  /// The number of regions enabled in one column.
  struct Count {
    std::uint16_t least = 0xffff;
    std::uint16_t most = 0;
    bool seen() const { return least <= most; }
  };

  /// `slot` was enabled for `tenant` from cycle `from` until `to`.
  void held(unsigned slot, std::uint32_t tenant, std::uint64_t from, std::uint64_t to);
  /// `regions` were enabled at once from cycle `from` until `to`.
  void counted(unsigned regions, std::uint64_t from, std::uint64_t to);

  std::uint64_t cycles_per_column() const { return width_; }
  const std::array<Count, kColumns>& counts() const { return counts_; }
  /// By column; empty for a slot that never was enabled.
  const std::vector<Cell>& cells(unsigned slot) const;

 private:
  void reach(std::uint64_t cycle);
  void widen();
  static void merge(Cell& into, const Cell& from);

  std::uint64_t width_ = 64;
  std::array<Count, kColumns> counts_{};
  std::vector<std::vector<Cell>> slots_;
};

}  // namespace trapline
