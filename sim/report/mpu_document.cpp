#include "sim/report/mpu_document.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <set>
#include <stdexcept>
#include <tuple>

namespace trapline {
namespace {

constexpr std::uint64_t kPageMask = 0xfff;
constexpr std::size_t kMostGaps = 8;  ///< Stretches of untouched bytes that are told of a region.

std::string hex(std::uint64_t value) { return fmt::format("{:#x}", value); }

/// "EL2 r-x", "EL2 rw-, EL1&0 rwx": who may do what (DDI 0600 G1.3, PRBAR). XN[1] is stage 1's,
/// XN[0] stage 2's.
std::string access_text(const MpuRegion& region, unsigned el) {
  const char* data = region.read_only() ? "r-" : "rw";
  const char own = region.xn() & 2 ? '-' : 'x';
  if (el == 1) return fmt::format("{} {}{}", region.lower_el() ? "EL1&0" : "EL1", data, own);
  std::string text = fmt::format("EL2 {}{}", data, own);
  if (region.lower_el()) text += fmt::format(", EL1&0 {}{}", data, region.xn() & 1 ? '-' : 'x');
  return text;
}

std::string memory_text(const MpuRegion& region) {
  static constexpr const char* kShareability[] = {"non-shareable", "reserved", "outer shareable",
                                                  "inner shareable"};
  return fmt::format("attr {}, {}{}", region.attr_index(), kShareability[region.shareability()],
                     region.non_secure() ? ", NS" : "");
}

bool same_attributes(const MpuRegion& a, const MpuRegion& b) {
  const auto of = [](const MpuRegion& r) {
    return std::tuple(r.prbar & 0x3f, r.attr_index(), r.non_secure());
  };
  return of(a) == of(b);
}

Json cost_json(const MpuCost& cost, std::uint64_t times) {
  return {{"mean", times == 0 ? 0 : (cost.sum + times / 2) / times},
          {"least", times == 0 ? 0 : cost.least},
          {"most", cost.most},
          {"sum", cost.sum}};
}

/// Makes the parts of the document.
class DocumentMaker {
 public:
  explicit DocumentMaker(const MpuReportInput& input)
      : input_(input), names_(input.names), seen_(input.telemetry.seen()) {
    for (const auto& [name, value] : input.facts) {
      if (name == "cpu-hz") number(value, hz_);
      if (name == "mpu-regions") {
        unsigned el1 = 0, el2 = 0;
        if (std::sscanf(value.c_str(), "%u,%u", &el1, &el2) == 2) implemented_ = {el1, el2};
      }
    }
    layer_ = mpu_layer_facts(input.facts).has_value();
    name_guests();
  }

  Json make() {
    Json facts = Json::object();
    for (const auto& [name, value] : input_.facts) facts[name] = value;
    Json document{{"report", "trapline mpu"},
                  {"version", 1},
                  {"title", input_.title},
                  {"run", std::move(facts)},
                  {"digest", input_.digest},
                  {"cpu_hz", hz_},
                  {"recorded", input_.recorded.text()},
                  {"coverage", input_.coverage != nullptr},
                  {"mpus", Json::array()},
                  {"guests", Json::array()},
                  {"switches", Json::array()},
                  {"faults", Json::array()}};
    for (const auto& [key, track] : input_.telemetry.tracks()) {
      document["mpus"].push_back(mpu_json(key.first, key.second, track));
    }
    for (std::size_t n = 0; n < seen_.guests.size(); ++n) {
      document["guests"].push_back(guest_json(n));
    }
    for (const auto& [pair, all] : seen_.switches) {
      document["switches"].push_back(switch_json(pair.first, pair.second, all));
    }
    for (const auto& [key, faults] : input_.telemetry.faults()) {
      document["faults"].push_back(fault_json(key, faults));
    }
    document["findings"] = mpu_findings(document);
    return document;
  }

 private:
  static void number(const std::string& text, std::uint64_t& value) {
    std::from_chars(text.data(), text.data() + text.size(), value);
  }

