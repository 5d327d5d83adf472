#pragma once
// The bytes of an answer's head. Runs once a request, so it appends to a buffer that is kept and formats nothing twice.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/server.h"

namespace ferry::http {

/// The Date header's value (IMF-fixdate, RFC 9110 §5.6.7), made anew once a second. Not thread-safe.
class DateCache {
 public:
  std::string_view at(Timestamp now);

 private:
  std::int64_t second_ = -1;
  std::string text_;
};

/// "Bad Request" for 400; empty for a status this file does not know.
std::string_view reason_phrase(int status);

/// What the Connection header of an answer says.
enum class Persistence { Default, KeepAlive, Close };

/// Whether an answer of that status may carry a body and a Content-Length.
constexpr bool status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

/// Appends status line and headers, with the empty line at the end.
void append_head(std::string& out, const Response& response, std::string_view date, Persistence persistence);

}  // namespace ferry::http
