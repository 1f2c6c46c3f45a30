// A domain without a hypervisor: what sim/trap/xen/ports.h asks for, as plain memory.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/time/timeline.h"
#include "sim/trap/xen/le_bytes.h"
#include "sim/trap/xen/ports.h"

namespace trapline::xen {

/// Frames from 0 on, each granted at will, and event channels that count.
class FakeGuest final : public DomainMemory, public Grants, public Channels {
 public:
  using Page = std::array<std::uint8_t, kPageBytes>;

  explicit FakeGuest(unsigned frames = 64) : frames_(frames) {
    for (auto& frame : frames_) frame = std::make_unique<Page>();
  }

  // DomainMemory.
  std::uint8_t* frame(Gfn gfn) override {
    return gfn < frames_.size() && frames_[gfn] ? frames_[gfn]->data() : nullptr;
  }
  void written(Gfn gfn, std::size_t offset, std::size_t bytes) override {
    out_of_bounds |= gfn >= frames_.size() || offset + bytes > kPageBytes;
  }
  void give_up(Gfn gfn) { frames_[gfn].reset(); }
  std::uint8_t* own_frame(Gfn gfn) override { return gfn == mapped_over ? nullptr : frame(gfn); }

  // Grants.
  GrantRef grant(Gfn gfn, bool read_only = false) {
    const GrantRef ref = next_ref_++;
    grants_[ref] = {gfn, read_only};
    return ref;
  }
  void revoke(GrantRef ref) { grants_.erase(ref); }
  using DomainMemory::map;
  std::unique_ptr<GrantedPage> map(GrantRef ref, bool writable) override {
    const auto found = grants_.find(ref);
    if (found == grants_.end() || (writable && found->second.read_only)) return nullptr;
    std::uint8_t* bytes = frame(found->second.gfn);
    if (!bytes) return nullptr;
    return std::make_unique<Mapping>(*this, ref, bytes);
  }
  unsigned mapped(GrantRef ref) const {
    const auto found = mapped_.find(ref);
    return found == mapped_.end() ? 0 : found->second;
  }
  unsigned mappings() const { return mappings_; }

  // Channels.
  EventPort alloc_unbound() {
    ports_[next_port_] = {};
    return next_port_++;
  }
  std::unique_ptr<BackendChannel> bind(EventPort port, std::function<void()> on_event) override {
    const auto found = ports_.find(port);
    if (found == ports_.end() || found->second.on_event) return nullptr;
    found->second.on_event = std::move(on_event);
    return std::make_unique<Channel>(*this, port);
  }
  std::unique_ptr<BackendChannel> allocate(std::function<void()> on_event,
                                           EventPort& port) override {
    port = alloc_unbound();
    return bind(port, std::move(on_event));
  }
  /// The domain raises the event.
  void send(EventPort port) {
    const auto found = ports_.find(port);
    if (found != ports_.end() && found->second.on_event) found->second.on_event();
  }
  bool bound(EventPort port) const {
    const auto found = ports_.find(port);
    return found != ports_.end() && found->second.on_event != nullptr;
  }
  /// How often the domain was told since last asked.
  unsigned events(EventPort port) { return std::exchange(ports_[port].events, 0); }

  // Words of the domain's memory.
  std::uint32_t word(Gfn gfn, std::size_t offset) {
    return get_le<std::uint32_t>(frame(gfn) + offset);
  }
  void set_word(Gfn gfn, std::size_t offset, std::uint32_t value) {
    put_le(frame(gfn) + offset, value);
  }

  Gfn mapped_over = ~Gfn{0};   ///< Another domain's page is there.
  bool out_of_bounds = false;  ///< Someone reported changes outside a page.

 private:
  struct Port {
    std::function<void()> on_event;
    unsigned events = 0;
  };
  struct Entry {
    Gfn gfn;
    bool read_only;
  };

  class Mapping final : public GrantedPage {
   public:
    Mapping(FakeGuest& guest, GrantRef ref, std::uint8_t* bytes)
        : guest_(guest), ref_(ref), bytes_(bytes) {
      ++guest_.mapped_[ref_];
      ++guest_.mappings_;
    }
    ~Mapping() override {
      --guest_.mapped_[ref_];
      --guest_.mappings_;
    }
    std::uint8_t* bytes() override { return bytes_; }
    void written(std::size_t offset, std::size_t bytes) override {
      guest_.out_of_bounds |= offset + bytes > kPageBytes;
    }

   private:
    FakeGuest& guest_;
    GrantRef ref_;
    std::uint8_t* bytes_;
  };

  class Channel final : public BackendChannel {
   public:
    Channel(FakeGuest& guest, EventPort port) : guest_(guest), port_(port) {}
    ~Channel() override { guest_.ports_[port_].on_event = nullptr; }
    void notify() override { ++guest_.ports_[port_].events; }

   private:
    FakeGuest& guest_;
    EventPort port_;
  };

  std::vector<std::unique_ptr<Page>> frames_;
  std::map<GrantRef, Entry> grants_;
  std::map<GrantRef, unsigned> mapped_;
  unsigned mappings_ = 0;
  GrantRef next_ref_ = 8;
  std::map<EventPort, Port> ports_;
  EventPort next_port_ = 1;
};

}  // namespace trapline::xen
