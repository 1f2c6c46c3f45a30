// The report on MPU regions as text and as a table of values.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <vector>

#include "sim/report/mpu_document.h"

namespace trapline {
namespace {

std::uint64_t number(const Json& value) { return value.get<std::uint64_t>(); }
std::string text(const Json& value) { return value.get<std::string>(); }

/// Columns as wide as their contents; numbers to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string text() const {
    std::string all;
    std::vector<std::size_t> widths(rows_[0].size());
    for (const auto& row : rows_) {
      for (std::size_t n = 0; n < row.size(); ++n) widths[n] = std::max(widths[n], row[n].size());
    }
    for (const auto& row : rows_) {
      std::string line = " ";
      for (std::size_t n = 0; n < row.size(); ++n) {
        line += right(n) ? fmt::format(" {:>{}}", row[n], widths[n])
                         : fmt::format(" {:<{}}", row[n], widths[n]);
      }
      line.resize(line.find_last_not_of(' ') + 1);
      all += line + '\n';
    }
    return all;
  }

 private:
  bool right(std::size_t column) const {
    return std::all_of(rows_.begin() + 1, rows_.end(), [&](const auto& row) {
      return row[column].find_first_not_of("0123456789 -") == std::string::npos;
    });
  }

  std::vector<std::vector<std::string>> rows_;
};

std::string implemented_text(const Json& mpu) {
  return mpu["implemented"].is_null() ? "?" : std::to_string(number(mpu["implemented"]));
}

std::string mpus_table(const Json& document) {
  Table table({"MPU", "implemented", "peak", "steady", "at end", "used", "PRBAR", "PRLAR", "PRENR",
               "indexed", "unchanged"});
  for (const Json& mpu : document["mpus"]) {
    const Json& writes = mpu["writes"];
    table.add({mpu_name(mpu), implemented_text(mpu), std::to_string(number(mpu["peak"]["regions"])),
               std::to_string(number(mpu["steady"]["regions"])), std::to_string(number(mpu["at_end"])),
               std::to_string(number(mpu["used"])), std::to_string(number(writes["prbar"])),
               std::to_string(number(writes["prlar"])), std::to_string(number(writes["prenr"])),
               std::to_string(number(writes["indexed"])), std::to_string(number(writes["unchanged"]))});
  }
  return table.text();
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  const double share = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return share != 0 && share < 0.1 ? "<0.1 %" : fmt::format("{:.1f} %", share);
}

std::string regions_table(const Json& mpu) {
  std::vector<const Json*> rows;
  for (const Json& row : mpu["regions"]) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(), [](const Json* a, const Json* b) {
    return number((*a)["slot"]) < number((*b)["slot"]);
  });
  Table table({"slot", "region", "from", "to", "access", "memory", "mapped", "enabled"});
  for (const Json* row : rows) {
    std::string name = text((*row)["name"]);
    if (number((*row)["ranges"]) > 1) {
      name += fmt::format(", {} ranges", grouped(number((*row)["ranges"])));
    }
    table.add({std::to_string(number((*row)["slot"])), name, text((*row)["base"]),
               text((*row)["limit"]), text((*row)["access"]), text((*row)["memory"]),
               grouped(number((*row)["mapped"])),
               percent(number((*row)["cycles"]), number(mpu["cycles"]))});
  }
  return table.text();
}

/// What was mapped and never accessed, in the report on a run that was asked for it.
std::string untouched_table(const Json& mpu) {
  Table table({"slot", "region", "touched", "never touched", "the largest stretches of that"});
  for (const Json& row : mpu["regions"]) {
    std::string stretches;
    for (const Json& gap : row["untouched"]) {
      if (number(gap["bytes"]) * 16 < number(row["untouched_bytes"])) continue;
      stretches += fmt::format("{}{}-{}", stretches.empty() ? "" : " ", text(gap["base"]),
                               text(gap["limit"]));
    }
    table.add({std::to_string(number(row["slot"])), text(row["name"]),
               bytes_text(number(row["touched_bytes"])), bytes_text(number(row["untouched_bytes"])),
               stretches});
  }
  return table.text();
}

