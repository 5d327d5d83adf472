// Creating, finding, listing and deleting queues; attributes; purge.

#include "engine_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;
using Strings = std::vector<std::string>;

class DirectoryTest : public EngineTest {};

TEST_F(DirectoryTest, ACreatedQueueIsFound) {
  EXPECT_EQ(code_of(engine->find(key()).result), ErrorCode::QueueDoesNotExist);
  const auto created = engine->create_queue(key(), {});
  EXPECT_EQ(*created.result, key());
  EXPECT_GT(created.seen.value, 0u);
  const auto found = engine->find(key());
  EXPECT_TRUE(found.result.has_value());
  EXPECT_EQ(found.seen, created.seen);
  EXPECT_EQ(engine->totals().queues, 1u);
}

TEST_F(DirectoryTest, AccountsAndRegionsAreSeparateNamespaces) {
  create();
  EXPECT_EQ(code_of(engine->find({"111111111111", "us-east-1", "q"}).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->find({"000000000000", "eu-west-1", "q"}).result), ErrorCode::QueueDoesNotExist);
}

TEST_F(DirectoryTest, CreatingAgainComparesOnlyWhatTheRequestCarries) {
  const QueueRef queue = create("q", {{"VisibilityTimeout", "40"}, {"DelaySeconds", "3"}});
  EXPECT_TRUE(engine->create_queue(key(), {}).result.has_value());
  EXPECT_TRUE(engine->create_queue(key(), {{"VisibilityTimeout", "40"}}).result.has_value());
  const auto differs =
      engine->create_queue(key(), {{"VisibilityTimeout", "40"}, {"DelaySeconds", "4"}, {"MaximumMessageSize", "1024"}});
  EXPECT_EQ(code_of(differs.result), ErrorCode::QueueNameExists);
  EXPECT_EQ(text_of(differs.result),
            "A queue already exists with the same name and a different value for attribute DelaySeconds");
  // Against current values, not those of the creation.
  ASSERT_TRUE(engine->set_attributes(queue, {{"DelaySeconds", "4"}}).result.has_value());
  EXPECT_TRUE(engine->create_queue(key(), {{"DelaySeconds", "4"}}).result.has_value());
  EXPECT_EQ(code_of(engine->create_queue(key(), {{"DelaySeconds", "3"}}).result), ErrorCode::QueueNameExists);
}

