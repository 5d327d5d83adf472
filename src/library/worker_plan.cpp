#include "library/worker_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/encoding.h"
#include "client/queue_reference.h"
#include "library/core.h"
#include "library/failure.h"
#include "library/route_match.h"
#include "sqs/message_attributes.h"

namespace ferry::library {
namespace {

constexpr Millis kTimeoutMax = Seconds(43'200 - 60);  // SQS hides no message for longer than 12 hours in total
constexpr int kRateMax = 1'000'000;
constexpr int kFailuresMax = 1'000;

std::string as_text(std::int64_t number) {
  return std::to_string(number);
}
template <class Rep, class Period>
std::string as_text(std::chrono::duration<Rep, Period> duration) {
  const auto millis = std::chrono::duration_cast<Millis>(duration).count();
  return millis % 1000 == 0 ? fmt::format("{} s", millis / 1000) : fmt::format("{} ms", millis);
}

class Planner {
 public:
  Planner(const WorkerOptions& options, const std::vector<Registration>& registrations)
      : options_(options), registrations_(registrations) {}

  Expected<Plan> make() {
    take_queue();
    take_settings();
    take_refusals();
    take_handlers();
    if (!faults_.empty()) return refusal(fmt::format("{}", fmt::join(faults_, "\n")));
    return std::move(plan_);
  }

 private:
  void fault(std::string text) { faults_.push_back(std::move(text)); }

  template <class Value>
  void check(std::string_view name, const Value& value, const Value& min, const Value& max) {
    if (value >= min && value <= max) return;
    fault(fmt::format("{} is {}; it is from {} to {}", name, as_text(value), as_text(min), as_text(max)));
  }

  void take_queue() {
    if (options_.queue.empty()) {
      fault("no queue is named");
    } else if (const auto reference = client::parse_queue_argument(options_.queue); !reference) {
      fault(reference.error().message);
    }
    if (std::string faults = faults_of(options_.connection); !faults.empty()) fault(std::move(faults));
  }

  void take_settings() {
    check("concurrency", std::int64_t{options_.concurrency}, std::int64_t{1}, std::int64_t{config::kConcurrencyMax});
    check("visibility", options_.visibility, Seconds(3), Seconds(43'200));
    check("wait", options_.wait, Seconds(options_.until == RunUntil::Drained ? 1 : 0), Seconds(20));
    check("drain_timeout", options_.drain_timeout, Millis(0), Millis(std::chrono::hours(24)));
    check("backoff_base", options_.backoff_base, Millis(1'000), Millis(std::chrono::hours(1)));
    check("backoff_max", options_.backoff_max, Millis(1'000), Millis(std::chrono::hours(12)));
    if (options_.backoff_base > options_.backoff_max) fault("backoff_base is greater than backoff_max");
    check("ledger_retention", options_.ledger_retention, std::chrono::hours(1), std::chrono::hours(24 * 3650));
    config::Handoff& handoff = plan_.handoff;
    handoff.worker.concurrency = options_.concurrency;
    handoff.worker.visibility = options_.visibility;
    handoff.worker.wait = options_.wait;
    handoff.worker.drain_timeout = options_.drain_timeout;
    handoff.backoff = {options_.backoff_base, options_.backoff_max};
    handoff.trust.senders = absolute(options_.allowed_senders);
    if (options_.on_unsigned == OnUnsigned::Allow) {
      if (options_.allowed_senders.empty()) fault("OnUnsigned::Allow has no meaning without allowed_senders");
      handoff.trust.unsigned_messages = config::UnsignedMessages::Allow;
    }
    handoff.audit.folder = absolute(options_.audit_folder);
  }

  static std::string absolute(const std::string& path) {
    return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
  }

  void take_refusals() {
    const bool dead_letters = options_.on_refused == OnRefused::DeadLetter;
    if (dead_letters == options_.dead_letter_queue.empty())
      fault("dead_letter_queue and OnRefused::DeadLetter go together: give both or neither");
    plan_.handoff.dead_letter_queue = options_.dead_letter_queue;
    switch (options_.on_refused) {
      case OnRefused::Keep:
        plan_.handoff.on_unmatched = config::OnUnmatched::Keep;
        return;
      case OnRefused::DeadLetter:
        plan_.handoff.on_unmatched = config::OnUnmatched::DeadLetter;
        return;
      case OnRefused::Delete:
        plan_.handoff.on_unmatched = config::OnUnmatched::Delete;
        return;
    }
  }

  void take_handlers() {
    if (registrations_.empty()) fault("there is no handler: give it one with on() or on_any()");
    const auto any = [](const Registration& one) { return one.request.empty(); };
    plan_.takes_every_message = std::any_of(registrations_.begin(), registrations_.end(), any);
    if (plan_.takes_every_message && registrations_.size() > 1)
      fault("on_any() takes every message; there can be no other handler beside it");
    for (const Registration& one : registrations_) {
      config::RequestType request = request_for(one);
      if (one.request.empty()) {
        plan_.every_message = std::move(request);
      } else {
        plan_.handoff.requests.push_back(std::move(request));
      }
    }
    check_overlaps();
  }

  config::RequestType request_for(const Registration& one) {
    config::RequestType request;
    const std::string shown = one.request.empty() ? "on_any()" : escape_control(one.request);
    const HandlerOptions& options = one.options;
    if (!one.handler) fault(fmt::format("{}: its handler is no function", shown));
    if (!one.request.empty()) check_name(one.request, one.request);
    request.name = one.request;
    request.match = match_for(one, shown);
    request.parameter = rule_for(options.parameter, shown);
    for (const auto& [name, rule] : options.attributes) {
      check_name(name, fmt::format("{}: {}", shown, name));
      request.attributes.emplace(name, rule_for(rule, fmt::format("{}, attribute {}", shown, name)));
    }
    request.handler = spec_for(options, shown);
    request.ledger.require_key = options.require_key;
    request.ledger.on_lost = options.on_lost == OnLost::Park ? config::OnLost::Park : config::OnLost::Retry;
    return request;
  }

  config::Match match_for(const Registration& one, const std::string& shown) {
    config::Match match;
    match.attribute = one.request;
    if (!one.options.match) return match;
    if (one.request.empty()) fault("on_any() takes every message; a match belongs to on()");
    if (one.options.parameter.kind() != ParameterRule::Kind::Text)
      fault(fmt::format("{}: it is recognised by a match, and has no parameter", shown));
    auto made = to_config(*one.options.match);
    if (made) return std::move(*made);
    fault(fmt::format("{}: its match: {}", shown, made.error().message));
    return match;
  }

  config::HandlerSpec spec_for(const HandlerOptions& options, const std::string& shown) {
    const auto named = [&](std::string_view what) { return fmt::format("{}: {}", shown, what); };
    config::HandlerSpec spec;
    spec.timeout = options.timeout;
    spec.concurrency = options.concurrency;
    check(named("timeout"), options.timeout, Millis(1), kTimeoutMax);
    check(named("concurrency"), std::int64_t{options.concurrency}, std::int64_t{0}, std::int64_t{config::kConcurrencyMax});
    if (options.rate) {
      check(named("rate"), std::int64_t{options.rate->count}, std::int64_t{1}, std::int64_t{kRateMax});
      const Seconds per = options.rate->per;
      if (per != Seconds(1) && per != std::chrono::minutes(1) && per != std::chrono::hours(1))
        fault(named("a rate is per second, minute or hour"));
      spec.rate = config::RateLimit{options.rate->count, per};
    }
    if (options.breaker) {
      check(named("breaker failures"), std::int64_t{options.breaker->failures}, std::int64_t{1}, std::int64_t{kFailuresMax});
      check(named("breaker pause"), options.breaker->pause, Seconds(1), Seconds(3'600));
      spec.breaker = config::BreakerSettings{options.breaker->failures, options.breaker->pause};
    }
    return spec;
  }

  void check_name(const std::string& name, const std::string& shown) {
    const auto valid = sqs::validate_message_attributes({{name, {"String", "x", std::nullopt, false}}});
    if (!valid) fault(fmt::format("{}: it is no name of a message attribute: {}", escape_control(shown), valid.error().message));
  }

  config::ParameterType rule_for(const ParameterRule& rule, const std::string& shown) {
    const auto named = [&](std::string_view what) { return fmt::format("{}: {}", shown, what); };
    const config::ParameterType::Lengths lengths{rule.lengths().min, rule.lengths().max};
    const auto check_lengths = [&](std::size_t max) {
      if (lengths.min < 1 || lengths.min > lengths.max || lengths.max > max)
        fault(named(fmt::format("lengths from {} to {} are none: they are from 1 to {}", lengths.min, lengths.max, max)));
    };
    switch (rule.kind()) {
      case ParameterRule::Kind::Text:
        check_lengths(config::kParameterCharsMax);
        return config::ParameterType::text(lengths);
      case ParameterRule::Kind::OneOf:
        if (rule.values().empty()) fault(named("there is no value that it may have"));
        for (const std::string& value : rule.values()) {
          if (const auto refused = config::general_refusal(value))
            fault(named(fmt::format("\"{}\" can be no value: {}", escape_control(value), *refused)));
        }
        return config::ParameterType::one_of(rule.values());
      case ParameterRule::Kind::Pattern: {
        check_lengths(config::kPatternCharsMax);
        auto made = config::ParameterType::pattern(rule.expression(), lengths);
        if (made) return std::move(*made);
        fault(named(made.error().message));
        return {};
      }
      case ParameterRule::Kind::Integer:
        break;
    }
    if (rule.range().min > rule.range().max) fault(named("its least value is greater than its greatest"));
    return config::ParameterType::integer({rule.range().min, rule.range().max});
  }

  void check_overlaps() {
    const std::vector<config::RequestType>& requests = plan_.handoff.requests;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      for (std::size_t j = 0; j < requests.size(); ++j) {
        if (j < i && equals_ignore_case(requests[i].name, requests[j].name))
          fault(fmt::format("{} and {} are one name but for case: some senders would take them for one request", requests[j].name,
                            requests[i].name));
        const bool by_name = requests[j].match.kind == config::MatchKind::Name;
        if (j != i && by_name && requests[i].attributes.contains(requests[j].name))
          fault(fmt::format("{} uses the attribute {}, which is a request itself", requests[i].name, requests[j].name));
        if (j < i && !equals_ignore_case(requests[i].name, requests[j].name) &&
            config::surely_overlap(requests[i].match, requests[j].match))
          fault(fmt::format("{} ({}) overlaps {} ({}): a message can match both, and would be refused", requests[i].name,
                            requests[i].match.describe(), requests[j].name, requests[j].match.describe()));
      }
    }
  }

  const WorkerOptions& options_;
  const std::vector<Registration>& registrations_;
  Plan plan_;
  std::vector<std::string> faults_;
};
}  // namespace

Expected<Plan> make_plan(const WorkerOptions& options, const std::vector<Registration>& registrations) {
  return Planner(options, registrations).make();
}

}  // namespace ferry::library

namespace ferry {

ParameterRule ParameterRule::text(Lengths lengths) {
  ParameterRule rule;
  rule.lengths_ = lengths;
  return rule;
}
ParameterRule ParameterRule::one_of(std::vector<std::string> values) {
  ParameterRule rule;
  rule.kind_ = Kind::OneOf;
  rule.values_ = std::move(values);
  return rule;
}
ParameterRule ParameterRule::pattern(std::string expression, Lengths lengths) {
  ParameterRule rule;
  rule.kind_ = Kind::Pattern;
  rule.expression_ = std::move(expression);
  rule.lengths_ = lengths;
  return rule;
}
ParameterRule ParameterRule::integer(Range range) {
  ParameterRule rule;
  rule.kind_ = Kind::Integer;
  rule.range_ = range;
  return rule;
}

}  // namespace ferry
