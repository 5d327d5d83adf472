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

/// Whether text is a number of the JSON grammar.
bool is_json_number(std::string_view text);

}  // namespace ferry::protocol
