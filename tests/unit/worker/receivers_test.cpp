#include "worker/receivers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "base/clock.h"

namespace ferry::worker {
namespace {

using Answer = Receivers::Answer;

// Each receive waits for its answer from the test.
class Source {
 public:
  Answer receive() {
    std::unique_lock lock(mutex_);
    ++out_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !answers_.empty() || open_; });
    --out_;
    changed_.notify_all();
    if (answers_.empty()) return Answer::Empty;
    const Answer answer = answers_.back();
    answers_.pop_back();
    return answer;
  }
  void answer(Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(answer);
    changed_.notify_all();
  }
  // All that follow answer at once that there is nothing.
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  bool wait_until_taken() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, Seconds(10), [&] { return answers_.empty(); });
  }
  bool wait_for_out(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, Seconds(10), [&] { return out_ == count && answers_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Answer> answers_;
  int out_ = 0;
  bool open_ = false;
};

TEST(Receivers, FullAnswersAddAndEmptyOnesTakeAway) {
  Source source;
  Receivers receivers(3, [&] { return source.receive(); });
  EXPECT_EQ(receivers.active(), 0u);
  receivers.add_one();
  ASSERT_TRUE(source.wait_for_out(1));
  source.answer(Answer::Full);
  ASSERT_TRUE(source.wait_for_out(2));
  source.answer(Answer::Part);
  ASSERT_TRUE(source.wait_for_out(2));
  source.answer(Answer::Full);
  ASSERT_TRUE(source.wait_for_out(3));
  source.answer(Answer::Full);
  ASSERT_TRUE(source.wait_for_out(3)) << "three are the most";
  EXPECT_EQ(receivers.active(), 3u);
  while (receivers.active() > 1) {
    source.answer(Answer::Empty);
    ASSERT_TRUE(source.wait_until_taken());
    sleep_for(Millis(1));
  }
  source.open();
  ASSERT_TRUE(source.wait_for_out(0)) << "until there is a full answer again";
  while (receivers.active() != 0) sleep_for(Millis(1));
  source.close();
  receivers.add_one();
  ASSERT_TRUE(source.wait_for_out(1));
  source.open();
}

TEST(Receivers, StopWaitsForWhatIsOnItsWay) {
  Source source;
  Receivers receivers(2, [&] { return source.receive(); });
  receivers.add_one();
  receivers.add_one();
  ASSERT_TRUE(source.wait_for_out(2));
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    receivers.stop();
    stopped = true;
  });
  for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
  EXPECT_FALSE(stopped);
  source.open();
  stopper.join();
  receivers.add_one();
  ASSERT_TRUE(source.wait_for_out(0)) << "none follows";
}

TEST(Receivers, NoneAtAllIsAllowed) {
  Receivers receivers(0, [] { return Answer::Full; });
  receivers.add_one();
  EXPECT_EQ(receivers.active(), 0u);
}

}  // namespace
}  // namespace ferry::worker
