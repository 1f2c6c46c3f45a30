#include "sim/report/event_place.h"

#include "sim/trace/event_schema.h"

namespace trapline {
namespace {

/// In which the code runs: where an exception came from, where a return leads.
El code_level(const Event& event) {
  switch (event.kind) {
    case EventKind::exception_entry:
      return static_cast<El>(event.a & 3);
    case EventKind::exception_return:
      return static_cast<El>(event.a >> 8 & 3);
    default:
      return event.el;
  }
}

}  // namespace

std::string event_place(const Event& event, const Symbols& symbols) {
  std::string text;
  const EventSchema* schema = event_schema(event.kind);
  if (!schema || symbols.empty()) return text;
  for (const EventField& field : schema->fields()) {
    if (field.form != FieldForm::pc) continue;
    const std::string place = symbols.text(field.get(event), code_level(event), event.vmid);
    if (place.empty()) continue;
    text += text.empty() ? "  ; " : ", ";
    text += field.label;
    text += '=';
    text += place;
  }
  return text;
}

}  // namespace trapline
