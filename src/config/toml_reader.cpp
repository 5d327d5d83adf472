#include "config/toml_reader.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/suggest.h"
#include "config/handoff.h"

namespace ferry::config {
namespace {

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

std::string describe(Millis duration) {
  const auto count = duration.count();
  if (count % 3'600'000 == 0 && count != 0) return fmt::format("{}h", count / 3'600'000);
  if (count % 60'000 == 0 && count != 0) return fmt::format("{}m", count / 60'000);
  return count % 1000 == 0 ? fmt::format("{}s", count / 1000) : fmt::format("{}ms", count);
}
}  // namespace

std::string TableReader::path(std::string_view key) const {
  return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
}

void TableReader::problem(std::string_view key, std::string_view what) {
  const toml::node* found = table_.get(key);
  problems_.add(found != nullptr ? line_of(*found) : line(), fmt::format("{} {}", path(key), what));
}

const toml::node* TableReader::node(std::string_view key) {
  known_.emplace_back(key);
  return table_.get(key);
}

std::optional<std::string> TableReader::text(std::string_view key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  if (const auto* value = found->as_string()) return value->get();
  problem(key, fmt::format("must be a string, not {}", kind_of(*found)));
  return std::nullopt;
}

std::optional<bool> TableReader::boolean(std::string_view key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  if (const auto* value = found->as_boolean()) return value->get();
  problem(key, fmt::format("must be true or false, not {}", kind_of(*found)));
  return std::nullopt;
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const auto* value = found->as_integer();
  if (value == nullptr) {
    problem(key, fmt::format("must be an integer, not {}", kind_of(*found)));
  } else if (value->get() < min || value->get() > max) {
    problem(key, fmt::format("is {}; it must be from {} to {}", value->get(), min, max));
  } else {
    return value->get();
  }
  return std::nullopt;
}

std::optional<Millis> TableReader::duration(std::string_view key, DurationRange range) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  std::optional<Millis> value;
  if (const auto* text = found->as_string()) value = parse_duration(text->get());
  if (const auto* number = found->as_integer(); number != nullptr) value = parse_duration(std::to_string(number->get()));
  if (!value) {
    problem(key, "must be a duration: seconds, or a string such as \"500ms\", \"30s\", \"5m\" or \"2h\"");
  } else if (*value < range.min || *value > range.max) {
    problem(key, fmt::format("is {}; it must be from {} to {}", describe(*value), describe(range.min), describe(range.max)));
    value.reset();
  }
  return value;
}

std::optional<std::vector<std::string>> TableReader::texts(std::string_view key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const toml::array* array = found->as_array();
  if (array == nullptr) {
    problem(key, fmt::format("must be an array of strings, not {}", kind_of(*found)));
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) {
      problem(key, fmt::format("must hold strings only, not {}", kind_of(element)));
      return std::nullopt;
    }
    texts.push_back(text->get());
  }
  return texts;
}

const toml::table* TableReader::table(std::string_view key) {
  const toml::node* found = node(key);
  if (found == nullptr) return nullptr;
  if (const toml::table* inner = found->as_table()) return inner;
  problem(key, fmt::format("must be a table, not {}", kind_of(*found)));
  return nullptr;
}

void TableReader::refuse_unknown_keys() {
  for (const auto& [key, value] : table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
    const std::string suggestion = did_you_mean(key.str(), known_);
    const int line = static_cast<int>(key.source().begin.line);
    problems_.add(line, fmt::format("unknown key {}{}", escape_control(path(key.str())),
                                    suggestion.empty() ? fmt::format(" (known here: {})", join_names(known_)) : suggestion));
  }
}

}  // namespace ferry::config
