// What clients do during a simulation with faults.

#include <algorithm>

#include "simulation/faults/fault_run.h"

namespace ferry::test {
namespace {

// Two queues with their dead-letter queues, and one that comes and goes.
const std::vector<std::string> kQueues = {"work", "dead", "orders.fifo", "dead.fifo", "plain"};

bool is_fifo(const std::string& name) {
  return name.ends_with(".fifo");
}

}  // namespace

std::string FaultRun::some_queue() {
  return kQueues[below(kQueues.size())];
}

engine::QueueRef FaultRun::find(const std::string& name) {
  return machine_->queue(name);
}

// Whether it succeeded. A refusal for want of space, or by a store that has failed, has its own words.
template <class T>
bool FaultRun::answered(const engine::Answer<T>& answer, const char* what) {
  EXPECT_LE(answer.seen, machine_->journal->last()) << what;
  if (answer.result) return true;
  if (answer.result.error().code != sqs::ErrorCode::ServiceUnavailable) return false;
  const bool grows = std::string_view(what) == "send" || std::string_view(what) == "create";
  count(grows ? "growth refused" : "upkeep refused");
  // Each record since then took a block at most.
  const std::uint64_t used = (machine_->journal->last().value - last_when_writable_ + 2) * 4'096;
  EXPECT_TRUE(failed_at_ || grows || used > options_.reserve_bytes)
      << what << " was refused although the reserve is not used up: " << answer.result.error().message;
  return false;
}

void FaultRun::operate() {
  const std::uint64_t dice = below(100);
  if (dice < 34) return send();
  if (dice < 60) return receive();
  if (dice < 78) return erase();
  if (dice < 84) return change();
  if (dice < 86) return purge();
  if (dice < 88) return create_or_delete();
  if (dice < 92) return set_attributes();
  if (dice < 94) return move_task();
  pass_time();
}

void FaultRun::send() {
  const std::string name = chance(4) ? "plain" : chance(2) ? "work" : "orders.fifo";
  if (find(name) == nullptr) return;
  std::vector<JournalMachine::Message> messages(1 + (chance(4) ? below(4) : 0));
  for (JournalMachine::Message& message : messages) {
    message.body = "message " + std::to_string(next_++) + " ";
    message.body.append(below(chance(6) ? 9'000 : 400), static_cast<char>('a' + below(26)));
    if (is_fifo(name)) {
      message.group = "group " + std::to_string(below(3));
      message.deduplication_id = chance(5) ? "often " + std::to_string(below(4)) : std::to_string(next_);
    } else if (chance(5)) {
      message.delay = Seconds(below(30));
    }
  }
  const std::uint64_t before = machine_->journal->last().value;
  const auto answer = machine_->ask_to_send(name, messages);
  if (!answered(answer, "send")) {
    EXPECT_EQ(machine_->journal->last().value, before) << "refused, and written";
    EXPECT_EQ(answer.result.error().code, sqs::ErrorCode::ServiceUnavailable) << answer.result.error().message;
    if (failed_at_ || disk_is_full_) return;
    // The store had no time to prepare as much. With time, and no fault, it has.
    machine_->maintain();
    if (machine_->files.fault_was_met()) return;
    const auto again = machine_->ask_to_send(name, messages);
    EXPECT_TRUE(again.result.has_value()) << "send is refused although there is space: " << again.result.error().message;
    if (!again.result) return;
    count("sent after a refusal");
    return note_sent(name, messages, again, before);
  }
  count("send");
  note_sent(name, messages, answer, before);
}

void FaultRun::note_sent(const std::string& queue, const std::vector<JournalMachine::Message>& messages,
                         const engine::Answer<std::vector<sqs::ApiResult<engine::Sent>>>& answer, std::uint64_t before) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& sent = (*answer.result)[i];
    ASSERT_TRUE(sent.has_value()) << sent.error().message;
    if (messages_.contains(sent->message_id) || forgotten_.contains(sent->message_id)) {
      EXPECT_TRUE(messages[i].deduplication_id.starts_with("often"));
      count("duplicate");
      continue;
    }
    EXPECT_GT(machine_->journal->last().value, before) << "accepted, and not written";
    messages_[sent->message_id] = Told{messages[i].body, queue, answer.seen.value, {}, {}};
  }
}

std::optional<Uuid> FaultRun::message_at(const store::Location& location) {
  const auto payloads = machine_->read({location});
  if (payloads.size() != 1) {
    ADD_FAILURE() << "a read was not answered";
    return std::nullopt;
  }
  if (!payloads.front()) {
    // Corrupt would quarantine a sound message.
    EXPECT_EQ(payloads.front().error().kind, ErrorKind::Io) << payloads.front().error().message;
    EXPECT_TRUE(machine_->files.fault_was_met()) << payloads.front().error().message;
    count("body could not be read");
    return std::nullopt;
  }
  const auto message = engine::decode_message(payloads.front()->bytes);
  EXPECT_TRUE(message.has_value());
  const auto known = messages_.find(message->message_id);
  EXPECT_TRUE(known != messages_.end()) << "nobody knows this message, or it was deleted: " << message->body.substr(0, 20);
  if (known == messages_.end()) return std::nullopt;
  EXPECT_EQ(message->body, known->second.body);
  return message->message_id;
}

void FaultRun::learn(const std::string& queue, const engine::Delivery& delivery, store::Position seen) {
  if (const auto message = message_at(delivery.location))
    handles_.push_back({queue, delivery.receipt_handle, *message, seen.value});
}

void FaultRun::receive() {
  const std::string name = some_queue();
  if (find(name) == nullptr) return;
  const auto answer = machine_->ask_to_receive(name, 1 + below(10), Seconds(chance(3) ? 0 : below(40)));
  if (!answered(answer, "receive")) return;
  count("receive");
  for (const engine::Delivery& delivery : *answer.result) learn(name, delivery, answer.seen);
}

void FaultRun::erase() {
  if (handles_.empty()) return;
  const std::size_t at = handles_.size() - 1 - below(std::min<std::size_t>(handles_.size(), 12));
  const Handle handle = handles_[at];
  if (find(handle.queue) == nullptr) return;
  const std::uint64_t before = machine_->journal->last().value;
  const auto answer = machine_->engine->delete_messages(find(handle.queue), {handle.text});
  if (!answered(answer, "delete")) return;
  count("delete");
  const auto found = messages_.find(handle.message);
  const bool wrote = machine_->journal->last().value > before;
  // The handle of a message that is not there any more is answered alike, and an expired one of a FIFO queue refused; neither
  // writes. (What the look at the clock may write is not of these queues: nothing expires here.)
  if (answer.result->front().has_value() && wrote && found != messages_.end()) found->second.deleted = answer.seen.value;
  if (chance(3)) handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(at));
}

