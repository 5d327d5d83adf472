// Deduplication on FIFO queues: the window by itself, then what senders see of it.

#include "engine/deduplication.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;

// ---- the window by itself

constexpr std::int64_t kWindowMs = 300'000;

// Four billion sends are too many for a test: this sets the counter of ordinals. Naming a private member is allowed in an
// explicit instantiation.
template <auto member>
struct FirstOrdinal {
  friend void set_first_ordinal(DeduplicationWindow& window, std::uint32_t value) { (window.*member)->first = value; }
};
void set_first_ordinal(DeduplicationWindow& window, std::uint32_t value);
template struct FirstOrdinal<&DeduplicationWindow::entries_>;

FirstSent first_sent(std::uint64_t id, std::int64_t sent_ms, std::uint64_t sequence) {
  FirstSent first{{id, ~id}, sent_ms, sequence, {}};
  first.message_id.bytes[0] = static_cast<std::uint8_t>(sequence);
  first.message_id.bytes[15] = static_cast<std::uint8_t>(id);
  return first;
}

TEST(DeduplicationWindow, GivesBackWhatWasAdded) {
  DeduplicationWindow window;
  const FirstSent added = first_sent(0xFEDCBA9876543210, 1'700'000'000'123, 0x1122334455667788);
  window.add(added);
  const auto found = window.find(added.id, added.sent_ms + 1);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, added.id);
  EXPECT_EQ(found->sent_ms, added.sent_ms);
  EXPECT_EQ(found->sequence, added.sequence);
  EXPECT_EQ(found->message_id, added.message_id);
  EXPECT_EQ(window.find({added.id.high, 0}, added.sent_ms), std::nullopt);
  EXPECT_EQ(window.find({0, added.id.low}, added.sent_ms), std::nullopt);
}

