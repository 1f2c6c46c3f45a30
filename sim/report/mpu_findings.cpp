// What the numbers mean, in plain words, each with its evidence.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>

#include "sim/report/mpu_document.h"

namespace trapline {
namespace {

std::uint64_t number(const Json& value) { return value.get<std::uint64_t>(); }
std::string text(const Json& value) { return value.get<std::string>(); }

class Findings {
 public:
  explicit Findings(const Json& document) : document_(document) {}

  Json make() {
    for (const Json& mpu : document_["mpus"]) {
      unimplemented(mpu);
      overlaps(mpu);
      pressure(mpu);
      mergeable(mpu);
      churn(mpu);
      rewritten(mpu);
      wasted(mpu);
      splits(mpu);
      untouched(mpu);
      guests(mpu);
    }
    faults();
    shared_vmids();
    switches();
    std::stable_sort(found_.begin(), found_.end(), [](const Json& a, const Json& b) {
      return rank(text(a["level"])) < rank(text(b["level"]));
    });
    return Json(found_);
  }

 private:
  static int rank(const std::string& level) {
    return level == "problem" ? 0 : level == "advice" ? 1 : 2;
  }

  void add(const char* level, std::string title, std::string evidence) {
    found_.push_back({{"level", level}, {"title", std::move(title)}, {"evidence", std::move(evidence)}});
  }

  static bool implemented(const Json& mpu, std::uint64_t& count) {
    if (mpu["implemented"].is_null()) return false;
    count = number(mpu["implemented"]);
    return true;
  }

  void unimplemented(const Json& mpu) {
    if (mpu["unimplemented"].empty()) return;
    std::string list;
    std::uint64_t writes = 0;
    for (const Json& row : mpu["unimplemented"]) {
      writes += number(row["writes"]);
      list += fmt::format("{}region {} ({} writes, {} reads, first at cycle {})",
                          list.empty() ? "" : "; ", number(row["region"]), number(row["writes"]),
                          number(row["reads"]), grouped(number(row["first_cycle"])));
    }
    add(writes != 0 ? "problem" : "advice",
        fmt::format("{}: software reaches for regions that this part does not have", mpu_name(mpu)),
        "Such writes have no effect here and are UNPREDICTABLE or ignored on silicon: " + list + ".");
  }

  void overlaps(const Json& mpu) {
    for (const Json& row : mpu["overlaps"]) {
      add("problem",
          fmt::format("{}: slots {} and {} were enabled at once and overlap", mpu_name(mpu),
                      number(row["slots"][0]), number(row["slots"][1])),
          fmt::format("{} and {} share {} to {}; an access there is a Translation fault. {}, first "
                      "at cycle {}.",
                      text(row["names"][0]), text(row["names"][1]), text(row["base"]),
                      text(row["limit"]), count_text(number(row["times"]), "time"),
                      grouped(number(row["first_cycle"]))));
    }
  }

  void pressure(const Json& mpu) {
    const Json& peak = mpu["peak"];
    std::uint64_t there_are = 0;
    if (!implemented(mpu, there_are)) {
      add("fact", fmt::format("{}: {} regions were enabled at most", mpu_name(mpu),
                              number(peak["regions"])),
          "The trace does not say how many the part has.");
      return;
    }
    const std::uint64_t most = number(peak["regions"]);
    const std::string evidence =
        fmt::format("The peak came first at cycle {} (instruction {}); for most of the time {} were "
                    "enabled. {} of {} slots were ever enabled.",
                    grouped(number(peak["cycle"])), grouped(number(peak["instruction"])),
                    number(mpu["steady"]["regions"]), number(mpu["used"]), there_are);
    if (most >= there_are) {
      add("problem", fmt::format("{}: every one of {} regions was in use at the peak", mpu_name(mpu),
                                 there_are),
          evidence);
    } else {
      add(there_are - most <= 1 ? "advice" : "fact",
          fmt::format("{}: {} of {} regions were enabled at most; {} left", mpu_name(mpu), most,
                      there_are, there_are - most),
          evidence);
    }
  }

