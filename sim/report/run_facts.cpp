#include "sim/report/run_facts.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "sim/machine/machine_type.h"
#include "sim/trace/digest.h"

namespace trapline {
namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;
constexpr std::string_view kImagePrefix = "image.";
constexpr std::string_view kArgumentPrefix = "argument.";

std::string file_digest(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  Digest digest;
  std::array<char, 64 * 1024> part;
  while (in.read(part.data(), part.size()) || in.gcount() > 0) {
    digest.add(part.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (!in.eof()) {
    throw ScenarioError(
        fmt::format("{}: {}", path, errno ? std::strerror(errno) : "cannot be read"));
  }
  return digest.text();
}

/// A value is one line.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else {
      line += c;
    }
  }
  return line;
}

class FactList {
 public:
  void add(std::string_view name, std::string_view value) {
    facts_.emplace_back(name, one_line(value));
  }
  void add_text(std::string_view name, std::string_view value) {
    if (!value.empty()) add(name, value);
  }
  void add_file(std::string_view name, const std::string& path, std::string_view suffix = {}) {
    if (path.empty()) return;
    const std::string base = path.substr(path.rfind('/') + 1);
    add(fmt::format("{}{}", kImagePrefix, name),
        fmt::format("{} {}{}", file_digest(path), base, suffix));
  }
  Facts take() { return std::move(facts_); }

 private:
  Facts facts_;
};

void add_domain(FactList& facts, const std::string& name, const DomainSpec& domain) {
  facts.add("domain." + name,
            fmt::format("memory={} vcpus={} vpl011={}{}", domain.memory, domain.vcpus,
                        domain.vpl011 ? "on" : "off", domain.enhanced ? " enhanced=on" : ""));
  facts.add_text(fmt::format("domain.{}.append", name), domain.append);
  facts.add_file(name + ".kernel", domain.kernel);
  facts.add_file(name + ".initrd", domain.initrd);
  facts.add_file(name + ".dtb", domain.dtb);
}

void add_guest(FactList& facts, const DomainSpec& domain) {
  add_domain(facts, domain.name, domain);
  facts.add("guest." + domain.name, fmt::format("gic={} input={}", domain.gic,
                                                domain.input_to_vpl011 ? "vpl011" : "pv"));
  for (const MemoryRange& range : domain.static_memory) {
    facts.add(fmt::format("guest.{}.static-mem", domain.name),
              fmt::format("{:#x}+{:#x}", range.base, range.size));
  }
  if (domain.vmsa) facts.add(fmt::format("guest.{}.msa", domain.name), "mmu");
  if (domain.hide_xen) facts.add(fmt::format("guest.{}.enhanced", domain.name), "off");
  if (domain.board_uart != 0) {
    facts.add(fmt::format("guest.{}.uart", domain.name), std::to_string(domain.board_uart));
  }
  for (std::size_t n = 0; n < domain.disks.size(); ++n) {
    const DiskSpec& disk = domain.disks[n];
    const std::string suffix = disk.read_only ? " ro" : disk.write_through ? " write" : "";
    facts.add_file(fmt::format("{}.disk{}", domain.name, n), disk.path, suffix);
    if (disk.path.empty()) {
      facts.add(fmt::format("guest.{}.disk{}", domain.name, n),
                fmt::format("{} bytes{}", disk.bytes, suffix));
    }
  }
  for (std::size_t n = 0; n < domain.nets.size(); ++n) {
    facts.add(fmt::format("guest.{}.net{}", domain.name, n),
              fmt::format("{} {}", domain.nets[n].bridge, domain.nets[n].mac));
  }
}

void add_scheduler(FactList& facts, const SchedulerSpec& spec) {
  facts.add("scheduler", fmt::format("policy={} slice={} switch-cycles={}",
                                     static_cast<unsigned>(spec.policy), spec.slice,
                                     spec.switch_cycles));
  for (std::size_t n = 0; n < spec.tables.size(); ++n) {
    std::string text;
    for (const SchedulerSpec::Window& window : spec.tables[n]) {
      text += fmt::format("{}{}.{}:{}", text.empty() ? "" : "/",
                          window.domain.empty() ? "idle" : window.domain, window.vcpu,
                          window.length);
    }
    facts.add(fmt::format("scheduler.table{}", n), text);
  }
}

