#include "sim/time/timeline.h"

namespace trapline {

void Timeline::advance_to(Time when) {
  if (when > now_) {
    while (!queue_.empty() && queue_.begin()->first.first <= when) {
      Wakeup* wakeup = queue_.begin()->second;
      queue_.erase(queue_.begin());
      if (wakeup->due() > now_) now_ = wakeup->due();
      run(*wakeup);
    }
    now_ = when;
  }
  while (!queue_.empty() && queue_.begin()->first.first <= now_) {
    Wakeup* wakeup = queue_.begin()->second;
    queue_.erase(queue_.begin());
    run(*wakeup);
  }
}

void Timeline::unregister_wakeup(Wakeup& wakeup) {
  if (wakeup.due() != kNever) queue_.erase({{wakeup.due(), wakeup.order()}, &wakeup});
}

void Timeline::schedule(Wakeup& wakeup, Time when) {
  if (wakeup.due() != kNever) queue_.erase({{wakeup.due(), wakeup.order()}, &wakeup});
  set_due(wakeup, when);
  if (when != kNever) queue_.insert({{when, wakeup.order()}, &wakeup});
  if (source_ && when <= next_due() && when != kNever) source_->deadline_changed(when);
}

}  // namespace trapline
