// The reserved attribute as text, and what the sender's side puts into it.

#include <gtest/gtest.h>

#include "signing_fixture.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"
#include "sqs/validation.h"

namespace ferry::signing {
namespace {

using namespace testing_support;  // NOLINT: the names of this folder's fixture

Envelope whole() {
  Envelope envelope{"order;1%", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", SignaturePart{}};
  envelope.signature->key_id = std::string(32, 'b');
  envelope.signature->time = from_epoch_millis(1'795'420'800'123);
  envelope.signature->expiry = from_epoch_millis(1'795'420'900'000);
  envelope.signature->queue = "work.fifo";
  envelope.signature->deduplication_id = "a b/;=";
  envelope.signature->signature.fill(0x5A);
  return envelope;
}

std::string why_not(std::string_view text) {
  const auto parsed = parse_envelope(text);
  return parsed ? "" : parsed.error().message;
}

TEST(EnvelopeText, ComesBackAsItWas) {
  EXPECT_EQ(*parse_envelope(format_envelope(whole())), whole());
  const Envelope key_alone{"my-key", {}, {}};
  EXPECT_EQ(format_envelope(key_alone), "v1;i=my-key");
  EXPECT_EQ(*parse_envelope("v1;i=my-key"), key_alone);
}

TEST(EnvelopeText, IsInTheFormOfTheDocumentation) {
  EXPECT_EQ(format_envelope(whole()),
            "v1;k=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb;t=1795420800123;x=1795420900000;i=order%3B1%25;q=work.fifo;d=a%20b%2F%3B%3D;"
            "p=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01;"
            "s=WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWg==");
}

TEST(EnvelopeText, SaysWhatIsWrong) {
  EXPECT_NE(why_not("v2;i=x").find("kind \"v2\", which is not known"), std::string::npos);
  EXPECT_NE(why_not("").find("kind \"\""), std::string::npos);
  EXPECT_EQ(why_not("v1"), "its field i is missing or out of place");
  EXPECT_EQ(why_not("v1;i="), "its field i is no percent-encoded text");
  EXPECT_EQ(why_not("v1;i=%zz"), "its field i is no percent-encoded text");
  EXPECT_NE(why_not("v1;i=a%20b").find("visible ASCII"), std::string::npos);
  EXPECT_EQ(why_not("v1;i=x;y=1"), "\";y=1\" is unknown or out of place");
  EXPECT_EQ(why_not("v1;i=x;i=y"), "\";i=y\" is unknown or out of place");
  EXPECT_EQ(why_not("v1;i=%61"), "it is not written in the one way in which it can be");
  EXPECT_EQ(why_not("v1;i=x;p=00-0"), "its field p is no traceparent");
  const std::string key = "v1;k=" + std::string(32, 'a');
  EXPECT_EQ(why_not("v1;k=abc;t=1"), "its key id is not 32 hexadecimal digits");
  EXPECT_EQ(why_not("v1;k=" + std::string(32, 'A') + ";t=1"), "its key id is not 32 hexadecimal digits");
  EXPECT_EQ(why_not(key + ";i=x"), "its time is missing or no time");
  EXPECT_EQ(why_not(key + ";t=-1;i=x"), "its time is missing or no time");
  EXPECT_EQ(why_not(key + ";t=1;x=z;i=x"), "its expiry is no time");
  EXPECT_EQ(why_not(key + ";t=1;i=x;q=no/queue;s="), "its field q is no queue name");
  EXPECT_EQ(why_not(key + ";t=1;i=x;q=work"), "its signature is missing");
  EXPECT_EQ(why_not(key + ";t=1;i=x;q=work;s=AAAA"), "its signature is not 64 bytes in base64");
  EXPECT_EQ(why_not("v1;i=x;s=AAAA"), "\";s=AAAA\" is unknown or out of place");
}

TEST(EnvelopeText, TheLargestFitsAndOneByteMoreThanTheBoundIsRefused) {
  Envelope largest = whole();
  largest.request_id = std::string(kRequestIdBytesMax, '%');
  largest.signature->deduplication_id = std::string(sqs::kGroupIdCharsMax, '%');
  largest.signature->queue = std::string(sqs::kQueueNameCharsMax, 'q');
  EXPECT_LE(format_envelope(largest).size(), kEnvelopeBytesMax);
  EXPECT_EQ(*parse_envelope(format_envelope(largest)), largest);
  EXPECT_EQ(why_not(std::string(kEnvelopeBytesMax + 1, 'v')), "it has 1537 bytes; it can have at most 1536");
  EXPECT_NE(why_not(std::string(kEnvelopeBytesMax, 'v')).find("kind"), std::string::npos);
}

TEST(RequestIds, AreVisibleAsciiUpToTheirBound) {
  EXPECT_TRUE(check_request_id(std::string(kRequestIdBytesMax, 'x')));
  EXPECT_FALSE(check_request_id(std::string(kRequestIdBytesMax + 1, 'x')));
  EXPECT_FALSE(check_request_id(""));
  EXPECT_FALSE(check_request_id("a b"));
  EXPECT_FALSE(check_request_id("\x7F"));
  EXPECT_FALSE(check_request_id("\xC3\xBC"));
}

class Stamping : public testing::Test {
 protected:
  Result<void> stamp(sqs::SendMessageEntry& entry, const Stamp& stamp) {
    return Stamper(&exchange_.key, exchange_.clock, exchange_.random).stamp(entry, stamp);
  }
  Exchange exchange_;
};

TEST_F(Stamping, WithoutKeyAndIdTheMessageStaysWhatItWas) {
  sqs::SendMessageEntry entry = request_entry();
  ASSERT_TRUE(Stamper(nullptr, exchange_.clock, exchange_.random).stamp(entry, {"work", {}, {}, {}}));
  EXPECT_EQ(entry, request_entry());
}

TEST_F(Stamping, AddsOneStringAttributeAndChangesNothingElse) {
  sqs::SendMessageEntry entry = exchange_.signed_entry();
  ASSERT_EQ(entry.message_attributes.size(), 4u);
  EXPECT_EQ(entry.message_attributes.back().first, "Ferry");
  EXPECT_EQ(entry.message_attributes.back().second.data_type, "String");
  EXPECT_TRUE(sqs::validate_message(entry));
  entry.message_attributes.pop_back();
  EXPECT_EQ(entry, request_entry());
}

TEST_F(Stamping, NineAttributesLeaveRoomAndTenDoNot) {
  sqs::SendMessageEntry entry;
  entry.message_body = "x";
  for (int i = 0; i < 9; ++i) entry.message_attributes.emplace_back("A" + std::to_string(i), text_value("v"));
  sqs::SendMessageEntry ten = entry;
  EXPECT_TRUE(stamp(entry, {"work", {}, {}, {}}));
  EXPECT_TRUE(sqs::validate_message(entry));
  ten.message_attributes.emplace_back("A9", text_value("v"));
  const sqs::SendMessageEntry before = ten;
  const auto refused = stamp(ten, {"work", {}, {}, {}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("has 10 attributes; a signature or an idempotency key needs one more (Ferry)"),
            std::string::npos);
  EXPECT_EQ(ten, before);
}

TEST_F(Stamping, TheAttributeCountsForTheSize) {
  sqs::SendMessageEntry entry;
  entry.message_body = "";
  ASSERT_TRUE(stamp(entry, {"work", "id", {}, {}}));
  const std::size_t overhead = sqs::message_bytes(entry);
  sqs::SendMessageEntry largest;
  largest.message_body = std::string(sqs::kMessageBytesMax - overhead, 'x');
  EXPECT_TRUE(stamp(largest, {"work", "id", {}, {}}));
  EXPECT_EQ(sqs::message_bytes(largest), sqs::kMessageBytesMax);
  sqs::SendMessageEntry larger;
  larger.message_body = std::string(sqs::kMessageBytesMax - overhead + 1, 'x');
  const auto refused = stamp(larger, {"work", "id", {}, {}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("have 1048577 bytes with the attribute Ferry"), std::string::npos);
  EXPECT_TRUE(larger.message_attributes.empty());
}

TEST_F(Stamping, RefusesWhatIsReservedOrWrong) {
  for (const char* name : {"Ferry", "ferry"}) {
    sqs::SendMessageEntry entry = request_entry();
    entry.message_attributes.emplace_back(name, text_value("x"));
    EXPECT_FALSE(stamp(entry, {"work", {}, {}, {}})) << name;
  }
  sqs::SendMessageEntry entry = request_entry();
  EXPECT_FALSE(stamp(entry, {"work", "a b", {}, {}}));
  EXPECT_FALSE(stamp(entry, {"http://127.0.0.1/0/work", {}, {}, {}}));
  EXPECT_FALSE(stamp(entry, {"", {}, {}, {}}));
  EXPECT_EQ(entry, request_entry());
}

TEST_F(Stamping, WhatIsNoTraceparentIsLeftOut) {
  const auto carried = [&](const char* trace) {
    sqs::Message message = exchange_.signed_message({"work", {}, trace, {}});
    return parse_envelope(reserved_value(message))->traceparent;
  };
  EXPECT_FALSE(carried("nonsense"));
  EXPECT_TRUE(carried("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
}

}  // namespace
}  // namespace ferry::signing
