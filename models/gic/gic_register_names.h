// The registers of the GIC's windows by name (IHI 0048B chapter 4, 5; IHI 0069 chapter 12).
#pragma once

#include <cstdint>
#include <string>

namespace trapline::gic {

enum class Frame : std::uint8_t { gicd, gicr, gicc, gich, gicv };

/// "GICD_ISENABLER1" for the byte at `offset` of a window; empty where nothing is named. GICR counts
/// within the frames of one CPU, GICH within those of one CPU as well.
std::string register_name(Frame frame, std::uint64_t offset);

}  // namespace trapline::gic
