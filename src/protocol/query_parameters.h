#pragma once
// The parameters of a Query request: form data of URL and body, found by their dotted names.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sqs/error.h"

namespace ferry::protocol {

class QueryParameters {
 public:
  /// How many parameters one request may have; a full batch has less than 500.
  static constexpr std::size_t kParametersMax = 5'000;

  /// Percent-decodes and merges both; of a repeated parameter the last one counts, those of presigned URLs (X-Amz-…) are dropped.
  /// Serialization when a percent sign is not followed by two hex digits, or there are too many.
  static sqs::ApiResult<QueryParameters> parse(std::string_view url_query, std::string_view body);

  /// Null when there is none of exactly that name.
  const std::string* find(std::string_view name) const;
  /// Whether there is `prefix` followed by anything.
  bool has_below(std::string_view prefix) const;
  /// The numbers N of all "<prefix>N" and "<prefix>N.…", as they were written, ascending by value.
  std::vector<std::string> numbers_below(std::string_view prefix) const;

 private:
  using Parameter = std::pair<std::string, std::string>;
  sqs::ApiResult<void> add(std::string_view form);
  std::vector<Parameter>::const_iterator lower_bound(std::string_view name) const;

  std::vector<Parameter> sorted_;
};

}  // namespace ferry::protocol
