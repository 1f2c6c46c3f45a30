// Where events come together: stamped, digested, handed to the sinks.
#pragma once

#include <bitset>
#include <vector>

#include "sim/trace/digest.h"
#include "sim/trace/event.h"

namespace trapline {

/// Knows the state of the CPU that is running.
class StampSource {
 public:
  virtual ~StampSource() = default;
  /// Fills el, vmid, instructions and cycles.
  virtual void stamp(Event& event) const = 0;
};

/// Models and CPUs report here. Every event enters the digest whether or not a sink listens, so
/// observers cannot change it. Observed events are those that cost something to see: they are
/// raised only where a sink wants them, and never enter the digest.
class EventHub final : public Sink {
 public:
  void set_source(const StampSource* source) { source_ = source; }
  /// Before the machine is built: its parts ask wants() once.
  void attach(Sink& sink) {
    Listener& added = sinks_.emplace_back(Listener{&sink, {}});
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      if (sink.wants(static_cast<EventKind>(kind))) added.wanted.set(kind);
    }
    wanted_ |= added.wanted;
  }
  /// Some sink wants this observed kind.
  bool wants(EventKind kind) const override { return wanted_.test(static_cast<std::size_t>(kind)); }

  void on_event(const Event& event) override {
    const Event stamped = stamp_of(event);
    digest_.add(stamped);
    for (const Listener& listener : sinks_) listener.sink->on_event(stamped);
  }

  /// An observed event, for the sinks that want its kind. What the others are told does not depend
  /// on who else listens.
  void observe(const Event& event) override {
    const auto kind = static_cast<std::size_t>(event.kind);
    if (!wanted_.test(kind)) return;
    const Event stamped = stamp_of(event);
    for (const Listener& listener : sinks_) {
      if (listener.wanted.test(kind)) listener.sink->on_event(stamped);
    }
  }

  /// Fills in where the machine is now.
  void stamp(Event& event) const {
    if (source_) source_->stamp(event);
  }

  const Digest& digest() const { return digest_; }

 private:
  static constexpr std::size_t kKinds = 256;
  struct Listener {
    Sink* sink = nullptr;
    std::bitset<kKinds> wanted;  ///< Observed kinds.
  };

  /// A domain's device may act while another domain's CPU runs: the domain it says stays.
  Event stamp_of(const Event& event) const {
    Event stamped = event;
    if (source_) source_->stamp(stamped);
    if (event.vmid != 0) stamped.vmid = event.vmid;
    return stamped;
  }

  const StampSource* source_ = nullptr;
  std::vector<Listener> sinks_;
  std::bitset<kKinds> wanted_;  // By any.
  Digest digest_;
};

}  // namespace trapline