void FaultRun::change() {
  if (handles_.empty()) return;
  const Handle& handle = handles_[handles_.size() - 1 - below(std::min<std::size_t>(handles_.size(), 12))];
  if (find(handle.queue) == nullptr) return;
  const auto answer = machine_->engine->change_visibility(find(handle.queue), {{handle.text, Seconds(below(60))}});
  if (answered(answer, "change")) count("change");
}

// What was sent to that queue may be gone. It has no dead-letter queue, and is none.
void FaultRun::sweep(const std::string& queue, std::uint64_t position) {
  for (auto& [id, told] : messages_) {
    if (told.queue == queue && !told.swept) told.swept = position;
  }
}

void FaultRun::purge() {
  if (find("plain") == nullptr) return;
  const std::uint64_t before = machine_->journal->last().value;
  const auto answer = machine_->engine->purge(find("plain"));
  if (!answered(answer, "purge") || machine_->journal->last().value == before) return;
  count("purge");
  sweep("plain", answer.seen.value);
}

void FaultRun::create_or_delete() {
  const engine::QueueRef queue = find("plain");
  if (queue == nullptr) {
    const auto answer =
        machine_->engine->create_queue(JournalMachine::key("plain"), {{"VisibilityTimeout", std::to_string(below(60))}});
    if (answered(answer, "create")) count("create");
    return;
  }
  if (!chance(4)) return;
  const auto answer = machine_->engine->delete_queue(queue);
  if (!answered(answer, "delete queue")) return;
  count("delete queue");
  sweep("plain", answer.seen.value);
}

void FaultRun::set_attributes() {
  const std::string name = some_queue();
  const engine::QueueRef queue = find(name);
  if (queue == nullptr) return;
  if (chance(2)) {
    if (answered(machine_->engine->tag_queue(queue, {{"tag" + std::to_string(below(3)), std::to_string(step_)}}), "tag"))
      count("tag");
    return;
  }
  const sqs::TextMap attributes = {{"VisibilityTimeout", std::to_string(below(40))}, {"DelaySeconds", std::to_string(below(3))}};
  if (answered(machine_->engine->set_attributes(queue, attributes), "set attributes")) count("set attributes");
}

void FaultRun::move_task() {
  engine::Engine::MoveTaskCommand command;
  command.source = JournalMachine::key(chance(2) ? "dead" : "dead.fifo");
  if (chance(2)) command.messages_per_second = static_cast<int>(1 + below(3));
  if (answered(machine_->engine->start_move_task(command), "start task")) count("start task");
}

void FaultRun::pass_time() {
  if (chance(6)) {
    machine_->clock.jump_wall(Seconds(static_cast<std::int64_t>(below(4'000)) - 2'000));
    clock_jumped_ = true;
    count("clock jump");
    return;
  }
  machine_->clock.advance(Millis(below(chance(4) ? 60'000 : 3'000)));
}

}  // namespace ferry::test