  std::string name_of(const MpuRegion& region) const {
    return region.base() > region.limit() ? "nothing"
                                          : names_.name_of(region.base(), region.limit());
  }

  Json slot_json(const MpuSlot& at, unsigned el) const {
    const MpuRegion& region = at.region;
    return {{"slot", at.slot},
            {"name", name_of(region)},
            {"base", hex(region.base())},
            {"limit", hex(region.limit())},
            {"bytes", region.limit() - region.base() + 1},
            {"access", access_text(region, el)},
            {"memory", memory_text(region)}};
  }

  Json set_json(const std::vector<MpuSlot>& slots, unsigned el) const {
    Json set = Json::array();
    for (const MpuSlot& at : slots) set.push_back(slot_json(at, el));
    return set;
  }

  /// Pairs that adjoin and have equal attributes: one region would do.
  Json mergeable(std::vector<MpuSlot> slots) const {
    Json pairs = Json::array();
    std::sort(slots.begin(), slots.end(), [](const MpuSlot& a, const MpuSlot& b) {
      return a.region.base() < b.region.base();
    });
    for (std::size_t n = 1; n < slots.size(); ++n) {
      const MpuSlot &a = slots[n - 1], &b = slots[n];
      if (a.region.limit() + 1 != b.region.base() || !same_attributes(a.region, b.region)) continue;
      pairs.push_back({{"slots", {a.slot, b.slot}},
                       {"names", {name_of(a.region), name_of(b.region)}},
                       {"at", hex(b.region.base())}});
    }
    return pairs;
  }

  Json mpu_json(unsigned cpu, unsigned el, const MpuTrack& track) {
    const MpuLoad& load = track.load();
    const MpuTrack::Changes& changes = track.changes();
    Json mpu{{"cpu", cpu}, {"el", el}, {"implemented", nullptr}};
    if (implemented_) mpu["implemented"] = el == 2 ? implemented_->second : implemented_->first;
    mpu["peak"] = {{"regions", load.peak()},
                   {"cycle", track.peak_cycle()},
                   {"instruction", track.peak_instruction()},
                   {"set", set_json(track.peak(), el)},
                   {"mergeable", mergeable(track.peak())}};
    mpu["steady"] = {{"regions", load.steady()}};
    mpu["longest_set"] = {{"regions", track.longest_set().slots.size()},
                          {"cycles", track.longest_set().cycles},
                          {"set", set_json(track.longest_set().slots, el)},
                          {"mergeable", mergeable(track.longest_set().slots)}};
    mpu["at_end"] = load.enabled();
    mpu["used"] = load.used();
    mpu["cycles"] = input_.telemetry.cycles(cpu);
    mpu["histogram"] = histogram(load);
    mpu["writes"] = {{"prbar", load.writes().prbar},
                     {"prlar", load.writes().prlar},
                     {"prenr", load.writes().prenr},
                     {"indexed", load.writes().indexed},
                     {"unchanged", changes.unchanged},
                     {"from_el1", changes.from_el1},
                     {"from_el2", changes.from_el2}};
    mpu["changes"] = {{"enabled_by_prlar", changes.enabled_by_prlar},
                      {"enabled_by_prenr", changes.enabled_by_prenr},
                      {"disabled_by_prlar", changes.disabled_by_prlar},
                      {"disabled_by_prenr", changes.disabled_by_prenr},
                      {"rewritten_enabled", changes.rewritten_enabled}};
    mpu["lifetimes"] = lifetimes(track);
    group_tenants(cpu, el, track, mpu);
    mpu["overlaps"] = overlaps(track);
    mpu["unimplemented"] = Json::array();
    for (const auto& [region, missing] : track.missing()) {
      mpu["unimplemented"].push_back({{"region", region},
                                      {"reads", missing.reads},
                                      {"writes", missing.writes},
                                      {"first_cycle", missing.first}});
    }
    if (el == 2) mpu["headroom"] = headroom(track);
    return mpu;
  }

