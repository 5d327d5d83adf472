#include "base/log.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include "base/encoding.h"

namespace ferry {
namespace {
constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error", "off"};

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : is_utf8(text) ? std::string(text) : escape_control(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}
}  // namespace

std::string format_utc(Timestamp time) {
  const std::int64_t millis = to_epoch_millis(time);
  const time_t seconds = static_cast<time_t>(millis / 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec, millis % 1000);
}

void Logger::write(LogLevel level, std::string_view message, Fields fields) const {
  if (!enabled(level)) return;
  const std::string_view name = kLevelNames[static_cast<int>(level)];
  std::string line;
  if (format_ == LogFormat::Json) {
    line = fmt::format(R"({{"ts":"{}","level":"{}","msg":)", format_utc(clock_.wall()), name);
    append_json_string(line, message);
    for (const LogField& field : fields) {
      line.push_back(',');
      append_json_string(line, field.key);
      line.push_back(':');
      if (field.quoted) {
        append_json_string(line, field.value);
      } else {
        line += field.value;
      }
    }
    line += "}\n";
  } else {
    line = fmt::format("{} {:5} {}", format_utc(clock_.wall()), name, escape_control(message));
    for (const LogField& field : fields) line += fmt::format(" {}={}", field.key, escape_control(field.value));
    line.push_back('\n');
  }
  // One write a line keeps lines whole between threads; what a full pipe does not take is lost, as logs may be.
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, line.data(), line.size());
}

}  // namespace ferry
