#pragma once
// "Did you mean …": the name somebody probably wanted.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ferry {

/// The candidate nearest to `name`: equal but for case, else at most a third of its characters (at least one) away by
/// insertions, deletions, changes and swaps. Nothing when none is near.
std::optional<std::string> closest(std::string_view name, std::span<const std::string> candidates);

/// "; did you mean X?" or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// "a, b and c"; at most `shown` of them, then "and N more".
std::string join_names(std::span<const std::string> names, std::size_t shown = 20);

}  // namespace ferry
