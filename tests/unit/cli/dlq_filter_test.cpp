// --where: what each condition means, and what is said about one that is none.

#include <gtest/gtest.h>

#include "cli/dlq_filter.h"

namespace ferry::cli {
namespace {

const Timestamp kNow = from_epoch_millis(1'700'000'000'000);

sqs::Message letter() {
  sqs::Message message;
  message.message_id = "m-1";
  message.body = R"({"order":{"id":7,"name":"a/b","tags":["x"],"open":true},"a/b":1,"none":null})";
  message.attributes = {{"SentTimestamp", std::to_string(to_epoch_millis(kNow - Seconds(600)))},
                        {"ApproximateReceiveCount", "4"},
                        {"MessageGroupId", "g1"},
                        {"DeadLetterQueueSourceArn", "arn:aws:sqs:us-east-1:000000000000:work"}};
  message.message_attributes = {{"Enable", {"String", "All The Things", {}, false}}, {"Blob", {"Binary", {}, "bytes", false}}};
  return message;
}

bool holds(const std::string& text, const sqs::Message& message = letter()) {
  const auto condition = parse_condition(text);
  EXPECT_TRUE(condition) << text << ": " << condition.error().message;
  return condition && matches(*condition, message, kNow);
}

std::string fault(const std::string& text) {
  const auto condition = parse_condition(text);
  return condition ? "none" : condition.error().message;
}

TEST(Where, Attributes) {
  EXPECT_TRUE(holds("attr:Enable"));
  EXPECT_FALSE(holds("!attr:Enable"));
  EXPECT_FALSE(holds("attr:enable")) << "case matters";
  EXPECT_TRUE(holds("attr:Enable=All The Things"));
  EXPECT_FALSE(holds("attr:Enable=All"));
  EXPECT_TRUE(holds("attr:Enable!=All"));
  EXPECT_TRUE(holds("attr:Absent!=x")) << "what is not there equals nothing";
  EXPECT_TRUE(holds("attr:Enable~The"));
  EXPECT_FALSE(holds("attr:Absent~"));
  EXPECT_TRUE(holds("attr:Blob=bytes"));
  EXPECT_TRUE(holds("attr:Enable!=a=b<c~d")) << "a value may hold operators";
}

TEST(Where, Body) {
  EXPECT_TRUE(holds("body~\"id\":7"));
  EXPECT_FALSE(holds("body=x"));
  EXPECT_TRUE(holds("body!=x"));
}

TEST(Where, PlacesInTheBody) {
  EXPECT_TRUE(holds("body:/order/id"));
  EXPECT_TRUE(holds("body:/order/id=7"));
  EXPECT_TRUE(holds("body:/order/id=7.0"));
  EXPECT_FALSE(holds("body:/order/id=\"7\""));
  EXPECT_TRUE(holds("body:/order/id!=8"));
  EXPECT_TRUE(holds("body:/order/name=a/b"));
  EXPECT_TRUE(holds("body:/order/name~/"));
  EXPECT_TRUE(holds("body:/order/open=true"));
  EXPECT_TRUE(holds("body:/order/tags=[\"x\"]"));
  EXPECT_TRUE(holds("body:/order/tags/0=x"));
  EXPECT_TRUE(holds("body:/none=null"));
  EXPECT_TRUE(holds("body:/a~1b=1"));
  EXPECT_FALSE(holds("body:/absent"));
  EXPECT_TRUE(holds("!body:/absent=1"));
  sqs::Message text = letter();
  text.body = "no JSON";
  EXPECT_FALSE(holds("body:/order", text));
  EXPECT_FALSE(holds("body:=1", text));
}

TEST(Where, AgeIsStrictOnBothSides) {
  EXPECT_TRUE(holds("age>599s"));
  EXPECT_FALSE(holds("age>10m"));
  EXPECT_FALSE(holds("age<600"));
  EXPECT_TRUE(holds("age<601"));
  sqs::Message unknown = letter();
  unknown.attributes.clear();
  EXPECT_FALSE(holds("age>0", unknown));
  EXPECT_FALSE(holds("age<99h", unknown));
}

TEST(Where, Receives) {
  EXPECT_TRUE(holds("receives=4"));
  EXPECT_FALSE(holds("receives!=4"));
  EXPECT_TRUE(holds("receives>3"));
  EXPECT_FALSE(holds("receives>4"));
  EXPECT_TRUE(holds("receives>=4"));
  EXPECT_FALSE(holds("receives<4"));
  EXPECT_TRUE(holds("receives<=4"));
}

TEST(Where, IdGroupAndOrigin) {
  EXPECT_TRUE(holds("id=m-1"));
  EXPECT_TRUE(holds("id~m"));
  EXPECT_TRUE(holds("group=g1"));
  EXPECT_TRUE(holds("group"));
  EXPECT_TRUE(holds("from=work"));
  EXPECT_TRUE(holds("from=arn:aws:sqs:us-east-1:000000000000:work"));
  EXPECT_FALSE(holds("from=wor"));
}

TEST(Where, AllConditionsHaveToHold) {
  const std::vector<Condition> both = {*parse_condition("id=m-1"), *parse_condition("receives>9")};
  EXPECT_FALSE(matches_all(both, letter(), kNow));
  EXPECT_TRUE(matches_all({}, letter(), kNow));
}

TEST(Where, WrongOnesAreToldWithWhatCouldStandThere) {
  EXPECT_EQ(
      fault("boddy~x"),
      "--where \"boddy~x\": there is no field \"boddy\"; did you mean body?; fields are attr:NAME, body, body:/POINTER, age, "
      "receives, id, group and from");
  EXPECT_NE(fault("attr:").find("needs the name of an attribute"), std::string::npos);
  EXPECT_NE(fault("attr=x").find("there is no field \"attr\""), std::string::npos);
  EXPECT_NE(fault("body").find("body needs an operator and a value; operators are =, != and ~"), std::string::npos);
  EXPECT_NE(fault("attr:A<3").find("attr: does not take <; operators are =, != and ~"), std::string::npos);
  EXPECT_NE(fault("age=3s").find("age does not take =; operators are < and >"), std::string::npos);
  EXPECT_NE(fault("age>soon").find("\"soon\" is no duration (30s, 10m, 2h)"), std::string::npos);
  EXPECT_NE(fault("receives>many").find("\"many\" is no count"), std::string::npos);
  EXPECT_NE(fault("receives>-1").find("\"-1\" is no count"), std::string::npos);
  EXPECT_NE(fault("body:x=1").find("a JSON pointer is empty or starts with '/'"), std::string::npos);
  EXPECT_EQ(fault("body:/x~1=1"), "none");
  EXPECT_NE(fault("").find("there is no field \"\""), std::string::npos);
  EXPECT_NE(fault("!").find("there is no field"), std::string::npos);
  EXPECT_NE(fault("age\n>1").find("--where \"age\\n>1\""), std::string::npos) << "control characters are escaped";
}
}  // namespace
}  // namespace ferry::cli
