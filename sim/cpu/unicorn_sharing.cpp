// RAM that others access: devices, the hypervisor and, where a page stands at several addresses,
// the CPUs that reach it there.
#include <algorithm>

#include "sim/cpu/unicorn_complex.h"
#include "sim/trace/store_guard.h"

namespace trapline {

bool UnicornCpu::read_memory(VirtAddr va, void* to, std::size_t bytes) {
  auto* out = static_cast<std::uint8_t*>(to);
  while (bytes != 0) {
    const std::size_t part = std::min<std::size_t>(bytes, 4096 - (va & 0xfff));
    Fault fault;
    const SoftTlb::Entry* entry =
        lookup(untagged(va), AccessKind::read, el_ != El::el0, pan_active(), fault);
    if (!entry || !bus_.read(entry->pa_page | (va & 0xfff), out, part)) return false;
    va += part;
    out += part;
    bytes -= part;
  }
  return true;
}

bool UnicornCpu::write_memory(VirtAddr va, const void* from, std::size_t bytes) {
  const auto* in = static_cast<const std::uint8_t*>(from);
  while (bytes != 0) {
    const std::size_t part = std::min<std::size_t>(bytes, 4096 - (va & 0xfff));
    Fault fault;
    const SoftTlb::Entry* entry =
        lookup(untagged(va), AccessKind::write, el_ != El::el0, pan_active(), fault);
    const CodePages::Slot* slot = entry ? pages_.slot(entry->pa_page) : nullptr;
    if (!slot || slot->read_only) return false;
    const PhysAddr pa = entry->pa_page | (va & 0xfff);
    bus_.write(pa, in, part);
    complex_.memory_written(pa, part);
    va += part;
    in += part;
    bytes -= part;
  }
  return true;
}

UnicornCpu* UnicornComplex::running_cpu() {
  for (const auto& cpu : cpus_) {
    if (cpu->running()) return cpu.get();
  }
  return nullptr;
}

/// Within a call or wake-up of a CPU that runs, its engine must not lose the code that it is in.
void UnicornComplex::memory_written(PhysAddr pa, std::uint64_t bytes) {
  for (PhysAddr page = pa & ~0xfffull; page < pa + bytes; page += 4096) {
    const CodePages::Slot* slot = pages_.slot(page);
    if (!slot) continue;
    alias_written(page);
    if (slot->aliases) tell_aliases_of_write(page, *slot);
  }
}

void UnicornComplex::code_written(PhysAddr pa, std::uint64_t bytes) {
  for (PhysAddr page = pa & ~0xfffull; page < pa + bytes; page += 4096) {
    CodePages::Slot* slot = pages_.slot(page);
    if (slot && slot->executable) release_code(page, *slot);
    if (slot && slot->aliases) tell_aliases_of_write(page, *slot);
  }
}

void UnicornComplex::alias_page(PhysAddr page, const PageAliases* aliases, PageAccess access) {
  CodePages::Slot* slot = pages_.slot(page);
  if (!slot) return;
  alias_written(page);
  // Entries may allow stores that are refused now, or hide them from the other places.
  flush_engine_tlbs();
  slot->writable = false;
  slot->read_only = access == PageAccess::read_only;
  slot->no_execute = access != PageAccess::all;
  slot->aliases = aliases;
  // What was guarded is elsewhere, and stores to what is here now are nobody's fault.
  if (guard_ && access != PageAccess::all) guard_->forget(page);
}

void UnicornComplex::alias_written(PhysAddr page) {
  CodePages::Slot* slot = pages_.slot(page);
  if (!slot || !slot->executable) return;
  if (UnicornCpu* running = running_cpu()) {
    running->release_soon(page);
  } else {
    release_code(page, *slot);
  }
}

void UnicornComplex::alias_executed(PhysAddr page) {
  CodePages::Slot* slot = pages_.slot(page);
  if (!slot || !slot->writable) return;
  flush_engine_tlbs();
  slot->writable = false;
}

void UnicornComplex::tell_aliases_of_write(PhysAddr page, const CodePages::Slot& slot) {
  const PageAliases::Place self{this, page};
  for (const PageAliases::Place& place : slot.aliases->places) {
    if (place != self) place.cpus->alias_written(place.page);
  }
}

void UnicornComplex::tell_aliases_of_execution(PhysAddr page, const CodePages::Slot& slot) {
  const PageAliases::Place self{this, page};
  for (const PageAliases::Place& place : slot.aliases->places) {
    if (place != self) place.cpus->alias_executed(place.page);
  }
}

}  // namespace trapline
