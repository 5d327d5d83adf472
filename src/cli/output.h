#pragma once
// What commands write to stdout: tables for people, JSON with the names of the SQS API for programs.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sqs/api.h"

namespace ferry::cli {

enum class OutputFormat { Auto, Table, Json, JsonLines };
/// Nothing for another word than auto, table, json, jsonl.
std::optional<OutputFormat> parse_output_format(std::string_view text);

/// A JSON document that is built in order. Text that is not UTF-8 is written with U+FFFD in place of wrong bytes.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& number(std::int64_t value);
  /// A finite one.
  JsonWriter& decimal(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  /// Only when there is one.
  JsonWriter& optional_text(std::string_view name, const std::optional<std::string>& value);
  const std::string& str() const { return out_; }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();
  void quote(std::string_view value);
  std::string out_;
  bool first_ = true;
};

/// Left-aligned columns, two spaces apart, the header in capitals; control characters escaped. No trailing spaces.
std::string format_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);

/// One received message as the API tells it.
void write_message_json(JsonWriter& json, const sqs::Message& message);
/// The same for people: a block of lines, control characters escaped.
std::string format_message(const sqs::Message& message);

/// Documents one by one: a JSON array over all of them, or one line each.
class DocumentList {
 public:
  explicit DocumentList(OutputFormat format) : lines_(format != OutputFormat::Json) {}
  /// What to write for the next document.
  std::string next(const std::string& document);
  /// What to write at the end.
  std::string end() const;

 private:
  bool lines_;
  bool any_ = false;
};

}  // namespace ferry::cli
