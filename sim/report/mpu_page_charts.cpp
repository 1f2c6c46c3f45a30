#include "sim/report/mpu_page_charts.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace trapline {
namespace {

constexpr unsigned kLeft = 56, kWidth = 960, kRight = 16;  // Units of the drawing.
constexpr unsigned kPlot = kWidth - kLeft - kRight;

std::uint64_t number(const Json& value) { return value.get<std::uint64_t>(); }
std::string text(const Json& value) { return value.get<std::string>(); }

std::uint64_t address(const Json& value) {
  const std::string digits = text(value).substr(2);
  std::uint64_t result = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), result, 16);
  return result;
}

/// Columns that the run reached.
std::size_t columns(const Json& mpu) {
  return std::max<std::size_t>(1, mpu["timeline"]["most"].size());
}

double x_of(std::size_t column, std::size_t all) {
  return kLeft + static_cast<double>(column) * kPlot / static_cast<double>(all);
}

/// "41.6 M cycles".
std::string cycles_text(std::uint64_t cycles) {
  const auto count = static_cast<double>(cycles);
  if (count >= 1e9) return fmt::format("{:.3g} G cycles", count / 1e9);
  if (count >= 1e6) return fmt::format("{:.3g} M cycles", count / 1e6);
  if (count >= 1e3) return fmt::format("{:.3g} k cycles", count / 1e3);
  return fmt::format("{}", cycles);
}

std::string time_axis(const Json& mpu, unsigned y) {
  constexpr unsigned kTicks = 5;
  const std::size_t all = columns(mpu);
  const std::uint64_t end = all * number(mpu["timeline"]["cycles_per_column"]);
  std::string svg;
  for (unsigned n = 0; n <= kTicks; ++n) {
    const unsigned x = kLeft + kPlot * n / kTicks;
    const char* anchor = n == 0 ? "start" : n == kTicks ? "end" : "middle";
    svg += fmt::format(R"(<text class="small" x="{}" y="{}" text-anchor="{}">{}</text>)", x, y, anchor,
                       cycles_text(end / kTicks * n));
  }
  return svg;
}

std::string open_svg(unsigned height, const std::string& label) {
  return fmt::format(
      R"(<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">)", kWidth, height,
      escaped(label));
}

std::string shortened(const std::string& name, double width) {
  const auto fits = static_cast<std::size_t>(std::max(0.0, (width - 6) / 6.2));
  if (name.size() <= fits) return name;
  return fits < 4 ? std::string() : name.substr(0, fits - 1) + "…";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string fill_of(const Hues& hues, const Json& region, const char* property) {
  constexpr unsigned kGoldenAngle = 137;  // Degrees: neighbours in order differ most.
  return fmt::format(" style=\"{}:hsl({} 60% var(--tint))\"", property,
                     hues.at(text(region["name"])) * kGoldenAngle % 360);
}

Hues hues_of(const Json& document) {
  Hues hues;
  for (const Json& mpu : document["mpus"]) {
    for (const Json& region : mpu["regions"]) {
      hues.try_emplace(text(region["name"]), static_cast<unsigned>(hues.size()));
    }
  }
  return hues;
}

std::string pressure_chart(const Json& mpu) {
  constexpr unsigned kTop = 24, kHeight = 180, kBottom = 24;
  const std::uint64_t peak = number(mpu["peak"]["regions"]);
  const std::uint64_t limit = mpu["implemented"].is_null() ? peak : number(mpu["implemented"]);
  const double most = static_cast<double>(std::max<std::uint64_t>({1, peak, limit}));
  const auto y_of = [&](double regions) { return kTop + (1 - regions / most) * kHeight; };
  const std::size_t all = columns(mpu);
  std::string svg = open_svg(
      kTop + kHeight + kBottom,
      fmt::format("{}: regions enabled over time, at most {}{}", mpu_name(mpu), peak,
                  mpu["implemented"].is_null() ? "" : fmt::format(" of {}", limit)));
  const std::uint64_t step = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(most) / 8);
  for (std::uint64_t n = 0; n <= static_cast<std::uint64_t>(most); n += step) {
    const double y = y_of(static_cast<double>(n));
    svg += fmt::format(R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft,
                       kLeft + kPlot, y, y);
    svg += fmt::format(R"(<text class="small" x="{}" y="{:.1f}" text-anchor="end">{}</text>)",
                       kLeft - 6, y + 4, n);
  }
  std::string upper, lower;
  const Json &least = mpu["timeline"]["least"], &highest = mpu["timeline"]["most"];
  for (std::size_t n = 0; n < highest.size(); ++n) {
    // At least a hair high, so that a steady count is a line.
    const double high = y_of(highest[n].get<double>()) - 1, low = y_of(least[n].get<double>()) + 1;
    upper += fmt::format("L{:.1f} {:.1f} H{:.1f}", x_of(n, all), high, x_of(n + 1, all));
    lower = fmt::format("L{:.1f} {:.1f} H{:.1f}", x_of(n + 1, all), low, x_of(n, all)) + lower;
  }
  if (!upper.empty()) {
    upper[0] = 'M';
    svg += fmt::format(R"(<path class="band" d="{}{}Z"/>)", upper, lower);
  }
  if (!mpu["implemented"].is_null()) {
    const double y = y_of(static_cast<double>(limit));
    svg += fmt::format(R"(<line class="limit" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft,
                       kLeft + kPlot, y, y);
    svg += fmt::format(
        R"(<text class="limit-text" x="{}" y="{:.1f}" text-anchor="end">implemented: {}</text>)",
        kLeft + kPlot, y - 6, limit);
  }
  return svg + time_axis(mpu, kTop + kHeight + 18) + "</svg>";
}

