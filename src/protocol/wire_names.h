#pragma once
// The spelling of every member, list and map on the wire, for both protocols.

#include <string_view>

namespace ferry::protocol::names {

/// A list: its JSON member, and the name that each element has in Query parameters and XML.
struct List {
  std::string_view member;
  std::string_view location;
  std::string_view query_json = {};  ///< the member in JSON answers to Query requests, where it is another one
};
/// A map: as a list whose elements have a key and a value.
struct Map {
  std::string_view member;
  std::string_view location;
  std::string_view key;
  std::string_view value;
};

inline constexpr std::string_view kApproximateNumberOfMessagesMoved = "ApproximateNumberOfMessagesMoved";
inline constexpr std::string_view kApproximateNumberOfMessagesToMove = "ApproximateNumberOfMessagesToMove";
inline constexpr std::string_view kBinaryValue = "BinaryValue";
inline constexpr std::string_view kBinaryListValue = "BinaryListValue";
inline constexpr std::string_view kBinaryListValues = "BinaryListValues";
inline constexpr std::string_view kBody = "Body";
inline constexpr std::string_view kCode = "Code";
inline constexpr std::string_view kDataType = "DataType";
inline constexpr std::string_view kDelaySeconds = "DelaySeconds";
inline constexpr std::string_view kDestinationArn = "DestinationArn";
inline constexpr std::string_view kFailureReason = "FailureReason";
inline constexpr std::string_view kId = "Id";
inline constexpr std::string_view kLabel = "Label";
inline constexpr std::string_view kMaxNumberOfMessages = "MaxNumberOfMessages";
inline constexpr std::string_view kMaxNumberOfMessagesPerSecond = "MaxNumberOfMessagesPerSecond";
inline constexpr std::string_view kMaxResults = "MaxResults";
inline constexpr std::string_view kMd5OfBody = "MD5OfBody";
inline constexpr std::string_view kMd5OfMessageAttributes = "MD5OfMessageAttributes";
inline constexpr std::string_view kMd5OfMessageBody = "MD5OfMessageBody";
inline constexpr std::string_view kMd5OfMessageSystemAttributes = "MD5OfMessageSystemAttributes";
inline constexpr std::string_view kMessage = "Message";
inline constexpr std::string_view kMessageBody = "MessageBody";
inline constexpr std::string_view kMessageDeduplicationId = "MessageDeduplicationId";
inline constexpr std::string_view kMessageGroupId = "MessageGroupId";
inline constexpr std::string_view kMessageId = "MessageId";
inline constexpr std::string_view kNextToken = "NextToken";
inline constexpr std::string_view kQueueName = "QueueName";
inline constexpr std::string_view kQueueNamePrefix = "QueueNamePrefix";
inline constexpr std::string_view kQueueOwnerAwsAccountId = "QueueOwnerAWSAccountId";
inline constexpr std::string_view kQueueUrl = "QueueUrl";
inline constexpr std::string_view kReceiptHandle = "ReceiptHandle";
inline constexpr std::string_view kReceiveRequestAttemptId = "ReceiveRequestAttemptId";
inline constexpr std::string_view kSenderFault = "SenderFault";
inline constexpr std::string_view kSequenceNumber = "SequenceNumber";
inline constexpr std::string_view kSourceArn = "SourceArn";
inline constexpr std::string_view kStartedTimestamp = "StartedTimestamp";
inline constexpr std::string_view kStatus = "Status";
inline constexpr std::string_view kStringListValue = "StringListValue";
inline constexpr std::string_view kStringListValues = "StringListValues";
inline constexpr std::string_view kStringValue = "StringValue";
inline constexpr std::string_view kTaskHandle = "TaskHandle";
inline constexpr std::string_view kVisibilityTimeout = "VisibilityTimeout";
inline constexpr std::string_view kWaitTimeSeconds = "WaitTimeSeconds";

inline constexpr List kAttributeNames{"AttributeNames", "AttributeName"};
inline constexpr List kMessageAttributeNames{"MessageAttributeNames", "MessageAttributeName"};
inline constexpr List kMessageSystemAttributeNames{"MessageSystemAttributeNames", "MessageSystemAttributeName"};
inline constexpr List kMessages{"Messages", "Message", "messages"};
inline constexpr List kQueueUrls{"QueueUrls", "QueueUrl", "queueUrls"};
inline constexpr List kSourceQueueUrls{"queueUrls", "QueueUrl"};  // ListDeadLetterSourceQueues alone spells it in lower case
inline constexpr List kTagKeys{"TagKeys", "TagKey"};
inline constexpr List kAwsAccountIds{"AWSAccountIds", "AWSAccountId"};
inline constexpr List kActions{"Actions", "ActionName"};
inline constexpr List kMoveTasks{"Results", "ListMessageMoveTasksResultEntry"};
inline constexpr List kSendEntries{"Entries", "SendMessageBatchRequestEntry"};
inline constexpr List kDeleteEntries{"Entries", "DeleteMessageBatchRequestEntry"};
inline constexpr List kVisibilityEntries{"Entries", "ChangeMessageVisibilityBatchRequestEntry"};
inline constexpr List kSendSuccessful{"Successful", "SendMessageBatchResultEntry"};
inline constexpr List kDeleteSuccessful{"Successful", "DeleteMessageBatchResultEntry"};
inline constexpr List kVisibilitySuccessful{"Successful", "ChangeMessageVisibilityBatchResultEntry"};
inline constexpr List kFailed{"Failed", "BatchResultErrorEntry"};

inline constexpr Map kAttributes{"Attributes", "Attribute", "Name", "Value"};
inline constexpr Map kMessageAttributes{"MessageAttributes", "MessageAttribute", "Name", "Value"};
inline constexpr Map kMessageSystemAttributes{"MessageSystemAttributes", "MessageSystemAttribute", "Name", "Value"};
inline constexpr Map kTags{"Tags", "Tag", "Key", "Value"};
inline constexpr Map kTagsOfNewQueue{"tags", "Tag", "Key", "Value"};  // CreateQueue alone spells the member in lower case

inline constexpr std::string_view kTargetPrefix = "AmazonSQS.";
inline constexpr std::string_view kJsonContentType = "application/x-amz-json-1.0";
inline constexpr std::string_view kQueryJsonContentType = "application/json";
inline constexpr std::string_view kXmlContentType = "text/xml";
inline constexpr std::string_view kXmlNamespace = "http://queue.amazonaws.com/doc/2012-11-05/";
inline constexpr std::string_view kPresignedPrefix = "X-Amz-";

}  // namespace ferry::protocol::names
