#include "signing/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/encoding.h"
#include "base/log.h"
#include "base/suggest.h"
#include "signing/key.h"

namespace ferry::signing {
namespace {

std::optional<std::string_view> system_attribute(const sqs::Message& message, std::string_view name) {
  for (const auto& [key, value] : message.attributes) {
    if (key == name) return value;
  }
  return std::nullopt;
}

bool covers(const std::vector<std::string>& allowed, std::string_view name) {
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& one) { return one == "*" || one == name; });
}

std::optional<std::string> repeated_attribute(const sqs::MessageAttributes& attributes) {
  std::set<std::string_view> names;
  for (const auto& [name, value] : attributes) {
    if (!names.insert(name).second) return name;
  }
  return std::nullopt;
}

std::string span_text(Millis span) {
  const auto seconds = span.count() / 1000;
  if (seconds >= 2 * 86'400) return fmt::format("{} days", seconds / 86'400);
  if (seconds >= 2 * 3'600) return fmt::format("{} hours", seconds / 3'600);
  return fmt::format("{} s", seconds);
}
}  // namespace

std::string_view name_of(RefusalCode code) {
  constexpr std::array<std::string_view, 12> kNames = {
      "unsigned", "malformed", "unknown-key", "revoked-key",      "altered",           "wrong-queue",
      "future",   "too-old",   "expired",     "outside-validity", "queue-not-allowed", "request-not-allowed"};
  return kNames.at(static_cast<std::size_t>(code));
}

Trust::Trust(TrustSettings settings) : settings_(std::move(settings)) {
  for (std::size_t i = 0; i < settings_.senders.size(); ++i) {
    for (const Ed25519Public& key : settings_.senders[i].keys) by_key_id_.emplace(ed25519_key_id(key), Known{key, i});
  }
}

std::variant<Verified, Refused> Trust::check(const Asked& asked, Timestamp now) const {
  const auto refused = [](RefusalCode code, std::string reason, std::string key = {}) {
    return Refused{code, std::move(reason), std::move(key)};
  };
  const sqs::MessageAttributes& attributes = asked.message.message_attributes;
  const auto found = find_envelope(attributes);
  if (!found) return refused(RefusalCode::Malformed, found.error().message);
  if (!*found || !(*found)->signature) return refused(RefusalCode::Unsigned, "it is not signed");
  const Envelope& envelope = **found;
  const SignaturePart& part = *envelope.signature;
  if (const auto name = repeated_attribute(attributes))
    return refused(RefusalCode::Malformed, fmt::format("its attribute {} is there twice", escape_control(*name)), part.key_id);
  if (std::find(settings_.revoked.begin(), settings_.revoked.end(), part.key_id) != settings_.revoked.end())
    return refused(RefusalCode::RevokedKey, fmt::format("the key {} is revoked in {}", part.key_id, settings_.file), part.key_id);
  const auto known = by_key_id_.find(part.key_id);
  if (known == by_key_id_.end()) {
    return refused(RefusalCode::UnknownKey, fmt::format("the key {} belongs to no sender of {}", part.key_id, settings_.file),
                   part.key_id);
  }
  const AllowedSender& sender = settings_.senders[known->second.sender];
  if (auto no = check_signature(asked, envelope, known->second)) return *no;
  if (auto no = check_time(part, now)) return *no;
  if (auto no = check_rights(sender, asked, part)) return *no;
  return Verified{sender.name, part.key_id, envelope.request_id, part.time, envelope.traceparent};
}

