// Each part is a run of its own process, so that one that goes wrong takes nothing else along.
#include "sim/cli/mpu_sweep.h"

#include <fcntl.h>
#include <signal.h>
#include <spdlog/fmt/fmt.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

#include "sim/cli/result_output.h"
#include "sim/machine/mpu_layer_plan.h"
#include "sim/scenario/scenario.h"

namespace trapline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr unsigned kMostRegions = 255;

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "trapline-sweep-XXXXXX").string();
    if (!mkdtemp(name.data())) throw ScenarioError(fmt::format("{}: {}", name, std::strerror(errno)));
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// What the console tells of why software gave up: the first line and the last that sound like it,
/// else the last one.
std::string telling_lines(const std::string& console) {
  static const std::regex kTelling(
      "exhaust|above the implemented|not enough|too (few|many)|unable|failed|panic|assert|\\bbug\\b|"
      "abort|unexpected|cannot|error",
      std::regex::icase | std::regex::optimize);
  static const std::regex kHeading("panic on cpu|\\*{3}|reboot in|manual reset", std::regex::icase);
  std::istringstream lines(console);
  std::string last, first_telling, telling;
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty()) continue;
    last = line;
    if (!std::regex_search(line, kTelling) || std::regex_search(line, kHeading)) continue;
    telling = line;
    if (first_telling.empty()) first_telling = line;
  }
  if (telling.empty()) return last;
  return first_telling == telling ? telling : first_telling + " ... " + telling;
}

std::string ending(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  switch (WEXITSTATUS(status)) {
    case kExitSuccess:
      return "boots";
    case kExitExpectation:
      return "not as expected";
    case kExitDied:
      return "stuck or died";
    case kExitLimit:
      return "limit reached";
    default:
      return fmt::format("exit code {}", WEXITSTATUS(status));
  }
}

class Sweep {
 public:
  explicit Sweep(const MpuSweepOptions& options)
      : options_(options), counts_(parse_region_counts(options.regions)) {}

  int run() {
    for (const unsigned count : counts_) {
      while (running_.size() >= std::max(1u, options_.jobs)) wait_for_one();
      start(count);
    }
    while (!running_.empty()) wait_for_one();
    HostOutput output = output_to(options_.output);
    const bool json = options_.format == "json" ||
                      (options_.format.empty() && options_.output.ends_with(".json"));
    const Json result = document();
    output.write(json ? result.dump(1) + '\n' : text(result));
    return close_output(output, result["first_that_boots"].is_null() ? kExitExpectation : kExitSuccess);
  }

 private:
  fs::path file(unsigned count, const char* ending) const {
    return folder_.path() / (std::to_string(count) + ending);
  }

