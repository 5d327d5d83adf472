#pragma once
// Writes what fields.h describes as one JSON object. Members that are absent and lists that are empty are left out.

#include <string>
#include <string_view>

#include "base/encoding.h"
#include "protocol/fields.h"
#include "protocol/json_text.h"

namespace ferry::protocol {

/// Appends to `out`, which outlives it.
class JsonEncoder {
 public:
  explicit JsonEncoder(std::string& out) : out_(out) {}

  template <class S>
  void object(const S& value) {
    const bool outer_first = first_;
    first_ = true;
    out_.push_back('{');
    fields(*this, value);
    out_.push_back('}');
    first_ = outer_first;
  }

  void text(std::string_view name, const std::string& value) {
    key(name);
    string(value);
  }
  void text(std::string_view name, const sqs::OptionalText& value) {
    if (value) text(name, *value);
  }
  void binary(std::string_view name, const sqs::OptionalText& value) {
    if (!value) return;
    key(name);
    string(base64_encode(*value));
  }
  void integer(std::string_view name, const sqs::OptionalInteger& value) {
    if (!value) return;
    key(name);
    out_ += std::to_string(*value);
  }
  void boolean(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void texts(const names::List& list, const std::vector<std::string>& values) {
    if (values.empty()) return;
    key(list.member);
    array(values, [this](const std::string& value) { string(value); });
  }
  void map(const names::Map& map, const sqs::TextMap& values) {
    if (values.empty()) return;
    key(map.member);
    out_.push_back('{');
    first_ = true;
    for (const auto& [name, value] : values) escaped_key(name), string(value);
    out_.push_back('}');
    first_ = false;
  }
  void attributes(const names::Map& map, const sqs::MessageAttributes& values) {
    if (values.empty()) return;
    key(map.member);
    out_.push_back('{');
    first_ = true;
    for (const auto& [name, value] : values) escaped_key(name), object(value);
    out_.push_back('}');
    first_ = false;
  }
  template <class S>
  void structures(const names::List& list, const std::vector<S>& values) {
    if (values.empty()) return;
    key(list.member);
    array(values, [this](const S& value) { object(value); });
  }
  template <class S>
  void structures(const names::List& list, const std::optional<std::vector<S>>& values) {
    if (!values) return;
    key(list.member);
    array(*values, [this](const S& value) { object(value); });
  }
  void ids(const names::List& list, const std::vector<std::string>& values) {
    if (values.empty()) return;
    key(list.member);
    array(values, [this](const std::string& id) {
      out_ += "{\"Id\":";
      string(id);
      out_.push_back('}');
    });
  }
  void list_values(bool) {}

 private:
  void separate() {
    if (!first_) out_.push_back(',');
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    out_.push_back('"');
    out_ += name;
    out_ += "\":";
  }
  void escaped_key(std::string_view name) {
    separate();
    string(name);
    out_.push_back(':');
  }
  void string(std::string_view value) {
    out_.push_back('"');
    append_json_escaped(out_, value);
    out_.push_back('"');
  }
  template <class Values, class Write>
  void array(const Values& values, const Write& write) {
    out_.push_back('[');
    bool first = true;
    for (const auto& value : values) {
      if (!first) out_.push_back(',');
      first = false;
      write(value);
    }
    out_.push_back(']');
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace ferry::protocol
