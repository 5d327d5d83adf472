// A store that takes no more records: whatever was asked is refused, nothing changes, and what stood in line stands there still.

#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;

class StoreRefusalsTest : public QueuesTest {
 protected:
  void refuse(std::optional<ErrorKind> kind) {
    for (const auto purpose : {store::Purpose::Growth, store::Purpose::Upkeep}) store->set_reserve_error(purpose, kind);
  }
  /// Everything that can be seen of a queue without changing it.
  std::string picture(const std::string& name) {
    const auto found = engine->find(key(name));
    if (!found.result) return name + ": none\n";
    const QueueRef queue = *found.result;
    std::string text = name + ":";
    for (const auto& one : peek_all(queue)) {
      text += " " + body_of(one.message) + "/" + std::to_string(static_cast<int>(one.state)) + "/" +
              std::to_string(one.message.receive_count) + "/" + std::to_string(one.message.sequence) +
              one.message.dead_letter_source.value_or("");
    }
    const auto attributes = engine->get_attributes(queue, {"All"});
    for (const auto& [attribute_name, value] : *attributes.result) text += " " + attribute_name + "=" + value;
    const auto tags = engine->queue_tags(queue);
    for (const auto& [tag, value] : *tags.result) text += " #" + tag + "=" + value;
    const auto tasks = engine->move_tasks(key(name), 10);
    for (const auto& task : *tasks.result) {
      text += " task " + std::string(name_of(task.status)) + " " + std::to_string(task.messages_moved);
    }
    return text + "\n";
  }
  std::string picture_of_all() {
    return picture("q") + picture("dlq") + picture("q.fifo") + picture("dlq.fifo") + picture("new") +
           std::to_string(engine->totals().messages) + " messages, " + std::to_string(store->live_bodies()) + " bodies";
  }
  /// The order in which everything visible of a FIFO queue is served.
  std::string served(const QueueRef& queue) { return given(queue, 10); }
};

template <class T>
bool is_refused(const sqs::ApiResult<T>& result) {
  return !result.has_value() && result.error().code == ErrorCode::ServiceUnavailable;
}

