// The fuzz targets on fixed seeds and on mutations of them: repeatable, and in every build. A failure aborts.

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "targets.h"

namespace ferry::protocol {
namespace {

constexpr int kMutationsPerSeed = 2'000;

const std::vector<std::string>& json_bodies() {
  static const std::vector<std::string> kBodies = {
      R"({"QueueName":"jobs","Attributes":{"DelaySeconds":"5","VisibilityTimeout":30},"tags":{"a":"b"}})",
      R"({"QueueUrl":"http://h/000000000000/jobs","MessageBody":"a\"b\\\n\u20ac\uD83D\uDE00","DelaySeconds":900})",
      R"({"MessageBody":"x","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AQID"},"b":{"DataType":"Number.int","StringValue":"1e5"}}})",
      R"({"MessageBody":"x","MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"Root=1"}}})",
      R"({"Entries":[{"Id":"a","MessageBody":"x"},{"Id":"b","MessageBody":"y","DelaySeconds":1,"MessageGroupId":"g"}],"QueueUrl":"jobs"})",
      R"({"Entries":[{"Id":"a","ReceiptHandle":"h"},{"Id":"b","ReceiptHandle":"i","VisibilityTimeout":0}]})",
      R"({"QueueUrl":"q","AttributeNames":["All"],"MessageAttributeNames":["a.*"],"MaxNumberOfMessages":10,"WaitTimeSeconds":20})",
      R"({"New":{"a":[1,-2.5e10,true,false,null,{"b":{}},[]]},"MessageBody":0})",
      R"( { "MaxResults" : 5 , "NextToken" : "abc" } )",
      "{}",
      R"({"MessageBody":"\uD800","QueueUrl":null})",
      R"({"MessageAttributes":{"a":{"DataType":"String","StringListValues":["x"],"BinaryListValues":[]}}})",
      R"({"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"b","MD5OfBody":"d","Attributes":{"SenderId":"A"}}]})",
      R"({"Successful":[{"Id":"a","MessageId":"m","MD5OfMessageBody":"d"}],"Failed":[{"Id":"b","SenderFault":true,"Code":"C"}]})",
      R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."})",
      R"({"QueueUrls":["a","b"],"QueueUrl":"c"})",
      R"({"QueueUrl":"q","Tags":{"a":"b"},"TagKeys":["a"],"Label":"l","AWSAccountIds":["000000000000"],"Actions":["SendMessage"]})",
      R"({"SourceArn":"arn:aws:sqs:r:000000000000:a","DestinationArn":"arn:aws:sqs:r:000000000000:b","MaxResults":10,"MaxNumberOfMessagesPerSecond":500})",
      R"({"TaskHandle":"eyJ0YXNrSWQiOiJ4Iiwic291cmNlQXJuIjoiYXJuOmF3czpzcXM6cjowOnEifQ=="})",
      R"({"Results":[{"Status":"RUNNING","StartedTimestamp":1,"ApproximateNumberOfMessagesMoved":2,"TaskHandle":"t"}]})",
      R"({"QueueName":"q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:r:000000000000:d\",\"maxReceiveCount\":\"3\"}","RedriveAllowPolicy":"{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"arn:aws:sqs:r:000000000000:s\"]}","KmsMasterKeyId":"k"}})",
      R"({"QueueName":"q","Attributes":{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"s\",\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}})",
      R"({"QueueName":"q.fifo","Attributes":{"FifoQueue":"true","DeduplicationScope":"messageGroup","FifoThroughputLimit":"perMessageGroupId"}})",
  };
  return kBodies;
}

std::vector<std::string> json_seeds() {
  std::vector<std::string> seeds;
  for (const std::string& body : json_bodies()) {
    for (const char action : {'\x00', '\x06', '\x08', '\x09', '\x0F', '\x12', '\x15'})
      seeds.push_back(std::string(1, action) + body);
  }
  return seeds;
}

std::vector<std::string> query_seeds() {
  const std::array<std::string_view, 11> forms = {
      "Action=CreateQueue&QueueName=jobs&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Tag.1.Key=a&Tag.1.Value=b",
      "Action=SendMessage&MessageBody=a+b%0A%E2%82%AC&DelaySeconds=5&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType="
      "String"
      "&MessageAttribute.1.Value.StringValue=v&MessageAttribute.2.Name=b&MessageAttribute.2.Value.BinaryValue=AQID",
      "Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=x"
      "&SendMessageBatchRequestEntry.10.MessageAttribute.1.Name=n&SendMessageBatchRequestEntry.2.Id=b",
      "Action=ReceiveMessage&AttributeName.1=All&MessageAttributeName.1=a.*&WaitTimeSeconds=20&MaxNumberOfMessages=10",
      "Action=DeleteMessageBatch&DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle=h",
      "Action=ChangeMessageVisibilityBatch&Entries.1.Id=a&Entries.1.ReceiptHandle=h&Entries.1.VisibilityTimeout=0",
      "Action=SetQueueAttributes&Attribute.Name=DelaySeconds&Attribute.Value=5&QueueUrl=http%3A%2F%2Fh%2F1%2Fq",
      "Action=GetQueueAttributes&AttributeName=All&AttributeNames.1=Policy",
      "Action=ListQueues&MaxResults=2&NextToken=x&X-Amz-Signature=0",
      "Action=SendMessage&MessageAttribute.1.Name=n&MessageAttribute.1.Value.StringListValue.1=x&MessageBody=%00%FF%ED%A0%80",
      "Version=2012-11-05",
  };
  std::vector<std::string> seeds;
  for (const std::string_view form : forms) {
    seeds.push_back("/\n\n" + std::string(form));
    seeds.push_back("/\n" + std::string(form) + "\n");
    seeds.push_back("/000000000000/jobs\n\n" + std::string(form));
    seeds.push_back("/000000000000/jobs\n" + std::string(form) + "\n" + std::string(form));
    seeds.push_back("/%2\n\n" + std::string(form));
  }
  return seeds;
}

std::string mutated(std::string text, Random& random) {
  static constexpr std::array<std::string_view, 26> kPieces = {
      "{",    "}", "[", "]", "\"", ":", ",",   "\\", "\\u", "\\uD800",      "null", "true", "1e9",
      "\"\"", "&", "=", "%", "%0", ".", ".1.", "-",  "\n",  "\xED\xA0\x80", "\xff", " ",    "99999999999999999999"};
  const std::uint64_t changes = 1 + random.below(4);
  for (std::uint64_t i = 0; i < changes && !text.empty(); ++i) {
    const std::size_t at = random.below(text.size());
    switch (random.below(6)) {
      case 0:
        text[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        text.erase(at, 1 + random.below(8));
        break;
      case 2:
        text.insert(at, kPieces[random.below(kPieces.size())]);
        break;
      case 3:
        text.insert(at, text.substr(random.below(text.size()), random.below(24)));
        break;
      case 4:
        text.resize(at);
        break;
      default:
        text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) ^ (1U << random.below(8)));
    }
  }
  return text;
}

template <class Target>
void run(const std::vector<std::string>& seeds, const Target& target) {
  ASSERT_GE(seeds.size(), 50U);
  for (std::size_t s = 0; s < seeds.size(); ++s) {
    SeededRandom random(s);
    target(seeds[s]);
    for (int i = 0; i < kMutationsPerSeed; ++i) target(mutated(seeds[s], random));
  }
}

TEST(FuzzRegression, json_decode) {
  run(json_seeds(), fuzz_json_decode);
}
TEST(FuzzRegression, query_decode) {
  run(query_seeds(), fuzz_query_decode);
}

}  // namespace
}  // namespace ferry::protocol
