// The report on MPU regions as one page of HTML that needs nothing else: no script, no network.
//
// Every number that is shown carries data-path, the JSON pointer of its value in the report, which is
// in the page as well.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "sim/report/mpu_document.h"
#include "sim/report/mpu_page_charts.h"
#include "sim/report/mpu_page_style.h"

namespace trapline {
namespace {

std::uint64_t number(const Json& value) { return value.get<std::uint64_t>(); }

class Page {
 public:
  explicit Page(const Json& document) : document_(document), hues_(hues_of(document)) {}

  std::string make() {
    head();
    if (document_["mpus"].empty()) out_ += "<p>No MPU region was ever written.</p>\n";
    tiles();
    findings();
    for (std::size_t n = 0; n < document_["mpus"].size(); ++n) mpu(n);
    guests();
    switches();
    faults();
    foot();
    return std::move(out_);
  }

 private:
  template <typename... Parts>
  void write(fmt::format_string<Parts...> form, Parts&&... parts) {
    out_ += fmt::format(form, std::forward<Parts>(parts)...);
  }

  const Json& at(const std::string& path) const {
    return document_.at(Json::json_pointer(path));
  }

  /// The value at `path` as an element.
  std::string value(const std::string& path) const {
    const Json& found = at(path);
    const std::string shown = found.is_null()     ? "not known"
                              : found.is_string() ? escaped(found.get<std::string>())
                                                  : grouped(number(found));
    return fmt::format(R"(<span data-path="{}">{}</span>)", path, shown);
  }

  std::string text(const std::string& path) const {
    return escaped(at(path).get<std::string>());
  }

  struct Column {
    const char* head;
    bool number;
    std::function<std::string(const std::string& row)> cell;
  };
  Column field(const char* head, const char* name) const {
    return {head, true, [this, name](const std::string& row) { return value(row + name); }};
  }
  Column words(const char* head, const char* name) const {
    return {head, false, [this, name](const std::string& row) { return value(row + name); }};
  }

  void table(const std::string& caption, const std::vector<std::string>& rows,
             const std::vector<Column>& columns) {
    write(R"(<div class="scroll" tabindex="0" role="region" aria-label="{}"><table><caption>{}</caption><thead><tr>)",
          escaped(caption), escaped(caption));
    for (const Column& column : columns) {
      write(R"(<th scope="col"{}>{}</th>)", column.number ? R"( class="n")" : "", column.head);
    }
    out_ += "</tr></thead><tbody>\n";
    for (const std::string& row : rows) {
      out_ += "<tr>";
      for (const Column& column : columns) {
        write("<td{}>{}</td>", column.number ? R"( class="n")" : "", column.cell(row));
      }
      out_ += "</tr>\n";
    }
    out_ += "</tbody></table></div>\n";
  }

  std::vector<std::string> rows_of(const std::string& path) const {
    std::vector<std::string> rows;
    for (std::size_t n = 0; n < at(path).size(); ++n) rows.push_back(fmt::format("{}/{}", path, n));
    return rows;
  }

  std::string mpu_id(std::size_t n) const { return fmt::format("mpu{}", n); }

  void head() {
    write(R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>{}</title><style>{}</style></head><body>
<a class="skip" href="#findings">To the findings</a>
<header><h1>{}</h1><p class="faint">)",
          text("/title"), kMpuPageStyle, text("/title"));
    const Json& run = document_["run"];
    std::string facts;
    for (const auto& [name, shown] : run.items()) {
      if (name.starts_with("script") || name == "append") continue;
      facts += fmt::format("{}{} {}", facts.empty() ? "" : " · ", escaped(name),
                           escaped(shown.get<std::string>()));
    }
    out_ += facts;
    if (!document_["digest"].get<std::string>().empty()) write(" · digest {}", text("/digest"));
    out_ += R"(</p><nav aria-label="Contents"><ul><li><a href="#findings">Findings</a></li>)";
    for (std::size_t n = 0; n < document_["mpus"].size(); ++n) {
      write(R"(<li><a href="#{}">{}</a></li>)", mpu_id(n), mpu_name(document_["mpus"][n]));
    }
    if (!document_["guests"].empty()) out_ += R"(<li><a href="#guests">Guests</a></li>)";
    if (!document_["switches"].empty()) out_ += R"(<li><a href="#switches">Switches</a></li>)";
    if (!document_["faults"].empty()) out_ += R"(<li><a href="#faults">Faults</a></li>)";
    out_ += "</ul></nav></header>\n<main>\n";
  }

  void tiles() {
    out_ += R"(<div class="tiles">)";
    for (std::size_t n = 0; n < document_["mpus"].size(); ++n) {
      const std::string path = fmt::format("/mpus/{}", n);
      write(R"(<div class="tile">{}<b>{} of {}</b>regions at the peak; {} for most of the time, {} slots ever used</div>)",
            mpu_name(document_["mpus"][n]), value(path + "/peak/regions"), value(path + "/implemented"),
            value(path + "/steady/regions"), value(path + "/used"));
    }
    out_ += "</div>\n";
  }