TEST_F(StoreRefusalsTest, ARefusedRequestChangesNothing) {
  create("dlq");
  create("q", {redrive("dlq", 2)});
  create_fifo("dlq.fifo");
  create_fifo("q.fifo", {redrive("dlq.fifo", 2), {"ContentBasedDeduplication", "true"}});
  ASSERT_TRUE(engine->tag_queue(find(), {{"k", "v"}}).result.has_value());
  send_words(find(), {"a1", "b1", "c1"});
  send_words(fifo(), {"a1", "b1", "a2", "c1", "d1"});
  EXPECT_EQ(given(find(), 1, Seconds(40'000)), "a1");
  const std::string standard_handle = handle("a1");
  EXPECT_EQ(joined(bodies(engine->receive(fifo(), caller, {1, Seconds(40'000), "attempt"}, nullptr).result.value())), "a1");
  const auto fifo_taken = engine->receive(fifo(), caller, {1, std::nullopt, "attempt"}, nullptr).result.value();
  const std::string fifo_handle = fifo_taken.front().receipt_handle;
  settle();

  struct Case {
    const char* name;
    std::function<bool()> is_refused_now;
  };
  const auto fifo_command = [&](std::string_view body) {
    SendCommand one = command(body);
    one.message_group_id = "a";
    return one;
  };
  const Case cases[] = {
      {"create",
       [&] {
         return is_refused(engine->create_queue(key("new"), {}, {{"k", "v"}}).result);
       }},
      {"delete the queue", [&] { return is_refused(engine->delete_queue(find("dlq")).result); }},
      {"purge", [&] { return is_refused(engine->purge(fifo()).result); }},
      {"set attributes",
       [&] {
         return is_refused(engine->set_attributes(find(), {{"DelaySeconds", "9"}}).result);
       }},
      {"set the redrive policy", [&] { return is_refused(engine->set_attributes(find(), {redrive("dlq", 9)}).result); }},
      {"remove the redrive policy",
       [&] {
         return is_refused(engine->set_attributes(find(), {{"RedrivePolicy", ""}}).result);
       }},
      {"delay of a FIFO queue",
       [&] {
         return is_refused(engine->set_attributes(fifo(), {{"DelaySeconds", "9"}}).result);
       }},
      {"tag",
       [&] {
         return is_refused(engine->tag_queue(find(), {{"l", "v"}}).result);
       }},
      {"untag", [&] { return is_refused(engine->untag_queue(find(), {"k"}).result); }},
      {"add a permission",
       [&] {
         return is_refused(engine->add_permission(find(), {"label", {"111111111111"}, {"*"}}).result);
       }},
      {"send",
       [&] {
         return is_refused(engine->send(find(), caller, {command("x"), command("y")}).result);
       }},
      {"send to a tenant", [&] { return is_refused(engine->send(find(), caller, {fifo_command("x")}).result); }},
      {"send to a group", [&] { return is_refused(engine->send(fifo(), caller, {fifo_command("x")}).result); }},
      {"receive",
       [&] {
         return is_refused(engine->receive(find(), caller, {10, std::nullopt, std::nullopt}, nullptr).result);
       }},
      {"receive with timeout zero",
       [&] {
         return is_refused(engine->receive(find(), caller, {10, Seconds(0), std::nullopt}, nullptr).result);
       }},
      {"receive one of a FIFO queue",
       [&] {
         return is_refused(engine->receive(fifo(), caller, {1, std::nullopt, std::nullopt}, nullptr).result);
       }},
      {"receive many of a FIFO queue",
       [&] {
         return is_refused(engine->receive(fifo(), caller, {10, std::nullopt, "other"}, nullptr).result);
       }},
      {"receive again",
       [&] {
         return is_refused(engine->receive(fifo(), caller, {1, Seconds(5), "attempt"}, nullptr).result);
       }},
      {"delete", [&] { return is_refused(engine->delete_messages(find(), {standard_handle}).result); }},
      {"delete from a FIFO queue", [&] { return is_refused(engine->delete_messages(fifo(), {fifo_handle}).result); }},
      {"change visibility",
       [&] {
         return is_refused(engine->change_visibility(find(), {{standard_handle, Seconds(0)}}).result);
       }},
      {"change visibility in a FIFO queue",
       [&] {
         return is_refused(engine->change_visibility(fifo(), {{fifo_handle, Seconds(0)}}).result);
       }},
      {"start a move task",
       [&] {
         return is_refused(engine->start_move_task({key("dlq"), key("q"), std::nullopt}).result);
       }},
  };
  const std::string before = picture_of_all();
  for (const ErrorKind kind : {ErrorKind::NoSpace, ErrorKind::Unavailable}) {
    for (const Case& one : cases) {
      SCOPED_TRACE(one.name);
      const auto position = store->last();
      const auto memory = engine->totals().index_bytes;
      refuse(kind);
      EXPECT_TRUE(one.is_refused_now());
      settle();
      refuse(std::nullopt);
      EXPECT_EQ(picture_of_all(), before);
      EXPECT_EQ(store->last(), position);
      EXPECT_LE(engine->totals().index_bytes, memory + 200);
    }
  }
  restart();
  EXPECT_EQ(picture_of_all(), before);
  // Nothing of what was refused is known: no deduplication id, no task that blocks another one, no attempt.
  SendCommand again = fifo_command("x");
  EXPECT_EQ(engine->send(fifo(), caller, {again}).result->front()->sequence_number, 6u);
  EXPECT_TRUE(engine->start_move_task({key("dlq"), key("q"), std::nullopt}).result.has_value());
}

TEST_F(StoreRefusalsTest, ARefusedReceiveKeepsTheLineOfGroups) {
  for (const int max : {1, 2, 10}) {
    SCOPED_TRACE(max);
    options.enforce_deletion_wait = false;
    restart();
    const QueueRef queue = create_fifo();
    send_words(queue, {"a1", "b1", "a2", "c1"});
    refuse(ErrorKind::Unavailable);
    EXPECT_TRUE(is_refused(engine->receive(queue, caller, {max, std::nullopt, std::nullopt}, nullptr).result));
    refuse(std::nullopt);
    EXPECT_EQ(served(queue), "a1 a2 b1 c1");
    engine->delete_queue(queue);
  }
}

TEST_F(StoreRefusalsTest, ARefusedReceiveKeepsTheLineOfTenants) {
  const QueueRef queue = create();
  send_words(queue, {"a1", "b1", "a2", "c1"});
  refuse(ErrorKind::Unavailable);
  EXPECT_TRUE(is_refused(engine->receive(queue, caller, {3, std::nullopt, std::nullopt}, nullptr).result));
  refuse(std::nullopt);
  EXPECT_EQ(served(queue), "a1 b1 a2 c1");
}

// Exhausted messages are not given out, and not lost.
TEST_F(StoreRefusalsTest, ARefusedMoveOfDeadLettersChangesNothing) {
  for (const bool is_fifo : {false, true}) {
    SCOPED_TRACE(is_fifo);
    const std::string source = is_fifo ? "q.fifo" : "q";
    const std::string target = is_fifo ? "dlq.fifo" : "dlq";
    is_fifo ? create_fifo(target) : create(target);
    const QueueRef queue = is_fifo ? create_fifo(source, {redrive(target, 1)}) : create(source, {redrive(target, 1)});
    send_words(queue, {"a1", "b1"});
    EXPECT_EQ(given(queue, 10, Seconds(0)), "a1 b1");
    const std::string before = picture_of_all();
    refuse(ErrorKind::NoSpace);
    const auto waiter = std::make_shared<TestWaiter>();
    const auto answer = engine->receive(queue, caller, {10, std::nullopt, std::nullopt}, waiter);
    EXPECT_TRUE(!answer.result.has_value() || answer.result->empty());
    EXPECT_LT(settle(), 100);  // does not spin
    EXPECT_EQ(picture_of_all(), before);
    refuse(std::nullopt);
    EXPECT_EQ(given(queue, 10), "");
    EXPECT_EQ(shown(queue), "");
    EXPECT_EQ(shown(find(target)), "a1 b1");
    restart();
    EXPECT_EQ(shown(find(target)), "a1 b1");
  }
}

TEST_F(StoreRefusalsTest, ARefusedMoveKeepsTheElders) {
  create("end", {{"MessageRetentionPeriod", "100"}});
  create("dlq", {redrive("end", 1), {"MessageRetentionPeriod", "100"}});
  const QueueRef queue = create("q", {redrive("dlq", 1)});
  send_words(queue, {"a1"});
  EXPECT_EQ(given(queue, 1, Seconds(0)), "a1");
  clock.advance(Seconds(50));
  send_words(find("dlq"), {"n1"});
  EXPECT_EQ(given(queue, 1), "");
  EXPECT_EQ(given(find("dlq"), 2, Seconds(0)), "n1 a1");
  refuse(ErrorKind::NoSpace);
  EXPECT_TRUE(receive(find("dlq"), 2).empty());
  refuse(std::nullopt);
  EXPECT_EQ(shown(find("dlq")), "n1 a1");
  clock.advance(Seconds(50));
  settle();
  EXPECT_EQ(shown(find("dlq")), "n1");  // the elder went by its own time
}

TEST_F(StoreRefusalsTest, AMoveTaskWaitsForRoom) {
  for (const bool is_fifo : {false, true}) {
    SCOPED_TRACE(is_fifo);
    const std::string source = is_fifo ? "q.fifo" : "q";
    const std::string target = is_fifo ? "dlq.fifo" : "dlq";
    is_fifo ? create_fifo(target) : create(target);
    is_fifo ? create_fifo(source, {redrive(target, 1)}) : create(source, {redrive(target, 1)});
    send_words(find(target), {"a1", "b1", "a2", "c1"});
    ASSERT_TRUE(engine->start_move_task({key(target), key(source), std::nullopt}).result.has_value());
    const std::string before = picture_of_all();
    refuse(ErrorKind::NoSpace);
    EXPECT_LT(settle(), 100);  // does not spin
    EXPECT_EQ(picture_of_all(), before);
    EXPECT_EQ(given(find(source)), "");
    refuse(std::nullopt);
    EXPECT_EQ(shown(find(target)), "a1 b1 a2 c1");
    clock.advance(Seconds(1));
    settle();
    EXPECT_EQ(shown(find(source)), "a1 b1 a2 c1");
    const auto task = engine->move_tasks(key(target), 1).result->front();
    EXPECT_EQ(task.status, sqs::MoveTaskStatus::Completed);
    EXPECT_EQ(task.messages_moved, 4u);
    engine->purge(find(source));
    settle();
  }
}

TEST_F(StoreRefusalsTest, ARefusedCancelLeavesTheTask) {
  create("dlq");
  create("q", {redrive("dlq", 1)});
  send_words(find("dlq"), {"a1", "b1", "c1"});
  const Uuid id = *engine->start_move_task({key("dlq"), key("q"), 1}).result;
  settle();
  refuse(ErrorKind::Unavailable);
  EXPECT_TRUE(is_refused(engine->cancel_move_task(key("dlq"), id).result));
  refuse(std::nullopt);
  EXPECT_EQ(engine->move_tasks(key("dlq"), 1).result->front().status, sqs::MoveTaskStatus::Running);
  clock.advance(Seconds(10));
  settle();
  EXPECT_EQ(shown(find("q")), "a1 b1 c1");
}

TEST_F(StoreRefusalsTest, AnEndWithoutRoomIsTriedAgain) {
  create("dlq");
  create("q", {redrive("dlq", 1)});
  send_words(find("dlq"), {"a1"});
  ASSERT_TRUE(engine->start_move_task({key("dlq"), std::nullopt, std::nullopt}).result.has_value());
  const auto newest = [&] { return engine->move_tasks(key("dlq"), 1).result->front(); };
  refuse(ErrorKind::NoSpace);
  EXPECT_LT(settle(), 100);  // "a1" has no source: the task fails, but cannot write so
  EXPECT_EQ(newest().status, sqs::MoveTaskStatus::Running);
  refuse(std::nullopt);
  clock.advance(Seconds(1));
  settle();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(newest().status, sqs::MoveTaskStatus::Failed);
    EXPECT_EQ(newest().failure_reason, "CouldNotDetermineMessageSource");
    EXPECT_EQ(shown(find("dlq")), "a1");
    restart_both_ways();
  }
}

}  // namespace
}  // namespace ferry::engine
