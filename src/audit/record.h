#pragma once
// One line of the audit trail: what is written, and what a line that was read says.
//
//   {"seq":5,"time":"2026-11-23T08:00:00.000Z","event":"received","message_id":"…","request_id":"…","queue":"…","request":"…",
//    "fields":{…},"prev":"64 hexadecimal digits"}
//
// `prev` is the SHA-256 of the line before, without its line break: whoever changes, removes, inserts or moves a line has to
// change every line after it. Ids that are not known are left out. A change of the format is a new name for `prev`; readers take
// a line without it for none of theirs. docs/audit.md describes every event and its fields.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"

namespace ferry::audit {

inline constexpr std::size_t kLineBytesMax = 64 * 1024;  ///< without the line break
inline constexpr std::size_t kFieldBytesMax = 4 * 1024;  ///< of one text; what is longer is cut, and says so
inline constexpr std::size_t kIdBytesMax = 512;          ///< of one id, likewise
inline constexpr std::size_t kFieldsMax = 32;            ///< further ones are left out, and `fields_left_out` says how many
inline constexpr std::string_view kFirstPrev = "0000000000000000000000000000000000000000000000000000000000000000";

struct Field {
  std::string name;
  std::variant<std::string, std::int64_t> value;
  bool operator==(const Field&) const = default;
};

/// What happened, without its place in the chain. life.h makes those of a request's life.
struct Entry {
  std::string event;
  std::string message_id;
  std::string request_id;  ///< the idempotency key
  std::string queue;
  std::string request;  ///< name of the request
  std::vector<Field> fields;
  bool operator==(const Entry&) const = default;
};

/// An entry at its place.
struct Record {
  std::uint64_t seq = 0;
  std::string time;  ///< RFC 3339, UTC
  Entry entry;
  std::string prev;

  /// Empty, or nothing, when there is no such field or it is of the other kind.
  std::string_view text(std::string_view name) const;
  std::optional<std::int64_t> number(std::string_view name) const;
};

struct Place {
  std::uint64_t seq = 0;
  Timestamp time;
  std::string_view prev;
};
/// The line, without its line break; at most kLineBytesMax. Control characters are escaped, bytes that are no UTF-8 become
/// \xNN as text.
std::string format_line(const Entry& entry, const Place& place);
/// Nothing when it is no line of ours. Fields that are neither text nor integer are left out.
std::optional<Record> parse_line(std::string_view line);

/// Of a line without its line break, in hexadecimal.
std::string hash_line(std::string_view line);

}  // namespace ferry::audit
