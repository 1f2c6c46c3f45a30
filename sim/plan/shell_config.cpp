#include "sim/plan/shell_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "sim/scenario/scenario.h"

namespace trapline::plan {
namespace {

constexpr unsigned kMaxIndex = 999;

constexpr std::string_view kReserved[] = {"if",     "then",     "else", "elif",   "fi",   "for",
                                          "while",  "until",    "do",   "done",   "case", "esac",
                                          "select", "function", "time", "coproc", "in"};

bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool in_name(char c) {
  return starts_name(c) || (c >= '0' && c <= '9');
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  ShellConfig parse() {
    ShellConfig config{path_, {}};
    for (skip_blanks(); !at_end(); skip_blanks()) assignment(config);
    return config;
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  char next() {
    const char c = text_[at_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else {
      ++column_;
    }
    if (c == '\0' || (c > 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r')) {
      --column_;
      fail(fmt::format("control character {:#04x}", static_cast<unsigned char>(c)));
    }
    return c;
  }
  [[noreturn]] void fail_at(unsigned line, unsigned column, std::string_view message) const {
    throw ScenarioError(fmt::format("{}:{}:{}: {}", path_, line, column, message));
  }
  [[noreturn]] void fail(std::string_view message) const { fail_at(line_, column_, message); }
  [[noreturn]] void refuse_at(unsigned line, unsigned column, std::string_view what) const {
    fail_at(line, column, fmt::format("{} is refused: the file is read, not executed", what));
  }
  [[noreturn]] void refuse(std::string_view what) const { refuse_at(line_, column_, what); }

  bool skip_continuation() {
    if (peek() != '\\' || peek(1) != '\n') return false;
    next();
    next();
    return true;
  }
  /// Between assignments: also ';' and the ends of lines.
  void skip_blanks() {
    while (!at_end()) {
      const char c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        next();
      } else if (c == ';' && seen_assignment_) {
        seen_assignment_ = false;
        next();
      } else if (!skip_continuation()) {
        return;
      }
    }
  }

  void assignment(ShellConfig& config) {
    const unsigned line = line_, column = column_;
    if (!starts_name(peek())) not_an_assignment(line, column);
    std::string name;
    while (in_name(peek())) name += next();
    std::optional<unsigned> index;
    if (peek() == '[') index = subscript();
    if (peek() == '+' && peek(1) == '=') refuse("'+='");
    if (peek() != '=') not_an_assignment(line, column, name);
    next();
    seen_assignment_ = true;
    if (peek() == '(') {
      if (index) refuse("an array inside an array");
      config.variables[name] = array();
      return;
    }
    ShellValue value = word();
    config.variables[name][index.value_or(0)] = std::move(value);
  }

  [[noreturn]] void not_an_assignment(unsigned line, unsigned column, std::string name = {}) {
    if (name.empty()) {
      special(false);
      if (peek() == '{' || peek() == '}' || peek() == '!') refuse(fmt::format("'{}'", peek()));
      if (peek() == '[') refuse("a test ('[')");
      while (!at_end() && static_cast<unsigned char>(peek()) > ' ' && name.size() < 40 &&
             std::string_view("'\"();|&<>").find(peek()) == std::string_view::npos) {
        name += next();
      }
      refuse_at(line, column, name.empty() ? "a command" : fmt::format("the command '{}'", name));
    }
    while (peek() == ' ' || peek() == '\t') next();
    if (peek() == '(') refuse_at(line, column, fmt::format("the function '{}'", name));
    if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved)) {
      refuse_at(line, column, fmt::format("the shell keyword '{}'", name));
    }
    if (peek() == '=') {
      fail_at(line, column, fmt::format("no space may stand between '{}' and '='", name));
    }
    refuse_at(line, column, fmt::format("the command '{}'", name));
  }

  unsigned subscript() {
    next();
    const unsigned line = line_, column = column_;
    std::string digits;
    while (peek() >= '0' && peek() <= '9') digits += next();
    if (peek() == '$' || peek() == '`') special(false);
    if (digits.empty() || peek() != ']') {
      fail_at(line, column, "an index must be a decimal number: the file is read, not executed");
    }
    if (digits.size() > 4 || std::stoul(digits) > kMaxIndex) {
      fail_at(line, column, fmt::format("index {} is beyond {}", digits, kMaxIndex));
    }
    next();
    return static_cast<unsigned>(std::stoul(digits));
  }

  ShellArray array() {
    const unsigned line = line_, column = column_;
    next();
    ShellArray result;
    for (;;) {
      while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r' || peek() == '#' ||
             (peek() == '\\' && peek(1) == '\n')) {
        if (peek() == '#') {
          while (!at_end() && peek() != '\n') ++at_;
        } else if (!skip_continuation()) {
          next();
        }
      }
      if (at_end()) fail_at(line, column, "this array has no ')'");
      if (peek() == ')') break;
      if (result.size() > kMaxIndex) fail(fmt::format("an array of over {} words", kMaxIndex + 1));
      if (peek() == '[') fail("an index inside '(...)': write NAME[N]=value");
      if (std::string_view("*?").find(peek()) != std::string_view::npos) refuse("a file pattern");
      ShellValue value = word();
      result[static_cast<unsigned>(result.size())] = std::move(value);
    }
    next();
    ends_word();
    return result;
  }