  void findings() {
    out_ += R"(<section id="findings" aria-labelledby="findings-title"><h2 id="findings-title">Findings</h2><ul class="findings">)";
    for (const std::string& row : rows_of("/findings")) {
      write(R"(<li class="{}"><span class="level">{}</span><strong>{}</strong><p>{}</p></li>)",
            text(row + "/level"), text(row + "/level"), text(row + "/title"), text(row + "/evidence"));
    }
    out_ += "</ul></section>\n";
  }

  void mpu(std::size_t n) {
    const Json& mpu = document_["mpus"][n];
    const std::string path = fmt::format("/mpus/{}", n);
    write(R"(<section id="{0}" aria-labelledby="{0}-title"><h2 id="{0}-title">{1}</h2>)", mpu_id(n),
          mpu_name(mpu));
    write("<h3>Pressure</h3><p>Regions enabled at once, the least and the most in each stretch of time. "
          "The peak of {} came first at cycle {}.</p>",
          value(path + "/peak/regions"), value(path + "/peak/cycle"));
    drawing("Regions enabled over time", pressure_chart(mpu));
    out_ += "<h3>Slots over time</h3><p>Who had each slot for most of each stretch of time. A low block "
            "was enabled for a part of it.</p>";
    drawing("Slots over time", occupancy_chart(hues_, mpu));
    layout("The layout that lasted longest", mpu, mpu["longest_set"]["set"]);
    layout("The layout at the peak", mpu, mpu["peak"]["set"]);
    regions(path, mpu);
    if (document_["coverage"].get<bool>()) untouched(path);
    counts(path);
    out_ += "</section>\n";
  }

  void drawing(const std::string& label, const std::string& svg) {
    write(R"(<div class="scroll" tabindex="0" role="region" aria-label="{}">{}</div>)", escaped(label),
          svg);
    out_ += '\n';
  }

  void layout(const std::string& title, const Json& mpu, const Json& set) {
    if (set.empty()) return;
    write("<h3>{}</h3><p>{} at their addresses. Each line is to its own scale.</p>", escaped(title),
          count_text(set.size(), "region"));
    drawing(title, layout_chart(hues_, mpu, set));
  }

  void regions(const std::string& path, const Json& mpu) {
    std::vector<std::string> rows = rows_of(path + "/regions");
    std::stable_sort(rows.begin(), rows.end(), [this](const std::string& a, const std::string& b) {
      return number(at(a + "/slot")) < number(at(b + "/slot"));
    });
    out_ += "<h3>Regions</h3>";
    const std::uint64_t all = std::max<std::uint64_t>(1, number(mpu["cycles"]));
    table("Every region that was mapped, by slot", rows,
          {field("slot", "/slot"),
           {"region", false,
            [this](const std::string& row) {
              return fmt::format(R"(<span class="swatch"{}></span>)", fill_of(hues_, at(row), "background")) +
                     value(row + "/name");
            }},
           words("from", "/base"), words("to", "/limit"), words("access", "/access"),
           words("memory", "/memory"), field("ranges", "/ranges"), field("mapped", "/mapped"),
           field("cycles enabled", "/cycles"),
           {"of the run", true, [this, all](const std::string& row) {
              return fmt::format("{:.1f} %", 100.0 * static_cast<double>(number(at(row + "/cycles"))) /
                                                 static_cast<double>(all));
            }}});
  }

  void untouched(const std::string& path) {
    out_ += "<h3>Bytes never accessed while they were mapped</h3>";
    std::vector<std::string> stretches;
    for (const std::string& row : rows_of(path + "/regions")) {
      for (const std::string& gap : rows_of(row + "/untouched")) stretches.push_back(gap);
    }
    table("What was accessed of each region, in granules of 64 bytes", rows_of(path + "/regions"),
          {field("slot", "/slot"), words("region", "/name"), field("touched", "/touched_bytes"),
           field("never touched", "/untouched_bytes"), field("stretches", "/untouched_stretches")});
    table("The largest stretches that were never accessed", stretches,
          {words("from", "/base"), words("to", "/limit"), field("bytes", "/bytes"),
           {"region", false, [this](const std::string& gap) {
              return value(gap.substr(0, gap.find("/untouched/")) + "/name");
            }}});
  }

