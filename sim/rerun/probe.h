// One of two runs that are done again side by side, in a process of its own.
//
// Two runs of one program are alike until something differs that a CPU takes in: a byte of memory
// that was loaded differently, a device's answer, a system register, an interrupt. So the run goes
// at full speed with the bytes that differ watched, and reports at each checkpoint whether they
// were used, and a hash of the rest. At some checkpoints the process makes a copy of itself (fork)
// that waits: a place to go back to. When the comparing process knows between which
// checkpoints the runs parted, it sends an order to the copies before that; they go on from there
// and report each instruction. So a difference at the end of a long run costs that run once, and a
// moment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/rerun/channel.h"
#include "sim/rerun/copy_schedule.h"
#include "sim/scenario/scenario.h"
#include "sim/trace/event_schema.h"
#include "sim/trace/instruction.h"
#include "sim/trace/watched_memory.h"

namespace trapline {

/// What a run was like up to a checkpoint of any of its CPUs, or to its end.
struct ProbeReport {
  std::uint64_t checkpoint = 0;    ///< Counted over all CPUs, from 1; at the end, one more.
  std::uint64_t instructions = 0;  ///< Of the CPU, as of the event.
  std::uint64_t hash = 0;          ///< Over all that came from outside the CPUs, and all events.
  std::uint32_t cpu = 0;
  std::uint32_t ended = 0;
  std::uint64_t first_use = 0;  ///< How often bytes that differ were used for the first time.
  std::uint64_t unwatched = 0;  ///< Pages with such bytes that are used too often to be watched.

  bool same(const ProbeReport& other) const {
    return checkpoint == other.checkpoint && instructions == other.instructions &&
           hash == other.hash && cpu == other.cpu && ended == other.ended;
  }
};

/// Between which checkpoints a copy is to report its instructions; 0 is the run's beginning.
struct ProbeOrder {
  std::uint64_t from = 0;
  std::uint64_t to = 0;  ///< Or the run's end if that comes first.
};

/// Which of those instructions are wanted whole: numbers over all CPUs, from 0 at the first.
struct ProbeRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

enum class ProbeMessage : std::uint32_t {
  report,       ///< ProbeReport
  left_trace,   ///< The number of the event at which this run left the trace it should repeat.
  failed,       ///< Text: why there is no run.
  go_on,        ///< To the probe: all up to its next place to go back to is equal.
  order,        ///< To a waiting copy: ProbeOrder
  hashes,       ///< 64 bits for each instruction; none at the end. Answered by one of these:
  more,         ///< more,
  range,        ///< ProbeRange: it is enough; then come `instruction` and `event`, and `done`.
  instruction,  ///< ExecutedInstruction
  event,        ///< Text of an event among them.
  done,
};

/// The channels of one side, from the comparing process's point of view.
struct ProbeChannels {
  static constexpr unsigned kCopies = 3;
  /// Hashes sent at once; the copy waits for an answer then.
  static constexpr std::size_t kBatch = 8192;

  Channel reports;
  std::vector<Channel> copies;  ///< Copy n's: n % kCopies.
  CopySchedule schedule{};
};

/// A hash of all that an instruction was and did.
std::uint64_t hash_of(const ExecutedInstruction& instruction);

/// The recorded trace that a run should repeat, so far as it is needed.
struct ProbeTrace {
  std::string path;
  std::uint64_t events = 0;  ///< Of those in it, from the first on; 0: there is no trace.
  EventSet recorded = EventSet::standard();  ///< Kinds; on both sides the same, to be compared.
};

/// Does the run of `scenario`, whose memory is `different` from the other side's, in this process,
/// which is a child made for it, and ends the process.
[[noreturn]] void probe_main(const Scenario& scenario, const ProbeTrace& trace,
                             const WatchedMemory& different, ProbeChannels channels);

}  // namespace trapline