  static Json histogram(const MpuLoad& load) {
    Json rows = Json::array();
    for (unsigned n = 0; n < load.held().size(); ++n) {
      if (load.held()[n] != 0) rows.push_back({{"regions", n}, {"cycles", load.held()[n]}});
    }
    return rows;
  }

  static Json lifetimes(const MpuTrack& track) {
    Json rows = Json::array();
    std::uint64_t seen = 0, median = 0;
    for (unsigned n = 0; n < 64; ++n) {
      const std::uint64_t count = track.lifetimes()[n];
      if (count == 0) continue;
      rows.push_back({{"from_cycles", std::uint64_t{1} << n}, {"mappings", count}});
      if (seen <= track.ended() / 2) median = std::uint64_t{1} << n;
      seen += count;
    }
    return {{"ended", track.ended()}, {"median_from_cycles", median}, {"histogram", rows}};
  }

  struct TenantRow {
    MpuSlot like;
    AddressRange range;
    MpuTenant all;
    std::uint64_t ranges = 0;
    bool splits = false;
    MpuCoverage::Reached reached{};  ///< Of all ranges.
  };

  /// In one slot, of one size and with equal attributes.
  static bool alike_rows(const MpuSlot& a, const MpuSlot& b) {
    return a.slot == b.slot && a.region.limit() - a.region.base() == b.region.limit() - b.region.base() &&
           same_attributes(a.region, b.region);
  }

  /// Tenants of a slot that have one name, size and attributes are one row.
  void group_tenants(unsigned cpu, unsigned el, const MpuTrack& track, Json& mpu) {
    std::map<std::tuple<unsigned, std::string, std::uint64_t, std::uint64_t, std::uint64_t>,
             std::size_t>
        rows;
    std::vector<std::size_t> row_of;
    std::vector<TenantRow> sums;
    // Passing mappings of one area come one after the other.
    AddressRange alike{1, 0};
    std::size_t last = 0;
    for (std::uint32_t n = 0; n < track.tenants().size(); ++n) {
      const MpuTenant& tenant = track.tenants()[n];
      const MpuRegion& r = tenant.at.region;
      bool fresh = false;
      if (!(alike.first < r.base() && r.limit() < alike.last && alike_rows(sums[last].like, tenant.at))) {
        const auto found = rows.try_emplace(
            {tenant.at.slot, name_of(r), r.limit() - r.base(), r.prbar & 0x3f, r.prlar & 0x1e},
            sums.size());
        fresh = found.second;
        last = found.first->second;
        alike = names_.uniform_around(r.base(), r.limit());
      }
      row_of.push_back(last);
      if (fresh) sums.push_back({.like = tenant.at, .range = {r.base(), r.limit()}, .all = tenant});
      TenantRow& row = sums[last];
      ++row.ranges;
      row.range = {std::min(row.range.first, r.base()), std::max(row.range.last, r.limit())};
      row.splits |= (r.base() & kPageMask) != 0 || (r.limit() & kPageMask) != kPageMask;
      if (input_.coverage) add_reached(row, input_.coverage->reached(cpu, el, track, n));
      if (fresh) continue;
      row.all.mapped += tenant.mapped;
      row.all.cycles += tenant.cycles;
      row.all.last = std::max(row.all.last, tenant.last);
      row.all.shortest = std::min(row.all.shortest, tenant.shortest);
      row.all.longest = std::max(row.all.longest, tenant.longest);
    }
    Json regions = Json::array();
    for (const TenantRow& sum : sums) {
      Json row = slot_json(sum.like, el);
      row["base"] = hex(sum.range.first);
      row["limit"] = hex(sum.range.last);
      row["owner"] = names_.owner_of(sum.range.first, sum.range.last);
      row["ranges"] = sum.ranges;
      row["mapped"] = sum.all.mapped;
      row["cycles"] = sum.all.cycles;
      row["first_cycle"] = sum.all.first;
      row["last_cycle"] = sum.all.last;
      row["shortest"] = sum.all.shortest;
      row["longest"] = sum.all.longest;
      row["splits_page"] = sum.splits;
      if (input_.coverage) untouched_json(sum, row);
      regions.push_back(std::move(row));
    }
    mpu["regions"] = std::move(regions);
    mpu["timeline"] = timeline(track, row_of);
  }

