// The trace that a message carries: where it is put, and what gives when there is no room for it.

#include "sender/trace.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "signing/envelope.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"

namespace ferry::sender {
namespace {

const Trace kTrace{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b"};

class StampTraced : public testing::Test {
 protected:
  static sqs::SendMessageEntry entry_with(int attributes) {
    sqs::SendMessageEntry entry;
    entry.message_body = "x";
    for (int i = 0; i < attributes; ++i) entry.message_attributes.emplace_back("A" + std::to_string(i), text("v"));
    return entry;
  }
  static sqs::MessageAttributeValue text(std::string value) { return {"String", std::move(value), std::nullopt, false}; }
  Result<TraceFit> stamp(sqs::SendMessageEntry& entry, std::optional<std::string> key, const Trace* trace = &kTrace) {
    signing::Stamp stamp;
    stamp.queue = "work";
    stamp.idempotency_key = std::move(key);
    return stamp_traced(signing::Stamper(nullptr, clock_, random_), entry, std::move(stamp), trace);
  }
  static std::string names(const sqs::SendMessageEntry& entry) {
    std::string all;
    for (const auto& [name, value] : entry.message_attributes) all += name + " ";
    return all;
  }
  static std::optional<std::string> stamped_parent(const sqs::SendMessageEntry& entry) {
    const auto envelope = signing::find_envelope(entry.message_attributes);
    return (*envelope)->traceparent;
  }

  ManualClock clock_;
  SeededRandom random_{5};
};

TEST_F(StampTraced, TwoStringAttributesInFrontOfTheStamp) {
  sqs::SendMessageEntry entry = entry_with(1);
  EXPECT_EQ(stamp(entry, "id").value(), TraceFit::Whole);
  EXPECT_EQ(names(entry), "A0 traceparent tracestate Ferry ");
  EXPECT_EQ(entry.message_attributes[1].second, text(kTrace.parent));
  EXPECT_EQ(entry.message_attributes[2].second, text(kTrace.state));
  EXPECT_EQ(stamped_parent(entry), kTrace.parent);
  sqs::SendMessageEntry plain = entry_with(0);
  EXPECT_EQ(stamp(plain, std::nullopt).value(), TraceFit::Whole);
  EXPECT_EQ(names(plain), "traceparent tracestate ");
  const Trace stateless{kTrace.parent};
  sqs::SendMessageEntry one = entry_with(0);
  EXPECT_EQ(stamp(one, std::nullopt, &stateless).value(), TraceFit::Whole);
  EXPECT_EQ(names(one), "traceparent ");
}

TEST_F(StampTraced, WithoutATraceNothingIsAdded) {
  sqs::SendMessageEntry entry = entry_with(1);
  EXPECT_EQ(stamp(entry, std::nullopt, nullptr).value(), TraceFit::Whole);
  EXPECT_EQ(entry, entry_with(1));
}

TEST_F(StampTraced, TheTraceGivesWayToAttributes) {
  struct Case {
    int attributes;
    std::optional<std::string> key;
    TraceFit fit;
    std::size_t all;
  };
  const std::vector<Case> cases = {
      {8, std::nullopt, TraceFit::Whole, 10}, {9, std::nullopt, TraceFit::NoState, 10}, {10, std::nullopt, TraceFit::NoRoom, 10},
      {7, "id", TraceFit::Whole, 10},         {8, "id", TraceFit::NoState, 10},         {9, "id", TraceFit::NoRoom, 10},
  };
  for (const Case& one : cases) {
    sqs::SendMessageEntry entry = entry_with(one.attributes);
    EXPECT_EQ(stamp(entry, one.key).value(), one.fit) << one.attributes;
    EXPECT_EQ(entry.message_attributes.size(), one.all) << one.attributes;
    if (one.key) {
      EXPECT_EQ(stamped_parent(entry), kTrace.parent) << "the stamp has it even so";
    }
  }
  sqs::SendMessageEntry ten = entry_with(10);
  EXPECT_FALSE(stamp(ten, "id")) << "the stamp has no room: that is the stamp's refusal";
  EXPECT_EQ(ten, entry_with(10));
}

TEST_F(StampTraced, TheTraceGivesWayToTheBody) {
  const Trace stateless{kTrace.parent};
  const std::size_t overhead = std::string_view("traceparent").size() + std::string_view("String").size() + kTrace.parent.size();
  sqs::SendMessageEntry entry;
  entry.message_body = std::string(sqs::kMessageBytesMax - overhead, 'x');
  EXPECT_EQ(stamp(entry, std::nullopt, &stateless).value(), TraceFit::Whole);
  EXPECT_EQ(sqs::message_bytes(entry), sqs::kMessageBytesMax);
  entry = {};
  entry.message_body = std::string(sqs::kMessageBytesMax - overhead + 1, 'x');
  EXPECT_EQ(stamp(entry, std::nullopt, &stateless).value(), TraceFit::NoRoom);
  EXPECT_TRUE(entry.message_attributes.empty());
  // Not even in the stamp, if that would be too large with it.
  sqs::SendMessageEntry stamped;
  stamped.message_body = "";
  ASSERT_TRUE(stamp(stamped, "id", nullptr));
  entry = {};
  entry.message_body = std::string(sqs::kMessageBytesMax - sqs::message_bytes(stamped), 'x');
  EXPECT_EQ(stamp(entry, "id", &stateless).value(), TraceFit::NoRoom);
  EXPECT_FALSE(stamped_parent(entry));
}

TEST_F(StampTraced, ItsOwnTraceparentStands) {
  const std::string own = "00-11111111111111111111111111111111-2222222222222222-00";
  sqs::SendMessageEntry entry = entry_with(0);
  entry.message_attributes.emplace_back("traceparent", text(own));
  EXPECT_EQ(stamp(entry, "id").value(), TraceFit::Own);
  EXPECT_EQ(names(entry), "traceparent Ferry ");
  EXPECT_EQ(stamped_parent(entry), own);
  entry = entry_with(0);
  entry.message_attributes.emplace_back("traceparent", text("something else"));
  EXPECT_EQ(stamp(entry, "id").value(), TraceFit::Own);
  EXPECT_FALSE(stamped_parent(entry));
  entry = entry_with(0);
  entry.message_attributes.emplace_back("tracestate", text("mine=1"));
  EXPECT_EQ(stamp(entry, std::nullopt).value(), TraceFit::Whole);
  EXPECT_EQ(names(entry), "tracestate traceparent ");
}

}  // namespace
}  // namespace ferry::sender
