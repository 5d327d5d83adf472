#pragma once
// The JSON texts among the values of SQS: policies and task handles. For the sources of this module only.

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ferry::sqs {

/// Nothing unless the whole text is one JSON object, at most 32 levels deep.
std::optional<boost::json::object> parse_json_object(std::string_view text);

inline std::string_view text_of(const boost::json::string& string) {
  return {string.data(), string.size()};
}

}  // namespace ferry::sqs