  static void add_reached(TenantRow& row, const MpuCoverage::Reached& more) {
    row.reached.touched += more.touched;
    row.reached.gaps.insert(row.reached.gaps.end(), more.gaps.begin(), more.gaps.end());
  }
  /// Bytes that were mapped and never accessed, and the largest stretches of them by address.
  static void untouched_json(const TenantRow& sum, Json& row) {
    std::vector<AddressRange> gaps = sum.reached.gaps;
    std::uint64_t bytes = 0;
    for (const AddressRange& gap : gaps) bytes += gap.last - gap.first + 1;
    const std::size_t all = gaps.size();
    std::stable_sort(gaps.begin(), gaps.end(), [](const AddressRange& a, const AddressRange& b) {
      return a.last - a.first > b.last - b.first;
    });
    gaps.resize(std::min(all, kMostGaps));
    std::sort(gaps.begin(), gaps.end(), [](const AddressRange& a, const AddressRange& b) {
      return a.first < b.first;
    });
    Json stretches = Json::array();
    for (const AddressRange& gap : gaps) {
      stretches.push_back({{"base", hex(gap.first)},
                           {"limit", hex(gap.last)},
                           {"bytes", gap.last - gap.first + 1}});
    }
    row["touched_bytes"] = sum.reached.touched;
    row["untouched_bytes"] = bytes;
    row["untouched_stretches"] = all;
    row["untouched"] = std::move(stretches);
  }

  static Json timeline(const MpuTrack& track, const std::vector<std::size_t>& row_of) {
    const MpuTimeline& line = track.timeline();
    Json least = Json::array(), most = Json::array(), slots = Json::array();
    for (const MpuTimeline::Count& count : line.counts()) {
      if (!count.seen()) break;
      least.push_back(count.least);
      most.push_back(count.most);
    }
    for (unsigned slot = 0; slot <= MpuTrack::kMostRegions; ++slot) {
      const auto& cells = line.cells(slot);
      if (cells.empty()) continue;
      Json runs = Json::array();
      for (unsigned n = 0; n < cells.size(); ++n) {
        if (cells[n].tenant == MpuTimeline::kNobody) continue;
        const std::size_t row = row_of[cells[n].tenant];
        if (!runs.empty() && runs.back()["to"] == n - 1 && runs.back()["region"] == row) {
          runs.back()["to"] = n;
          runs.back()["cycles"] = runs.back()["cycles"].get<std::uint64_t>() + cells[n].cycles;
        } else {
          runs.push_back({{"from", n}, {"to", n}, {"region", row}, {"cycles", cells[n].cycles}});
        }
      }
      slots.push_back({{"slot", slot}, {"runs", std::move(runs)}});
    }
    return {{"cycles_per_column", line.cycles_per_column()},
            {"least", std::move(least)},
            {"most", std::move(most)},
            {"slots", std::move(slots)}};
  }

  Json overlaps(const MpuTrack& track) const {
    Json rows = Json::array();
    for (const auto& [pair, overlap] : track.overlaps()) {
      const MpuTenant &a = track.tenants()[pair.first], &b = track.tenants()[pair.second];
      rows.push_back({{"slots", {a.at.slot, b.at.slot}},
                      {"names", {name_of(a.at.region), name_of(b.at.region)}},
                      {"base", hex(std::max(a.at.region.base(), b.at.region.base()))},
                      {"limit", hex(std::min(a.at.region.limit(), b.at.region.limit()))},
                      {"times", overlap.times},
                      {"first_cycle", overlap.first}});
    }
    return rows;
  }

  /// What is the guest's own: regions of EL2's MPU that a lower level may access.
  static std::vector<MpuSlot> own(const MpuGuest& guest) {
    std::vector<MpuSlot> found;
    for (const MpuSlot& at : guest.el2.longest_set().slots) {
      if (at.region.lower_el()) found.push_back(at);
    }
    return found;
  }

