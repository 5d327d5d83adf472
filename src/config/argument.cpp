#include "config/argument.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "config/parameter.h"

namespace ferry::config {
namespace {

constexpr std::size_t kArgumentBytesMax = 128 * 1024 - 1;  // Linux: MAX_ARG_STRLEN, its final NUL included
constexpr std::string_view kAttributeOpening = "{attr:";

// {word} or {word:rest}: the shape of a placeholder. JSON and shell-like braces have another one.
bool looks_like_placeholder(std::string_view text) {
  if (text.size() < 3 || text.front() != '{') return false;
  const std::size_t end = text.find_first_of(":}");
  if (end == std::string_view::npos || end == 1) return false;
  const std::string_view word = text.substr(1, end - 1);
  const bool plain = std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return plain && text.find('}') != std::string_view::npos;
}

bool is_known(std::string_view text) {
  return text.starts_with(kAttributeOpening) || text.starts_with("{body}") || text.starts_with("{message_id}");
}

bool is_option_prefix(std::string_view prefix) {
  return prefix.size() >= 3 && prefix.front() == '-' && prefix.back() == '=' && prefix.find('=') == prefix.size() - 1;
}

std::string_view program_name(std::string_view program) {
  const std::size_t slash = program.rfind('/');
  std::string_view name = slash == std::string_view::npos ? program : program.substr(slash + 1);
  while (!name.empty() && ((name.back() >= '0' && name.back() <= '9') || name.back() == '.')) name.remove_suffix(1);
  return name;
}

template <std::size_t N>
bool is_among(std::string_view program, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), program_name(program)) != names.end();
}
constexpr std::array<std::string_view, 16> kInterpreters = {"sh",   "bash",   "dash",       "ash",    "zsh",  "ksh",
                                                            "fish", "pwsh",   "powershell", "python", "perl", "ruby",
                                                            "node", "nodejs", "php",        "lua"};
constexpr std::array<std::string_view, 12> kWrappers = {"env",    "nice",   "timeout", "nohup", "sudo",    "doas",
                                                        "stdbuf", "ionice", "setsid",  "xargs", "busybox", "chroot"};

// Whether an interpreter whose own arguments start at `first` would take a placeholder for its program: no script file and no
// literal program text stands before it.
bool placeholder_becomes_program(const std::vector<Argument>& argv, std::size_t first) {
  for (std::size_t i = first; i < argv.size(); ++i) {
    if (argv[i].kind != PlaceholderKind::None) return true;
    if (!argv[i].prefix.starts_with('-')) return false;
  }
  return false;
}

// Whether a wrapper ("timeout 5 PROGRAM …") has a literal beyond its options and numbers before position `end`.
bool wrapped_program_named(const std::vector<Argument>& argv, std::size_t end) {
  for (std::size_t i = 1; i < end; ++i) {
    const std::string& literal = argv[i].prefix;
    if (argv[i].kind == PlaceholderKind::None && !literal.empty() && literal.front() != '-' &&
        literal.find('=') == std::string::npos && !(literal.front() >= '0' && literal.front() <= '9')) {
      return true;
    }
  }
  return false;
}
}  // namespace

