#include "models/gic/gicv2_virtual.h"

#include <algorithm>

namespace trapline {
namespace {

enum Register : unsigned {
  kHcr = 0x00,
  kVtr = 0x04,
  kVmcr = 0x08,
  kMisr = 0x10,
  kEisr0 = 0x20,
  kEisr1 = 0x24,
  kElrsr0 = 0x30,
  kElrsr1 = 0x34,
  kApr = 0xf0,
  kLr0 = 0x100,
  kEnd = 0x200,
};

// GICH_HCR (IHI 0048B 5.3.1).
constexpr std::uint32_t kEn = 1u << 0;
constexpr unsigned kEoiCountShift = 27;
constexpr std::uint32_t kHcrBits = 0x1fu << kEoiCountShift | 0xff;

// GICH_LR (IHI 0048B 5.3.9).
constexpr std::uint32_t kLrEoi = 1u << 19;
constexpr std::uint32_t kLrPending = 1u << 28;
constexpr std::uint32_t kLrActive = 1u << 29;
constexpr std::uint32_t kLrGrp1 = 1u << 30;
constexpr std::uint32_t kLrHw = 1u << 31;
constexpr std::uint32_t kLrBits = 0xff8f'ffff;

constexpr unsigned kVirtualPriorityBits = 5;
constexpr unsigned kSgis = 16;
constexpr unsigned kAliases = 0x1000;
constexpr unsigned kAliasSize = 0x200;

unsigned virtual_id(std::uint32_t lr) {
  return lr & 0x3ff;
}
unsigned physical_id(std::uint32_t lr) {
  return lr >> 10 & 0x3ff;
}
unsigned source_cpu_of(std::uint32_t lr) {
  return lr >> 10 & 7;
}
std::uint8_t priority_of(std::uint32_t lr) {
  return static_cast<std::uint8_t>((lr >> 23 & 31) << 3);
}
bool is_valid(std::uint32_t lr) {
  return lr & (kLrPending | kLrActive);
}
bool is_pending_only(std::uint32_t lr) {
  return (lr & (kLrPending | kLrActive)) == kLrPending;
}
bool is_sgi(std::uint32_t lr) {
  return virtual_id(lr) < kSgis && !(lr & kLrHw);
}

// GICH_EISR: ended, and asked to say so (IHI 0048B 5.3.5).
bool is_ended(std::uint32_t lr) {
  return !is_valid(lr) && (lr & (kLrHw | kLrEoi)) == kLrEoi;
}
// GICH_ELRSR: neither in use nor waiting for the hypervisor to see its end (IHI 0048B 5.3.6).
bool is_empty(std::uint32_t lr) {
  return !is_valid(lr) && !is_ended(lr);
}

GicV2CpuInterfaceConfig interface_config(const GicV2VirtualConfig& config) {
  GicV2CpuInterfaceConfig result;
  result.cpu = config.cpu;
  result.priority_bits = kVirtualPriorityBits;
  result.is_virtual = true;
  return result;
}

}  // namespace

GicV2VirtualInterface::GicV2VirtualInterface(const GicV2VirtualConfig& config,
                                             GicV2InterruptSource& physical, Line& virq, Line& vfiq,
                                             Line& maintenance, Sink* sink)
    : config_(config),
      physical_(physical),
      maintenance_(maintenance),
      sink_(sink),
      list_(config.list_registers),
      interface_(interface_config(config), *this, virq, vfiq, sink) {}

void GicV2VirtualInterface::reset() {
  std::fill(list_.begin(), list_.end(), 0);
  hcr_ = 0;
  interface_.reset();
  refresh();
}

void GicV2VirtualInterface::refresh() {
  GicV2Pending best;
  const unsigned groups = interface_.enabled_groups();
  if ((hcr_ & kEn) && groups) {
    for (unsigned n = 0; n < list_.size(); ++n) {
      const std::uint32_t lr = list_[n];
      const bool group1 = lr & kLrGrp1;
      if (!is_pending_only(lr) || !(groups >> group1 & 1)) continue;
      if (best.exists() && priority_of(lr) >= best.priority) continue;
      best.intid = static_cast<std::uint16_t>(virtual_id(lr));
      best.source_cpu = static_cast<std::uint8_t>(is_sgi(lr) ? source_cpu_of(lr) : 0);
      best.priority = priority_of(lr);
      best.group1 = group1;
      best_list_register_ = n;
    }
  }
  interface_.present(best);
  maintenance_.set((hcr_ & kEn) && misr() != 0);
}

void GicV2VirtualInterface::acknowledge(const GicV2Pending&) {
  std::uint32_t& lr = list_[best_list_register_];
  lr = (lr & ~kLrPending) | kLrActive;
}

// Several list registers may hold one SGI from different CPUs: the requester's number, which
// software hands back to EOIR, tells them apart (IHI 0048B 5.5.5). Software that drops the number
// still ends the first.
std::uint32_t* GicV2VirtualInterface::find_active(unsigned intid, unsigned source_cpu) {
  std::uint32_t* found = nullptr;
  for (std::uint32_t& lr : list_) {
    if (!(lr & kLrActive) || virtual_id(lr) != intid) continue;
    if (!is_sgi(lr) || source_cpu_of(lr) == source_cpu) return &lr;
    if (!found) found = &lr;
  }
  return found;
}

bool GicV2VirtualInterface::deactivate(unsigned intid, unsigned source_cpu) {
  std::uint32_t* lr = find_active(intid, source_cpu);
  if (!lr) return false;
  *lr &= ~kLrActive;
  if (*lr & kLrHw) deactivate_physical(physical_id(*lr));
  return true;
}

// IHI 0048B 5.2.2: as a Non-secure write to GICC_DIR, so group 0 is out of reach where there are
// Security Extensions. UNPREDICTABLE for SGIs and INTIDs that do not exist: ignored.
void GicV2VirtualInterface::deactivate_physical(unsigned intid) {
  if (intid < kSgis || intid >= config_.physical_intid_limit) return;
  if (config_.security_extensions && !physical_.is_group1(intid)) return;
  physical_.deactivate(intid, 0);
  physical_.refresh();
}

bool GicV2VirtualInterface::is_group1(unsigned intid) const {
  for (const std::uint32_t lr : list_) {
    if (is_valid(lr) && virtual_id(lr) == intid) return lr & kLrGrp1;
  }
  return false;
}

void GicV2VirtualInterface::completion_not_found() {
  hcr_ += 1u << kEoiCountShift;
}

std::uint32_t GicV2VirtualInterface::status(unsigned first, bool (*test)(std::uint32_t)) const {
  std::uint32_t result = 0;
  for (unsigned n = first; n < list_.size() && n < first + 32; ++n) {
    result |= std::uint32_t{test(list_[n])} << (n - first);
  }
  return result;
}

// IHI 0048B 5.3.4. Bits 1 to 7 are gated by the bits of the same number in HCR.
std::uint32_t GicV2VirtualInterface::misr() const {
  const auto valid = std::count_if(list_.begin(), list_.end(), is_valid);
  const bool none_pending = std::none_of(list_.begin(), list_.end(), is_pending_only);
  const unsigned groups = interface_.enabled_groups();
  const bool group0 = groups & 1;
  const bool group1 = groups & 2;
  const std::uint32_t underflow = valid <= 1;
  const std::uint32_t not_present = hcr_ >> kEoiCountShift != 0;
  const std::uint32_t gated = underflow << 1 | not_present << 2 | std::uint32_t{none_pending} << 3 |
                              std::uint32_t{group0} << 4 | std::uint32_t{!group0} << 5 |
                              std::uint32_t{group1} << 6 | std::uint32_t{!group1} << 7;
  const std::uint32_t ended = std::any_of(list_.begin(), list_.end(), is_ended);
  return (gated & hcr_) | ended;
}

bool GicV2VirtualInterface::read(unsigned offset, std::uint32_t& value) const {
  value = 0;
  switch (offset) {
    case kHcr:
      value = hcr_;
      return true;
    case kVtr:
      value = (kVirtualPriorityBits - 1) << 29 | (kVirtualPriorityBits - 1) << 26 |
              (config_.list_registers - 1);
      return true;
    case kVmcr:
      value = interface_.vmcr();
      return true;
    case kMisr:
      value = misr();
      return true;
    case kEisr0:
      value = status(0, is_ended);
      return true;
    case kEisr1:
      value = status(32, is_ended);
      return true;
    case kElrsr0:
      value = status(0, is_empty);
      return true;
    case kElrsr1:
      value = status(32, is_empty);
      return true;
    case kApr:
      value = interface_.virtual_active_priorities();
      return true;
    default:
      break;
  }
  if (offset < kLr0 || offset >= kEnd) return false;
  const unsigned n = (offset - kLr0) / 4;
  if (n < list_.size()) value = list_[n];
  return n < list_.size();
}

bool GicV2VirtualInterface::write(unsigned offset, std::uint32_t value) {
  switch (offset) {
    case kHcr:
      hcr_ = value & kHcrBits;
      break;
    case kVmcr:
      interface_.set_vmcr(value);
      break;
    case kApr:
      interface_.set_virtual_active_priorities(value);
      break;
    case kVtr:
    case kMisr:
    case kEisr0:
    case kEisr1:
    case kElrsr0:
    case kElrsr1:
      return true;  // Read-only.
    default: {
      const unsigned n = (offset - kLr0) / 4;
      if (offset < kLr0 || n >= list_.size()) return false;
      list_[n] = value & kLrBits;
      if (sink_) {
        Event event;
        event.kind = EventKind::list_register;
        event.cpu = static_cast<std::uint8_t>(config_.cpu);
        event.a = n;
        event.b = list_[n];
        sink_->on_event(event);
      }
    }
  }
  refresh();
  return true;
}

GicV2HypervisorFrame::GicV2HypervisorFrame(std::string name,
                                           std::vector<GicV2VirtualInterface*> interfaces)
    : GicV2WordFrame(std::move(name), gic::Frame::gich, static_cast<unsigned>(interfaces.size()), kSize),
      interfaces_(std::move(interfaces)) {}

void GicV2HypervisorFrame::reset() {
  for (GicV2VirtualInterface* interface : interfaces_) interface->reset();
}

GicV2VirtualInterface* GicV2HypervisorFrame::select(unsigned cpu, unsigned& offset) const {
  if (offset < kAliases) return interfaces_[cpu];
  const unsigned n = (offset - kAliases) / kAliasSize;
  offset %= kAliasSize;
  return n < interfaces_.size() ? interfaces_[n] : nullptr;
}

bool GicV2HypervisorFrame::read_word(unsigned cpu, unsigned offset, bool, std::uint32_t& value) {
  const GicV2VirtualInterface* interface = select(cpu, offset);
  return interface && interface->read(offset, value);
}

bool GicV2HypervisorFrame::write_word(unsigned cpu, unsigned offset, bool, std::uint32_t value) {
  GicV2VirtualInterface* interface = select(cpu, offset);
  return interface && interface->write(offset, value);
}

}  // namespace trapline
