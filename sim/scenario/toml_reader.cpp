#include "sim/scenario/toml_reader.h"

#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <regex>
#include <sstream>

#include "sim/scenario/domain_options.h"
#include "sim/scenario/toml_table.h"
#include "sim/scenario/uart_script.h"

namespace trapline {
namespace {

constexpr std::uint64_t kMiB = 1ull << 20;

void read_machine(TomlTable table, MachineConfig& machine) {
  if (auto v = table.text("type")) machine.machine = *v;
  if (auto v = table.text("cpu")) machine.cpu = *v;
  if (auto v = table.integer("gic", 2, 3)) machine.gic = static_cast<unsigned>(*v);
  if (auto v = table.integer("cpus", 1, 8)) machine.cpus = static_cast<unsigned>(*v);
  if (auto v = table.integer("el", 1, 2)) machine.entry_el = static_cast<unsigned>(*v);
  if (auto v = table.scalar("memory")) {
    table.located("memory", [&] { machine.ram_bytes = parse_size(*v, kMiB); });
  }
  if (auto v = table.scalar("mpu-regions")) {
    table.located("mpu-regions", [&] { apply_mpu_regions(machine, *v); });
  }
  if (auto v = table.flag("vmsa")) machine.vmsa_at_el1 = *v;
  if (auto v = table.text("counter")) {
    table.located("counter", [&] { machine.hardware_counter = parse_counter(*v); });
  }
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (auto v = table.integer("quantum", 1, kMax)) machine.quantum = static_cast<std::uint64_t>(*v);
  if (auto v = table.integer("cpu-hz", 1, kMax)) machine.cpu_hz = static_cast<std::uint64_t>(*v);
  if (auto v = table.flag("semihosting")) machine.semihosting = *v;
  if (auto v = table.flag("skip-delay-loops")) machine.skip_delay_loops = *v;
  table.finish();
}

void read_address(TomlTable& table, std::string_view key, std::optional<PhysAddr>& address) {
  if (auto v = table.scalar(key)) table.located(key, [&] { address = parse_address(*v); });
}

void read_boot(TomlTable table, MachineConfig& machine) {
  if (auto v = table.path("kernel")) machine.kernel = *v;
  if (auto v = table.path("initrd")) machine.initrd = *v;
  if (auto v = table.path("dtb")) machine.dtb = *v;
  if (auto v = table.text("append")) machine.append = *v;
  read_address(table, "entry", machine.entry);
  read_address(table, "reset-vector", machine.entry);
  std::vector<TomlTable> loads = table.tables("load");
  if (!loads.empty()) machine.loads.clear();
  for (TomlTable& item : loads) {
    LoadSpec load;
    if (auto v = item.path("file")) {
      load.path = *v;
    } else {
      throw ScenarioError(fmt::format("{}: [[load]] has no file", item.where()));
    }
    read_address(item, "address", load.address);
    item.finish();
    machine.loads.push_back(std::move(load));
  }
  table.finish();
}

// The keys are those of --dom0 and --domu; only their types differ.
void read_domain(TomlTable table, DomainSpec& domain) {
  for (const char* key : {"kernel", "initrd", "dtb"}) {
    if (auto v = table.path(key)) set_domain_property(domain, key, *v);
  }
  if (auto v = table.text("append")) domain.append = *v;
  if (auto v = table.scalar("memory")) {
    table.located("memory", [&] { set_domain_property(domain, "memory", *v); });
  }
  if (auto v = table.integer("vcpus", 1, 8)) domain.vcpus = static_cast<unsigned>(*v);
  if (auto v = table.flag("vpl011")) domain.vpl011 = *v;
  if (auto v = table.flag("enhanced")) domain.enhanced = *v;
  table.finish();
}

void read_domains(TomlTable& root, MachineConfig& machine) {
  std::vector<TomlTable> tables = root.tables("domain");
  if (!tables.empty()) machine.domains.clear();
  for (TomlTable& item : tables) {
    DomainSpec& domain = machine.domains.emplace_back();
    domain.name = item.text("name").value_or(fmt::format("domU{}", machine.domains.size()));
    for (const std::string& text : item.texts("static-mem")) {
      item.located("static-mem", [&] { set_guest_property(domain, "static-mem", text); });
    }
    for (const char* key : {"gic", "console", "msa", "uart"}) {
      if (auto v = item.scalar(key)) {
        item.located(key, [&] { set_guest_property(domain, key, *v); });
      }
    }
    if (auto v = item.flag("enhanced")) domain.hide_xen = !*v;
    for (const std::string& text : item.texts("disk")) {
      item.located("disk", [&] {
        set_guest_property(domain, "disk", text);
        DiskSpec& disk = domain.disks.back();
        if (!disk.path.empty()) disk.path = item.resolved(disk.path);
      });
    }
    for (const std::string& text : item.texts("net")) {
      item.located("net", [&] { set_guest_property(domain, "net", text); });
    }
    read_domain(item, domain);
  }
}

void read_xen(TomlTable table, MachineConfig& machine) {
  XenSpec xen = machine.xen.value_or(XenSpec{});
  if (auto v = table.path("image")) xen.image = *v;
  if (auto v = table.text("append")) xen.append = *v;
  if (auto dom0 = table.table("dom0")) {
    if (!xen.dom0) xen.dom0.emplace();
    xen.dom0->name = "dom0";
    read_domain(*dom0, *xen.dom0);
  }
  std::vector<TomlTable> domus = table.tables("domu");
  if (!domus.empty()) xen.domus.clear();
  for (TomlTable& item : domus) {
    DomainSpec& domain = xen.domus.emplace_back();
    domain.name = item.text("name").value_or(fmt::format("domU{}", xen.domus.size()));
    read_domain(item, domain);
  }
  table.finish();
  machine.xen = std::move(xen);
}

void set_patterns(TomlTable& table, std::string_view text_key, std::string_view regex_key,
                  ScriptStep& step) {
  step.expect = table.texts(text_key);
  const std::vector<std::string> expressions = table.texts(regex_key);
  if (expressions.empty()) return;
  if (!step.expect.empty()) {
    table.fail(regex_key, fmt::format("{} is given as well; only one of them may be", text_key));
  }
  for (const std::string& expression : expressions) {
    try {
      const PatternMatcher check(expression, true);
    } catch (const std::regex_error& error) {
      table.fail(regex_key,
                 fmt::format("'{}' is not a regular expression: {}", expression, error.what()));
    }
  }
  step.expect = expressions;
  step.regex = true;
}

ScriptStep read_step(TomlTable& table) {
  ScriptStep step;
  step.where = table.where();
  set_patterns(table, "expect", "expect-regex", step);
  if (auto v = table.text("send")) step.send = *v;
  for (const auto& time : {std::pair{"timeout", &step.timeout}, std::pair{"delay", &step.delay},
                           std::pair{"pace", &step.pace}}) {
    if (auto v = table.scalar(time.first)) {
      table.located(time.first, [&] { *time.second = parse_duration(*v); });
    }
  }
  if (step.pace == 0) table.fail("pace", "it must be more than nothing");
  if (auto v = table.flag("always")) step.always = *v;
  table.finish();
  if (step.expect.empty() && step.send.empty()) {
    throw ScenarioError(fmt::format("{}: a script step needs expect or send", step.where));
  }
  return step;
}

void read_uarts(TomlTable& root, Scenario& scenario) {
  unsigned next = 0;
  std::vector<TomlTable> uarts = root.tables("uart");
  if (!uarts.empty()) scenario.uarts = Scenario{}.uarts;
  for (TomlTable& table : uarts) {
    unsigned index = next;
    if (auto v = table.integer("index", 0, 7)) index = static_cast<unsigned>(*v);
    next = index + 1;
    UartSpec& uart = uart_of(scenario, index);
    if (auto v = table.text("to")) {
      table.located("to", [&] { uart.backend = parse_uart_backend(*v); });
      if (uart.backend.kind == UartBackendSpec::Kind::file) {
        // The folder of the scenario is for inputs; outputs go where the user stands.
        uart.backend.path = v->substr(5);
      }
    }
    for (TomlTable& step : table.tables("script")) uart.script.push_back(read_step(step));
    table.finish();
  }
}

void read_limits(TomlTable table, Limits& limits) {
  if (auto v = table.scalar("instructions")) {
    table.located("instructions", [&] { limits.instructions = parse_count(*v); });
  }
  if (auto v = table.scalar("time")) {
    table.located("time", [&] { limits.virtual_time = parse_duration(*v); });
  }
  if (auto v = table.scalar("host-time")) {
    table.located("host-time", [&] {
      limits.host_seconds = static_cast<double>(parse_duration(*v)) / kPicosecondsPerSecond;
    });
  }
  table.finish();
}

void read_expect(TomlTable table, Scenario& scenario) {
  if (auto v = table.text("exit")) {
    table.located("exit", [&] { scenario.expect.exit = parse_exit_reason(*v); });
  }
  if (auto v = table.integer("code", 0, 255)) scenario.expect.code = static_cast<int>(*v);
  if (auto v = table.text("digest")) scenario.expect.digest = *v;
  if (auto v = table.path("trace")) scenario.expect.trace = *v;
  if (table.has("counters")) scenario.expect.counters.clear();
  table.each("counters", [&](const toml::node& node) {
    const auto* text = node.as_string();
    if (!text) table.fail(node, "an element of [expect] counters must be a string");
    try {
      scenario.expect.counters.push_back(parse_counter_limit(text->get()));
    } catch (const std::invalid_argument& error) {
      table.fail(node, error.what());
    }
  });
  if (table.has("output")) {
    for (UartSpec& uart : scenario.uarts) uart.patterns.clear();
  }
  table.each("output", [&](const toml::node& node) {
    ScriptStep pattern;
    unsigned index = 0;
    if (const auto* text = node.as_string()) {
      pattern.expect.push_back(text->get());
    } else if (const auto* item = node.as_table()) {
      TomlTable entry = table.element(*item, "an element of [expect] output");
      set_patterns(entry, "text", "regex", pattern);
      if (auto v = entry.integer("uart", 0, 7)) index = static_cast<unsigned>(*v);
      entry.finish();
    } else {
      table.fail(node, "an element of [expect] output must be a string or a table");
    }
    if (pattern.expect.empty() || pattern.expect.front().empty())
      table.fail(node, "an element of [expect] output is empty");
    pattern.where = fmt::format("{}:{}", scenario.file, node.source().begin.line);
    uart_of(scenario, index).patterns.push_back(std::move(pattern));
  });
  table.finish();
}

void read_output(TomlTable table, Scenario& scenario) {
  if (auto v = table.text("stats")) scenario.stats_path = *v;
  if (auto v = table.text("trace")) scenario.trace_path = *v;
  if (auto v = table.text("events")) {
    table.located("events", [&] { scenario.trace_events = EventSet::parse(*v); });
  }
  if (auto v = table.text("log")) {
    table.located("log", [&] { scenario.log_level = parse_log_level(*v); });
  }
  if (auto v = table.text("check")) {
    table.located("check", [&] { scenario.check = parse_check(*v); });
  }
  table.finish();
}

Scenario read_file(const std::string& path, const Environment& environment, unsigned depth);

/// `depth` bases led here.
Scenario read_root(TomlTable& root, const std::string& path, const Environment& environment,
                   unsigned depth) {
  constexpr unsigned kMostBases = 8;
  Scenario scenario;
  if (auto v = root.path("base")) {
    if (depth >= kMostBases) root.fail("base", "more than 8 files, one based on the other");
    scenario = read_file(*v, environment, depth + 1);
  }
  scenario.file = path;
  if (auto v = root.text("title")) scenario.title = *v;
  if (auto v = root.table("machine")) read_machine(*v, scenario.machine);
  if (auto v = root.table("boot")) read_boot(*v, scenario.machine);
  if (auto v = root.table("xen")) read_xen(*v, scenario.machine);
  read_domains(root, scenario.machine);
  if (auto v = root.path("dom0less")) scenario.dom0less = *v;
  if (auto v = root.text("scheduler")) {
    root.located("scheduler", [&] { scenario.machine.scheduler = parse_scheduler(*v); });
  }
  if (auto v = root.text("xsm")) {
    root.located("xsm", [&] { scenario.machine.silo = parse_silo(*v); });
  }
  read_uarts(root, scenario);
  if (auto v = root.table("limits")) read_limits(*v, scenario.limits);
  if (auto v = root.table("expect")) read_expect(*v, scenario);
  if (auto v = root.table("output")) read_output(*v, scenario);
  if (auto v = root.table("input")) {
    if (auto path = v->path("replay")) scenario.replay_input = *path;
    v->finish();
  }
  root.finish();
  return scenario;
}

Scenario read_text(std::string_view text, const std::string& path, const Environment& environment,
                   unsigned depth) {
  const std::size_t slash = path.rfind('/');
  const TomlFile file{path, slash == std::string::npos ? "" : path.substr(0, slash + 1),
                      environment};
  try {
    const toml::table table = toml::parse(text, path);
    TomlTable root(file, table, "the file");
    return read_root(root, path, environment, depth);
  } catch (const toml::parse_error& error) {
    throw ScenarioError(fmt::format("{}:{}:{}: {}", path, error.source().begin.line,
                                    error.source().begin.column, error.description()));
  }
}

Scenario read_file(const std::string& path, const Environment& environment, unsigned depth) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    throw ScenarioError(fmt::format("{}: cannot read the scenario: {}", path,
                                    errno ? std::strerror(errno) : "it is empty"));
  }
  return read_text(text.view(), path, environment, depth);
}

}  // namespace

Scenario read_scenario_text(std::string_view text, const std::string& path,
                            const Environment& environment) {
  return read_text(text, path, environment, 0);
}

Scenario read_scenario_file(const std::string& path, const Environment& environment) {
  return read_file(path, environment, 0);
}

}  // namespace trapline
