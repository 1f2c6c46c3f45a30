// The small languages inside options and scenario files: numbers with units, lists, limits, choices
// of events, ${variables}, and the patterns of a UART script against a search by hand.
#include <regex>
#include <stdexcept>

#include "sim/scenario/counter_limit.h"
#include "sim/scenario/domain_options.h"
#include "sim/scenario/key_value_list.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/uart_script.h"
#include "sim/scenario/units.h"
#include "sim/trace/event_text.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace trapline;

template <typename Parse>
void attempt(Parse&& parse) {
  try {
    parse();
  } catch (const std::invalid_argument& error) {
    fuzz::check(*error.what() != '\0', "an error says something");
  }
}

void check_text_pattern(const std::string& pattern, std::string_view stream) {
  if (pattern.empty() || pattern.find('\r') != std::string::npos) return;
  PatternMatcher matcher(pattern, false);
  matcher.begin(true);
  std::string seen;
  for (const char c : stream) {
    if (c != '\r') seen += c;
    const bool found = matcher.feed(static_cast<std::uint8_t>(c));
    fuzz::check(found == (c != '\r' && seen.ends_with(pattern)), "a text is found where it is");
    if (found) return;
  }
}

/// Only whether it is one: to match it can take for ever, as is the nature of these expressions.
void try_regex(std::string_view pattern) {
  if (fuzz::has_long_number(pattern)) return;
  try {
    PatternMatcher matcher(std::string(pattern), true);
  } catch (const std::regex_error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t which = input.byte();
  const std::string_view text = fuzz::Input::text(input.rest());
  switch (which % 16) {
    case 0: attempt([&] { parse_size(text, which & 16 ? 1 : 1 << 20); }); break;
    case 1: attempt([&] { parse_duration(text); }); break;
    case 2: attempt([&] { parse_count(text); }); break;
    case 3: attempt([&] { parse_address(text); }); break;
    case 4: attempt([&] { parse_integer(text, 1, 8, "a number"); }); break;
    case 5:
      attempt([&] {
        substitute(text, [](std::string_view name) {
          return name.size() % 2 ? std::optional<std::string>("x") : std::nullopt;
        });
      });
      break;
    case 6:
      attempt([&] {
        for (const KeyValue& item : parse_key_value_list(text, which & 16 ? "implied" : "")) {
          fuzz::check(item.key.find('=') == std::string::npos, "the first = ends a key");
        }
      });
      break;
    case 7: attempt([&] { parse_counter_limit(text).met_by(7); }); break;
    case 8:
      attempt([&] {
        const EventSet set = EventSet::parse(text);
        fuzz::check(EventSet::parse(set.text()) == set, "a choice of events comes back");
      });
      break;
    case 9:
      attempt([&] {
        const StoredEvent event = parse_event_text(text);
        const std::string line = event_text(event.view());
        fuzz::check(event_text(parse_event_text(line).view()) == line, "an event comes back");
      });
      break;
    case 10: attempt([&] { parse_tarmac(text); }); break;
    case 11: attempt([&] { parse_uart_backend(text); }); break;
    case 12:
      attempt([&] {
        XenSpec xen;
        which & 16 ? apply_dom0(xen, text) : apply_domu(xen, text);
      });
      break;
    case 13:
      attempt([&] {
        MachineConfig config;
        which & 16 ? apply_machine_option(config, text) : apply_mpu_regions(config, text);
      });
      break;
    default: {
      const std::size_t at = std::min(text.find('\0'), text.size());
      const std::string_view stream = text.substr(std::min(at + 1, text.size()));
      if (which % 16 == 14) {
        check_text_pattern(std::string(text.substr(0, at)), stream);
      } else {
        try_regex(text);
      }
    }
  }
  return 0;
}
