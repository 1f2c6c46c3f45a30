#include "sim/rerun/first_divergence.h"

#include <spdlog/fmt/fmt.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "sim/machine/boot.h"
#include "sim/report/run_facts.h"
#include "sim/rerun/memory_differences.h"

namespace trapline {
namespace {

constexpr std::uint64_t kStepsBefore = 5;
constexpr std::uint64_t kStepsAfter = 1;
/// Checkpoints in which each instruction is looked at.
constexpr std::uint64_t kFirstReach = 2, kLastReach = 4;

std::uint32_t number(ProbeMessage type) {
  return static_cast<std::uint32_t>(type);
}

/// One of the two runs, as seen from here.
class Side {
 public:
  /// `other`: its channels must not stay open in this side's process. Throws RerunError.
  Side(const RerunSide& what, const WatchedMemory& different, const CopySchedule& schedule,
       Side* other)
      : name_(what.name), schedule_(schedule) {
    ProbeChannels theirs;
    theirs.schedule = schedule;
    const auto connect = [](Channel& here, Channel& there) {
      auto [one, two] = Channel::make_pair();
      here = std::move(one);
      there = std::move(two);
    };
    connect(reports_, theirs.reports);
    theirs.copies.resize(ProbeChannels::kCopies);
    copies_.resize(ProbeChannels::kCopies);
    for (unsigned n = 0; n < ProbeChannels::kCopies; ++n) connect(copies_[n], theirs.copies[n]);
    std::fflush(nullptr);
    child_ = fork();
    if (child_ < 0) {
      throw RerunError(fmt::format("{}: cannot start its run: {}", name_, std::strerror(errno)));
    }
    if (child_ == 0) {
      close();
      if (other) other->close();
      probe_main(what.scenario, what.trace, different, std::move(theirs));
    }
  }
  ~Side() {
    close();
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
  }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  ProbeReport next_report() {
    const auto message = reports_.receive();
    if (!message) throw RerunError(name_ + ": its run died");
    if (message->type == number(ProbeMessage::failed)) {
      throw RerunError(fmt::format("{}: {}", name_, message->bytes));
    }
    if (message->type == number(ProbeMessage::left_trace)) {
      throw RerunError(
          fmt::format("{}: done again, the run leaves the trace at event {}: it was recorded by "
                      "another version "
                      "of trapline, or had input that no script sent",
                      name_, message->as<std::uint64_t>().value_or(0)));
    }
    const auto report = message->as<ProbeReport>();
    if (!report) throw RerunError(name_ + ": its run sent nonsense");
    return *report;
  }
  void confirm() { reports_.send(number(ProbeMessage::go_on)); }

  /// To the copy before checkpoint `order.from`.
  void give(const ProbeOrder& order) {
    copy_ = &copies_[schedule_.copy_of(order.from) % ProbeChannels::kCopies];
    copy_->send_value(number(ProbeMessage::order), order);
  }
  void ask_for_more() { copy_->send(number(ProbeMessage::more)); }

  /// Some hashes; none at the end.
  std::vector<std::uint64_t> next_hashes() {
    const auto message = copy_->receive();
    if (!message) throw RerunError(name_ + ": its run died");
    std::vector<std::uint64_t> hashes(message->bytes.size() / sizeof(std::uint64_t));
    std::memcpy(hashes.data(), message->bytes.data(), hashes.size() * sizeof hashes[0]);
    return hashes;
  }

  /// Instead of more hashes.
  std::vector<PartingStep> steps(const ProbeRange& range) {
    copy_->send_value(number(ProbeMessage::range), range);
    std::vector<PartingStep> steps;
    while (const auto message = copy_->receive()) {
      if (message->type == number(ProbeMessage::done)) return steps;
      if (message->type == number(ProbeMessage::instruction)) {
        steps.push_back({message->as<ExecutedInstruction>(), {}});
      } else {
        steps.push_back({{}, message->bytes});
      }
    }
    throw RerunError(name_ + ": its run died");
  }

 private:
  void close() {
    reports_.close();
    for (Channel& copy : copies_) copy.close();
  }

