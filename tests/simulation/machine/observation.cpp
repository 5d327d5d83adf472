#include "simulation/machine/observation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "base/check.h"
#include "engine/pieces.h"
#include "sqs/limits.h"

namespace ferry::test {
namespace {

constexpr std::int64_t kNameIsTakenMs = 60'000;

class Collector final : public store::CheckpointSink {
 public:
  Result<void> add_piece(std::span<const std::byte> piece, store::Position) override {
    pieces.emplace_back(piece.begin(), piece.end());
    return {};
  }
  std::vector<std::vector<std::byte>> pieces;
};

std::string text_of(const store::Location& location) {
  return std::to_string(location.segment) + ":" + std::to_string(location.offset) + "+" + std::to_string(location.length);
}
std::string text_of(const engine::QueueKey& key) {
  return key.account + "/" + key.region + "/" + key.name;
}
std::string text_of(const engine::IdentityHash& hash) {
  return std::to_string(hash.high) + "." + std::to_string(hash.low);
}
std::string text_of(const engine::WrittenAs& name) {
  return std::to_string(name.queue_id) + "/" + std::to_string(name.sequence);
}
std::string text_of(const engine::Arrival& arrival) {
  return text_of(arrival.written_as) + " " + to_string(arrival.message_id) + " sent " + std::to_string(arrival.sent_ms) +
         " source " + std::to_string(arrival.source) + " before " + std::to_string(arrival.receives_before);
}

class Writer {
 public:
  explicit Writer(Observation& observation) : observation_(observation) {}
  template <class... Parts>
  void line(const Parts&... parts) {
    std::ostringstream text;
    ((text << parts << ' '), ...);
    observation_.lines.push_back(std::move(text).str());
  }

