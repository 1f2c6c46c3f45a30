#include "sim/report/mpu_telemetry.h"

#include <algorithm>

#include "sim/arch/registers.h"

namespace trapline {

EventSet MpuTelemetry::events() {
  EventSet set;
  for (const EventKind kind :
       {EventKind::mpu_region, EventKind::mpu_read, EventKind::mpu_missing, EventKind::mpu_fault,
        EventKind::exception_entry, EventKind::exception_return, EventKind::sysreg_write,
        EventKind::vcpu_switch, EventKind::checkpoint, EventKind::run_end}) {
    set.add(kind);
  }
  return set;
}

MpuTelemetry::MpuTelemetry(std::optional<MpuLayerFacts> layer) {
  if (layer) layer_.emplace(std::move(*layer));
}

MpuTrack& MpuTelemetry::track(PerCpu& cpu, const Event& event) {
  const bool el2 = (event.d & 0xff) == 2;
  MpuTrack*& track = el2 ? cpu.el2 : cpu.el1;
  if (!track) track = &tracks_[{event.cpu, el2 ? 2u : 1u}];
  return *track;
}

void MpuTelemetry::watch(PerCpu& cpu, const Event& event) {
  const MpuTrack* el1 = cpu.vmsa ? nullptr : cpu.el1;
  if (layer_) {
    layer_->on_event(event, el1, cpu.el2);
  } else {
    cpu.watch.on_event(event, el1, cpu.el2, seen_);
  }
}

void MpuTelemetry::add_fault(PerCpu& cpu, const Event& event) {
  static constexpr char kAccess[] = "rwx";
  MpuFaultKey key{.cpu = event.cpu,
                  .el = static_cast<unsigned>(event.d & 0xff),
                  .vmid = event.vmid,
                  .status = static_cast<unsigned>(event.b),
                  .access = kAccess[std::min<std::uint64_t>(event.c, 2)]};
  if (const MpuTrack* asked = key.el == 2 ? cpu.el2 : cpu.el1) key.slot = asked->match(event.a);
  if (key.slot < 0) key.page = event.a & ~0xfffull;
  MpuFaults& faults = faults_[key];
  if (faults.times++ == 0) {
    faults.first_cycle = event.cycles;
    faults.first_address = event.a;
  }
}

void MpuTelemetry::on_event(const Event& event) {
  if (event.kind == EventKind::vcpu_switch) {  // Of a physical CPU; all others are of vCPUs.
    if (layer_) layer_->on_switch(event);
    return;
  }
  if (event.cpu != last_cpu_) {
    last_ = &cpus_[event.cpu];
    last_cpu_ = event.cpu;
  }
  PerCpu& cpu = *last_;
  cpu.cycles = event.cycles;
  cpu.instructions = event.instructions;
  switch (event.kind) {
    case EventKind::exception_return:
      if (cpu.el1) cpu.el1->settle();
      if (cpu.el2) cpu.el2->settle();
      [[fallthrough]];
    case EventKind::exception_entry:
    case EventKind::mpu_read:
      watch(cpu, event);
      break;
    case EventKind::mpu_region: {
      MpuTrack& written = track(cpu, event);
      watch(cpu, event);
      written.add(event);
      break;
    }
    case EventKind::mpu_missing:
      track(cpu, event).add_missing(event);
      break;
    case EventKind::mpu_fault:
      add_fault(cpu, event);
      break;
    case EventKind::sysreg_write:
      if (event.a == reg::VTCR_EL2.key) cpu.vmsa = bit(event.b, 31);
      break;
    default:
      break;
  }
}

void MpuTelemetry::finish() {
  for (auto& [number, cpu] : cpus_) {
    const MpuTrack* el1 = cpu.vmsa ? nullptr : cpu.el1;
    if (layer_) {
      layer_->finish(number, cpu.cycles, el1, cpu.el2);
    } else {
      cpu.watch.finish(cpu.cycles, el1, cpu.el2, seen_);
    }
    if (cpu.el1) cpu.el1->finish(cpu.cycles);
    if (cpu.el2) cpu.el2->finish(cpu.cycles);
  }
  if (layer_) layer_->finish(seen_);
}

}  // namespace trapline
