#pragma once
/// @file
/// What a worker calls for a request: what it is given, and what it may answer.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ferry/expected.h"
#include "ferry/message.h"

namespace ferry {

/// Bytes that are no text.
struct Blob {
  std::string bytes{};                                 ///< Any.
  bool operator==(const Blob& other) const = default;  ///< The same bytes.
};
/// A value of an SQL statement; std::monostate is NULL.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;

/// The transaction in which the ledger commits that a request is done. Used by the function given to Outcome::commit(), and only
/// while that runs.
class Transaction {
 public:
  virtual ~Transaction() = default;
  /// Runs one statement of the ledger's database (SQLite or PostgreSQL) with $1, $2, … for `values`; answers how many rows it
  /// changed. Statements that begin or end transactions are InvalidArgument. Blocks for the database.
  virtual Expected<std::int64_t> execute(std::string_view sql, std::span<const SqlValue> values) = 0;
  /// The same: `execute("INSERT INTO paid VALUES ($1, $2)", {id, amount})`.
  Expected<std::int64_t> execute(std::string_view sql, std::initializer_list<SqlValue> values) {
    return execute(sql, std::span<const SqlValue>(values.begin(), values.size()));
  }
};
/// Whether the request is done after all: a failure undoes everything.
using TransactionFunction = std::function<Expected<void>(Transaction& transaction)>;

/// What became of one attempt. With a ledger it is on record before the message is deleted or goes back.
class Outcome {
 public:
  /// What is done next.
  enum class Kind {
    Done,         ///< The message is deleted, and its like with the same key is never run again.
    Retry,        ///< Another attempt later.
    Unavailable,  ///< The same, because something it needs is not there; counts for the breaker.
    Rejected,     ///< The final no: this message will never do. It is refused (WorkerOptions::on_refused).
    OurFault,     ///< This machine is at fault, not the message: no attempt is counted, and the handler is paused for 5 s,
                  ///< doubled each time, up to 5 min.
  };

  /// It is done. `result` is kept in the ledger: JSON of up to 64 KiB, or empty. What is no such JSON is dropped, and said so.
  static Outcome done(std::string result = {});
  /// Not done. Seen again after `after` (0 to 43200 s), or after a pause that grows with each attempt.
  static Outcome retry(std::string reason, std::optional<std::chrono::seconds> after = std::nullopt);
  /// Not done, because something that it needs is not there.
  static Outcome unavailable(std::string reason);
  /// It will never do.
  static Outcome reject(std::string reason);
  /// It cannot be done here.
  static Outcome our_fault(std::string reason);

  /// Of one that is done: `function` runs in the ledger's transaction that records it, and only if the request is still ours.
  /// Its changes and the record become durable together or not at all, so that they happen once, whatever fails. When it fails,
  /// nothing of it remains, and the attempt counts as one to retry. It runs on the ledger's thread after the handler has
  /// returned, perhaps several times, until the database has committed: capture by value, wait for nothing but the transaction,
  /// and do not call the worker. A worker without a ledger answers OurFault instead.
  Outcome commit(TransactionFunction function) &&;

  /// What is done next.
  Kind kind() const { return kind_; }
  /// For people; empty when it is done.
  const std::string& reason() const { return reason_; }
  /// As given to done().
  const std::string& result() const { return result_; }
  /// As given to retry().
  std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }
  /// As given to commit(); empty without.
  const TransactionFunction& transaction() const { return transaction_; }

 private:
  Outcome(Kind kind, std::string reason) : kind_(kind), reason_(std::move(reason)) {}

  Kind kind_;
  std::string reason_;
  std::string result_{};
  std::optional<std::chrono::seconds> retry_after_{};
  TransactionFunction transaction_{};
};

