#pragma once
// The text inside JSON: strings and numbers.

#include <string>
#include <string_view>

namespace ferry::protocol {

/// Appends `text` with the escapes that JSON demands; everything else, UTF-8 included, is copied as it is.
void append_json_escaped(std::string& out, std::string_view text);

/// Sets `out` to what the characters between a string's quotes mean. A surrogate escape without its other half becomes the three
/// bytes that UTF-8 forbids, so that is_utf8() and is_sqs_text() see it. False on an unknown or cut-off escape.
bool json_unescape(std::string_view between_quotes, std::string& out);

/// 0 to 15; -1 when c is no hexadecimal digit.
constexpr int hex_digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Whether text is a number of the JSON grammar.
bool is_json_number(std::string_view text);

}  // namespace ferry::protocol
