#pragma once
// Reads Query parameters into the struct that fields.h describes. Lists and maps are flattened and numbered from 1, with gaps
// and in any order; each is looked for by the name of its elements (Tag.1.Key), then by that of the member (Tags.1.Key), which
// some clients used. A single element may come without a number (Attribute.Name, AttributeName).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "protocol/fields.h"
#include "protocol/query_parameters.h"

namespace ferry::protocol {

class QueryDecoder {
 public:
  explicit QueryDecoder(const QueryParameters& parameters) : parameters_(parameters) {}

  /// Reads all of `out`; the first error, or nothing.
  template <class S>
  std::optional<sqs::ApiError> decode(S& out) {
    fields(*this, out);
    return std::move(error_);
  }

  void text(std::string_view name, std::string& out) {
    if (const std::string* value = find(name)) out = *value;
  }
  void text(std::string_view name, sqs::OptionalText& out) {
    if (const std::string* value = find(name)) out = *value;
  }
  void binary(std::string_view name, sqs::OptionalText& out) {
    const std::string* value = find(name);
    if (value == nullptr) return;
    out = base64_decode(*value);
    if (!out) fail({sqs::ErrorCode::Serialization, "A binary value is not valid base64."});
  }
  void integer(std::string_view name, sqs::OptionalInteger& out) {
    const std::string* value = find(name);
    if (value == nullptr) return;
    out = parse_integer(*value);
    if (!out) fail(sqs::invalid_parameter(*value, name, "Must be an integer."));
  }
  void texts(const names::List& list, std::vector<std::string>& out) {
    const std::string base = base_of(list.location, list.member);
    if (const std::string* single = find(base)) out.push_back(*single);
    each(base, [&] {
      if (const std::string* value = parameters_.find(without_dot())) out.push_back(*value);
    });
  }
  void map(const names::Map& map, sqs::TextMap& out) {
    each_of_map(map, [&] {
      auto& [name, value] = out.emplace_back();
      text(map.key, name);
      text(map.value, value);
    });
  }
  void attributes(const names::Map& map, sqs::MessageAttributes& out) {
    each_of_map(map, [&] {
      auto& attribute = out.emplace_back();
      text(map.key, attribute.first);
      below(map.value, [&] { fields(*this, attribute.second); });
    });
  }
  // A batch without entries is an empty list here: only JSON can tell it from none.
  template <class S>
  void structures(const names::List& list, std::optional<std::vector<S>>& out) {
    out.emplace();
    each(base_of(list.location, list.member), [&] { fields(*this, out->emplace_back()); });
  }
  void list_values(bool& has_list_values) {
    for (const std::string_view name : {names::kStringListValue, names::kBinaryListValue}) {
      if (has_below(name) || find(name) != nullptr) has_list_values = true;
    }
  }

 private:
  void fail(sqs::ApiError error) {
    if (!error_) error_ = std::move(error);
  }

  const std::string* find(std::string_view name) { return parameters_.find(full_name_.assign(prefix_).append(name)); }
  bool has_below(std::string_view name) { return parameters_.has_below(full_name_.assign(prefix_).append(name).append(".")); }
  std::string_view without_dot() const { return std::string_view(prefix_).substr(0, prefix_.size() - 1); }

  // Under which of its names a list or map was sent.
  std::string base_of(std::string_view location, std::string_view member) {
    for (const std::string_view name : {location, member}) {
      if (find(name) != nullptr || has_below(name)) return std::string(name);
    }
    std::string capitalised(member);
    if (capitalised.front() < 'a' || capitalised.front() > 'z') return std::string(location);
    capitalised.front() -= 'a' - 'A';
    return find(capitalised) != nullptr || has_below(capitalised) ? capitalised : std::string(location);
  }

  // Runs `read` with the prefix extended by "name.".
  template <class Read>
  void below(std::string_view name, const Read& read) {
    const std::size_t outer = prefix_.size();
    prefix_.append(name).append(".");
    read();
    prefix_.resize(outer);
  }

  template <class Read>
  void each(std::string_view base, const Read& read) {
    below(base, [&] {
      for (const std::string& number : parameters_.numbers_below(prefix_)) below(number, read);
    });
  }

  template <class Read>
  void each_of_map(const names::Map& map, const Read& read) {
    const std::string base = base_of(map.location, map.member);
    const std::string key = base + "." + std::string(map.key);
    if (find(key) != nullptr) below(base, read);
    each(base, read);
  }

  const QueryParameters& parameters_;
  std::string prefix_;
  std::string full_name_;  // only for the next lookup
  std::optional<sqs::ApiError> error_;
};

}  // namespace ferry::protocol
