#include "client/http_date.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/encoding.h"

namespace ferry::client {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
//                                   0         1         2
//                                   01234567890123456789012345678
constexpr std::string_view kShape = "AAA, 00 AAA 0000 00:00:00 GMT";

bool has_shape(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  return text.size() == kShape.size() && std::equal(kShape.begin(), kShape.end(), text.begin(), [&](char wanted, char c) {
           if (wanted == '0') return is_digit(c);
           return wanted == 'A' ? is_letter(c) : c == wanted;
         });
}
}  // namespace

std::optional<Timestamp> parse_http_date(std::string_view text) {
  if (!has_shape(text)) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) {
    return static_cast<int>(parse_integer(text.substr(at, size)).value_or(0));
  };
  const auto month_name = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  if (month_name == kMonths.end()) return std::nullopt;
  namespace chrono = std::chrono;
  const chrono::year_month_day date{chrono::year(number(12, 4)),
                                    chrono::month(static_cast<unsigned>(month_name - kMonths.begin()) + 1),
                                    chrono::day(static_cast<unsigned>(number(5, 2)))};
  const int hour = number(17, 2);
  const int minute = number(20, 2);
  const int second = number(23, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;  // 60: a leap second
  return chrono::time_point_cast<Millis>(chrono::sys_days(date) + chrono::hours(hour) + chrono::minutes(minute) +
                                         Seconds(second));
}

}  // namespace ferry::client
