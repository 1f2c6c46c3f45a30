#include "sim/trace/finding.h"

#include <array>

namespace trapline {
namespace {

struct Row {
  std::string_view name;
  FindingSeverity severity;
};

constexpr auto kWarning = FindingSeverity::warning, kError = FindingSeverity::error;
// By FindingKind.
constexpr std::array<Row, kFindingKinds> kRows{{{"hypercall-mmu-off", kWarning},
                                                {"hypercall-buffer", kWarning},
                                                {"address-not-given", kError},
                                                {"instruction-skipped", kError},
                                                {"image-overwritten", kError},
                                                {"device-tree-overwritten", kError},
                                                {"initrd-overwritten", kError},
                                                {"page-tables-overwritten", kError},
                                                {"counter-not-enabled", kError},
                                                {"interrupt-too-early", kError},
                                                {"uart-not-enabled", kWarning},
                                                {"bad-frame-number", kError},
                                                {"bad-event-channel", kError},
                                                {"bad-grant-reference", kError}}};

}  // namespace

std::string_view finding_name(FindingKind kind) {
  return kRows[static_cast<std::size_t>(kind)].name;
}

FindingSeverity severity_of(FindingKind kind) {
  return kRows[static_cast<std::size_t>(kind)].severity;
}

}  // namespace trapline
