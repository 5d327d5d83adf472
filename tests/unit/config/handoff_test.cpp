#include "config/handoff.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/suggest.h"

namespace ferry::config {
namespace {

Result<Handoff, ConfigErrors> parse(std::string_view text) {
  return parse_handoff({text, "handoff.toml", "/nowhere"});
}

std::string errors_of(std::string_view text) {
  const auto handoff = parse(text);
  return handoff ? std::string("(no error)") : handoff.error().text();
}

constexpr std::string_view kGood = R"(
on_unmatched = "dead-letter"
dead_letter_queue = "graveyard"
[worker]
concurrency = 7
visibility = "2m"
wait = 5
drain_timeout = "1500ms"
path = "/bin"
[backoff]
base = "2s"
max = "1h"
[request.Enable]
description = "Switches something on"
parameter = { type = "pattern", pattern = "[A-Z].*", min_length = 2, max_length = 200 }
attributes = { Reason = { type = "enum", values = ["a", "b"] } }
handler = ["./enable.sh", "--name={attr:Enable}", "{attr:Reason}"]
timeout = "10s"
kill_grace = "1s"
concurrency = 2
stdin = "none"
environment = { MODE = "test" }
pass_environment = ["TZ", "FERRY_EXAMPLE_LOG"]
[request.Disable]
parameter = { type = "integer", min = 1, max = 5 }
handler = ["true"]
)";

TEST(Handoff, EveryKeyIsRead) {
  const auto handoff = parse(kGood);
  ASSERT_TRUE(handoff) << errors_of(kGood);
  EXPECT_EQ(handoff->on_unmatched, OnUnmatched::DeadLetter);
  EXPECT_EQ(handoff->dead_letter_queue, "graveyard");
  EXPECT_EQ(handoff->worker.concurrency, 7);
  EXPECT_EQ(handoff->worker.visibility, Seconds(120));
  EXPECT_EQ(handoff->worker.wait, Seconds(5));
  EXPECT_EQ(handoff->worker.drain_timeout, Millis(1500));
  EXPECT_EQ(handoff->worker.path, "/bin");
  EXPECT_EQ(handoff->backoff.base, Seconds(2));
  EXPECT_EQ(handoff->backoff.max, Seconds(3600));
  EXPECT_EQ(handoff->request_names(), (std::vector<std::string>{"Enable", "Disable"}));
  const RequestType* enable = handoff->find("Enable");
  ASSERT_NE(enable, nullptr);
  EXPECT_EQ(enable->description, "Switches something on");
  EXPECT_EQ(enable->parameter.kind(), ParameterKind::Pattern);
  EXPECT_EQ(enable->attributes.at("Reason").values(), (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(enable->handler);
  EXPECT_EQ(enable->handler->argv.size(), 3u);
  EXPECT_EQ(enable->handler->timeout, Seconds(10));
  EXPECT_EQ(enable->handler->kill_grace, Seconds(1));
  EXPECT_EQ(enable->handler->concurrency, 2);
  EXPECT_EQ(enable->handler->input, HandlerInput::None);
  EXPECT_EQ(enable->handler->environment.at("MODE"), "test");
  EXPECT_EQ(enable->handler->pass_environment, (std::vector<std::string>{"TZ", "FERRY_EXAMPLE_LOG"}));
  EXPECT_EQ(handoff->find("enable"), nullptr);
}

TEST(Handoff, PoisonAndLinesAreRead) {
  const auto handoff = parse(R"(
[request.A]
handler = ["./a"]
stdin = "line"
poison_after = 1000
[request.B]
handler = ["./b"]
poison_after = 0
[request.C]
handler = ["./c"]
)");
  ASSERT_TRUE(handoff) << handoff.error().text();
  EXPECT_EQ(handoff->find("A")->handler->input, HandlerInput::Line);
  EXPECT_EQ(handoff->find("A")->handler->poison_after, 1'000);
  EXPECT_EQ(handoff->find("B")->handler->poison_after, 0);
  EXPECT_EQ(handoff->find("C")->handler->poison_after, 3);
}

TEST(Handoff, EmptyFileHasDefaults) {
  const auto handoff = parse("");
  ASSERT_TRUE(handoff);
  EXPECT_EQ(handoff->on_unmatched, OnUnmatched::Keep);
  EXPECT_EQ(handoff->worker.path, "/usr/local/bin:/usr/bin:/bin");
  EXPECT_TRUE(handoff->requests.empty());
}

TEST(Handoff, EveryKeyOfAnEndpointIsRead) {
  const auto handoff = parse(R"(
[worker]
completion = "[::1]:65535"
metrics = "localhost:0"
[request.Work]
http = "https://example.com/work?a=1"
content = "envelope"
content_type = "application/x-work"
proxy = "http://proxy:3128"
ca_file = "ca.pem"
signing_key = "file:./work.key"
timeout = "2h"
concurrency = 4096
rate = "100/m"
breaker = { failures = 3, pause = "1m" }
[request.Socket]
http = "http://localhost/work"
socket = "work.sock"
)");
  ASSERT_TRUE(handoff) << handoff.error().text();
  ASSERT_TRUE(handoff->worker.completion);
  EXPECT_EQ(handoff->worker.completion->host, "[::1]");
  EXPECT_EQ(handoff->worker.completion->port, 65'535);
  ASSERT_TRUE(handoff->worker.metrics);
  EXPECT_EQ(handoff->worker.metrics->host, "127.0.0.1");
  EXPECT_EQ(handoff->worker.metrics->port, 0);
  const HandlerSpec& work = *handoff->find("Work")->handler;
  ASSERT_TRUE(work.http);
  EXPECT_EQ(work.http->url, "https://example.com/work?a=1");
  EXPECT_EQ(work.input, HandlerInput::Envelope);
  EXPECT_EQ(work.http->content_type, "application/x-work");
  EXPECT_EQ(work.http->proxy, "http://proxy:3128");
  EXPECT_EQ(work.http->ca_file, "ca.pem");
  EXPECT_EQ(work.http->signing_key_file, "./work.key");
  EXPECT_EQ(work.timeout, Seconds(7'200));
  EXPECT_EQ(work.concurrency, 4'096);
  EXPECT_EQ(work.rate->count, 100);
  EXPECT_EQ(work.rate->per, Seconds(60));
  EXPECT_EQ(work.breaker->failures, 3);
  EXPECT_EQ(work.breaker->pause, Seconds(60));
  const HandlerSpec& socket = *handoff->find("Socket")->handler;
  EXPECT_EQ(socket.http->socket, "work.sock");
  EXPECT_EQ(socket.http->content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(socket.input, HandlerInput::Body);
}

TEST(Handoff, EveryBoundOfAProgramIsRead) {
  const auto handoff = parse(R"(
[request.Work]
handler = ["sudo", "x"]
stdin = "envelope"
no_new_privs = false
limits = { memory = "512M", cpu = "60s", files = 256, processes = 64 }
rate = "10/s"
breaker = {}
[request.Plain]
handler = ["x"]
)");
  ASSERT_TRUE(handoff) << handoff.error().text();
  const HandlerSpec& work = *handoff->find("Work")->handler;
  EXPECT_EQ(work.input, HandlerInput::Envelope);
  EXPECT_FALSE(work.no_new_privileges);
  EXPECT_EQ(work.limits.memory_bytes, std::uint64_t{512} << 20);
  EXPECT_EQ(work.limits.cpu_seconds, 60u);
  EXPECT_EQ(work.limits.files, 256u);
  EXPECT_EQ(work.limits.processes, 64u);
  EXPECT_EQ(work.breaker->failures, 5);
  EXPECT_EQ(work.breaker->pause, Seconds(30));
  const HandlerSpec& plain = *handoff->find("Plain")->handler;
  EXPECT_TRUE(plain.no_new_privileges);
  EXPECT_FALSE(plain.limits.memory_bytes);
  EXPECT_FALSE(plain.rate);
  EXPECT_FALSE(plain.breaker);
}

TEST(Sizes, UnitsAndNonsense) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("7"), 7u);
  EXPECT_EQ(parse_size("2K"), 2'048u);
  EXPECT_EQ(parse_size("1T"), std::uint64_t{1} << 40);
  for (const char* bad : {"", "K", "-1", "1.5G", "1 M", "1P", "9223372036854775807K"}) EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(Rates, UnitsAndNonsense) {
  EXPECT_EQ(parse_rate("1/s")->count, 1);
  EXPECT_EQ(parse_rate("1000000/h")->per, std::chrono::hours(1));
  for (const char* bad : {"", "/s", "1", "1/", "1/x", "-1/s", "0/s", "1.5/s", "1/ss", "1000001/h"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
}

struct BadCase {
  const char* text;
  const char* message;  ///< part of the only error
};

class HandoffErrors : public testing::TestWithParam<BadCase> {};

TEST_P(HandoffErrors, AreToldWithTheirLine) {
  const auto handoff = parse(GetParam().text);
  ASSERT_FALSE(handoff) << GetParam().text;
  ASSERT_EQ(handoff.error().messages.size(), 1u) << handoff.error().text();
  EXPECT_NE(handoff.error().text().find(GetParam().message), std::string::npos) << handoff.error().text();
}

const BadCase kBadCases[] = {
    {"x = [", "handoff.toml:1: this is not TOML"},
    {"[request.A]\n[request.A]\n", "handoff.toml:2: this is not TOML"},
    {"\non_unmatchd = \"keep\"", "handoff.toml:2: unknown key on_unmatchd; did you mean on_unmatched?"},
    {"zzzzzzzzzz = 1", "unknown key zzzzzzzzzz (known here: "},
    {"[worker]\nconcurency = 3", "handoff.toml:2: unknown key worker.concurency; did you mean concurrency?"},
    {"[request.Enable]\ntimeuot = 3", "handoff.toml:2: unknown key request.Enable.timeuot; did you mean timeout?"},
    {"[request.Enable]\nparameter = { type = \"text\", values = [\"a\"] }", "unknown key request.Enable.parameter.values"},
    {"[backoff]\nmaxx = 3", "unknown key backoff.maxx; did you mean max?"},
    {"on_unmatched = \"delte\"", "on_unmatched is \"delte\"; there are keep, dead-letter and delete; did you mean delete?"},
    {"on_unmatched = 3", "on_unmatched must be a string, not an integer"},
    {"on_unmatched = \"dead-letter\"", "dead_letter_queue is missing"},
    {"dead_letter_queue = \"x\"", "dead_letter_queue has no use without"},
    {"[worker]\nconcurrency = 0", "handoff.toml:2: worker.concurrency is 0; it must be from 1 to 4096"},
    {"[worker]\nconcurrency = 4097", "worker.concurrency is 4097"},
    {"[worker]\nwait = 21", "worker.wait is 21s; it must be from 0s to 20s"},
    {"[worker]\nvisibility = 2", "worker.visibility is 2s; it must be from 3s to 12h"},
    {"[worker]\nvisibility = \"43201s\"", "worker.visibility is 43201s"},
    {"[worker]\nvisibility = \"4500ms\"", "worker.visibility must be whole seconds"},
    {"[worker]\ndrain_timeout = \"soon\"", "worker.drain_timeout must be a duration"},
    {"[backoff]\nbase = \"2m\"\nmax = \"1m\"", "handoff.toml:2: backoff.base is greater than backoff.max"},
    {"worker = 3", "worker must be a table, not an integer"},
    {"[request.Enable]\nhandler = \"enable.sh {attr:Enable}\"",
     "handoff.toml:2: request.Enable.handler must be an array of strings"},
    {"[request.Enable]\nhandler = [\"a\", 3]", "request.Enable.handler must hold strings only, not an integer"},
    {"[request.Enable]\nhandler = []", "request.Enable.handler names no program"},
    {"[request.Enable]\nhandler = [\"x\", \"a{attr:Enable}\"]", "it must be the whole argument or the tail of --option="},
    {"[request.Enable]\nhandler = [\"x\", \"{nope}\"]", "\"{nope}\" is no placeholder"},
    {"[request.Enable]\nhandler = [\"sh\", \"-c\", \"{attr:Enable}\"]", "would let a message write the program that sh runs"},
    {"[request.Enable]\nhandler = [\"x\", \"{attr:Enabel}\"]",
     "uses {attr:Enabel}, which request.Enable.attributes does not declare; did you mean Enable?"},
    {"[request.Enable]\n[request.enable]\n", "handoff.toml:2: request.enable overlaps request.Enable of line 1"},
    {"[request.Enable]\n[request.Disable]\nattributes = { Enable = { type = \"text\" } }",
     "request.Disable overlaps request.Enable"},
    {"[request.\"bad name\"]", "request.\"bad name\" is no name of a message attribute"},
    {"[request.\"AWS.x\"]", "is no name of a message attribute"},
    {"[request.Enable]\nparameter = { type = \"enum\", values = [] }",
     "request.Enable.parameter.values must name at least one value"},
    {"[request.Enable]\nparameter = { type = \"enum\", values = [\"a\", \"a\"] }", "names a more than once"},
    {"[request.Enable]\nparameter = { type = \"enum\", values = [\"a\\nb\"] }", "it holds control characters"},
    {"[request.Enable]\nparameter = { type = \"pattern\" }", "request.Enable.parameter.pattern is missing"},
    {"[request.Enable]\nparameter = { type = \"pattern\", pattern = \"[a\" }", "is no regular expression"},
    {"[request.Enable]\nparameter = { type = \"pattern\", pattern = \"a\", max_length = 4097 }",
     "max_length is 4097; it must be from 1 to 4096"},
    {"[request.Enable]\nparameter = { type = \"text\", max_length = 32769 }", "max_length is 32769"},
    {"[request.Enable]\nparameter = { type = \"text\", min_length = 9, max_length = 3 }",
     "min_length is greater than max_length"},
    {"[request.Enable]\nparameter = { type = \"integer\", min = 9, max = 3 }", "min is greater than max"},
    {"[request.Enable]\nparameter = { type = \"intger\" }",
     "parameter.type is \"intger\"; there are text, enum, pattern and integer; did you mean integer?"},
    {"[request.Enable]\nparameter = { max_length = 3 }", "parameter.type is missing"},
    {"[request.Enable]\nstdin = \"json\"", "request.Enable.stdin must be \"body\", \"line\", \"envelope\" or \"none\""},
    {"[request.E]\nhandler = [\"./a\"]\npoison_after = 1001", "request.E.poison_after is 1001; it must be from 0 to 1000"},
    {"[request.E]\nhandler = [\"./a\"]\npoison_after = -1", "request.E.poison_after is -1"},
    {"[request.E]\nhttp = \"http://x\"\npoison_after = 3", "has no use with http"},
    {"[request.Enable]\nenvironment = { FERRY_QUEUE = \"1\" }", "FERRY_QUEUE is set by the worker itself"},
    {"[request.Enable]\npass_environment = [\"FERRY_ATTR_X\"]", "FERRY_ATTR_X is set by the worker itself"},
    {"[request.Enable]\npass_environment = [\"PATH\"]", "PATH is set by the worker itself"},
    {"[request.Enable]\nenvironment = { LD_PRELOAD = \"1\" }", "LD_PRELOAD would change what the handler's program is"},
    {"[request.Enable]\npass_environment = [\"A-B\"]", "\"A-B\" is no name of an environment variable"},
    {"[request.Enable]\ntimeout = 0", "request.Enable.timeout is 0s; it must be from 1ms"},
    {"[request.E]\nhttp = 3", "request.E.http must be a string, not an integer"},
    {"[request.E]\n\nhttp = \"ftp://x\"", "handoff.toml:3: request.E.http must be a URL that starts with http:// or https://"},
    {"[request.E]\nhttp = \"http://\"", "request.E.http names no host"},
    {"[request.E]\nhttp = \"http://:80/\"", "request.E.http names no host"},
    {"[request.E]\nhttp = \"https://u:p@x/\"", "request.E.http holds a user or a password"},
    {"[request.E]\nhttp = \"https://x/a b\"", "request.E.http holds spaces, control characters"},
    {"[request.E]\nhttp = \"https://x/#a\"", "request.E.http has a fragment"},
    {"[request.E]\nhttp = \"http://x\"\nhandler = [\"true\"]",
     "request.E.http and handler are two ways to carry out one request"},
    {"[request.E]\nhttp = \"http://x\"\nkill_grace = 3", "handoff.toml:3: request.E.kill_grace has no use with http"},
    {"[request.E]\nhttp = \"http://x\"\nstdin = \"body\"", "request.E.stdin has no use with http"},
    {"[request.E]\nhttp = \"http://x\"\nno_new_privs = true", "request.E.no_new_privs has no use with http"},
    {"[request.E]\nhandler = [\"true\"]\nsigning_key = \"file:k\"",
     "handoff.toml:3: request.E.signing_key has no use with handler"},
    {"[request.E]\nhandler = [\"true\"]\ncontent_type = \"a/b\"", "request.E.content_type has no use with handler"},
    {"[request.E]\nhttp = \"http://x\"\nsigning_key = \"secret\"", "request.E.signing_key must name a file, \"file:PATH\""},
    {"[request.E]\nhttp = \"http://x\"\nsigning_key = \"file:\"", "request.E.signing_key must name a file"},
    {"[request.E]\nhttp = \"http://x\"\ncontent = \"none\"", "request.E.content must be \"body\" or \"envelope\""},
    {"[request.E]\nhttp = \"http://x\"\ncontent_type = \"a\\r\\nX-Evil: 1\"",
     "request.E.content_type must be 1 to 256 printable"},
    {"[request.E]\nhttp = \"http://x\"\ncontent_type = \"\"", "request.E.content_type must be 1 to 256 printable"},
    {"[request.E]\nhttp = \"http://x\"\nproxy = \"x:80\"", "request.E.proxy must be a URL"},
    {"[request.E]\nhttp = \"http://x\"\nproxy = \"http://y\"\nsocket = \"s\"", "request.E.proxy and socket are two ways"},
    {"[request.E]\nlimits = { memory = \"1023K\" }", "request.E.limits.memory must be from 1M to 16T"},
    {"[request.E]\nlimits = { memory = \"17T\" }", "request.E.limits.memory must be from 1M to 16T"},
    {"[request.E]\nlimits = { memory = \"lots\" }", "request.E.limits.memory must be a size such as \"512M\""},
    {"[request.E]\nlimits = { cpu = \"500ms\" }", "request.E.limits.cpu is 500ms; it must be from 1s"},
    {"[request.E]\nlimits = { cpu = \"1500ms\" }", "request.E.limits.cpu must be whole seconds"},
    {"[request.E]\nlimits = { files = 7 }", "request.E.limits.files is 7; it must be from 8 to 1048576"},
    {"[request.E]\nlimits = { files = 1048577 }", "request.E.limits.files is 1048577"},
    {"[request.E]\nlimits = { processes = 0 }", "request.E.limits.processes is 0; it must be from 1 to 4194304"},
    {"[request.E]\nlimits = { processes = 4194305 }", "request.E.limits.processes is 4194305"},
    {"[request.E]\nlimits = { memry = \"1M\" }", "unknown key request.E.limits.memry; did you mean memory?"},
    {"[request.E]\nrate = \"0/s\"", "request.E.rate must be a number from 1 to 1000000 and a unit"},
    {"[request.E]\nrate = \"1000001/s\"", "request.E.rate must be a number"},
    {"[request.E]\nrate = \"10/d\"", "request.E.rate must be a number"},
    {"[request.E]\nbreaker = { failures = 0 }", "request.E.breaker.failures is 0; it must be from 1 to 1000"},
    {"[request.E]\nbreaker = { failures = 1001 }", "request.E.breaker.failures is 1001"},
    {"[request.E]\nbreaker = { pause = \"999ms\" }", "request.E.breaker.pause is 999ms; it must be from 1s to 1h"},
    {"[request.E]\nbreaker = { pause = \"3601s\" }", "request.E.breaker.pause is 3601s"},
    {"[request.E]\nbreaker = { fails = 1 }", "unknown key request.E.breaker.fails"},
    {"[request.E]\nno_new_privs = 1", "request.E.no_new_privs must be true or false, not an integer"},
    {"[request.E]\nhandler = [\"/usr/bin/sudo\", \"x\"]",
     "runs /usr/bin/sudo, which gains no privileges here; no_new_privs = false allows it to"},
    {"[request.E]\npass_environment = [\"TRACEPARENT\"]", "TRACEPARENT is set by the worker itself"},
    {"[worker]\ncompletion = \"0.0.0.0:80\"",
     "handoff.toml:2: worker.completion must be an address of this machine alone and a port"},
    {"[worker]\ncompletion = \"127.0.0.1\"", "worker.completion must be"},
    {"[worker]\ncompletion = \"127.0.0.1:65536\"", "worker.completion must be"},
    {"[worker]\ncompletion = \"127.0.0.1:-0\"", "worker.completion must be"},
    {"[worker]\nmetrics = \"0.0.0.0:9464\"",
     "handoff.toml:2: worker.metrics must be an address of this machine alone and a port: \"127.0.0.1:9464\""},
    {"[worker]\nmetrics = \"127.0.0.1:65536\"", "worker.metrics must be"},
    {"[worker]\nmetrics = 9464", "worker.metrics must be a string, not an integer"},
};

INSTANTIATE_TEST_SUITE_P(All, HandoffErrors, testing::ValuesIn(kBadCases));

TEST(Handoff, AllErrorsAreListedAtOnce) {
  const auto handoff = parse("a = 1\n[worker]\nconcurrency = 0\nbogus = 1\n[request.E]\nhandler = \"x\"\n");
  ASSERT_FALSE(handoff);
  EXPECT_EQ(handoff.error().messages.size(), 4u) << handoff.error().text();
}

TEST(Handoff, ParameterRefusalIncludesTheHandlersPlaceholders) {
  const auto whole = parse("[request.Enable]\nhandler = [\"x\", \"{attr:Enable}\"]");
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->find("Enable")->parameter_refusal("-x"));
  EXPECT_FALSE(whole->find("Enable")->parameter_refusal("x"));
  const auto tail = parse("[request.Enable]\nhandler = [\"x\", \"--n={attr:Enable}\"]");
  ASSERT_TRUE(tail);
  EXPECT_FALSE(tail->find("Enable")->parameter_refusal("-x"));
}

TEST(Durations, UnitsAndNonsense) {
  EXPECT_EQ(parse_duration("90"), Seconds(90));
  EXPECT_EQ(parse_duration("90s"), Seconds(90));
  EXPECT_EQ(parse_duration("500ms"), Millis(500));
  EXPECT_EQ(parse_duration("5m"), Seconds(300));
  EXPECT_EQ(parse_duration("2h"), Seconds(7200));
  EXPECT_EQ(parse_duration("1d"), Seconds(86400));
  for (const char* bad : {"", "s", "-1", "1.5s", "1 s", "1w", "9223372036854775807h"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Suggestions, NearNamesOnly) {
  const std::vector<std::string> names = {"Enable", "Disable"};
  EXPECT_EQ(closest("enable", names), "Enable");
  EXPECT_EQ(closest("Enabel", names), "Enable");
  EXPECT_EQ(closest("Disble", names), "Disable");
  EXPECT_FALSE(closest("Restart", names));
  EXPECT_FALSE(closest("", names));
}

class Programs : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "ferry-config-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string add(const std::string& name, mode_t mode) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n";
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string problem_of(const std::string& program) {
    const std::string text = "[worker]\npath = \"" + folder_ + "\"\n[request.E]\nhandler = [\"" + program + "\"]\n";
    auto handoff = parse_handoff({text, "handoff.toml", folder_});
    EXPECT_TRUE(handoff);
    const auto resolved = resolve_programs(*handoff);
    if (resolved) program_ = handoff->requests[0].handler->program;
    return resolved ? std::string() : resolved.error().text();
  }
  std::string folder_;
  std::string program_;
};

TEST_F(Programs, AreFoundRelativeToTheFileAndInThePath) {
  const std::string path = add("good.sh", 0755);
  EXPECT_EQ(problem_of("./good.sh"), "");
  EXPECT_EQ(program_, path);
  EXPECT_EQ(problem_of("good.sh"), "");
  EXPECT_EQ(program_, path);
  EXPECT_EQ(problem_of(path), "");
}

TEST_F(Programs, MissingNotExecutableFoldersAndOpenOnesAreErrors) {
  add("plain.sh", 0644);
  add("open.sh", 0757);
  EXPECT_NE(problem_of("./missing.sh").find("handoff.toml:3: request.E.handler: there is no program"), std::string::npos);
  EXPECT_NE(problem_of("missing.sh").find("there is no program missing.sh in "), std::string::npos);
  EXPECT_NE(problem_of("./plain.sh").find("is not executable"), std::string::npos);
  EXPECT_NE(problem_of("./open.sh").find("is writable for everybody"), std::string::npos);
  EXPECT_NE(problem_of(folder_).find("is not a file"), std::string::npos);
}

TEST_F(Programs, OpenFolderAboveIsAnError) {
  add("good.sh", 0755);
  ::chmod(folder_.c_str(), 0777);
  EXPECT_NE(problem_of("./good.sh").find("anybody may replace it"), std::string::npos);
  ::chmod(folder_.c_str(), 01777);
  EXPECT_EQ(problem_of("./good.sh"), "");
}

TEST_F(Programs, WorkerNeedsRequestsWithHandlers) {
  auto none = parse_handoff({"", "handoff.toml", folder_});
  EXPECT_NE(resolve_programs(*none).error().text().find("names no request"), std::string::npos);
  auto without = parse_handoff({"[request.E]\n", "handoff.toml", folder_});
  EXPECT_NE(resolve_programs(*without).error().text().find("handoff.toml:1: request.E has no handler"), std::string::npos);
}

class Endpoints : public Programs {
 protected:
  std::string problem_with(const std::string& keys) {
    const std::string text = "[request.E]\nhttp = \"http://localhost/\"\n" + keys;
    auto handoff = parse_handoff({text, "handoff.toml", folder_});
    EXPECT_TRUE(handoff);
    const auto resolved = resolve_programs(*handoff);
    if (resolved) endpoint_ = *handoff->requests[0].handler->http;
    return resolved ? std::string() : resolved.error().text();
  }
  std::string key_problem(const std::string& key, mode_t mode) {
    std::ofstream(folder_ + "/key", std::ios::trunc) << key;
    ::chmod((folder_ + "/key").c_str(), mode);
    return problem_with("signing_key = \"file:key\"");
  }
  HttpEndpoint endpoint_;
};

TEST_F(Endpoints, KeyIsReadWithoutItsLastLineBreak) {
  EXPECT_EQ(key_problem("0123456789abcdef\n", 0600), "");
  EXPECT_EQ(endpoint_.signing_key, "0123456789abcdef");
  EXPECT_EQ(endpoint_.signing_key_file, folder_ + "/key");
  EXPECT_EQ(key_problem(std::string(4'096, 'k') + "\n", 0400), "");
  EXPECT_EQ(endpoint_.signing_key.size(), 4'096u);
}

TEST_F(Endpoints, KeyThatOthersMayReadOrThatIsNoneIsAnError) {
  for (const mode_t mode : {0640, 0604, 0660, 0610}) {
    EXPECT_NE(key_problem("0123456789abcdef", mode).find("is open to others (chmod 600 "), std::string::npos) << mode;
    ::unlink((folder_ + "/key").c_str());
  }
  EXPECT_NE(key_problem("0123456789abcde\n", 0600).find("must have 16 to 4096 bytes"), std::string::npos);
  EXPECT_NE(key_problem(std::string(4'097, 'k'), 0600).find("must have 16 to 4096 bytes"), std::string::npos);
  EXPECT_NE(key_problem(std::string(4'097, 'k') + "\n", 0600).find("must have 16 to 4096 bytes"), std::string::npos);
  EXPECT_NE(problem_with("signing_key = \"file:none\"").find("handoff.toml:1: request.E.signing_key: cannot read the key"),
            std::string::npos);
  EXPECT_NE(problem_with("signing_key = \"file:.\"").find("is not a file"), std::string::npos);
}

TEST_F(Endpoints, PathsStartAtTheFile) {
  std::ofstream(folder_ + "/ca.pem") << "x";
  EXPECT_EQ(problem_with("ca_file = \"./ca.pem\"\nsocket = \"a/../work.sock\""), "");
  EXPECT_EQ(endpoint_.ca_file, folder_ + "/ca.pem");
  EXPECT_EQ(endpoint_.socket, folder_ + "/work.sock");
  EXPECT_NE(problem_with("ca_file = \"none.pem\"").find("request.E.ca_file: there is no file"), std::string::npos);
  EXPECT_EQ(problem_with("socket = \"/" + std::string(106, 's') + "\""), "");
  EXPECT_NE(problem_with("socket = \"/" + std::string(107, 's') + "\"").find("has at most 107"), std::string::npos);
}

TEST_F(Programs, FileIsReadWithItsFolder) {
  std::ofstream(folder_ + "/handoff.toml") << "[request.E]\n";
  const auto handoff = load_handoff(folder_ + "/handoff.toml");
  ASSERT_TRUE(handoff);
  EXPECT_EQ(handoff->folder, folder_);
  EXPECT_NE(load_handoff(folder_ + "/none.toml").error().text().find("there is no such file"), std::string::npos);
  EXPECT_NE(load_handoff(folder_).error().text().find("it is not a file"), std::string::npos);
  std::ofstream(folder_ + "/big.toml") << "#" << std::string(1024 * 1024, 'x');
  EXPECT_NE(load_handoff(folder_ + "/big.toml").error().text().find("more than 1 MiB"), std::string::npos);
}

}  // namespace
}  // namespace ferry::config