/// One request in a handler's hands. Valid while the handler runs; its views and references, too. While it runs the message
/// stays hidden, extended again and again, for 12 hours at most.
class Task {
 public:
  const std::string& request() const;    ///< Its name; empty with Worker::on_any().
  const std::string& parameter() const;  ///< Allowed by the handler's rule; empty with Worker::on_any() and with a Match.
  /// The parameter as a number. InvalidArgument when it is none; never with a rule of integers.
  Expected<std::int64_t> integer() const;
  const std::string& body() const;        ///< Byte for byte.
  const std::string& message_id() const;  ///< The same in every delivery.
  /// Of the message; nothing when it has none of this name.
  std::optional<AttributeValue> attribute(std::string_view name) const;
  Message message() const;           ///< A copy of all of it. Its receipt handle is the worker's business.
  const std::string& queue() const;  ///< As the worker was given it.
  /// The same whenever this request comes again: hand it on to what you change, so that it can tell repetitions. The sender's, or
  /// else the message's id.
  const std::string& idempotency_key() const;
  /// Counted from 1: of all workers with a ledger, else how often the message was received.
  std::int64_t attempt() const;
  /// Of the ledger's claim: grows with each. Hand it on to what you change, and let that refuse a smaller one than it has
  /// seen: so a worker that lost its claim can do no harm. 0 without a ledger.
  std::int64_t fence() const;
  /// Whose signature was found right (WorkerOptions::allowed_senders): a name of that file; empty when nobody checks.
  const std::string& signed_by() const;
  /// W3C Trace Context for what is done here: the sender's trace, and a span id of this attempt's own; empty when the sender
  /// gave none.
  std::string traceparent() const;
  std::string tracestate() const;                          ///< Goes with it; may be empty.
  std::chrono::system_clock::time_point deadline() const;  ///< When its timeout is over.

  /// Its time is over, or the worker stops and waits no longer: end soon. Nobody can stop a function that does not look.
  /// Thread-safe.
  bool cancelled() const;
  /// Waits for `duration`, or until it is cancelled; answers cancelled(). Thread-safe.
  bool wait_for(std::chrono::milliseconds duration) const;

  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

 private:
  friend class TaskMaker;
  struct View;
  explicit Task(const View& view) : view_(view) {}
  const View& view_;
};

/// Carries a request out. Called on a thread of the worker, `concurrency` at a time, so it must be safe for that. What it throws
/// counts as Outcome::retry().
using Handler = std::function<Outcome(Task& task)>;

