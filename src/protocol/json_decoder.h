#pragma once
// Reads one JSON object into the struct that fields.h describes. Internal to protocol: the only place that includes simdjson.
//
// simdjson's first stage checks UTF-8 and finds the structure; its on-demand front end only walks it, so whatever it does not
// look at (scalars, unknown members, what follows the document) is checked here: JSON that is not JSON is refused as a whole.
// An object that is not closed makes it look behind the end of the text, so the padding there is kept at zero.
// A member that is null is absent, an unknown member is skipped, of a repeated member the last one counts, numbers and booleans
// become text where text is expected.

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "protocol/fields.h"
#include "protocol/json_text.h"

namespace ferry::protocol {

class JsonDecoder {
 public:
  /// What is wrong with `body`, or nothing: then `out` holds it.
  template <class S>
  std::optional<std::string> decode(std::string_view body, S& out) {
    if (body.size() > kKeptBytesMax) {
      Scratch scratch;
      return decode_in(scratch, body, out);
    }
    thread_local Scratch kept;  // a parser and a buffer with the padding that simdjson wants, reused
    return decode_in(kept, body, out);
  }

 private:
  using Value = simdjson::ondemand::value;
  using Object = simdjson::ondemand::object;
  using Array = simdjson::ondemand::array;

  struct Scratch {
    simdjson::ondemand::parser parser;
    std::string padded;
  };

  static constexpr std::size_t kKeptBytesMax = 512 * 1024;  // larger bodies pay for their own memory and give it back
  static constexpr std::size_t kFirstCapacity = 16 * 1024;
  static constexpr int kDepthMax = 64;  // of unknown members; the known ones end at five
  static constexpr std::size_t kElementsMax =
      20'000;  // of all lists and maps together: an element costs far more memory than text

  static constexpr std::string_view kMalformed = "The body is not a valid JSON object.";
  static constexpr std::string_view kUnexpectedObject = "Start of structure or map found where not expected.";
  static constexpr std::string_view kUnexpectedList = "Start of list found where not expected";

  template <class S>
  std::optional<std::string> decode_in(Scratch& scratch, std::string_view body, S& out) {
    scratch.padded.resize(body.size() + simdjson::SIMDJSON_PADDING);
    body.copy(scratch.padded.data(), body.size());
    std::fill_n(scratch.padded.begin() + static_cast<std::ptrdiff_t>(body.size()), simdjson::SIMDJSON_PADDING, '\0');
    if (scratch.parser.capacity() < body.size() &&
        scratch.parser.allocate(std::max(std::bit_ceil(body.size()), kFirstCapacity)) != simdjson::SUCCESS) {
      return std::string(kMalformed);
    }
    simdjson::ondemand::document document;
    Object object;
    if (scratch.parser.iterate(scratch.padded.data(), body.size(), scratch.padded.size()).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS) {
      return std::string(kMalformed);
    }
    if (structure(object, out) && document.current_location().error() != simdjson::OUT_OF_BOUNDS) fail(kMalformed);
    return std::move(failure_);
  }

  bool fail(std::string_view text) {
    if (!failure_) failure_ = text;
    return false;
  }
  bool count_element() { return ++elements_ <= kElementsMax || fail("The body has too many elements."); }

  static std::string_view token_of(Value& value) {
    std::string_view token = value.raw_json_token();
    while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
    return token;
  }
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static char first_of(std::string_view token) { return token.empty() ? '\0' : token.front(); }

  // A string's characters, still escaped. Steps over the value: simdjson would take a string before ':' for a key.
  bool take_string(Value& value, std::string_view token, std::string_view& between_quotes) {
    simdjson::ondemand::raw_json_string raw;
    if (value.get_raw_json_string().get(raw) != simdjson::SUCCESS) return fail(kMalformed);
    if (token.size() < 2 || token.back() != '"') return fail(kMalformed);
    between_quotes = token.substr(1, token.size() - 2);
    return true;
  }

  // simdjson has found the closing quote already, so the search ends. `buffer` holds a key that has escapes.
  bool read_key(simdjson::ondemand::raw_json_string raw, std::string& buffer, std::string_view& key) {
    const char* const start = raw.raw();
    const char* end = start;
    bool escaped = false;
    for (; *end != '"'; ++end) {
      if (*end == '\\') escaped = true, ++end;
    }
    key = std::string_view(start, static_cast<std::size_t>(end - start));
    if (!escaped) return true;
    if (!json_unescape(key, buffer)) return fail(kMalformed);
    key = buffer;
    return true;
  }

