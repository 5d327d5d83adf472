#pragma once
// Elements of a handler's argv. A placeholder is one whole element or the tail of "--option=": what a message says becomes
// one argument, or the value of one option, and nothing else.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ferry::config {

enum class PlaceholderKind { None, Attribute, Body, MessageId };

struct Argument {
  std::string prefix;  ///< the literal, or "--option=" before a placeholder
  PlaceholderKind kind = PlaceholderKind::None;
  std::string attribute;  ///< Attribute: its name

  bool is_option_tail() const { return kind != PlaceholderKind::None && !prefix.empty(); }
  bool operator==(const Argument&) const = default;
};

/// InvalidArgument for a placeholder that is unknown or stands elsewhere than above.
Result<Argument> parse_argument(std::string_view element);

/// Problems of the whole argv: a placeholder as the program, or as the script of an interpreter ("sh -c {body}").
std::optional<std::string> argv_problem(const std::vector<Argument>& argv);

/// Whether a program is there to gain privileges: sudo, doas, su, pkexec.
bool needs_privileges(const Argument& program);

/// What the placeholders of one message stand for.
struct ArgumentValues {
  std::map<std::string, std::string, std::less<>> attributes;  ///< String and Number ones
  std::string_view body;
  std::string_view message_id;
};

/// The argv for one message. InvalidArgument says which value was refused and why: missing, empty, control characters, or a
/// leading '-' where a whole argument would become an option.
Result<std::vector<std::string>> expand(const std::vector<Argument>& argv, const ArgumentValues& values);
/// The rule of expand() for one value.
std::optional<std::string> argument_refusal(const Argument& argument, std::string_view value);

}  // namespace ferry::config
