#include "library/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/encoding.h"
#include "library/conversions.h"
#include "library/failure.h"
#include "worker/handler_input.h"
#include "worker/transcript.h"

namespace ferry {

class TaskMaker {
 public:
  static Outcome run(const Handler& handler, const Task::View& view) {
    Task task(view);
    return handler(task);
  }
};

const std::string& Task::request() const {
  return view_.call.request;
}
const std::string& Task::parameter() const {
  return view_.call.parameter;
}
Expected<std::int64_t> Task::integer() const {
  if (const auto number = parse_integer(parameter())) return *number;
  return library::refusal(fmt::format("\"{}\" is no integer of 64 bits", escape_control(parameter())));
}
const std::string& Task::body() const {
  return view_.call.message->body;
}
const std::string& Task::message_id() const {
  return view_.call.message->message_id;
}
std::optional<AttributeValue> Task::attribute(std::string_view name) const {
  const auto& attributes = view_.call.message->message_attributes;
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const auto& one) { return one.first == name; });
  if (found == attributes.end()) return std::nullopt;
  return library::from_wire(found->second);
}
Message Task::message() const {
  return library::from_wire(*view_.call.message);
}
const std::string& Task::queue() const {
  return view_.call.queue;
}
const std::string& Task::idempotency_key() const {
  return view_.call.idempotency_key;
}
std::int64_t Task::attempt() const {
  return view_.call.attempt > 0 ? view_.call.attempt : worker::receive_count(*view_.call.message);
}
std::int64_t Task::fence() const {
  return view_.call.fence;
}
std::string Task::traceparent() const {
  return view_.call.trace ? view_.call.trace->parent : std::string();
}
std::string Task::tracestate() const {
  return view_.call.trace ? view_.call.trace->state : std::string();
}
const std::string& Task::signed_by() const {
  return view_.call.signed_by;
}
std::chrono::system_clock::time_point Task::deadline() const {
  return view_.call.deadline;
}
bool Task::cancelled() const {
  return view_.cancellation.cancelled();
}
bool Task::wait_for(std::chrono::milliseconds duration) const {
  return view_.cancellation.wait_for(duration);
}

Outcome Outcome::done(std::string result) {
  Outcome outcome(Kind::Done, {});
  outcome.result_ = std::move(result);
  return outcome;
}
Outcome Outcome::retry(std::string reason, std::optional<std::chrono::seconds> after) {
  Outcome outcome(Kind::Retry, std::move(reason));
  outcome.retry_after_ = after;
  return outcome;
}
Outcome Outcome::unavailable(std::string reason) {
  return {Kind::Unavailable, std::move(reason)};
}
Outcome Outcome::reject(std::string reason) {
  return {Kind::Rejected, std::move(reason)};
}
Outcome Outcome::our_fault(std::string reason) {
  return {Kind::OurFault, std::move(reason)};
}
Outcome Outcome::commit(TransactionFunction function) && {
  transaction_ = std::move(function);
  return std::move(*this);
}

namespace library {
namespace {

constexpr std::size_t kReasonBytesMax = 1'000;

worker::HandlerEnd end_of(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::Done:
      return worker::HandlerEnd::Done;
    case Outcome::Kind::Retry:
      return worker::HandlerEnd::Retry;
    case Outcome::Kind::Unavailable:
      return worker::HandlerEnd::Unavailable;
    case Outcome::Kind::Rejected:
      return worker::HandlerEnd::Rejected;
    case Outcome::Kind::OurFault:
      break;
  }
  return worker::HandlerEnd::OurFault;
}

// JSON in its shortest form; nothing when it is none or too long.
std::optional<std::string> tidy_json(const std::string& text) {
  boost::system::error_code status;
  const boost::json::value value = boost::json::parse(text, status);
  if (status) return std::nullopt;
  std::string tidy = boost::json::serialize(value);
  if (tidy.size() > worker::kResultBytesMax) return std::nullopt;
  return tidy;
}

ledger::Value to_ledger(const SqlValue& value) {
  return std::visit(
      [](const auto& one) -> ledger::Value {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, Blob>) {
          return ledger::Blob{one.bytes};
        } else {
          return one;
        }
      },
      value);
}

// The ledger's transaction as users see it. Remembers the ledger's own error: what the function makes of it does not hide that
// the database failed.
class OpenTransaction final : public Transaction {
 public:
  explicit OpenTransaction(ledger::Transaction& transaction) : transaction_(transaction) {}

  using Transaction::execute;
  Expected<std::int64_t> execute(std::string_view sql, std::span<const SqlValue> values) override {
    std::vector<ledger::Value> given;
    given.reserve(values.size());
    for (const SqlValue& value : values) given.push_back(to_ledger(value));
    auto changed = transaction_.execute(sql, given);
    if (changed) return *changed;
    error_ = changed.error();
    return failure_of(*error_);
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  ledger::Transaction& transaction_;
  std::optional<Error> error_;
};

Result<void> run_in(ledger::Transaction& transaction, const TransactionFunction& function) {
  OpenTransaction open(transaction);
  std::string why;
  // The wall of what is not ours, on the ledger's thread.
  try {
    const Expected<void> done = function(open);
    if (done) return {};
    why = done.error().message;
  } catch (const std::exception& error) {
    why = fmt::format("it threw: {}", error.what());
  } catch (...) {
    why = "it threw something that is no std::exception";
  }
  if (open.error()) return Unexpected(*open.error());
  return fail(ErrorKind::InvalidArgument, std::move(why));
}

worker::HandlerResult result_of(const Outcome& outcome, const worker::HandlerCall& call, const Complaint& complain) {
  worker::HandlerResult result;
  result.end = end_of(outcome.kind());
  result.detail = worker::clip(outcome.reason(), kReasonBytesMax);
  if (const auto after = outcome.retry_after()) result.retry_after = std::clamp(*after, Seconds(0), worker::kRetryAfterMax);
  if (!outcome.result().empty()) {
    if (auto json = tidy_json(outcome.result())) {
      result.result = std::move(*json);
    } else {
      complain(fmt::format("{}: its result is dropped: it is no JSON of at most {} bytes", call.label, worker::kResultBytesMax));
    }
  }
  if (outcome.kind() == Outcome::Kind::Done && outcome.transaction()) {
    result.with = [function = outcome.transaction()](ledger::Transaction& transaction) { return run_in(transaction, function); };
  }
  return result;
}
}  // namespace

worker::HandlerFunction function_for(Handler handler, Complaint complain) {
  return [handler = std::move(handler), complain = std::move(complain)](const worker::HandlerCall& call,
                                                                        const worker::Cancellation& cancellation) {
    return result_of(TaskMaker::run(handler, {call, cancellation}), call, complain);
  };
}

}  // namespace library
}  // namespace ferry
