// Device-tree source from a blob, for people to read and to diff.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace trapline {

/// The tree in source form (Devicetree Specification 0.4, appendix A). Properties that look like
/// strings are written as strings, the others as cells or bytes. `blob` must be a valid blob;
/// throws std::invalid_argument otherwise.
std::string device_tree_source(std::span<const std::uint8_t> blob);

}  // namespace trapline
