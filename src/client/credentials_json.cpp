#include "client/credentials_json.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/encoding.h"

namespace ferry::client {
namespace {
std::optional<boost::json::object> parse_object(std::string_view text) {
  try {
    boost::system::error_code error;
    boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.as_object());
  } catch (const std::exception&) {  // out of memory
    return std::nullopt;
  }
}

std::string text_of(const boost::json::object& object, const char* name) {
  const boost::json::value* value = object.if_contains(name);
  const boost::json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

// `count` digits at the front of text, which are taken off.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take_char(text, "Zz")) return std::chrono::minutes(0);
  const bool west = text.starts_with('-');
  if (!take_char(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take_char(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return west ? -offset : offset;
}
}  // namespace

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_char(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take_char(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take_char(text, "Tt ")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take_char(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take_char(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  if (take_char(text, ".")) {
    if (!take_digits(text, 1)) return std::nullopt;
    while (take_digits(text, 1)) {
    }
  }
  const auto offset = take_offset(text);
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!offset || !text.empty() || !date.ok()) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) - *offset;
}

Result<FetchedCredentials> parse_credentials(std::string_view json, TokenName token) {
  const auto object = parse_object(json);
  if (!object) return fail(ErrorKind::Corrupt, "the answer is no JSON object");
  const std::string code = text_of(*object, "Code");
  if (!code.empty() && code != "Success") {
    return fail(ErrorKind::Corrupt, fmt::format("the answer says \"{}\" instead of credentials", escape_control(code)));
  }
  FetchedCredentials out;
  out.credentials.access_key = text_of(*object, "AccessKeyId");
  out.credentials.secret_key = text_of(*object, "SecretAccessKey");
  out.credentials.session_token = text_of(*object, token == TokenName::Token ? "Token" : "SessionToken");
  if (out.credentials.access_key.empty() || out.credentials.secret_key.empty()) {
    return fail(ErrorKind::Corrupt, "the answer holds no AccessKeyId or no SecretAccessKey");
  }
  if (object->contains("Expiration")) {
    out.expires = parse_rfc3339(text_of(*object, "Expiration"));
    if (!out.expires) return fail(ErrorKind::Corrupt, "the Expiration in the answer is no time");
  }
  return out;
}

std::optional<std::int64_t> parse_version(std::string_view json) {
  const auto object = parse_object(json);
  if (!object) return std::nullopt;
  const boost::json::value* value = object->if_contains("Version");
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->as_int64();
}

}  // namespace ferry::client
