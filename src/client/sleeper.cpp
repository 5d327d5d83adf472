#include "client/sleeper.h"

#include <algorithm>

#include "base/clock.h"

namespace ferry::client {
namespace {
class SystemSleeper final : public Sleeper {
 public:
  void sleep(std::chrono::milliseconds duration, const std::atomic<bool>* cancel) override {
    constexpr std::chrono::milliseconds kSlice{50};
    while (duration.count() > 0 && (cancel == nullptr || !cancel->load())) {
      const auto slice = cancel == nullptr ? duration : std::min(duration, kSlice);
      sleep_for(slice);
      duration -= slice;
    }
  }
};
}  // namespace

Sleeper& system_sleeper() {
  static SystemSleeper sleeper;
  return sleeper;
}

}  // namespace ferry::client
