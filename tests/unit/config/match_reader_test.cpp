#include "config/match_reader.h"

#include <gtest/gtest.h>

#include "config/handoff.h"

namespace ferry::config {
namespace {

std::string errors_of(const std::string& text) {
  const auto parsed = parse_handoff({text, "handoff.toml", "/"});
  return parsed ? std::string("(no error)") : parsed.error().text();
}

std::string request(const std::string& name, const std::string& keys) {
  return "[request." + name + "]\nhandler = [\"./x\"]\n" + keys + "\n";
}

std::string with_match(const std::string& match) {
  return errors_of(request("Photo", "match = { " + match + " }"));
}

TEST(MatchReader, ReadsEveryKind) {
  const auto parsed =
      parse_handoff({request("Enable", "") + request("Photo", "match = { attribute = \"kind\", value = \"photo\" }") +
                         request("Film", "match = { attribute = \"kind\", pattern = \"film|video\" }") +
                         request("Order", "match = { type = \"order.created\" }") +
                         request("Stop", "match = { pointer = \"/detail/state\", value = \"stopped\" }") +
                         request("Seven", "match = { pointer = \"/n\", value = 7 }") +
                         request("Yes", "match = { pointer = \"/yes\", value = true }"),
                     "handoff.toml", "/"});
  ASSERT_TRUE(parsed) << parsed.error().text();
  std::vector<std::string> described;
  for (const RequestType& one : parsed->requests) described.push_back(one.match.describe());
  EXPECT_EQ(described,
            (std::vector<std::string>{"attribute Enable", "attribute kind = \"photo\"", "attribute kind matching film|video",
                                      "type = \"order.created\"", "/detail/state = \"stopped\"", "/n = 7", "/yes = true"}));
}

TEST(MatchReader, MistakesAreToldWithTheirLines) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "must have one of attribute, type and pointer; it has none"},
      {R"(attribute = "kind", pointer = "/a", value = "x")", "it has several"},
      {R"(attribute = "kind")", "request.Photo.match.value is missing"},
      {R"(attribute = "kind", value = "a", pattern = "a")", "request.Photo.match.pattern and value are two ways"},
      {R"(attribute = "kind", value = 5)", "must be a string: attributes are texts"},
      {R"(attribute = "ki nd", value = "a")", "is no name of a message attribute"},
      {R"(attribute = "kind", value = "")", "can never be matched: it is empty"},
      {R"(attribute = "kind", pattern = "(")", "request.Photo.match.pattern is wrong"},
      {R"(type = "")", "request.Photo.match.type can never be matched"},
      {R"(type = "a", value = "b")", "unknown key request.Photo.match.value"},
      {R"(pointer = "detail", value = "a")", "request.Photo.match.pointer must be empty, for the whole body, or begin with '/'"},
      {R"(pointer = "/a~2", value = "a")", "neither ~0"},
      {R"(pointer = "/a", value = 1.5)", "must be a string, an integer, true or false"},
      {R"(pointer = "/a", value = "a", case = "b")", "unknown key request.Photo.match.case"},
  };
  for (const auto& [match, why] : wrong) {
    const std::string errors = with_match(match);
    EXPECT_NE(errors.find(why), std::string::npos) << match << "\n" << errors;
    EXPECT_EQ(errors.find("handoff.toml:3: "), 0u) << errors;
  }
  const std::string longest(kMatchCharsMax, 'a');
  EXPECT_EQ(with_match("type = \"" + longest + "\""), "(no error)");
  EXPECT_NE(with_match("type = \"" + longest + "a\"").find("1025 characters where 1 to 1024"), std::string::npos);
  EXPECT_NE(errors_of(request("Photo", "parameter = { type = \"text\" }\nmatch = { type = \"a\" }"))
                .find("handoff.toml:3: request.Photo.parameter has no use with match"),
            std::string::npos);
}

TEST(MatchReader, ProvenOverlapsAreErrors) {
  const auto overlap = [](const std::string& a, const std::string& b) { return errors_of(request("A", a) + request("B", b)); };
  const std::string by_kind = "match = { attribute = \"kind\", value = \"photo\" }";
  EXPECT_EQ(overlap(by_kind, by_kind),
            "handoff.toml:4: request.B (attribute kind = \"photo\") overlaps request.A of line 1 (attribute kind = \"photo\"): a "
            "message can match both, and would be refused");
  EXPECT_EQ(overlap(by_kind, "match = { attribute = \"kind\", value = \"film\" }"), "(no error)");
  EXPECT_NE(
      overlap(by_kind, "match = { attribute = \"kind\", pattern = \"p.*\" }").find("request.B (attribute kind matching p.*)"),
      std::string::npos);
  EXPECT_NE(overlap(by_kind, "match = { attribute = \"A\", value = \"x\" }"), "");
  EXPECT_NE(
      errors_of(request("kind", "") + request("B", by_kind)).find("request.B (attribute kind = \"photo\") overlaps request.kind"),
      std::string::npos);
  EXPECT_NE(overlap("match = { type = \"a\" }", "match = { pointer = \"/type\", value = \"a\" }").find("overlaps"),
            std::string::npos);
  EXPECT_EQ(overlap("match = { type = \"a\" }", "match = { pointer = \"/kind\", value = \"a\" }"), "(no error)");
  const std::string uses_kind = "attributes = { kind = { type = \"enum\", values = [\"photo\", \"film\"] } }";
  EXPECT_NE(overlap(uses_kind, by_kind)
                .find("request.A overlaps request.B of line 4 (attribute kind = \"photo\"): it allows that value"),
            std::string::npos);
  EXPECT_EQ(overlap("attributes = { kind = { type = \"enum\", values = [\"film\"] } }", by_kind), "(no error)");
  EXPECT_EQ(overlap(by_kind + "\n" + uses_kind, "match = { attribute = \"kind\", value = \"film\" }"), "(no error)");
}

}  // namespace
}  // namespace ferry::config