  void mergeable(const Json& mpu) {
    for (const char* when : {"peak", "longest_set"}) {
      const Json& pairs = mpu[when]["mergeable"];
      if (pairs.empty()) continue;
      std::string list;
      for (const Json& pair : pairs) {
        list += fmt::format("{}slots {} ({}) and {} ({}) meet at {}", list.empty() ? "" : "; ",
                            number(pair["slots"][0]), text(pair["names"][0]),
                            number(pair["slots"][1]), text(pair["names"][1]), text(pair["at"]));
      }
      add("advice",
          fmt::format("{}: {} could be saved {} by merging neighbours", mpu_name(mpu),
                      count_text(pairs.size(), "region"),
                      std::string_view(when) == "peak" ? "at the peak" : "in the longest layout"),
          "They adjoin and have the same permissions and memory type: " + list + ".");
    }
  }

  void churn(const Json& mpu) {
    constexpr std::uint64_t kManyMappings = 100;
    for (const Json& row : mpu["regions"]) {
      if (number(row["ranges"]) < kManyMappings) continue;
      add("advice",
          fmt::format("{}: slot {} is used for passing mappings of {}", mpu_name(mpu),
                      number(row["slot"]), text(row["name"])),
          fmt::format("{} of {}, {} different, from {} to {} cycles long.",
                      count_text(number(row["mapped"]), "mapping"), bytes_text(number(row["bytes"])),
                      grouped(number(row["ranges"])), grouped(number(row["shortest"])),
                      grouped(number(row["longest"]))));
    }
  }

  void rewritten(const Json& mpu) {
    const std::uint64_t times = number(mpu["changes"]["rewritten_enabled"]);
    if (times == 0) return;
    add("advice", fmt::format("{}: regions are rewritten while they are enabled", mpu_name(mpu)),
        fmt::format("{}. Between PRBAR and PRLAR the region has the base of one range and the limit "
                    "of another, which may open or close memory for a moment, or overlap.",
                    count_text(times, "write")));
  }

  void wasted(const Json& mpu) {
    const Json& writes = mpu["writes"];
    const std::uint64_t all =
        number(writes["prbar"]) + number(writes["prlar"]) + number(writes["prenr"]);
    const std::uint64_t same = number(writes["unchanged"]);
    constexpr std::uint64_t kFew = 100;
    if (all < kFew || same * 4 < all) return;
    add("advice", fmt::format("{}: {} % of the register writes change nothing", mpu_name(mpu),
                              same * 100 / all),
        fmt::format("{} of {} writes left the register as it was: slots that are always empty, or "
                    "regions that are the same for everyone.",
                    grouped(same), grouped(all)));
  }

  void splits(const Json& mpu) {
    std::string list;
    std::uint64_t count = 0;
    for (const Json& row : mpu["regions"]) {
      if (!row["splits_page"].get<bool>()) continue;
      ++count;
      list += fmt::format("{}slot {}: {}, {} to {}", list.empty() ? "" : "; ", number(row["slot"]),
                          text(row["name"]), text(row["base"]), text(row["limit"]));
    }
    if (count == 0) return;
    add("fact",
        fmt::format("{}: {} or ends within a page of 4 KiB", mpu_name(mpu),
                    count == 1 ? "a region begins" : fmt::format("each of {} regions begins", count)),
        "The rest of the page is another region's or nobody's: " + list + ".");
  }

  void untouched(const Json& mpu) {
    if (!document_["coverage"].get<bool>()) return;
    std::string list;
    std::uint64_t mapped = 0, bytes = 0;
    for (const Json& row : mpu["regions"]) {
      const std::uint64_t touched = number(row["touched_bytes"]), never = number(row["untouched_bytes"]);
      mapped += touched + never;
      bytes += never;
      if (never < 0x400 || never < touched) continue;
      list += fmt::format("{}slot {}: {}, {} of {}", list.empty() ? "" : "; ", number(row["slot"]),
                          text(row["name"]), bytes_text(never), bytes_text(touched + never));
    }
    if (list.empty()) return;
    add("fact",
        fmt::format("{}: {} of {} mapped were never accessed", mpu_name(mpu), bytes_text(bytes),
                    bytes_text(mapped)),
        "Where it is half of a region and more: " + list + ".");
  }

