#include "simulation/images/operations.h"

#include <algorithm>
#include <array>
#include <sstream>

namespace ferry::test {
namespace {

constexpr std::array<std::string_view, kOperations> kNames = {
    "send",       "batch", "receive", "delete",    "change",       "purge",       "create",     "drop", "segment", "checkpoint",
    "compaction", "move",  "dead",    "fifo-send", "fifo-receive", "fifo-delete", "attributes", "tag",  "expiry",  "stop"};

// Bodies of queues that only fill segments.
constexpr std::size_t kFillerBytes = 9'000;

}  // namespace

std::string_view name_of(Operation operation) {
  return kNames[static_cast<std::size_t>(operation)];
}

std::optional<std::vector<Operation>> parse_operations(const std::string& text) {
  std::vector<Operation> operations;
  std::istringstream in(text);
  for (std::string name; std::getline(in, name, ',');) {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) return std::nullopt;
    operations.push_back(static_cast<Operation>(found - kNames.begin()));
  }
  return operations;
}

std::string text_of(const std::vector<Operation>& operations) {
  std::string text;
  for (const Operation operation : operations) text.append(text.empty() ? "" : ",").append(name_of(operation));
  return text;
}

// ---- what a client does

std::string Session::some_body(std::size_t bytes) {
  std::string body = "message " + std::to_string(client.sent++) + " ";
  while (body.size() < bytes)
    body.push_back(static_cast<char>('a' + (body.size() * 7 + static_cast<std::size_t>(client.sent)) % 26));
  return body;
}

// No thread prepares segments here.
void Session::make_room() {
  for (int i = 0; i < 4 && !machine_.journal->writable(); ++i) {
    machine_.commit();
    machine_.journal->maintain_step();
  }
}

void Session::send(const std::string& queue, const std::vector<std::size_t>& body_bytes) {
  std::vector<JournalMachine::Message> messages;
  for (const std::size_t bytes : body_bytes) messages.push_back({some_body(bytes), std::nullopt, "", ""});
  auto sent = machine_.send(queue, messages);
  if (!sent) {
    machine_.journal->maintain_step();
    sent = machine_.send(queue, messages);
  }
  ASSERT_TRUE(sent.has_value()) << "no space was prepared";
  for (std::size_t i = 0; i < messages.size(); ++i) client.bodies[(*sent)[i].message_id] = messages[i].body;
}

void Session::send_fifo(const std::string& group, const std::string& deduplication_id) {
  const std::string body = some_body(300);
  const auto sent = machine_.send("orders.fifo", {{body, std::nullopt, group, deduplication_id}});
  ASSERT_TRUE(sent.has_value()) << "no space was prepared";
  const auto known = client.firsts.find(deduplication_id);
  if (client.doubtful.contains(deduplication_id)) {
    client.bodies.emplace(sent->front().message_id, body);
    return;
  }
  const bool duplicate = known != client.firsts.end() && machine_.now_ms() - known->second.sent_ms < 300'000;
  if (duplicate) {
    EXPECT_EQ(sent->front().message_id, known->second.message_id) << "a duplicate was taken for a new message";
    return;
  }
  EXPECT_FALSE(client.bodies.contains(sent->front().message_id)) << "a new message was taken for a duplicate";
  client.bodies[sent->front().message_id] = body;
  client.firsts[deduplication_id] = {sent->front().message_id, machine_.now_ms()};
}

void Session::receive(const std::string& queue, std::size_t max, Seconds timeout) {
  for (const engine::Delivery& delivery : machine_.receive(queue, max, timeout)) {
    client.handles[queue].push_back(
        {delivery.sequence, delivery.receive_count, delivery.receipt_handle, machine_.journal->last().value});
  }
}

std::optional<Client::Handle> Session::take_handle(const std::string& queue) {
  auto& handles = client.handles[queue];
  if (handles.empty()) return std::nullopt;
  const Client::Handle handle = handles.front();
  handles.erase(handles.begin());
  return handle;
}

// ---- the common beginning

void Session::prepare() {
  const std::string redrive = R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1})";
  for (const char* const name : {"dead", "work", "old", "filler", "stuffing"}) machine_.create(name, {});
  machine_.create("poison", {{"RedrivePolicy", redrive}});
  machine_.create("brief", {{"MessageRetentionPeriod", "60"}});
  machine_.create("orders.fifo", {{"FifoQueue", "true"}});
  recycle_segments();

  // Little that lives between much that does not.
  for (int i = 0; i < 8; ++i) {
    send("work", {200 + static_cast<std::size_t>(i) * 100});
    send(i % 2 == 0 ? "poison" : "old", {250});
    for (int k = 0; k < 5; ++k) send("stuffing", {kFillerBytes});
    machine_.maintain();
  }
  machine_.clock.advance(Seconds(61));  // until a purge is possible again; and nothing is given back meanwhile
  for (int i = 0; i < 6; ++i) send_fifo("group " + std::to_string(i % 2), "order-" + std::to_string(i));
  receive("poison", 2, Seconds(0));  // exhausted: dead letters at the next receive
  receive("poison", 1, Seconds(0));
  receive("poison", 2, Seconds(0));
  receive("work", 2, Seconds(20));
  receive("work", 2, Seconds(600));
  receive("old", 1, Seconds(300));
  receive("orders.fifo", 2, Seconds(500));
  send("brief", {100, 200});
  told(machine_.engine->tag_queue(machine_.queue("work"), {{"team", "blue"}}));
  told(machine_.engine->purge(machine_.queue("stuffing")));
  while (machine_.engine->tick().value_or(from_epoch_millis(machine_.now_ms() + 1)) <= machine_.engine->now()) {
  }
  machine_.commit();
}