TEST_F(DirectoryTest, ABadAttributeCreatesNothing) {
  const auto before = store->last();
  EXPECT_EQ(code_of(engine->create_queue(key(), {{"DelaySeconds", "901"}}).result), ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(code_of(engine->create_queue(key(), {{"RedrivePolicy", "{}"}}).result), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(code_of(engine->find(key()).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(store->last(), before);
}

TEST_F(DirectoryTest, ListsInOrderByPrefixAndPage) {
  for (const char* name : {"b", "a2", "a1", "c", "a3", "B"}) create(name);
  engine->create_queue({"111111111111", "us-east-1", "a0"}, {});
  engine->create_queue({"000000000000", "eu-west-1", "a9"}, {});
  const auto list = [&](std::string_view prefix, std::string_view after, int max) {
    return *engine->list("000000000000", "us-east-1", prefix, after, max).result;
  };
  EXPECT_EQ(list("", "", 1000).names, (Strings{"B", "a1", "a2", "a3", "b", "c"}));
  EXPECT_EQ(list("a", "", 1000).names, (Strings{"a1", "a2", "a3"}));
  EXPECT_FALSE(list("a", "", 3).more);
  EXPECT_TRUE(list("a", "", 2).more);
  EXPECT_EQ(list("a", "a2", 2).names, (Strings{"a3"}));
  EXPECT_EQ(list("", "a3", 2).names, (Strings{"b", "c"}));
  EXPECT_TRUE(list("x", "", 10).names.empty());
}

TEST_F(DirectoryTest, ADeletedQueueIsGoneForEveryone) {
  const QueueRef queue = create();
  send(queue, "x");
  const auto handle = receive(queue).front().receipt_handle;
  EXPECT_TRUE(engine->delete_queue(queue).result.has_value());
  EXPECT_EQ(code_of(engine->find(key()).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->delete_queue(queue).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->send(queue, caller, {command("y")}).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->receive(queue, caller, {}, nullptr).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->delete_messages(queue, {handle}).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->change_visibility(queue, {{handle, Seconds(1)}}).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->purge(queue).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->get_attributes(queue, {"All"}).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->set_attributes(queue, {{"DelaySeconds", "1"}}).result), ErrorCode::QueueDoesNotExist);
  settle();
  EXPECT_EQ(store->live_bodies(), 0u);
  EXPECT_EQ(engine->totals().queues, 0u);
  EXPECT_EQ(engine->totals().messages, 0u);
  EXPECT_EQ(engine->totals().index_bytes, 0u);
}

TEST_F(DirectoryTest, ANameIsFreeAgainSixtySecondsAfterDeletion) {
  engine->delete_queue(create());
  const auto refused = engine->create_queue(key(), {});
  EXPECT_EQ(code_of(refused.result), ErrorCode::QueueDeletedRecently);
  EXPECT_EQ(text_of(refused.result),
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.");
  EXPECT_TRUE(engine->create_queue(key("other"), {}).result.has_value());
  clock.advance(Millis(59'999));
  EXPECT_EQ(code_of(engine->create_queue(key(), {}).result), ErrorCode::QueueDeletedRecently);
  restart();
  EXPECT_EQ(code_of(engine->create_queue(key(), {}).result), ErrorCode::QueueDeletedRecently);
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();
  EXPECT_EQ(code_of(engine->create_queue(key(), {}).result), ErrorCode::QueueDeletedRecently);
  clock.advance(Millis(1));
  EXPECT_TRUE(engine->create_queue(key(), {}).result.has_value());
}

TEST_F(DirectoryTest, TheDeletionWaitCanBeSwitchedOff) {
  options.enforce_deletion_wait = false;
  restart();
  engine->delete_queue(create());
  EXPECT_TRUE(engine->create_queue(key(), {}).result.has_value());
}

TEST_F(DirectoryTest, AHandleOfTheQueueThatHadTheNameBeforeIsInvalid) {
  options.enforce_deletion_wait = false;
  restart();
  const QueueRef before = create();
  send(before, "x");
  const auto handle = receive(before).front().receipt_handle;
  engine->delete_queue(before);
  const QueueRef after = create();
  send(after, "y");
  EXPECT_EQ(code_of(remove(after, handle)), ErrorCode::ReceiptHandleIsInvalid);
  EXPECT_EQ(code_of(change(after, handle, Seconds(0))), ErrorCode::ReceiptHandleIsInvalid);
  EXPECT_EQ(bodies(receive(after)), Strings{"y"});
}

TEST_F(DirectoryTest, AttributesAreToldAndSet) {
  const QueueRef queue = create("q", {{"DelaySeconds", "1"}});
  EXPECT_EQ(attribute(queue, "QueueArn"), "arn:aws:sqs:us-east-1:000000000000:q");
  EXPECT_EQ(attribute(queue, "CreatedTimestamp"), "1700000000");
  clock.advance(Seconds(5));
  ASSERT_TRUE(
      engine->set_attributes(queue, {{"VisibilityTimeout", "7"}, {"ReceiveMessageWaitTimeSeconds", "9"}}).result.has_value());
  EXPECT_EQ(attribute(queue, "VisibilityTimeout"), "7");
  EXPECT_EQ(attribute(queue, "DelaySeconds"), "1");
  EXPECT_EQ(attribute(queue, "CreatedTimestamp"), "1700000000");
  EXPECT_EQ(attribute(queue, "LastModifiedTimestamp"), "1700000005");
  EXPECT_EQ(engine->default_wait_time(queue), Seconds(9));
  const auto bad = engine->set_attributes(queue, {{"VisibilityTimeout", "8"}, {"DelaySeconds", "901"}});
  EXPECT_EQ(code_of(bad.result), ErrorCode::InvalidAttributeValue);
  EXPECT_EQ(attribute(queue, "VisibilityTimeout"), "7");
  EXPECT_EQ(code_of(engine->set_attributes(queue, {}).result), ErrorCode::MissingRequiredParameter);
  EXPECT_EQ(text_of(engine->set_attributes(queue, {}).result), "The request must contain the parameter Attribute.Name.");
  EXPECT_EQ(code_of(engine->get_attributes(queue, {"Nonsense"}).result), ErrorCode::InvalidAttributeName);
}

TEST_F(DirectoryTest, AttributesSurviveARestartFromLogAndCheckpoint) {
  create("q", {{"DelaySeconds", "1"}});
  clock.advance(Seconds(5));
  engine->set_attributes(find(), {{"VisibilityTimeout", "7"}, {"SqsManagedSseEnabled", "false"}});
  const auto before = *engine->get_attributes(find(), {"All"}).result;
  restart();
  EXPECT_EQ(*engine->get_attributes(find(), {"All"}).result, before);
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();
  EXPECT_EQ(*engine->get_attributes(find(), {"All"}).result, before);
}

TEST_F(DirectoryTest, PurgeRemovesEverythingAndSparesWhatComesLater) {
  const QueueRef queue = create();
  send_many(queue, 5);
  send(queue, "delayed", Seconds(30));
  const auto taken = receive(queue, 2);
  expect_counts(queue, 3, 2, 1);
  ASSERT_TRUE(engine->purge(queue).result.has_value());
  expect_counts(queue, 0, 0, 0);
  send(queue, "after");
  EXPECT_TRUE(remove(queue, taken[0].receipt_handle).has_value());
  EXPECT_EQ(code_of(change(queue, taken[1].receipt_handle, Seconds(0))), ErrorCode::InvalidParameterValue);
  clock.advance(Seconds(60));
  EXPECT_EQ(bodies(receive(queue)), Strings{"after"});
  settle();
  EXPECT_EQ(store->live_bodies(), 1u);
  restart();
  expect_counts(find(), 0, 1, 0);
}

TEST_F(DirectoryTest, OnePurgeInSixtySeconds) {
  create("name");
  engine->purge(find("name"));
  const auto again = engine->purge(find("name"));
  EXPECT_EQ(code_of(again.result), ErrorCode::PurgeQueueInProgress);
  EXPECT_EQ(text_of(again.result), "Only one PurgeQueue operation on name is allowed every 60 seconds.");
  clock.advance(Millis(59'999));
  restart();
  EXPECT_EQ(code_of(engine->purge(find("name")).result), ErrorCode::PurgeQueueInProgress);
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();
  EXPECT_EQ(code_of(engine->purge(find("name")).result), ErrorCode::PurgeQueueInProgress);
  clock.advance(Millis(1));
  EXPECT_TRUE(engine->purge(find("name")).result.has_value());
}

TEST_F(DirectoryTest, ThePurgeWaitCanBeSwitchedOff) {
  options.enforce_purge_wait = false;
  restart();
  const QueueRef queue = create();
  EXPECT_TRUE(engine->purge(queue).result.has_value());
  EXPECT_TRUE(engine->purge(queue).result.has_value());
}

TEST_F(DirectoryTest, PurgeFreesInSlices) {
  const QueueRef queue = create();
  send_many(queue, 3'500);
  engine->purge(queue);
  EXPECT_EQ(engine->totals().messages, 0u);
  EXPECT_EQ(store->live_bodies(), 3'500u);
  ASSERT_TRUE(engine->tick().has_value());
  EXPECT_EQ(store->live_bodies(), 2'500u);
  EXPECT_EQ(settle(), 3);
  EXPECT_EQ(store->live_bodies(), 0u);
  EXPECT_LT(engine->totals().index_bytes, 4'000u);
}

TEST_F(DirectoryTest, WithoutRoomNothingChanges) {
  const QueueRef queue = create();
  send_many(queue, 2);
  const auto taken = receive(queue, 1).front();
  for (const auto purpose : {store::Purpose::Growth, store::Purpose::Upkeep})
    store->set_reserve_error(purpose, ErrorKind::NoSpace);
  EXPECT_EQ(code_of(engine->create_queue(key("new"), {}).result), ErrorCode::ServiceUnavailable);
  EXPECT_EQ(code_of(engine->delete_queue(queue).result), ErrorCode::ServiceUnavailable);
  EXPECT_EQ(code_of(engine->purge(queue).result), ErrorCode::ServiceUnavailable);
  EXPECT_EQ(code_of(engine->set_attributes(queue, {{"DelaySeconds", "5"}}).result), ErrorCode::ServiceUnavailable);
  EXPECT_EQ(code_of(engine->send(queue, caller, {command("x")}).result), ErrorCode::ServiceUnavailable);
  EXPECT_EQ(code_of(engine->receive(queue, caller, {}, nullptr).result), ErrorCode::ServiceUnavailable);
  EXPECT_EQ(code_of(engine->delete_messages(queue, {taken.receipt_handle}).result), ErrorCode::ServiceUnavailable);
  EXPECT_EQ(code_of(engine->change_visibility(queue, {{taken.receipt_handle, Seconds(0)}}).result),
            ErrorCode::ServiceUnavailable);
  EXPECT_EQ(attribute(queue, "DelaySeconds"), "0");
  expect_counts(queue, 1, 1, 0);
  for (const auto purpose : {store::Purpose::Growth, store::Purpose::Upkeep}) store->set_reserve_error(purpose, std::nullopt);
  EXPECT_EQ(code_of(engine->find(key("new")).result), ErrorCode::QueueDoesNotExist);
  const auto next = receive(queue);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].receive_count, 1u);
  EXPECT_TRUE(remove(queue, taken.receipt_handle).has_value());
  restart();
  expect_counts(find(), 0, 1, 0);
}

TEST_F(DirectoryTest, AFullDiskRefusesSendsAndNothingElse) {
  const QueueRef queue = create();
  send(queue, "x");
  store->set_reserve_error(store::Purpose::Growth, ErrorKind::NoSpace);
  EXPECT_EQ(code_of(engine->send(queue, caller, {command("y")}).result), ErrorCode::ServiceUnavailable);
  const auto taken = receive(queue);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_TRUE(change(queue, taken[0].receipt_handle, Seconds(5)).has_value());
  EXPECT_TRUE(remove(queue, taken[0].receipt_handle).has_value());
  EXPECT_TRUE(engine->purge(queue).result.has_value());
  EXPECT_TRUE(engine->delete_queue(queue).result.has_value());
}

// Every reply waits for what it has seen: also errors, empty answers and reads.
TEST_F(DirectoryTest, AnswersCarryThePositionOfWhatTheySaw) {
  store->set_sync_mode(store::SimulatedStore::SyncMode::OnDemand);
  const auto created = engine->create_queue(key(), {});
  EXPECT_EQ(created.seen, store->last());
  EXPECT_EQ(engine->create_queue(key(), {}).seen, created.seen);
  EXPECT_EQ(engine->find(key()).seen, created.seen);
  EXPECT_EQ(engine->find(key("none")).seen, created.seen);
  EXPECT_EQ(engine->list("", "", "", "", 10).seen, created.seen);
  const QueueRef queue = find();
  EXPECT_EQ(engine->receive(queue, caller, {}, nullptr).seen, created.seen);
  const auto sent = engine->send(queue, caller, {command("a"), command("b")});
  EXPECT_EQ(sent.seen, store->last());
  EXPECT_EQ(engine->get_attributes(queue, {}).seen, sent.seen);
  EXPECT_EQ(engine->create_queue(key(), {{"DelaySeconds", "9"}}).seen, sent.seen);
  const auto received = engine->receive(queue, caller, {10, std::nullopt}, nullptr);
  EXPECT_EQ(received.seen, store->last());
  EXPECT_EQ(engine->receive(queue, caller, {}, nullptr).seen, received.seen);
  EXPECT_EQ(engine->delete_messages(queue, {"junk"}).seen, received.seen);
  const auto deleted = engine->delete_messages(queue, {received.result->front().receipt_handle});
  EXPECT_EQ(deleted.seen, store->last());
  EXPECT_EQ(engine->delete_messages(queue, {received.result->front().receipt_handle}).seen, deleted.seen);
  const auto changed = engine->change_visibility(queue, {{received.result->back().receipt_handle, Seconds(0)}});
  EXPECT_EQ(changed.seen, store->last());
  const auto purged = engine->purge(queue);
  EXPECT_EQ(purged.seen, store->last());
  EXPECT_EQ(engine->purge(queue).seen, purged.seen);
  // Another queue's records are not this one's.
  create("other");
  EXPECT_EQ(engine->get_attributes(queue, {}).seen, purged.seen);
  const auto gone = engine->delete_queue(queue);
  EXPECT_EQ(gone.seen, store->last());
  EXPECT_EQ(engine->receive(queue, caller, {}, nullptr).seen, gone.seen);
  EXPECT_EQ(engine->find(key()).seen, gone.seen);
}

TEST_F(DirectoryTest, TheStoresNewsArePassedOn) {
  store::Position durable;
  std::string failure;
  engine->set_commit_listener([&](store::Position p) { durable = p; }, [&](const Error& e) { failure = e.message; });
  create();
  EXPECT_EQ(durable, store->last());
  store->fail({ErrorKind::Io, "the disk died"});
  EXPECT_EQ(failure, "the disk died");
}

}  // namespace
}  // namespace ferry::engine