  void guests(const Json& mpu) {
    if (!mpu.contains("headroom") || !mpu["headroom"].contains("guests")) return;
    const Json& room = mpu["headroom"];
    std::uint64_t there_are = 0;
    if (!implemented(mpu, there_are)) return;
    const std::uint64_t each = number(room["regions_per_guest"]);
    if (!room["more_guests"].is_null()) {
      add("fact",
          fmt::format("{}: {} of this shape would fit", mpu_name(mpu),
                      count_text(number(room["more_guests"]), "more guest")),
          fmt::format("Each guest has slots of its own, {} at most; {} were never enabled.",
                      count_text(each, "region"), count_text(number(room["never_enabled"]), "slot")));
    } else if (each != 0) {
      const std::uint64_t all = number(room["all_at_once"]);
      add(all <= there_are ? "advice" : "fact",
          fmt::format("{}: guests take turns in the same slots, so more guests cost no regions",
                      mpu_name(mpu)),
          all <= there_are
              ? fmt::format("All regions of the hypervisor and of its guests are {}, and there are "
                            "{}: each could keep a slot and a switch be one write of PRENR_EL2.",
                            all, there_are)
              : fmt::format("All regions of the hypervisor and of its guests are {}; there are {}.",
                            all, there_are));
    }
  }

  void faults() {
    std::vector<const Json*> rows;
    for (const Json& row : document_["faults"]) rows.push_back(&row);
    std::stable_sort(rows.begin(), rows.end(), [](const Json* a, const Json* b) {
      return number((*a)["times"]) > number((*b)["times"]);
    });
    constexpr std::size_t kMost = 8;  // The table has them all.
    rows.resize(std::min(rows.size(), kMost));
    for (const Json* fault : rows) {
      const Json& row = *fault;
      const std::string where = row["slot"].is_null() ? text(row["matches"]) + " matched"
                                                      : fmt::format("slot {}", number(row["slot"]));
      add(text(row["matches"]) == "several" ? "problem" : "fact",
          fmt::format("cpu{} EL{}: {} at {}", number(row["cpu"]), number(row["el"]),
                      count_text(number(row["times"]), "fault"), text(row["name"])),
          fmt::format("Access {} by VMID {}, status {}, {}; the first at {}, cycle {}.",
                      text(row["access"]), number(row["vmid"]), text(row["status"]), where,
                      text(row["first_address"]), grouped(number(row["first_cycle"]))));
    }
  }

  void shared_vmids() {
    std::map<std::uint64_t, std::vector<std::string>> names;
    for (const Json& guest : document_["guests"]) {
      names[number(guest["vmid"])].push_back(text(guest["name"]));
    }
    for (const auto& [vmid, guests] : names) {
      if (guests.size() < 2) continue;
      add("advice", fmt::format("{} guests run with VMID {}", guests.size(), vmid),
          fmt::format("{}. Guests that use VMSAv8-64 at EL1 may then meet each other's "
                      "translations, unless every switch invalidates them.",
                      fmt::join(guests, ", ")));
    }
  }

  void switches() {
    const Json* worst = nullptr;
    for (const Json& row : document_["switches"]) {
      if (row["from"] == MpuSwitches::kBoot) continue;
      if (!worst || number(row["region_cycles"]["sum"]) > number((*worst)["region_cycles"]["sum"])) {
        worst = &row;
      }
    }
    if (!worst || number((*worst)["region_cycles"]["sum"]) == 0) return;
    const Json& row = *worst;
    add("fact",
        fmt::format("Changing from {} to {} costs most: {} cycles with regions", text(row["from_name"]),
                    text(row["to_name"]), grouped(number(row["region_cycles"]["mean"]))),
        fmt::format("{}; {} cycles of the hypervisor each, {} and {} on average.",
                    count_text(number(row["times"]), "time"), grouped(number(row["cycles"]["mean"])),
                    count_text(number(row["writes"]["mean"]), "register write"),
                    bytes_text(number(row["bytes"]["mean"]))));
  }

  const Json& document_;
  std::vector<Json> found_;
};

}  // namespace

Json mpu_findings(const Json& document) { return Findings(document).make(); }

}  // namespace trapline