/// Which values a parameter or attribute may have; others are refused before a handler sees them. Never allowed: an empty
/// value, control characters (line breaks and tabs among them), text that is not UTF-8.
class ParameterRule {
 public:
  /// What kind of value.
  enum class Kind { Text, OneOf, Pattern, Integer };
  /// Any text of 1 to 1024 characters.
  ParameterRule() = default;
  /// In characters: 1 to 32768, or 1 to 4096 with a pattern.
  struct Lengths {
    std::size_t min = 1;      ///< At least.
    std::size_t max = 1'024;  ///< At most.
  };
  static ParameterRule text(Lengths lengths);                    ///< Any text of this length.
  static ParameterRule text() { return {}; }                     ///< Any text of 1 to 1024 characters.
  static ParameterRule one_of(std::vector<std::string> values);  ///< Exactly one of these; one at least.
  /// What the regular expression matches as a whole (ECMAScript syntax without back references, bytes not characters).
  /// Matching takes time in proportion to the length.
  static ParameterRule pattern(std::string expression, Lengths lengths);
  /// The same, 1 to 1024 characters.
  static ParameterRule pattern(std::string expression) { return pattern(std::move(expression), {1, 1'024}); }
  /// Both inclusive.
  struct Range {
    std::int64_t min = std::numeric_limits<std::int64_t>::min();  ///< At least.
    std::int64_t max = std::numeric_limits<std::int64_t>::max();  ///< At most.
  };
  static ParameterRule integer(Range range);  ///< A decimal integer of this range.
  /// A decimal integer of 64 bits.
  static ParameterRule integer() {
    return integer({std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()});
  }

  Kind kind() const { return kind_; }                                 ///< What kind of value.
  const std::vector<std::string>& values() const { return values_; }  ///< Of OneOf.
  const std::string& expression() const { return expression_; }       ///< Of Pattern.
  Lengths lengths() const { return lengths_; }                        ///< Of Text and Pattern.
  Range range() const { return range_; }                              ///< Of Integer.

 private:
  Kind kind_ = Kind::Text;
  std::vector<std::string> values_{};
  std::string expression_{};
  Lengths lengths_{};
  Range range_{};
};

/// At most `count` (1 to 1000000) begun in any `per` (1 s, 1 min or 1 h), all at once if there were none before.
struct RateLimit {
  int count = 1;                ///< So many
  std::chrono::seconds per{1};  ///< in so long.
};
/// After `failures` (1 to 1000) in a row the handler is paused for `pause` (1 s to 1 h); then one request tries.
struct Breaker {
  int failures = 5;                ///< In a row.
  std::chrono::seconds pause{30};  ///< Before the next try.
};
/// What becomes of a request whose worker let its claim in the ledger run out: it may have done its work, and nobody knows.
enum class OnLost {
  Retry,  ///< It is run again.
  Park,   ///< It waits for a person (`ferry ledger retry`).
};

/// How the messages of a handler are recognised when that is not by an attribute of the request's name. They have no parameter
/// then. A message that matches two handlers is refused; handlers that surely overlap are InvalidArgument.
class Match {
 public:
  /// What a JSON body can hold at a place.
  using Value = std::variant<std::string, std::int64_t, bool>;
  /// An attribute (String or Number) with this text.
  static Match attribute(std::string name, std::string value);
  /// An attribute whose text, as a whole, this regular expression matches: as in ParameterRule::pattern().
  static Match attribute_like(std::string name, std::string expression);
  /// The attribute `type`; of a message without one, the member `type` of its JSON body.
  static Match type(std::string value);
  /// What a JSON body holds at this place (RFC 6901): of the same kind; 1.0 is 1. Bodies are looked into up to 1 MiB and 32
  /// levels.
  static Match body(std::string pointer, Value value);
  /// A string there that this regular expression matches as a whole.
  static Match body_like(std::string pointer, std::string expression);

  /// Where it looks.
  enum class Place {
    Attribute,  ///< place() is the attribute's name.
    Type,       ///< place() is "type".
    Body,       ///< place() is a JSON pointer.
  };
  Place kind() const { return kind_; }                 ///< Where it looks.
  const std::string& place() const { return place_; }  ///< See Place.
  const Value& value() const { return value_; }        ///< What has to be there, unless there is an expression.
  const std::optional<std::string>& expression() const { return expression_; }  ///< Or what it has to match.

 private:
  Match(Place kind, std::string place, Value value) : kind_(kind), place_(std::move(place)), value_(std::move(value)) {}

  Place kind_;
  std::string place_;
  Value value_;
  std::optional<std::string> expression_{};
};

/// The bounds of one handler.
struct HandlerOptions {
  std::optional<Match> match{};                                    ///< None: an attribute has the request's name.
  ParameterRule parameter{};                                       ///< Which parameters are allowed; not with a match.
  std::map<std::string, ParameterRule, std::less<>> attributes{};  ///< Which values these attributes may have, if they are there.
  std::chrono::milliseconds timeout{std::chrono::minutes(5)};      ///< Then Task::cancelled(): 1 ms to 43140 s.
  int concurrency = 0;               ///< At a time, of this handler alone: 1 to 4096; 0: only the worker's slots limit it.
  std::optional<RateLimit> rate{};   ///< What is over it waits in the worker's slots, hidden from others.
  std::optional<Breaker> breaker{};  ///< None: it is never paused for failing.
  bool require_key = false;          ///< Refuse messages without an idempotency key of their sender's.
  OnLost on_lost = OnLost::Retry;    ///< With a ledger.
};

}  // namespace ferry
