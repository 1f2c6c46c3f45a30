#include "sim/report/stats.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "sim/arch/esr.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/units.h"

namespace trapline {
namespace {

using Json = nlohmann::ordered_json;

// {"EL1": {"svc": 12, ...}, ...}: only what occurred.
Json exceptions_json(const ExceptionCounts& counts) {
  Json result = Json::object();
  for (unsigned el = 0; el < 4; ++el) {
    Json level = Json::object();
    for (unsigned n = 0; n < ExceptionCounts::kClasses; ++n) {
      if (counts.taken[n][el] != 0) level[exception_class_name(n)] = counts.taken[n][el];
    }
    if (!level.empty()) result[fmt::format("EL{}", el)] = std::move(level);
  }
  return result;
}

Json mpu_json(const MpuUsage& mpus) {
  Json all = Json::array();
  for (const auto& [key, load] : mpus.loads()) {
    const MpuLoad::Writes& writes = load.writes();
    all.push_back({{"cpu", key.first},
                   {"el", static_cast<unsigned>(key.second)},
                   {"peak", load.peak()},
                   {"steady", load.steady()},
                   {"at_end", load.enabled()},
                   {"used", load.used()},
                   {"writes",
                    {{"prbar", writes.prbar},
                     {"prlar", writes.prlar},
                     {"prenr", writes.prenr},
                     {"indexed", writes.indexed}}}});
  }
  return all;
}

/// As text, as a number of JSON need not hold 64 bits.
Json registers_json(const CpuRegisters& registers) {
  Json x = Json::array();
  for (const std::uint64_t value : registers.x) x.push_back(fmt::format("{:#x}", value));
  return Json{{"pc", fmt::format("{:#x}", registers.pc)},
              {"pstate", fmt::format("{:#x}", registers.pstate)},
              {"sp", fmt::format("{:#x}", registers.sp)},
              {"x", std::move(x)}};
}

Json cpu_json(const CpuStats& cpu, unsigned index) {
  return Json{{"cpu", index},
              {"instructions", cpu.instructions},
              {"cycles", cpu.cycles},
              {"exceptions", exceptions_json(cpu.exceptions)},
              {"interrupts", cpu.interrupts},
              {"mmio", cpu.mmio},
              {"tlb_fills", cpu.tlb_fills},
              {"registers", registers_json(cpu.registers)}};
}

std::string short_count(std::uint64_t count) {
  static constexpr std::array<std::pair<std::uint64_t, char>, 3> kScales{
      {{1'000'000'000, 'G'}, {1'000'000, 'M'}, {1'000, 'k'}}};
  for (const auto& [scale, letter] : kScales) {
    if (count >= scale) {
      return fmt::format("{:.2f} {}", static_cast<double>(count) / static_cast<double>(scale),
                         letter);
    }
  }
  return fmt::format("{}", count);
}

Json scheduling_json(const RunStats& stats) {
  Json list = Json::array();
  for (const VcpuScheduling& vcpu : stats.scheduling) {
    list.push_back({{"domain", vcpu.domain},
                    {"vcpu", vcpu.vcpu},
                    {"running_ns", vcpu.running / 1000},
                    {"waiting_ns", vcpu.waiting / 1000},
                    {"switches", vcpu.switches},
                    {"dispatches", vcpu.dispatches},
                    {"longest_wait_ns", vcpu.longest_wait / 1000},
                    {"windows", vcpu.windows},
                    {"windows_slept", vcpu.windows_slept},
                    {"start_delay_least_ps", vcpu.start_delay_least},
                    {"start_delay_most_ps", vcpu.start_delay_most}});
  }
  return list;
}

}  // namespace

CpuStats total(const RunStats& stats) {
  CpuStats sum;
  for (const CpuStats& cpu : stats.cpus) {
    sum.instructions += cpu.instructions;
    sum.cycles += cpu.cycles;
    sum.interrupts += cpu.interrupts;
    sum.mmio += cpu.mmio;
    sum.tlb_fills += cpu.tlb_fills;
    for (unsigned n = 0; n < ExceptionCounts::kClasses; ++n) {
      for (unsigned el = 0; el < 4; ++el) {
        sum.exceptions.taken[n][el] += cpu.exceptions.taken[n][el];
      }
    }
  }
  return sum;
}

double mips(const RunResult& result, const HostStats& host) {
  if (host.seconds <= 0) return 0;
  return static_cast<double>(total(result.stats).instructions) / host.seconds / 1e6;
}

std::string exception_class_name(unsigned exception_class) {
  switch (exception_class) {
    case ExceptionCounts::kIrq:
      return "irq";
    case ExceptionCounts::kFiq:
      return "fiq";
    case ExceptionCounts::kSError:
      return "serror";
    default:
      return esr::class_name(exception_class);
  }
}

std::string stats_json(const RunResult& result, const HostStats& host, const MpuUsage& mpus) {
  const CpuStats sum = total(result.stats);
  Json cpus = Json::array();
  for (unsigned n = 0; n < result.stats.cpus.size(); ++n) {
    cpus.push_back(cpu_json(result.stats.cpus[n], n));
  }
  Json json{
      {"instructions", sum.instructions},
      {"cycles", sum.cycles},
      {"virtual_ns", result.stats.virtual_time / 1000},
      {"host_seconds", host.seconds},
      {"mips", mips(result, host)},
      {"exit", {{"reason", exit_reason_name(result.reason)}, {"code", host.exit_code}}},
      {"digest", result.digest},
      {"exceptions", exceptions_json(sum.exceptions)},
      {"interrupts", sum.interrupts},
      {"mmio", sum.mmio},
      {"tlb_fills", sum.tlb_fills},
      {"cpus", std::move(cpus)},
  };
  if (!mpus.loads().empty()) json["mpu"] = mpu_json(mpus);
  if (!result.stats.scheduling.empty()) json["scheduling"] = scheduling_json(result.stats);
  return json.dump(2) + "\n";
}

std::string latency_table(const RunStats& stats) {
  std::string text = fmt::format("{:<20} {:>10} {:>14} {:>14} {:>9} {:>14}  {}\n", "vCPU", "share",
                                 "running ns", "waiting ns", "switches", "longest wait",
                                 "windows: begun, slept, least and most delay in ns");
  for (const VcpuScheduling& vcpu : stats.scheduling) {
    const double share = stats.virtual_time == 0 ? 0
                                                 : 100.0 * static_cast<double>(vcpu.running) /
                                                       static_cast<double>(stats.virtual_time);
    text += fmt::format("{:<20} {:>8.4f} % {:>14} {:>14} {:>9} {:>14}",
                        fmt::format("{}.{}", vcpu.domain, vcpu.vcpu), share, vcpu.running / 1000,
                        vcpu.waiting / 1000, vcpu.switches, vcpu.longest_wait / 1000);
    if (vcpu.windows + vcpu.windows_slept != 0) {
      text += fmt::format("  {} {} {:.3f} {:.3f}", vcpu.windows, vcpu.windows_slept,
                          static_cast<double>(vcpu.start_delay_least) / 1000,
                          static_cast<double>(vcpu.start_delay_most) / 1000);
    }
    text += "\n";
  }
  return text;
}

std::string status_line(const RunResult& result, const HostStats& host) {
  std::string reason(exit_reason_name(result.reason));
  if (result.reason == ExitReason::guest_exit) reason += fmt::format(" {}", result.guest_code);
  return fmt::format(
      "trapline: {} at {} virtual, {} instructions, {:.2f} s host, {:.0f} MIPS, "
      "digest {}",
      reason, format_duration(result.stats.virtual_time),
      short_count(total(result.stats).instructions), host.seconds, mips(result, host),
      result.digest.empty() ? "none" : result.digest);
}

}  // namespace trapline
