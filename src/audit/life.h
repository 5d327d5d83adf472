#pragma once
// The entries of a request's life, one function each, so that every writer of them uses the same names. docs/audit.md has the
// table. Texts come as they are; format_line() escapes and cuts them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/record.h"
#include "base/clock.h"

namespace ferry::audit {

inline constexpr std::string_view kReceived = "received";
inline constexpr std::string_view kVerified = "verified";
inline constexpr std::string_view kRefused = "refused";
inline constexpr std::string_view kClaimed = "claimed";
inline constexpr std::string_view kAttemptStarted = "attempt-started";
inline constexpr std::string_view kAttemptEnded = "attempt-ended";
inline constexpr std::string_view kSettled = "settled";

struct Ids {
  std::string message_id;
  std::string request_id;  ///< idempotency key, if known
  std::string queue;
  std::string request;  ///< name of the request, once it is known
  /// W3C Trace Context, in hexadecimal; what is not known is empty and left out.
  struct Trace {
    std::string trace_id;
    std::string span_id;         ///< of the attempt
    std::string parent_span_id;  ///< of the sender
  };
  Trace trace{};
};

struct Received {
  std::int64_t receive_count = 1;
  std::string sent_at;    ///< as the server tells, RFC 3339
  std::string sender_id;  ///< the sender's identity as the server knows it
};
Entry received(const Ids& ids, const Received& what);

/// The signature was found right: `sender` is the name in the file of allowed senders.
struct Verified {
  std::string sender;
  std::string key_id;
  Timestamp signed_at;
};
Entry verified(const Ids& ids, const Verified& what);

/// No handler saw it. `code` is for programs (signing::name_of, "unmatched", "rejected"), `reason` for people.
struct Refused {
  std::string code;
  std::string reason;
  std::string key_id;
};
Entry refused(const Ids& ids, const Refused& what);

/// What the ledger answered: "run", "deferred", "done-already", …
struct Claimed {
  std::string answer;
  std::int64_t fence = 0;
  std::int64_t attempt = 0;
};
Entry claimed(const Ids& ids, const Claimed& what);

struct AttemptStarted {
  std::int64_t attempt = 0;
  std::string handler;  ///< program or address
  std::optional<Timestamp> deadline;
};
Entry attempt_started(const Ids& ids, const AttemptStarted& what);

struct AttemptEnded {
  std::int64_t attempt = 0;
  std::string outcome;  ///< "done", "retry", "rejected", "our-fault", "timed-out", "crashed", "interrupted"
  std::string detail;   ///< "exit 3", "HTTP 503", …
  Millis took{0};
  std::string output;  ///< the last lines
};
Entry attempt_ended(const Ids& ids, const AttemptEnded& what);

/// What became of the message: "deleted", "returned", "dead-lettered", "parked", "kept".
struct Settled {
  std::string how;
  std::optional<Seconds> visible_in;  ///< of a returned one
  std::string reason;
};
Entry settled(const Ids& ids, const Settled& what);

/// The last lines of an output, in bounded memory: at most kOutputTailLines lines and kOutputTailBytes bytes. One thread at a
/// time.
inline constexpr std::size_t kOutputTailLines = 20;
inline constexpr std::size_t kOutputTailBytes = 2 * 1024;
class OutputTail {
 public:
  void add(std::string_view line);
  /// The lines, one break between two; "…" in front when something came before them.
  std::string text() const;

 private:
  std::string lines_;
  std::size_t count_ = 0;
  bool more_ = false;
};

}  // namespace ferry::audit
