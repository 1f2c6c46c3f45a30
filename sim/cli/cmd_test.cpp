// `trapline test`: scenario files as a suite of tests.
//
// Each scenario is a run of its own process, so that one that goes wrong takes nothing else along.
#include <fcntl.h>
#include <signal.h>
#include <spdlog/fmt/fmt.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "sim/cli/commands.h"
#include "sim/cli/console.h"
#include "sim/cli/open_trace.h"
#include "sim/cli/temporary_folder.h"
#include "sim/report/counter_check.h"
#include "sim/report/junit.h"
#include "sim/report/outcome.h"
#include "sim/report/run_facts.h"
#include "sim/report/trace_report.h"
#include "sim/scenario/toml_reader.h"

namespace trapline {
namespace {

namespace fs = std::filesystem;
using Verdict = TestResult::Verdict;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kContext = 4;       // Events before and after a difference.
constexpr std::size_t kConsoleLines = 15;  // Of a run that failed.

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string last_lines(const std::string& text, std::size_t lines) {
  std::size_t at = text.size();
  while (lines > 0 && at > 0) {
    const std::size_t end = text.rfind('\n', at - 1);
    if (end == std::string::npos) return text;
    if (end + 1 != text.size()) --lines;
    at = end;
  }
  return at == 0 ? text : text.substr(at + 1);
}

/// Files as they are named; folders for the scenario files below them, in the order of their names.
std::vector<std::string> find_scenarios(const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      found.push_back(path);
      continue;
    }
    std::vector<std::string> below;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.path().extension() == ".toml") {
        below.push_back(entry.path().lexically_normal().string());
      }
    }
    std::sort(below.begin(), below.end());
    if (below.empty()) throw ScenarioError(path + ": there is no scenario file in this folder");
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

struct Job {
  Scenario scenario;
  fs::path files;  ///< What the run wrote: this and an extension.
  SteadyClock::time_point started;
  std::vector<TestResult> results;

  fs::path file(const char* extension) const { return files.string() + extension; }
};

class TestRunner {
 public:
  TestRunner(const TestOptions& options, const Environment& environment)
      : options_(options), progress_(isatty(STDERR_FILENO)) {
    if (!options.junit.empty()) junit_.emplace(HostOutput::to_file(options.junit));
    const std::vector<std::string> found = find_scenarios(options.paths);
    for (std::size_t n = 0; n < found.size(); ++n) {
      if (n % options.shards != options.shard - 1) continue;
      Job job{read_scenario_file(found[n], environment), folder_.path() / std::to_string(n), {}, {}};
      check_scenario(job.scenario);
      jobs_.push_back(std::move(job));
    }
  }

  int run() {
    for (Job& job : jobs_) {
      while (running_.size() >= std::max(1u, options_.jobs)) wait_for_one();
      start(job);
    }
    while (!running_.empty()) wait_for_one();
    return finish();
  }

