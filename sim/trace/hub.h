// Where events come together: stamped, digested, handed to the sinks.
#pragma once

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
/// observers cannot change it.
class EventHub final : public Sink {
 public:
  void set_source(const StampSource* source) { source_ = source; }
  void attach(Sink& sink) { sinks_.push_back(&sink); }

  void on_event(const Event& event) override {
    Event stamped = event;
    if (source_) source_->stamp(stamped);
    digest_.add(stamped);
    for (Sink* sink : sinks_) sink->on_event(stamped);
  }

  const Digest& digest() const { return digest_; }

 private:
  const StampSource* source_ = nullptr;
  std::vector<Sink*> sinks_;
  Digest digest_;
};

}  // namespace trapline
