// State of the FIFO event ABI.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "sim/trap/xen/event_channels.h"

namespace trapline::xen {

struct EventChannels::Fifo {
  static constexpr std::uint32_t kWordsPerPage = kPageBytes / sizeof(std::uint32_t);

  struct Vcpu {
    std::optional<Gfn> gfn;  ///< The frame that its control block is in.
    std::uint32_t offset = 0;
    std::array<EventPort, kFifoQueues> tails{};  ///< Last port of each queue; 0 for an empty one.
  };

  std::uint32_t ports() const { return static_cast<std::uint32_t>(array.size()) * kWordsPerPage; }

  std::vector<Vcpu> vcpus;
  std::vector<Gfn> array;  ///< The frames of the event array.
};

}  // namespace trapline::xen
