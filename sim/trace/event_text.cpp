#include "sim/trace/event_text.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <optional>

#include "sim/arch/sysreg.h"
#include "sim/trace/field_text.h"

namespace trapline {
namespace {

void append_number(std::string& text, std::uint64_t value, int base) {
  char buffer[24];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, base);
  text.append(buffer, end);
}

/// One word, whatever `reg` is: what no register has is a number.
void append_register(std::string& text, SysReg reg) {
  if (reg.op0() == 0) {
    text += "0x";
    return append_number(text, reg.key, 16);
  }
  std::string name = name_of(reg);
  std::replace(name.begin(), name.end(), ' ', '_');
  text += name;
}

std::string_view xen_name(const Event& event, const EventField& field, std::uint64_t value) {
  return field.form == FieldForm::xen_number ? xen_call_name(value)
                                             : xen_command_name(event.a, value);
}

void append_value(std::string& text, const Event& event, const EventField& field) {
  const std::uint64_t value = field.get(event);
  switch (field.form) {
    case FieldForm::hex:
    case FieldForm::pc:
      text += "0x";
      return append_number(text, value, 16);
    case FieldForm::decimal:
      return append_number(text, value, 10);
    case FieldForm::el:
      text += "EL";
      return append_number(text, value, 10);
    case FieldForm::sysreg:
      return append_register(text, SysReg{static_cast<std::uint16_t>(value)});
    case FieldForm::syndrome:
      text += "0x";
      append_number(text, value, 16);
      text += ':';
      text += syndrome_name(value);
      return;
    case FieldForm::xen_number:
    case FieldForm::xen_command:
      text += "0x";
      append_number(text, value, 16);
      if (const std::string_view name = xen_name(event, field, value); !name.empty()) {
        text += ':';
        text += name;
      }
  }
}

/// Control characters as \xNN, so that a line stays one line.
void append_quoted(std::string& text, std::string_view raw) {
  constexpr char kDigits[] = "0123456789abcdef";
  text += '"';
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
      text += "\\x";
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    } else {
      text += c;
    }
  }
  text += '"';
}

/// Takes a line apart, word by word.
class LineParser {
 public:
  explicit LineParser(std::string_view line) : rest_(line) {}

  bool at_end() const { return rest_.empty(); }

  std::string_view word() {
    const std::size_t end = rest_.find(' ');
    const std::string_view word = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
    if (word.empty()) wrong("a word is missing", word);
    return word;
  }

  /// The number after `prefix` in the next word.
  std::uint64_t number_after(std::string_view prefix, std::uint64_t most) {
    const std::string_view text = word();
    if (!text.starts_with(prefix)) wrong("expected '" + std::string(prefix) + "'", text);
    return number(text.substr(prefix.size()), 10, most);
  }

  void expect(std::string_view wanted) {
    const std::string_view text = word();
    if (text != wanted) wrong("expected '" + std::string(wanted) + "'", text);
  }

  std::uint64_t number(std::string_view text, int base,
                       std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value, base);
    if (error != std::errc{} || at != end || value > most) wrong("not a number in range", text);
    return value;
  }

  std::string quoted() {
    std::string text;
    if (!rest_.starts_with('"')) wrong("expected a quoted text", rest_);
    std::size_t at = 1;
    while (at < rest_.size() && rest_[at] != '"') {
      if (rest_[at] != '\\') {
        text += rest_[at++];
        continue;
      }
      if (rest_.size() - at < 4 || rest_[at + 1] != 'x') wrong("bad escape", rest_.substr(at, 4));
      text += static_cast<char>(number(rest_.substr(at + 2, 2), 16));
      at += 4;
    }
    if (at + 1 != rest_.size()) wrong("the text does not end the line", rest_);
    rest_ = {};
    return text;
  }

  [[noreturn]] static void wrong(const std::string& what, std::string_view text) {
    throw std::invalid_argument(what + ": '" + std::string(text.substr(0, 60)) + "'");
  }

  bool take_text_label() {
    constexpr std::string_view kLabel = "text=";
    if (!rest_.starts_with(kLabel)) return false;
    rest_.remove_prefix(kLabel.size());
    return true;
  }

 private:
  std::string_view rest_;
};

