#pragma once
// Writes what fields.h describes as the JSON that answers a Query request: one object in which maps are lists of pairs, members
// that are absent are null, and some lists have older names.

#include <string>
#include <string_view>

#include "base/encoding.h"
#include "protocol/fields.h"
#include "protocol/json_text.h"

namespace ferry::protocol {

/// Appends to `out`, which outlives it.
class QueryJsonEncoder {
 public:
  explicit QueryJsonEncoder(std::string& out) : out_(out) {}

  template <class S>
  void object(const S& value) {
    begin('{');
    fields(*this, value);
    end('}');
  }

  void text(std::string_view name, const std::string& value) {
    key(name);
    string(value);
  }
  void text(std::string_view name, const sqs::OptionalText& value) {
    if (value) return text(name, *value);
    null(name);
  }
  void binary(std::string_view name, const sqs::OptionalText& value) {
    if (value) return text(name, base64_encode(*value));
    null(name);
  }
  void integer(std::string_view name, const sqs::OptionalInteger& value) {
    if (!value) return null(name);
    key(name);
    out_ += std::to_string(*value);
  }
  void boolean(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void texts(const names::List& list, const std::vector<std::string>& values) {
    each(name_of(list), values, [this](const std::string& value) { string(value); });
  }
  void map(const names::Map& map, const sqs::TextMap& values) {
    each(map.member, values, [&](const auto& pair) {
      begin('{');
      text(map.key, pair.first);
      text(map.value, pair.second);
      end('}');
    });
  }
  void attributes(const names::Map& map, const sqs::MessageAttributes& values) {
    each(map.member, values, [&](const auto& pair) {
      begin('{');
      text(map.key, pair.first);
      key(map.value);
      object(pair.second);
      end('}');
    });
  }
  template <class S>
  void structures(const names::List& list, const std::vector<S>& values) {
    each(name_of(list), values, [this](const S& value) { object(value); });
  }
  void ids(const names::List& list, const std::vector<std::string>& values) {
    each(name_of(list), values, [this](const std::string& id) {
      begin('{');
      text(names::kId, id);
      end('}');
    });
  }
  void list_values(bool) {}

 private:
  static std::string_view name_of(const names::List& list) { return list.query_json.empty() ? list.member : list.query_json; }

  void begin(char bracket) {
    out_.push_back(bracket);
    first_ = true;
  }
  void end(char bracket) {
    out_.push_back(bracket);
    first_ = false;
  }
  void separate() {
    if (!first_) out_.push_back(',');
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    out_.append("\"").append(name).append("\":");
  }
  void null(std::string_view name) {
    key(name);
    out_ += "null";
  }
  void string(std::string_view value) {
    out_.push_back('"');
    append_json_escaped(out_, value);
    out_.push_back('"');
  }
  template <class Values, class Write>
  void each(std::string_view name, const Values& values, const Write& write) {
    key(name);
    begin('[');
    for (const auto& value : values) {
      separate();
      write(value);
    }
    end(']');
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace ferry::protocol