  // Calls visit(key, value, token) for each member that is not null.
  template <class Visit>
  bool members(Object& object, const Visit& visit) {
    std::string buffer;
    for (auto result : object) {
      simdjson::ondemand::field field;
      if (std::move(result).get(field) != simdjson::SUCCESS) return fail(kMalformed);
      std::string_view key;
      if (!read_key(field.key(), buffer, key)) return false;
      Value& value = field.value();
      const std::string_view token = token_of(value);
      if (token == "null") continue;
      if (!visit(key, value, token)) return false;
    }
    return true;
  }

  // Calls visit(value, token) for each element that is not null.
  template <class Visit>
  bool elements(Array& array, const Visit& visit) {
    for (auto result : array) {
      Value value;
      if (result.get(value) != simdjson::SUCCESS) return fail(kMalformed);
      const std::string_view token = token_of(value);
      if (token == "null") continue;
      if (!visit(value, token)) return false;
    }
    return true;
  }

  bool open(Value& value, std::string_view token, Object& object) {
    if (first_of(token) == '[') return fail(kUnexpectedList);
    if (first_of(token) != '{') return fail(is_scalar(token) ? "Expected map or null" : kMalformed);
    return value.get_object().get(object) == simdjson::SUCCESS || fail(kMalformed);
  }
  bool open(Value& value, std::string_view token, Array& array) {
    if (first_of(token) == '{') return fail(kUnexpectedObject);
    if (first_of(token) != '[') return fail(is_scalar(token) ? "Expected list or null" : kMalformed);
    return value.get_array().get(array) == simdjson::SUCCESS || fail(kMalformed);
  }
  static bool is_scalar(std::string_view token) {
    return first_of(token) == '"' || token == "true" || token == "false" || is_json_number(token);
  }

  // One member of a structure; fields() calls it for each member that the structure has, and the one of that name reads it.
  class Member {
   public:
    Member(JsonDecoder& decoder, std::string_view key, Value& value, std::string_view token)
        : decoder_(decoder), key_(key), value_(value), token_(token) {}

    bool claimed() const { return claimed_; }
    bool ok() const { return ok_; }

    void text(std::string_view name, std::string& out) {
      if (claim(name)) ok_ = decoder_.text(value_, token_, out);
    }
    void text(std::string_view name, sqs::OptionalText& out) {
      if (claim(name)) ok_ = decoder_.text(value_, token_, out.emplace());
    }
    void binary(std::string_view name, sqs::OptionalText& out) {
      if (claim(name)) ok_ = decoder_.binary(value_, token_, out);
    }
    void integer(std::string_view name, sqs::OptionalInteger& out) {
      if (claim(name)) ok_ = decoder_.integer(token_, out);
    }
    void boolean(std::string_view name, bool& out) {
      if (!claim(name)) return;
      ok_ = token_ == "true" || token_ == "false" || decoder_.fail("Expected a boolean");
      out = token_ == "true";
    }
    void texts(const names::List& list, std::vector<std::string>& out) {
      if (claim(list.member)) ok_ = decoder_.texts(value_, token_, out);
    }
    void map(const names::Map& map, sqs::TextMap& out) {
      if (claim(map.member)) ok_ = decoder_.map(value_, token_, out);
    }
    void attributes(const names::Map& map, sqs::MessageAttributes& out) {
      if (claim(map.member)) ok_ = decoder_.attributes(value_, token_, out);
    }
    template <class S>
    void structures(const names::List& list, std::vector<S>& out) {
      if (claim(list.member)) ok_ = decoder_.structures(value_, token_, out);
    }
    template <class S>
    void structures(const names::List& list, std::optional<std::vector<S>>& out) {
      if (claim(list.member)) ok_ = decoder_.structures(value_, token_, out.emplace());
    }
    void ids(const names::List& list, std::vector<std::string>& out) {
      if (claim(list.member)) ok_ = decoder_.ids(value_, token_, out);
    }
    // Lists of values are not supported; an empty one, as some clients send, says nothing.
    void list_values(bool& has_list_values) {
      if (!claim(names::kStringListValues) && !claim(names::kBinaryListValues)) return;
      ok_ = decoder_.list_values(value_, token_, has_list_values);
    }

   private:
    bool claim(std::string_view name) {
      if (claimed_ || key_ != name) return false;
      return claimed_ = true;
    }

    JsonDecoder& decoder_;
    std::string_view key_;
    Value& value_;
    std::string_view token_;
    bool claimed_ = false;
    bool ok_ = true;
  };

