// Move tasks: what they take, where to, how fast, and how they end.

#include <algorithm>

#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;
using sqs::MoveTaskStatus;

class MoveTasksTest : public QueuesTest {
 protected:
  /// "q", whose dead letters go to "dlq", which has `count` of them: "0", "1" …
  void prepare(int count, const std::string& source = "q", const std::string& target = "dlq", int from = 0) {
    if (!engine->find(key(target)).result.has_value()) create(target, {{"MessageRetentionPeriod", "1209600"}});
    create(source, {redrive(target, 1)});
    for (int i = from; i < from + count; ++i) send(find(source), std::to_string(i));
    for (int i = 0; i < count; i += 10) receive(find(source), 10, Seconds(1));
    clock.advance(Seconds(1));
    for (int i = 0; i <= count; i += 100) {
      EXPECT_TRUE(receive(find(source), 10).empty());
      settle();
    }
    expect_counts(find(source), 0, 0, 0);
  }
  QueueRef dlq() { return find("dlq"); }
  sqs::ApiResult<Uuid> try_start(const std::string& source, std::optional<std::string> destination = std::nullopt,
                                 std::optional<int> rate = std::nullopt) {
    std::optional<QueueKey> to;
    if (destination) to = key(*destination);
    return engine->start_move_task({key(source), to, rate}).result;
  }
  Uuid start_task(const std::string& source, std::optional<std::string> destination = std::nullopt,
                  std::optional<int> rate = std::nullopt) {
    const auto started = try_start(source, std::move(destination), rate);
    EXPECT_TRUE(started.has_value()) << text_of(started);
    return started.value_or(Uuid());
  }
  Engine::MoveTask newest(const std::string& source) {
    const auto tasks = *engine->move_tasks(key(source), 1).result;
    return tasks.empty() ? Engine::MoveTask() : tasks.front();
  }
  /// "COMPLETED 3 of 5", and the reason of a failed one.
  std::string state(const std::string& source) {
    const Engine::MoveTask task = newest(source);
    return std::string(name_of(task.status)) + " " + std::to_string(task.messages_moved) + " of " +
           std::to_string(task.messages_to_move) + (task.failure_reason.empty() ? "" : " " + task.failure_reason);
  }
  void advance(Millis by) {
    clock.advance(by);
    settle();
  }
};

// ---- what and where

TEST_F(MoveTasksTest, TakesEverythingBackWhereItCameFrom) {
  prepare(3, "a");
  prepare(2, "b", "dlq", 3);
  const Timestamp started = clock.wall();
  const Uuid id = start_task("dlq");
  const auto fresh = newest("dlq");
  EXPECT_EQ(fresh.id, id);
  EXPECT_EQ(fresh.status, MoveTaskStatus::Running);
  EXPECT_EQ(fresh.source, key("dlq"));
  EXPECT_EQ(fresh.destination, std::nullopt);
  EXPECT_EQ(fresh.messages_per_second, std::nullopt);
  EXPECT_EQ(fresh.started, started);
  EXPECT_EQ(state("dlq"), "RUNNING 0 of 5");
  settle();
  EXPECT_EQ(state("dlq"), "COMPLETED 5 of 5");
  EXPECT_EQ(shown(dlq()), "");
  EXPECT_EQ(shown(find("a")), "0 1 2");
  EXPECT_EQ(shown(find("b")), "3 4");
  EXPECT_EQ(engine->tick(), engine->tick());  // nothing of it is left to do
  restart_both_ways();
  EXPECT_EQ(state("dlq"), "COMPLETED 5 of 5");
  EXPECT_EQ(shown(find("a")), "0 1 2");
  EXPECT_EQ(shown(find("b")), "3 4");
}

TEST_F(MoveTasksTest, TakesEverythingToOneQueue) {
  prepare(2, "a");
  prepare(2, "b", "dlq", 2);
  send(dlq(), "native");
  create("other");
  start_task("dlq", "other", 500);
  EXPECT_EQ(newest("dlq").destination, key("other"));
  EXPECT_EQ(newest("dlq").messages_per_second, 500);
  advance(Seconds(1));
  EXPECT_EQ(state("dlq"), "COMPLETED 5 of 5");
  EXPECT_EQ(shown(find("other")), "0 1 2 3 native");
}

