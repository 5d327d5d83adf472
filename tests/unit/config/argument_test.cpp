#include "config/argument.h"

#include <gtest/gtest.h>

namespace ferry::config {
namespace {

Argument parsed(std::string_view element) {
  auto argument = parse_argument(element);
  EXPECT_TRUE(argument) << element;
  return argument ? *argument : Argument{};
}

std::vector<Argument> argv_of(std::initializer_list<std::string_view> elements) {
  std::vector<Argument> argv;
  for (const std::string_view element : elements) argv.push_back(parsed(element));
  return argv;
}

TEST(Argument, PlaceholderIsAWholeElementOrTheTailOfAnOption) {
  EXPECT_EQ(parsed("{attr:Enable}"), (Argument{"", PlaceholderKind::Attribute, "Enable"}));
  EXPECT_EQ(parsed("{body}"), (Argument{"", PlaceholderKind::Body, ""}));
  EXPECT_EQ(parsed("{message_id}"), (Argument{"", PlaceholderKind::MessageId, ""}));
  EXPECT_EQ(parsed("--name={attr:Enable}"), (Argument{"--name=", PlaceholderKind::Attribute, "Enable"}));
  EXPECT_EQ(parsed("-n={body}"), (Argument{"-n=", PlaceholderKind::Body, ""}));
  EXPECT_EQ(parsed("plain"), (Argument{"plain", PlaceholderKind::None, ""}));
  EXPECT_EQ(parsed("{\"json\": 1}").kind, PlaceholderKind::None);
  EXPECT_EQ(parsed("${HOME}").kind, PlaceholderKind::None);
}

TEST(Argument, PlaceholderElsewhereIsAnError) {
  for (const char* element :
       {"x{attr:Enable}", "{attr:Enable}x", "{attr:A}{attr:B}", "--name {attr:Enable}", "name={attr:Enable}", "--a=b={body}",
        "echo {body}", "{attr:}", "{atr:Enable}", "{Body}x{body}", "=={body}", "-={body}", "{boddy}", "'{body}'"}) {
    EXPECT_FALSE(parse_argument(element)) << element;
  }
}

TEST(Argument, MessageNeverChoosesOrWritesTheProgram) {
  EXPECT_TRUE(argv_problem({}));
  EXPECT_TRUE(argv_problem(argv_of({""})));
  EXPECT_TRUE(argv_problem(argv_of({"{attr:Enable}"})));
  EXPECT_TRUE(argv_problem(argv_of({"sh", "-c", "{attr:Enable}"})));
  EXPECT_TRUE(argv_problem(argv_of({"/bin/bash", "-euc", "{body}"})));
  EXPECT_TRUE(argv_problem(argv_of({"sh", "{body}"})));
  EXPECT_TRUE(argv_problem(argv_of({"python3.11", "-c", "{body}"})));
  EXPECT_TRUE(argv_problem(argv_of({"node", "--eval={body}"})));
  EXPECT_TRUE(argv_problem(argv_of({"env", "sh", "-c", "{body}"})));
  EXPECT_TRUE(argv_problem(argv_of({"env", "{body}"})));
  EXPECT_TRUE(argv_problem(argv_of({"timeout", "5", "bash", "-c", "{body}"})));
  EXPECT_TRUE(argv_problem(argv_of({"pwsh", "-NoProfile", "-Command", "{attr:Enable}"})));
}

TEST(Argument, ScriptsMayTakeWhatTheMessageSays) {
  EXPECT_FALSE(argv_problem(argv_of({"./enable.sh", "{attr:Enable}"})));
  EXPECT_FALSE(argv_problem(argv_of({"sh", "./enable.sh", "{attr:Enable}"})));
  EXPECT_FALSE(argv_problem(argv_of({"sh", "-c", "printf %s \"$1\"", "sh", "{attr:Enable}"})));
  EXPECT_FALSE(argv_problem(argv_of({"python3", "-u", "./handler.py", "--name={attr:Enable}"})));
  EXPECT_FALSE(argv_problem(argv_of({"timeout", "5", "./enable.sh", "{attr:Enable}"})));
}

Result<std::vector<std::string>> expanded(std::string_view element, std::string value) {
  ArgumentValues values;
  values.attributes.emplace("Enable", std::move(value));
  values.body = "BODY";
  values.message_id = "id-1";
  return expand(argv_of({"prog", element}), values);
}

TEST(Argument, ValuesBecomeOneArgumentWhateverTheySay) {
  for (const char* value : {"; rm -rf /", "$(id)", "`id`", "a b  c", "\"quoted\" 'both'", "&& true", "| cat", "> /tmp/x", "*",
                            "~", "{body}", "a=b", "\\"}) {
    const auto argv = expanded("{attr:Enable}", value);
    ASSERT_TRUE(argv) << value;
    EXPECT_EQ(*argv, (std::vector<std::string>{"prog", value}));
  }
}

TEST(Argument, ValueThatWouldBeAnOptionIsRefused) {
  for (const char* value : {"-", "-x", "--help", "-rf /"}) {
    EXPECT_FALSE(expanded("{attr:Enable}", value)) << value;
    const auto tail = expanded("--name={attr:Enable}", value);
    ASSERT_TRUE(tail) << value;
    EXPECT_EQ((*tail)[1], std::string("--name=") + value);
  }
}

TEST(Argument, ControlCharactersEmptyAndMissingAreRefused) {
  for (const std::string& value : {std::string(), std::string("a\nb"), std::string("a\0b", 3), std::string("\x1b")}) {
    EXPECT_FALSE(expanded("{attr:Enable}", value));
    EXPECT_FALSE(expanded("--name={attr:Enable}", value));
  }
  const auto missing = expanded("{attr:Other}", "x");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("the attribute Other is missing"), std::string::npos);
}

TEST(Argument, ArgumentEndsWhereTheSystemEndsIt) {
  EXPECT_TRUE(expanded("{attr:Enable}", std::string(128 * 1024 - 1, 'a')));
  EXPECT_FALSE(expanded("{attr:Enable}", std::string(128 * 1024, 'a')));
  EXPECT_FALSE(expanded("-n={attr:Enable}", std::string(128 * 1024 - 1, 'a')));
}

TEST(Argument, BodyAndIdAreFilledIn) {
  EXPECT_EQ((*expanded("{body}", "x"))[1], "BODY");
  EXPECT_EQ((*expanded("--id={message_id}", "x"))[1], "--id=id-1");
}

}  // namespace
}  // namespace ferry::config
