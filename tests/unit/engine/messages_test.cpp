// Sending, receiving, visibility, deleting, delay, retention, limits.

#include <algorithm>
#include <set>

#include "base/encoding.h"
#include "engine_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;
using Strings = std::vector<std::string>;

class MessagesTest : public EngineTest {};

TEST_F(MessagesTest, WhatWasSentComesBackWhole) {
  const QueueRef queue = create();
  const sqs::MessageAttributes attributes = {{"Enable", {"String", "All The Things", std::nullopt}},
                                             {"Raw", {"Binary.x", std::nullopt, std::string("\0\xff", 2)}}};
  const sqs::MessageAttributes system = {{"AWSTraceHeader", {"String", "Root=1-5759e988", std::nullopt}}};
  const std::string md5_a(16, 'a');
  const std::string md5_b(16, 'b');
  SendCommand one = command("body text", attributes);
  one.message_system_attributes = &system;
  one.md5_of_body = md5_a;
  one.md5_of_message_attributes = md5_b;
  clock.jump_wall(Millis(777));
  const auto sent = engine->send(queue, caller, {one});
  clock.advance(Seconds(2));
  const auto taken = receive(queue);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].receive_count, 1u);
  EXPECT_EQ(taken[0].first_received, clock.wall());
  const auto payload = store->read_now(taken[0].location);
  ASSERT_TRUE(payload.has_value());
  const auto message = decode_message(payload->bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->message_id, sent.result->front()->message_id);
  EXPECT_EQ(message->sequence, taken[0].sequence);
  EXPECT_EQ(message->sent, from_epoch_millis(1'700'000'000'777));  // SentTimestamp is of the wall clock
  EXPECT_EQ(message->sender, "AKIAEXAMPLE");
  EXPECT_EQ(message->source_address, "127.0.0.1");
  EXPECT_EQ(message->md5_of_body, md5_a);
  EXPECT_EQ(message->md5_of_message_attributes, md5_b);
  EXPECT_EQ(message->message_attributes, attributes);
  EXPECT_EQ(message->system_attributes, system);
  EXPECT_EQ(message->body, "body text");
}

