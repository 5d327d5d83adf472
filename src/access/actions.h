#pragma once
// The names of the actions that a grant can name, and how patterns are matched.

#include <span>
#include <string_view>

namespace ferry::access {

/// Every action of Amazon SQS (API version 2012-11-05) but the batch forms, which are covered by their single action.
std::span<const std::string_view> grantable_actions();

/// "SendMessageBatch" is granted as "SendMessage"; other names are returned as they are.
std::string_view grant_action(std::string_view action);

/// "sqs:SendMessage" is the same as "SendMessage".
std::string_view without_service_prefix(std::string_view action_pattern);

/// '*' stands for any run of characters, also an empty one; everything else for itself.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace ferry::access
