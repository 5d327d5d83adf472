#pragma once
// Text encodings and character sets that several modules need.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ferry {

/// Lower case.
std::string hex_encode(std::span<const std::uint8_t> bytes);
std::string hex_encode(std::string_view bytes);
/// Either case; nothing when the length is odd or a character is no digit.
std::optional<std::string> hex_decode(std::string_view text);

/// RFC 4648 with padding.
std::string base64_encode(std::string_view bytes);
/// Strict: the standard alphabet, correct padding, no white space, no stray bits.
std::optional<std::string> base64_decode(std::string_view text);

/// Percent-encodes everything but A–Z a–z 0–9 - _ . ~ (what SigV4 calls UriEncode); '/' stays when keep_slash.
enum class SlashRule { Encode, Keep };
std::string percent_encode(std::string_view text, SlashRule slash = SlashRule::Encode);
/// Nothing on a '%' without two hex digits. '+' stays unless PlusRule::Space (form data).
enum class PlusRule { Keep, Space };
std::optional<std::string> percent_decode(std::string_view text, PlusRule plus = PlusRule::Keep);

/// Whether text is well-formed UTF-8 (no overlong forms, no surrogates, ≤ U+10FFFF).
bool is_utf8(std::string_view text);

/// Whether text is UTF-8 and holds only what SQS takes in bodies and string attributes:
/// #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.
bool is_sqs_text(std::string_view text);

/// For terminals, logs and transcripts: control characters become \n \t \r \xNN, invalid UTF-8 \xNN; the rest unchanged.
std::string escape_control(std::string_view text);

bool equals_ignore_case(std::string_view a, std::string_view b);
std::string to_lower(std::string_view text);
/// Without leading and trailing space, tab, CR and LF.
std::string_view trim(std::string_view text);

/// The whole of text as a decimal integer with optional leading '-'; nothing on anything else or overflow.
std::optional<std::int64_t> parse_integer(std::string_view text);

}  // namespace ferry
