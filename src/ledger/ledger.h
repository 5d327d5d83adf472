#pragma once
// What was done, durably: one record per request, whatever the queue does with its message.
//
// A worker claims a record before it runs a handler, and commits the outcome before it deletes the message. So a duplicate, a
// lost delete, an expired visibility timeout or a redrive meets the record and costs time, never correctness. A claim is a
// lease with a fencing token (`fence`): it grows with each claim of a record, also after the record was forgotten, and whoever
// comes with an older one is refused. docs/ledger.md has the states and what is promised.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/random.h"
#include "base/result.h"

namespace ferry::ledger {

using KeyHash = Sha256Digest;
/// Grows with each claim of a record; counts from 1. 0: none.
using Fence = std::int64_t;

inline constexpr std::size_t kKeyTextBytesMax = 256;       ///< of the readable form; the hash covers all
inline constexpr std::size_t kTextBytesMax = 1'000;        ///< of each other text of a record; longer ones are clipped
inline constexpr std::size_t kResultBytesMax = 16 * 1024;  ///< kept of a result; its hash covers all

/// Bytes that are no text.
struct Blob {
  std::string bytes;
  auto operator<=>(const Blob&) const = default;
};

/// Which request. `hash` is SHA-256(scope ‖ 0 ‖ key); the texts are for people: control characters escaped, clipped.
struct Key {
  KeyHash hash{};
  std::string scope;  ///< "QUEUE/HANDLER": the same key means another request elsewhere
  std::string text;
};
/// Scope and key may hold any bytes; neither is empty, and the scope holds no NUL (a bug otherwise).
Key make_key(std::string_view scope, std::string_view key);

/// What makes two deliveries the same request: handler, body, and the attributes that are no transport, in any order.
Sha256Digest payload_hash(std::string_view handler, std::string_view body,
                          std::vector<std::pair<std::string, std::string>> attributes);

/// "HOST/PID/UUID": this process and no other, before or after it.
std::string make_owner(Random& random);

enum class State {
  Claimed = 1,   ///< somebody runs it, or did until the lease was over
  Done = 2,      ///< never runs again
  Retry = 3,     ///< may be claimed at `not_before`
  Rejected = 4,  ///< the final no
  Parked = 5,    ///< needs a person
};
std::string_view state_name(State state);
std::optional<State> parse_state(std::string_view name);

struct Row {
  Key key;
  State state = State::Claimed;
  Fence fence = 0;
  std::string owner;       ///< of the last claim
  Timestamp lease_until;   ///< of the last claim
  Timestamp not_before;    ///< Retry
  Sha256Digest payload{};  ///< payload_hash() of the first delivery
  std::string message_id;  ///< of the last claim
  Timestamp first_seen;
  Timestamp claimed_at;
  Timestamp finished_at;  ///< of the last outcome; 0 before
  Timestamp expires_at;   ///< may be removed from then on; 0: never
  std::int64_t attempts = 0;
  std::int64_t interrupts = 0;  ///< claims that ended without being an attempt
  std::int64_t receive_count_max = 0;
  std::string outcome;               ///< one word: "done", "timeout", "lost", …
  std::optional<std::int64_t> code;  ///< exit code or HTTP status
  std::string detail;
  Blob result_hash;  ///< SHA-256; empty without a result
  std::int64_t result_bytes = 0;
  Blob result;  ///< the first kResultBytesMax of it
  std::string sender;
  std::string config_hash;
};

/// What becomes of a request whose holder let its lease run out: it may have done its work, and nobody knows.
enum class OnLost { Retry, Park };

struct ClaimRequest {
  Key key;
  Sha256Digest payload{};
  std::string message_id;
  std::string owner;
  Millis lease{0};  ///< above 0
  OnLost on_lost = OnLost::Retry;
  std::int64_t receive_count = 1;
  std::string sender;
  std::string config_hash;
};

enum class ClaimAnswer {
  Run,          ///< yours: run it, renew the lease, commit the outcome
  Mine,         ///< a live claim by this owner of this message: adopt the newer receipt. If no run of it is in hand (the answer
                ///< to its claim was lost) it is yours as with Run
  Deferred,     ///< somebody else has it: do not run, do not delete; look again after `wait`
  NotYet,       ///< an attempt failed; the next is due after `wait`
  AlreadyDone,  ///< delete the message
  Rejected,     ///< the final no was said before: refuse the message again
  Parked,       ///< waits for a person: neither run nor lose it
  Conflict,     ///< the same key with another payload: never run, never silently delete
};
struct Claim {
  ClaimAnswer answer = ClaimAnswer::Deferred;
  Fence fence = 0;              ///< Run, Mine
  std::int64_t attempt = 0;     ///< counted from 1, this one included
  std::int64_t interrupts = 0;  ///< so far
  bool after_loss = false;      ///< Run, Parked: the holder before let its lease run out, and that was found just now
  Millis wait{0};               ///< Deferred, NotYet: above 0
  std::string message_id;       ///< of the message that the record was last claimed for
  std::string detail;           ///< AlreadyDone, Rejected, Parked: how it ended
  std::string result_hash;      ///< AlreadyDone: hex; empty without a result
};

/// Prolongs a claim: from now for `lease`. Also one whose lease is over, as long as nobody else has claimed the record.
struct Renewal {
  KeyHash key{};
  Fence fence = 0;
  std::string owner;
  Millis lease{0};
};

enum class OutcomeKind {
  Done,
  Retry,
  Rejected,
  Parked,
  Interrupted,  ///< to be run again; this was no attempt
  Released,     ///< never begun; neither an attempt nor an interruption
};
struct Outcome {
  OutcomeKind kind = OutcomeKind::Done;
  Millis retry_after{0};      ///< Retry, Interrupted, Released
  std::string outcome_class;  ///< one word for lists; the kind's when empty
  std::optional<std::int64_t> code;
  std::string detail;
  std::optional<std::string> result;
};

/// A value of a statement, or of what it answers.
using Value = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;

/// The ledger's transaction, for handlers whose effect is in the same database. One statement a call, with $1, $2, … for
/// values. Statements that begin or end transactions are refused.
class Transaction {
 public:
  virtual ~Transaction() = default;
  /// How many rows were changed.
  virtual Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values) = 0;
};

