// Sending, and the deduplication of FIFO queues.

#include <algorithm>

#include "base/check.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "engine/queue.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"
#include "sqs/validation.h"

namespace ferry::engine {
namespace {

// What a message costs in the index when it is sent; for the bound on the index.
constexpr std::uint64_t kIndexBytesPerMessage = 64;

std::int64_t millis(Seconds seconds) {
  return Millis(seconds).count();
}

std::size_t size_of(const SendCommand& command) {
  return command.body.size() + sqs::attributes_bytes(*command.message_attributes);
}

}  // namespace

struct Queue::Identities {
  std::string content_id;  // SHA-256 of the body in hex, when it may be the deduplication id
  IdentityHash group;
  IdentityHash deduplication;
};

std::optional<sqs::ApiError> Queue::refusal(const SendCommand& command, SendForm form) const {
  FERRY_CHECK(is_fifo_ ? command.message_group_id.has_value() : !command.message_deduplication_id);  // validation.h saw to it
  if (is_fifo_ && !command.message_deduplication_id && !attributes_.content_based_deduplication) {
    return sqs::ApiError{
        sqs::ErrorCode::InvalidParameterValue,
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"};
  }
  if (size_of(command) > attributes_.message_bytes_max) {
    return sqs::message_too_long(attributes_.message_bytes_max,
                                 form == SendForm::Single ? sqs::BatchIndex() : sqs::BatchIndex(1));
  }
  return std::nullopt;
}

Answer<std::vector<sqs::ApiResult<Sent>>> Queue::send(const Caller& caller, const std::vector<SendCommand>& messages,
                                                      SendForm form) {
  // All that can be made without the queue's state.
  std::vector<SentRecord> records(messages.size());
  std::vector<Identities> identities(messages.size());
  std::vector<std::uint32_t> sizes;
  sizes.reserve(messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const SendCommand& command = messages[i];
    SentRecord& record = records[i];
    record.message_id = make_uuid(shared_.random);
    record.principal = caller.principal;
    record.source_address = caller.source_address;
    record.md5_of_body = command.md5_of_body;
    record.md5_of_message_attributes = command.md5_of_message_attributes;
    record.system_attributes = command.message_system_attributes;
    record.message_attributes = command.message_attributes;
    record.body = command.body;
    if (command.message_group_id) {
      record.message_group_id = *command.message_group_id;
      record.group = identity_hash(record.message_group_id);
    }
    if (is_fifo_) {
      if (!command.message_deduplication_id) identities[i].content_id = hex_encode(sha256(command.body));
      record.message_deduplication_id = command.message_deduplication_id.value_or(identities[i].content_id);
      record.deduplication = scope_ == sqs::DeduplicationScope::MessageGroup
                                 ? identity_hash(record.message_group_id, record.message_deduplication_id)
                                 : identity_hash(record.message_deduplication_id);
    }
    sizes.push_back(record_bytes(record));
  }

  std::vector<sqs::ApiResult<Sent>> results;
  std::vector<std::size_t> accepted;  // of those that are no duplicates
  std::vector<std::size_t> first_of;  // for each message the one of this request that it repeats, or itself
  std::vector<store::RecordShape> shapes;
  results.reserve(messages.size());
  accepted.reserve(messages.size());
  shapes.reserve(messages.size());

  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  for (const SentRecord& record : records) {
    if (is_fifo_) window_.prefetch(record.deduplication);
    if (!record.message_group_id.empty()) line_->prefetch(record.group);
  }
  const Moment now = hold.now();
  catch_up(hold, now);  // so that groups and tenants enter their line in the order of time
  for (std::size_t i = 0; i < messages.size(); ++i) {
    first_of.push_back(i);
    if (auto refused = refusal(messages[i], form)) {
      if (is_fifo_) return {Unexpected(*std::move(refused)), last_};
      results.emplace_back(Unexpected(*std::move(refused)));
      continue;
    }
    if (is_fifo_) {
      if (const auto first = window_.find(records[i].deduplication, now.engine_ms)) {
        results.emplace_back(Sent{first->message_id, first->sequence});
        continue;
      }
      const auto earlier = std::find_if(accepted.begin(), accepted.end(), [&](std::size_t other) {
        return records[other].deduplication == records[i].deduplication;
      });
      if (earlier != accepted.end()) {
        first_of[i] = *earlier;
        results.emplace_back(Sent{});
        continue;
      }
    }
    results.emplace_back(Sent{records[i].message_id, std::nullopt});
    accepted.push_back(i);
    shapes.push_back({sizes[i], true});
    records[i].visible_from_ms = now.engine_ms + (is_fifo_ ? 0 : millis(messages[i].delay.value_or(attributes_.delay)));
  }
  if (accepted.empty()) return {std::move(results), last_};
  const std::uint64_t bytes_max = shared_.options.index_bytes_max;
  if (bytes_max != 0 && shared_.index_bytes + accepted.size() * kIndexBytesPerMessage > bytes_max) {
    return {sqs::api_fail(sqs::ErrorCode::RequestThrottled, "Too many messages are waiting for the memory of this server."),
            last_};
  }
  auto reservation = hold.reserve(shapes, store::Purpose::Growth);
  if (!reservation) return {Unexpected(no_room(reservation.error())), last_};
  const store::Position seen = last_;
  for (std::size_t i = 0; i < accepted.size(); ++i) {
    SentRecord& record = records[accepted[i]];
    record.sequence = next_sequence_++;
    const GroupId group = record.message_group_id.empty() ? kNoGroup : line_->group(record.group);
    add(record.sequence, reservation->slots[i].location, group, record.visible_from_ms, now);
    if (!is_fifo_) continue;
    window_.add({record.deduplication, now.engine_ms, record.sequence, record.message_id});
    results[accepted[i]]->sequence_number = record.sequence;
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (first_of[i] != i) results[i] = results[first_of[i]];
  }
  hold.release();

  for (std::size_t i = 0; i < accepted.size(); ++i) {
    encode_record(RecordHeader{RecordType::Sent, id_, now}, records[accepted[i]], reservation->slots[i].bytes);
  }
  shared_.store.publish(std::move(*reservation));
  return {std::move(results), seen};
}

}  // namespace ferry::engine
