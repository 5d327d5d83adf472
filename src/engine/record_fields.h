#pragma once
// Fields that several records and pieces share. Private to the codecs of this module.

#include <algorithm>
#include <string>
#include <string_view>

#include "engine/bytes.h"
#include "engine/queue_key.h"
#include "engine/records.h"

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
void put_attributes(Sink& sink, const sqs::QueueAttributes& attributes) {
  sink.integer(static_cast<std::uint32_t>(attributes.delay.count()));
  sink.integer(attributes.message_bytes_max);
  sink.integer(static_cast<std::uint32_t>(attributes.retention.count()));
  sink.integer(static_cast<std::uint32_t>(attributes.receive_wait_time.count()));
  sink.integer(static_cast<std::uint32_t>(attributes.visibility_timeout.count()));
  sink.integer(static_cast<std::uint8_t>(attributes.managed_sse));
}
inline sqs::QueueAttributes get_attributes(ByteReader& in) {
  sqs::QueueAttributes attributes;
  attributes.delay = Seconds(in.integer<std::uint32_t>());
  attributes.message_bytes_max = in.integer<std::uint32_t>();
  attributes.retention = Seconds(in.integer<std::uint32_t>());
  attributes.receive_wait_time = Seconds(in.integer<std::uint32_t>());
  attributes.visibility_timeout = Seconds(in.integer<std::uint32_t>());
  attributes.managed_sse = in.integer<std::uint8_t>() != 0;
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

}  // namespace ferry::engine
