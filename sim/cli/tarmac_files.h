// `--tarmac`: one file a CPU.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/cli/console.h"
#include "sim/scenario/scenario.h"
#include "sim/trace/tarmac.h"

namespace trapline {

class TarmacFiles final : public Sink, public InstructionSink {
 public:
  /// Creates the files. Throws ScenarioError.
  TarmacFiles(const TarmacSpec& spec, unsigned cpus, bool secure);

  void on_event(const Event& event) override;
  InstructionWindow window() const override { return window_; }
  void on_instruction(const ExecutedInstruction& instruction) override;

  /// The first error there was.
  std::optional<std::string> error() const;
  /// Closes the files; the first error there was.
  std::optional<std::string> close();

 private:
  struct File {
    HostOutput output;
    std::unique_ptr<TarmacWriter> writer;
  };

  InstructionWindow window_;
  std::vector<std::unique_ptr<File>> files_;  // By CPU.
};

}  // namespace trapline
