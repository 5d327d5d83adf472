#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "base/manual_clock.h"
#include "capture.h"
#include "worker/backoff.h"
#include "worker/client_queue_port.h"
#include "worker/handler_input.h"
#include "worker/handler_output.h"
#include "worker/poll_rules.h"
#include "worker/process_runner.h"
#include "worker/router.h"
#include "worker/run_memory.h"

namespace ferry::worker {
namespace {

using testing_support::TemporaryFolder;

config::Handoff handoff() {
  auto parsed = config::parse_handoff({R"(
[request.Enable]
parameter = { type = "text", max_length = 30 }
attributes = { Reason = { type = "enum", values = ["a", "b"] } }
handler = ["./enable.sh", "{attr:Enable}", "--reason={attr:Reason}"]
[request.Disable]
parameter = { type = "integer", min = 1, max = 5 }
handler = ["./disable.sh", "--n={attr:Disable}", "{message_id}"]
)",
                                       "handoff.toml", "/"});
  EXPECT_TRUE(parsed);
  return *parsed;
}

sqs::Message message_with(std::vector<std::pair<std::string, std::string>> attributes) {
  sqs::Message message;
  message.message_id = "id-1";
  message.body = "the body";
  for (auto& [name, value] : attributes) message.message_attributes.push_back({name, {"String", value, std::nullopt, false}});
  return message;
}

std::string refusal_of(const sqs::Message& message) {
  static const config::Handoff known = handoff();
  const auto decision = Router(known).route(message);
  const auto* refusal = std::get_if<Refusal>(&decision);
  return refusal != nullptr ? refusal->reason : std::string("(routed)");
}

TEST(Router, OneMatchingAttributeRoutes) {
  const config::Handoff known = handoff();
  const auto decision = Router(known).route(message_with({{"Reason", "a"}, {"Enable", "All The Things"}, {"unrelated", "x"}}));
  const auto* route = std::get_if<Route>(&decision);
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->request->name, "Enable");
  EXPECT_EQ(route->parameter, "All The Things");
  EXPECT_EQ(route->argv, (std::vector<std::string>{"./enable.sh", "All The Things", "--reason=a"}));
}

TEST(Router, HostileParametersStayOneArgument) {
  const config::Handoff known = handoff();
  for (const char* value : {"; rm -rf /", "$(reboot)", "`id`", "a --force", "| tee /etc/x", "x' y"}) {
    const auto decision = Router(known).route(message_with({{"Reason", "a"}, {"Enable", value}}));
    const auto* route = std::get_if<Route>(&decision);
    ASSERT_NE(route, nullptr) << value;
    ASSERT_EQ(route->argv.size(), 3u);
    EXPECT_EQ(route->argv[1], value);
  }
}

TEST(Router, RefusesWhatItMust) {
  EXPECT_NE(refusal_of(message_with({})).find("unknown request: it has no attributes"), std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"enable", "x"}})).find("did you mean Enable?"), std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"Restart", "x"}})).find("none of its attributes (Restart) is one of Enable and Disable"),
            std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"Enable", "x"}, {"Disable", "3"}})).find("2 requests in one message"), std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"Disable", "6"}})).find("it is not an integer from 1 to 5"), std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"Enable", "x"}, {"Reason", "c"}})).find("its attribute Reason, \"c\", is refused"),
            std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"Enable", "x"}})).find("the attribute Reason is missing"), std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"Enable", "--help"}, {"Reason", "a"}})).find("would be taken for an option"),
            std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"Enable", "a\nb"}, {"Reason", "a"}})).find("it holds control characters"),
            std::string::npos);
  EXPECT_NE(refusal_of(message_with({{"Enable", std::string(31, 'x')}, {"Reason", "a"}})).find("31 characters where 1 to 30"),
            std::string::npos);
  sqs::Message binary = message_with({});
  binary.message_attributes.push_back({"Disable", {"Binary", std::nullopt, "3", false}});
  EXPECT_NE(refusal_of(binary).find("its parameter is Binary"), std::string::npos);
  EXPECT_EQ(refusal_of(message_with({{"Disable", "5"}})), "(routed)");
}

TEST(Router, CommandTakesEveryMessage) {
  config::RequestType command;
  command.handler.emplace();
  command.handler->argv = {{"prog", config::PlaceholderKind::None, ""}, {"{body}", config::PlaceholderKind::None, ""}};
  const auto decision = Router(command).route(message_with({{"anything", "x"}}));
  const auto* route = std::get_if<Route>(&decision);
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->argv, (std::vector<std::string>{"prog", "{body}"}));
}

