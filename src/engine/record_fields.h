#pragma once
// Fields that several records and pieces share. Private to the codecs of this module.

#include <algorithm>
#include <string>
#include <string_view>

#include "engine/bytes.h"
#include "engine/queue_key.h"
#include "engine/records.h"
#include "sqs/queue_attributes.h"

namespace ferry::engine {

template <class Sink>
void put_short_text(Sink& sink, std::string_view text) {
  FERRY_CHECK(text.size() <= 0xFFFF);
  sink.integer(static_cast<std::uint16_t>(text.size()));
  sink.bytes(text);
}
inline std::string_view get_short_text(ByteReader& in) {
  return in.bytes(in.integer<std::uint16_t>());
}

template <class Sink>
void put_key(Sink& sink, const QueueKey& key) {
  put_short_text(sink, key.account);
  put_short_text(sink, key.region);
  put_short_text(sink, key.name);
}
inline QueueKey get_key(ByteReader& in) {
  QueueKey key;
  key.account = get_short_text(in);
  key.region = get_short_text(in);
  key.name = get_short_text(in);
  return key;
}

template <class Sink>
void put_long_text(Sink& sink, std::string_view text) {
  sink.integer(static_cast<std::uint32_t>(text.size()));
  sink.bytes(text);
}
inline std::string_view get_long_text(ByteReader& in) {
  return in.bytes(in.integer<std::uint32_t>());
}

template <class Sink>
void put_uuid(Sink& sink, const Uuid& uuid) {
  sink.bytes(std::string_view(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()));
}
inline Uuid get_uuid(ByteReader& in) {
  Uuid uuid;
  const std::string_view bytes = in.bytes(uuid.bytes.size());
  std::copy(bytes.begin(), bytes.end(), uuid.bytes.begin());
  return uuid;
}

template <class Sink>
void put_hash(Sink& sink, const IdentityHash& hash) {
  sink.integer(hash.high);
  sink.integer(hash.low);
}
inline IdentityHash get_hash(ByteReader& in) {
  IdentityHash hash;
  hash.high = in.integer<std::uint64_t>();
  hash.low = in.integer<std::uint64_t>();
  return hash;
}

template <class Sink>
void put_location(Sink& sink, const store::Location& location) {
  sink.integer(location.segment);
  sink.integer(location.offset);
  sink.integer(location.length);
}
inline store::Location get_location(ByteReader& in) {
  store::Location location;
  location.segment = in.integer<std::uint32_t>();
  location.offset = in.integer<std::uint32_t>();
  location.length = in.integer<std::uint32_t>();
  return location;
}

template <class Sink>
void put_arrival(Sink& sink, const Arrival& arrival) {
  sink.integer(arrival.written_as.queue_id);
  sink.integer(arrival.written_as.sequence);
  put_uuid(sink, arrival.message_id);
  sink.integer(arrival.sent_ms);
  sink.integer(arrival.source);
  sink.integer(arrival.receives_before);
}
inline Arrival get_arrival(ByteReader& in) {
  Arrival arrival;
  arrival.written_as.queue_id = in.integer<std::uint64_t>();
  arrival.written_as.sequence = in.integer<std::uint64_t>();
  arrival.message_id = get_uuid(in);
  arrival.sent_ms = in.integer<std::int64_t>();
  arrival.source = in.integer<std::uint32_t>();
  arrival.receives_before = in.integer<std::uint32_t>();
  return arrival;
}

template <class Sink>
void put_optional_key(Sink& sink, const std::optional<QueueKey>& key) {
  sink.integer(static_cast<std::uint8_t>(key.has_value()));
  if (key) put_key(sink, *key);
}
inline std::optional<QueueKey> get_optional_key(ByteReader& in) {
  if (in.integer<std::uint8_t>() == 0) return std::nullopt;
  return get_key(in);
}

template <class Sink>
void put_matured(Sink& sink, const Matured& matured) {
  sink.integer(matured.through_ms);
  sink.integer(matured.through_sequence);
}
inline Matured get_matured(ByteReader& in) {
  Matured matured;
  matured.through_ms = in.integer<std::int64_t>();
  matured.through_sequence = in.integer<std::uint64_t>();
  return matured;
}

template <class Sink>
void put_text_map(Sink& sink, const sqs::TextMap& map) {
  sink.integer(static_cast<std::uint32_t>(map.size()));
  for (const auto& [name, value] : map) {
    put_long_text(sink, name);
    put_long_text(sink, value);
  }
}
inline sqs::TextMap get_text_map(ByteReader& in) {
  sqs::TextMap map;
  const auto count = in.integer<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    std::string name(get_long_text(in));
    map.emplace_back(std::move(name), std::string(get_long_text(in)));
  }
  return map;
}

