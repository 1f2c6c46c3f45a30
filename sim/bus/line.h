// One interrupt wire, level sensitive, active high.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace trapline {

/// Driven by one device, watched by any number of receivers. Listeners run in connection order, only
/// when the level changes, and must not destroy the Line.
class Line {
 public:
  using Listener = std::function<void(bool level)>;

  explicit Line(std::string name = {}) : name_(std::move(name)) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void connect(Listener listener) { listeners_.push_back(std::move(listener)); }

  /// An observer: it learns of a change before the receivers act on it.
  void watch(Listener observer) { listeners_.insert(listeners_.begin(), std::move(observer)); }

  void set(bool level) {
    if (level == level_) return;
    level_ = level;
    for (const Listener& listener : listeners_) listener(level);
  }

  /// A rising edge followed at once by a falling one.
  void pulse() {
    set(true);
    set(false);
  }

  bool level() const { return level_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::vector<Listener> listeners_;
  bool level_ = false;
};

}  // namespace trapline