  std::string name_;
  CopySchedule schedule_;
  Channel reports_;
  std::vector<Channel> copies_;
  Channel* copy_ = nullptr;
  pid_t child_ = -1;
};

/// The runs' processes are this one's to wait for, however they descend from it.
class Descendants {
 public:
  Descendants() { prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Descendants() {
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
  }
  Descendants(const Descendants&) = delete;
  Descendants& operator=(const Descendants&) = delete;
};

/// The first of the instructions after checkpoint `order.from` that differs, counted from there;
/// the sides wait to be asked for their steps then. Nothing if all are equal up to `order.to`.
std::optional<std::uint64_t> first_difference(Side& a, Side& b, const ProbeOrder& order) {
  a.give(order);
  b.give(order);
  for (std::uint64_t before = 0;;) {
    const auto in_a = a.next_hashes(), in_b = b.next_hashes();
    const auto [at, other] = std::mismatch(in_a.begin(), in_a.end(), in_b.begin(), in_b.end());
    if (at != in_a.end() || other != in_b.end()) {
      return before + static_cast<std::uint64_t>(at - in_a.begin());
    }
    a.ask_for_more();
    b.ask_for_more();
    if (in_a.empty()) return std::nullopt;
    before += in_a.size();
  }
}

void narrow(Side& a, Side& b, const ProbeOrder& order, Parting& parting) {
  parting.kind = Parting::Kind::events_only;
  const auto found = first_difference(a, b, order);
  if (!found) return;
  const ProbeRange range{*found - std::min(*found, kStepsBefore), *found + kStepsAfter};
  parting.kind = Parting::Kind::instruction;
  parting.a = a.steps(range);
  parting.b = b.steps(range);
  const auto [in_a, in_b] =
      std::mismatch(parting.a.begin(), parting.a.end(), parting.b.begin(), parting.b.end(),
                    [](const PartingStep& one, const PartingStep& two) { return one.same(two); });
  parting.before.assign(parting.a.begin(), in_a);
  parting.a.erase(parting.a.begin(), in_a);
  parting.b.erase(parting.b.begin(), in_b);
}

}  // namespace

bool RerunSide::same_machine(const RerunSide& other) const {
  const auto machine_facts = [](const Scenario& scenario) {
    auto facts = run_facts(scenario);
    std::erase_if(facts, [](const auto& fact) {
      return is_argument_fact(fact.first) || fact.first.starts_with("image.") ||
             fact.first.starts_with("script.") || fact.first == kInputFact;
    });
    return facts;
  };
  return machine_facts(scenario) == machine_facts(other.scenario);
}

bool PartingStep::same(const PartingStep& other) const {
  if (instruction && other.instruction) return hash_of(*instruction) == hash_of(*other.instruction);
  return !instruction && !other.instruction && event == other.event;
}

Partings find_partings(const RerunSide& what_a, const RerunSide& what_b, std::uint64_t parting) {
  const BootPlan plan_a = plan_boot(what_a.scenario.machine);
  const BootPlan plan_b = plan_boot(what_b.scenario.machine);
  const WatchedMemory different = memory_differences(plan_a, plan_b);
  const Descendants descendants;
  const CopySchedule schedule(parting, !different.empty());
  Side a(what_a, different, schedule, nullptr), b(what_b, different, schedule, &a);
  std::optional<Parting> first;
  ProbeReport common;
  const auto look = [&](std::uint64_t reach) {
    Parting parting;
    parting.common = common;
    narrow(a, b, {common.checkpoint, common.checkpoint + reach}, parting);
    return parting;
  };
  const auto differs = [](const Parting& parting) {
    return parting.kind == Parting::Kind::instruction;
  };
  // What sets the machines apart besides may be read by a native instruction, and mostly is at
  // first.
  if (!same_entry(plan_a, plan_b) || !what_a.same_machine(what_b)) {
    if (Parting parting = look(kFirstReach); differs(parting)) first = std::move(parting);
  }
  for (;;) {
    const ProbeReport in_a = a.next_report(), in_b = b.next_report();
    if (!in_a.same(in_b)) break;
    if (!first && in_a.first_use != common.first_use) {
      if (Parting parting = look(1); differs(parting)) first = std::move(parting);
    }
    if (in_a.ended) return {first.value_or(Parting{}), {}};
    common = in_a;
    if (schedule.has(in_a.checkpoint)) {
      a.confirm();
      b.confirm();
    }
  }
  if (first && first->common.checkpoint == common.checkpoint) return {*first, {}};
  Parting nearest = look(1);
  if (!differs(nearest)) nearest = look(kLastReach);
  if (!first) return {nearest, {}};
  return {*first, nearest};
}

}  // namespace trapline
