// The CPUs of one machine, and the memory that they share.
#pragma once

#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "sim/cpu/unicorn_cpu.h"

namespace trapline {

/// All CPUs of a machine over one memory.
class UnicornComplex final : public CpuComplex {
 public:
  UnicornComplex(const CpuEnvironment& environment, const std::vector<CpuConfig>& cpus);
  unsigned count() const override { return static_cast<unsigned>(cpus_.size()); }
  Cpu& cpu(unsigned index) override { return *cpus_.at(index); }
  void memory_written(PhysAddr pa, std::uint64_t bytes) override;
  void memory_redirected() override { flush_engine_tlbs(); }
  void alias_page(PhysAddr page, const PageAliases* aliases, PageAccess access) override;
  void alias_written(PhysAddr page) override;
  void alias_executed(PhysAddr page) override;

  /// Before a page with aliases becomes writable, or is written to; before it becomes executable.
  void tell_aliases_of_write(PhysAddr page, const CodePages::Slot& slot);
  void tell_aliases_of_execution(PhysAddr page, const CodePages::Slot& slot);
  void flush_engine_tlbs();
  /// As memory_written(), while no engine runs.
  void code_written(PhysAddr pa, std::uint64_t bytes);
  /// Makes a page that was executed from writable: every engine forgets its translations.
  void release_code(PhysAddr page, CodePages::Slot& slot);
  template <typename Action>
  void for_others(const UnicornCpu& self, Action action) {
    for (const auto& cpu : cpus_) {
      if (cpu.get() != &self) action(*cpu);
    }
  }
  /// SEV by one CPU. If that wakes another, it gives way.
  void send_event(UnicornCpu& sender);

  /// Calls that were observed and not yet answered: VMID, level and where the caller goes on.
  using OpenCalls = std::map<std::tuple<std::uint16_t, El, VirtAddr>, unsigned>;
  OpenCalls& open_calls() { return open_calls_; }

 private:
  UnicornCpu* running_cpu();

  StoreGuard* guard_;
  CodePages pages_;
  OpenCalls open_calls_;
  std::vector<std::unique_ptr<UnicornCpu>> cpus_;
};

}  // namespace trapline
