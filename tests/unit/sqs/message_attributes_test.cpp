#include "sqs/message_attributes.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "sqs/limits.h"
#include "sqs/system_attributes.h"

namespace ferry::sqs {
namespace {

MessageAttributeValue text(std::string type, std::string value) {
  return {std::move(type), std::move(value), std::nullopt, false};
}
MessageAttributeValue binary(std::string value) {
  return {"Binary", std::nullopt, std::move(value), false};
}
std::string digest(const MessageAttributes& attributes) {
  return hex_encode(md5_of_attributes(attributes));
}

// Why one attribute is refused; empty when it is not.
std::string refusal(const std::string& name, MessageAttributeValue value) {
  const auto result = validate_message_attributes({{name, std::move(value)}});
  if (result) return "";
  EXPECT_EQ(result.error().code, ErrorCode::InvalidParameterValue);
  return result.error().message;
}

TEST(MessageAttributeDigest, vectors_recorded_from_amazon) {
  EXPECT_EQ(digest({{"timestamp", text("Number", "1493147359900")}}), "235c5c510d26fb653d073faed50ae77c");
  EXPECT_EQ(digest({{"timestamp", text("Number.java.lang.Long", "1493147359900")}}), "2e2e4876d8e0bd6b8c2c8f556831c349");
  EXPECT_EQ(
      digest({{"General", text("String", "Kenobi")}, {"Hello", text("String", "There")}, {"Help.Me", text("String", "Me")}}),
      "4c360f3fdafd970e05fae2f149d997f5");
  EXPECT_EQ(digest({{"attr1", binary("traceparent\x1e"
                                     "00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")}}),
            "8cbe4db156db8a94db8b801b7addb984");
  EXPECT_EQ(digest({{"blob", binary("\x01\x02\x03")}, {"color", text("String", "blue")}, {"count", text("Number", "3")}}),
            "d838729972a4b70e2d2acd9d59ac847c");
  EXPECT_EQ(digest({{"k", text("String", "x")}}), "a45daa70926828a2f0a1db3418e6feb4");
  EXPECT_EQ(
      digest({{"AWSTraceHeader", text("String", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")}}),
      "5ae4d5d7636402d80f4eb6d213245a88");
}

TEST(MessageAttributeDigest, bodies_of_the_reference) {
  EXPECT_EQ(hex_encode(md5("message")), "78e731027d8fd50ed642340b7c9a63b3");
  EXPECT_EQ(hex_encode(md5("\u00e9\u20ac\U0001F600")), "3b07a39fef0ac5d7ef21575e7315a482");
  EXPECT_EQ(hex_encode(sha256("same")), "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5");
}

TEST(MessageAttributeDigest, input_bytes) {
  EXPECT_EQ(hex_encode(attributes_digest_input({{"timestamp", text("Number", "1493147359900")}})),
            "0000000974696d657374616d70000000064e756d626572010000000d31343933313437333539393030");
}

TEST(MessageAttributeDigest, order_of_the_request_does_not_matter) {
  const auto a = std::pair<std::string, MessageAttributeValue>{"a", text("String", "1")};
  const auto b = std::pair<std::string, MessageAttributeValue>{"B", text("String", "2")};
  EXPECT_EQ(digest({a, b}), digest({b, a}));
  EXPECT_TRUE(attributes_digest_input({a, b}).find('B') < attributes_digest_input({a, b}).find('a'));
}

TEST(MessageSize, counts_body_names_types_and_decoded_values) {
  EXPECT_EQ(attributes_bytes({{"k", text("String", "x")}}), 8U);
  EXPECT_EQ(attributes_bytes({{"k", binary("123")}}), 10U);
  SendMessageEntry entry;
  EXPECT_EQ(message_bytes(entry), 0U);
  entry.message_body = "\u20ac";
  entry.message_attributes = {{"k", text("String", "x")}};
  entry.message_system_attributes = {{"AWSTraceHeader", text("String", "not counted")}};
  EXPECT_EQ(message_bytes(entry), 11U);
}

TEST(MessageAttributeRules, what_is_allowed) {
  for (const std::string name : {"a", "A-z_0.9", "attr.1\u00f8\u00df\u00e4", "aws", "awsome.x", "Enable", "x.AWS.y"}) {
    EXPECT_EQ(refusal(name, text("String", "v")), "") << name;
  }
  for (const std::string type : {"String", "String.label", "Number", "Number.int"}) EXPECT_EQ(refusal("a", text(type, "1")), "");
  EXPECT_EQ(refusal("a", binary(std::string("\0\xff", 2))), "");
  EXPECT_EQ(refusal("a", text("String", "tab\t lf\n cr\r \U0001F600")), "");
}

TEST(MessageAttributeRules, count_at_its_limit) {
  MessageAttributes attributes;
  for (std::size_t i = 0; i < kMessageAttributesMax; ++i) attributes.emplace_back("a" + std::to_string(i), text("String", "v"));
  EXPECT_TRUE(validate_message_attributes(attributes));
  attributes.emplace_back("more", text("String", "v"));
  EXPECT_EQ(validate_message_attributes(attributes).error().message,
            "Number of message attributes [11] exceeds the allowed maximum [10].");
}

TEST(MessageAttributeRules, names) {
  EXPECT_EQ(refusal("", text("String", "v")), "The request must contain non-empty message (user) attribute names.");
  EXPECT_EQ(refusal(std::string(256, 'a'), text("String", "v")), "");
  EXPECT_EQ(refusal(std::string(257, 'a'), text("String", "v")), "Message (user) attribute name must be shorter than 256 bytes.");
  for (const std::string name : {"AWS.x", "aws.", "Amazon.x", "aMaZoN.x"}) {
    EXPECT_EQ(
        refusal(name, text("String", "v")),
        "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use.");
  }
  for (const std::string name : {"a b", "a!", "a\"", "\u00a7", "(", "?", "\u20ac", "a\n", "\xC3", "\xC3z"}) {
    EXPECT_EQ(refusal(name, text("String", "v"))
                  .find("The message attribute name '" + name + "' is invalid. Attribute name can contain"),
              0U)
        << name;
  }
  for (const std::string name : {".a", "a.", "a..b", "."}) {
    EXPECT_EQ(refusal(name, text("String", "v")),
              "The message attribute name '" + name +
                  "' is invalid. Attribute name can't start or end with a period, or have periods in succession.");
  }
  const auto repeated = validate_message_attributes({{"a", text("String", "1")}, {"a", text("String", "2")}});
  ASSERT_FALSE(repeated);
  EXPECT_EQ(repeated.error().message, "Message (user) attribute name 'a' is repeated.");
}

TEST(MessageAttributeRules, types) {
  for (const std::string type : {"", "string", "Stringy", "Integer", ".String", "Float.String", "String.\x01"}) {
    EXPECT_EQ(refusal("a", text(type, "1")),
              "The type of message (user) attribute 'a' is invalid. You must use only the following "
              "supported type prefixes: Binary, Number, String.")
        << type;
  }
  EXPECT_EQ(refusal("a", text("String." + std::string(248, 'x'), "1")), "");
  EXPECT_EQ(refusal("a", text("String." + std::string(249, 'x'), "1")),
            "Message (user) attribute type must be shorter than 256 bytes.");
}

TEST(MessageAttributeRules, values) {
  EXPECT_EQ(refusal("a", text("String", "")), "Message (user) attribute 'a' must contain a non-empty value of type 'String'.");
  EXPECT_EQ(refusal("a", text("Number.x", "")), "Message (user) attribute 'a' must contain a non-empty value of type 'Number'.");
  EXPECT_EQ(refusal("a", binary("")), "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'.");
  const std::string missing = "The message (user) attribute 'a' must contain a non-empty message attribute value.";
  EXPECT_EQ(refusal("a", {"String", std::nullopt, std::nullopt, false}), missing);
  EXPECT_EQ(refusal("a", {"String", std::nullopt, "bytes", false}), missing);
  EXPECT_EQ(refusal("a", {"Binary", "text", std::nullopt, false}), missing);
  EXPECT_EQ(refusal("a", {"String", "text", "bytes", false}),
            "Message (user) attribute 'a' must contain only a value of its type 'String'.");
  EXPECT_EQ(refusal("a", {"String", "text", "", false}), "");
  EXPECT_EQ(refusal("a", text("Number", "one")), "Can't cast the value of message (user) attribute 'a' to a number.");
  for (const std::string& value :
       {std::string("\x01"), std::string("\0", 1), std::string("\xED\xA0\x80"), std::string("\uFFFE")}) {
    EXPECT_EQ(
        refusal("a", text("String", value)),
        std::string("Message (user) attribute 'a' has a value with invalid characters. ") + std::string(kAllowedCharacters));
  }
  const auto list = validate_message_attributes({{"a", {"String", "v", std::nullopt, true}}});
  EXPECT_EQ(list.error().code, ErrorCode::UnsupportedOperation);
  EXPECT_EQ(list.error().message, "Message attribute list values in SendMessage operation are not supported.");
}

TEST(MessageAttributeRules, numbers) {
  const std::string digits38(38, '9');
  for (const std::string good : {"0", "-0", "1", "+1", "-1.5", "1.", ".5", "1e3", "1E-3", "1e+3", "00012", "1e-128", "1e126",
                                 "0e999999999", "9.9e125", "0.000", "-1e126", "1.000e126", "10e125"}) {
    EXPECT_TRUE(is_attribute_number(good)) << good;
  }
  EXPECT_TRUE(is_attribute_number(digits38));
  EXPECT_TRUE(is_attribute_number("0." + digits38));
  EXPECT_TRUE(is_attribute_number(digits38 + "000"));
  EXPECT_FALSE(is_attribute_number(digits38 + "9"));
  for (const std::string bad : {"",      "-",     "+",       ".",     "e5",     "1e",     "1e+",
                                "1.2.3", "0x10",  "1,000",   " 1",    "1 ",     "NaN",    "Infinity",
                                "--1",   "1e127", "1.1e126", "2e126", "1e-129", "9e-129", "1e99999999999999999999",
                                "1\n",   "\u0661"}) {
    EXPECT_FALSE(is_attribute_number(bad)) << bad;
  }
}

TEST(MessageSystemAttributeRules, only_the_trace_header) {
  EXPECT_TRUE(validate_message_system_attributes({}));
  EXPECT_TRUE(
      validate_message_system_attributes({{"AWSTraceHeader", text("String", "Root=1-5759e988-bd862e3fe1be46a994272793")}}));
  const auto refused = [](const std::string& name, MessageAttributeValue value) {
    const auto result = validate_message_system_attributes({{name, std::move(value)}});
    return result ? ApiError{ErrorCode::InternalFailure, ""} : result.error();
  };
  EXPECT_EQ(refused("SenderId", text("String", "v")).message, "Message system attribute name 'SenderId' is invalid.");
  EXPECT_EQ(refused("SenderId", text("String", "v")).code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(refused("AWSTraceHeader", binary("v")).message,
            "The type of message system attribute 'AWSTraceHeader' is invalid. It must be String.");
  EXPECT_EQ(refused("AWSTraceHeader", text("String", "")).message,
            "The message system attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'.");
  EXPECT_EQ(refused("AWSTraceHeader", text("String", "\x02")).code, ErrorCode::InvalidParameterValue);
  EXPECT_EQ(refused("AWSTraceHeader", {"String", "v", std::nullopt, true}).code, ErrorCode::UnsupportedOperation);
  EXPECT_EQ(validate_message_system_attributes({{"AWSTraceHeader", text("String", "a")}, {"AWSTraceHeader", text("String", "b")}})
                .error()
                .message,
            "Message system attribute name 'AWSTraceHeader' is repeated.");
}

TEST(AttributeFilterTest, names_prefixes_and_all) {
  const MessageAttributes attributes = {{"General", text("String", "1")},
                                        {"Hello", text("String", "2")},
                                        {"Help.Me", text("String", "3")},
                                        {"color", text("String", "4")}};
  const auto selected = [&](const std::vector<std::string>& names) {
    std::string out;
    for (const auto& [name, value] : AttributeFilter(names).select(attributes)) out += name + " ";
    return out;
  };
  EXPECT_EQ(selected({}), "");
  EXPECT_TRUE(AttributeFilter({}).empty());
  EXPECT_FALSE(AttributeFilter({"x"}).empty());
  for (const std::string all : {"All", "*", ".*"}) {
    EXPECT_EQ(selected({all}), "General Hello Help.Me color ");
    EXPECT_FALSE(AttributeFilter({all}).empty());
  }
  EXPECT_EQ(selected({"Hello"}), "Hello ");
  EXPECT_EQ(selected({"Hel.*"}), "Hello Help.Me ");
  EXPECT_EQ(selected({"col.*", "General", "nothing"}), "General color ");
  EXPECT_EQ(selected({"hello", "all", "Hel", "Hel*", "AWS.", "..foo", ""}), "");
}

TEST(SystemAttributes, requested_names_are_a_union) {
  ReceiveMessageRequest request;
  EXPECT_TRUE(requested_system_attributes(request)->empty());
  request.attribute_names = {"SenderId"};
  request.message_system_attribute_names = {"SentTimestamp"};
  const SystemAttributeSet both = *requested_system_attributes(request);
  EXPECT_TRUE(both.contains(SystemAttribute::SenderId));
  EXPECT_TRUE(both.contains(SystemAttribute::SentTimestamp));
  EXPECT_FALSE(both.contains(SystemAttribute::ApproximateReceiveCount));
  request.message_system_attribute_names = {"All"};
  EXPECT_TRUE(requested_system_attributes(request)->contains(SystemAttribute::DeadLetterQueueSourceArn));
  for (int i = 0; i <= static_cast<int>(SystemAttribute::DeadLetterQueueSourceArn); ++i) {
    const auto attribute = static_cast<SystemAttribute>(i);
    EXPECT_EQ(find_system_attribute(name_of(attribute)), attribute);
  }
}

TEST(SystemAttributes, unknown_names_are_refused) {
  ReceiveMessageRequest request;
  for (const std::string name : {"senderid", "Policy", "", "QueueArn"}) {
    request.attribute_names = {"SenderId", name};
    const auto result = requested_system_attributes(request);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidAttributeName);
    EXPECT_EQ(result.error().message, "Unknown Attribute " + name + ".");
  }
}

}  // namespace
}  // namespace ferry::sqs
