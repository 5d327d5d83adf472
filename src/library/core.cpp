#include "library/core.h"

#include <fmt/format.h>

#include "client/queue_reference.h"
#include "library/failure.h"

namespace ferry::library {
namespace {

constexpr int kAttemptsMax = 100;
constexpr Millis kTimeoutMax = std::chrono::minutes(10);

client::SessionRequest request_for(const Connection& connection, const std::string& queue) {
  client::SessionRequest request;
  request.endpoint = {connection.endpoint_url, connection.region, connection.amazon, queue};
  request.profile = connection.profile;
  request.attempts_max = connection.attempts_max;
  request.connect_timeout = connection.connect_timeout;
  request.read_timeout = connection.read_timeout;
  if (connection.credentials) {
    const Credentials& given = *connection.credentials;
    request.credentials = access::Credentials{given.access_key_id, given.secret_access_key, given.session_token};
  }
  return request;
}

// An entry that was not sent; `call` is the failure of the whole call, if it was one.
Failure failure_of_entry(const sender::SendOutcome& outcome, const std::optional<client::CallError>& call) {
  if (!call) return {FailureKind::Refused, outcome.message, outcome.code};
  Failure failure = failure_of(*call);
  if (failure.message == outcome.message) return failure;
  failure.message = fmt::format("{}: {}", outcome.message, failure.message);
  failure.kind = failure.kind == FailureKind::Unknown ? FailureKind::NotReachable : failure.kind;  // it was not tried
  return failure;
}
}  // namespace

std::string faults_of(const Connection& connection) {
  std::vector<std::string> faults;
  if (connection.attempts_max && (*connection.attempts_max < 1 || *connection.attempts_max > kAttemptsMax))
    faults.push_back(fmt::format("attempts_max is {}; it is a number from 1 to {}", *connection.attempts_max, kAttemptsMax));
  const auto check = [&](std::string_view name, Millis value) {
    if (value < Millis(1) || value > kTimeoutMax)
      faults.push_back(fmt::format("{} is {} ms; it is from 1 ms to 10 minutes", name, value.count()));
  };
  check("connect_timeout", connection.connect_timeout);
  check("read_timeout", connection.read_timeout);
  if (connection.credentials &&
      (connection.credentials->access_key_id.empty() || connection.credentials->secret_access_key.empty()))
    faults.emplace_back("credentials need an access_key_id and a secret_access_key");
  return fmt::format("{}", fmt::join(faults, "\n"));
}

Expected<std::shared_ptr<Core>> Core::open(const Connection& connection, const std::string& queue) {
  if (std::string faults = faults_of(connection); !faults.empty()) return refusal(std::move(faults));
  std::shared_ptr<Core> core(new Core());  // also its client's, its queues'
  auto session = client::Session::open(request_for(connection, queue), client::process_environment(), core->clock_, core->random_,
                                       core->log_);
  if (!session) return failure_of(session.error());
  core->session_ = std::move(*session);
  return core;
}

Expected<Core::FoundQueue> Core::find_queue(std::string_view queue) {
  const auto reference = client::parse_queue_argument(queue);
  if (!reference) return failure_of(reference.error());
  auto url = client::resolve_queue(client(), *reference);
  if (url) return FoundQueue{std::move(*url), reference->name};
  Failure failure = failure_of(url.error());
  if (failure.kind == FailureKind::NotFound) failure.message = fmt::format("there is no queue {} at {}", queue, endpoint().url);
  return failure;
}

std::vector<Expected<sqs::SendMessageResponse>> Core::send(const std::string& queue_url,
                                                           const std::vector<sqs::SendMessageEntry>& entries) {
  sender::ClientSendPort port(client());
  sender::Sender sender(port, random_, [](Millis pause) { sleep_for(pause); });
  sender::SendReport report = sender.send(queue_url, entries);
  std::vector<Expected<sqs::SendMessageResponse>> results;
  results.reserve(entries.size());
  for (sender::SendOutcome& outcome : report.outcomes) {
    if (outcome.sent) {
      results.emplace_back(std::move(*outcome.sent));
    } else {
      results.emplace_back(failure_of_entry(outcome, report.call_error));
    }
  }
  return results;
}

}  // namespace ferry::library