  void counts(const std::string& path) {
    out_ += "<h3>Register writes</h3>";
    table("Writes of this MPU's registers", {path + "/writes"},
          {field("PRBAR", "/prbar"), field("PRLAR", "/prlar"), field("PRENR", "/prenr"),
           field("by PRBAR&lt;n&gt;, PRLAR&lt;n&gt;", "/indexed"),
           field("that changed nothing", "/unchanged"), field("from EL1", "/from_el1"),
           field("from EL2", "/from_el2")});
    out_ += "<h3>How many for how long</h3>";
    table("Cycles with so many regions enabled", rows_of(path + "/histogram"),
          {field("regions", "/regions"), field("cycles", "/cycles"), share(path)});
    if (number(at(path + "/lifetimes/ended")) != 0) {
      out_ += "<h3>Lifetimes</h3>";
      table("Mappings that ended, by how long they had lasted", rows_of(path + "/lifetimes/histogram"),
            {field("from cycles", "/from_cycles"), field("mappings", "/mappings")});
    }
    if (!at(path + "/overlaps").empty()) {
      out_ += "<h3>Overlaps</h3>";
      table("Regions enabled at once that share addresses", rows_of(path + "/overlaps"),
            {field("slot", "/slots/0"), words("region", "/names/0"), field("slot", "/slots/1"),
             words("region", "/names/1"), words("from", "/base"), words("to", "/limit"),
             field("times", "/times")});
    }
    if (!at(path + "/unimplemented").empty()) {
      out_ += "<h3>Regions that the part does not have</h3>";
      table("Accesses to regions that are not implemented", rows_of(path + "/unimplemented"),
            {field("region", "/region"), field("writes", "/writes"), field("reads", "/reads"),
             field("first at cycle", "/first_cycle")});
    }
  }

  Column share(const std::string& path) const {
    const double all = std::max(1.0, at(path + "/cycles").get<double>());
    return {"", false, [this, all](const std::string& row) {
              const double part = at(row + "/cycles").get<double>() / all;
              return fmt::format(R"(<span class="bar" style="width:{:.1f}em"></span> {:.1f} %)",
                                 part * 12, part * 100);
            }};
  }

  void guests() {
    if (document_["guests"].empty()) return;
    out_ += R"(<section id="guests" aria-labelledby="guests-title"><h2 id="guests-title">Guests</h2>)";
    table("Regions enabled while each guest ran", rows_of("/guests"),
          {words("guest", "/name"), field("VMID", "/vmid"), field("entries", "/entries"),
           field("cycles", "/cycles"), field("EL2 peak", "/el2/peak"),
           field("EL2 steady", "/el2/steady"), field("of them its own", "/own_el2_regions"),
           field("EL1 peak", "/el1/peak"),
           field("at exits", "/el1/peak_at_exits"), field("EL1 steady", "/el1/steady")});
    out_ += "</section>\n";
  }

  void switches() {
    if (document_["switches"].empty()) return;
    out_ += R"(<section id="switches" aria-labelledby="switches-title"><h2 id="switches-title">Switches</h2>)";
    std::uint64_t most = 1;
    for (const Json& row : document_["switches"]) {
      most = std::max(most, number(row["region_cycles"]["mean"]));
    }
    table("From one guest to the next: cycles of the hypervisor, and those with regions",
          rows_of("/switches"),
          {words("from", "/from_name"), words("to", "/to_name"), field("times", "/times"),
           field("cycles", "/cycles/mean"), field("least", "/cycles/least"),
           field("most", "/cycles/most"), field("with regions", "/region_cycles/mean"),
           field("least", "/region_cycles/least"), field("most", "/region_cycles/most"),
           field("writes", "/writes/mean"), field("bytes", "/bytes/mean"),
           {"", false, [this, most](const std::string& row) {
              const auto mean = static_cast<double>(number(at(row + "/region_cycles/mean")));
              return fmt::format(R"(<span class="bar" style="width:{:.1f}em"></span>)",
                                 mean / static_cast<double>(most) * 8);
            }}});
    out_ += "</section>\n";
  }

  void faults() {
    if (document_["faults"].empty()) return;
    out_ += R"(<section id="faults" aria-labelledby="faults-title"><h2 id="faults-title">Faults</h2>)";
    table("Exceptions that the MPUs raised", rows_of("/faults"),
          {field("cpu", "/cpu"), field("EL", "/el"), field("VMID", "/vmid"), words("regions", "/matches"),
           words("slot", "/slot"), words("status", "/status"), words("access", "/access"),
           words("at", "/name"), words("first address", "/first_address"), field("times", "/times")});
    out_ += "</section>\n";
  }

  void foot() {
    std::string json = document_.dump();
    for (std::size_t at = 0; (at = json.find("</", at)) != std::string::npos; at += 3) {
      json.insert(at + 1, 1, '\\');  // A name must not end the element.
    }
    write("</main>\n<footer>Made by trapline; docs/mpu-report.md defines every number. This page needs no "
          "network.</footer>\n<script type=\"application/json\" id=\"report\">{}</script>\n</body></html>\n",
          json);
  }

  const Json& document_;
  Hues hues_;
  std::string out_;
};

}  // namespace

std::string mpu_page(const Json& document) { return Page(document).make(); }

}  // namespace trapline