TEST_F(MoveTasksTest, AMovedMessageIsANewOne) {
  prepare(1);
  create("other", {{"DelaySeconds", "30"}});
  const auto before = take(dlq(), 1, Seconds(0)).front();
  EXPECT_EQ(before.receive_count, 2u);
  clock.advance(Seconds(100));
  start_task("dlq", "other");
  settle();
  const Timestamp moved_at = clock.wall();
  expect_counts(find("other"), 0, 0, 1);  // the destination's delay counts
  for (int round = 0; round < 2; ++round) {
    restart_both_ways();
    expect_counts(find("other"), 0, 0, 1);
  }
  advance(Seconds(31));
  Uuid id{};
  for (std::uint32_t count = 1; count <= 3; ++count) {
    const auto taken = take(find("other"), 1, Seconds(0));
    ASSERT_EQ(taken.size(), 1u);
    ASSERT_TRUE(taken[0].message_id.has_value());
    if (count > 1) {
      EXPECT_EQ(*taken[0].message_id, id);
    }
    id = *taken[0].message_id;
    EXPECT_NE(id, id_of(before));
    EXPECT_EQ(taken[0].sent, moved_at);
    EXPECT_EQ(taken[0].receive_count, count);
    EXPECT_GT(taken[0].first_received, before.first_received);
    EXPECT_EQ(taken[0].dead_letter_source, std::nullopt);
    EXPECT_EQ(body_of(taken[0]), "0");
    restart_both_ways();
  }
}

TEST_F(MoveTasksTest, RetentionStartsAnewAndTheSourceMayKillAgain) {
  prepare(1);
  ASSERT_TRUE(engine->set_attributes(find("q"), {{"MessageRetentionPeriod", "60"}}).result.has_value());
  clock.advance(Seconds(100));
  start_task("dlq");
  settle();
  EXPECT_EQ(shown(find("q")), "0");
  clock.advance(Seconds(59));
  EXPECT_EQ(given(find("q"), 1, Seconds(0)), "0");  // counts from zero
  EXPECT_EQ(given(find("q"), 1, Seconds(0)), "");
  EXPECT_EQ(shown(dlq()), "0");
  EXPECT_EQ(take(dlq(), 1, Seconds(0)).front().dead_letter_source, arn("q"));
}

TEST_F(MoveTasksTest, OnlyWhatIsVisibleGoes) {
  prepare(3);
  send(dlq(), "delayed", Seconds(500));
  EXPECT_EQ(given(dlq(), 1, Seconds(500)), "0");
  create("other");
  start_task("dlq", "other");
  send(dlq(), "later");  // after the start
  settle();
  EXPECT_EQ(state("dlq"), "COMPLETED 2 of 2");
  EXPECT_EQ(shown(find("other")), "1 2");
  EXPECT_EQ(shown(dlq()), "0 delayed later");
  EXPECT_TRUE(remove(dlq(), handle("0")).has_value());
}

// Timers may be due that nobody has looked at yet.
TEST_F(MoveTasksTest, WhatIsVisibleIsCountedAtTheStart) {
  prepare(3);
  EXPECT_EQ(given(dlq(), 2, Seconds(5)), "0 1");
  clock.advance(Seconds(5));
  create("other");
  start_task("dlq", "other");
  EXPECT_EQ(state("dlq"), "RUNNING 0 of 3");
}

TEST_F(MoveTasksTest, WhatExpiresMeanwhileIsNotMoved) {
  prepare(2);
  create("other");
  start_task("dlq", "other", 1);
  ASSERT_TRUE(engine->set_attributes(dlq(), {{"MessageRetentionPeriod", "60"}}).result.has_value());
  advance(Seconds(60));
  EXPECT_EQ(shown(find("other")), "");
  EXPECT_EQ(shown(dlq()), "");
  EXPECT_EQ(state("dlq"), "COMPLETED 0 of 2");
}

TEST_F(MoveTasksTest, FifoOrderIsKept) {
  create_fifo("dlq.fifo");
  create_fifo("q.fifo", {redrive("dlq.fifo", 1), {"DelaySeconds", "0"}});
  send_words(fifo(), {"a1", "b1", "a2", "a3", "b2"});
  EXPECT_EQ(given(fifo(), 10, Seconds(0)), "a1 a2 a3 b1 b2");
  EXPECT_EQ(given(fifo(), 10), "");
  EXPECT_EQ(shown(find("dlq.fifo")), "a1 a2 a3 b1 b2");
  send_words(fifo(), {"a4"});
  const auto waiters = wait(find("dlq.fifo"), 0);
  start_task("dlq.fifo");
  settle();
  EXPECT_EQ(state("dlq.fifo"), "COMPLETED 5 of 5");
  EXPECT_EQ(shown(fifo()), "a4 a1 a2 a3 b1 b2");
  const auto taken = take(fifo(), 10, Seconds(0));
  EXPECT_EQ(joined(bodies(taken)), "a4 a1 a2 a3 b1 b2");
  EXPECT_EQ(taken[1].sequence_number, 7u);
  EXPECT_TRUE(taken[1].deduplication_id_is_message_id);
}

