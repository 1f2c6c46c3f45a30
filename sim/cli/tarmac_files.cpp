#include "sim/cli/tarmac_files.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

namespace trapline {

TarmacFiles::TarmacFiles(const TarmacSpec& spec, unsigned cpus, bool secure)
    : window_{spec.from, spec.to} {
  if (spec.path == "-" && cpus > 1) {
    throw ScenarioError("--tarmac -: several CPUs need a file each, so name one");
  }
  for (unsigned cpu = 0; cpu < cpus; ++cpu) {
    const std::string path = cpus == 1 ? spec.path : fmt::format("{}.cpu{}", spec.path, cpu);
    HostOutput output = path == "-"
                            ? HostOutput(FileDescriptor(STDOUT_FILENO, false), "standard output")
                            : HostOutput::to_file(path);
    files_.push_back(std::make_unique<File>(File{std::move(output), nullptr}));
    files_.back()->writer = std::make_unique<TarmacWriter>(
        cpu, secure,
        [file = files_.back().get()](std::string_view text) { file->output.write(text); });
  }
}

void TarmacFiles::on_event(const Event& event) {
  if (event.kind == EventKind::exception_entry) files_[event.cpu]->writer->on_event(event);
}

void TarmacFiles::on_instruction(const ExecutedInstruction& instruction) {
  files_[instruction.cpu]->writer->on_instruction(instruction);
}

std::optional<std::string> TarmacFiles::error() const {
  for (const auto& file : files_) {
    if (file->output.error()) return file->output.error();
  }
  return std::nullopt;
}

std::optional<std::string> TarmacFiles::close() {
  for (const auto& file : files_) file->output.close();
  return error();
}

}  // namespace trapline
