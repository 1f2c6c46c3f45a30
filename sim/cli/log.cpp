#include "sim/cli/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <utility>

namespace trapline {
namespace {

/// Standard error, to which at most `limit` messages go.
class BoundedSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit BoundedSink(unsigned limit) : limit_(limit) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (written_ > limit_) return;
    if (written_++ == limit_) {
      std::fprintf(stderr,
                   "trapline: warning: that were %u messages; more are shown with --log info\n",
                   limit_);
      return;
    }
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
  void flush_() override { std::fflush(stderr); }

  unsigned limit_;
  unsigned written_ = 0;
};

constexpr unsigned kWarnings = 200;

}  // namespace

void set_up_log(const std::string& name) {
  const spdlog::level::level_enum level = spdlog::level::from_str(name);
  const unsigned limit = level < spdlog::level::warn ? ~0u - 1 : kWarnings;
  auto logger = std::make_shared<spdlog::logger>("trapline", std::make_shared<BoundedSink>(limit));
  logger->set_pattern("trapline: %l: %v");
  logger->set_level(level);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace trapline
