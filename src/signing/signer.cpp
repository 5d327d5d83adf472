#include "signing/signer.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/trace_context.h"
#include "base/uuid.h"
#include "signing/envelope.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"
#include "sqs/names.h"

namespace ferry::signing {
namespace {

Result<void> check_room(const sqs::SendMessageEntry& entry) {
  for (const auto& [name, value] : entry.message_attributes) {
    if (!equals_ignore_case(name, kReservedAttribute)) continue;
    return fail(ErrorKind::InvalidArgument,
                fmt::format("the message has an attribute {} already; that name is reserved for signatures and idempotency keys",
                            escape_control(name)));
  }
  if (entry.message_attributes.size() < sqs::kMessageAttributesMax) return {};
  return fail(
      ErrorKind::InvalidArgument,
      fmt::format("the message has {} attributes; a signature or an idempotency key needs one more ({}), and SQS takes {} in "
                  "all: leave one out, or move it into the body",
                  entry.message_attributes.size(), kReservedAttribute, sqs::kMessageAttributesMax));
}
}  // namespace

Result<void> Stamper::stamp(sqs::SendMessageEntry& entry, const Stamp& stamp) const {
  if (key_ == nullptr && !stamp.idempotency_key) return {};
  FERRY_TRY_VOID(check_room(entry));
  Envelope envelope;
  const Timestamp now = clock_.wall();
  envelope.request_id = stamp.idempotency_key ? *stamp.idempotency_key : to_string(make_uuid_v7(now, random_));
  FERRY_TRY_VOID(check_request_id(envelope.request_id));
  if (stamp.traceparent && parse_traceparent(*stamp.traceparent)) envelope.traceparent = stamp.traceparent;
  if (key_ != nullptr) {
    if (!sqs::is_queue_name(stamp.queue)) {
      return fail(ErrorKind::InvalidArgument,
                  fmt::format("\"{}\" is no queue name, so nothing can be signed for it", escape_control(stamp.queue)));
    }
    SignaturePart part;
    part.key_id = key_->public_key().id();
    part.time = now;
    if (stamp.valid_for) part.expiry = now + *stamp.valid_for;
    part.queue = stamp.queue;
    part.deduplication_id = entry.message_deduplication_id;
    envelope.signature = std::move(part);
    std::optional<std::string_view> group;
    if (entry.message_group_id) group = *entry.message_group_id;
    const std::string body = entry.message_body.value_or("");
    envelope.signature->signature = key_->secret.sign(signed_bytes(envelope, {body, group, entry.message_attributes}));
  }
  sqs::MessageAttributes with = entry.message_attributes;
  with.emplace_back(std::string(kReservedAttribute),
                    sqs::MessageAttributeValue{"String", format_envelope(envelope), std::nullopt, false});
  std::swap(with, entry.message_attributes);
  const std::size_t bytes = sqs::message_bytes(entry);
  if (bytes <= sqs::kMessageBytesMax) return {};
  std::swap(with, entry.message_attributes);
  return fail(ErrorKind::InvalidArgument,
              fmt::format("body and attributes have {} bytes with the attribute {}; a message has at most {}", bytes,
                          kReservedAttribute, sqs::kMessageBytesMax));
}

}  // namespace ferry::signing
