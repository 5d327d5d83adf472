#include "ledger/postgres_values.h"

#include "base/check.h"
#include "base/encoding.h"

namespace ferry::ledger {
namespace {

// pg_type.oid of built-in types never changes.
constexpr unsigned kBytea = 17;
constexpr unsigned kInt8 = 20;
constexpr unsigned kInt2 = 21;
constexpr unsigned kInt4 = 23;

void append_element(std::string& literal, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    literal += std::to_string(*number);
  } else if (const auto* blob = std::get_if<Blob>(&value)) {
    literal += "\"\\\\x" + hex_encode(blob->bytes) + "\"";
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    literal.push_back('"');
    for (const char c : *text) {
      if (c == '"' || c == '\\') literal.push_back('\\');
      literal.push_back(c);
    }
    literal.push_back('"');
  } else {
    FERRY_CHECK(std::holds_alternative<std::monostate>(value));
    literal += "NULL";
  }
}
}  // namespace

std::string array_literal(const std::vector<Value>& values) {
  std::string literal = "{";
  for (const Value& value : values) {
    if (literal.size() > 1) literal.push_back(',');
    append_element(literal, value);
  }
  literal.push_back('}');
  return literal;
}

std::optional<Value> parse_value(std::string_view text, unsigned type) {
  switch (type) {
    case kBytea: {
      auto bytes = text.starts_with("\\x") ? hex_decode(text.substr(2)) : std::nullopt;
      if (!bytes) return std::nullopt;
      return Blob{std::move(*bytes)};
    }
    case kInt2:
    case kInt4:
    case kInt8: {
      const auto number = parse_integer(text);
      if (!number) return std::nullopt;
      return Value(*number);
    }
    default:
      return Value(std::string(text));
  }
}

ErrorKind kind_of_sqlstate(std::string_view state) {
  const std::string_view group = state.substr(0, 2);
  if (is_collision(state) || state == "55P03" || state == "57014") return ErrorKind::Busy;  // or waited for too long
  if (state == "53100") return ErrorKind::NoSpace;
  if (state == "42501" || group == "28") return ErrorKind::PermissionDenied;
  if (state == "XX001" || state == "XX002") return ErrorKind::Corrupt;
  if (group == "22" || group == "23" || group == "42" || group == "0A") return ErrorKind::InvalidArgument;
  return ErrorKind::Unavailable;
}

bool is_collision(std::string_view state) {
  return state == "40001" || state == "40P01";
}

}  // namespace ferry::ledger
