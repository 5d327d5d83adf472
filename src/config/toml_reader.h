#pragma once
// Reading one table of a TOML file key by key: every problem noted with its line, unknown keys found at the end.
// For sources that read a TOML file, here and in signing; never for headers, which would bring the library along.

#include <fmt/format.h>

#include <toml++/toml.h>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace ferry::config {

/// The errors of one file.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void add(int line, std::string_view what) { messages_.push_back(fmt::format("{}:{}: {}", file_, line, what)); }
  std::vector<std::string>& messages() { return messages_; }

 private:
  std::string file_;
  std::vector<std::string> messages_;
};

inline int line_of(const toml::node& node) {
  return static_cast<int>(node.source().begin.line);
}

class TableReader {
 public:
  /// `name` is what messages call the table, "" for the file itself.
  TableReader(const toml::table& table, std::string name, Problems& problems)
      : table_(table), name_(std::move(name)), problems_(problems) {}

  /// The node of a key; null when absent. Each key asked for is a known one.
  const toml::node* node(std::string_view key);
  std::optional<std::string> text(std::string_view key);
  /// Whether the key is there; asking makes it no known one.
  bool has(std::string_view key) const { return table_.contains(key); }
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max);
  struct DurationRange {
    Millis min;
    Millis max;
  };
  std::optional<Millis> duration(std::string_view key, DurationRange range);
  std::optional<std::vector<std::string>> texts(std::string_view key);
  const toml::table* table(std::string_view key);

  /// Notes every key that nobody asked for. Call it last.
  void refuse_unknown_keys();
  void problem(std::string_view key, std::string_view what);
  std::string path(std::string_view key) const;
  int line() const { return line_of(table_); }

 private:
  const toml::table& table_;
  std::string name_;
  Problems& problems_;
  std::vector<std::string> known_;
};

}  // namespace ferry::config
