#pragma once
// The attribute Policy: checked, stored and told as text, and edited by AddPermission and RemovePermission.

#include <string>
#include <string_view>
#include <vector>

#include "sqs/error.h"

namespace ferry::sqs {

/// A checked AddPermission request (validation.h).
struct Permission {
  std::string label;
  std::vector<std::string> accounts;
  std::vector<std::string> actions;
};

/// InvalidAttributeValue; OverLimit: more than 20 statements.
ApiResult<void> validate_policy(std::string_view text);

/// `policy` (valid, or empty) with a statement for `permission` at its end. InvalidParameterValue: the label is there already.
/// OverLimit: there are 20 statements.
ApiResult<std::string> add_permission(std::string_view policy, std::string_view queue_arn, const Permission& permission);

/// `policy` without the statement called `label`; empty when none is left. InvalidParameterValue: there is no such statement.
ApiResult<std::string> remove_permission(std::string_view policy, std::string_view label);

}  // namespace ferry::sqs
