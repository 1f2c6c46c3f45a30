#include "sim/trace/trace_diff.h"

namespace trapline {
namespace {

bool next_of(TraceReader& reader, const EventSet& events, StoredEvent& event,
             std::uint64_t& read) {
  while (reader.next(event)) {
    ++read;
    if (events.has(event.event.kind)) return true;
  }
  return false;
}

void fill(TraceReader& reader, const EventSet& events, bool have, StoredEvent event,
          std::size_t count, std::vector<StoredEvent>& to) {
  std::uint64_t read = 0;
  while (have && to.size() < count) {
    to.push_back(event);
    have = next_of(reader, events, event, read);
  }
}

}  // namespace

bool same_event(const StoredEvent& a, const StoredEvent& b) {
  return a.event.kind == b.event.kind && a.event.cpu == b.event.cpu && a.event.el == b.event.el &&
         a.event.vmid == b.event.vmid && a.event.instructions == b.event.instructions &&
         a.event.cycles == b.event.cycles && a.event.a == b.event.a && a.event.b == b.event.b &&
         a.event.c == b.event.c && a.event.d == b.event.d && a.text == b.text;
}

TraceDifference compare_traces(TraceReader& a, TraceReader& b, const EventSet& events,
                               std::size_t context) {
  TraceDifference result;
  for (const EventSchema& schema : event_schemas()) {
    if (events.has(schema.kind) && a.header().events.has(schema.kind) &&
        b.header().events.has(schema.kind)) {
      result.events.add(schema.kind);
    }
  }
  std::deque<StoredEvent> before;
  StoredEvent in_a, in_b;
  for (;;) {
    const bool more_a = next_of(a, result.events, in_a, result.recorded_a);
    const bool more_b = next_of(b, result.events, in_b, result.recorded_b);
    if (!more_a || !more_b || !same_event(in_a, in_b)) {
      fill(a, result.events, more_a, in_a, context + 1, result.a);
      fill(b, result.events, more_b, in_b, context + 1, result.b);
      break;
    }
    ++result.common;
    if (in_a.event.kind == EventKind::checkpoint) {
      result.checkpoint = in_a;
      ++result.checkpoints;
    }
    before.push_back(in_a);
    if (before.size() > context) before.pop_front();
  }
  result.before.assign(before.begin(), before.end());
  return result;
}

std::vector<std::string> different_fields(const Event& a, const Event& b) {
  if (a.kind != b.kind) return {"kind"};
  std::vector<std::string> names;
  if (a.cpu != b.cpu) names.emplace_back("cpu");
  if (a.el != b.el) names.emplace_back("EL");
  if (a.vmid != b.vmid) names.emplace_back("vmid");
  if (a.instructions != b.instructions) names.emplace_back("insn");
  if (a.cycles != b.cycles) names.emplace_back("cycle");
  if (const EventSchema* schema = event_schema(a.kind)) {
    for (const EventField& field : schema->fields()) {
      if (field.get(a) != field.get(b)) names.emplace_back(field.label);
    }
  }
  if (a.text != b.text) names.emplace_back("text");
  return names;
}

}  // namespace trapline