TEST(DeduplicationWindow, EndsExactlyAfterFiveMinutes) {
  DeduplicationWindow window;
  window.add(first_sent(1, 1'000, 1));
  EXPECT_TRUE(window.find({1, ~1ULL}, 1'000 + kWindowMs - 1).has_value());
  EXPECT_EQ(window.find({1, ~1ULL}, 1'000 + kWindowMs), std::nullopt);
  EXPECT_EQ(window.next_forget_ms(), 1'000 + kWindowMs);
  EXPECT_FALSE(window.forget(1'000 + kWindowMs - 1, 10));
  EXPECT_EQ(window.size(), 1u);
  EXPECT_FALSE(window.forget(1'000 + kWindowMs, 10));
  EXPECT_EQ(window.size(), 0u);
  EXPECT_EQ(window.next_forget_ms(), std::nullopt);
}

// What is too old and not forgotten yet stands beside the newer one of the same id.
TEST(DeduplicationWindow, AnIdMayBeAddedAgainWhenItIsTooOld) {
  DeduplicationWindow window;
  for (std::uint64_t i = 1; i <= 5; ++i) window.add(first_sent(i, 0, i));
  window.add(first_sent(9, 1, 6));
  const std::int64_t later = kWindowMs + 10;
  window.add(first_sent(9, later, 7));  // forgets two of the six
  EXPECT_EQ(window.size(), 5u);
  EXPECT_EQ(window.find({9, ~9ULL}, later)->sequence, 7u);
  EXPECT_TRUE(window.forget(later, 1));
  EXPECT_FALSE(window.forget(later, 3));
  EXPECT_EQ(window.size(), 1u);
  EXPECT_EQ(window.find({9, ~9ULL}, later)->sequence, 7u);
}

TEST(DeduplicationWindow, IdsWithEqualFirstHalvesAreTold) {
  DeduplicationWindow window;
  for (std::uint64_t low = 0; low < 100; ++low) window.add({{7, low}, 5, low + 1, {}});
  for (std::uint64_t low = 0; low < 100; ++low) EXPECT_EQ(window.find({7, low}, 5)->sequence, low + 1);
  EXPECT_EQ(window.find({7, 100}, 5), std::nullopt);
  window.forget(5 + kWindowMs, 50);
  EXPECT_EQ(window.find({7, 10}, 5), std::nullopt);
  EXPECT_EQ(window.find({7, 60}, 5)->sequence, 61u);
}

// Times are kept in 32 bits of milliseconds.
TEST(DeduplicationWindow, TimeMayGoRound) {
  for (const std::int64_t round : {1, 2, 400}) {
    DeduplicationWindow window;
    const std::int64_t turn = round << 32;
    window.add(first_sent(1, turn - 100'000, 1));
    window.add(first_sent(2, turn - 1, 2));
    window.add(first_sent(3, turn, 3));
    window.add(first_sent(4, turn + 100'000, 4));
    for (std::uint64_t i = 1; i <= 4; ++i) EXPECT_TRUE(window.find({i, ~i}, turn + 100'000).has_value()) << i;
    EXPECT_EQ(window.find({1, ~1ULL}, turn + 100'000)->sent_ms, turn - 100'000);
    EXPECT_EQ(window.next_forget_ms(), turn + 200'000);
    EXPECT_FALSE(window.forget(turn + 200'000, 10));
    EXPECT_EQ(window.size(), 3u);
    EXPECT_EQ(window.find({2, ~2ULL}, turn + 299'998)->sent_ms, turn - 1);
    EXPECT_EQ(window.find({2, ~2ULL}, turn + 299'999), std::nullopt);
    EXPECT_TRUE(window.find({3, ~3ULL}, turn + 299'999).has_value());
  }
}

TEST(DeduplicationWindow, OrdinalsMayGoRound) {
  DeduplicationWindow window;
  set_first_ordinal(window, 0xFFFFFFFE);
  std::uint32_t begin = window.first_ordinal();
  for (std::uint64_t i = 1; i <= 6; ++i) window.add(first_sent(i, static_cast<std::int64_t>(i), i));
  for (std::uint64_t i = 1; i <= 6; ++i) EXPECT_EQ(window.find({i, ~i}, 6)->sequence, i);
  std::vector<std::uint64_t> copied;
  for (std::uint32_t from = begin;;) {
    const auto page = window.copy(from, 4);
    if (page.empty()) break;
    for (const FirstSent& first : page) copied.push_back(first.sequence);
  }
  EXPECT_EQ(copied, (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}));
  window.forget(3 + kWindowMs, 10);
  EXPECT_EQ(window.first_ordinal(), 1u);
  EXPECT_EQ(window.find({3, ~3ULL}, 6), std::nullopt);
  EXPECT_EQ(window.find({4, ~4ULL}, 6)->sequence, 4u);
  EXPECT_EQ(window.copy(begin, 10).size(), 3u);  // what was forgotten since is passed over
}

TEST(DeduplicationWindow, ACopyInPagesGoesOnWhereItWas) {
  DeduplicationWindow window;
  for (std::uint64_t i = 1; i <= 10; ++i) window.add(first_sent(i, static_cast<std::int64_t>(i), i));
  std::uint32_t from = window.first_ordinal();
  EXPECT_EQ(window.copy(from, 4).back().sequence, 4u);
  window.forget(6 + kWindowMs, 10);  // 1 to 6
  const auto next = window.copy(from, 3);
  EXPECT_EQ(next.front().sequence, 7u);
  window.add(first_sent(11, kWindowMs + 7, 11));
  EXPECT_EQ(window.copy(from, 10).back().sequence, 11u);
  EXPECT_TRUE(window.copy(from, 10).empty());
}

TEST(DeduplicationWindow, RestoresInAnyOrderAndOnce) {
  DeduplicationWindow window;
  window.restore(first_sent(3, 30, 3));
  window.restore(first_sent(1, 10, 1));
  window.restore(first_sent(3, 30, 3));
  window.restore(first_sent(2, 20, 2));
  window.restore_purge(1);
  window.restore(first_sent(4, 40 - kWindowMs, 4));
  window.settle(40);
  EXPECT_EQ(window.size(), 2u);
  EXPECT_EQ(window.find({1, ~1ULL}, 40), std::nullopt);
  EXPECT_EQ(window.find({2, ~2ULL}, 40)->sequence, 2u);
  EXPECT_EQ(window.find({4, ~4ULL}, 40), std::nullopt);
  EXPECT_EQ(window.next_forget_ms(), 20 + kWindowMs);
}

TEST(DeduplicationWindow, IsFreedInSlices) {
  DeduplicationWindow window;
  for (std::uint64_t i = 1; i <= 25; ++i) window.add(first_sent(i, 1, i));
  EXPECT_EQ(window.bytes(), 25u * 56);
  DeduplicationWindow grave;
  grave.swap(window);
  EXPECT_EQ(window.size(), 0u);
  EXPECT_EQ(window.find({1, ~1ULL}, 1), std::nullopt);
  EXPECT_TRUE(grave.free_slice(10));
  EXPECT_TRUE(grave.free_slice(10));
  EXPECT_FALSE(grave.free_slice(10));
  EXPECT_EQ(grave.bytes(), 0u);
}

TEST(IdentityHash, KeepsGroupsApart) {
  EXPECT_EQ(identity_hash("a"), identity_hash("a"));
  EXPECT_NE(identity_hash("a"), identity_hash("A"));
  EXPECT_NE(identity_hash("ab", "c"), identity_hash("a", "bc"));
  EXPECT_NE(identity_hash("a", "b"), identity_hash("ab"));
}

// ---- through the engine

class DeduplicationTest : public QueuesTest {
 protected:
  static sqs::TextMap by_group() { return {{"DeduplicationScope", "messageGroup"}}; }
  static sqs::TextMap by_content() { return {{"ContentBasedDeduplication", "true"}}; }
  static std::string content_id(std::string_view body) { return hex_encode(sha256(body)); }
  static SendCommand fifo_command(std::string_view group, std::string_view body) {
    SendCommand one = command(body);
    one.message_group_id = group;
    return one;
  }
  Sent send_by_content(const QueueRef& queue, std::string_view group, std::string_view body) {
    return *engine->send(queue, caller, {fifo_command(group, body)}).result->front();
  }
};

TEST_F(DeduplicationTest, ADuplicateIsAnsweredAndAddsNothing) {
  const QueueRef queue = create_fifo();
  const Sent first = send_to(queue, "a", "a1", "id");
  const auto before = store->last();
  const Sent again = send_to(queue, "a", "another body", "id");
  EXPECT_EQ(again.message_id, first.message_id);
  EXPECT_EQ(again.sequence_number, first.sequence_number);
  EXPECT_EQ(store->last(), before);
  EXPECT_NE(send_to(queue, "a", "a2", "ID").message_id, first.message_id);
  EXPECT_EQ(shown(queue), "a1 a2");
}

TEST_F(DeduplicationTest, TheAnswerOfADuplicateWaitsForTheFirst) {
  const QueueRef queue = create_fifo();
  store->set_sync_mode(store::SimulatedStore::SyncMode::OnDemand);
  SendCommand one = fifo_command("a", "a1");
  one.message_deduplication_id = "id";
  const auto first = engine->send(queue, caller, {one});
  const auto again = engine->send(queue, caller, {one});
  EXPECT_GE(again.seen, first.seen);
  EXPECT_GT(first.seen, store->durable());
}

TEST_F(DeduplicationTest, TheWindowIsFiveMinutesFromTheFirst) {
  for (const bool with_restart : {false, true}) {
    const std::string name = with_restart ? "r.fifo" : "n.fifo";
    create_fifo(name);
    const Sent first = send_to(find(name), "a", "a1", "id");
    clock.advance(Seconds(200));
    EXPECT_EQ(send_to(find(name), "a", "a2", "id").message_id, first.message_id);  // does not lengthen it
    clock.advance(Millis(99'999));
    tick();
    if (with_restart) restart_both_ways();
    EXPECT_EQ(send_to(find(name), "a", "a3", "id").message_id, first.message_id);
    clock.advance(Millis(1));
    const Sent fresh = send_to(find(name), "a", "a4", "id");
    EXPECT_NE(fresh.message_id, first.message_id);
    EXPECT_EQ(fresh.sequence_number, 2u);
    EXPECT_EQ(shown(find(name)), "a1 a4");
    clock.advance(Millis(299'999));
    EXPECT_EQ(send_to(find(name), "a", "a5", "id").message_id, fresh.message_id);
  }
}

TEST_F(DeduplicationTest, OutlivesTheMessage) {
  const QueueRef queue = create_fifo("q.fifo", {{"MessageRetentionPeriod", "60"}});
  const Sent deleted_one = send_to(queue, "a", "a1", "deleted");
  EXPECT_EQ(given(queue), "a1");
  ASSERT_TRUE(deleted(queue, {"a1"}));
  const Sent expired = send_to(queue, "a", "a2", "expired");
  clock.advance(Seconds(60));
  settle();
  EXPECT_EQ(shown(queue), "");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(send_to(fifo(), "a", "a3", "deleted").message_id, deleted_one.message_id);
    EXPECT_EQ(send_to(fifo(), "a", "a4", "expired").sequence_number, expired.sequence_number);
    restart_both_ways();
  }
  EXPECT_EQ(shown(fifo()), "");
}

TEST_F(DeduplicationTest, TheScopeIsTheQueueOrTheGroup) {
  struct Case {
    const char* name;
    sqs::TextMap attributes;
    std::string there;
  };
  const Case cases[] = {{"q.fifo", {}, "a1"}, {"g.fifo", by_group(), "a1 b1"}};
  for (const Case& one : cases) {
    create_fifo(one.name, one.attributes);
    send_to(find(one.name), "a", "a1", "id");
    send_to(find(one.name), "b", "b1", "id");
    send_to(find(one.name), "a", "a2", "id");
    EXPECT_EQ(shown(find(one.name)), one.there);
    restart_both_ways();
    send_to(find(one.name), "a", "a3", "id");
    send_to(find(one.name), "b", "b3", "id");
    EXPECT_EQ(shown(find(one.name)), one.there);
  }
}

TEST_F(DeduplicationTest, TheScopeIsThatOfTheCreation) {
  create_fifo("q.fifo");
  create_fifo("g.fifo", by_group());
  ASSERT_TRUE(engine->set_attributes(find("q.fifo"), by_group()).result.has_value());
  ASSERT_TRUE(engine->set_attributes(find("g.fifo"), {{"DeduplicationScope", "queue"}}).result.has_value());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(attribute(find("q.fifo"), "DeduplicationScope"), "messageGroup");
    EXPECT_EQ(attribute(find("g.fifo"), "DeduplicationScope"), "queue");
    for (const char* name : {"q.fifo", "g.fifo"}) {
      send_to(find(name), "a", "a1", "id");
      send_to(find(name), "b", "b1", "id");
    }
    EXPECT_EQ(shown(find("q.fifo")), "a1");
    EXPECT_EQ(shown(find("g.fifo")), "a1 b1");
    restart_both_ways();
  }
}

TEST_F(DeduplicationTest, TheContentMayBeTheId) {
  const QueueRef queue = create_fifo("q.fifo", by_content());
  const Sent first = send_by_content(queue, "a", "a1");
  EXPECT_EQ(send_by_content(queue, "b", "a1").message_id, first.message_id);  // whatever the group
  const sqs::MessageAttributes attributes = {{"k", {"String", "v", std::nullopt}}};
  SendCommand with_attributes = fifo_command("a", "a1");
  const std::string md5(16, 'm');
  with_attributes.message_attributes = &attributes;
  with_attributes.md5_of_message_attributes = md5;
  EXPECT_EQ(engine->send(queue, caller, {with_attributes}).result->front()->message_id, first.message_id);
  EXPECT_NE(send_by_content(queue, "a", "a2").message_id, first.message_id);
  const auto payload = store->read_now(receive(queue, 1).front().location);
  EXPECT_EQ(decode_message(payload->bytes)->message_deduplication_id, content_id("a1"));
}

TEST_F(DeduplicationTest, AnExplicitIdBeatsTheContentAndMayEqualIt) {
  const QueueRef queue = create_fifo("q.fifo", by_content());
  send_to(queue, "a", "a1", "explicit");
  send_by_content(queue, "a", "a1");
  EXPECT_EQ(shown(queue), "a1 a1");
  const Sent explicit_hash = send_to(queue, "a", "a2", content_id("a3"));
  EXPECT_EQ(send_by_content(queue, "a", "a3").message_id, explicit_hash.message_id);
  EXPECT_EQ(shown(queue), "a1 a1 a2");
}

TEST_F(DeduplicationTest, WithoutContentAnIdIsRequired) {
  const QueueRef queue = create_fifo();
  const auto answer = engine->send(queue, caller, {fifo_command("a", "a1")});
  EXPECT_EQ(code_of(answer.result), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(text_of(answer.result),
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly");
  ASSERT_TRUE(engine->set_attributes(queue, by_content()).result.has_value());
  send_by_content(queue, "a", "a1");
  EXPECT_EQ(shown(queue), "a1");
}

TEST_F(DeduplicationTest, APurgeForgetsAllIds) {
  create_fifo();
  const Sent before = send_to(fifo(), "a", "a1", "id");
  ASSERT_TRUE(engine->purge(fifo()).result.has_value());
  const Sent after = send_to(fifo(), "a", "a2", "id");
  EXPECT_NE(after.message_id, before.message_id);
  for (int i = 0; i < 2; ++i) {
    restart_both_ways();
    EXPECT_EQ(send_to(fifo(), "a", "a3", "id").message_id, after.message_id);
  }
  EXPECT_EQ(shown(fifo()), "a2");
}

TEST_F(DeduplicationTest, APurgeIsNotUndoneByARestart) {
  create_fifo();
  send_to(fifo(), "a", "a1", "id");
  ASSERT_TRUE(store->checkpoint().has_value());
  ASSERT_TRUE(engine->purge(fifo()).result.has_value());
  restart();
  send_to(fifo(), "a", "a2", "id");
  EXPECT_EQ(shown(fifo()), "a2");
}

TEST_F(DeduplicationTest, ANewQueueOfTheNameKnowsNoIds) {
  options.enforce_deletion_wait = false;
  restart();
  send_to(create_fifo(), "a", "a1", "id");
  engine->delete_queue(fifo());
  create_fifo();
  for (int i = 0; i < 2; ++i) {
    send_to(fifo(), "a", "a2", "id");
    EXPECT_EQ(shown(fifo()), "a2");
    restart_both_ways();
  }
}

TEST_F(DeduplicationTest, InsideABatchTheFirstOneCounts) {
  const QueueRef queue = create_fifo("q.fifo", by_content());
  const Sent before = send_by_content(queue, "a", "a1");
  const auto answer = engine->send(queue, caller,
                                   {fifo_command("a", "a2"), fifo_command("a", "a1"), fifo_command("b", "a2"),
                                    fifo_command("a", "a3"), fifo_command("a", "a3")},
                                   SendForm::BatchEntries);
  const auto& results = *answer.result;
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(results[1]->message_id, before.message_id);
  EXPECT_EQ(results[2]->message_id, results[0]->message_id);
  EXPECT_EQ(results[2]->sequence_number, results[0]->sequence_number);
  EXPECT_EQ(results[4]->message_id, results[3]->message_id);
  EXPECT_EQ(results[0]->sequence_number, 2u);
  EXPECT_EQ(results[3]->sequence_number, 3u);
  EXPECT_EQ(shown(queue), "a1 a2 a3");
}

TEST_F(DeduplicationTest, RefusedMessagesLeaveNothing) {
  struct Case {
    const char* name;
    std::function<void()> refuse;
    std::function<void()> allow;
    std::string body;
  };
  const Case cases[] = {
      {"too long", [] {}, [] {}, std::string(1'025, 'x')},
      {"no room", [&] { store->set_reserve_error(store::Purpose::Growth, ErrorKind::NoSpace); },
       [&] { store->set_reserve_error(store::Purpose::Growth, std::nullopt); }, "a1"},
      {"the store is busy", [&] { store->set_reserve_error(store::Purpose::Growth, ErrorKind::Unavailable); },
       [&] { store->set_reserve_error(store::Purpose::Growth, std::nullopt); }, "a1"},
  };
  const QueueRef queue = create_fifo("q.fifo", {{"MaximumMessageSize", "1024"}});
  std::uint64_t number = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    one.refuse();
    SendCommand good = fifo_command("a", "good");
    const std::string good_id = std::string("good") + one.name;
    const std::string bad_id = std::string("bad") + one.name;
    good.message_deduplication_id = good_id;
    SendCommand bad = fifo_command("a", one.body);
    bad.message_deduplication_id = bad_id;
    const auto memory = engine->totals().index_bytes;
    EXPECT_FALSE(engine->send(queue, caller, {good, bad}, SendForm::BatchEntries).result.has_value());
    EXPECT_EQ(engine->totals().index_bytes, memory);
    one.allow();
    for (const std::string& id : {good_id, bad_id}) EXPECT_EQ(send_to(queue, "a", "now", id).sequence_number, ++number);
  }
}

TEST_F(DeduplicationTest, AThrottledSendLeavesNothing) {
  const QueueRef queue = create_fifo();
  const auto memory = engine->totals().index_bytes;
  options.index_bytes_max = memory + 63;
  restart();
  SendCommand one = fifo_command("a", "a1");
  one.message_deduplication_id = "id";
  EXPECT_EQ(code_of(engine->send(fifo(), caller, {one}).result), ErrorCode::RequestThrottled);
  options.index_bytes_max = 0;
  restart();
  EXPECT_EQ(send_to(fifo(), "a", "a1", "id").sequence_number, 1u);
}

TEST_F(DeduplicationTest, AMessageThatWasLostWithTheMachineLeavesNothing) {
  create_fifo();
  store->set_sync_mode(store::SimulatedStore::SyncMode::OnDemand);
  send_to(fifo(), "a", "a1", "id");
  restart();
  send_to(fifo(), "a", "a2", "id");
  EXPECT_EQ(shown(fifo()), "a2");
}

TEST_F(DeduplicationTest, TheMemoryOfOldIdsComesBack) {
  const QueueRef queue = create_fifo();
  for (int i = 0; i < 3'000; ++i) send_to(queue, "a", "x");
  engine->purge(queue);
  settle();
  const auto empty = engine->totals().index_bytes;
  for (int i = 0; i < 3'000; ++i) {
    send_to(queue, "a", "x");
    ASSERT_TRUE(remove(queue, receive(queue, 1).front().receipt_handle).has_value());
  }
  EXPECT_GT(engine->totals().index_bytes, empty + 3'000 * 44);
  clock.advance(Seconds(300));
  settle();
  EXPECT_LT(engine->totals().index_bytes, empty + 10'000);
}

TEST_F(DeduplicationTest, ACheckpointOfManyIdsHasSmallPieces) {
  create_fifo();
  for (int i = 0; i < 3'000; ++i) send_to(fifo(), "a", "x", "id" + std::to_string(i));
  ASSERT_TRUE(store->checkpoint().has_value());
  restart();
  EXPECT_LE(store->records_to_replay(), 1u);
  for (int i = 0; i < 3'000; i += 500) {
    EXPECT_EQ(send_to(fifo(), "a", "y", "id" + std::to_string(i)).sequence_number, static_cast<std::uint64_t>(i + 1));
  }
  expect_counts(fifo(), 3'000, 0, 0);
}

}  // namespace
}  // namespace ferry::engine
