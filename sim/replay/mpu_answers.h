// What an MPU answers, as one number.
#pragma once

#include <cstdint>

#include "models/mpu/mpu.h"

namespace trapline {

/// A digest of what look-ups find around every edge of every region: reads, writes and fetches,
/// privileged and not, in both regimes, with the MPUs on, with and without background region and
/// stage 2. It asks and changes nothing.
std::uint64_t mpu_answers(const Mpu& mpu);

}  // namespace trapline
