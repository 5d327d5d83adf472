#pragma once
// Every number that Amazon SQS documents or that we set for ourselves, once, with its source.
// [doc]: Amazon SQS developer guide and API reference. [ours]: a bound of this server.

#include <chrono>
#include <cstddef>

namespace ferry::sqs {

inline constexpr std::size_t kQueueNameCharsMax = 80;        // [doc] includes ".fifo"
inline constexpr std::size_t kMessageBytesMax = 1'048'576;   // [doc] body and attributes, since August 2025
inline constexpr std::size_t kMessageBytesMaxFloor = 1'024;  // [doc] least MaximumMessageSize
inline constexpr std::size_t kBatchBytesMax = 1'048'576;     // [doc] sum over a batch, whatever the queue's MaximumMessageSize
inline constexpr std::size_t kBatchEntriesMax = 10;          // [doc]
inline constexpr std::size_t kBatchIdCharsMax = 80;          // [doc]
inline constexpr std::size_t kMessageAttributesMax = 10;     // [doc]
inline constexpr std::size_t kAttributeNameBytesMax = 256;   // [doc]
inline constexpr std::size_t kAttributeTypeBytesMax = 255;   // [doc] "must be shorter than 256 bytes"
inline constexpr int kReceiveMessagesMax = 10;               // [doc]
inline constexpr std::chrono::seconds kDelayMax{900};        // [doc]
inline constexpr std::chrono::seconds kWaitTimeMax{20};      // [doc]
inline constexpr std::chrono::seconds kVisibilityTimeoutMax{43'200};  // [doc] one call, and in total since the receive
inline constexpr std::chrono::seconds kVisibilityTimeoutDefault{30};  // [doc]
inline constexpr std::chrono::seconds kRetentionMin{60};              // [doc]
inline constexpr std::chrono::seconds kRetentionMax{1'209'600};       // [doc]
inline constexpr std::chrono::seconds kRetentionDefault{345'600};     // [doc]
inline constexpr std::size_t kInFlightMax = 120'000;                  // [doc] standard and FIFO queues
inline constexpr int kListResultsMax = 1'000;                         // [doc]
inline constexpr std::chrono::seconds kQueueDeletedRecentlyWait{60};  // [doc]
inline constexpr std::chrono::seconds kPurgeWait{60};                 // [doc]
inline constexpr std::chrono::seconds kFairQueueSilence{300};         // [doc] a tenant that sends nothing is noisy no longer
inline constexpr std::uint64_t kFairQueueNoisyMessages = 30;          // [doc] in flight, at least
inline constexpr std::uint64_t kFairQueueNoisyShare = 10;             // [doc] more than one in ten
inline constexpr std::size_t kGroupIdCharsMax = 128;                  // [doc] also deduplication and receive attempt ids
inline constexpr std::chrono::seconds kDeduplicationWindow{300};      // [doc] five minutes from the first accepted send
inline constexpr std::chrono::seconds kReceiveAttemptWindow{300};     // [doc] five minutes

// Attributes of queues.
inline constexpr std::chrono::seconds kKmsDataKeyReuseDefault{300};  // [doc]
inline constexpr std::chrono::seconds kKmsDataKeyReuseMin{60};       // [doc]
inline constexpr std::chrono::seconds kKmsDataKeyReuseMax{86'400};   // [doc]
inline constexpr std::size_t kKmsKeyIdBytesMax = 2'048;              // [doc] of KMS, in characters
inline constexpr std::size_t kTagsMax = 50;                          // [doc] a recommendation there, refused here
inline constexpr std::size_t kTagKeyCharsMax = 128;                  // [doc]
inline constexpr std::size_t kTagValueCharsMax = 256;                // [doc]

// Policies. What is longer is no valid policy; AddPermission answers OverLimit.
inline constexpr std::size_t kPolicyBytesMax = 8'192;        // [doc] the quotas of policies; [ours] for RedriveAllowPolicy
inline constexpr std::size_t kPolicyStatementsMax = 20;      // [doc]
inline constexpr std::size_t kPolicyActionsMax = 7;          // [doc] of one AddPermission
inline constexpr std::size_t kPolicyPrincipalsMax = 50;      // [doc] of one AddPermission
inline constexpr std::size_t kPermissionLabelCharsMax = 80;  // [doc]

// Dead letters and move tasks.
inline constexpr int kMaxReceiveCountMax = 1'000;              // [doc]
inline constexpr std::size_t kRedriveAllowSourcesMax = 10;     // [doc]
inline constexpr std::size_t kMoveTasksPerAccountMax = 100;    // [doc] active ones
inline constexpr std::chrono::hours kMoveTaskTimeMax{36};      // [doc]
inline constexpr int kMoveTaskListMax = 10;                    // [doc]
inline constexpr int kMoveTaskRateMax = 500;                   // [doc] messages a second
inline constexpr std::size_t kMoveTaskHandleCharsMax = 1'024;  // [ours] three times the longest that we give out

inline constexpr std::size_t kRequestBodyBytesMax =
    8 * 1024 * 1024;  // [ours] a legal 1 MiB batch inflates several times in JSON or form data

// What one look at a queue's messages without receiving them shows, and how many it looks at for that. [ours]
inline constexpr std::size_t kPeekMessagesMax = 1'000;
inline constexpr std::size_t kPeekBytesMax = 8 * 1024 * 1024;  // stops after the message that reaches it
inline constexpr std::size_t kPeekScannedMax = 10'000;

}  // namespace ferry::sqs
