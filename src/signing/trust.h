#pragma once
// Who may ask for what: the file of allowed senders, and the check of one message against it.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ed25519.h"
#include "base/result.h"
#include "signing/envelope.h"
#include "sqs/api.h"

namespace ferry::signing {

struct AllowedSender {
  std::string name;
  std::vector<Ed25519Public> keys;      ///< one or more, so that a key can be replaced without a gap
  std::vector<std::string> requests;    ///< names, or "*" for every request and for plain messages
  std::vector<std::string> queues;      ///< names, or "*"
  std::optional<Timestamp> not_before;  ///< bounds of the time of signing, both inclusive
  std::optional<Timestamp> not_after;
};

/// What the file says. docs/signing.md describes every key.
struct TrustSettings {
  std::string file;  ///< for messages
  std::vector<AllowedSender> senders;
  std::vector<std::string> revoked;      ///< ids of keys of which nothing is accepted
  Millis clock_skew{Seconds(300)};       ///< a message may be signed so far in our future
  Millis max_age{Seconds(1'209'600)};    ///< and so far in our past; by default the longest retention of a queue
  bool other_deduplication_ids = false;  ///< accept a deduplication id that is not the one that was signed
};

/// Everything that is wrong with the file, each a sentence that starts with "FILE:LINE: ".
struct TrustErrors {
  std::vector<std::string> messages;
  std::string text() const;  ///< one a line
};
Result<TrustSettings, TrustErrors> parse_allowed_senders(std::string_view text, const std::string& file);
/// Reads and parses; at most 1 MiB. Refuses a file that others than its owner and group may write to: they would choose whom we
/// trust. Blocks for the disk.
Result<TrustSettings, TrustErrors> load_allowed_senders(const std::string& path);

struct Verified {
  std::string sender;  ///< name in the file
  std::string key_id;
  std::string request_id;  ///< also the idempotency key
  Timestamp signed_at;
  std::optional<std::string> traceparent;
};

enum class RefusalCode {
  Unsigned,   ///< there is no signature; what to do with such messages is the worker's setting
  Malformed,  ///< the reserved attribute is there, but not as it must be
  UnknownKey,
  RevokedKey,
  Altered,     ///< the message is not the one that was signed
  WrongQueue,  ///< signed for another queue
  FromTheFuture,
  TooOld,
  Expired,
  OutsideValidity,  ///< signed before not_before or after not_after
  QueueNotAllowed,
  RequestNotAllowed,
};
std::string_view name_of(RefusalCode code);

/// `reason` is a sentence part for people, control characters escaped.
struct Refused {
  RefusalCode code = RefusalCode::Unsigned;
  std::string reason;
  std::string key_id;  ///< as the message claims, when it could be read; empty otherwise
};

struct Asked {
  const sqs::Message& message;            ///< with all message attributes and system attributes
  std::string_view queue;                 ///< name of the queue that it was received from
  std::span<const std::string> requests;  ///< what it asks for; none for a plain message
};

/// Immutable; thread-safe.
class Trust {
 public:
  explicit Trust(TrustSettings settings);

  /// No I/O. Nothing that the message says about itself is believed before its signature was found right, but for its key id.
  std::variant<Verified, Refused> check(const Asked& asked, Timestamp now) const;
  const TrustSettings& settings() const { return settings_; }

 private:
  struct Known {
    Ed25519Public key;
    std::size_t sender;  // into settings_.senders
  };
  std::optional<Refused> check_signature(const Asked& asked, const Envelope& envelope, const Known& known) const;
  std::optional<Refused> check_time(const SignaturePart& part, Timestamp now) const;
  std::optional<Refused> check_rights(const AllowedSender& sender, const Asked& asked, const SignaturePart& part) const;

  TrustSettings settings_;
  std::map<std::string, Known, std::less<>> by_key_id_;
};

/// The id under which a message is to be done once, signed or not: the idempotency key of its reserved attribute. Nothing when
/// it has none or a malformed one. Says nothing about who sent it.
std::optional<std::string> request_id_of(const sqs::Message& message);

}  // namespace ferry::signing
