#include "worker/body_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <cmath>
#include <cstdint>

#include "base/encoding.h"

namespace ferry::worker {
namespace {

namespace json = boost::json;
using config::MatchValue;

constexpr std::size_t kTextBytesMax = 4 * config::kMatchCharsMax;  // a character has at most four bytes
constexpr double kExactMax = 9'007'199'254'740'992.0;              // 2^53: up to here a double is the integer that was written

// A token of a pointer: a member's name, and perhaps an element's place.
struct Token {
  std::string_view name;
  std::optional<std::size_t> index;
};

std::optional<std::size_t> index_of(std::string_view token) {
  const bool canonical = !token.empty() && token.size() <= 9 && (token == "0" || token.front() != '0') &&
                         std::all_of(token.begin(), token.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!canonical) return std::nullopt;
  return static_cast<std::size_t>(parse_integer(token).value_or(0));
}

struct Tracker {
  std::vector<Token> tokens;
  std::vector<int> seen{};  // of each token: how often it was met
  std::size_t matched = 0;  // tokens that lead to where the parser is
  bool twice = false;
  std::optional<MatchValue> value{};

  bool is_at(std::size_t depth) const { return tokens.size() == depth && matched == depth; }
};

// The parser's caller; `depth` of a value is the number of objects and arrays around it.
class Handler {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  explicit Handler(const std::vector<config::JsonPointer>& pointers) {
    for (const config::JsonPointer& pointer : pointers) {
      Tracker tracker;
      for (const std::string& token : pointer) tracker.tokens.push_back({token, index_of(token)});
      tracker.seen.resize(pointer.size());
      trackers_.push_back(std::move(tracker));
    }
  }
  const std::vector<Tracker>& trackers() const { return trackers_; }

  bool on_document_begin(json::error_code& /*error*/) { return true; }
  bool on_document_end(json::error_code& /*error*/) { return true; }
  bool on_object_begin(json::error_code& /*error*/) { return open(Container{false, 0}, "an object"); }
  bool on_object_end(std::size_t /*count*/, json::error_code& /*error*/) { return close(); }
  bool on_array_begin(json::error_code& /*error*/) { return open(Container{true, 0}, "an array"); }
  bool on_array_end(std::size_t /*count*/, json::error_code& /*error*/) { return close(); }
  bool on_key_part(json::string_view part, std::size_t /*count*/, json::error_code& /*error*/) { return collect(part); }
  bool on_key(json::string_view part, std::size_t count, json::error_code& /*error*/) {
    collect(part);
    if (count <= kTextBytesMax) {
      go_to([&](const Token& token) { return token.name == text_; });
    } else {
      go_to([](const Token&) { return false; });
    }
    text_.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t /*count*/, json::error_code& /*error*/) { return collect(part); }
  bool on_string(json::string_view part, std::size_t count, json::error_code& /*error*/) {
    collect(part);
    meet([&] {
      if (count > kTextBytesMax) return MatchValue{MatchValue::Kind::Other, fmt::format("a text of {} bytes", count)};
      return MatchValue{MatchValue::Kind::String, text_};
    });
    text_.clear();
    return true;
  }
  bool on_number_part(json::string_view /*part*/, json::error_code& /*error*/) { return true; }
  bool on_int64(std::int64_t number, json::string_view /*text*/, json::error_code& /*error*/) { return meet_number(number); }
  bool on_uint64(std::uint64_t number, json::string_view /*text*/, json::error_code& /*error*/) { return meet_number(number); }
  bool on_double(double number, json::string_view /*text*/, json::error_code& /*error*/) {
    if (std::trunc(number) == number && std::abs(number) <= kExactMax) return meet_number(static_cast<std::int64_t>(number));
    return meet_number(number);
  }
  bool on_bool(bool truth, json::error_code& /*error*/) {
    meet([&] { return MatchValue{MatchValue::Kind::Boolean, truth ? "true" : "false"}; });
    return true;
  }
  bool on_null(json::error_code& /*error*/) {
    meet([] { return MatchValue{MatchValue::Kind::Other, "null"}; });
    return true;
  }
  bool on_comment_part(json::string_view /*part*/, json::error_code& /*error*/) { return true; }
  bool on_comment(json::string_view /*part*/, json::error_code& /*error*/) { return true; }