TEST_F(MoveTasksTest, AFifoGroupInFlightStays) {
  create_fifo("dlq.fifo");
  create_fifo("q.fifo", {redrive("dlq.fifo", 1)});
  create_fifo("other.fifo", {{"DelaySeconds", "10"}});
  send_words(find("dlq.fifo"), {"a1", "a2", "b1"});
  EXPECT_EQ(given(find("dlq.fifo"), 1), "a1");
  start_task("dlq.fifo", "other.fifo");
  settle();
  EXPECT_EQ(shown(find("other.fifo")), "b1");
  EXPECT_EQ(shown(find("dlq.fifo")), "a1 a2");
  expect_counts(find("other.fifo"), 0, 0, 1);  // the destination's delay
  clock.advance(Seconds(10));
  expect_counts(find("other.fifo"), 1, 0, 0);
}

TEST_F(MoveTasksTest, ArrivalsWakePolls) {
  prepare(2);
  const auto waiters = wait(find("q"), 3);
  start_task("dlq");
  settle();
  EXPECT_EQ(woken(waiters), 2);
}

// ---- how fast

TEST_F(MoveTasksTest, TheRateIsKept) {
  prepare(10);
  create("other");
  start_task("dlq", "other", 4);
  const auto moved_after = [&](Millis by) {
    advance(by);
    return newest("dlq").messages_moved;
  };
  EXPECT_EQ(moved_after(Millis(0)), 1u);  // at once
  EXPECT_EQ(moved_after(Millis(499)), 1u);
  EXPECT_EQ(moved_after(Millis(1)), 2u);
  EXPECT_EQ(moved_after(Millis(249)), 2u);
  EXPECT_EQ(moved_after(Millis(1)), 3u);
  EXPECT_EQ(moved_after(Millis(250)), 4u);
  EXPECT_EQ(moved_after(Seconds(1)), 8u);
  EXPECT_EQ(state("dlq"), "RUNNING 8 of 10");
  expect_counts(find("other"), 8, 0, 0);
  advance(Seconds(1));
  EXPECT_EQ(state("dlq"), "COMPLETED 10 of 10");
}

