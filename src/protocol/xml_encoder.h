#pragma once
// Writes what fields.h describes as the elements of a Query answer.

#include <string>
#include <string_view>

#include "base/encoding.h"
#include "protocol/fields.h"

namespace ferry::protocol {

/// Appends `text` as the content of an element: & < > " escaped, and CR, which a parser would take for a line feed.
void append_xml_escaped(std::string& out, std::string_view text);

/// Appends to `out`, which outlives it.
class XmlEncoder {
 public:
  explicit XmlEncoder(std::string& out) : out_(out) {}

  template <class S>
  void elements(const S& value) {
    fields(*this, value);
  }

  void text(std::string_view name, const std::string& value) {
    open(name);
    append_xml_escaped(out_, value);
    close(name);
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
    for (const std::string& value : values) text(list.location, value);
  }
  void map(const names::Map& map, const sqs::TextMap& values) {
    for (const auto& [name, value] : values) {
      open(map.location);
      text(map.key, name);
      text(map.value, value);
      close(map.location);
    }
  }
  void attributes(const names::Map& map, const sqs::MessageAttributes& values) {
    for (const auto& [name, value] : values) {
      open(map.location);
      text(map.key, name);
      open(map.value);
      fields(*this, value);
      close(map.value);
      close(map.location);
    }
  }
  template <class S>
  void structures(const names::List& list, const std::vector<S>& values) {
    for (const S& value : values) {
      open(list.location);
      fields(*this, value);
      close(list.location);
    }
  }
  void ids(const names::List& list, const std::vector<std::string>& values) {
    for (const std::string& id : values) {
      open(list.location);
      text(names::kId, id);
      close(list.location);
    }
  }
  void list_values(bool) {}

 private:
  void open(std::string_view name) { out_.append("<").append(name).append(">"); }
  void close(std::string_view name) { out_.append("</").append(name).append(">"); }

  std::string& out_;
};

}  // namespace ferry::protocol
