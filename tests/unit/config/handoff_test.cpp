#include "config/handoff.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

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

TEST(Handoff, EmptyFileHasDefaults) {
  const auto handoff = parse("");
  ASSERT_TRUE(handoff);
  EXPECT_EQ(handoff->on_unmatched, OnUnmatched::Keep);
  EXPECT_EQ(handoff->worker.path, "/usr/local/bin:/usr/bin:/bin");
  EXPECT_TRUE(handoff->requests.empty());
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
    {"[worker]\nconcurrency = 0", "handoff.toml:2: worker.concurrency is 0; it must be from 1 to 256"},
    {"[worker]\nconcurrency = 257", "worker.concurrency is 257"},
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
    {"[request.Enable]\nstdin = \"json\"", "request.Enable.stdin must be \"body\" or \"none\""},
    {"[request.Enable]\nenvironment = { FERRY_QUEUE = \"1\" }", "FERRY_QUEUE is set by the worker itself"},
    {"[request.Enable]\npass_environment = [\"FERRY_ATTR_X\"]", "FERRY_ATTR_X is set by the worker itself"},
    {"[request.Enable]\npass_environment = [\"PATH\"]", "PATH is set by the worker itself"},
    {"[request.Enable]\nenvironment = { LD_PRELOAD = \"1\" }", "LD_PRELOAD would change what the handler's program is"},
    {"[request.Enable]\npass_environment = [\"A-B\"]", "\"A-B\" is no name of an environment variable"},
    {"[request.Enable]\ntimeout = 0", "request.Enable.timeout is 0s; it must be from 1ms"},
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
