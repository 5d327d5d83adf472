#include "worker/dispatcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
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
    return [this](const std::vector<JobPtr>& jobs) {
      const std::lock_guard lock(mutex_);
      begun_.insert(begun_.end(), jobs.begin(), jobs.end());
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
  static void submit(Dispatcher& dispatcher, Job job) {
    std::vector<Job> jobs;
    jobs.push_back(std::move(job));
    dispatcher.submit(std::move(jobs));
  }
  static void end(Dispatcher& dispatcher, const JobPtr& job) {
    dispatcher.free_slot(*job);
    dispatcher.done();
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
  Dispatcher dispatcher({1'000, 16}, note());
  for (int i = 0; i < 1'000; ++i) submit(dispatcher, job_of(free_));
  wait_for_begun(1'000);
  EXPECT_EQ(dispatcher.room(), 0u);
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line) && !line.starts_with("Threads:")) {
  }
  EXPECT_LT(std::stoi(line.substr(8)), 30);
  while (begun() > 0) end(dispatcher, take_begun());
  while (!dispatcher.idle()) dispatcher.wait_for_change(Millis(1));
  EXPECT_EQ(dispatcher.room(), 1'000u);
}

TEST_F(DispatcherTest, SlotsAndTypesHaveTheirLimits) {
  Dispatcher dispatcher({3, 16}, note());
  for (int i = 0; i < 3; ++i) submit(dispatcher, job_of(narrow_, "n" + std::to_string(i)));
  wait_for_begun(2);
  EXPECT_EQ(dispatcher.room(), 0u);
  submit(dispatcher, job_of(free_, "f0"));
  wait_for_begun(3);  // it passes the one that waits for its type's turn
  EXPECT_EQ(take_begun()->message.message_id, "f0");
  end(dispatcher, take_begun());
  wait_for_begun(2);
  EXPECT_EQ(take_begun()->message.message_id, "n2");
  EXPECT_FALSE(dispatcher.idle());
  const JobPtr free_job = std::make_shared<const Job>(job_of(free_));
  const JobPtr narrow_job = std::make_shared<const Job>(job_of(narrow_));
  for (const JobPtr& job : {free_job, narrow_job, narrow_job}) end(dispatcher, job);
  while (!dispatcher.idle()) dispatcher.wait_for_change(Millis(1));
}

TEST_F(DispatcherTest, WaitingOnesCanBeTakenBack) {
  Dispatcher dispatcher({1, 16}, note());
  submit(dispatcher, job_of(free_, "a"));
  wait_for_begun(1);
  submit(dispatcher, job_of(free_, "b"));
  const std::vector<JobPtr> waiting = dispatcher.take_waiting();
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0]->message.message_id, "b");
  end(dispatcher, take_begun());
  while (!dispatcher.idle()) dispatcher.wait_for_change(Millis(1));
  EXPECT_EQ(begun(), 0u);
}

TEST_F(DispatcherTest, AJobWhoseHandlerHasEndedHoldsNoSlotButCounts) {
  Dispatcher dispatcher({2, 4}, note());
  for (int i = 0; i < 2; ++i) submit(dispatcher, job_of(free_));
  wait_for_begun(2);
  EXPECT_EQ(dispatcher.room(), 0u);
  for (int i = 0; i < 2; ++i) dispatcher.free_slot(*take_begun());
  EXPECT_EQ(dispatcher.room(), 2u);
  for (int i = 0; i < 2; ++i) submit(dispatcher, job_of(free_));
  wait_for_begun(2);
  dispatcher.free_slot(*take_begun());
  EXPECT_EQ(dispatcher.room(), 0u) << "as many on their way out as there are slots, and one with a slot";
  dispatcher.done();
  EXPECT_EQ(dispatcher.room(), 1u);
  dispatcher.free_slot(*take_begun());
  EXPECT_FALSE(dispatcher.idle());
  for (int i = 0; i < 3; ++i) dispatcher.done();
  EXPECT_TRUE(dispatcher.idle());
}

TEST_F(DispatcherTest, ReservedRoomIsNobodyElses) {
  Dispatcher dispatcher({12, 4}, note());
  EXPECT_EQ(dispatcher.reserve(10), 10u);
  EXPECT_EQ(dispatcher.room(), 2u);
  EXPECT_EQ(dispatcher.reserve(10), 2u);
  EXPECT_EQ(dispatcher.reserve(10), 0u);
  EXPECT_EQ(dispatcher.wait_for_room(1, Millis(1)), 0u);
  dispatcher.give_room_back(10);
  EXPECT_EQ(dispatcher.wait_for_room(10, Seconds(60)), 10u);
  EXPECT_TRUE(dispatcher.idle());
}

TEST_F(DispatcherTest, WhoWaitsForRoomIsToldWhenThereIsEnough) {
  Dispatcher dispatcher({3, 4}, note());
  ASSERT_EQ(dispatcher.reserve(3), 3u);
  std::thread waiter([&] { EXPECT_EQ(dispatcher.wait_for_room(2, Seconds(60)), 2u); });
  dispatcher.give_room_back(1);
  dispatcher.give_room_back(1);
  waiter.join();
}

// All wait for each other: each has to have a thread of its own.
TEST(TaskPool, ATaskThatBlocksKeepsNoOtherFromItsBeginning) {
  constexpr int kTasks = 8;
  std::mutex mutex;
  std::condition_variable changed;
  int begun = 0;
  TaskPool pool(kTasks);
  for (int round = 1; round <= 50; ++round) {
    for (int i = 0; i < kTasks; ++i) {
      pool.post([&, round] {
        std::unique_lock lock(mutex);
        ++begun;
        changed.notify_all();
        changed.wait(lock, [&] { return begun >= round * kTasks; });
      });
    }
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, Seconds(60), [&] { return begun >= round * kTasks; })) << round;
  }
}

TEST(TaskPool, EverythingPostedRunsBeforeTheEnd) {
  std::atomic<int> run{0};
  {
    TaskPool pool(3);
    for (int i = 0; i < 1'000; ++i) pool.post([&] { pool.post([&] { ++run; }); });
  }
  EXPECT_EQ(run, 1'000);
}

}  // namespace
}  // namespace ferry::worker
