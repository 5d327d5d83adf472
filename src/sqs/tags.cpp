#include "sqs/tags.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/encoding.h"
#include "sqs/limits.h"

namespace ferry::sqs {
namespace {

// Of valid UTF-8.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

ApiResult<void> validate_tag_key(std::string_view key) {
  if (!key.empty() && is_sqs_text(key) && characters(key) <= kTagKeyCharsMax) return {};
  return api_fail(ErrorCode::InvalidParameterValue,
                  fmt::format("Tag keys must be between 1 and {} characters in length.", kTagKeyCharsMax));
}

ApiResult<TextMap> with_tags(const TextMap& current, std::string_view queue_name, const TextMap& tags) {
  std::map<std::string, std::string> all(current.begin(), current.end());
  for (const auto& [key, value] : tags) {
    FERRY_TRY_VOID(validate_tag_key(key));
    if (!is_sqs_text(value) || characters(value) > kTagValueCharsMax) {
      return api_fail(ErrorCode::InvalidParameterValue,
                      fmt::format("Tag values must be between 0 and {} characters in length.", kTagValueCharsMax));
    }
    all.insert_or_assign(key, value);
    if (all.size() > kTagsMax) {
      return api_fail(ErrorCode::InvalidParameterValue, fmt::format("Too many tags added for queue {}.", queue_name));
    }
  }
  return TextMap(all.begin(), all.end());
}

TextMap without_tags(const TextMap& current, const std::vector<std::string>& keys) {
  TextMap rest = current;
  std::erase_if(rest, [&](const auto& tag) { return std::find(keys.begin(), keys.end(), tag.first) != keys.end(); });
  return rest;
}

}  // namespace ferry::sqs