  template <class S>
  bool structure(Object& object, S& out) {
    return members(object, [&](std::string_view key, Value& value, std::string_view token) {
      Member member(*this, key, value, token);
      fields(member, out);
      return member.claimed() ? member.ok() : skip(value, token, kDepthMax);
    });
  }

  bool text(Value& value, std::string_view token, std::string& out) {
    std::string_view between_quotes;
    switch (first_of(token)) {
      case '"':
        return take_string(value, token, between_quotes) && (json_unescape(between_quotes, out) || fail(kMalformed));
      case '{':
        return fail(kUnexpectedObject);
      case '[':
        return fail(kUnexpectedList);
      default:
        if (!is_scalar(token)) return fail(kMalformed);
        out = token;
        return true;
    }
  }

  bool binary(Value& value, std::string_view token, sqs::OptionalText& out) {
    std::string encoded;
    if (!text(value, token, encoded)) return false;
    out = base64_decode(encoded);
    return out.has_value() || fail("A binary value is not valid base64.");
  }

  bool integer(std::string_view token, sqs::OptionalInteger& out) {
    if (first_of(token) == '{') return fail(kUnexpectedObject);
    if (first_of(token) == '[') return fail(kUnexpectedList);
    if (first_of(token) == '"') return fail("STRING_VALUE can not be converted to an Integer");
    if (token == "true") return fail("TRUE_VALUE can not be converted to an Integer");
    if (token == "false") return fail("FALSE_VALUE can not be converted to an Integer");
    if (!is_json_number(token)) return fail(kMalformed);
    out = parse_integer(token);
    return out.has_value() || fail("NUMBER_VALUE can not be converted to an Integer");
  }

  bool texts(Value& value, std::string_view token, std::vector<std::string>& out) {
    out.clear();
    Array array;
    return open(value, token, array) && elements(array, [&](Value& element, std::string_view element_token) {
             return count_element() && text(element, element_token, out.emplace_back());
           });
  }

  bool map(Value& value, std::string_view token, sqs::TextMap& out) {
    out.clear();
    Object object;
    return open(value, token, object) && members(object, [&](std::string_view key, Value& member, std::string_view member_token) {
             return count_element() && text(member, member_token, out.emplace_back(std::string(key), std::string()).second);
           });
  }

  bool attributes(Value& value, std::string_view token, sqs::MessageAttributes& out) {
    out.clear();
    Object object;
    return open(value, token, object) && members(object, [&](std::string_view key, Value& member, std::string_view member_token) {
             Object attribute;
             return count_element() && open(member, member_token, attribute) &&
                    structure(attribute, out.emplace_back(std::string(key), sqs::MessageAttributeValue()).second);
           });
  }

  template <class S>
  bool structures(Value& value, std::string_view token, std::vector<S>& out) {
    out.clear();
    Array array;
    return open(value, token, array) && elements(array, [&](Value& element, std::string_view element_token) {
             Object object;
             return count_element() && open(element, element_token, object) && structure(object, out.emplace_back());
           });
  }

  bool ids(Value& value, std::string_view token, std::vector<std::string>& out) {
    out.clear();
    Array array;
    return open(value, token, array) && elements(array, [&](Value& element, std::string_view element_token) {
             Object object;
             if (!count_element() || !open(element, element_token, object)) return false;
             std::string& id = out.emplace_back();
             return members(object, [&](std::string_view key, Value& member, std::string_view member_token) {
               return key == names::kId ? text(member, member_token, id) : skip(member, member_token, kDepthMax);
             });
           });
  }

  bool list_values(Value& value, std::string_view token, bool& has_list_values) {
    Array array;
    return open(value, token, array) && elements(array, [&](Value& element, std::string_view element_token) {
             has_list_values = true;
             return skip(element, element_token, kDepthMax);
           });
  }

  // Checks a value that nobody reads. `depth` is how deep it may still go.
  bool skip(Value& value, std::string_view token, int depth) {
    if (depth == 0) return fail("The body is nested too deeply.");
    if (first_of(token) == '{') {
      Object object;
      return open(value, token, object) && members(object, [&](std::string_view, Value& member, std::string_view member_token) {
               return skip(member, member_token, depth - 1);
             });
    }
    if (first_of(token) == '[') {
      Array array;
      return open(value, token, array) && elements(array, [&](Value& element, std::string_view element_token) {
               return skip(element, element_token, depth - 1);
             });
    }
    std::string ignored;
    return text(value, token, ignored);
  }

  std::optional<std::string> failure_;
  std::size_t elements_ = 0;
};

}  // namespace ferry::protocol