  ShellValue word() {
    ShellValue value{{}, line_, column_};
    if (peek() == '~') refuse("'~' (a home folder)");
    while (!at_end()) {
      const char c = peek();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';' || c == ')') break;
      if (skip_continuation()) continue;
      if (c == '\'') {
        single_quoted(value.text);
      } else if (c == '"') {
        double_quoted(value.text);
      } else if (c == '\\') {
        next();
        if (at_end()) fail("nothing follows '\\'");
        value.text += next();
      } else {
        special(false);
        value.text += next();
      }
    }
    return value;
  }

  void ends_word() const {
    if (at_end() || std::string_view(" \t\r\n;#").find(peek()) != std::string_view::npos) return;
    fail("a blank must follow ')'");
  }

  void single_quoted(std::string& text) {
    const unsigned line = line_, column = column_;
    next();
    while (!at_end() && peek() != '\'') text += next();
    if (at_end()) fail_at(line, column, "this quote is not closed");
    next();
  }

  void double_quoted(std::string& text) {
    const unsigned line = line_, column = column_;
    next();
    while (!at_end() && peek() != '"') {
      if (skip_continuation()) continue;
      if (peek() == '\\' && std::string_view("\"\\$`").find(peek(1)) != std::string_view::npos &&
          peek(1) != '\0') {
        next();
        text += next();
        continue;
      }
      special(true);
      text += next();
    }
    if (at_end()) fail_at(line, column, "this quote is not closed");
    next();
  }

  /// Refuses what a shell would act on here. `quoted`: inside double quotes.
  void special(bool quoted) const {
    const char c = peek(), d = peek(1);
    if (c == '`') refuse("a command substitution (`...`)");
    if (c == '$') {
      if (d == '(') {
        refuse(peek(2) == '(' ? "an arithmetic expansion ($((...)))"
                              : "a command substitution ($(...))");
      }
      if (d == '{' || in_name(d) ||
          (d != '\0' && std::string_view("@*#?$!-").find(d) != std::string_view::npos)) {
        refuse("a variable ($NAME)");
      }
      if (!quoted && (d == '\'' || d == '"')) refuse("a quote of the form $'...'");
      return;
    }
    if (quoted) return;
    if (c == '|') refuse(d == '|' ? "a list of commands ('||')" : "a pipe ('|')");
    if (c == '&') refuse(d == '&' ? "a list of commands ('&&')" : "a background command ('&')");
    if ((c == '<' || c == '>') && d == '(') refuse("a process substitution");
    if (c == '<' && d == '<') refuse("a here-document ('<<')");
    if (c == '<' || c == '>') refuse(fmt::format("a redirection ('{}')", c));
    if (c == '(') refuse(d == '(' ? "an arithmetic command ('((')" : "a subshell ('(')");
    if (c == ')') fail("this ')' closes nothing");
    if (c == ';' && d == ';') refuse("';;'");
    if (c == ';') fail("this ';' ends nothing");
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  unsigned line_ = 1, column_ = 1;
  bool seen_assignment_ = false;
};

}  // namespace

const ShellValue* ShellConfig::find(std::string_view name, unsigned index) const {
  const auto variable = variables.find(name);
  if (variable == variables.end()) return nullptr;
  const auto value = variable->second.find(index);
  return value == variable->second.end() ? nullptr : &value->second;
}

ShellConfig parse_shell_config(std::string_view text, const std::string& path) {
  return Parser(text, path).parse();
}

}  // namespace trapline::plan