/// Ends a claim.
struct Settlement {
  KeyHash key{};
  Fence fence = 0;
  std::string owner;
  Outcome outcome;
  /// Runs in the transaction that commits the outcome, on the ledger's thread, only when the claim still holds: both become
  /// durable or neither. Its error undoes what it did and leaves the claim as it was. Must not call the ledger.
  std::function<Result<void>(Transaction&)> with;
};

/// To a Renewal or a Settlement. Fenced: the claim is somebody else's, or a person has intervened; nothing was changed. A
/// settlement that is repeated because its answer was lost is Accepted again.
enum class Verdict { Accepted, Fenced };

using Operation = std::variant<ClaimRequest, Renewal, Settlement>;
/// A Claim to a ClaimRequest, a Verdict to the others.
using Answer = std::variant<Claim, Verdict>;

/// Which records; all conditions together.
struct Filter {
  std::vector<State> states;       ///< any when empty
  std::string scope;               ///< any when empty
  std::string key_prefix;          ///< of the readable form
  std::optional<Millis> idle_min;  ///< neither claimed nor finished since
  std::size_t limit = 100;
  std::string after;  ///< Page::next of the page before
};
struct Page {
  std::vector<Row> rows;  ///< by first_seen, oldest first; without results
  std::string next;       ///< empty: that was all
};

struct Statistics {
  struct Count {
    std::string scope;
    State state = State::Claimed;
    std::int64_t count = 0;
  };
  std::vector<Count> counts;        ///< by scope, then state
  std::optional<Row> oldest_claim;  ///< of those that are Claimed
  std::int64_t lost_claims = 0;     ///< Claimed with a lease that is over
  std::int64_t database_bytes = 0;
  std::int64_t version = 0;
  std::string place;
  Timestamp now;  ///< the ledger's clock
};

/// Thread-safe. What is answered is durable. Errors: Busy (locked by others for longer than the time-out, or too much is
/// waiting), NoSpace, Unavailable (no connection), Timeout (it may or may not have happened: repeat it), Io and Corrupt (this
/// object answers nothing else from then on).
class Ledger {
 public:
  virtual ~Ledger() = default;

  using Then = std::function<void(Result<std::vector<Answer>>)>;
  /// Does not block. Answers in the order of the operations, all from one transaction, on the ledger's thread, where nothing
  /// may block; when too much is waiting, on the caller's. A Settlement with a function is alone. Operations that are submitted
  /// while a transaction is being committed go together into the next.
  virtual void submit(std::vector<Operation> operations, Then then) = 0;

  /// These block until it is durable.
  Result<std::vector<Answer>> carry_out(std::vector<Operation> operations);
  Result<Claim> claim(ClaimRequest request);
  /// One verdict for each renewal.
  Result<std::vector<Verdict>> renew(std::span<const Renewal> renewals);
  Result<Verdict> commit(Settlement settlement);

  // For people. They block.
  virtual Result<Page> list(const Filter& filter) = 0;
  /// Whole records whose key, message id or hash (its first eight or more hex digits) is `name`, in `scope` or any when empty.
  struct Selector {
    std::string name;
    std::string scope;
  };
  virtual Result<std::vector<Row>> find(const Selector& selector) = 0;
  /// The next delivery runs it, with all attempts before it. InvalidArgument: done. Busy: somebody is running it.
  virtual Result<Row> retry(const KeyHash& key) = 0;
  /// Who runs it is fenced. InvalidArgument: done.
  virtual Result<Row> park(const KeyHash& key, std::string_view reason) = 0;
  /// As if it had never been seen. Busy: somebody is running it.
  virtual Result<void> forget(const KeyHash& key) = 0;
  virtual Result<Statistics> stat() = 0;
  /// What the database's own check finds wrong, a sentence each. Reads all of it.
  virtual Result<std::vector<std::string>> check() = 0;
};

}  // namespace ferry::ledger
