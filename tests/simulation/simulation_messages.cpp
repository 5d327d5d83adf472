// Operations on messages.

#include <algorithm>

#include "base/digest.h"
#include "engine/records.h"
#include "simulation.h"

namespace ferry::simulation {
namespace {

std::string hex_of(const Sha256Digest& digest) {
  std::string hex;
  for (const std::uint8_t byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace

// ---- sending

ReferenceModel::Send Simulation::some_message(const std::string& name) {
  ReferenceModel::Send message;
  message.body = "m" + std::to_string(++bodies_);
  if (chance(30)) message.body.resize(1'024, '.');
  if (is_fifo(name)) {
    message.group = "g" + std::to_string(below(5));
    if (chance(3)) message.body = "same" + std::to_string(below(8));
    const ModelQueue* const queue = model_.find(name);
    if (queue == nullptr || !queue->attributes.content_based_deduplication || chance(2)) {
      message.deduplication_id = chance(4) ? "d" + std::to_string(below(8)) : "u" + std::to_string(bodies_);
      if (chance(20)) message.deduplication_id = hex_of(sha256("same" + std::to_string(below(8))));
    }
    if (chance(20)) message.delay = 0;
    return message;
  }
  if (chance(4)) message.delay = one_of({0, 5, 10});
  if (name.starts_with("fair")) {
    if (!chance(8)) message.group = "t" + std::to_string(chance(2) ? 0 : below(14));
  } else if (chance(4)) {
    message.group = "solo";
  }
  return message;
}

// Everything else that is wrong with a message is refused before the engine is asked.
void Simulation::spoil(ReferenceModel::Send& message) {
  if (chance(2))
    message.body.resize(1'025, '.');
  else
    message.deduplication_id.reset();
}

void Simulation::send() {
  const bool is_batch = chance(3);
  send(some_name(), is_batch ? 1 + below(10) : 1, is_batch);
}

void Simulation::send(const std::string& name, std::size_t messages, bool is_batch) {
  const auto queue = find(name);
  if (queue == nullptr) return;
  static const sqs::MessageAttributes none;
  static const std::string md5(16, 'm');
  std::vector<ReferenceModel::Send> sends;
  for (std::size_t i = 0; i < messages; ++i) sends.push_back(some_message(name));
  if (chance(25)) spoil(sends[below(messages)]);
  std::vector<engine::SendCommand> commands;
  for (const ReferenceModel::Send& one : sends) {
    engine::SendCommand& command = commands.emplace_back();
    command.body = one.body;
    if (one.delay) command.delay = Seconds(*one.delay);
    if (one.group) command.message_group_id = *one.group;
    if (one.deduplication_id) command.message_deduplication_id = *one.deduplication_id;
    command.message_attributes = command.message_system_attributes = &none;
    command.md5_of_body = md5;
  }
  const bool full = chance(60);
  if (full) store_->set_reserve_error(store::Purpose::Growth, ErrorKind::NoSpace);
  const store::Position before = store_->last();
  const auto answer =
      engine_->send(queue, caller_, commands, is_batch ? engine::SendForm::BatchEntries : engine::SendForm::Single);
  store_->set_reserve_error(store::Purpose::Growth, std::nullopt);
  saw(name, answer.seen);
  if (!answer.result && code_of(answer.result.error()) == "ServiceUnavailable") {
    EXPECT_TRUE(full);
    return count("send", "ServiceUnavailable");
  }
  for (std::size_t i = 0; answer.result && i < messages; ++i) {
    if ((*answer.result)[i]) sends[i].id = (*answer.result)[i]->message_id;
  }
  const auto expected = model_.send(name, sends, is_batch, now(), wall());
  for (std::size_t i = 0; i < messages; ++i) {
    trace("send " + name + " " + sends[i].body.substr(0, 20) + " group " + sends[i].group.value_or("-") + " -> " +
          std::to_string(expected[i].sequence) + (expected[i].is_duplicate ? " duplicate " : " ") + expected[i].failure.code);
  }
  std::uint64_t added = 0;
  for (std::size_t i = 0; i < messages; ++i) {
    const ReferenceModel::Sent& sent = expected[i];
    const std::string what = "send to " + name + ", entry " + std::to_string(i);
    count("send", sent.failure.code);
    if (!answer.result) {
      agree(answer.result, sent.failure, what);
      continue;
    }
    agree((*answer.result)[i], sent.failure, what);
    if (sent.failure.any() || !(*answer.result)[i]) continue;
    EXPECT_EQ((*answer.result)[i]->message_id, *sent.id) << what;
    EXPECT_EQ((*answer.result)[i]->sequence_number, is_fifo(name) ? std::optional(sent.sequence) : std::nullopt) << what;
    added += sent.is_duplicate ? 0 : 1;
  }
  EXPECT_FALSE(full && added > 0);
  if (added > 0) {
    EXPECT_EQ(answer.seen, store_->last());
    seen_[name] = answer.seen;
  } else if (is_punctual_) {  // else something may have expired
    EXPECT_EQ(before, store_->last()) << "nothing was sent, but something was written";
  }
  remember(before, added);
}

// ---- receiving

void Simulation::receive() {
  const std::string name = some_name();
  // A poll that was woken comes back as the same waiter.
  std::shared_ptr<Sleeper> waiter;
  if (chance(3)) {
    waiter = std::make_shared<Sleeper>();
    for (std::size_t i = 0; i < polls_.size(); ++i) {
      if (polls_[i].name != name || !polls_[i].waiter->woken) continue;
      waiter = polls_[i].waiter;
      polls_.erase(polls_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
    waiter->woken = false;
  }
  std::optional<std::int64_t> timeout;
  if (chance(2)) timeout = one_of({0, 0, 15, 30});
  receive(name, waiter, timeout, 1 + below(10));
}

void Simulation::receive(const std::string& name, const std::shared_ptr<Sleeper>& waiter, std::optional<std::int64_t> timeout,
                         std::size_t max) {
  const auto queue = find(name);
  if (queue == nullptr) return;
  ReferenceModel::Receive request{max, timeout, std::nullopt, {}};
  if (is_fifo(name) && waiter == nullptr && chance(3)) request.attempt = "a" + std::to_string(below(4));
  engine::ReceiveCommand command;
  command.max_messages = static_cast<int>(max);
  if (timeout) command.visibility_timeout = Seconds(*timeout);
  if (request.attempt) command.receive_request_attempt_id = *request.attempt;
  const store::Position before = store_->last();
  const auto answer = engine_->receive(queue, caller_, command, waiter);
  for (std::size_t i = 0; answer.result && i < answer.result->size(); ++i) request.given.push_back((*answer.result)[i].sequence);

  const ReferenceModel::Received expected = model_.receive(name, request, now(), wall());
  std::string traced = "receive " + name + " max " + std::to_string(max) + " timeout " +
                       (timeout ? std::to_string(*timeout) : "-") + " " + request.attempt.value_or("") + " moved " +
                       std::to_string(expected.moved) + ", expected";
  for (const ModelDelivery& delivery : expected.deliveries) traced += " " + std::to_string(delivery.message.sequence);
  traced += ", given";
  for (const std::uint64_t sequence : request.given) traced += " " + std::to_string(sequence);
  trace(traced + " " + expected.failure.code);
  agree(answer.result, expected.failure, "receive from " + name);
  saw(name, answer.seen);
  count("receive", expected.failure.code);
  if (!answer.result) return;
  ASSERT_EQ(answer.result->size(), expected.deliveries.size()) << name;
  for (std::size_t i = 0; i < expected.deliveries.size() && !testing::Test::HasFailure(); ++i) {
    const engine::Delivery& got = (*answer.result)[i];
    compare(name, got, expected.deliveries[i].message);
    for (const Handle& handle : handles_) {
      const ModelHandle& meaning = expected.deliveries[i].handle;
      if (!expected.was_replayed || handle.meaning.incarnation != meaning.incarnation ||
          handle.meaning.sequence != meaning.sequence || handle.meaning.receive_count != meaning.receive_count)
        continue;
      EXPECT_EQ(got.receipt_handle, handle.text) << "a replayed receive gives the same handles";
    }
    handles_.push_back({got.receipt_handle, expected.deliveries[i].handle, name, got.location, answer.seen});
  }
  if (handles_.size() > 200) handles_.erase(handles_.begin(), handles_.begin() + 100);
  (*tally_)["delivered"] += static_cast<int>(expected.deliveries.size());
  if (!expected.deliveries.empty()) {
    EXPECT_EQ(answer.seen, store_->last());
    seen_[name] = answer.seen;
  }
  if (waiter != nullptr && expected.deliveries.empty()) polls_.push_back({queue, name, waiter});
  remember(before, expected.moved > 0 ? 1 : store_->last().value - before.value);
  if (expected.moved > 0 && expected.deliveries.empty()) {
    const std::string target = name_in(model_.find(name)->attributes.redrive->target_arn);
    seen_[target] = store_->last();
  }
}

void Simulation::compare(const std::string& name, const engine::Delivery& got, const ModelMessage& message) {
  const std::string what = "message in " + name + ": " + message.body.substr(0, 20);
  const auto payload = store_->read_now(got.location);
  ASSERT_TRUE(payload.has_value()) << what;
  const auto stored = engine::decode_message(payload->bytes);
  ASSERT_TRUE(stored.has_value()) << what;
  EXPECT_EQ(stored->body, message.body) << what;
  EXPECT_EQ((engine::WrittenAs{stored->queue_id, stored->sequence}), got.written_as) << what;
  EXPECT_EQ(stored->message_group_id, message.group.value_or("")) << what;
  EXPECT_EQ(got.sequence, message.sequence) << what;
  EXPECT_EQ(got.receive_count, message.receive_count) << what;
  EXPECT_EQ(to_epoch_millis(got.first_received), message.first_received_wall) << what;
  EXPECT_EQ(to_epoch_millis(got.sent.value_or(stored->sent)), message.sent_wall) << what;
  EXPECT_EQ(got.sequence_number, is_fifo(name) ? std::optional(message.sequence) : std::nullopt) << what;
  EXPECT_EQ(got.dead_letter_source.value_or(""), message.dead_letter_source ? arn_of(*message.dead_letter_source) : "") << what;
  const Uuid id = got.message_id.value_or(stored->message_id);
  if (message.id) {
    EXPECT_EQ(id, *message.id) << what;
  } else {
    EXPECT_NE(id, Uuid()) << what;
    EXPECT_NE(id, stored->message_id) << what << ": a redriven message has a new id";
    model_.learn_id(name, message.sequence, id);
    count("id of a redriven message seen");
  }
  if (!is_fifo(name)) return;
  const std::string told = got.deduplication_id_is_message_id ? to_string(id) : std::string(stored->message_deduplication_id);
  EXPECT_EQ(told, message.was_moved ? to_string(id) : message.deduplication_id) << what;
}

// ---- what handles do

void Simulation::delete_messages() {
  const std::string name = some_name();
  const auto queue = find(name);
  if (queue == nullptr || handles_.empty()) return;
  std::vector<std::string> texts;
  std::vector<Failure> expected;
  std::vector<std::uint64_t> named;
  for (std::size_t i = chance(3) ? 1 + below(10) : 1; i > 0; --i) {
    const Handle& handle = *some_handle(name);
    // Whether the entries of a batch see each other is nowhere described.
    if (is_fifo(name) && std::find(named.begin(), named.end(), handle.meaning.sequence) != named.end()) continue;
    named.push_back(handle.meaning.sequence);
    texts.push_back(handle.text);
    expected.push_back(model_.remove_message(name, handle.text, handle.meaning, now()));
    count("delete", expected.back().code);
    trace("delete " + name + " " + std::to_string(handle.meaning.sequence) + " of " + handle.name + " " + expected.back().code);
  }
  const auto answer = engine_->delete_messages(queue, texts);
  saw(name, answer.seen);
  ASSERT_TRUE(answer.result.has_value());
  for (std::size_t i = 0; i < expected.size(); ++i) agree((*answer.result)[i], expected[i], "delete from " + name);
}

void Simulation::delete_newest(const std::string& name, std::size_t count) {
  std::vector<std::string> texts;
  std::vector<Failure> expected;
  for (; count > 0 && !handles_.empty(); --count) {
    const Handle handle = handles_.back();
    handles_.pop_back();
    texts.push_back(handle.text);
    expected.push_back(model_.remove_message(name, handle.text, handle.meaning, now()));
    trace("delete " + name + " " + std::to_string(handle.meaning.sequence) + " " + expected.back().code);
  }
  const auto answer = engine_->delete_messages(find(name), texts);
  ASSERT_TRUE(answer.result.has_value());
  for (std::size_t i = 0; i < expected.size(); ++i) agree((*answer.result)[i], expected[i], "delete from " + name);
  remember();
}

void Simulation::change_visibility() {
  const std::string name = some_name();
  const auto queue = find(name);
  if (queue == nullptr || handles_.empty()) return;
  std::vector<engine::Engine::VisibilityChange> changes;
  std::vector<std::uint64_t> named;
  std::vector<Failure> expected;
  for (std::size_t i = chance(3) ? 1 + below(10) : 1; i > 0; --i) {
    const Handle& handle = *some_handle(name);
    // Whether the entries of a batch see each other is nowhere described.
    if (is_fifo(name) && std::find(named.begin(), named.end(), handle.meaning.sequence) != named.end()) continue;
    named.push_back(handle.meaning.sequence);
    const std::int64_t timeout = chance(10) ? one_of({43'200, 43'140}) : one_of({0, 12, 24, 36});
    changes.push_back({handle.text, Seconds(timeout)});
    expected.push_back(model_.change_visibility(name, handle.text, handle.meaning, timeout, now()));
    count("change", expected.back().code);
    trace("change " + name + " " + std::to_string(handle.meaning.sequence) + " of " + handle.name + " to " +
          std::to_string(timeout) + " " + expected.back().code);
  }
  const auto answer = engine_->change_visibility(queue, changes);
  saw(name, answer.seen);
  ASSERT_TRUE(answer.result.has_value());
  for (std::size_t i = 0; i < expected.size(); ++i) agree((*answer.result)[i], expected[i], "change in " + name);
}

// A body turns out to be damaged when it is read for an answer.
void Simulation::quarantine() {
  if (handles_.empty()) return;
  const Handle handle = handles_[below(handles_.size())];
  const auto queue = find(handle.name);
  if (queue == nullptr || model_.find(handle.name)->incarnation != handle.meaning.incarnation) return;
  (void)engine_->counts(queue);  // looks at the clock, as the model does
  trace("quarantine " + handle.name + " " + std::to_string(handle.meaning.sequence));
  model_.quarantine(handle.name, handle.meaning.sequence, now());
  if (const auto moved_to = engine_->quarantine(queue, handle.meaning.sequence, handle.location)) {
    count("quarantine after compaction");
    EXPECT_FALSE(engine_->quarantine(queue, handle.meaning.sequence, moved_to->location).has_value());
  }
}

// ---- many at once

// Consumers that keep up, and go on waiting.
void Simulation::drain() {
  const std::string name = some_name();
  if (model_.find(name) == nullptr) return;
  for (int i = 0; i < 30 && model_.servings(name, now()) > 0 && !testing::Test::HasFailure(); ++i) {
    const std::size_t before = handles_.size();
    receive(name, nullptr, 30, 10);
    if (handles_.size() > before) delete_newest(name, handles_.size() - before);
  }
  for (std::uint64_t i = below(3); i > 0; --i) receive(name, std::make_shared<Sleeper>(), std::nullopt, 1 + below(10));
}

// More dead letters at once than one receive may move.
void Simulation::flood() {
  const std::string name = some_name();
  const std::string target = some_name_like(name);
  if (name.starts_with("fair") || options_.in_flight_max < 120 || model_.task_runs(is_fifo(name))) return;
  if (model_.find(name) == nullptr || model_.find(target) == nullptr) return;
  set(name, {{"DelaySeconds", "0"}, {"RedrivePolicy", ""}, {"MessageRetentionPeriod", "900"}});
  for (int i = 0; i < 20; ++i) send(name, 10, true);
  for (int i = 0; i < 30; ++i) receive(name, nullptr, 1, 10);
  pass_time(1'000, true);
  set(name, {{"RedrivePolicy", R"({"deadLetterTargetArn":")" + arn_of(target) + R"(","maxReceiveCount":1})"}});
  for (int i = 0; i < 2; ++i) {
    receive(name, nullptr, 0, 10);
    settle();
  }
  count("flood");
}

}  // namespace ferry::simulation