std::string histogram_text(const Json& mpu) {
  std::string line = "  enabled at once:";
  for (const Json& row : mpu["histogram"]) {
    line += fmt::format(" {} for {};", number(row["regions"]),
                        percent(number(row["cycles"]), number(mpu["cycles"])));
  }
  line.pop_back();
  return line + '\n';
}

std::string guests_table(const Json& document) {
  Table table({"guest", "VMID", "entries", "cycles", "EL2 peak", "EL2 steady", "its own", "EL1 peak",
               "at exits", "EL1 steady"});
  for (const Json& guest : document["guests"]) {
    table.add({text(guest["name"]), std::to_string(number(guest["vmid"])),
               grouped(number(guest["entries"])), grouped(number(guest["cycles"])),
               std::to_string(number(guest["el2"]["peak"])),
               std::to_string(number(guest["el2"]["steady"])),
               std::to_string(number(guest["own_el2_regions"])),
               std::to_string(number(guest["el1"]["peak"])),
               std::to_string(number(guest["el1"]["peak_at_exits"])),
               std::to_string(number(guest["el1"]["steady"]))});
  }
  return table.text();
}

std::string switches_table(const Json& document) {
  Table table({"from", "to", "times", "cycles", "least", "most", "with regions", "least", "most",
               "writes", "bytes"});
  for (const Json& row : document["switches"]) {
    const auto cost = [&](const char* what, const char* which) {
      return grouped(number(row[what][which]));
    };
    table.add({text(row["from_name"]), text(row["to_name"]), grouped(number(row["times"])),
               cost("cycles", "mean"), cost("cycles", "least"), cost("cycles", "most"),
               cost("region_cycles", "mean"), cost("region_cycles", "least"),
               cost("region_cycles", "most"), cost("writes", "mean"), cost("bytes", "mean")});
  }
  return table.text();
}

std::string csv_field(const std::string& field) {
  if (field.find_first_of(",\"\n") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace

std::string mpu_text(const Json& document) {
  std::string all = text(document["title"]) + '\n';
  if (document["mpus"].empty()) return all + "no MPU region was ever written\n";
  all += '\n' + mpus_table(document);
  for (const Json& mpu : document["mpus"]) {
    all += fmt::format("\n{}: regions by slot\n{}{}", mpu_name(mpu), regions_table(mpu),
                       histogram_text(mpu));
  }
  if (document["coverage"].get<bool>()) {
    for (const Json& mpu : document["mpus"]) {
      all += fmt::format("\n{}: bytes accessed while mapped, by granules of 64\n{}", mpu_name(mpu),
                         untouched_table(mpu));
    }
  }
  if (!document["guests"].empty()) {
    all += "\nguests: regions enabled while each ran\n" + guests_table(document);
    all += "\nswitches: cycles of the hypervisor, and those spent with regions\n" +
           switches_table(document);
  }
  all += "\nfindings\n";
  for (const Json& finding : document["findings"]) {
    all += fmt::format("  {}: {}\n    {}\n", text(finding["level"]), text(finding["title"]),
                       text(finding["evidence"]));
  }
  return all;
}

std::string mpu_csv(const Json& document) {
  std::string all =
      "cpu,el,slot,name,owner,base,limit,bytes,access,memory,ranges,mapped,cycles,first_cycle,"
      "last_cycle,shortest,longest";
  const bool coverage = document["coverage"].get<bool>();
  all += coverage ? ",touched_bytes,untouched_bytes\n" : "\n";
  for (const Json& mpu : document["mpus"]) {
    for (const Json& row : mpu["regions"]) {
      all += fmt::format("{},{},{}", number(mpu["cpu"]), number(mpu["el"]), number(row["slot"]));
      for (const char* field : {"name", "owner", "base", "limit", "bytes", "access", "memory",
                                "ranges", "mapped", "cycles", "first_cycle", "last_cycle",
                                "shortest", "longest"}) {
        const Json& value = row[field];
        all += ',' + csv_field(value.is_string() ? text(value) : std::to_string(number(value)));
      }
      if (coverage) {
        all += fmt::format(",{},{}", number(row["touched_bytes"]), number(row["untouched_bytes"]));
      }
      all += '\n';
    }
  }
  return all;
}

}  // namespace trapline
