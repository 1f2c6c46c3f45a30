#include "sim/time/timeline.h"

namespace trapline {

void Timeline::advance_to(Time when) {
  if (when > now_) {
    while (!queue_.empty() && queue_.begin()->first.first <= when) {
      Wakeup* wakeup = queue_.begin()->second;
      queue_.erase(queue_.begin());
      if (wakeup->due_ > now_) now_ = wakeup->due_;
      wakeup->due_ = kNever;
      wakeup->action_();
    }
    now_ = when;
  }
  while (!queue_.empty() && queue_.begin()->first.first <= now_) {
    Wakeup* wakeup = queue_.begin()->second;
    queue_.erase(queue_.begin());
    wakeup->due_ = kNever;
    wakeup->action_();
  }
}

void Timeline::unregister_wakeup(Wakeup& wakeup) {
  if (wakeup.due_ != kNever) queue_.erase({{wakeup.due_, wakeup.order_}, &wakeup});
}

void Timeline::schedule(Wakeup& wakeup, Time when) {
  if (wakeup.due_ != kNever) queue_.erase({{wakeup.due_, wakeup.order_}, &wakeup});
  wakeup.due_ = when;
  if (when != kNever) queue_.insert({{when, wakeup.order_}, &wakeup});
  if (source_ && when <= next_due() && when != kNever) source_->deadline_changed(when);
}

}  // namespace trapline
