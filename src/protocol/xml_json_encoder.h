#pragma once
// Writes what fields.h describes as the JSON that spells out the elements of an XML answer: an element that comes once is a
// value, one that comes more often a list, and one without content is null.

#include <string>
#include <string_view>

#include "base/encoding.h"
#include "protocol/fields.h"
#include "protocol/json_text.h"

namespace ferry::protocol {

/// Appends to `out`, which outlives it.
class XmlJsonEncoder {
 public:
  explicit XmlJsonEncoder(std::string& out) : out_(out) {}

  /// null when the value has no content.
  template <class S>
  void object(const S& value) {
    const std::size_t start = out_.size();
    begin('{');
    fields(*this, value);
    end('}');
    if (out_.size() - start == 2) out_.replace(start, 2, "null");
  }

  void text(std::string_view name, const std::string& value) {
    key(name);
    string(value);
  }
  void text(std::string_view name, const sqs::OptionalText& value) {
    if (value) text(name, *value);
  }
  void binary(std::string_view name, const sqs::OptionalText& value) {
    if (value) text(name, base64_encode(*value));
  }
  void integer(std::string_view name, const sqs::OptionalInteger& value) {
    if (value) text(name, std::to_string(*value));
  }
  void boolean(std::string_view name, bool value) { text(name, std::string(value ? "true" : "false")); }
  void texts(const names::List& list, const std::vector<std::string>& values) {
    each(list.location, values, [this](const std::string& value) { string(value); });
  }
  void map(const names::Map& map, const sqs::TextMap& values) {
    each(map.location, values, [&](const auto& pair) {
      begin('{');
      text(map.key, pair.first);
      text(map.value, pair.second);
      end('}');
    });
  }
  void attributes(const names::Map& map, const sqs::MessageAttributes& values) {
    each(map.location, values, [&](const auto& pair) {
      begin('{');
      text(map.key, pair.first);
      key(map.value);
      object(pair.second);
      end('}');
    });
  }
  template <class S>
  void structures(const names::List& list, const std::vector<S>& values) {
    each(list.location, values, [this](const S& value) { object(value); });
  }
  void ids(const names::List& list, const std::vector<std::string>& values) {
    each(list.location, values, [this](const std::string& id) {
      begin('{');
      text(names::kId, id);
      end('}');
    });
  }
  void list_values(bool) {}

 private:
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
  void string(std::string_view value) {
    if (value.empty()) {
      out_ += "null";
      return;
    }
    out_.push_back('"');
    append_json_escaped(out_, value);
    out_.push_back('"');
  }
  template <class Values, class Write>
  void each(std::string_view name, const Values& values, const Write& write) {
    if (values.empty()) return;
    key(name);
    if (values.size() == 1) {
      write(values.front());
      first_ = false;
      return;
    }
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