  void name_guests() {
    for (const MpuGuest& guest : seen_.guests) {
      std::uint64_t widest = 0;
      std::string name;
      for (const MpuSlot& at : own(guest)) {
        const std::uint64_t bytes = at.region.limit() - at.region.base();
        std::string owner = input_.names.owner_of(at.region.base(), at.region.limit());
        if (owner.empty() || bytes < widest) continue;
        widest = bytes;
        name = std::move(owner);
      }
      if (name.empty()) name = fmt::format("guest at {:#x}", guest.home);
      guest_names_.push_back(std::move(name));
    }
    // What a guest maps within its memory is then known to be its own.
    for (std::size_t n = 0; n < seen_.guests.size(); ++n) {
      for (const MpuSlot& at : own(seen_.guests[n])) {
        const MpuRegion& r = at.region;
        if (input_.names.owner_of(r.base(), r.limit()) != guest_names_[n]) continue;
        names_.add({r.base(), r.limit(), guest_names_[n] + " RAM", guest_names_[n],
                    NamedRange::Source::device_tree});
      }
    }
  }

  std::string guest_name(int guest) const {
    return guest == MpuSwitches::kBoot ? "boot" : guest_names_[static_cast<std::size_t>(guest)];
  }

  Json guest_load_json(const MpuGuestLoad& load, unsigned el) const {
    return {{"peak", load.peak()},
            {"steady", load.steady()},
            {"set", set_json(load.longest_set().slots, el)}};
  }

  Json guest_json(std::size_t n) const {
    const MpuGuest& guest = seen_.guests[n];
    Json el1 = guest_load_json(guest.el1, 1);
    el1["peak_at_exits"] = guest.el1_at_exits;
    return {{"name", guest_names_[n]},
            {"vmid", guest.vmid},
            {"entries", guest.entries},
            {"first_cycle", guest.first},
            {"cycles", guest.cycles},
            {"own_el2_regions", own(guest).size()},
            {"el2", guest_load_json(guest.el2, 2)},
            {"el1", std::move(el1)}};
  }

  Json switch_json(int from, int to, const MpuSwitches& all) const {
    return {{"from", from},
            {"to", to},
            {"from_name", guest_name(from)},
            {"to_name", guest_name(to)},
            {"times", all.times},
            {"cycles", cost_json(all.cycles, all.times)},
            {"region_cycles", cost_json(all.region_cycles, all.times)},
            {"writes", cost_json(all.writes, all.times)},
            {"bytes", cost_json(all.bytes, all.times)},
            {"el1_writes", all.total.el1_writes},
            {"el2_writes", all.total.el2_writes},
            {"prenr_writes", all.total.prenr_writes},
            {"reads", all.total.reads},
            {"worst", {{"cycle", all.worst.from_cycle}, {"cycles", all.worst.cycles()},
                       {"region_cycles", all.worst.region_cycles}}}};
  }

  Json fault_json(const MpuFaultKey& key, const MpuFaults& faults) const {
    return {{"cpu", key.cpu},
            {"el", key.el},
            {"vmid", key.vmid},
            {"slot", key.slot >= 0 ? Json(key.slot) : Json()},
            {"matches", key.slot >= 0 ? "one" : key.slot == MpuTrack::kNone ? "none" : "several"},
            {"status", hex(key.status)},
            {"access", std::string(1, key.access)},
            {"times", faults.times},
            {"first_cycle", faults.first_cycle},
            {"first_address", hex(faults.first_address)},
            {"name", names_.name_of(faults.first_address, faults.first_address)}};
  }

