#pragma once
// The command lines of the load generators: names with values behind the positional words.

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pool.h"

namespace ferry::bench {

class Arguments {
 public:
  /// `flags` take no value, `options` take one; everything else is a positional word. Ends the program on what it does not know.
  Arguments(int argc, char** argv, const std::vector<std::string_view>& options,
            const std::vector<std::string_view>& flags = {}) {
    const auto knows = [](const std::vector<std::string_view>& names, std::string_view name) {
      for (const std::string_view known : names) {
        if (known == name) return true;
      }
      return false;
    };
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (!word.starts_with("--")) {
        words_.push_back(word);
      } else if (knows(flags, word)) {
        values_[word] = "yes";
      } else if (!knows(options, word)) {
        die("unknown option " + word);
      } else if (i + 1 == argc) {
        die("a value is missing after " + word);
      } else {
        values_[word] = argv[++i];
      }
    }
  }

  const std::vector<std::string>& words() const { return words_; }
  bool has(const std::string& name) const { return values_.contains(name); }
  std::string text(const std::string& name, std::string_view otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string(otherwise) : found->second;
  }
  struct Range {
    double least, most;
  };
  double number(const std::string& name, double otherwise, Range range) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return otherwise;
    char* end = nullptr;
    const double value = std::strtod(found->second.c_str(), &end);
    if (end == found->second.c_str() || *end != '\0' || !(value >= range.least && value <= range.most)) {
      die(name + " takes a number from " + std::to_string(range.least) + " to " + std::to_string(range.most));
    }
    return value;
  }
  std::uint64_t count(const std::string& name, std::uint64_t otherwise, Range range) const {
    return static_cast<std::uint64_t>(number(name, static_cast<double>(otherwise), range));
  }

 private:
  std::vector<std::string> words_;
  std::map<std::string, std::string> values_;
};

}  // namespace ferry::bench