 private:
  struct Container {
    bool is_array = false;
    std::size_t elements = 0;  // met so far
  };

  bool collect(json::string_view part) {
    const std::size_t room = kTextBytesMax - std::min(kTextBytesMax, text_.size());
    text_.append(part.data(), std::min(part.size(), room));
    return true;
  }

  // The innermost container's next member or element is the one for which `is_it` holds.
  template <class Predicate>
  void go_to(const Predicate& is_it) {
    const std::size_t level = open_.size() - 1;
    if (level > deepest_) return;  // no pointer leads into this container
    deepest_ = 0;
    for (Tracker& tracker : trackers_) {
      tracker.matched = std::min(tracker.matched, level);
      if (tracker.matched == level && tracker.tokens.size() > level && is_it(tracker.tokens[level])) {
        tracker.matched = level + 1;
        if (++tracker.seen[level] > 1) tracker.twice = true;
      }
      deepest_ = std::max(deepest_, tracker.matched);
    }
  }

  void next_element() {
    if (open_.empty() || !open_.back().is_array) return;
    const std::size_t place = open_.back().elements++;
    go_to([place](const Token& token) { return token.index == place; });
  }

  template <class Make>
  void meet(const Make& make) {
    next_element();
    if (deepest_ < open_.size()) return;
    for (Tracker& tracker : trackers_) {
      if (tracker.is_at(open_.size())) tracker.value = make();
    }
  }
  template <class Number>
  bool meet_number(Number number) {
    meet([&] { return MatchValue{MatchValue::Kind::Number, fmt::format("{}", number)}; });
    return true;
  }

  bool open(Container container, const char* what) {
    meet([&] { return MatchValue{MatchValue::Kind::Other, what}; });
    open_.push_back(container);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<Tracker> trackers_;
  std::vector<Container> open_;
  std::size_t deepest_ = 0;  // the greatest `matched`
  std::string text_;         // of the key or string that is read
};

std::string place_of(const config::JsonPointer& pointer) {
  return escape_control(config::format_json_pointer(pointer));
}

std::vector<BodyValue> nothing(std::size_t count, const std::string& why) {
  return std::vector<BodyValue>(count, BodyValue{std::nullopt, why});
}
}  // namespace

std::vector<BodyValue> look_into(std::string_view body, const std::vector<config::JsonPointer>& pointers) {
  if (body.size() > kRoutedBodyBytesMax)
    return nothing(pointers.size(), fmt::format("its body has {} bytes, too many to look into", body.size()));
  json::parse_options options;
  options.max_depth = config::kBodyDepthMax;
  json::basic_parser<Handler> parser(options, pointers);
  json::error_code error;
  const std::size_t read = parser.write_some(false, body.data(), body.size(), error);
  if (error == json::error::too_deep)
    return nothing(pointers.size(), fmt::format("its body is nested deeper than {} levels", config::kBodyDepthMax));
  if (error || read < body.size() || !parser.done()) return nothing(pointers.size(), "its body is no JSON");
  std::vector<BodyValue> values;
  const std::vector<Tracker>& trackers = parser.handler().trackers();
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    if (trackers[i].twice) {
      values.push_back({std::nullopt, fmt::format("its body has {} twice", place_of(pointers[i]))});
    } else if (!trackers[i].value) {
      values.push_back({std::nullopt, fmt::format("its body has nothing at {}", place_of(pointers[i]))});
    } else {
      values.push_back({trackers[i].value, {}});
    }
  }
  return values;
}

}  // namespace ferry::worker
