#include "audit/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/log.h"

namespace ferry::audit {
namespace {

namespace json = boost::json;

// When a line would be too long with texts of kFieldBytesMax. 32 fields, five ids and the rest fit then, even if every byte
// needs an escape of six.
constexpr std::size_t kShortFieldBytes = 128;
constexpr std::size_t kNameBytesMax = 64;
constexpr std::string_view kCut = "…[cut]";

std::string cut(std::string_view text, std::size_t bytes_max) {
  if (!is_utf8(text)) return cut(escape_control(text), bytes_max);
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t end = bytes_max - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + std::string(kCut);
}

// What a terminal could take for a command is escaped, too: DEL, and U+0080 to U+009F.
void put_text(std::string& out, std::string_view text) {
  out.push_back('"');
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(text[i]);
    } else if (c < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", c);
    } else if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[++i]));
    } else {
      out.push_back(text[i]);
    }
  }
  out.push_back('"');
}

void put_member(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += fmt::format(",\"{}\":", name);
  put_text(out, cut(value, kIdBytesMax));
}

std::string format_with(const Entry& entry, const Place& place, std::size_t field_bytes_max) {
  std::string out = fmt::format("{{\"seq\":{},\"time\":\"{}\"", place.seq, format_utc(place.time));
  put_member(out, "event", entry.event);
  put_member(out, "message_id", entry.message_id);
  put_member(out, "request_id", entry.request_id);
  put_member(out, "queue", entry.queue);
  put_member(out, "request", entry.request);
  out += ",\"fields\":{";
  const std::size_t shown = entry.fields.size() <= kFieldsMax ? entry.fields.size() : kFieldsMax - 1;
  for (std::size_t i = 0; i < shown; ++i) {
    const Field& field = entry.fields[i];
    if (i > 0) out.push_back(',');
    put_text(out, cut(field.name, kNameBytesMax));
    out.push_back(':');
    if (const auto* text = std::get_if<std::string>(&field.value)) {
      put_text(out, cut(*text, field_bytes_max));
    } else {
      out += std::to_string(std::get<std::int64_t>(field.value));
    }
  }
  if (shown < entry.fields.size()) out += fmt::format(",\"fields_left_out\":{}", entry.fields.size() - shown);
  out += fmt::format("}},\"prev\":\"{}\"}}", place.prev);
  return out;
}

std::optional<std::string> text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return std::string();
  if (!value->is_string()) return std::nullopt;
  return std::string(value->get_string().data(), value->get_string().size());
}

bool is_hash(std::string_view text) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == kFirstPrev.size() && std::all_of(text.begin(), text.end(), hex);
}

void read_fields(const json::object& object, Entry& entry) {
  const json::value* fields = object.if_contains("fields");
  if (fields == nullptr || !fields->is_object()) return;
  for (const auto& [name, value] : fields->get_object()) {
    std::string key(name.data(), name.size());
    if (value.is_string()) {
      entry.fields.push_back({std::move(key), std::string(value.get_string().data(), value.get_string().size())});
    } else if (value.is_int64()) {
      entry.fields.push_back({std::move(key), value.get_int64()});
    }
  }
}
}  // namespace

std::string_view Record::text(std::string_view name) const {
  for (const Field& field : entry.fields) {
    if (field.name != name) continue;
    if (const auto* value = std::get_if<std::string>(&field.value)) return *value;
  }
  return {};
}

std::optional<std::int64_t> Record::number(std::string_view name) const {
  for (const Field& field : entry.fields) {
    if (field.name != name) continue;
    if (const auto* value = std::get_if<std::int64_t>(&field.value)) return *value;
  }
  return std::nullopt;
}

std::string format_line(const Entry& entry, const Place& place) {
  std::string line = format_with(entry, place, kFieldBytesMax);
  if (line.size() > kLineBytesMax) line = format_with(entry, place, kShortFieldBytes);
  return line;
}

std::optional<Record> parse_line(std::string_view line) {
  boost::system::error_code status;
  json::parse_options options;
  options.max_depth = 4;
  if (line.size() > kLineBytesMax) return std::nullopt;
  const json::value value = json::parse({line.data(), line.size()}, status, {}, options);
  if (status || !value.is_object()) return std::nullopt;
  const json::object& object = value.get_object();
  const json::value* seq = object.if_contains("seq");
  if (seq == nullptr || !seq->is_int64() || seq->get_int64() < 1) return std::nullopt;
  Record record;
  record.seq = static_cast<std::uint64_t>(seq->get_int64());
  const auto take = [&](std::string_view name, std::string& target) {
    auto text = text_of(object, name);
    if (text) target = std::move(*text);
    return text.has_value();
  };
  Entry& entry = record.entry;
  if (!take("time", record.time) || !take("event", entry.event) || !take("prev", record.prev)) return std::nullopt;
  if (!take("message_id", entry.message_id) || !take("request_id", entry.request_id)) return std::nullopt;
  if (!take("queue", entry.queue) || !take("request", entry.request)) return std::nullopt;
  if (record.time.empty() || entry.event.empty() || !is_hash(record.prev)) return std::nullopt;
  read_fields(object, entry);
  return record;
}

std::string hash_line(std::string_view line) {
  const Sha256Digest digest = sha256(line);
  return hex_encode(std::span(digest));
}

}  // namespace ferry::audit