void add_machine(FactList& facts, const MachineConfig& config) {
  facts.add("machine", config.machine);
  facts.add("cpu", cpu_of(config));
  facts.add("cpus", std::to_string(config.cpus));
  facts.add("gic", std::to_string(config.gic));
  facts.add("memory", std::to_string(ram_bytes_of(config)));
  if (config.entry_el) facts.add("el", std::to_string(*config.entry_el));
  if (config.entry) facts.add("entry", fmt::format("{:#x}", *config.entry));
  facts.add("cpu-hz", std::to_string(config.cpu_hz));
  facts.add("quantum", std::to_string(config.quantum));
  if (const auto mpu = mpu_of(config)) {
    facts.add("mpu-regions", fmt::format("{},{}", mpu->el1, mpu->el2));
    facts.add("vmsa", config.vmsa_at_el1 ? "on" : "off");
  }
  if (config.hardware_counter) facts.add("counter", "hardware");
  if (config.semihosting) facts.add("semihosting", "on");
  if (config.skip_delay_loops) facts.add("skip-delay-loops", "on");
  if (!config.silo) facts.add("xsm", "dummy");
}

void add_images(FactList& facts, const MachineConfig& config) {
  facts.add_file("kernel", config.kernel);
  facts.add_file("initrd", config.initrd);
  facts.add_file("dtb", config.dtb);
  facts.add_text("append", config.append);
  for (std::size_t n = 0; n < config.loads.size(); ++n) {
    const LoadSpec& load = config.loads[n];
    facts.add_file(fmt::format("load{}", n), load.path,
                   load.address ? fmt::format(" at {:#x}", *load.address) : "");
  }
  for (const DomainSpec& domain : config.domains) add_guest(facts, domain);
  if (config.scheduler) add_scheduler(facts, *config.scheduler);
  if (!config.xen) return;
  facts.add_file("xen", config.xen->image);
  facts.add_text("xen.append", config.xen->append);
  if (config.xen->dom0) add_domain(facts, "dom0", *config.xen->dom0);
  for (const DomainSpec& domu : config.xen->domus) add_domain(facts, domu.name, domu);
}

void add_steps(Digest& digest, const std::vector<ScriptStep>& steps) {
  const auto add = [&](std::string_view text) {
    const std::uint64_t size = text.size();
    digest.add(&size, sizeof size);
    digest.add(text.data(), text.size());
  };
  for (const ScriptStep& step : steps) {
    for (const std::string& pattern : step.expect) add(pattern);
    add(step.regex ? "regex" : "text");
    add(step.send);
    for (const Time time : {step.timeout, step.pace, step.delay}) add(std::to_string(time));
  }
}

}  // namespace

Facts run_facts(const Scenario& scenario) {
  FactList facts;
  add_machine(facts, scenario.machine);
  add_images(facts, scenario.machine);
  for (std::size_t n = 0; n < scenario.uarts.size(); ++n) {
    if (scenario.uarts[n].script.empty()) continue;
    Digest digest;
    add_steps(digest, scenario.uarts[n].script);
    facts.add(fmt::format("script.{}", n), digest.text());
  }
  if (!scenario.replay_input.empty()) {
    facts.add(std::string(kInputFact), file_digest(scenario.replay_input));
  }
  for (std::size_t n = 0; n < scenario.arguments.size(); ++n) {
    facts.add(fmt::format("{}{}", kArgumentPrefix, n), scenario.arguments[n]);
  }
  return facts.take();
}

bool is_argument_fact(std::string_view name) { return name.starts_with(kArgumentPrefix); }

std::vector<std::string> different_images(const Facts& a, const Facts& b) {
  std::vector<std::string> names;
  const auto look = [&](const Facts& here, const Facts& there) {
    for (const auto& fact : here) {
      if (!fact.first.starts_with(kImagePrefix)) continue;
      if (std::find(there.begin(), there.end(), fact) != there.end()) continue;
      if (std::find(names.begin(), names.end(), fact.first) == names.end()) {
        names.push_back(fact.first);
      }
    }
  };
  look(a, b);
  look(b, a);
  return names;
}

}  // namespace trapline