 private:
  void start(Job& job) {
    std::vector<std::string> words{"trapline",         "run",
                                   job.scenario.file,  "--batch",
                                   "--trace",          job.file(".ttb").string(),
                                   "--stats",          job.file(".json").string()};
    if (!options_.timeout.empty()) words.insert(words.end(), {"--timeout", options_.timeout});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    job.started = SteadyClock::now();
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) throw ScenarioError(fmt::format("cannot start a run: {}", std::strerror(errno)));
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      redirect("/dev/null", O_RDONLY, STDIN_FILENO);
      redirect(job.file(".out"), O_WRONLY | O_CREAT, STDOUT_FILENO);
      redirect(job.file(".err"), O_WRONLY | O_CREAT, STDERR_FILENO);
      execv("/proc/self/exe", arguments.data());
      _exit(127);
    }
    running_[child] = &job;
    show_progress();
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
    Job& job = *found->second;
    running_.erase(found);
    judge(job, status);
    ++done_;
    clear_progress();
    for (const TestResult& result : job.results) print(result);
    show_progress();
  }

  void judge(Job& job, int status) {
    const double seconds =
        std::chrono::duration<double>(SteadyClock::now() - job.started).count();
    TestResult& run = add(job, "run");
    run.seconds = seconds;
    if (WIFSIGNALED(status)) {
      run.verdict = Verdict::failed;
      run.message = fmt::format("the simulator died of signal {}", WTERMSIG(status));
    } else if (WEXITSTATUS(status) != kExitSuccess) {
      run.verdict = Verdict::failed;
      run.message = fmt::format("exit code {}", WEXITSTATUS(status));
    }
    if (run.verdict == Verdict::failed) {
      run.details = contents(job.file(".err")) + "the console's last lines:\n" +
                    last_lines(contents(job.file(".out")), kConsoleLines);
      return;
    }
    check_limits(job);
    if (!job.scenario.expect.trace.empty()) check_golden(job);
  }

  TestResult& add(Job& job, std::string name) {
    TestResult result;
    result.suite = job.scenario.file;
    result.name = std::move(name);
    job.results.push_back(std::move(result));
    return job.results.back();
  }

  void check_limits(Job& job) {
    if (job.scenario.expect.counters.empty()) return;
    TestResult& result = add(job, "counters");
    const auto failures = check_counters(job.scenario.expect.counters, contents(job.file(".json")));
    if (failures.empty()) return;
    result.verdict = Verdict::failed;
    result.message = failures.front();
    result.details = fmt::format("{}", fmt::join(failures, "\n"));
  }

  void check_golden(Job& job) {
    TestResult& result = add(job, "golden trace");
    const std::string& golden = job.scenario.expect.trace;
    try {
      if (options_.update) {
        update(job.file(".ttb"), golden);
        result.message = golden + " written";
        return;
      }
      if (!fs::exists(golden)) {
        result.verdict = Verdict::failed;
        result.message = golden + ": there is no such file; trapline test --update makes it";
        return;
      }
      compare(job, golden, result);
    } catch (const std::runtime_error& error) {  // TraceError, or a file that cannot be made.
      result.verdict = Verdict::failed;
      result.message = error.what();
    }
  }

  static void update(const fs::path& from, const std::string& golden) {
    OpenTrace trace(from);
    // The old one stays until the new one is whole.
    const std::string fresh = golden + ".new";
    HostOutput output = HostOutput::to_file(fresh);
    // The scenario that names the golden trace says how it was made.
    TraceHeader header = trace.reader().header();
    std::erase_if(header.facts, [](const auto& fact) { return is_argument_fact(fact.first); });
    TraceWriter writer(trace_format_of(golden), header,
                       [&](std::string_view bytes) { output.write(bytes); });
    for (StoredEvent stored; trace.reader().next(stored);) writer.on_event(stored.view());
    if (trace.reader().end()) writer.finish(trace.reader().end()->digest);
    output.close();
    std::error_code error;
    if (!output.error() && trace.reader().end()) fs::rename(fresh, golden, error);
    if (!output.error() && trace.reader().end() && !error) return;
    std::error_code ignored;
    fs::remove(fresh, ignored);
    throw TraceError(output.error() ? *output.error()
                     : error        ? fmt::format("{}: {}", golden, error.message())
                                    : golden + ": not written, as the run's trace has no end");
  }

  static void compare(const Job& job, const std::string& golden, TestResult& result) {
    OpenTrace a(golden), b(job.file(".ttb"));
    const auto other = different_images(a.reader().header().facts, b.reader().header().facts);
    if (!other.empty()) {
      result.verdict = Verdict::not_applicable;
      result.message =
          fmt::format("it was made from other images: {}", fmt::join(other, ", "));
      return;
    }
    const TraceDifference difference =
        compare_traces(a.reader(), b.reader(), EventSet::all(), kContext);
    const auto& end_a = a.reader().end();
    const auto& end_b = b.reader().end();
    if (difference.differ()) {
      result.message = difference_line(difference);
      result.details = fmt::format("a: {}\nb: this run\n", golden) +
                       difference_text(difference, a.reader().header(), b.reader().header());
    } else if (!end_a || !end_b || end_a->digest != end_b->digest) {
      result.message = "the recorded events are equal, but the digests differ";
      result.details = fmt::format("a: {} {}\nb: this run {}\nrecord more kinds of events\n", golden,
                                   end_a ? end_a->digest : "cut short",
                                   end_b ? end_b->digest : "cut short");
    }
    if (result.message.empty()) return;
    result.verdict = Verdict::failed;
    result.details += where_to_look(job.scenario.file, a.reader().header(), b.reader().header());
  }

  /// A golden trace is events alone: whether the instruction can be found depends on whether its run can
  /// be done again.
  static std::string where_to_look(const std::string& scenario, const TraceHeader& golden,
                                   const TraceHeader& now) {
    const auto made_of = [](TraceHeader header) {
      std::erase_if(header.facts, [](const auto& fact) { return is_argument_fact(fact.first); });
      return header.facts;
    };
    if (made_of(golden) == made_of(now)) {
      return "to the instruction: not from here. Both runs are made of the same things, so the version "
             "of trapline is another, and only this one can be run\n";
    }
    return fmt::format(
        "to the instruction: with the scenario as it was when the golden trace was made,\n"
        "  trapline trace diff OLD.toml {}\n",
        scenario);
  }

  void print(const TestResult& result) const {
    const char* mark = result.verdict == Verdict::passed   ? "ok  "
                       : result.verdict == Verdict::failed ? "FAIL"
                                                           : "n/a ";
    std::string line = fmt::format("{}  {}: {}", mark, result.suite, result.name);
    if (result.seconds > 0) line += fmt::format("  {:.1f} s", result.seconds);
    if (!result.message.empty()) line += ": " + result.message;
    line += '\n';
    if (result.verdict == Verdict::failed) {
      std::istringstream details(result.details);
      for (std::string one; std::getline(details, one);) line += "      " + one + '\n';
    }
    std::fputs(line.c_str(), stdout);
    std::fflush(stdout);
  }

  void show_progress() const {
    if (!progress_ || running_.empty()) return;
    std::string names;
    for (const auto& [child, job] : running_) names += ' ' + job->scenario.file;
    std::fprintf(stderr, "\r\033[K[%zu/%zu]%.60s", done_, jobs_.size(), names.c_str());
  }
  void clear_progress() const {
    if (progress_) std::fprintf(stderr, "\r\033[K");
  }

  int finish() {
    std::vector<TestResult> results;
    for (const Job& job : jobs_) {
      results.insert(results.end(), job.results.begin(), job.results.end());
    }
    const auto count = [&](Verdict verdict) {
      return std::count_if(results.begin(), results.end(),
                           [&](const TestResult& r) { return r.verdict == verdict; });
    };
    int code = count(Verdict::failed) ? kExitExpectation : kExitSuccess;
    if (junit_) {
      junit_->write(junit_xml(results));
      junit_->close();
      if (junit_->error()) {
        std::fprintf(stderr, "trapline: %s\n", junit_->error()->c_str());
        code = kExitUsage;
      }
    }
    std::printf("%td passed, %td failed, %td not applicable\n", count(Verdict::passed),
                count(Verdict::failed), count(Verdict::not_applicable));
    return code;
  }

  const TestOptions& options_;
  bool progress_;
  TemporaryFolder folder_;
  std::optional<HostOutput> junit_;  // Made first: whether it can be is not learnt at the end.
  std::vector<Job> jobs_;
  std::map<pid_t, Job*> running_;
  std::size_t done_ = 0;
};

}  // namespace

int test_command(const TestOptions& options, const Environment& environment) {
  return TestRunner(options, environment).run();
}

}  // namespace trapline
