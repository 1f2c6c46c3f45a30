// How a pending port becomes visible to the guest: the 2-level and the FIFO ABI.
#include "sim/trap/xen/event_channels.h"
#include "sim/trap/xen/event_fifo.h"

namespace trapline::xen {
namespace {

constexpr unsigned kBitsPerWord = 64;

constexpr std::uint64_t mask_of(EventPort port) {
  return std::uint64_t{1} << (port % kBitsPerWord);
}

}  // namespace

void EventChannels::port_init(Port& port) {
  // The FIFO ABI's; the 2-level one knows no priorities.
  if (fifo_) port.priority = kFifoDefaultPriority;
}

void EventChannels::clear_pending(EventPort number) {
  if (!usable(ports_[number])) return;
  if (fifo_) {
    if (std::uint32_t* word = fifo_word(number)) {
      *word &= ~kFifoPending;
      fifo_word_written(number);
    }
    return;
  }
  std::uint64_t& word = domain_.shared_info()->evtchn_pending[number / kBitsPerWord];
  word &= ~mask_of(number);
  domain_.shared_info_written(&word, sizeof word);
}

bool EventChannels::is_pending(EventPort number) {
  if (fifo_) {
    const std::uint32_t* word = fifo_word(number);
    return word && (*word & kFifoPending);
  }
  return domain_.shared_info()->evtchn_pending[number / kBitsPerWord] & mask_of(number);
}

bool EventChannels::is_busy(EventPort number) {
  const std::uint32_t* word = fifo_ ? fifo_word(number) : nullptr;
  return word && (*word & kFifoLinked);
}

void EventChannels::two_level_set_pending(EventPort number, unsigned vcpu) {
  SharedInfo* shared = domain_.shared_info();
  std::uint64_t& pending = shared->evtchn_pending[number / kBitsPerWord];
  if (pending & mask_of(number)) return;
  pending |= mask_of(number);
  domain_.shared_info_written(&pending, sizeof pending);
  const bool masked = shared->evtchn_mask[number / kBitsPerWord] & mask_of(number);
  if (!masked && domain_.select_event_word(vcpu, number / kBitsPerWord)) {
    domain_.mark_events_pending(vcpu);
  }
  domain_.check_pollers(number);
}

void EventChannels::two_level_unmask(EventPort number, unsigned vcpu) {
  SharedInfo* shared = domain_.shared_info();
  std::uint64_t& mask = shared->evtchn_mask[number / kBitsPerWord];
  if (!(mask & mask_of(number))) return;
  mask &= ~mask_of(number);
  domain_.shared_info_written(&mask, sizeof mask);
  const bool pending = shared->evtchn_pending[number / kBitsPerWord] & mask_of(number);
  if (pending && domain_.select_event_word(vcpu, number / kBitsPerWord)) {
    domain_.mark_events_pending(vcpu);
  }
}

std::uint32_t* EventChannels::fifo_word(EventPort number) {
  if (number >= fifo_->ports()) return nullptr;
  std::uint8_t* page = domain_.physmap().own_page(fifo_->array[number / Fifo::kWordsPerPage]);
  return page ? reinterpret_cast<std::uint32_t*>(page) + number % Fifo::kWordsPerPage : nullptr;
}

void EventChannels::fifo_word_written(EventPort number) {
  domain_.physmap().written(fifo_->array[number / Fifo::kWordsPerPage],
                            number % Fifo::kWordsPerPage * sizeof(std::uint32_t),
                            sizeof(std::uint32_t));
}

FifoControlBlock* EventChannels::control_block(unsigned vcpu) {
  const Fifo::Vcpu& state = fifo_->vcpus[vcpu];
  std::uint8_t* page = state.gfn ? domain_.physmap().own_page(*state.gfn) : nullptr;
  return page ? reinterpret_cast<FifoControlBlock*>(page + state.offset) : nullptr;
}

void EventChannels::control_block_written(unsigned vcpu) {
  const Fifo::Vcpu& state = fifo_->vcpus[vcpu];
  domain_.physmap().written(*state.gfn, state.offset, sizeof(FifoControlBlock));
}

void EventChannels::fifo_set_pending(EventPort number, unsigned vcpu) {
  Port& port = ports_[number];
  std::uint32_t* word = fifo_word(number);
  if (!word) {
    port.pending = true;
    return;
  }
  // A guest must not unmask anything before it has a control block: the event is dropped.
  if (!control_block(vcpu)) return;
  const bool was_pending = *word & kFifoPending;
  *word |= kFifoPending;
  const bool link = !(*word & kFifoMasked) && !(*word & kFifoLinked);
  if (link) *word |= kFifoLinked;
  fifo_word_written(number);

  if (link && !fifo_link(number, vcpu, port)) {
    FifoControlBlock* block = control_block(vcpu);
    const std::uint32_t queue = std::uint32_t{1} << port.priority;
    const bool was_ready = block->ready & queue;
    block->ready |= queue;
    control_block_written(vcpu);
    if (!was_ready) domain_.mark_events_pending(vcpu);
  }
  if (!was_pending) domain_.check_pollers(number);
}

// Puts the port at the end of its queue; false if it became the head.
bool EventChannels::fifo_link(EventPort number, unsigned vcpu, Port& port) {
  // If it was the tail of the queue it was on last, that queue is empty now.
  EventPort& old_tail = fifo_->vcpus[port.last_vcpu].tails[port.last_priority];
  if (old_tail == number) old_tail = 0;
  port.last_vcpu = static_cast<std::uint16_t>(vcpu);
  port.last_priority = port.priority;

  EventPort& tail = fifo_->vcpus[vcpu].tails[port.priority];
  const bool linked = tail != 0 && fifo_set_link(tail, number);
  if (!linked) {
    control_block(vcpu)->head[port.priority] = number;
    control_block_written(vcpu);
  }
  tail = number;
  return linked;
}

// Makes `tail` point to `link` unless the guest has unlinked it.
bool EventChannels::fifo_set_link(EventPort tail, EventPort link) {
  std::uint32_t* word = fifo_word(tail);
  if (!word || !(*word & kFifoLinked)) return false;
  *word = (*word & ~(kFifoBusy | kFifoLinkMask)) | link;
  fifo_word_written(tail);
  return true;
}

std::int64_t EventChannels::map_control_block(unsigned vcpu, const EvtchnInitControl& control) {
  Fifo::Vcpu& state = fifo_->vcpus[vcpu];
  if (state.gfn) return kEinval;
  if (!domain_.physmap().own_page(control.control_gfn)) return kEinval;
  state.gfn = control.control_gfn;
  state.offset = control.offset;
  return 0;
}

std::int64_t EventChannels::init_control(EvtchnInitControl& control) {
  control.link_bits = kFifoLinkBits;
  if (control.vcpu >= domain_.vcpus()) return kEnoent;
  if (control.offset > kPageBytes - sizeof(FifoControlBlock)) return kEinval;
  if (control.offset % 8 != 0) return kEinval;
  if (fifo_) return map_control_block(control.vcpu, control);

  fifo_ = std::make_unique<Fifo>();
  fifo_->vcpus.resize(domain_.vcpus());
  if (const std::int64_t error = map_control_block(control.vcpu, control)) {
    fifo_.reset();
    return error;
  }
  const SharedInfo* shared = domain_.shared_info();
  for (EventPort number = 1; number < kTwoLevelPorts && number < ports_.size(); ++number) {
    Port& port = ports_[number];
    if (shared->evtchn_pending[number / kBitsPerWord] & mask_of(number)) port.pending = true;
    port.priority = kFifoDefaultPriority;
    // A queue of an earlier life of the ABI would be that of another vCPU.
    port.last_vcpu = 0;
    port.last_priority = 0;
  }
  return 0;
}

std::int64_t EventChannels::expand_array(Gfn gfn) {
  if (!fifo_) return kEopnotsupp;
  if (fifo_->ports() >= kFifoPorts) return kEnospc;
  if (!domain_.physmap().own_page(gfn)) return kEinval;
  EventPort number = fifo_->ports();
  fifo_->array.push_back(gfn);
  for (; number < fifo_->ports() && number < ports_.size(); ++number) {
    if (ports_[number].pending) fifo_set_pending(number, ports_[number].vcpu);
  }
  return 0;
}

std::int64_t EventChannels::set_priority(EventPort number, std::uint32_t priority) {
  Port* port = find(number);
  if (!port) return kEinval;
  if (!fifo_) return kEnosys;
  if (!usable(*port)) return kEacces;
  if (priority >= kFifoQueues) return kEinval;
  port->priority = static_cast<std::uint8_t>(priority);
  return 0;
}

}  // namespace trapline::xen
