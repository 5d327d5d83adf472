#pragma once
// The one message attribute that is reserved: `Ferry`, of type String. It carries who asks, when, and under which id.
//
//   v1;i=ID[;p=TRACEPARENT]                                            an idempotency key, not signed
//   v1;k=KEYID;t=TIME[;x=EXPIRY];i=ID;q=QUEUE[;d=DEDUP][;p=TRACEPARENT];s=SIGNATURE     signed
//
// Fields come in this order, each at most once; values are percent-encoded, the signature is base64. There is exactly one way to
// write an envelope: whatever differs from it is malformed. A change of meaning gets a new first word; readers refuse what they
// do not know. docs/signing.md describes every field.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ed25519.h"
#include "base/result.h"
#include "sqs/api.h"

namespace ferry::signing {

inline constexpr std::string_view kReservedAttribute = "Ferry";
inline constexpr std::size_t kEnvelopeBytesMax = 1'536;  ///< more than the largest envelope can have
inline constexpr std::size_t kRequestIdBytesMax = 128;

struct SignaturePart {
  std::string key_id;
  Timestamp time;
  std::optional<Timestamp> expiry;
  std::string queue;                            ///< its name
  std::optional<std::string> deduplication_id;  ///< as the sender gave it; absent when it gave none
  Ed25519Signature signature{};
  bool operator==(const SignaturePart&) const = default;
};

struct Envelope {
  std::string request_id;  ///< also the idempotency key
  std::optional<std::string> traceparent;
  std::optional<SignaturePart> signature;
  bool operator==(const Envelope&) const = default;
};

std::string format_envelope(const Envelope& envelope);
/// InvalidArgument: a sentence part that says what is wrong with it.
Result<Envelope> parse_envelope(std::string_view text);

/// InvalidArgument unless 1 to kRequestIdBytesMax visible ASCII characters.
Result<void> check_request_id(std::string_view id);

/// What is signed beside the fields of the envelope.
struct SignedContent {
  std::string_view body;
  std::optional<std::string_view> group_id;
  const sqs::MessageAttributes& attributes;  ///< the reserved one among them is left out
};
/// The bytes that are signed. Each field stands behind its length, optional ones behind their presence, attributes in the byte
/// order of their names: two different messages never have the same bytes. `envelope.signature` must be there; its signature
/// itself is not covered.
std::string signed_bytes(const Envelope& envelope, const SignedContent& content);

/// The envelope of a message; nothing when it has none. InvalidArgument: it is there twice, in another spelling (`ferry`), of
/// another type, larger than kEnvelopeBytesMax, or malformed.
Result<std::optional<Envelope>> find_envelope(const sqs::MessageAttributes& attributes);

}  // namespace ferry::signing
