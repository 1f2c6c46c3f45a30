// The configurations of recorded devices as facts of a recording's head, and back.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/gic/gicv2.h"
#include "models/gic/gicv3.h"
#include "models/mpu/mpu.h"
#include "models/timer/generic_timer.h"
#include "models/uart/pl011.h"
#include "sim/trace/trace_file.h"

namespace trapline {

using Facts = std::vector<std::pair<std::string, std::string>>;

/// The timers of all CPUs.
struct TimerSetup {
  unsigned cpus = 1;
  std::uint64_t counter_hz = 1;
  bool counter_runs = true;  ///< At the beginning.
  bool vhe = false;
  bool frequency_known = true;
  bool ecv = false;
  bool secure_physical = false;
  bool secure_virtual = false;
};

/// The MPUs of all CPUs, which are alike.
struct MpuSetup {
  unsigned cpus = 1;
  MpuConfig config;
};

/// The UARTs of a machine, which are alike.
struct Pl011Setup {
  unsigned uarts = 1;
  std::uint64_t clock_hz = 1;
};

Facts device_facts(const GicV2Config& config);
Facts device_facts(const GicV3Config& config);
Facts device_facts(const TimerSetup& setup);
Facts device_facts(const MpuSetup& setup);
Facts device_facts(const Pl011Setup& setup);

/// 2 or 3. Like those below, throws TraceError naming the fact that is missing or wrong.
unsigned gic_version(const TraceHeader& header);
void read_facts(const TraceHeader& header, GicV2Config& config);
void read_facts(const TraceHeader& header, GicV3Config& config);
void read_facts(const TraceHeader& header, TimerSetup& setup);
void read_facts(const TraceHeader& header, MpuSetup& setup);
void read_facts(const TraceHeader& header, Pl011Setup& setup);

}  // namespace trapline
