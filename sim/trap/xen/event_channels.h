// The event channels of one domain (common/event_channel.c's behaviour).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sim/trap/xen/abi.h"
#include "sim/trap/xen/domain.h"

namespace trapline::xen {

/// Results are 0 or a negative error; where a port comes back it is put into the last argument.
class EventChannels {
 public:
  /// What a port is for (EVTCHNSTAT_* plus those that no guest is told of).
  enum class State : std::uint8_t { free, reserved, unbound, interdomain, virq, ipi };

  explicit EventChannels(Domain& domain);
  ~EventChannels();

  // EVTCHNOP_*.
  std::int64_t alloc_unbound(DomId remote, EventPort& port);
  std::int64_t bind_interdomain(Domain& remote, EventPort remote_port, EventPort& port);
  std::int64_t bind_virq(std::uint32_t virq, std::uint32_t vcpu, EventPort& port);
  std::int64_t bind_ipi(std::uint32_t vcpu, EventPort& port);
  std::int64_t close(EventPort port, bool by_guest);
  std::int64_t send(EventPort port);
  /// A backend raises the event at the other end of its port.
  void notify(EventPort port);
  std::int64_t status(EvtchnStatus& status);
  std::int64_t bind_vcpu(EventPort port, std::uint32_t vcpu);
  std::int64_t unmask(EventPort port);
  std::int64_t reset();
  /// The domain has ended: channels to others than the back ends are closed.
  void close_to_domains();
  std::int64_t init_control(EvtchnInitControl& control);
  std::int64_t expand_array(Gfn gfn);
  std::int64_t set_priority(EventPort port, std::uint32_t priority);
  /// 1 if the port is pending, 0 if not.
  std::int64_t poll(EventPort port);

  bool has_free_port() { return free_port() >= 0; }
  void raise_virq(unsigned vcpu, std::uint32_t virq);

  /// Gives a port that a backend owns what it is to do instead of setting bits in guest memory.
  void set_consumer(EventPort port, std::function<void()> consumer);

  /// Ports that there is a record of; those above are as free ones are, but for EVTCHNOP_status.
  EventPort valid_ports() const { return static_cast<EventPort>(ports_.size()); }

 private:
  struct Port {
    State state = State::free;
    std::uint16_t vcpu = 0;    ///< That is notified.
    DomId remote_id = 0;       ///< Of an unbound port: who may bind it.
    Domain* remote = nullptr;  ///< Of an interdomain one.
    EventPort remote_port = 0;
    std::uint32_t virq = 0;
    // FIFO only.
    bool pending = false;  ///< Raised while its page of the event array was missing.
    std::uint8_t priority = kFifoDefaultPriority;
    std::uint8_t last_priority = 0;
    std::uint16_t last_vcpu = 0;
    std::function<void()> consumer{};
  };
  struct Fifo;

  static bool is_global(std::uint32_t virq);
  Port* find(EventPort port) { return port < ports_.size() ? &ports_[port] : nullptr; }
  EventPort limit() const { return fifo_ ? kFifoPorts : kTwoLevelPorts; }
  /// A port that is free, or a negative error.
  std::int64_t free_port();
  void release(EventPort port);
  /// A port was given a purpose.
  void port_init(Port& port);

  // Delivery, by the ABI in force.
  static bool usable(const Port& port) {
    return !port.consumer && port.state != State::free && port.state != State::reserved;
  }
  void set_pending(EventPort number);
  void clear_pending(EventPort number);
  bool is_pending(EventPort number);
  bool is_busy(EventPort number);

  void two_level_set_pending(EventPort number, unsigned vcpu);
  void two_level_unmask(EventPort number, unsigned vcpu);

  std::uint32_t* fifo_word(EventPort number);
  void fifo_word_written(EventPort number);
  void fifo_set_pending(EventPort number, unsigned vcpu);
  bool fifo_link(EventPort number, unsigned vcpu, Port& port);
  bool fifo_set_link(EventPort tail, EventPort link);
  std::int64_t map_control_block(unsigned vcpu, const EvtchnInitControl& control);
  FifoControlBlock* control_block(unsigned vcpu);
  void control_block_written(unsigned vcpu);

  Domain& domain_;
  std::vector<Port> ports_;  // Grows a bucket at a time, as far as it was needed.
  std::vector<std::array<EventPort, kVirqs>> virq_ports_;  // Of each vCPU; 0 for none.
  std::unique_ptr<Fifo> fifo_;
};

}  // namespace trapline::xen
