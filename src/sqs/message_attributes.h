#pragma once
// Message attributes: their digest, their size, what is allowed in them, and which of them a receive asks for.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "sqs/api.h"
#include "sqs/error.h"

namespace ferry::sqs {

/// What bodies and string values may hold (is_sqs_text), as clients are told.
inline constexpr std::string_view kAllowedCharacters =
    "Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

/// The bytes whose MD5 is MD5OfMessageAttributes: names in byte order, each name, type and value behind its length.
/// For callers that hash many at once (md5_each).
std::string attributes_digest_input(const MessageAttributes& attributes);
/// Of no attributes: the MD5 of nothing; answers leave the member out then.
Md5Digest md5_of_attributes(const MessageAttributes& attributes);

/// Bytes of names, types and values, binary values decoded.
std::size_t attributes_bytes(const MessageAttributes& attributes);
/// What MaximumMessageSize and the batch limit count: body and message attributes. System attributes do not count.
std::size_t message_bytes(const SendMessageEntry& entry);

/// InvalidParameterValue, or UnsupportedOperation for list values.
ApiResult<void> validate_message_attributes(const MessageAttributes& attributes);
/// Only AWSTraceHeader, a non-empty String, is allowed.
ApiResult<void> validate_message_system_attributes(const MessageAttributes& attributes);

/// A decimal number with optional sign, fraction and exponent, at most 38 significant digits, 0 or between 10^-128 and 10^126.
bool is_attribute_number(std::string_view text);

/// Which message attributes a ReceiveMessage request asks for: exact names, prefix.*, or all (All, .* and *). Names that are not
/// there or cannot be are ignored.
class AttributeFilter {
 public:
  explicit AttributeFilter(const std::vector<std::string>& names);
  bool matches(std::string_view name) const;
  MessageAttributes select(const MessageAttributes& attributes) const;
  /// Whether it can match nothing, so attributes need not be looked at.
  bool empty() const { return !all_ && exact_.empty() && prefixes_.empty(); }

 private:
  bool all_ = false;
  std::vector<std::string> exact_;
  std::vector<std::string> prefixes_;
};

}  // namespace ferry::sqs