TEST_F(MessagesTest, AReceiveHidesForTheVisibilityTimeout) {
  const QueueRef queue = create("q", {{"VisibilityTimeout", "10"}});
  send(queue, "x");
  const auto first = receive(queue).front();
  expect_counts(queue, 0, 1, 0);
  clock.advance(Millis(9'999));
  EXPECT_TRUE(receive(queue).empty());
  clock.advance(Millis(1));
  expect_counts(queue, 1, 0, 0);
  const auto second = receive(queue, 1, Seconds(3)).front();
  EXPECT_EQ(second.receive_count, 2u);
  EXPECT_EQ(second.first_received, first.first_received);
  EXPECT_NE(second.receipt_handle, first.receipt_handle);
  clock.advance(Seconds(3));
  EXPECT_EQ(receive(queue).front().receive_count, 3u);
}

TEST_F(MessagesTest, AVisibilityTimeoutOfZeroCountsAndHidesNothing) {
  const QueueRef queue = create();
  send(queue, "x");
  const auto first = receive(queue, 1, Seconds(0)).front();
  expect_counts(queue, 1, 0, 0);
  EXPECT_EQ(receive(queue, 1, Seconds(0)).front().receive_count, 2u);
  restart();
  EXPECT_EQ(receive(find(), 1, Seconds(0)).front().receive_count, 3u);
  EXPECT_TRUE(remove(find(), first.receipt_handle).has_value());
  expect_counts(find(), 0, 0, 0);
}

TEST_F(MessagesTest, ReceivesAsManyAsAskedForInTheOrderOfSending) {
  const QueueRef queue = create();
  send_many(queue, 5);
  EXPECT_EQ(bodies(receive(queue, 3)), (Strings{"0", "1", "2"}));
  EXPECT_EQ(bodies(receive(queue, 3)), (Strings{"3", "4"}));
}

TEST_F(MessagesTest, WhatReappearsComesBeforeNewerMessages) {
  const QueueRef queue = create();
  send_many(queue, 200);
  const auto taken = receive(queue, 2, Seconds(5));
  clock.advance(Seconds(5));
  EXPECT_EQ(bodies(receive(queue, 3)), (Strings{"0", "1", "2"}));
}

TEST_F(MessagesTest, OldHandlesKeepWorking) {
  const QueueRef queue = create();
  send(queue, "x");
  const auto h1 = receive(queue, 1, Seconds(0)).front().receipt_handle;
  const auto h2 = receive(queue, 1, Seconds(3)).front().receipt_handle;
  EXPECT_TRUE(change(queue, h1, Seconds(0)).has_value());
  const auto h3 = receive(queue, 1).front().receipt_handle;
  EXPECT_TRUE(remove(queue, h2).has_value());
  expect_counts(queue, 0, 0, 0);
  EXPECT_TRUE(remove(queue, h3).has_value());
}

TEST_F(MessagesTest, AnExpiredHandleStillDeletesAndHides) {
  const QueueRef queue = create();
  send_many(queue, 2);
  const auto taken = receive(queue, 2, Seconds(1));
  clock.advance(Seconds(5));
  expect_counts(queue, 2, 0, 0);
  EXPECT_TRUE(change(queue, taken[0].receipt_handle, Seconds(10)).has_value());
  EXPECT_TRUE(remove(queue, taken[1].receipt_handle).has_value());
  EXPECT_TRUE(receive(queue).empty());
  expect_counts(queue, 0, 1, 0);
}

TEST_F(MessagesTest, HandlesThatWereNeverGivenOutAreInvalid) {
  const QueueRef queue = create();
  const QueueRef other = create("other");
  send(queue, "x");
  send(other, "y");
  const std::string handle = receive(queue).front().receipt_handle;
  const std::string foreign = receive(other).front().receipt_handle;
  std::string forged = handle;
  forged[20] = forged[20] == 'A' ? 'B' : 'A';
  for (const std::string& bad : {std::string("junk"), std::string(), foreign, forged, handle + "=", handle.substr(1)}) {
    EXPECT_EQ(code_of(remove(queue, bad)), ErrorCode::ReceiptHandleIsInvalid);
    EXPECT_EQ(code_of(change(queue, bad, Seconds(1))), ErrorCode::ReceiptHandleIsInvalid);
    EXPECT_EQ(text_of(remove(queue, bad)), "The input receipt handle \"" + bad + "\" is not a valid receipt handle.");
  }
  expect_counts(queue, 0, 1, 0);
  EXPECT_TRUE(remove(queue, handle).has_value());
}

TEST_F(MessagesTest, ADeletedMessageDeletesAgainButDoesNotChange) {
  const QueueRef queue = create();
  send(queue, "x");
  const std::string handle = receive(queue).front().receipt_handle;
  EXPECT_TRUE(remove(queue, handle).has_value());
  EXPECT_TRUE(remove(queue, handle).has_value());
  const auto changed = change(queue, handle, Seconds(5));
  EXPECT_EQ(code_of(changed), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(text_of(changed),
            "Value " + handle +
                " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for "
                "visibility timeout change.");
  EXPECT_EQ(store->live_bodies(), 0u);
}

TEST_F(MessagesTest, ABatchOfDeletionsAnswersEachHandle) {
  const QueueRef queue = create();
  send_many(queue, 2);
  const auto taken = receive(queue, 2);
  const auto answer =
      engine->delete_messages(queue, {taken[0].receipt_handle, "junk", taken[0].receipt_handle, taken[1].receipt_handle});
  ASSERT_EQ(answer.result->size(), 4u);
  EXPECT_TRUE((*answer.result)[0].has_value());
  EXPECT_EQ(code_of((*answer.result)[1]), ErrorCode::ReceiptHandleIsInvalid);
  EXPECT_TRUE((*answer.result)[2].has_value());
  EXPECT_TRUE((*answer.result)[3].has_value());
  EXPECT_EQ(store->live_bodies(), 0u);
  restart();
  expect_counts(find(), 0, 0, 0);
}

TEST_F(MessagesTest, ABatchOfChangesAnswersEachHandle) {
  const QueueRef queue = create();
  send_many(queue, 2);
  const auto taken = receive(queue, 2);
  const auto answer = engine->change_visibility(queue, {{taken[0].receipt_handle, Seconds(0)},
                                                        {"junk", Seconds(1)},
                                                        {taken[1].receipt_handle, Seconds(100)},
                                                        {taken[0].receipt_handle, Seconds(7)}});
  EXPECT_TRUE((*answer.result)[0].has_value());
  EXPECT_EQ(code_of((*answer.result)[1]), ErrorCode::ReceiptHandleIsInvalid);
  EXPECT_TRUE((*answer.result)[2].has_value());
  EXPECT_TRUE((*answer.result)[3].has_value());
  expect_counts(queue, 0, 2, 0);
  clock.advance(Seconds(7));
  expect_counts(queue, 1, 1, 0);
  restart();
  expect_counts(find(), 1, 1, 0);
}

TEST_F(MessagesTest, TwelveHoursInTotalSinceTheReceive) {
  const QueueRef queue = create();
  send(queue, "x");
  const std::string handle = receive(queue).front().receipt_handle;
  EXPECT_TRUE(change(queue, handle, Seconds(43'200)).has_value());
  clock.advance(Millis(1));
  const auto refused = change(queue, handle, Seconds(43'200));
  EXPECT_EQ(code_of(refused), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(text_of(refused),
            "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is "
            "beyond the limit [43200 seconds].");
  clock.advance(Millis(999));
  EXPECT_TRUE(change(queue, handle, Seconds(43'199)).has_value());
  clock.advance(Seconds(43'199));
  EXPECT_TRUE(change(queue, handle, Seconds(0)).has_value());
  const std::string fresh = receive(queue).front().receipt_handle;
  EXPECT_TRUE(change(queue, fresh, Seconds(43'200)).has_value());
}

TEST_F(MessagesTest, DelaysOfTheMessageOverrideTheQueues) {
  const QueueRef queue = create("q", {{"DelaySeconds", "10"}});
  send(queue, "at once", Seconds(0));
  send(queue, "queue's");
  send(queue, "own", Seconds(5));
  expect_counts(queue, 1, 0, 2);
  ASSERT_TRUE(engine->set_attributes(queue, {{"DelaySeconds", "0"}}).result.has_value());
  expect_counts(queue, 1, 0, 2);  // not retroactive
  EXPECT_EQ(bodies(receive(queue)), Strings{"at once"});
  clock.advance(Millis(4'999));
  EXPECT_TRUE(receive(queue).empty());
  clock.advance(Millis(1));
  EXPECT_EQ(bodies(receive(queue)), Strings{"own"});
  clock.advance(Seconds(5));
  EXPECT_EQ(bodies(receive(queue)), Strings{"queue's"});
  restart();
  expect_counts(find(), 0, 3, 0);
}

TEST_F(MessagesTest, TheQueuesMaximumSizeCountsBodyAndAttributes) {
  const QueueRef queue = create("q", {{"MaximumMessageSize", "1024"}});
  const sqs::MessageAttributes attributes = {{"k", {"String", "x", std::nullopt}}};  // 1 + 6 + 1 bytes
  const std::string fits(1'016, 'b');
  const std::string over(1'017, 'b');
  EXPECT_TRUE(engine->send(queue, caller, {command(fits, attributes)}).result->front().has_value());
  const auto refused = engine->send(queue, caller, {command(over, attributes)});
  EXPECT_EQ(code_of(refused.result->front()), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(text_of(refused.result->front()),
            "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.");
  const auto batch = engine->send(queue, caller, {command("a"), command(over, attributes), command("b")}, SendForm::BatchEntries);
  EXPECT_TRUE((*batch.result)[0].has_value());
  EXPECT_EQ(text_of((*batch.result)[1]),
            "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.");
  EXPECT_TRUE((*batch.result)[2].has_value());
  expect_counts(queue, 3, 0, 0);
}

TEST_F(MessagesTest, ABatchIsOneReservation) {
  store->set_sync_mode(store::SimulatedStore::SyncMode::OnDemand);
  const QueueRef queue = create();
  store->sync_all();
  engine->send(queue, caller, {command("a"), command("b"), command("c")});
  ASSERT_TRUE(store->step());
  EXPECT_FALSE(store->step());
}

TEST_F(MessagesTest, RetentionTakesVisibleDelayedAndInFlight) {
  const QueueRef queue = create("q", {{"MessageRetentionPeriod", "60"}});
  send(queue, "in flight");
  const std::string handle = receive(queue, 1, Seconds(1000)).front().receipt_handle;
  send(queue, "visible");
  send(queue, "delayed", Seconds(900));
  clock.advance(Seconds(1));
  send(queue, "younger");
  clock.advance(Millis(58'999));
  expect_counts(queue, 2, 1, 1);
  clock.advance(Millis(1));
  EXPECT_EQ(bodies(receive(queue)), Strings{"younger"});
  expect_counts(queue, 0, 1, 0);
  EXPECT_TRUE(remove(queue, handle).has_value());
  EXPECT_EQ(code_of(change(queue, handle, Seconds(0))), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(store->live_bodies(), 1u);
}

TEST_F(MessagesTest, ExpiredMessagesStayExpiredWhenTheRetentionIsRaised) {
  const QueueRef queue = create("q", {{"MessageRetentionPeriod", "60"}});
  send(queue, "old");
  clock.advance(Seconds(60));
  ASSERT_TRUE(engine->set_attributes(queue, {{"MessageRetentionPeriod", "1209600"}}).result.has_value());
  send(queue, "new");
  EXPECT_EQ(bodies(receive(queue, 10, Seconds(0))), Strings{"new"});
  restart();
  EXPECT_EQ(bodies(receive(find())), Strings{"new"});
}

TEST_F(MessagesTest, LoweringTheRetentionExpiresInSlicesWithOneRecord) {
  const QueueRef queue = create();
  send_many(queue, 2'500);
  clock.advance(Seconds(100));
  send(queue, "young");
  engine->set_attributes(queue, {{"MessageRetentionPeriod", "60"}});
  const auto before = store->last();
  engine->tick();
  EXPECT_EQ(store->live_bodies(), 1'501u);
  // In the middle of it nothing expired is given out, and a restart does not bring it back.
  const auto taken = receive(queue, 1, Seconds(0));
  for (const auto& delivery : taken) EXPECT_EQ(body_of(delivery), "young");
  EXPECT_LE(store->last().value, before.value + 2);
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();
  expect_counts(find(), 1, 0, 0);
  EXPECT_EQ(store->live_bodies(), 1u);
}

TEST_F(MessagesTest, CountsAreExactInTheMiddleOfAMassExpiry) {
  const QueueRef queue = create();
  send_many(queue, 2'500);
  clock.advance(Seconds(100));
  send(queue, "young");
  engine->set_attributes(queue, {{"MessageRetentionPeriod", "60"}});
  expect_counts(queue, 1, 0, 0);
}

TEST_F(MessagesTest, AnExpiredMessageDoesNotChangeInTheMiddleOfAMassExpiry) {
  const QueueRef queue = create();
  send_many(queue, 2'500);
  std::vector<Delivery> taken;
  while (taken.empty() || taken.back().sequence < 2'400) taken = receive(queue, 10, Seconds(1'000));
  clock.advance(Seconds(100));
  ASSERT_TRUE(engine->set_attributes(queue, {{"MessageRetentionPeriod", "60"}}).result.has_value());
  EXPECT_EQ(code_of(change(queue, taken.back().receipt_handle, Seconds(0))), ErrorCode::InvalidParameterValue);
  EXPECT_TRUE(remove(queue, taken.back().receipt_handle).has_value());
  expect_counts(queue, 0, 0, 0);
}

TEST_F(MessagesTest, ExpiryWithoutRoomWaitsAndTickDoesNotSpin) {
  const QueueRef queue = create("q", {{"MessageRetentionPeriod", "60"}});
  send(queue, "x");
  clock.advance(Seconds(60));
  store->set_reserve_error(store::Purpose::Upkeep, ErrorKind::Unavailable);
  const auto due = engine->tick();
  ASSERT_TRUE(due.has_value());
  EXPECT_GT(*due, engine->now());
  EXPECT_EQ(store->live_bodies(), 1u);
  store->set_reserve_error(store::Purpose::Upkeep, std::nullopt);
  clock.advance(Seconds(1));
  settle();
  EXPECT_EQ(store->live_bodies(), 0u);
}

TEST_F(MessagesTest, TickExpiresWithoutAnyoneAsking) {
  const QueueRef queue = create("q", {{"MessageRetentionPeriod", "60"}});
  send_many(queue, 10);
  clock.advance(Seconds(59));
  settle();
  EXPECT_EQ(store->live_bodies(), 10u);
  clock.advance(Seconds(1));
  settle();
  EXPECT_EQ(store->live_bodies(), 0u);
  EXPECT_EQ(engine->totals().messages, 0u);
}

TEST_F(MessagesTest, TheInFlightLimitIsExact) {
  options.in_flight_max = 3;
  restart();
  const QueueRef queue = create();
  send_many(queue, 5);
  EXPECT_EQ(receive(queue, 2).size(), 2u);
  const auto last = receive(queue, 10);
  EXPECT_EQ(last.size(), 1u);
  EXPECT_EQ(code_of(engine->receive(queue, caller, {}, nullptr).result), ErrorCode::OverLimit);
  EXPECT_TRUE(remove(queue, last[0].receipt_handle).has_value());
  EXPECT_EQ(receive(queue, 10).size(), 1u);
  clock.advance(Seconds(30));
  EXPECT_EQ(receive(queue, 10).size(), 3u);
}

TEST_F(MessagesTest, SendsAreThrottledAtTheBoundOfTheIndex) {
  options.index_bytes_max = 100'000;
  restart();
  const QueueRef queue = create();
  int sent = 0;
  while (sent < 5'000 && engine->send(queue, caller, {command("x")}).result.has_value()) ++sent;
  EXPECT_GT(sent, 1'500);
  EXPECT_LT(sent, 3'000);
  EXPECT_LE(engine->totals().index_bytes, 100'000u + 2'700u);  // the memory of chunks comes in steps
  EXPECT_EQ(code_of(engine->send(queue, caller, {command("x")}).result), ErrorCode::RequestThrottled);
  for (int i = 0; i < 20; ++i) {
    for (const Delivery& delivery : receive(queue)) EXPECT_TRUE(remove(queue, delivery.receipt_handle).has_value());
  }
  EXPECT_TRUE(engine->send(queue, caller, {command("x")}).result.has_value());
}

TEST_F(MessagesTest, MessagesCostWhatTheDesignAllows) {
  const QueueRef queue = create();
  send_many(queue, 20'000);
  EXPECT_LE(engine->totals().index_bytes, 20'000u * 64);
  for (int i = 0; i < 1'000; ++i) receive(queue);
  EXPECT_LE(engine->totals().index_bytes, 10'000u * 64 + 10'000u * 160);
}

TEST_F(MessagesTest, AQuarantinedMessageIsNeverServedAndNeverDeleted) {
  const QueueRef queue = create("q", {{"MessageRetentionPeriod", "60"}});
  send(queue, "damaged");
  send(queue, "sound");
  const auto taken = receive(queue, 1, Seconds(1)).front();
  EXPECT_FALSE(engine->quarantine(queue, taken.sequence, taken.location).has_value());
  EXPECT_EQ(engine->totals().quarantined, 1u);
  EXPECT_EQ(engine->totals().messages, 1u);
  expect_counts(queue, 1, 0, 0);
  EXPECT_TRUE(remove(queue, taken.receipt_handle).has_value());
  EXPECT_EQ(code_of(change(queue, taken.receipt_handle, Seconds(0))), ErrorCode::InvalidParameterValue);
  clock.advance(Seconds(10));
  EXPECT_EQ(bodies(receive(queue)), Strings{"sound"});
  EXPECT_EQ(store->live_bodies(), 2u);
  restart();
  EXPECT_EQ(engine->totals().quarantined, 1u);
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();
  EXPECT_EQ(engine->totals().quarantined, 1u);
  clock.advance(Seconds(100));
  settle();
  EXPECT_EQ(store->live_bodies(), 1u);  // retention does not take it
  expect_counts(find(), 0, 0, 0);
  engine->purge(find());
  settle();
  EXPECT_EQ(engine->totals().quarantined, 0u);
  EXPECT_EQ(store->live_bodies(), 0u);
  restart();
  EXPECT_EQ(engine->totals().quarantined, 0u);
}

TEST_F(MessagesTest, AMovedMessageIsNotQuarantined) {
  const QueueRef queue = create();
  send(queue, "x");
  const auto taken = receive(queue).front();
  store->compact();
  const auto now_at = engine->quarantine(queue, taken.sequence, taken.location);
  ASSERT_TRUE(now_at.has_value());
  EXPECT_NE(now_at->location, taken.location);
  EXPECT_EQ(now_at->written_as, taken.written_as);
  EXPECT_EQ(decode_message(store->read_now(now_at->location)->bytes)->body, "x");
  EXPECT_EQ(engine->totals().quarantined, 0u);
}

}  // namespace
}  // namespace ferry::engine