TEST(Backoff, GrowsToItsMaximumWithFullJitter) {
  SeededRandom random(1);
  const config::BackoffSettings settings{Seconds(5), Seconds(900)};
  for (const auto& [attempt, ceiling] : std::vector<std::pair<int, Millis>>{{1, Seconds(5)},
                                                                            {2, Seconds(10)},
                                                                            {8, Seconds(640)},
                                                                            {9, Seconds(900)},
                                                                            {40, Seconds(900)},
                                                                            {2'000'000'000, Seconds(900)}}) {
    Millis least = Millis::max();
    Millis most{0};
    for (int i = 0; i < 500; ++i) {
      const Millis delay = full_jitter(settings, attempt, random);
      least = std::min(least, delay);
      most = std::max(most, delay);
    }
    EXPECT_LE(most, ceiling);
    EXPECT_GT(most, ceiling * 9 / 10);
    EXPECT_LT(least, ceiling / 10);
  }
}

TEST(Backoff, VisibilityStaysWithinTwelveHoursInTotal) {
  EXPECT_EQ(clamp_visibility(Seconds(100), Seconds(0)), Seconds(100));
  EXPECT_EQ(clamp_visibility(Seconds(43'200), Seconds(0)), Seconds(43'199));
  EXPECT_EQ(clamp_visibility(Seconds(100), Seconds(43'099)), Seconds(100));
  EXPECT_EQ(clamp_visibility(Seconds(100), Seconds(43'100)), Seconds(99));
  EXPECT_EQ(clamp_visibility(Seconds(100), Millis(43'098'001)), Seconds(100));
  EXPECT_EQ(clamp_visibility(Seconds(100), Seconds(43'199)), Seconds(0));
  EXPECT_EQ(clamp_visibility(Seconds(100), Seconds(50'000)), Seconds(0));
}

TEST(ExitCodes, TableOfTheProtocol) {
  EXPECT_EQ(classify_exit({false, 0}).end, HandlerEnd::Done);
  for (const int code : {64, 65}) EXPECT_EQ(classify_exit({false, code}).end, HandlerEnd::Rejected) << code;
  for (const int code : {77, 78, 126, 127}) EXPECT_EQ(classify_exit({false, code}).end, HandlerEnd::OurFault) << code;
  EXPECT_EQ(classify_exit({false, 69}).end, HandlerEnd::Unavailable);
  for (const int code : {1, 2, 63, 66, 75, 76, 79, 125, 128, 255})
    EXPECT_EQ(classify_exit({false, code}).end, HandlerEnd::Retry) << code;
  EXPECT_EQ(classify_exit({true, 9}).end, HandlerEnd::Crashed);
  EXPECT_EQ(classify_exit({true, 9}).detail, "killed by signal 9");
}

TEST(LineFramer, CutsLinesAndBoundsThem) {
  std::vector<std::string> lines;
  LineFramer framer([&](std::string_view line) { lines.emplace_back(line); });
  framer.feed("one\ntw");
  framer.feed("o\r\n\nlast");
  framer.finish();
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "", "last"}));
  lines.clear();
  framer.feed(std::string(kOutputLineBytesMax, 'a') + "\n" + std::string(kOutputLineBytesMax + 1, 'b') + "\n");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].size(), kOutputLineBytesMax);
  EXPECT_EQ(lines[1].size(), kOutputLineBytesMax);
  EXPECT_EQ(lines[2], "b");
}

TEST(LineFramer, TotalIsCappedOnce) {
  std::vector<std::string> lines;
  LineFramer framer([&](std::string_view line) { lines.emplace_back(line); });
  const std::string line(1024, 'x');
  for (std::size_t i = 0; i < kOutputBytesMax / 1024; ++i) framer.feed(line + "\n");
  EXPECT_EQ(lines.size(), kOutputBytesMax / 1024);
  framer.feed("y\ny\ny\n");
  ASSERT_EQ(lines.size(), kOutputBytesMax / 1024 + 1);
  EXPECT_NE(lines.back().find("the rest is not shown"), std::string::npos);
}

TEST(OutputTail, KeepsTheEndInWholeLines) {
  OutputTail tail(12);
  for (const char* line : {"one", "two", "three"}) tail.add(line);
  EXPECT_EQ(tail.take(), "two\nthree\n");  // 10 of 14 bytes
  OutputTail exact(14);
  for (const char* line : {"one", "two", "three"}) exact.add(line);
  EXPECT_EQ(exact.take(), "one\ntwo\nthree\n");
  OutputTail longer(4);
  longer.add("0123456789\x1b");
  EXPECT_EQ(longer.take(), "x1b\n");
}

TEST(Environment, IsBuiltFromNothing) {
  config::HandlerSpec spec;
  spec.environment = {{"MODE", "test"}};
  spec.pass_environment = {"TZ", "UNSET"};
  config::WorkerSettings settings;
  sqs::Message message = message_with({{"Enable", "x"}, {"PATH", "/evil"}, {"LD_PRELOAD", "/evil.so"}});
  message.attributes = {{"ApproximateReceiveCount", "3"}, {"SentTimestamp", "1700000000000"}, {"SenderId", "AIDA"}};
  HandlerCall call;
  call.spec = &spec;
  call.message = &message;
  call.request = "Enable";
  call.queue = "q";
  call.idempotency_key = "key-1";
  call.trace = TraceContext{"00-parent", ""};
  call.deadline = from_epoch_millis(1'700'000'300'000);
  const EnvironmentInput input{&settings, [](const std::string& name) {
                                 return name == "TZ"     ? std::optional<std::string>("UTC")
                                        : name == "HOME" ? std::optional<std::string>("/home/x")
                                                         : std::nullopt;
                               }};
  EXPECT_EQ(build_environment(call, input),
            (std::vector<std::string>{"FERRY_CONTROL_FD=3", "FERRY_DEADLINE=2023-11-14T22:18:20.000Z", "FERRY_HANDLER=Enable",
                                      "FERRY_IDEMPOTENCY_KEY=key-1", "FERRY_MESSAGE_ID=id-1", "FERRY_PROTOCOL=1", "FERRY_QUEUE=q",
                                      "FERRY_RECEIVE_COUNT=3", "FERRY_SENDER=AIDA", "FERRY_SENT_AT=2023-11-14T22:13:20.000Z",
                                      "HOME=/home/x", "LANG=C.UTF-8", "MODE=test", "PATH=/usr/local/bin:/usr/bin:/bin",
                                      "TRACEPARENT=00-parent", "TZ=UTC"}));
}

TEST(Transcript, AppendsWholeEscapedLines) {
  const TemporaryFolder folder;
  const ManualClock clock;
  folder.write("t", "before\n");
  {
    auto transcript = Transcript::open(folder.file("t"), clock);
    ASSERT_TRUE(transcript);
    (*transcript)->line("a\nforged line\x1b[2J");
  }
  const std::string text = folder.read("t");
  EXPECT_EQ(text.find("before\n"), 0u);
  EXPECT_NE(text.find("] a\\nforged line\\x1b[2J\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_NE(text.find("2023-11-14T22:13:20.000Z ["), std::string::npos);
  EXPECT_FALSE(Transcript::open(folder.path(), clock));
}

TEST(Transcript, LinesOfOverlappingRunsStayWhole) {
  const TemporaryFolder folder;
  const ManualClock clock;
  auto one = Transcript::open(folder.file("t"), clock);
  auto two = Transcript::open(folder.file("t"), clock);
  const std::string text(3000, 'x');
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) (*two)->line(text);
  });
  for (int i = 0; i < 200; ++i) (*one)->line(text);
  other.join();
  std::istringstream lines(folder.read("t"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_TRUE(line.ends_with("] " + text));
  EXPECT_EQ(count, 400);
}

TEST(Clip, CutsBetweenCharacters) {
  EXPECT_EQ(clip("abc", 3), "abc");
  EXPECT_EQ(clip("abcd", 3), "abc…");
  EXPECT_EQ(clip("aä", 2), "a…");
  EXPECT_EQ(clip("a\nb", 10), "a\\nb");
}

TEST(RememberedIds, ForgetTheOldestFirst) {
  RememberedIds ids(2);
  EXPECT_TRUE(ids.add("a"));
  EXPECT_FALSE(ids.add("a"));
  EXPECT_TRUE(ids.add("b"));
  EXPECT_TRUE(ids.add("c"));
  EXPECT_FALSE(ids.contains("a"));
  EXPECT_TRUE(ids.contains("b"));
  EXPECT_EQ(ids.size(), 2u);
}

TEST(DrainRule, TwoQuietIdlePollsInARow) {
  DrainRule rule(DrainRule::Goal::NothingToDo);
  rule.polled({true, 0});
  EXPECT_FALSE(rule.drained());
  rule.polled({true, 1});
  rule.polled({true, 0});
  EXPECT_FALSE(rule.drained());
  rule.polled({false, 0});  // a handler ran; it may have sent something
  EXPECT_FALSE(rule.drained());
  rule.polled({true, 0});
  EXPECT_TRUE(rule.drained());
}

TEST(DrainRule, EmptyMeansDelayedAndInFlightToo) {
  ManualClock clock;
  DrainRule rule(DrainRule::Goal::Empty);
  rule.polled({true, 0});
  rule.polled({true, 0});
  EXPECT_TRUE(rule.needs_counts());
  rule.counted({0, 1, 0}, 0, clock.steady());
  rule.counted({0, 0, 0}, 0, clock.steady());
  EXPECT_FALSE(rule.drained());
  clock.advance(Millis(999));
  rule.counted({0, 0, 0}, 0, clock.steady());
  EXPECT_FALSE(rule.drained());
  clock.advance(Millis(1));
  rule.counted({0, 2, 0}, 2, clock.steady());  // those are ours
  EXPECT_TRUE(rule.drained());
}

TEST(StopPlan, PollThenHandlersThenKill) {
  ManualClock clock;
  StopPlan plan(Seconds(20), Seconds(8));
  EXPECT_FALSE(plan.update(0, clock.steady()).cancel_poll);
  clock.advance(Seconds(100));
  StopPlan::Demands demands = plan.update(1, clock.steady());
  EXPECT_FALSE(demands.cancel_poll);
  EXPECT_EQ(demands.interrupt, 0);
  clock.advance(Millis(4'999));
  EXPECT_FALSE(plan.update(1, clock.steady()).cancel_poll);
  clock.advance(Millis(1));
  EXPECT_TRUE(plan.update(1, clock.steady()).cancel_poll);
  EXPECT_EQ(plan.update(1, clock.steady()).interrupt, 0);
  clock.advance(Seconds(15));
  EXPECT_EQ(plan.update(1, clock.steady()).interrupt, 1);
  EXPECT_EQ(plan.update(3, clock.steady()).interrupt, 2);
}

TEST(StopPlan, GivesUpWhenTheEndTimeAfterTheDrainTimeoutIsOver) {
  ManualClock clock;
  StopPlan plan(Seconds(20), Seconds(8));
  plan.update(1, clock.steady());
  clock.advance(Millis(27'999));
  EXPECT_FALSE(plan.update(1, clock.steady()).give_up);
  clock.advance(Millis(1));
  EXPECT_TRUE(plan.update(1, clock.steady()).give_up);
}

TEST(StopPlan, ASecondRequestBringsTheEndForward) {
  ManualClock clock;
  StopPlan plan(Seconds(20), Seconds(8));
  plan.update(1, clock.steady());
  clock.advance(Seconds(1));
  plan.update(2, clock.steady());
  clock.advance(Millis(7'999));
  EXPECT_FALSE(plan.update(2, clock.steady()).give_up);
  clock.advance(Millis(1));
  EXPECT_TRUE(plan.update(2, clock.steady()).give_up);
}

TEST(StopPlan, SecondSignalIsNow) {
  ManualClock clock;
  StopPlan plan(Seconds(20), Seconds(8));
  plan.update(1, clock.steady());
  const StopPlan::Demands demands = plan.update(2, clock.steady());
  EXPECT_TRUE(demands.cancel_poll);
  EXPECT_EQ(demands.interrupt, 1);
}

TEST(Faults, AreToldApart) {
  using Kind = client::CallError::Kind;
  const auto service = [](std::string code, int status) {
    return classify(client::CallError{Kind::Service, std::move(code), status, ""});
  };
  EXPECT_EQ(service("AWS.SimpleQueueService.NonExistentQueue", 400), Fault::NoQueue);
  EXPECT_EQ(service("QueueDoesNotExist", 400), Fault::NoQueue);
  EXPECT_EQ(service("AccessDenied", 403), Fault::NotAuthorised);
  EXPECT_EQ(service("SignatureDoesNotMatch", 403), Fault::NotAuthorised);
  EXPECT_EQ(service("InvalidClientTokenId", 403), Fault::NotAuthorised);
  EXPECT_EQ(service("", 403), Fault::NotAuthorised);
  EXPECT_EQ(service("RequestThrottled", 403), Fault::Transient);
  EXPECT_EQ(service("ThrottlingException", 400), Fault::Transient);
  EXPECT_EQ(service("ServiceUnavailable", 503), Fault::Transient);
  EXPECT_EQ(service("", 500), Fault::Transient);
  EXPECT_EQ(service("ReceiptHandleIsInvalid", 404), Fault::Lost);
  EXPECT_EQ(service("InvalidParameterValue", 400), Fault::Rejected);
  EXPECT_EQ(classify({Kind::Credentials, "", 0, ""}), Fault::NotAuthorised);
  EXPECT_EQ(classify({Kind::NotReachable, "", 0, ""}), Fault::Transient);
  EXPECT_EQ(classify({Kind::Unknown, "", 0, ""}), Fault::Transient);
  EXPECT_EQ(classify({Kind::Cancelled, "", 0, ""}), Fault::Cancelled);
}

}  // namespace
}  // namespace ferry::worker
