#include "sim/trace/event_schema.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "sim/arch/esr.h"
#include "sim/arch/xen_calls.h"

namespace trapline {
namespace {

constexpr auto kA = &Event::a, kB = &Event::b, kC = &Event::c, kD = &Event::d;
using Form = FieldForm;

// Of recordings of devices.
constexpr EventField kTime{"time", kA, Form::decimal}, kUnit{"unit", kD, Form::decimal, 0, 8};
constexpr std::array<EventField, 7> kAccess{{kTime,
                                             kUnit,
                                             {"offset", kB},
                                             {"size", kD, Form::decimal, 8, 8},
                                             {"value", kC},
                                             {"status", kD, Form::decimal, 16, 8},
                                             {"secure", kD, Form::decimal, 24, 1}}};
constexpr std::array<EventField, 7> kRegister{
    {kTime, kUnit, {"reg", kB, Form::sysreg}, {"value", kC}, {"status", kD, Form::decimal, 8, 8}}};

constexpr std::array kSchemas{
    EventSchema{EventKind::exception_entry,
                "exception-entry",
                {{{"from", kA, Form::el, 0, 8},
                  {"to", kA, Form::el, 8, 8},
                  {"syndrome", kB, Form::syndrome},
                  {"elr", kC, Form::pc},
                  {"far", kD}}}},
    EventSchema{EventKind::exception_return,
                "exception-return",
                {{{"from", kA, Form::el, 0, 8}, {"to", kA, Form::el, 8, 8}, {"pc", kC, Form::pc}}}},
    EventSchema{
        EventKind::hypercall, "hypercall", {{{"imm", kA}, {"x0", kB}, {"x1", kC}, {"x2", kD}}}},
    EventSchema{EventKind::monitor_call,
                "monitor-call",
                {{{"imm", kA}, {"x0", kB}, {"x1", kC}, {"x2", kD}}}},
    EventSchema{
        EventKind::sysreg_write, "sysreg-write", {{{"reg", kA, Form::sysreg}, {"value", kB}}}},
    EventSchema{EventKind::interrupt_line,
                "interrupt-line",
                {{{"intid", kA, Form::decimal}, {"level", kB, Form::decimal}}}},
    EventSchema{EventKind::interrupt_ack,
                "interrupt-ack",
                {{{"intid", kA, Form::decimal}, {"virtual", kB, Form::decimal}}}},
    EventSchema{EventKind::interrupt_eoi,
                "interrupt-eoi",
                {{{"intid", kA, Form::decimal}, {"virtual", kB, Form::decimal}}}},
    EventSchema{EventKind::list_register,
                "list-register",
                {{{"index", kA, Form::decimal}, {"value", kB}}}},
    EventSchema{EventKind::timer_fired,
                "timer-fired",
                {{{"timer", kA, Form::decimal}, {"compare", kB}}}},
    EventSchema{EventKind::vcpu_switch,
                "vcpu-switch",
                {{{"from", kA, Form::decimal}, {"to", kB, Form::decimal}}}},
    EventSchema{
        EventKind::psci, "psci", {{{"function", kA}, {"x1", kB}, {"x2", kC}, {"x3", kD}}}},
    EventSchema{EventKind::wait, "wait", {{{"wfe", kA, Form::decimal}}}},
    EventSchema{EventKind::wake,
                "wake",
                {{{"wfe", kA, Form::decimal}, {"time", kB, Form::decimal}}}},
    EventSchema{EventKind::uart_line, "uart-line", {{{"uart", kA, Form::decimal}}}},
    EventSchema{EventKind::mmio,
                "mmio",
                {{{"write", kC, Form::decimal, 0, 1},
                  {"size", kC, Form::decimal, 1, 8},
                  {"address", kA},
                  {"value", kB}}}},
    EventSchema{EventKind::mpu_region,
                "mpu-region",
                {{{"region", kA, Form::decimal},
                  {"prbar", kB},
                  {"prlar", kC},
                  {"el", kD, Form::el, 0, 8},
                  {"register", kD, Form::decimal, 8, 8},
                  {"indexed", kD, Form::decimal, 16, 1}}}},
    EventSchema{EventKind::marker, "marker", {{{"value", kA}, {"x0", kB}}}},
    EventSchema{EventKind::run_end,
                "run-end",
                {{{"reason", kA, Form::decimal}, {"code", kB, Form::decimal}}}},
    EventSchema{EventKind::cpu_power,
                "cpu-power",
                {{{"cpu", kA, Form::decimal}, {"on", kB, Form::decimal}, {"pc", kC, Form::pc}}}},
    EventSchema{EventKind::checkpoint, "checkpoint", {{{"state", kA}, {"pc", kB, Form::pc}}}},
    EventSchema{EventKind::call_result,
                "call-result",
                {{{"x0", kA}, {"x1", kB}, {"x2", kC}, {"x3", kD}}}},
    EventSchema{EventKind::device_read, "device-read", kAccess},
    EventSchema{EventKind::device_write, "device-write", kAccess},
    EventSchema{EventKind::register_read, "register-read", kRegister},
    EventSchema{EventKind::register_write, "register-write", kRegister},
    EventSchema{EventKind::device_context,
                "device-context",
                {{kTime,
                  {"hcr_el2", kB},
                  {"mdcr_el2", kC},
                  kUnit,
                  {"secure", kD, Form::decimal, 8, 1},
                  {"el2", kD, Form::decimal, 9, 1}}}},
    EventSchema{EventKind::device_reset, "device-reset", {{kTime, kUnit}}},
    EventSchema{EventKind::device_input,
                "device-input",
                {{kTime,
                  kUnit,
                  {"input", kB, Form::decimal},
                  {"value", kC},
                  {"accepted", kD, Form::decimal, 8, 1}}}},
    EventSchema{EventKind::device_wake, "device-wake", {{kTime, {"wake", kB, Form::decimal}}}},
    EventSchema{EventKind::device_output,
                "device-output",
                {{kTime, kUnit, {"output", kB, Form::decimal}, {"value", kC}}}},
    EventSchema{EventKind::device_alarm,
                "device-alarm",
                {{kTime, {"wake", kB, Form::decimal}, {"when", kC, Form::decimal}}}},
    EventSchema{
        EventKind::host_input, "host-input", {{kTime, {"uart", kC, Form::decimal}, {"byte", kB}}}},
    EventSchema{EventKind::host_quit, "host-quit", {{kTime}}},
    EventSchema{EventKind::mpu_read,
                "mpu-read",
                {{{"region", kA, Form::decimal},
                  {"value", kB},
                  {"el", kD, Form::el, 0, 8},
                  {"register", kD, Form::decimal, 8, 8},
                  {"indexed", kD, Form::decimal, 16, 1}}}},
    EventSchema{EventKind::mpu_missing,
                "mpu-missing",
                {{{"region", kA, Form::decimal},
                  {"value", kB},
                  {"el", kD, Form::el, 0, 8},
                  {"register", kD, Form::decimal, 8, 8},
                  {"indexed", kD, Form::decimal, 16, 1},
                  {"write", kD, Form::decimal, 17, 1}}}},
    EventSchema{EventKind::mpu_fault,
                "mpu-fault",
                {{{"address", kA},
                  {"status", kB},
                  {"access", kC, Form::decimal},
                  {"el", kD, Form::el, 0, 8}}}},
    EventSchema{EventKind::misuse,
                "misuse",
                {{{"what", kA, Form::decimal}, {"unit", kB, Form::decimal}}}},
    EventSchema{EventKind::xen_call,
                "xen-call",
                {{{"number", kA, Form::xen_number},
                  {"x0", kB, Form::xen_command},
                  {"x1", kC},
                  {"x2", kD}}}},
};

constexpr EventKind kFirstOfRecordings = EventKind::device_read;
constexpr EventKind kLastOfRecordings = EventKind::host_quit;

struct Category {
  std::string_view name;
  std::initializer_list<EventKind> kinds;
};

const Category kCategories[] = {
    {"exceptions", {EventKind::exception_entry, EventKind::exception_return}},
    {"calls",
     {EventKind::hypercall, EventKind::monitor_call, EventKind::psci, EventKind::call_result,
      EventKind::xen_call}},
    {"interrupts",
     {EventKind::interrupt_ack, EventKind::interrupt_eoi, EventKind::list_register,
      EventKind::timer_fired}},
    {"mpu",
     {EventKind::mpu_region, EventKind::mpu_read, EventKind::mpu_missing, EventKind::mpu_fault}},
    {"power", {EventKind::cpu_power, EventKind::wait, EventKind::wake}},
};

[[noreturn]] void unknown(std::string_view word) {
  std::string text = "unknown kind of event '" + std::string(word) + "'; known are all, default";
  for (const Category& category : kCategories) text += ", " + std::string(category.name);
  for (const EventSchema& schema : kSchemas) text += ", " + std::string(schema.name);
  throw std::invalid_argument(text);
}

}  // namespace

std::string syndrome_name(std::uint64_t syndrome) {
  // An ESR with class 0 still has IL set, so the vector offsets of Table D1-7 are no ESR.
  const std::string lead = syndrome & 1 ? "virtual-" : "";
  switch (syndrome & ~std::uint64_t{1}) {
    case 0x80:
      return lead + "irq";
    case 0x100:
      return lead + "fiq";
    case 0x180:
      return lead + "serror";
    default:
      return esr::class_name(static_cast<unsigned>(syndrome >> 26 & 0x3f));
  }
}

std::string_view xen_call_name(std::uint64_t number) {
  const xen::XenCall* call = xen::xen_call(number);
  return call ? call->name : std::string_view{};
}

std::string_view xen_command_name(std::uint64_t number, std::uint64_t x0) {
  const xen::XenCall* call = xen::xen_call(number);
  return call && call->command_mask != 0 ? call->sub_op_name(x0 & call->command_mask)
                                         : std::string_view{};
}

std::uint64_t EventField::get(const Event& event) const {
  const std::uint64_t value = event.*argument >> low;
  return width < 64 ? value & ((std::uint64_t{1} << width) - 1) : value;
}

bool EventField::set(Event& event, std::uint64_t value) const {
  const std::uint64_t mask = width < 64 ? (std::uint64_t{1} << width) - 1 : ~std::uint64_t{0};
  if (value & ~mask) return false;
  event.*argument = (event.*argument & ~(mask << low)) | value << low;
  return true;
}

std::span<const EventField> EventSchema::fields() const {
  std::size_t count = 0;
  while (count < all_fields.size() && all_fields[count].argument) ++count;
  return {all_fields.data(), count};
}

std::span<const EventSchema> event_schemas() { return kSchemas; }

const EventSchema* event_schema(EventKind kind) {
  const auto* found = std::find_if(kSchemas.begin(), kSchemas.end(),
                                   [&](const EventSchema& row) { return row.kind == kind; });
  return found == kSchemas.end() ? nullptr : found;
}

const EventSchema* event_schema(std::string_view name) {
  const auto* found = std::find_if(kSchemas.begin(), kSchemas.end(),
                                   [&](const EventSchema& row) { return row.name == name; });
  return found == kSchemas.end() ? nullptr : found;
}

std::string_view event_kind_name(EventKind kind) {
  const EventSchema* schema = event_schema(kind);
  return schema ? schema->name : "unknown";
}

EventSet EventSet::all() {
  EventSet set;
  for (const EventSchema& schema : kSchemas) {
    if (schema.kind < kFirstOfRecordings || schema.kind > kLastOfRecordings) set.add(schema.kind);
  }
  return set;
}

EventSet EventSet::any() {
  EventSet set;
  for (const EventSchema& schema : kSchemas) set.add(schema.kind);
  return set;
}

EventSet EventSet::standard() {
  EventSet set = all();
  set.remove(EventKind::mmio);
  set.remove(EventKind::interrupt_line);
  set.remove(EventKind::mpu_read);
  set.remove(EventKind::misuse);
  return set;
}

EventSet EventSet::parse(std::string_view text) {
  EventSet set;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    const bool take_away = word.starts_with('-');
    if (take_away) word.remove_prefix(1);
    EventSet named;
    const auto* category = std::find_if(std::begin(kCategories), std::end(kCategories),
                                        [&](const Category& row) { return row.name == word; });
    if (word == "all") {
      named = all();
    } else if (word == "default") {
      named = standard();
    } else if (category != std::end(kCategories)) {
      for (const EventKind kind : category->kinds) named.add(kind);
    } else if (const EventSchema* schema = event_schema(word)) {
      named.add(schema->kind);
    } else {
      unknown(word);
    }
    set.bits_ = take_away ? set.bits_ & ~named.bits_ : set.bits_ | named.bits_;
  }
  set.add(EventKind::checkpoint);
  set.add(EventKind::run_end);
  return set;
}

std::string EventSet::text() const {
  std::string text;
  for (const EventSchema& schema : kSchemas) {
    if (!has(schema.kind)) continue;
    if (!text.empty()) text += ',';
    text += schema.name;
  }
  return text;
}

}  // namespace trapline