template <class Sink>
void put_move_task(Sink& sink, const MoveTaskState& task) {
  put_uuid(sink, task.id);
  sink.integer(static_cast<std::uint8_t>(task.status));
  put_optional_key(sink, task.destination);
  sink.integer(task.messages_per_second);
  sink.integer(task.moved);
  sink.integer(task.to_move);
  sink.integer(task.started.engine_ms);
  sink.integer(task.started.wall_ms);
  sink.integer(task.through_sequence);
  put_short_text(sink, task.failure_reason);
}
inline MoveTaskState get_move_task(ByteReader& in) {
  MoveTaskState task;
  task.id = get_uuid(in);
  const auto status = in.integer<std::uint8_t>();
  if (status > static_cast<std::uint8_t>(sqs::MoveTaskStatus::Failed)) in.fail();
  task.status = static_cast<sqs::MoveTaskStatus>(status);
  task.destination = get_optional_key(in);
  task.messages_per_second = in.integer<std::uint32_t>();
  task.moved = in.integer<std::uint64_t>();
  task.to_move = in.integer<std::uint64_t>();
  task.started.engine_ms = in.integer<std::int64_t>();
  task.started.wall_ms = in.integer<std::int64_t>();
  task.through_sequence = in.integer<std::uint64_t>();
  task.failure_reason = get_short_text(in);
  return task;
}

// The first six are all that version 1 has.
template <class Sink>
void put_attributes(Sink& sink, const sqs::QueueAttributes& attributes) {
  sink.integer(static_cast<std::uint32_t>(attributes.delay.count()));
  sink.integer(attributes.message_bytes_max);
  sink.integer(static_cast<std::uint32_t>(attributes.retention.count()));
  sink.integer(static_cast<std::uint32_t>(attributes.receive_wait_time.count()));
  sink.integer(static_cast<std::uint32_t>(attributes.visibility_timeout.count()));
  sink.integer(static_cast<std::uint8_t>(attributes.managed_sse));
  sink.integer(static_cast<std::uint8_t>(attributes.kind));
  put_long_text(sink, attributes.kms_master_key_id);
  sink.integer(static_cast<std::uint32_t>(attributes.kms_data_key_reuse.count()));
  put_long_text(sink, attributes.policy);
  put_long_text(sink, attributes.redrive_allow_policy);
  sink.integer(attributes.redrive_policy ? attributes.redrive_policy->max_receive_count : 0U);
  if (attributes.redrive_policy) put_long_text(sink, sqs::format_queue_arn(attributes.redrive_policy->dead_letter_target));
  sink.integer(static_cast<std::uint8_t>(attributes.content_based_deduplication));
  sink.integer(static_cast<std::uint8_t>(attributes.deduplication_scope));
  sink.integer(static_cast<std::uint8_t>(attributes.deduplication_scope_in_force));
  sink.integer(static_cast<std::uint8_t>(attributes.fifo_throughput_limit));
}
// Of an enumeration whose last value is `last`.
template <class Enum>
Enum get_enum(ByteReader& in, Enum last) {
  const auto value = in.integer<std::uint8_t>();
  if (value > static_cast<std::uint8_t>(last)) in.fail();
  return static_cast<Enum>(value);
}
inline sqs::QueueAttributes get_attributes(ByteReader& in, std::uint8_t version) {
  sqs::QueueAttributes attributes;
  attributes.delay = Seconds(in.integer<std::uint32_t>());
  attributes.message_bytes_max = in.integer<std::uint32_t>();
  attributes.retention = Seconds(in.integer<std::uint32_t>());
  attributes.receive_wait_time = Seconds(in.integer<std::uint32_t>());
  attributes.visibility_timeout = Seconds(in.integer<std::uint32_t>());
  attributes.managed_sse = in.integer<std::uint8_t>() != 0;
  if (version == 1) return attributes;
  attributes.kind = get_enum(in, sqs::QueueKind::Fifo);
  attributes.kms_master_key_id = get_long_text(in);
  attributes.kms_data_key_reuse = Seconds(in.integer<std::uint32_t>());
  attributes.policy = get_long_text(in);
  attributes.redrive_allow_policy = get_long_text(in);
  if (const auto max_receive_count = in.integer<std::uint32_t>(); max_receive_count != 0) {
    auto target = sqs::parse_queue_arn(get_long_text(in));
    if (!target) return in.fail(), attributes;
    attributes.redrive_policy = sqs::RedrivePolicy{*std::move(target), max_receive_count};
  }
  attributes.content_based_deduplication = in.integer<std::uint8_t>() != 0;
  attributes.deduplication_scope = get_enum(in, sqs::DeduplicationScope::MessageGroup);
  attributes.deduplication_scope_in_force = get_enum(in, sqs::DeduplicationScope::MessageGroup);
  attributes.fifo_throughput_limit = get_enum(in, sqs::FifoThroughputLimit::PerMessageGroupId);
  return attributes;
}

template <class Sink>
void put_secret(Sink& sink, const sqs::ReceiptSecret& secret) {
  sink.bytes(std::string_view(reinterpret_cast<const char*>(secret.data()), secret.size()));
}
inline sqs::ReceiptSecret get_secret(ByteReader& in) {
  sqs::ReceiptSecret secret{};
  const std::string_view bytes = in.bytes(secret.size());
  std::copy(bytes.begin(), bytes.end(), secret.begin());
  return secret;
}

inline Unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorKind::Corrupt, std::string(what) + " of the log cannot be decoded");
}

/// All that is left of `in`, read by `get`, which is given the reader, and the version if it cares.
template <class Get>
auto decode_rest(ByteReader& in, std::uint8_t version, std::string_view what, Get&& get) {
  const auto read = [&] {
    if constexpr (std::is_invocable_v<Get, ByteReader&, std::uint8_t>)
      return get(in, version);
    else
      return get(in);
  };
  Result<decltype(read())> decoded = read();
  if (!in.finished()) decoded = corrupt(what);
  return decoded;
}

}  // namespace ferry::engine
