#include "worker/dispatcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"

namespace ferry::worker {
namespace {

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() {
    free_.name = "free";
    free_.handler.emplace();
    narrow_.name = "narrow";
    narrow_.handler.emplace();
    narrow_.handler->concurrency = 2;
  }
  static Job job_of(const config::RequestType& type, std::string id = "m") {
    Job job;
    job.message.message_id = std::move(id);
    job.route.request = &type;
    return job;
  }
  // Begun jobs are noted and end when the test says so.
  Dispatcher::Begin note() {
    return [this](const JobPtr& job) {
      const std::lock_guard lock(mutex_);
      begun_.push_back(job);
    };
  }
  std::size_t begun() {
    const std::lock_guard lock(mutex_);
    return begun_.size();
  }
  JobPtr take_begun() {
    const std::lock_guard lock(mutex_);
    JobPtr job = begun_.back();
    begun_.pop_back();
    return job;
  }
  void wait_for_begun(std::size_t count) {
    while (begun() < count) sleep_for(Millis(1));
  }

  config::RequestType free_;
  config::RequestType narrow_;
  std::mutex mutex_;
  std::vector<JobPtr> begun_;
};

TEST_F(DispatcherTest, ThousandSlotsNeedNoThousandThreads) {
  Dispatcher dispatcher(1'000, note());
  for (int i = 0; i < 1'000; ++i) dispatcher.submit(job_of(free_));
  wait_for_begun(1'000);
  EXPECT_EQ(dispatcher.room(), 0u);
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line) && !line.starts_with("Threads:")) {
  }
  EXPECT_LT(std::stoi(line.substr(8)), 80);
  while (begun() > 0) dispatcher.finish(take_begun(), [] {});
  while (!dispatcher.idle()) dispatcher.wait_for_change(Millis(1));
  EXPECT_EQ(dispatcher.room(), 1'000u);
}

TEST_F(DispatcherTest, SlotsAndTypesHaveTheirLimits) {
  Dispatcher dispatcher(3, note());
  for (int i = 0; i < 3; ++i) dispatcher.submit(job_of(narrow_, "n" + std::to_string(i)));
  wait_for_begun(2);
  EXPECT_EQ(dispatcher.room(), 0u);
  dispatcher.submit(job_of(free_, "f0"));
  wait_for_begun(3);  // it passes the one that waits for its type's turn
  EXPECT_EQ(take_begun()->message.message_id, "f0");
  std::atomic<bool> settled{false};
  dispatcher.finish(take_begun(), [&settled] { settled = true; });
  wait_for_begun(2);
  EXPECT_TRUE(settled);
  EXPECT_EQ(take_begun()->message.message_id, "n2");
  EXPECT_FALSE(dispatcher.idle());
  const JobPtr free_job = std::make_shared<const Job>(job_of(free_));
  const JobPtr narrow_job = std::make_shared<const Job>(job_of(narrow_));
  for (const JobPtr& job : {free_job, narrow_job, narrow_job}) dispatcher.finish(job, [] {});
  while (!dispatcher.idle()) dispatcher.wait_for_change(Millis(1));
}

TEST_F(DispatcherTest, WaitingOnesCanBeTakenBack) {
  Dispatcher dispatcher(1, note());
  dispatcher.submit(job_of(free_, "a"));
  wait_for_begun(1);
  dispatcher.submit(job_of(free_, "b"));
  const std::vector<JobPtr> waiting = dispatcher.take_waiting();
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0]->message.message_id, "b");
  dispatcher.finish(take_begun(), [] {});
  while (!dispatcher.idle()) dispatcher.wait_for_change(Millis(1));
  EXPECT_EQ(begun(), 0u);
}

}  // namespace
}  // namespace ferry::worker