/// A hexadecimal number and, where it has one, its name behind a colon.
std::uint64_t named_value(const LineParser& line, std::string_view text,
                          const std::function<std::string(std::uint64_t)>& name_of,
                          const char* what) {
  const std::string_view digits = text.substr(0, text.find(':'));
  if (!digits.starts_with("0x")) LineParser::wrong("expected a hexadecimal number", text);
  const std::uint64_t value = line.number(digits.substr(2), 16);
  const std::string name = name_of(value);
  const std::string wanted = name.empty() ? name : ':' + name;
  if (text.substr(digits.size()) != wanted) LineParser::wrong(what, text);
  return value;
}

/// `event` holds the fields before this one.
std::uint64_t field_value(const LineParser& line, const Event& event, const EventField& field,
                          std::string_view text) {
  switch (field.form) {
    case FieldForm::hex:
    case FieldForm::pc:
      if (!text.starts_with("0x")) LineParser::wrong("expected a hexadecimal number", text);
      return line.number(text.substr(2), 16);
    case FieldForm::decimal:
      return line.number(text, 10);
    case FieldForm::el:
      if (!text.starts_with("EL")) LineParser::wrong("expected an Exception level", text);
      return line.number(text.substr(2), 10);
    case FieldForm::syndrome:
      return named_value(line, text, syndrome_name, "not the class of this syndrome");
    case FieldForm::xen_number:
    case FieldForm::xen_command:
      return named_value(
          line, text,
          [&](std::uint64_t value) { return std::string(xen_name(event, field, value)); },
          "not the name of this hypercall");
    case FieldForm::sysreg:
      if (text.starts_with("0x")) return line.number(text.substr(2), 16);
  }
  const std::optional<SysReg> reg = sysreg_named(text);
  if (!reg) LineParser::wrong("unknown system register", text);
  return reg->key;
}

}  // namespace

std::string field_text(const Event& event, const EventField& field) {
  std::string text;
  append_value(text, event, field);
  return text;
}

std::string event_text(const Event& event) {
  std::string text;
  text.reserve(160);
  text += "cpu";
  append_number(text, event.cpu, 10);
  text += " EL";
  append_number(text, static_cast<unsigned>(event.el), 10);
  text += " vmid ";
  append_number(text, event.vmid, 10);
  text += " insn ";
  append_number(text, event.instructions, 10);
  text += " cycle ";
  append_number(text, event.cycles, 10);
  text += ' ';
  text += event_kind_name(event.kind);
  if (const EventSchema* schema = event_schema(event.kind)) {
    for (const EventField& field : schema->fields()) {
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

StoredEvent parse_event_text(std::string_view text) {
  LineParser line(text);
  StoredEvent stored;
  Event& event = stored.event;
  event.cpu = static_cast<std::uint8_t>(line.number_after("cpu", 0xff));
  event.el = static_cast<El>(line.number_after("EL", 3));
  line.expect("vmid");
  event.vmid = static_cast<std::uint16_t>(line.number_after("", 0xffff));
  line.expect("insn");
  event.instructions = line.number_after("", ~std::uint64_t{0});
  line.expect("cycle");
  event.cycles = line.number_after("", ~std::uint64_t{0});
  const std::string_view name = line.word();
  const EventSchema* schema = event_schema(name);
  if (!schema) LineParser::wrong("unknown kind of event", name);
  event.kind = schema->kind;
  for (const EventField& field : schema->fields()) {
    const std::string_view word = line.word();
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos || word.substr(0, equals) != field.label) {
      LineParser::wrong("expected '" + std::string(field.label) + "='", word);
    }
    if (!field.set(event, field_value(line, event, field, word.substr(equals + 1)))) {
      LineParser::wrong("value out of range", word);
    }
  }
  if (line.take_text_label()) stored.text = line.quoted();
  if (!line.at_end()) LineParser::wrong("more than expected", line.word());
  return stored;
}

}  // namespace trapline
