// Drawings for the page about MPU regions, as SVG. Internal to sim/report.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "sim/report/mpu_document.h"

namespace trapline {

/// Text as HTML.
std::string escaped(std::string_view text);

/// A number for each name of a region, by which it is coloured.
using Hues = std::map<std::string, unsigned>;
Hues hues_of(const Json& document);

/// An attribute that gives `property` the region's colour: ` style="..."`.
std::string fill_of(const Hues& hues, const Json& region, const char* property);

// Times are cycles of the CPU, which stand still while it waits.

/// The number of regions over time against what there is.
std::string pressure_chart(const Json& mpu);
/// What each slot held over time.
std::string occupancy_chart(const Hues& hues, const Json& mpu);
/// A set of regions at their addresses; stretches far from each other are lines of their own.
std::string layout_chart(const Hues& hues, const Json& mpu, const Json& set);

}  // namespace trapline
