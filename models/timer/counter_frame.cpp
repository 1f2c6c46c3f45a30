#include "models/timer/counter_frame.h"

#include <utility>

namespace trapline {

void add_counter_id(RegisterBank& bank) {
  for (unsigned n = 0; n < 12; ++n) bank.add(0xfd0 + 4 * n, "CounterID" + std::to_string(n));
}

CounterControlFrame::CounterControlFrame(std::string name, SystemCounter& counter,
                                         bool enabled_at_reset)
    : counter_(counter), enabled_at_reset_(enabled_at_reset), bank_(std::move(name)) {
  cntcr_ = &bank_.add(0x000, "CNTCR")
                .resets_to(enabled_at_reset ? 1 : 0)
                .writable(0x0003ff03)
                .unimplemented("HDBG", 1, 1)
                .unimplemented("FCREQ", 17, 8)
                .on_write([this](const RegisterWrite&) { counter_.set_enabled(cntcr_->test(0)); });
  bank_.add(0x004, "CNTSR");  // DBGH and FCACK: never halted, always mode 0.
  bank_.add(0x008, "CNTCV", 8)
      .on_read([this] { return counter_.count(); })
      .on_write([this](const RegisterWrite& w) {
        counter_.set_count((counter_.count() & ~w.lanes) | (w.written & w.lanes));
      });
  bank_.add(0x010, "CNTSCR").unimplemented();
  bank_.add(0x01c, "CNTID");  // No FEAT_CNTSC.
  bank_.add(0x020, "CNTFID0").resets_to(counter.frequency());
  bank_.add(0x024, "CNTFID1");  // Zero ends the frequency modes table.
  add_counter_id(bank_);
  counter_.set_enabled(enabled_at_reset_);
}

void CounterControlFrame::reset() {
  bank_.reset();
  counter_.set_count(0);
  counter_.set_enabled(enabled_at_reset_);
}

BusStatus CounterControlFrame::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus CounterControlFrame::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

CounterReadFrame::CounterReadFrame(std::string name, const SystemCounter& counter)
    : bank_(std::move(name)) {
  bank_.add(0x000, "CNTCV", 8).on_read([&counter] { return counter.count(); });
  add_counter_id(bank_);
}

BusStatus CounterReadFrame::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus CounterReadFrame::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

}  // namespace trapline