  Json headroom(const MpuTrack& track) const {
    Json result{{"free_at_peak", nullptr}, {"never_enabled", nullptr}};
    const unsigned used = track.load().used();
    if (implemented_) {
      result["free_at_peak"] = implemented_->second - std::min(implemented_->second, track.load().peak());
      result["never_enabled"] = implemented_->second - std::min(implemented_->second, used);
    }
    if (seen_.guests.empty()) return result;
    bool rewritten = false;
    std::size_t most = 0;
    std::set<std::pair<std::uint64_t, std::uint64_t>> distinct;
    const auto note = [&](const MpuSlot& at) { distinct.insert({at.region.prbar, at.region.prlar}); };
    for (const MpuSlot& at : seen_.host.longest_set().slots) note(at);
    std::map<unsigned, MpuRegion> held;
    for (const MpuGuest& guest : seen_.guests) {
      const std::vector<MpuSlot> mine = own(guest);
      for (const MpuSlot& at : mine) {
        // Under the layer guests have vCPUs and so MPUs of their own, as if each had all slots.
        rewritten |= layer_ && held.try_emplace(at.slot, at.region).first->second != at.region;
      }
      most = std::max(most, mine.size());
      for (const MpuSlot& at : guest.el2.longest_set().slots) note(at);
      for (const MpuSlot& at : mine) rewritten |= held_other(track, at, guest.first);
    }
    result["guests"] = seen_.guests.size();
    result["regions_per_guest"] = most;
    result["guest_slots"] = rewritten ? "rewritten at each switch" : "own slots";
    result["all_at_once"] = distinct.size();
    result["more_guests"] = nullptr;
    if (!rewritten && implemented_ && most != 0) {
      result["more_guests"] = result["never_enabled"].get<std::size_t>() / most;
    }
    return result;
  }

  /// True if the slot held another range after the guest had begun to run.
  static bool held_other(const MpuTrack& track, const MpuSlot& at, std::uint64_t since) {
    return std::any_of(track.tenants().begin(), track.tenants().end(), [&](const MpuTenant& t) {
      return t.at.slot == at.slot && t.at.region != at.region && t.last > since;
    });
  }

  const MpuReportInput& input_;
  AddressNames names_;
  const MpuGuestWatch::Seen& seen_;
  std::uint64_t hz_ = 0;
  std::optional<std::pair<unsigned, unsigned>> implemented_;  // EL1, EL2.
  bool layer_ = false;  // No software is at EL2: the hypervisor layer is.
  std::vector<std::string> guest_names_;  // By index.
};

}  // namespace

Json mpu_document(const MpuReportInput& input) { return DocumentMaker(input).make(); }

std::string grouped(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ' ');
  return digits;
}

std::string bytes_text(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  unsigned unit = 0;
  double value = static_cast<double>(bytes);
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  const bool whole = value == static_cast<double>(static_cast<std::uint64_t>(value));
  return fmt::format("{:.{}f} {}", value, whole ? 0 : 1, kUnits[unit]);
}

std::string mpu_name(const Json& mpu) {
  return fmt::format("cpu{} EL{}", mpu["cpu"].get<unsigned>(), mpu["el"].get<unsigned>());
}

std::string count_text(std::uint64_t count, std::string_view one) {
  return fmt::format("{} {}{}", grouped(count), one, count == 1 ? "" : "s");
}

MpuReportFormat parse_mpu_report_format(std::string_view name) {
  if (name == "text" || name == "txt") return MpuReportFormat::text;
  if (name == "json") return MpuReportFormat::json;
  if (name == "csv") return MpuReportFormat::csv;
  if (name == "html") return MpuReportFormat::html;
  throw std::invalid_argument(fmt::format("'{}' is none of text, json, csv, html", name));
}

MpuReportFormat mpu_report_format_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  const std::string_view ending = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  if (ending == "txt" || ending == "json" || ending == "csv" || ending == "html") {
    return parse_mpu_report_format(ending);
  }
  throw std::invalid_argument(
      fmt::format("'{}' must end in .txt, .json, .csv or .html, which says what it will be", path));
}

std::string mpu_report(const MpuReportInput& input, MpuReportFormat format) {
  const Json document = mpu_document(input);
  switch (format) {
    case MpuReportFormat::text:
      return mpu_text(document);
    case MpuReportFormat::json:
      return document.dump(1) + '\n';
    case MpuReportFormat::csv:
      return mpu_csv(document);
    case MpuReportFormat::html:
      return mpu_page(document);
  }
  return {};
}

}  // namespace trapline
