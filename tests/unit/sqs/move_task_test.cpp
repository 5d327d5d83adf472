#include "sqs/move_task.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "sqs/sequence_number.h"

namespace ferry::sqs {
namespace {

const std::string kId = "8f5e1a2b-0000-4000-8000-0123456789ab";
const std::string kArn = "arn:aws:sqs:us-east-1:000000000000:dlq";

std::string handle(const std::string& json) {
  return base64_encode(json);
}

TEST(MoveTaskHandle, IsAsAmazonMakesIt) {
  const std::string made = encode_move_task_handle(*parse_uuid(kId), kArn);
  EXPECT_EQ(*base64_decode(made), R"({"taskId":")" + kId + R"(","sourceArn":")" + kArn + "\"}");
  const auto read = decode_move_task_handle(made);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->task_id, kId);
  EXPECT_EQ(format_queue_arn(read->source), kArn);
}

TEST(MoveTaskHandle, HandmadeOnesAreRead) {
  const auto read = decode_move_task_handle(handle(R"({ "sourceArn" : ")" + kArn + R"(", "taskId" : "mine", "x": 1 })"));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->task_id, "mine");
}

TEST(MoveTaskHandle, AnythingElseIsNone) {
  const std::string good = handle(R"({"taskId":"t","sourceArn":")" + kArn + "\"}");
  ASSERT_TRUE(decode_move_task_handle(good).has_value());
  for (const std::string& bad :
       {std::string(), std::string("not base64!"), good + "=", good.substr(1), handle(""), handle("x"), handle("[]"),
        handle("{}"), handle(R"({"taskId":"t"})"), handle(R"({"sourceArn":")" + kArn + "\"}"),
        handle(R"({"taskId":1,"sourceArn":")" + kArn + "\"}"), handle(R"({"taskId":"t","sourceArn":7})"),
        handle(R"({"taskId":"t","sourceArn":"dlq"})"),
        handle(R"({"taskId":"t","sourceArn":"arn:aws:sns:us-east-1:000000000000:dlq"})")}) {
    EXPECT_FALSE(decode_move_task_handle(bad).has_value()) << bad;
  }
}

TEST(MoveTaskHandle, LengthAtItsLimit) {
  const std::string frame = R"({"taskId":"","sourceArn":")" + kArn + "\"}";
  const auto of_bytes = [&](std::size_t bytes) {
    std::string json = frame;
    return handle(json.insert(11, std::string(bytes - frame.size(), 't')));
  };
  EXPECT_EQ(of_bytes(768).size(), 1'024u);
  EXPECT_TRUE(decode_move_task_handle(of_bytes(768)).has_value());
  EXPECT_FALSE(decode_move_task_handle(of_bytes(769)).has_value());
}

TEST(MoveTaskStatus, Names) {
  const std::pair<MoveTaskStatus, std::string_view> names[] = {{MoveTaskStatus::Running, "RUNNING"},
                                                               {MoveTaskStatus::Completed, "COMPLETED"},
                                                               {MoveTaskStatus::Cancelling, "CANCELLING"},
                                                               {MoveTaskStatus::Cancelled, "CANCELLED"},
                                                               {MoveTaskStatus::Failed, "FAILED"}};
  for (const auto& [status, name] : names) EXPECT_EQ(name_of(status), name);
}

TEST(SequenceNumber, HasTwentyDigitsAndKeepsTheOrder) {
  EXPECT_EQ(format_sequence_number(1), "10000000000000000256");
  EXPECT_EQ(format_sequence_number(2), "10000000000000000512");
  std::string last;
  for (std::uint64_t sequence = 1; sequence < kSequenceNumberMax / 2; sequence *= 3) {
    const std::string text = format_sequence_number(sequence);
    EXPECT_EQ(text.size(), 20u);
    EXPECT_LT(last, text);
    last = text;
  }
  EXPECT_EQ(format_sequence_number(kSequenceNumberMax).size(), 20u);
  EXPECT_LT(last, format_sequence_number(kSequenceNumberMax));
  EXPECT_DEATH(format_sequence_number(kSequenceNumberMax + 1), "");
}

}  // namespace
}  // namespace ferry::sqs
