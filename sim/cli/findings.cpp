#include "sim/cli/findings.h"

#include <spdlog/spdlog.h>

#include <string>

#include "sim/report/image_symbols.h"

namespace trapline {

void Findings::on_finding(const Finding& finding) {
  // Most runs need none.
  if (count_++ == 0) symbols_ = image_symbols(scenario_);
  const std::string place = symbols_.text(finding.pc, finding.el, finding.vmid);
  const auto level = severity_of(finding.kind) == FindingSeverity::error ? spdlog::level::err
                                                                         : spdlog::level::warn;
  spdlog::log(level, "finding {}: {}; cpu {}, EL{}{}, PC 0x{:x}{}{}", finding_name(finding.kind),
              finding.text, finding.cpu, static_cast<unsigned>(finding.el),
              finding.vmid != 0 ? fmt::format(", domain {}", finding.vmid) : "", finding.pc,
              place.empty() ? "" : " ", place);
}

}  // namespace trapline