TEST_F(MoveTasksTest, TickAsksForTheMomentOfTheNext) {
  prepare(3);
  create("other");
  start_task("dlq", "other", 2);
  for (int moved = 1; moved <= 3; ++moved) {
    settle();
    ASSERT_EQ(newest("dlq").messages_moved, static_cast<std::uint64_t>(moved));
    const auto due = engine->tick();
    ASSERT_TRUE(due.has_value());
    if (moved == 3) break;
    EXPECT_EQ(to_epoch_millis(*due) - to_epoch_millis(engine->now()), moved == 1 ? 1'000 : 500);
    clock.advance(*due - engine->now());
  }
  EXPECT_EQ(state("dlq"), "COMPLETED 3 of 3");  // with the last message, not with the turn of the next
}

TEST_F(MoveTasksTest, StartingRingsTheBell) {
  prepare(1);
  settle();
  const int before = bells;
  start_task("dlq");
  EXPECT_GT(bells, before);
}

TEST_F(MoveTasksTest, TheRateHoldsOverARestart) {
  prepare(100);
  create("other");
  start_task("dlq", "other", 10);
  advance(Seconds(2));
  EXPECT_EQ(newest("dlq").messages_moved, 20u);
  restart_both_ways();
  settle();
  EXPECT_EQ(newest("dlq").messages_moved, 20u);
  advance(Millis(100));
  EXPECT_EQ(newest("dlq").messages_moved, 21u);
  expect_counts(find("other"), 21, 0, 0);
  expect_counts(dlq(), 79, 0, 0);
}

TEST_F(MoveTasksTest, WithoutARateItGoesInSlices) {
  prepare(2'500);
  create("other");
  start_task("dlq", "other");
  tick();
  const std::uint64_t moved = newest("dlq").messages_moved;
  EXPECT_GE(moved, 100u);
  EXPECT_LE(moved, 1'000u);
  settle();
  EXPECT_EQ(state("dlq"), "COMPLETED 2500 of 2500");
}

// ---- restarts

TEST_F(MoveTasksTest, NothingIsLostOrDoubledByARestart) {
  for (const bool with_checkpoint : {false, true}) {
    options.enforce_deletion_wait = false;
    restart();
    prepare(2'500);
    start_task("dlq");
    tick();
    ASSERT_GT(newest("dlq").messages_moved, 0u);
    ASSERT_LT(newest("dlq").messages_moved, 2'500u);
    if (with_checkpoint) {
      ASSERT_TRUE(store->checkpoint().has_value());
    }
    restart();
    EXPECT_EQ(newest("dlq").status, MoveTaskStatus::Running);
    EXPECT_EQ(engine->totals().messages, 2'500u);
    settle();
    EXPECT_EQ(state("dlq"), "COMPLETED 2500 of 2500");
    std::vector<int> numbers;
    for (const auto& glimpse : peek_all(find("q"))) numbers.push_back(std::stoi(body_of(glimpse.message)));
    ASSERT_EQ(numbers.size(), 2'500u);
    for (int i = 0; i < 2'500; ++i) ASSERT_EQ(numbers[static_cast<std::size_t>(i)], i);
    EXPECT_EQ(store->live_bodies(), 2'500u);
    engine->delete_queue(find("q"));
    engine->delete_queue(dlq());
    settle();
  }
}

// The machine stops after each record that the task writes, in turn.
TEST_F(MoveTasksTest, NothingIsLostWhereverTheMachineStops) {
  for (int steps = 0; steps <= 6; ++steps) {
    SCOPED_TRACE(steps);
    options.enforce_deletion_wait = false;
    restart();
    prepare(450);
    store->set_sync_mode(store::SimulatedStore::SyncMode::OnDemand);
    start_task("dlq");
    settle();
    for (int i = 0; i < steps; ++i) store->step();
    restart();
    EXPECT_EQ(engine->totals().messages, 450u);
    EXPECT_EQ(engine->counts(find("q")).visible,
              static_cast<std::uint64_t>(std::clamp(steps - 1, 0, 4) * 100 + (steps == 6 ? 50 : 0)));
    settle();
    if (steps == 0) {
      EXPECT_TRUE(engine->move_tasks(key("dlq"), 10).result->empty());
      start_task("dlq");
      settle();
    }
    EXPECT_EQ(state("dlq"), "COMPLETED 450 of 450");
    expect_counts(find("q"), 450, 0, 0);
    expect_counts(dlq(), 0, 0, 0);
    engine->delete_queue(find("q"));
    engine->delete_queue(dlq());
    settle();
  }
}

// After a restart the pass begins again over what is left.
TEST_F(MoveTasksTest, WhatWasPassedOverIsLookedAtAgainAfterARestart) {
  prepare(3);
  create("other");
  EXPECT_EQ(given(dlq(), 1, Seconds(1'000)), "0");
  start_task("dlq", "other", 1);
  settle();
  EXPECT_EQ(shown(find("other")), "1");
  EXPECT_TRUE(change(dlq(), handle("0"), Seconds(0)).has_value());
  restart();
  advance(Seconds(2));
  EXPECT_EQ(shown(find("other")), "1 0");
}

// ---- how they end

TEST_F(MoveTasksTest, CancelEndsItAtOnce) {
  prepare(10);
  create("other");
  const Uuid id = start_task("dlq", "other", 2);
  advance(Seconds(2));
  const auto answer = engine->cancel_move_task(key("dlq"), id);
  EXPECT_EQ(*answer.result, 4u);
  EXPECT_EQ(state("dlq"), "CANCELLED 4 of 10");
  advance(Seconds(100));
  EXPECT_EQ(state("dlq"), "CANCELLED 4 of 10");
  expect_counts(find("other"), 4, 0, 0);
  restart_both_ways();
  advance(Seconds(100));
  EXPECT_EQ(state("dlq"), "CANCELLED 4 of 10");
  start_task("dlq", "other");
  settle();
  EXPECT_EQ(state("dlq"), "COMPLETED 6 of 6");
}

TEST_F(MoveTasksTest, OnlyARunningTaskIsCancelled) {
  prepare(1);
  create("other");
  const auto refusal = [&](const std::string& queue, const Uuid& id) {
    const auto result = engine->cancel_move_task(key(queue), id).result;
    return std::pair(code_of(result), text_of(result));
  };
  const auto unknown = std::pair(ErrorCode::ResourceNotFound, std::string("Task does not exist."));
  EXPECT_EQ(refusal("dlq", Uuid()), unknown);
  const Uuid id = start_task("dlq", "other", 1);
  EXPECT_EQ(refusal("dlq", Uuid()), unknown);
  EXPECT_EQ(refusal("other", id), unknown);
  EXPECT_EQ(refusal("none", id),
            std::pair(ErrorCode::ResourceNotFound,
                      std::string("The resource that you specified for the SourceArn parameter doesn't exist.")));
  EXPECT_EQ(newest("dlq").status, MoveTaskStatus::Running);
  advance(Seconds(5));
  EXPECT_EQ(state("dlq"), "COMPLETED 1 of 1");
  EXPECT_EQ(refusal("dlq", id), unknown);
}

TEST_F(MoveTasksTest, AMessageWithoutASourceEndsIt) {
  prepare(2);
  send(dlq(), "native");
  send(find("q"), "last");
  EXPECT_EQ(given(find("q"), 1, Seconds(0)), "last");
  EXPECT_EQ(given(find("q"), 1), "");
  start_task("dlq");
  settle();
  EXPECT_EQ(state("dlq"), "FAILED 2 of 4 CouldNotDetermineMessageSource");
  EXPECT_EQ(shown(find("q")), "0 1");
  EXPECT_EQ(shown(dlq()), "native last");
  restart_both_ways();
  settle();
  EXPECT_EQ(state("dlq"), "FAILED 2 of 4 CouldNotDetermineMessageSource");
}

TEST_F(MoveTasksTest, ADestinationThatIsGoneEndsIt) {
  prepare(5);
  create("other");
  start_task("dlq", "other", 1);
  advance(Seconds(2));
  engine->delete_queue(find("other"));
  advance(Seconds(5));
  EXPECT_EQ(state("dlq"), "FAILED 2 of 5 AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(shown(dlq()), "2 3 4");
}

TEST_F(MoveTasksTest, ASourceOfAMessageThatIsGoneEndsIt) {
  prepare(1, "a");
  prepare(1, "b", "dlq", 1);
  engine->delete_queue(find("a"));
  start_task("dlq");
  settle();
  EXPECT_EQ(state("dlq"), "FAILED 0 of 2 AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(shown(dlq()), "0 1");
}

TEST_F(MoveTasksTest, DeletingTheQueueEndsItsTasks) {
  options.enforce_deletion_wait = false;
  restart();
  prepare(5);
  create("other");
  const Uuid id = start_task("dlq", "other", 1);
  engine->delete_queue(dlq());
  advance(Seconds(5));
  expect_counts(find("other"), 0, 0, 0);
  EXPECT_EQ(code_of(engine->move_tasks(key("dlq"), 1).result), ErrorCode::ResourceNotFound);
  EXPECT_EQ(code_of(engine->cancel_move_task(key("dlq"), id).result), ErrorCode::ResourceNotFound);
  create("dlq");
  EXPECT_TRUE(engine->move_tasks(key("dlq"), 10).result->empty());
  start_task("dlq", "other");  // "q" names it still
}

TEST_F(MoveTasksTest, APurgeLeavesItNothing) {
  prepare(5);
  create("other");
  start_task("dlq", "other", 1);
  advance(Seconds(1));
  engine->purge(dlq());
  send(dlq(), "later");
  advance(Seconds(10));
  EXPECT_EQ(state("dlq"), "COMPLETED 1 of 5");
  EXPECT_EQ(shown(dlq()), "later");
}

TEST_F(MoveTasksTest, ThirtySixHoursAreTheLimit) {
  constexpr Millis kLimit = std::chrono::hours(36);
  for (const bool in_time : {true, false}) {
    options.enforce_deletion_wait = false;
    restart();
    prepare(2);
    create("other");
    start_task("dlq", "other", 1);
    clock.advance(kLimit - Millis(in_time ? 1 : 0));
    settle();
    if (in_time)
      EXPECT_EQ(newest("dlq").status, MoveTaskStatus::Completed);
    else
      EXPECT_EQ(state("dlq"), "FAILED 0 of 2 The task has run for 36 hours, which is the limit.");
    for (const char* name : {"q", "dlq", "other"}) engine->delete_queue(find(name));
    settle();
  }
}

// ---- refusals and limits

TEST_F(MoveTasksTest, RefusalsOfAStart) {
  prepare(1);
  create_fifo("f.fifo");
  struct Case {
    std::string source;
    std::optional<std::string> destination;
    ErrorCode code;
    std::string text;
  };
  const std::string missing = "The resource that you specified for the ";
  const Case cases[] = {
      {"none", std::nullopt, ErrorCode::ResourceNotFound, missing + "SourceArn parameter doesn't exist."},
      {"dlq", "none", ErrorCode::ResourceNotFound, missing + "DestinationArn parameter doesn't exist."},
      {"q", std::nullopt, ErrorCode::InvalidParameterValue, "Source queue must be configured as a Dead Letter Queue."},
      {"dlq", "f.fifo", ErrorCode::InvalidParameterValue,
       "The source queue and destination queue must be of the same queue type."},
  };
  const auto before = store->last();
  for (const Case& one : cases) {
    const auto result = try_start(one.source, one.destination);
    EXPECT_EQ(code_of(result), one.code);
    EXPECT_EQ(text_of(result), one.text);
  }
  EXPECT_EQ(store->last(), before);
  EXPECT_TRUE(engine->move_tasks(key("dlq"), 10).result->empty());
  EXPECT_EQ(text_of(engine->move_tasks(key("none"), 10).result), missing + "SourceArn parameter doesn't exist.");
}

TEST_F(MoveTasksTest, OneAtATime) {
  prepare(3);
  create("other");
  start_task("dlq", "other", 1);
  const std::string busy =
      "There is already a task running. Only one active task is allowed for a source queue arn at a given time.";
  for (int i = 0; i < 2; ++i) {
    const auto second = try_start("dlq");
    EXPECT_EQ(code_of(second), ErrorCode::InvalidParameterValue);
    EXPECT_EQ(text_of(second), busy);
    restart_both_ways();
  }
  EXPECT_EQ(engine->move_tasks(key("dlq"), 10).result->size(), 1u);
  advance(Seconds(10));
  start_task("dlq", "other");
}

TEST_F(MoveTasksTest, TenAreKeptTheNewestFirst) {
  prepare(1);
  create("other");
  std::vector<Uuid> ids;
  for (int i = 0; i < 11; ++i) {
    ids.insert(ids.begin(), start_task("dlq", "other"));
    settle();
  }
  for (int round = 0; round < 2; ++round) {
    const auto tasks = *engine->move_tasks(key("dlq"), 10).result;
    ASSERT_EQ(tasks.size(), 10u);
    for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(tasks[i].id, ids[i]);
    EXPECT_EQ(engine->move_tasks(key("dlq"), 3).result->size(), 3u);
    restart_both_ways();
  }
}

TEST_F(MoveTasksTest, AHundredMayRunInOneAccount) {
  const auto name = [](int i) { return "q" + std::to_string(i); };
  for (int i = 0; i <= 100; ++i) {
    create(name(i));
    ASSERT_TRUE(engine->set_attributes(find(name(i)), {redrive(name(i), 1)}).result.has_value());  // its own dead-letter queue
  }
  create("other");
  std::vector<Uuid> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(start_task(name(i), "other"));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(code_of(try_start(name(100), "other")), ErrorCode::OverLimit);
    EXPECT_EQ(code_of(try_start(name(5), "other")), ErrorCode::InvalidParameterValue);  // it runs already
    restart_both_ways();
  }
  const QueueKey elsewhere{"111111111111", "us-east-1", "q"};
  ASSERT_TRUE(engine->create_queue(elsewhere, {}).result.has_value());
  const QueueRef there = engine->find(elsewhere).result.value();
  ASSERT_TRUE(
      engine
          ->set_attributes(
              there, {{"RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:111111111111:q","maxReceiveCount":1})"}})
          .result.has_value());
  EXPECT_TRUE(engine->start_move_task({elsewhere, std::nullopt, std::nullopt}).result.has_value());

  ASSERT_TRUE(engine->cancel_move_task(key(name(7)), ids[7]).result.has_value());
  start_task(name(100), "other");
  EXPECT_EQ(code_of(try_start(name(7), "other")), ErrorCode::OverLimit);
  engine->delete_queue(find(name(8)));
  start_task(name(7), "other");
  EXPECT_EQ(code_of(try_start("q9", "other")), ErrorCode::InvalidParameterValue);
  settle();  // all are done
  for (int i = 0; i < 100; ++i) {
    if (i != 8) {
      EXPECT_TRUE(try_start(name(i), "other").has_value()) << i;
    }
  }
}

}  // namespace
}  // namespace ferry::engine
