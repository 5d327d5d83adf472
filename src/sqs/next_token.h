#pragma once
// The token that continues a listing. Opaque to clients; carries the last name that was listed, so it stays valid for ever.

#include <string>
#include <string_view>

#include "sqs/error.h"

namespace ferry::sqs {

std::string encode_next_token(std::string_view last_queue_name);
/// The last name. InvalidParameterValue when the text is no token of encode_next_token().
ApiResult<std::string> decode_next_token(std::string_view token);

}  // namespace ferry::sqs