std::string occupancy_chart(const Hues& hues, const Json& mpu) {
  constexpr unsigned kRow = 20, kGap = 2, kTop = 4;
  const Json& slots = mpu["timeline"]["slots"];
  const std::size_t all = columns(mpu);
  const std::uint64_t width = number(mpu["timeline"]["cycles_per_column"]);
  const auto rows = static_cast<unsigned>(slots.size());
  std::string svg =
      open_svg(kTop + rows * (kRow + kGap) + 24,
               fmt::format("{}: who had each slot over time; the table of regions says the same",
                           mpu_name(mpu)));
  unsigned y = kTop;
  for (const Json& slot : slots) {
    svg += fmt::format(R"(<text x="{}" y="{}" text-anchor="end">slot {}</text>)", kLeft - 6, y + 14,
                       number(slot["slot"]));
    svg += fmt::format(R"(<rect class="free" x="{}" y="{}" width="{}" height="{}"/>)", kLeft, y,
                       kPlot, kRow);
    for (const Json& run : slot["runs"]) {
      const Json& region = mpu["regions"][number(run["region"])];
      const std::size_t from = number(run["from"]), to = number(run["to"]) + 1;
      const double x = x_of(from, all), wide = x_of(to, all) - x;
      // A column in which the slot was enabled for a part of the time is as high as that part.
      const double share = std::min(1.0, static_cast<double>(number(run["cycles"])) /
                                             static_cast<double>((to - from) * width));
      const double high = std::max(3.0, share * kRow);
      svg += fmt::format(
          R"(<rect class="block" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"{}><title>slot {}: {}, {} to {}, enabled {} of this time</title></rect>)",
          x, y + kRow - high, wide, high, fill_of(hues, region, "fill"), number(slot["slot"]),
          escaped(text(region["name"])), text(region["base"]), text(region["limit"]),
          share > 0.999 ? "all" : fmt::format("{:.1f} %", share * 100));
      const std::string label = shortened(text(region["name"]), wide);
      if (!label.empty() && share > 0.7) {
        svg += fmt::format(R"(<text class="inside" x="{:.1f}" y="{}">{}</text>)", x + 4, y + 14,
                           escaped(label));
      }
    }
    y += kRow + kGap;
  }
  return svg + time_axis(mpu, y + 14) + "</svg>";
}

std::string layout_chart(const Hues& hues, const Json& mpu, const Json& set) {
  struct Line {
    std::uint64_t first, last;
    std::vector<const Json*> regions;
  };
  std::vector<const Json*> sorted;
  for (const Json& region : set) sorted.push_back(&region);
  std::sort(sorted.begin(), sorted.end(), [](const Json* a, const Json* b) {
    return address((*a)["base"]) < address((*b)["base"]);
  });
  std::vector<Line> lines;
  constexpr std::uint64_t kFar = 8;  // Times what has been drawn: a region that would dwarf it.
  for (const Json* region : sorted) {
    const std::uint64_t first = address((*region)["base"]), last = address((*region)["limit"]);
    if (!lines.empty()) {
      Line& line = lines.back();
      const std::uint64_t drawn = std::max<std::uint64_t>(line.last - line.first, 0x10000);
      const bool near = first <= line.last + 1 || first - line.last <= drawn;
      if (near && (last - first) / kFar <= drawn) {
        line.last = std::max(line.last, last);
        line.regions.push_back(region);
        continue;
      }
    }
    lines.push_back({first, last, {region}});
  }
  constexpr unsigned kLine = 62;
  const auto height = static_cast<unsigned>(lines.size()) * kLine + 4;
  std::string svg = open_svg(height, fmt::format("{}: the regions at their addresses, {} in all; "
                                                 "the table of regions says the same",
                                                 mpu_name(mpu), set.size()));
  unsigned y = 0;
  for (const Line& line : lines) {
    const double bytes = static_cast<double>(line.last - line.first) + 1;
    svg += fmt::format(
        R"(<text class="small" x="0" y="{}">{:#x} to {:#x}: the line is {}</text>)", y + 14, line.first,
        line.last, bytes_text(line.last - line.first + 1));
    svg += fmt::format(R"(<rect class="free" x="0" y="{}" width="{}" height="28"/>)", y + 20, kWidth);
    for (const Json* region : line.regions) {
      const std::uint64_t base = address((*region)["base"]);
      const double x = static_cast<double>(base - line.first) / bytes * kWidth;
      const double wide =
          std::max(2.0, static_cast<double>(number((*region)["bytes"])) / bytes * kWidth);
      svg += fmt::format(
          R"(<rect class="block" x="{:.1f}" y="{}" width="{:.1f}" height="28"{}><title>slot {}: {}, {} to {}, {}, {}</title></rect>)",
          x, y + 20, wide, fill_of(hues, *region, "fill"), number((*region)["slot"]),
          escaped(text((*region)["name"])), text((*region)["base"]), text((*region)["limit"]),
          bytes_text(number((*region)["bytes"])), text((*region)["access"]));
      const std::string label = shortened(
          fmt::format("{}: {}", number((*region)["slot"]), text((*region)["name"])), wide);
      if (!label.empty()) {
        svg += fmt::format(R"(<text class="inside" x="{:.1f}" y="{}">{}</text>)", x + 4, y + 39,
                           escaped(label));
      }
    }
    y += kLine;
  }
  return svg + "</svg>";
}

}  // namespace trapline
