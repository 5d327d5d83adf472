// What a worker is given, checked before anything is opened: every limit at its last good value and one beyond.

#include "library/worker_plan.h"

#include <gtest/gtest.h>

namespace ferry::library {
namespace {

WorkerOptions good_options() {
  WorkerOptions options;
  options.queue = "q";
  return options;
}

Registration good_handler(std::string request = "Enable") {
  return {std::move(request), [](Task&) { return Outcome::done(); }, {}};
}

// What is wrong with these; empty when all is well.
std::string faults(const WorkerOptions& options, const std::vector<Registration>& registrations = {good_handler()}) {
  const auto plan = make_plan(options, registrations);
  if (plan) return {};
  EXPECT_EQ(plan.error().kind, FailureKind::InvalidArgument);
  return plan.error().message;
}

template <class Value>
struct Bounds {
  Value first_bad_below;
  Value least;
  Value greatest;
  Value first_bad_above;
};

template <class Value, class Holder, class Check>
void expect_bounds(Value Holder::*member, Holder holder, const Bounds<Value>& bounds, std::string_view name, const Check& check) {
  for (const Value good : {bounds.least, bounds.greatest}) {
    holder.*member = good;
    EXPECT_EQ(check(holder), "") << name;
  }
  for (const Value bad : {bounds.first_bad_below, bounds.first_bad_above}) {
    holder.*member = bad;
    EXPECT_NE(check(holder).find(name), std::string::npos) << name << ": " << check(holder);
  }
}

TEST(WorkerPlan, BoundsOfTheWorker) {
  using std::chrono::hours;
  const auto check = [](const WorkerOptions& options) { return faults(options); };
  const WorkerOptions good = good_options();
  expect_bounds(&WorkerOptions::concurrency, good, {0, 1, 4096, 4097}, "concurrency", check);
  expect_bounds(&WorkerOptions::visibility, good, {Seconds(2), Seconds(3), Seconds(43'200), Seconds(43'201)}, "visibility",
                check);
  expect_bounds(&WorkerOptions::wait, good, {Seconds(-1), Seconds(0), Seconds(20), Seconds(21)}, "wait", check);
  expect_bounds(&WorkerOptions::drain_timeout, good, {Millis(-1), Millis(0), Millis(86'400'000), Millis(86'400'001)},
                "drain_timeout", check);
  expect_bounds(&WorkerOptions::ledger_retention, good, {hours(0), hours(1), hours(24 * 3650), hours(24 * 3650 + 1)},
                "ledger_retention", check);
  expect_bounds(&WorkerOptions::backoff_max, good, {Millis(999), Millis(5'000), Millis(43'200'000), Millis(43'200'001)},
                "backoff_max", check);
  WorkerOptions wide = good;
  wide.backoff_max = hours(2);
  expect_bounds(&WorkerOptions::backoff_base, wide, {Millis(999), Millis(1'000), Millis(3'600'000), Millis(3'600'001)},
                "backoff_base", check);
  WorkerOptions drained = good;
  drained.until = RunUntil::Drained;
  expect_bounds(&WorkerOptions::wait, drained, {Seconds(0), Seconds(1), Seconds(20), Seconds(21)}, "wait", check);
}

TEST(WorkerPlan, BoundsOfAHandler) {
  const auto check = [](const HandlerOptions& options) {
    Registration one = good_handler();
    one.options = options;
    return faults(good_options(), {one});
  };
  const HandlerOptions good;
  expect_bounds(&HandlerOptions::timeout, good, {Millis(0), Millis(1), Millis(43'140'000), Millis(43'140'001)}, "Enable: timeout",
                check);
  expect_bounds(&HandlerOptions::concurrency, good, {-1, 0, 4096, 4097}, "Enable: concurrency", check);
  const auto rate = [&](RateLimit limit) {
    HandlerOptions options;
    options.rate = limit;
    return check(options);
  };
  for (const int count : {1, 1'000'000}) EXPECT_EQ(rate({count, Seconds(60)}), "") << count;
  for (const int count : {0, 1'000'001}) EXPECT_NE(rate({count, Seconds(60)}), "") << count;
  for (const int per : {1, 60, 3600}) EXPECT_EQ(rate({5, Seconds(per)}), "") << per;
  for (const int per : {0, 2, 3601}) EXPECT_NE(rate({5, Seconds(per)}), "") << per;
  const auto breaker = [&](Breaker one) {
    HandlerOptions options;
    options.breaker = one;
    return check(options);
  };
  for (const int failures : {1, 1'000}) EXPECT_EQ(breaker({failures, Seconds(30)}), "") << failures;
  for (const int failures : {0, 1'001}) EXPECT_NE(breaker({failures, Seconds(30)}), "") << failures;
  for (const int pause : {1, 3'600}) EXPECT_EQ(breaker({5, Seconds(pause)}), "") << pause;
  for (const int pause : {0, 3'601}) EXPECT_NE(breaker({5, Seconds(pause)}), "") << pause;
}

TEST(WorkerPlan, Rules) {
  const auto check = [](ParameterRule rule) {
    Registration one = good_handler();
    one.options.parameter = std::move(rule);
    return faults(good_options(), {one});
  };
  EXPECT_EQ(check(ParameterRule::text()), "");
  EXPECT_EQ(check(ParameterRule::text({1, 32'768})), "");
  EXPECT_NE(check(ParameterRule::text({1, 32'769})), "");
  EXPECT_NE(check(ParameterRule::text({0, 5})), "");
  EXPECT_NE(check(ParameterRule::text({6, 5})), "");
  EXPECT_EQ(check(ParameterRule::pattern("[a-z]+", {1, 4'096})), "");
  EXPECT_NE(check(ParameterRule::pattern("[a-z]+", {1, 4'097})), "");
  EXPECT_NE(check(ParameterRule::pattern("[a-z")), "");
  EXPECT_EQ(check(ParameterRule::one_of({"a"})), "");
  EXPECT_NE(check(ParameterRule::one_of({})), "");
  EXPECT_NE(check(ParameterRule::one_of({"a\nb"})), "");
  EXPECT_EQ(check(ParameterRule::integer()), "");
  EXPECT_EQ(check(ParameterRule::integer({5, 5})), "");
  EXPECT_NE(check(ParameterRule::integer({6, 5})), "");
}

TEST(WorkerPlan, WhatDoesNotGoTogether) {
  const auto with = [](const std::vector<Registration>& registrations) { return faults(good_options(), registrations); };
  EXPECT_NE(with({}).find("no handler"), std::string::npos);
  EXPECT_NE(with({good_handler(""), good_handler("A")}).find("on_any()"), std::string::npos);
  EXPECT_NE(with({good_handler("Enable"), good_handler("enable")}).find("but for case"), std::string::npos);
  EXPECT_NE(with({good_handler("Enable"), good_handler("Enable")}).find("but for case"), std::string::npos);
  EXPECT_NE(with({good_handler("no name")}).find("no name of a message attribute"), std::string::npos);
  EXPECT_EQ(with({good_handler(std::string(256, 'a'))}), "");
  EXPECT_NE(with({good_handler(std::string(257, 'a'))}), "");
  EXPECT_NE(with({{"A", Handler(), {}}}).find("no function"), std::string::npos);
  Registration uses = good_handler("A");
  uses.options.attributes["B"] = ParameterRule::text();
  EXPECT_EQ(with({uses}), "");
  EXPECT_NE(with({uses, good_handler("B")}).find("request itself"), std::string::npos);
  WorkerOptions options = good_options();
  options.on_refused = OnRefused::DeadLetter;
  EXPECT_NE(faults(options).find("dead_letter_queue"), std::string::npos);
  options.dead_letter_queue = "dead";
  EXPECT_EQ(faults(options), "");
  options.on_refused = OnRefused::Keep;
  EXPECT_NE(faults(options).find("dead_letter_queue"), std::string::npos);
}

TEST(WorkerPlan, EverythingThatIsWrongIsToldAtOnce) {
  WorkerOptions options;
  options.concurrency = 0;
  options.connection.attempts_max = 0;
  const std::string told = faults(options, {good_handler("no name")});
  for (const char* part : {"no queue is named", "concurrency is 0", "attempts_max is 0", "no name"})
    EXPECT_NE(told.find(part), std::string::npos) << part << " in\n" << told;
}

}  // namespace
}  // namespace ferry::library
