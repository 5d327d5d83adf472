#pragma once
// Structured log lines on stderr: one line an event, whole lines even from several threads.
// Never bodies, attribute values, keys, signatures or whole receipt handles (the worker's transcript is another thing).

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ferry {

enum class LogLevel { Debug, Info, Warn, Error, Off };
enum class LogFormat { Text, Json };

/// One key and its value; values are escaped when written.
struct LogField {
  LogField(std::string_view name, std::string_view text) : key(name), value(text), quoted(true) {}
  LogField(std::string_view name, const char* text) : LogField(name, std::string_view(text)) {}
  LogField(std::string_view name, const std::string& text) : LogField(name, std::string_view(text)) {}
  template <class Integer>
  requires std::is_integral_v<Integer> LogField(std::string_view name, Integer number)
      : key(name), value(std::to_string(number)), quoted(false) {}

  std::string key;
  std::string value;
  bool quoted;
};

/// Thread-safe. Blocks as long as a write to its descriptor does.
class Logger {
 public:
  using Fields = std::initializer_list<LogField>;
  Logger(const Clock& clock, LogLevel level, LogFormat format, int descriptor = 2)
      : clock_(clock), level_(level), format_(format), descriptor_(descriptor) {}

  bool enabled(LogLevel level) const { return level >= level_; }
  void write(LogLevel level, std::string_view message, Fields fields = {}) const;
  void debug(std::string_view message, Fields fields = {}) const { write(LogLevel::Debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) const { write(LogLevel::Info, message, fields); }
  void warn(std::string_view message, Fields fields = {}) const { write(LogLevel::Warn, message, fields); }
  void error(std::string_view message, Fields fields = {}) const { write(LogLevel::Error, message, fields); }

 private:
  const Clock& clock_;
  LogLevel level_;
  LogFormat format_;
  int descriptor_;
};

/// RFC 3339, UTC, milliseconds: 2026-11-23T08:00:00.000Z.
std::string format_utc(Timestamp time);

}  // namespace ferry
