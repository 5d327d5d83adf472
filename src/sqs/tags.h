#pragma once
// The tags of a queue: key 1 to 128 characters, value 0 to 256, at most 50; keys are case-sensitive.

#include <string>
#include <string_view>
#include <vector>

#include "sqs/api.h"
#include "sqs/error.h"

namespace ferry::sqs {

/// InvalidParameterValue: not 1 to 128 characters, or one that XML cannot carry.
ApiResult<void> validate_tag_key(std::string_view key);

/// `current` with `tags` added or overwritten; ascending by key. InvalidParameterValue: a key or value out of range, or more
/// than 50 tags then.
ApiResult<TextMap> with_tags(const TextMap& current, std::string_view queue_name, const TextMap& tags);
/// `current` without `keys`; those that are not there are ignored.
TextMap without_tags(const TextMap& current, const std::vector<std::string>& keys);

}  // namespace ferry::sqs