  void start(unsigned count) {
    const std::string regions =
        fmt::format("{},{}", options_.el1.empty() ? std::to_string(count) : options_.el1, count);
    std::vector<std::string> words{"trapline", "run", options_.scenario, "--batch", "-q",
                                   "--mpu-regions", regions, "--mpu-report",
                                   file(count, ".json").string()};
    if (!options_.timeout.empty()) words.insert(words.end(), {"--timeout", options_.timeout});
    words.insert(words.end(), options_.options.begin(), options_.options.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) throw ScenarioError(fmt::format("cannot start a run: {}", std::strerror(errno)));
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      redirect("/dev/null", O_RDONLY, STDIN_FILENO);
      redirect(file(count, ".out"), O_WRONLY | O_CREAT, STDOUT_FILENO);
      redirect(file(count, ".err"), O_WRONLY | O_CREAT, STDERR_FILENO);
      execv("/proc/self/exe", arguments.data());
      _exit(127);
    }
    running_[child] = count;
  }

  static void redirect(const fs::path& to, int flags, int fd) {
    const int opened = open(to.c_str(), flags, 0600);
    if (opened < 0 || dup2(opened, fd) < 0) _exit(127);
  }

  void wait_for_one() {
    int status = 0;
    const pid_t child = waitpid(-1, &status, 0);
    const auto found = running_.find(child);
    if (found == running_.end()) return;
    const unsigned count = found->second;
    running_.erase(found);
    rows_[count] = judge(count, status);
  }

  Json judge(unsigned count, int status) const {
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const std::string errors = contents(file(count, ".err"));
    const Json report = Json::parse(contents(file(count, ".json")), nullptr, false);
    // A guest may end with any code as well, but then there was a run.
    const std::string first_line = errors.substr(0, errors.find('\n'));
    const bool refused = first_line.find(MpuRegionsError::kNeeds) != std::string::npos;
    if ((code == kExitUsage || code == 127) && report.is_discarded() && !refused) {
      throw ScenarioError(fmt::format("the run with {} regions failed: {}", count,
                                      errors.empty() ? "no message" : first_line));
    }
    Json row{{"regions", count}, {"el1_regions", nullptr}, {"boots", code == kExitSuccess},
             {"end", ending(status)}, {"code", code}, {"says", ""},
             {"peak", nullptr}, {"first_missing_region", nullptr}, {"missing_accesses", 0},
             {"switches", 0}, {"switch_cycles", 0}, {"region_cycles", 0}, {"cycles", 0}};
    row["el1_regions"] = options_.el1.empty() ? count : static_cast<unsigned>(std::stoul(options_.el1));
    if (code != kExitSuccess) row["says"] = telling_lines(contents(file(count, ".out")));
    if (refused) row["says"] = first_line.substr(first_line.find(' ') + 1);
    if (report.is_discarded()) return row;
    for (const Json& mpu : report["mpus"]) {
      row["cycles"] = std::max(row["cycles"].get<std::uint64_t>(), mpu["cycles"].get<std::uint64_t>());
      for (const Json& missing : mpu["unimplemented"]) {
        if (row["first_missing_region"].is_null()) {
          row["first_missing_region"] = fmt::format("EL{} {}", mpu["el"].get<unsigned>(),
                                                    missing["region"].get<unsigned>());
        }
        row["missing_accesses"] = row["missing_accesses"].get<std::uint64_t>() +
                                  missing["reads"].get<std::uint64_t>() +
                                  missing["writes"].get<std::uint64_t>();
      }
      if (mpu["el"] == 2 && (row["peak"].is_null() || mpu["peak"]["regions"] > row["peak"])) {
        row["peak"] = mpu["peak"]["regions"];
      }
    }
    const auto add = [&](const char* name, const Json& value) {
      row[name] = row[name].get<std::uint64_t>() + value.get<std::uint64_t>();
    };
    for (const Json& change : report["switches"]) {
      if (change["from"] == -1) continue;
      add("switches", change["times"]);
      add("switch_cycles", change["cycles"]["sum"]);
      add("region_cycles", change["region_cycles"]["sum"]);
    }
    return row;
  }

  Json document() const {
    Json rows = Json::array();
    Json first = nullptr;
    bool all_after = true;
    for (const auto& [count, row] : rows_) {
      if (row["boots"].get<bool>()) {
        if (first.is_null()) first = count;
      } else if (!first.is_null()) {
        all_after = false;
      }
      rows.push_back(row);
    }
    return {{"report", "trapline mpu sweep"}, {"version", 1}, {"scenario", options_.scenario},
            {"first_that_boots", first}, {"larger_ones_boot_too", all_after},
            {"parts", std::move(rows)}};
  }

  static std::string text(const Json& result) {
    std::string all = fmt::format("{:>7}  {:<16}{:>6}{:>10}{:>16}{:>16}  {}\n", "regions", "end",
                                  "peak", "switches", "cycles each", "with regions", "what it says");
    for (const Json& row : result["parts"]) {
      const auto switches = row["switches"].get<std::uint64_t>();
      const auto each = [&](const char* name) {
        if (switches == 0) return std::string("-");
        return std::to_string((row[name].get<std::uint64_t>() + switches / 2) / switches);
      };
      std::string says = row["says"].get<std::string>();
      if (!row["first_missing_region"].is_null()) {
        says += fmt::format("{}[reaches for region {}]", says.empty() ? "" : " ",
                            row["first_missing_region"].get<std::string>());
      }
      all += fmt::format("{:>7}  {:<16}{:>6}{:>10}{:>16}{:>16}  {}\n", row["regions"].get<unsigned>(),
                         row["end"].get<std::string>(),
                         row["peak"].is_null() ? "-" : std::to_string(row["peak"].get<unsigned>()),
                         switches, each("switch_cycles"), each("region_cycles"), says);
    }
    if (result["first_that_boots"].is_null()) return all + "none of them boots\n";
    all += fmt::format("{} regions are the first that boot\n",
                       result["first_that_boots"].get<unsigned>());
    if (!result["larger_ones_boot_too"].get<bool>()) all += "but not every larger part boots\n";
    return all;
  }

  const MpuSweepOptions& options_;
  std::vector<unsigned> counts_;
  TemporaryFolder folder_;
  std::map<pid_t, unsigned> running_;
  std::map<unsigned, Json> rows_;
};

}  // namespace

std::vector<unsigned> parse_region_counts(const std::string& text) {
  std::set<unsigned> counts;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    unsigned from = 0, to = 0, step = 1;
    int used = 0;
    const int size = static_cast<int>(part.size());
    const bool range = (std::sscanf(part.c_str(), "%u..%u%n", &from, &to, &used) == 2 && used == size) ||
                       (std::sscanf(part.c_str(), "%u..%u/%u%n", &from, &to, &step, &used) == 3 &&
                        used == size);
    if (!range) {
      step = 1;
      if (std::sscanf(part.c_str(), "%u%n", &from, &used) != 1 || used != size) {
        throw std::invalid_argument(
            fmt::format("--regions: '{}' is none of N, N..M, N..M/STEP", part));
      }
      to = from;
    }
    if (step == 0 || from > to || to > kMostRegions || part[0] == '-') {
      throw std::invalid_argument(
          fmt::format("--regions: '{}' does not ascend from 0 to {} at most", part, kMostRegions));
    }
    for (unsigned n = from; n <= to; n += step) counts.insert(n);
  }
  if (counts.empty()) throw std::invalid_argument("--regions: no number of regions is named");
  return {counts.begin(), counts.end()};
}

int mpu_sweep_command(const MpuSweepOptions& options) {
  if (!options.format.empty() && options.format != "text" && options.format != "json") {
    throw std::invalid_argument(fmt::format("--format {}: expected text or json", options.format));
  }
  if (!options.el1.empty()) parse_integer(options.el1, 0, kMostRegions, "a number of regions");
  return Sweep(options).run();
}

}  // namespace trapline
