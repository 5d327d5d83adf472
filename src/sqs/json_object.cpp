#include "sqs/json_object.h"

namespace ferry::sqs {

std::optional<boost::json::object> parse_json_object(std::string_view text) {
  try {
    boost::system::error_code error;
    boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.as_object());
  } catch (const std::exception&) {  // out of memory
    return std::nullopt;
  }
}

}  // namespace ferry::sqs
