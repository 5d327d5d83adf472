#include "signing/envelope.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/encoding.h"
#include "base/trace_context.h"
#include "sqs/limits.h"
#include "sqs/names.h"

namespace ferry::signing {
namespace {

constexpr std::string_view kVersion = "v1";
constexpr std::string_view kSignedTag = "ferry-signed-message-v1";
constexpr std::size_t kKeyIdChars = 32;
constexpr std::int64_t kMillisMax = 253'402'300'799'999;  // the end of year 9999

Unexpected<Error> malformed(std::string why) {
  return fail(ErrorKind::InvalidArgument, std::move(why));
}

// Takes "NAME=value" from the front of the fields.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}

  std::optional<std::string_view> take(char name) {
    if (rest_.size() < 3 || rest_[0] != ';' || rest_[1] != name || rest_[2] != '=') return std::nullopt;
    const std::size_t end = std::min(rest_.find(';', 1), rest_.size());
    const std::string_view value = rest_.substr(3, end - 3);
    rest_.remove_prefix(end);
    return value;
  }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

Result<std::string> text_field(Fields& fields, char name) {
  const auto raw = fields.take(name);
  if (!raw) return malformed(fmt::format("its field {} is missing or out of place", name));
  const auto text = percent_decode(*raw);
  if (!text || text->empty()) return malformed(fmt::format("its field {} is no percent-encoded text", name));
  return *text;
}

std::optional<Timestamp> parse_time(std::string_view text) {
  const auto millis = parse_integer(text);
  if (!millis || *millis < 0 || *millis > kMillisMax) return std::nullopt;
  return from_epoch_millis(*millis);
}

Result<SignaturePart> parse_signature_part(Fields& fields, std::string_view key) {
  SignaturePart part;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (key.size() != kKeyIdChars || !std::all_of(key.begin(), key.end(), is_hex))
    return malformed("its key id is not 32 hexadecimal digits");
  part.key_id = key;
  const auto time = parse_time(fields.take('t').value_or(""));
  if (!time) return malformed("its time is missing or no time");
  part.time = *time;
  if (const auto text = fields.take('x')) {
    part.expiry = parse_time(*text);
    if (!part.expiry) return malformed("its expiry is no time");
  }
  return part;
}

Result<void> parse_end(Fields& fields, SignaturePart& part) {
  const auto text = fields.take('s');
  if (!text) return malformed("its signature is missing");
  const auto bytes = base64_decode(*text);
  if (!bytes || bytes->size() != part.signature.size()) return malformed("its signature is not 64 bytes in base64");
  std::copy(bytes->begin(), bytes->end(), part.signature.begin());
  return {};
}

Result<Envelope> parse_fields(Fields& fields) {
  Envelope envelope;
  if (const auto key = fields.take('k')) {
    FERRY_TRY(envelope.signature, parse_signature_part(fields, *key));
  }
  FERRY_TRY(envelope.request_id, text_field(fields, 'i'));
  FERRY_TRY_VOID(check_request_id(envelope.request_id));
  if (envelope.signature) {
    FERRY_TRY(envelope.signature->queue, text_field(fields, 'q'));
    if (!sqs::is_queue_name(envelope.signature->queue)) return malformed("its field q is no queue name");
    if (const auto raw = fields.take('d')) {
      auto text = percent_decode(*raw);
      if (!text || text->empty() || text->size() > sqs::kGroupIdCharsMax) return malformed("its field d is no deduplication id");
      envelope.signature->deduplication_id = std::move(*text);
    }
  }
  if (const auto raw = fields.take('p')) {
    if (!parse_traceparent(*raw)) return malformed("its field p is no traceparent");
    envelope.traceparent = *raw;
  }
  if (envelope.signature) FERRY_TRY_VOID(parse_end(fields, *envelope.signature));
  return envelope;
}

// Big-endian, eight bytes.
void put_number(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>((number >> shift) & 0xFF));
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

void put_optional(std::string& out, const std::optional<std::string_view>& text) {
  out.push_back(text ? '\1' : '\0');
  if (text) put_text(out, *text);
}

std::uint64_t millis(Timestamp time) {
  return static_cast<std::uint64_t>(to_epoch_millis(time));
}
}  // namespace

std::string format_envelope(const Envelope& envelope) {
  std::string text(kVersion);
  const auto put = [&](char name, std::string_view value) { text += fmt::format(";{}={}", name, value); };
  const SignaturePart* part = envelope.signature ? &*envelope.signature : nullptr;
  if (part != nullptr) {
    put('k', part->key_id);
    put('t', std::to_string(to_epoch_millis(part->time)));
    if (part->expiry) put('x', std::to_string(to_epoch_millis(*part->expiry)));
  }
  put('i', percent_encode(envelope.request_id));
  if (part != nullptr) {
    put('q', percent_encode(part->queue));
    if (part->deduplication_id) put('d', percent_encode(*part->deduplication_id));
  }
  if (envelope.traceparent) put('p', *envelope.traceparent);
  if (part != nullptr) put('s', base64_encode({reinterpret_cast<const char*>(part->signature.data()), part->signature.size()}));
  return text;
}

Result<Envelope> parse_envelope(std::string_view text) {
  if (text.size() > kEnvelopeBytesMax)
    return malformed(fmt::format("it has {} bytes; it can have at most {}", text.size(), kEnvelopeBytesMax));
  const std::size_t end = std::min(text.find(';'), text.size());
  const std::string_view version = text.substr(0, end);
  if (version != kVersion) {
    return malformed(
        fmt::format("it is of the kind \"{}\", which is not known here; {} is", escape_control(version.substr(0, 20)), kVersion));
  }
  Fields fields(text.substr(end));
  FERRY_TRY(Envelope envelope, parse_fields(fields));
  if (!fields.at_end())
    return malformed(fmt::format("\"{}\" is unknown or out of place", escape_control(fields.rest().substr(0, 20))));
  // Other spellings of the same values: leading zeros, needless escapes.
  if (format_envelope(envelope) != text) return malformed("it is not written in the one way in which it can be");
  return envelope;
}

Result<void> check_request_id(std::string_view id) {
  const auto visible = [](char c) { return c > ' ' && c < 0x7F; };
  if (!id.empty() && id.size() <= kRequestIdBytesMax && std::all_of(id.begin(), id.end(), visible)) return {};
  return malformed(fmt::format("an idempotency key has 1 to {} visible ASCII characters, no spaces", kRequestIdBytesMax));
}

std::string signed_bytes(const Envelope& envelope, const SignedContent& content) {
  FERRY_CHECK(envelope.signature.has_value());
  const SignaturePart& part = *envelope.signature;
  std::vector<const sqs::MessageAttributes::value_type*> attributes;
  for (const auto& attribute : content.attributes) {
    if (attribute.first != kReservedAttribute) attributes.push_back(&attribute);
  }
  std::sort(attributes.begin(), attributes.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  std::string out;
  out.reserve(content.body.size() + 512);
  put_text(out, kSignedTag);
  put_text(out, part.key_id);
  put_number(out, millis(part.time));
  out.push_back(part.expiry ? '\1' : '\0');
  if (part.expiry) put_number(out, millis(*part.expiry));
  put_text(out, envelope.request_id);
  put_text(out, part.queue);
  put_optional(out, content.group_id);
  put_optional(out, part.deduplication_id);
  put_optional(out, envelope.traceparent);
  put_text(out, content.body);
  put_number(out, attributes.size());
  for (const auto* attribute : attributes) {
    put_text(out, attribute->first);
    put_text(out, attribute->second.data_type);
    put_optional(out, attribute->second.string_value);
    put_optional(out, attribute->second.binary_value);
  }
  return out;
}

Result<std::optional<Envelope>> find_envelope(const sqs::MessageAttributes& attributes) {
  const sqs::MessageAttributeValue* found = nullptr;
  for (const auto& [name, value] : attributes) {
    if (!equals_ignore_case(name, kReservedAttribute)) continue;
    if (name != kReservedAttribute) {
      return malformed(fmt::format("it has an attribute {}, which looks like the reserved {} and is not", escape_control(name),
                                   kReservedAttribute));
    }
    if (found != nullptr) return malformed(fmt::format("its attribute {} is there twice", kReservedAttribute));
    found = &value;
  }
  if (found == nullptr) return std::optional<Envelope>();
  if (found->data_type != "String" || !found->string_value || found->binary_value) {
    return malformed(
        fmt::format("its attribute {} is of type {}; it must be a String", kReservedAttribute, escape_control(found->data_type)));
  }
  auto envelope = parse_envelope(*found->string_value);
  if (!envelope) return malformed(fmt::format("its attribute {} is malformed: {}", kReservedAttribute, envelope.error().message));
  return std::optional<Envelope>(std::move(*envelope));
}

}  // namespace ferry::signing
