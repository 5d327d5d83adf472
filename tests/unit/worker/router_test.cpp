#include "worker/router.h"

#include <gtest/gtest.h>

namespace ferry::worker {
namespace {

config::Handoff handoff() {
  auto parsed = config::parse_handoff({R"(
[request.Enable]
handler = ["./x", "{attr:Enable}"]
[request.Photo]
match = { attribute = "kind", value = "photo" }
attributes = { Size = { type = "integer", min = 1, max = 9 } }
handler = ["./x", "{attr:Size}"]
[request.Order]
match = { type = "order" }
handler = ["./x"]
[request.Stop]
match = { pointer = "/detail/state", pattern = "stop.*" }
handler = ["./x", "{body}"]
[request.Seven]
match = { pointer = "/n", value = 7 }
handler = ["./x"]
)",
                                       "handoff.toml", "/"});
  EXPECT_TRUE(parsed) << parsed.error().text();
  return *parsed;
}

sqs::Message message(std::string body, std::vector<std::pair<std::string, std::string>> attributes = {}) {
  sqs::Message made;
  made.message_id = "id-1";
  made.body = std::move(body);
  for (auto& [name, value] : attributes) made.message_attributes.push_back({name, {"String", value, std::nullopt, false}});
  return made;
}

std::string routed(const sqs::Message& one) {
  static const config::Handoff known = handoff();
  const auto decision = Router(known).route(one);
  if (const auto* refusal = std::get_if<Refusal>(&decision)) return refusal->reason;
  return std::get<Route>(decision).request->name;
}

RefusalKind kind_of(const sqs::Message& one) {
  static const config::Handoff known = handoff();
  return std::get<Refusal>(Router(known).route(one)).kind;
}

TEST(RouterByRule, TheValueOfAnAttributeRoutes) {
  EXPECT_EQ(routed(message("b", {{"kind", "photo"}, {"Size", "3"}})), "Photo");
  EXPECT_NE(routed(message("b", {{"kind", "photo"}, {"Size", "10"}})).find("Photo: its attribute Size, \"10\", is refused"),
            std::string::npos);
  EXPECT_NE(routed(message("b", {{"kind", "photos"}, {"Size", "3"}}))
                .find("not Photo (attribute kind = \"photo\"): its attribute kind is \"photos\""),
            std::string::npos);
  sqs::Message binary = message("b", {{"Size", "3"}});
  binary.message_attributes.push_back({"kind", {"Binary", std::nullopt, "photo", false}});
  EXPECT_NE(routed(binary).find("its attribute kind is Binary, not text"), std::string::npos);
}

TEST(RouterByRule, TheTypeIsAnAttributeOrElseAMember) {
  EXPECT_EQ(routed(message("no JSON", {{"type", "order"}})), "Order");
  EXPECT_EQ(routed(message(R"({"type":"order"})")), "Order");
  EXPECT_NE(routed(message(R"({"type":"order"})", {{"type", "other"}})).find("its attribute type is \"other\""),
            std::string::npos);
  EXPECT_EQ(routed(message(R"({"type":"other"})", {{"type", "order"}})), "Order");
  EXPECT_NE(routed(message("no JSON")).find("it has no attribute type, and its body is no JSON"), std::string::npos);
  EXPECT_NE(routed(message(R"({"type":"order","type":"x"})")).find("its body has /type twice"), std::string::npos);
}

TEST(RouterByRule, AValueInTheBodyRoutes) {
  EXPECT_EQ(routed(message(R"({"detail":{"state":"stopped"}})")), "Stop");
  EXPECT_EQ(routed(message(R"({"n":7})")), "Seven");
  EXPECT_NE(routed(message(R"({"n":"7"})")).find("/n of its body is \"7\""), std::string::npos);
  EXPECT_NE(routed(message(R"({"detail":{"state":"running"}})")).find("/detail/state of its body is \"running\""),
            std::string::npos);
}

TEST(RouterByRule, ExactlyOneMustMatch) {
  const sqs::Message two = message(R"({"n":7,"detail":{"state":"stop"}})");
  EXPECT_EQ(routed(two), "2 requests in one message: Stop and Seven");
  EXPECT_EQ(kind_of(two), RefusalKind::Several);
  EXPECT_EQ(routed(message(R"({"n":7})", {{"Enable", "x"}, {"type", "order"}})),
            "3 requests in one message: Enable, Order and Seven");
  EXPECT_EQ(kind_of(message("b")), RefusalKind::Unmatched);
  EXPECT_EQ(kind_of(message("b", {{"kind", "photo"}})), RefusalKind::NotAllowed);  // Size is missing
  EXPECT_EQ(routed(message("b", {{"Enable", "x"}, {"unrelated", "y"}})), "Enable");
}

// A name that is also one of JSON's: a request by rule is never found by an attribute of its own name.
TEST(RouterByRule, ItsOwnNameIsNoRoute) {
  EXPECT_NE(routed(message("b", {{"Photo", "x"}, {"Size", "3"}})).find("unknown request"), std::string::npos);
}

TEST(RouterByRule, EveryTrialIsTold) {
  const config::Handoff known = handoff();
  const std::vector<Trial> trials = Router(known).try_all(message(R"({"n":7})", {{"Enable", "x"}}));
  ASSERT_EQ(trials.size(), 5u);
  std::vector<std::string> told;
  for (const Trial& trial : trials) told.push_back(trial.request->name + (trial.matches ? " yes: " : " no: ") + trial.why);
  EXPECT_EQ(told, (std::vector<std::string>{"Enable yes: it has the attribute Enable", "Photo no: it has no attribute kind",
                                            "Order no: it has no attribute type, and its body has nothing at /type",
                                            "Stop no: its body has nothing at /detail/state", "Seven yes: /n of its body is 7"}));
}

TEST(RouterByRule, ManyRulesAreNotAllTold) {
  std::string text;
  for (int i = 0; i < 6; ++i)
    text += "[request.R" + std::to_string(i) + "]\nmatch = { type = \"t" + std::to_string(i) + "\" }\nhandler = [\"./x\"]\n";
  const auto known = config::parse_handoff({text, "handoff.toml", "/"});
  ASSERT_TRUE(known);
  const auto decision = Router(*known).route(message("{}"));
  const std::string& reason = std::get<Refusal>(decision).reason;
  EXPECT_NE(reason.find("not R4"), std::string::npos);
  EXPECT_EQ(reason.find("not R5"), std::string::npos);
  EXPECT_NE(reason.find("nor any of 1 more"), std::string::npos);
}

}  // namespace
}  // namespace ferry::worker