  // ---- what the engine's functions tell
  void queue(engine::Engine& engine, const engine::QueueKey& key) {
    const auto found = engine.find(key);
    ASSERT_TRUE(found.result.has_value());
    const auto attributes = engine.get_attributes(*found.result, {"All"});
    ASSERT_TRUE(attributes.result.has_value());
    for (const auto& [name, value] : *attributes.result) line(key.name, "attribute", name, value);
    const auto tags = engine.queue_tags(*found.result);
    for (const auto& [name, value] : *tags.result) line(key.name, "tag", name, value);
    const auto sources = engine.dead_letter_sources(*found.result, "", 1'000);
    for (const std::string& source : sources.result->names) line(key.name, "source", source);
    const auto tasks = engine.move_tasks(key, 10);
    for (std::size_t i = 0; i < tasks.result->size(); ++i) {
      const engine::Engine::MoveTask& task = (*tasks.result)[i];
      line(key.name, "task", i, to_string(task.id), sqs::name_of(task.status), task.destination ? task.destination->name : "-",
           task.messages_per_second.value_or(0), task.messages_moved, task.messages_to_move, to_epoch_millis(task.started),
           task.failure_reason);
    }
    for (std::uint64_t after = 0;;) {
      const auto glimpses = engine.peek(*found.result, after, 1'000);
      ASSERT_TRUE(glimpses.result.has_value());
      for (const engine::Engine::Glimpse& glimpse : *glimpses.result) message(key, glimpse);
      if (glimpses.result->size() < 1'000) break;
      after = glimpses.result->back().message.sequence;
    }
  }
  void message(const engine::QueueKey& key, const engine::Engine::Glimpse& glimpse) {
    const engine::Delivery& delivery = glimpse.message;
    observation_.bodies.push_back({delivery.location, delivery.written_as});
    line(key.name, "message", delivery.sequence, "at", text_of(delivery.location), "as", text_of(delivery.written_as), "received",
         delivery.receive_count, "first", to_epoch_millis(delivery.first_received), "state", static_cast<int>(glimpse.state),
         delivery.sequence_number.value_or(0), delivery.dead_letter_source.value_or("-"),
         delivery.message_id ? to_string(*delivery.message_id) : "-", delivery.sent ? to_epoch_millis(*delivery.sent) : 0,
         delivery.deduplication_id_is_message_id);
  }

  // ---- what it would write into a checkpoint
  void piece(std::span<const std::byte> bytes, std::int64_t now_ms) {
    const auto type = engine::decode_piece_type(bytes);
    ASSERT_TRUE(type.has_value());
    switch (*type) {
      case engine::PieceType::Head:
        return line("next queue", engine::decode_head_piece(bytes)->next_queue_id);
      case engine::PieceType::DeletedNames: {
        const auto names = engine::decode_deleted_names_piece(bytes);
        for (const auto& entry : names->entries) {
          if (now_ms - entry.deleted_ms < kNameIsTakenMs) line("deleted", text_of(entry.key), entry.deleted_ms);
        }
        return;
      }
      case engine::PieceType::Queue:
        return add(*engine::decode_queue_piece(bytes));
      case engine::PieceType::Messages:
        return add(*engine::decode_messages_piece(bytes));
      case engine::PieceType::Deduplication: {
        const auto window = engine::decode_deduplication_piece(bytes);
        for (const engine::FirstSent& first : window->entries) {
          if (now_ms - first.sent_ms >= Millis(sqs::kDeduplicationWindow).count()) continue;
          line("queue", window->queue_id, "id", text_of(first.id), first.sent_ms, first.sequence, to_string(first.message_id));
        }
        return;
      }
    }
  }

 private:
  void add(const engine::QueuePiece& queue) {
    line("queue", queue.queue_id, text_of(queue.key), "created", queue.created_ms, "modified", queue.modified_ms, "purged",
         queue.purged_ms.value_or(0), "next", queue.next_sequence, "expired", queue.expired.through_ms,
         queue.expired.through_sequence, "matured", queue.matured.through_ms, queue.matured.through_sequence, "secret",
         std::string_view(reinterpret_cast<const char*>(queue.secret.data()), queue.secret.size()));
    for (std::size_t i = 0; i < queue.dead_letter_sources.size(); ++i)
      line("queue", queue.queue_id, "arrivals' source", i + 1, text_of(queue.dead_letter_sources[i]));
    for (std::size_t i = 0; i < queue.move_tasks.size(); ++i) {
      const engine::MoveTaskState& task = queue.move_tasks[i];
      line("queue", queue.queue_id, "task", i, to_string(task.id), static_cast<int>(task.status), task.moved, task.to_move,
           task.started.engine_ms, task.started.wall_ms, task.through_sequence);
    }
  }
  void add(const engine::MessagesPiece& messages) {
    for (const auto& entry : messages.entries) {
      line("queue", messages.queue_id, "entry", entry.sequence, text_of(entry.location), entry.receive_count,
           entry.quarantined ? "quarantined" : "", "enqueued", entry.enqueued_ms, "first", entry.first_received_ms,
           "visible from", entry.visible_from_ms, entry.group ? text_of(*entry.group) : "-", entry.is_elder ? "elder" : "",
           entry.arrival ? text_of(*entry.arrival) : "-");
    }
  }

  Observation& observation_;
};

}  // namespace

std::vector<std::vector<std::byte>> pieces_of(engine::Engine& engine) {
  Collector collector;
  const auto written = engine.write_checkpoint(collector);
  FERRY_CHECK(written.has_value());
  return std::move(collector.pieces);
}

Observation observe(engine::Engine& engine, Timestamp heard) {
  Observation observation;
  Writer writer(observation);
  const auto listing = engine.list("000000000000", "us-east-1", "", "", 1'000);
  FERRY_CHECK(listing.result.has_value() && !listing.result->more);
  for (const std::string& name : listing.result->names) writer.queue(engine, {"000000000000", "us-east-1", name});
  const engine::Engine::Totals totals = engine.totals();
  writer.line("totals", totals.queues, totals.messages, totals.quarantined);
  observation.pieces = pieces_of(engine);
  for (const auto& piece : observation.pieces) writer.piece(piece, to_epoch_millis(std::max(heard, engine.now())));
  std::sort(observation.lines.begin(), observation.lines.end());
  return observation;
}

std::string difference(const Observation& got, const Observation& expected) {
  constexpr std::size_t kShown = 8;
  std::string text;
  const auto add = [&](const std::vector<std::string>& from, const std::vector<std::string>& without, const char* title) {
    std::vector<std::string> only;
    std::set_difference(from.begin(), from.end(), without.begin(), without.end(), std::back_inserter(only));
    for (std::size_t i = 0; i < std::min(only.size(), kShown); ++i) text += std::string("\n  ") + title + ": " + only[i];
    if (only.size() > kShown) text += "\n  and " + std::to_string(only.size() - kShown) + " more";
  };
  add(got.lines, expected.lines, "recovered");
  add(expected.lines, got.lines, "expected ");
  return text;
}

}  // namespace ferry::test