// Files that are free are given back when the store has nothing to do for a second, so the clock stands still.
void Session::recycle_segments() {
  for (int i = 0; i < 76; ++i) {
    send("filler", {i % 2 == 0 ? kFillerBytes : 2'000});
    machine_.maintain();
  }
  told(machine_.engine->purge(machine_.queue("filler")));
  machine_.tick();
  for (int i = 0; i < 2; ++i) {
    machine_.journal->request_checkpoint();
    machine_.maintain();
  }
}

// ---- operations

void Session::checkpoint() {
  const std::uint64_t before = machine_.journal->stats().checkpoints;
  // It will hold a message that is nowhere durable when it is written.
  if (machine_.queue("work") != nullptr) {
    const std::string body = some_body(150);
    const auto sent = machine_.ask_to_send("work", {{body, std::nullopt, "", ""}});
    if (sent.result) client.bodies[sent.result->front()->message_id] = body;
  }
  machine_.journal->request_checkpoint();
  for (int i = 0; i < 100 && machine_.journal->stats().checkpoints == before; ++i) {
    machine_.journal->maintain_step();
    if (i % 3 == 2) machine_.commit();
  }
  machine_.commit();
  EXPECT_GT(machine_.journal->stats().checkpoints, before);
}

void Session::compact() {
  const std::uint64_t before = machine_.journal->stats().compacted_bytes;
  const std::uint64_t segments = machine_.journal->stats().segments;
  for (int i = 0; i < 60; ++i) {
    const bool committed = i % 3 == 2 && machine_.journal->commit_step();  // what it copies is not durable at once
    if (!machine_.journal->maintain_step() && !committed && i % 3 == 2) break;
    const store::StoreStats now = machine_.journal->stats();
    if (now.compacted_bytes > before && now.segments < segments) break;
  }
  machine_.commit();
}

void Session::change_segment() {
  send("filler", {kFillerBytes});
  const std::uint32_t segment = machine_.history->latest().segment;
  for (int i = 0; i < 12 && machine_.history->latest().segment == segment; ++i) send("filler", {kFillerBytes});
  EXPECT_NE(machine_.history->latest().segment, segment);
  machine_.journal->maintain_step();  // prepares the next one
}

void Session::run_move_task() {
  engine::Engine::MoveTaskCommand command;
  command.source = JournalMachine::key("dead");
  told(machine_.engine->start_move_task(command));
  for (int i = 0; i < 4; ++i) {
    static_cast<void>(machine_.engine->tick());
    machine_.commit();
  }
}

void Session::run(Operation operation) {
  make_room();
  machine_.clock.advance(Millis(3));
  engine::Engine& engine = *machine_.engine;
  switch (operation) {
    case Operation::Send:
      return send("work", {200});
    case Operation::SendBatch:
      return send("work", {100, 6'000, 2'500});
    case Operation::Receive:
      return receive("work", 2, Seconds(30));
    case Operation::Delete:
      if (const auto handle = take_handle("work")) machine_.erase("work", handle->text);
      return;
    case Operation::ChangeVisibility:
      if (!client.handles["work"].empty())
        machine_.change("work", client.handles["work"].back().text, Seconds(client.sent % 2 * 60));
      return;
    case Operation::Purge:
      told(engine.purge(machine_.queue(engine.counts(machine_.queue("filler")).visible > 20 ? "filler" : "work")));
      return;
    case Operation::CreateQueue:
      told(engine.create_queue(JournalMachine::key("new"), {{"VisibilityTimeout", "77"}}, {{"made", "now"}}));
      return;
    case Operation::DeleteQueue: {
      const engine::QueueRef queue = machine_.queue(machine_.queue("new") != nullptr ? "new" : "old");
      if (queue != nullptr) told(engine.delete_queue(queue));
      return;
    }
    case Operation::SegmentChange:
      return change_segment();
    case Operation::Checkpoint:
      return checkpoint();
    case Operation::Compaction:
      return compact();
    case Operation::MoveTask:
      return run_move_task();
    case Operation::DeadLetter:
      return receive("poison", 2, Seconds(0));
    case Operation::FifoSend:
      send_fifo("group 1", "order-3");
      return send_fifo("group 1", "order-" + std::to_string(client.sent + 100));
    case Operation::FifoReceive:
      return receive("orders.fifo", 2, Seconds(40));
    case Operation::FifoDelete:
      if (const auto handle = take_handle("orders.fifo")) machine_.erase("orders.fifo", handle->text);
      return;
    case Operation::SetAttributes:
      told(engine.set_attributes(machine_.queue("orders.fifo"), {{"DelaySeconds", std::to_string(client.sent % 3)}}));
      told(engine.set_attributes(machine_.queue("poison"), {{"VisibilityTimeout", std::to_string(client.sent % 5)}}));
      return;
    case Operation::TagQueue:
      told(engine.tag_queue(machine_.queue("work"), {{"shift", std::to_string(client.sent)}}));
      told(engine.untag_queue(machine_.queue("work"), {"team"}));
      return;
    case Operation::Expiry:
      machine_.clock.advance(Seconds(61));
      machine_.tick();
      return machine_.commit();
    case Operation::CleanStop: {
      ASSERT_TRUE(machine_.journal->close().has_value());
      const auto started = machine_.reopen();
      ASSERT_TRUE(started.has_value()) << started.error().message;
      EXPECT_TRUE(machine_.journal->recovery().clean_stop);
      return;
    }
  }
}

}  // namespace ferry::test
