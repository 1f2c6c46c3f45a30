// A board with its memory, CPUs, devices and firmware: a whole machine, or one domain of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/bus/bus.h"
#include "sim/cpu/cpu.h"
#include "sim/machine/board.h"
#include "sim/machine/boot.h"
#include "sim/machine/machine.h"
#include "sim/time/timing_model.h"
#include "sim/trap/semihosting.h"
#include "sim/trap/smccc.h"

namespace trapline {

/// What an instance is connected to. Everything outlives it.
struct InstancePorts {
  Timeline& timeline;
  EventHub& events;
  const TimingModel& timing;
  const MachineHooks& hooks;
  std::function<CharacterPort&(unsigned uart)> uart;  ///< By number within the instance.
  std::function<void()> host_poll;
  /// The board lost power, was reset, or software ended the run with a code. No CPU of it runs any
  /// more but the one that the call came from, which has no power either.
  std::function<void(ExitReason reason, int code, std::string detail)> ended;
  std::function<void(unsigned cpu)> woken;  ///< A CPU was powered on; its number in the machine.
  unsigned first_cpu = 0;                   ///< Number in the machine of the first CPU.
  std::uint16_t vmid = 0;                   ///< Of a domain: what it is called in events.
  unsigned first_uart = 0;                  ///< Number in the machine of the first UART.
  std::vector<std::shared_ptr<Ram>> memory{};  ///< As BoardPorts has it.
};

/// Events of a part of a machine, whose models count from 0.
class PartSink final : public Sink {
 public:
  PartSink(EventHub& events, unsigned first_cpu, std::uint16_t vmid)
      : events_(events), first_cpu_(first_cpu), vmid_(vmid) {}
  void on_event(const Event& event) override { events_.on_event(moved(event)); }
  void observe(const Event& event) override { events_.observe(moved(event)); }
  bool wants(EventKind kind) const override { return events_.wants(kind); }

 private:
  Event moved(Event event) const {
    event.cpu = static_cast<std::uint8_t>(event.cpu + first_cpu_);
    event.vmid = vmid_;
    return event;
  }

  EventHub& events_;
  unsigned first_cpu_;
  std::uint16_t vmid_;
};

class Instance final : private PowerController, private GuestMemory {
 public:
  /// Assembles the board; load() must follow. Throws as Machine does.
  Instance(const MachineConfig& config, InstancePorts ports);

  /// Answers, in place of the firmware, HVC with this immediate. The port hears CPUs by their
  /// number within the instance.
  void answer_hypercalls(std::uint16_t immediate, TrapPort& port) {
    traps_.hypercall = immediate;
    traps_.hypervisor = &port;
  }
  /// Is told every CPU that was powered on, before it executes anything, or that PSCI switched off.
  void on_power(std::function<void(unsigned cpu, bool on)> told) { told_ = std::move(told); }
  /// Puts the images into memory and starts the CPUs that start by themselves.
  void load();
  /// Takes power from every CPU and tells the machine.
  void end(ExitReason reason, int code = 0, std::string detail = {});

  const MachineConfig& config() const { return config_; }
  const BootPlan& plan() const { return plan_; }
  Bus& bus() { return bus_; }
  Board& board() { return *board_; }
  CpuComplex& cpus() { return *cpus_; }
  Sink& events() { return sink_; }
  unsigned first_cpu() const { return ports_.first_cpu; }
  PowerController& power() { return *this; }

 private:
  /// Sends each call to whom it is for.
  struct Traps final : TrapPort {
    CallResult call(Conduit conduit, std::uint16_t immediate, unsigned cpu,
                    std::array<std::uint64_t, 18>& x) override;
    bool semihosting(unsigned cpu, std::uint64_t& x0, std::uint64_t x1) override;
    void trapped(unsigned cpu, const El2Trap& trap) override {
      if (hypervisor) hypervisor->trapped(cpu, trap);
    }

    std::unique_ptr<Firmware> firmware;
    std::uint16_t hypercall = 0;
    TrapPort* hypervisor = nullptr;
  };

  void build_cpus();
  void power_down(unsigned cpu, ExitReason reason);

  // PowerController
  unsigned cpu_count() const override { return cpus_->count(); }
  std::uint64_t affinity(unsigned cpu) const override;
  PowerState state(unsigned cpu) const override {
    return cpus_->cpu(cpu).powered() ? PowerState::on : PowerState::off;
  }
  bool executable(PhysAddr pa) const override { return bus_.ram_at(pa) != nullptr; }
  void cpu_on(unsigned cpu, PhysAddr entry, El el, std::uint64_t context) override;
  void cpu_off(unsigned cpu) override;
  void system_off(unsigned cpu) override { power_down(cpu, ExitReason::power_off); }
  void system_reset(unsigned cpu) override { power_down(cpu, ExitReason::reset); }

  // GuestMemory, for semihosting
  bool read(unsigned cpu, VirtAddr va, void* to, std::uint64_t bytes) override {
    return cpus_->cpu(cpu).read_memory(va, to, bytes);
  }
  bool write(unsigned cpu, VirtAddr va, const void* from, std::uint64_t bytes) override {
    return cpus_->cpu(cpu).write_memory(va, from, bytes);
  }

  MachineConfig config_;
  InstancePorts ports_;
  std::function<void(unsigned, bool)> told_;
  PartSink sink_;
  BootPlan plan_;
  bool has_el2_;
  Bus bus_;
  std::unique_ptr<Semihosting> semihosting_;
  Traps traps_;
  std::unique_ptr<CpuComplex> cpus_;
  std::unique_ptr<Board> board_;
};

}  // namespace trapline
