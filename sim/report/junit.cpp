#include "sim/report/junit.h"

#include <spdlog/fmt/fmt.h>
#include <tinyxml2.h>

#include <algorithm>

namespace trapline {
namespace {

using Verdict = TestResult::Verdict;
using Results = std::vector<const TestResult*>;

/// XML 1.0 has no way to write most control characters.
std::string xml_safe(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      safe += c;
    } else if (c == '\n' || c == '\t') {
      safe += c;
    } else {
      safe += fmt::format("\\x{:02x}", byte);
    }
  }
  return safe;
}

unsigned count(const Results& results, Verdict verdict) {
  return static_cast<unsigned>(std::count_if(
      results.begin(), results.end(), [&](const TestResult* r) { return r->verdict == verdict; }));
}

void open_suite(tinyxml2::XMLPrinter& printer, const std::string& name, const Results& results) {
  double seconds = 0;
  for (const TestResult* result : results) seconds += result->seconds;
  printer.OpenElement("testsuite");
  printer.PushAttribute("name", name.c_str());
  printer.PushAttribute("tests", static_cast<unsigned>(results.size()));
  printer.PushAttribute("failures", count(results, Verdict::failed));
  printer.PushAttribute("skipped", count(results, Verdict::not_applicable));
  printer.PushAttribute("time", fmt::format("{:.3f}", seconds).c_str());
}

void print_case(tinyxml2::XMLPrinter& printer, const TestResult& result) {
  printer.OpenElement("testcase");
  printer.PushAttribute("classname", xml_safe(result.suite).c_str());
  printer.PushAttribute("name", xml_safe(result.name).c_str());
  printer.PushAttribute("time", fmt::format("{:.3f}", result.seconds).c_str());
  if (result.verdict != Verdict::passed) {
    printer.OpenElement(result.verdict == Verdict::failed ? "failure" : "skipped");
    printer.PushAttribute("message", xml_safe(result.message).c_str());
    if (!result.details.empty()) printer.PushText(xml_safe(result.details).c_str());
    printer.CloseElement();
  }
  printer.CloseElement();
}

}  // namespace

std::string junit_xml(const std::vector<TestResult>& results) {
  std::vector<std::pair<std::string, Results>> suites;
  for (const TestResult& result : results) {
    auto found = std::find_if(suites.begin(), suites.end(),
                              [&](const auto& suite) { return suite.first == result.suite; });
    if (found == suites.end()) found = suites.insert(suites.end(), {result.suite, {}});
    found->second.push_back(&result);
  }
  tinyxml2::XMLPrinter printer;
  printer.PushHeader(false, true);
  printer.OpenElement("testsuites");
  for (const auto& [name, of_suite] : suites) {
    open_suite(printer, xml_safe(name), of_suite);
    for (const TestResult* result : of_suite) print_case(printer, *result);
    printer.CloseElement();
  }
  printer.CloseElement();
  return std::string(printer.CStr()) + '\n';
}

}  // namespace trapline
