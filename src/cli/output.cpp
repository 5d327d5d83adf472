#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"

namespace ferry::cli {
namespace {

// Characters as far as terminals are concerned; wide ones count as one.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string shown_value(const sqs::MessageAttributeValue& value) {
  if (value.binary_value) return fmt::format("({} bytes) {}", value.binary_value->size(), base64_encode(*value.binary_value));
  return escape_control(value.string_value.value_or(""));
}
}  // namespace

std::optional<OutputFormat> parse_output_format(std::string_view text) {
  if (text == "auto") return OutputFormat::Auto;
  if (text == "table") return OutputFormat::Table;
  if (text == "json") return OutputFormat::Json;
  if (text == "jsonl") return OutputFormat::JsonLines;
  return std::nullopt;
}

void JsonWriter::separate() {
  if (!first_) out_.push_back(',');
  first_ = false;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_.push_back(bracket);
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_.push_back(bracket);
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out_.push_back(':');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
  separate();
  quote(value);
  return *this;
}

JsonWriter& JsonWriter::number(std::int64_t value) {
  separate();
  out_ += std::to_string(value);
  return *this;
}

JsonWriter& JsonWriter::decimal(double value) {
  separate();
  out_ += fmt::format("{}", value);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::optional_text(std::string_view name, const std::optional<std::string>& value) {
  return value ? key(name).text(*value) : *this;
}

// Besides what JSON asks for, DEL and C1 controls are escaped: JSON is looked at on terminals, too.
void JsonWriter::quote(std::string_view value) {
  out_.push_back('"');
  const bool whole = is_utf8(value);
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_.push_back('\\');
      out_.push_back(c);
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (c == '\t') {
      out_ += "\\t";
    } else if (c == '\r') {
      out_ += "\\r";
    } else if (byte < 0x20 || byte == 0x7F) {
      out_ += fmt::format("\\u{:04x}", byte);
    } else if (byte >= 0x80 && !whole) {
      out_ += "\\ufffd";
    } else if (byte == 0xC2 && static_cast<unsigned char>(value[i + 1]) < 0xA0) {
      out_ += fmt::format("\\u{:04x}", static_cast<unsigned char>(value[++i]));
    } else {
      out_.push_back(c);
    }
  }
  out_.push_back('"');
}

std::string format_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines = {header};
  for (const auto& row : rows) {
    lines.emplace_back();
    for (const std::string& cell : row) lines.back().push_back(escape_control(cell));
  }
  std::vector<std::size_t> widths(header.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  std::string text;
  for (const auto& line : lines) {
    std::string written;
    for (std::size_t i = 0; i < line.size(); ++i) {
      written += line[i];
      if (i + 1 < line.size()) written += std::string(widths[i] - width(line[i]) + 2, ' ');
    }
    while (written.ends_with(' ')) written.pop_back();
    text += written + "\n";
  }
  return text;
}

void write_message_json(JsonWriter& json, const sqs::Message& message) {
  json.begin_object();
  json.key("MessageId").text(message.message_id);
  json.key("ReceiptHandle").text(message.receipt_handle);
  json.key("MD5OfBody").text(message.md5_of_body);
  json.key("Body").text(message.body);
  if (!message.attributes.empty()) {
    json.key("Attributes").begin_object();
    for (const auto& [name, value] : message.attributes) json.key(name).text(value);
    json.end_object();
  }
  json.optional_text("MD5OfMessageAttributes", message.md5_of_message_attributes);
  if (!message.message_attributes.empty()) {
    json.key("MessageAttributes").begin_object();
    for (const auto& [name, value] : message.message_attributes) {
      json.key(name).begin_object();
      json.optional_text("StringValue", value.string_value);
      if (value.binary_value) json.key("BinaryValue").text(base64_encode(*value.binary_value));
      json.key("DataType").text(value.data_type);
      json.end_object();
    }
    json.end_object();
  }
  json.end_object();
}

std::string format_message(const sqs::Message& message) {
  std::string text = fmt::format("{}\n", escape_control(message.message_id));
  for (const auto& [name, value] : message.attributes)
    text += fmt::format("  {}: {}\n", escape_control(name), escape_control(value));
  for (const auto& [name, value] : message.message_attributes) {
    text += fmt::format("  {} ({}) = {}\n", escape_control(name), escape_control(value.data_type), shown_value(value));
  }
  return text + fmt::format("  {}\n", escape_control(message.body));
}

std::string DocumentList::next(const std::string& document) {
  if (lines_) return document + "\n";
  const std::string before = any_ ? ",\n " : "[";
  any_ = true;
  return before + document;
}

std::string DocumentList::end() const {
  if (lines_) return {};
  return any_ ? "]\n" : "[]\n";
}

}  // namespace ferry::cli
