#pragma once
// What `ferry top` shows: lines for a screen, plain lines, JSON. Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/top_look.h"

namespace ferry::cli {

enum class Colours { None, Ansi };

struct TopScreen {
  std::size_t columns = 80;
  std::size_t rows = 24;  ///< 0: as many as there are
  Colours colours = Colours::None;
  TopOrder order = TopOrder::Visible;
  std::string_view where{};  ///< the server
  std::string_view keys{};   ///< said at the end of the first line; may be empty
};
/// At most `rows` lines of at most `columns` characters each, without line breaks; control characters of what others say are
/// escaped. What has no room is counted in the last line of its table. Under 40 columns names are cut hard.
std::vector<std::string> screen_lines(const Look& look, const TopTable& table, const TopScreen& screen);

/// One line each, for logs and pipes.
std::string plain_lines(const Look& look, const TopTable& table);

/// One object, without a line break.
std::string top_json(const Look& look, const TopTable& table);

}  // namespace ferry::cli