std::optional<Refused> Trust::check_signature(const Asked& asked, const Envelope& envelope, const Known& known) const {
  const SignaturePart& part = *envelope.signature;
  const AllowedSender& sender = settings_.senders[known.sender];
  const auto group = system_attribute(asked.message, "MessageGroupId");
  const std::string bytes = signed_bytes(envelope, {asked.message.body, group, asked.message.message_attributes});
  if (!ed25519_verify(known.key, bytes, part.signature)) {
    return Refused{RefusalCode::Altered,
                   fmt::format("its signature with the key {} of {} does not fit: its body, an attribute, its group or the "
                               "signature itself was changed after signing",
                               part.key_id, sender.name),
                   part.key_id};
  }
  if (part.queue != asked.queue) {
    return Refused{
        RefusalCode::WrongQueue,
        fmt::format("{} signed it for the queue {}, and it lies in {}", sender.name, part.queue, escape_control(asked.queue)),
        part.key_id};
  }
  // A sender that gave no deduplication id leaves it to the queue, which may make one of the body.
  const auto deduplication = system_attribute(asked.message, "MessageDeduplicationId");
  if (part.deduplication_id && !settings_.other_deduplication_ids && deduplication != *part.deduplication_id) {
    return Refused{
        RefusalCode::Altered,
        fmt::format("{} signed the deduplication id {}, and it has {} (deduplication = \"any\" in {} accepts that, for "
                    "queues that give new ones to dead letters)",
                    sender.name, escape_control(*part.deduplication_id),
                    deduplication ? escape_control(*deduplication) : std::string("none"), settings_.file),
        part.key_id};
  }
  return std::nullopt;
}

std::optional<Refused> Trust::check_time(const SignaturePart& part, Timestamp now) const {
  const auto refused = [&](RefusalCode code, std::string reason) { return Refused{code, std::move(reason), part.key_id}; };
  if (part.time > now + settings_.clock_skew) {
    return refused(
        RefusalCode::FromTheFuture,
        fmt::format("it was signed at {}, which is {} from now; clocks may differ by {} (clock_skew): is a clock wrong?",
                    format_utc(part.time), span_text(part.time - now), span_text(settings_.clock_skew)));
  }
  if (now - part.time > settings_.max_age) {
    return refused(RefusalCode::TooOld,
                   fmt::format("it was signed at {}, {} ago; at most {} are accepted (max_age)", format_utc(part.time),
                               span_text(now - part.time), span_text(settings_.max_age)));
  }
  if (part.expiry && now >= *part.expiry)
    return refused(RefusalCode::Expired, fmt::format("its sender let it expire at {}", format_utc(*part.expiry)));
  return std::nullopt;
}

std::optional<Refused> Trust::check_rights(const AllowedSender& sender, const Asked& asked, const SignaturePart& part) const {
  const auto refused = [&](RefusalCode code, std::string reason) { return Refused{code, std::move(reason), part.key_id}; };
  if (sender.not_before && part.time < *sender.not_before) {
    return refused(RefusalCode::OutsideValidity, fmt::format("{} may sign from {} on, and this was signed at {}", sender.name,
                                                             format_utc(*sender.not_before), format_utc(part.time)));
  }
  if (sender.not_after && part.time > *sender.not_after) {
    return refused(RefusalCode::OutsideValidity, fmt::format("{} could sign until {}, and this was signed at {}", sender.name,
                                                             format_utc(*sender.not_after), format_utc(part.time)));
  }
  if (!covers(sender.queues, asked.queue)) {
    return refused(RefusalCode::QueueNotAllowed, fmt::format("{} may not use the queue {} (allowed: {})", sender.name,
                                                             escape_control(asked.queue), join_names(sender.queues)));
  }
  for (const std::string& request : asked.requests) {
    if (covers(sender.requests, request)) continue;
    return refused(RefusalCode::RequestNotAllowed, fmt::format("{} may not ask for {} (allowed: {})", sender.name,
                                                               escape_control(request), join_names(sender.requests)));
  }
  if (asked.requests.empty() && std::find(sender.requests.begin(), sender.requests.end(), "*") == sender.requests.end()) {
    return refused(RefusalCode::RequestNotAllowed,
                   fmt::format("it asks for no request by name, and {} may only ask for {} (\"*\" allows everything)",
                               sender.name, join_names(sender.requests)));
  }
  return std::nullopt;
}

std::optional<std::string> request_id_of(const sqs::Message& message) {
  auto envelope = find_envelope(message.message_attributes);
  if (!envelope || !*envelope) return std::nullopt;
  return (*envelope)->request_id;
}

}  // namespace ferry::signing
