#include "sim/trace/event_text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "sim/arch/sysreg.h"

namespace trapline {
namespace {

enum class Form : std::uint8_t { hex, decimal, el, sysreg };

/// Part of an argument: bits `low` to `low + width - 1` of a, b, c or d.
struct Field {
  std::string_view label{};
  std::uint64_t Event::*argument = nullptr;
  Form form = Form::hex;
  std::uint8_t low = 0;
  std::uint8_t width = 64;
};

struct KindRow {
  EventKind kind;
  std::string_view name;
  std::array<Field, 5> fields{};
};

constexpr auto kA = &Event::a, kB = &Event::b, kC = &Event::c, kD = &Event::d;

constexpr std::array kKinds{
    KindRow{EventKind::exception_entry,
            "exception-entry",
            {{{"from", kA, Form::el, 0, 8},
              {"to", kA, Form::el, 8, 8},
              {"syndrome", kB},
              {"elr", kC},
              {"far", kD}}}},
    KindRow{EventKind::exception_return,
            "exception-return",
            {{{"from", kA, Form::el, 0, 8}, {"to", kA, Form::el, 8, 8}, {"pc", kC}}}},
    KindRow{EventKind::hypercall, "hypercall", {{{"imm", kA}, {"x0", kB}, {"x1", kC}, {"x2", kD}}}},
    KindRow{EventKind::monitor_call,
            "monitor-call",
            {{{"imm", kA}, {"x0", kB}, {"x1", kC}, {"x2", kD}}}},
    KindRow{EventKind::sysreg_write, "sysreg-write", {{{"reg", kA, Form::sysreg}, {"value", kB}}}},
    KindRow{EventKind::interrupt_line,
            "interrupt-line",
            {{{"intid", kA, Form::decimal}, {"level", kB, Form::decimal}}}},
    KindRow{EventKind::interrupt_ack,
            "interrupt-ack",
            {{{"intid", kA, Form::decimal}, {"virtual", kB, Form::decimal}}}},
    KindRow{EventKind::interrupt_eoi,
            "interrupt-eoi",
            {{{"intid", kA, Form::decimal}, {"virtual", kB, Form::decimal}}}},
    KindRow{
        EventKind::list_register, "list-register", {{{"index", kA, Form::decimal}, {"value", kB}}}},
    KindRow{
        EventKind::timer_fired, "timer-fired", {{{"timer", kA, Form::decimal}, {"compare", kB}}}},
    KindRow{EventKind::vcpu_switch,
            "vcpu-switch",
            {{{"from", kA, Form::decimal}, {"to", kB, Form::decimal}}}},
    KindRow{EventKind::psci, "psci", {{{"function", kA}, {"x1", kB}, {"x2", kC}, {"x3", kD}}}},
    KindRow{EventKind::wait, "wait", {{{"wfe", kA, Form::decimal}}}},
    KindRow{EventKind::wake, "wake", {}},
    KindRow{EventKind::uart_line, "uart-line", {{{"uart", kA, Form::decimal}}}},
    KindRow{EventKind::mmio,
            "mmio",
            {{{"write", kC, Form::decimal, 0, 1},
              {"size", kC, Form::decimal, 1, 8},
              {"address", kA},
              {"value", kB}}}},
    KindRow{EventKind::mpu_region,
            "mpu-region",
            {{{"region", kA, Form::decimal}, {"prbar", kB}, {"prlar", kC}, {"el", kD, Form::el, 0, 8},
              {"register", kD, Form::decimal, 8, 8}}}},
    KindRow{EventKind::marker, "marker", {{{"value", kA}}}},
    KindRow{EventKind::run_end,
            "run-end",
            {{{"reason", kA, Form::decimal}, {"code", kB, Form::decimal}}}},
    KindRow{EventKind::cpu_power,
            "cpu-power",
            {{{"cpu", kA, Form::decimal}, {"on", kB, Form::decimal}, {"pc", kC}}}},
    KindRow{EventKind::checkpoint, "checkpoint", {{{"state", kA}, {"pc", kB}}}},
};

const KindRow* row_of(EventKind kind) {
  const auto* row = std::find_if(kKinds.begin(), kKinds.end(),
                                 [&](const KindRow& candidate) { return candidate.kind == kind; });
  return row == kKinds.end() ? nullptr : row;
}

void append(std::string& text, const char* format, unsigned long long value) {
  char buffer[32];
  text.append(buffer,
              static_cast<std::size_t>(std::snprintf(buffer, sizeof buffer, format, value)));
}

void append_value(std::string& text, const Event& event, const Field& field) {
  std::uint64_t value = event.*field.argument >> field.low;
  if (field.width < 64) value &= (std::uint64_t{1} << field.width) - 1;
  switch (field.form) {
    case Form::hex:
      return append(text, "0x%llx", value);
    case Form::decimal:
      return append(text, "%llu", value);
    case Form::el:
      return append(text, "EL%llu", value);
    case Form::sysreg:
      text += name_of(SysReg{static_cast<std::uint16_t>(value)});
  }
}

/// Control characters as \xNN, so that a line stays one line.
void append_quoted(std::string& text, std::string_view raw) {
  text += '"';
  for (const char c : raw) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
      append(text, "\\x%02llx", static_cast<unsigned char>(c));
    } else {
      text += c;
    }
  }
  text += '"';
}

}  // namespace

std::string_view event_kind_name(EventKind kind) {
  const KindRow* row = row_of(kind);
  return row ? row->name : "unknown";
}

std::string event_text(const Event& event) {
  std::string text;
  append(text, "cpu%llu ", event.cpu);
  append(text, "EL%llu ", static_cast<unsigned>(event.el));
  append(text, "vmid %llu ", event.vmid);
  append(text, "insn %llu ", event.instructions);
  append(text, "cycle %llu ", event.cycles);
  text += event_kind_name(event.kind);
  if (const KindRow* row = row_of(event.kind)) {
    for (const Field& field : row->fields) {
      if (!field.argument) continue;
      text += ' ';
      text += field.label;
      text += '=';
      append_value(text, event, field);
    }
  }
  if (!event.text.empty()) {
    text += " text=";
    append_quoted(text, event.text);
  }
  return text;
}

}  // namespace trapline