Result<Argument> parse_argument(std::string_view element) {
  for (std::size_t at = element.find('{'); at != std::string_view::npos; at = element.find('{', at + 1)) {
    const std::string_view rest = element.substr(at);
    if (!looks_like_placeholder(rest)) continue;
    const std::size_t end = rest.find('}');
    const std::string_view placeholder = rest.substr(0, end + 1);
    const std::string_view prefix = element.substr(0, at);
    const bool whole = at == 0 && end + 1 == rest.size();
    if (!is_known(rest)) {
      if (!whole) continue;
      return fail(
          ErrorKind::InvalidArgument,
          fmt::format("\"{}\" is no placeholder; there are {{attr:NAME}}, {{body}} and {{message_id}}", escape_control(element)));
    }
    if (end + 1 != rest.size() || !(prefix.empty() || is_option_prefix(prefix))) {
      return fail(
          ErrorKind::InvalidArgument,
          fmt::format("in \"{}\" the placeholder is part of an argument; it must be the whole argument or the tail of --option=",
                      escape_control(element)));
    }
    Argument argument{std::string(prefix), PlaceholderKind::Body, {}};
    if (placeholder == "{message_id}") argument.kind = PlaceholderKind::MessageId;
    if (placeholder.starts_with(kAttributeOpening)) {
      argument.kind = PlaceholderKind::Attribute;
      argument.attribute = placeholder.substr(kAttributeOpening.size(), placeholder.size() - kAttributeOpening.size() - 1);
      if (argument.attribute.empty()) return fail(ErrorKind::InvalidArgument, "{attr:} names no attribute");
    }
    return argument;
  }
  if (element.find('\0') != std::string_view::npos) return fail(ErrorKind::InvalidArgument, "an argument holds a NUL character");
  return Argument{std::string(element), PlaceholderKind::None, {}};
}

std::optional<std::string> argv_problem(const std::vector<Argument>& argv) {
  if (argv.empty() || (argv[0].kind == PlaceholderKind::None && argv[0].prefix.empty())) return "names no program";
  if (argv[0].kind != PlaceholderKind::None) return "takes its program from the message; a message never chooses what is run";
  const bool wrapped = is_among(argv[0].prefix, kWrappers);
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (i > 0 && !wrapped) break;
    const bool program_from_message = wrapped && i > 0 && argv[i].kind != PlaceholderKind::None && !argv[i].is_option_tail();
    const bool interpreter = argv[i].kind == PlaceholderKind::None && is_among(argv[i].prefix, kInterpreters);
    if (interpreter ? placeholder_becomes_program(argv, i + 1) : program_from_message && !wrapped_program_named(argv, i)) {
      return fmt::format(
          "would let a message write the program that {} runs; put the script into a file and give it the placeholder "
          "as an argument",
          argv[interpreter ? i : 0].prefix);
    }
  }
  return std::nullopt;
}

bool needs_privileges(const Argument& program) {
  constexpr std::array<std::string_view, 4> kGaining = {"sudo", "doas", "su", "pkexec"};
  return is_among(program.prefix, kGaining);
}

std::optional<std::string> argument_refusal(const Argument& argument, std::string_view value) {
  if (auto refused = general_refusal(value)) return refused;
  if (argument.prefix.size() + value.size() > kArgumentBytesMax) return "it is too long for an argument";
  if (value.front() == '-' && !argument.is_option_tail()) return "it starts with '-' and would be taken for an option";
  return std::nullopt;
}

Result<std::vector<std::string>> expand(const std::vector<Argument>& argv, const ArgumentValues& values) {
  std::vector<std::string> expanded;
  expanded.reserve(argv.size());
  for (const Argument& argument : argv) {
    std::string_view value;
    std::string what = "the body";
    switch (argument.kind) {
      case PlaceholderKind::None:
        expanded.push_back(argument.prefix);
        continue;
      case PlaceholderKind::Body:
        value = values.body;
        break;
      case PlaceholderKind::MessageId:
        value = values.message_id;
        what = "the message id";
        break;
      case PlaceholderKind::Attribute: {
        const auto found = values.attributes.find(argument.attribute);
        what = fmt::format("the attribute {}", argument.attribute);
        if (found == values.attributes.end()) return fail(ErrorKind::InvalidArgument, fmt::format("{} is missing", what));
        value = found->second;
        break;
      }
    }
    if (auto refused = argument_refusal(argument, value)) {
      return fail(ErrorKind::InvalidArgument, fmt::format("{} is refused: {}", what, *refused));
    }
    expanded.push_back(argument.prefix + std::string(value));
  }
  return expanded;
}

}  // namespace ferry::config
