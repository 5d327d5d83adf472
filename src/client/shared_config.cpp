#include "client/shared_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/encoding.h"

namespace ferry::client {
namespace {
constexpr std::uintmax_t kFileBytesMax = 1024 * 1024;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// A comment after a value starts with '#' or ';' behind a blank.
std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if ((text[i] == '#' || text[i] == ';') && is_blank(text[i - 1])) return trim(text.substr(0, i));
  }
  return trim(text);
}

class Parser {
 public:
  Parser(ConfigFileKind kind, const std::string& path, SharedConfig& into) : kind_(kind), path_(path), into_(into) {}

  Result<void> parse(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      ++line_;
      FERRY_TRY_VOID(line(text.substr(at, end - at)));
      at = end + 1;
    }
    return {};
  }

 private:
  Unexpected<Error> at_line(std::string_view fault) const {
    return fail(ErrorKind::InvalidArgument, fmt::format("{}:{}: {}", path_, line_, fault));
  }

  Result<void> line(std::string_view text) {
    const std::string_view plain = trim(text);
    if (plain.empty() || plain[0] == '#' || plain[0] == ';') return {};
    if (plain[0] == '[') return header(plain);
    if (!in_section_) return at_line("a setting stands before the first [section]");
    if (is_blank(text[0]) && !last_name_.empty()) return indented(plain);
    const std::size_t equals = plain.find('=');
    if (equals == std::string_view::npos) return at_line("neither a [section] nor a NAME = VALUE");
    last_name_ = to_lower(trim(plain.substr(0, equals)));
    if (last_name_.empty()) return at_line("the name before '=' is missing");
    // The value without its first blank may itself begin with a comment.
    const std::string_view value = plain.substr(equals + 1);
    last_is_empty_ = without_comment(value).empty();
    if (section_ != nullptr) section_->settings[last_name_] = std::string(without_comment(value));
    return {};
  }

  Result<void> header(std::string_view text) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return at_line("the ']' of the section is missing");
    std::string_view name = trim(text.substr(1, close - 1));
    in_section_ = true;
    last_name_.clear();
    section_ = nullptr;  // of a kind that nothing here reads
    const std::size_t blank = std::min(name.find_first_of(" \t"), name.size());
    const std::string_view type = name.substr(0, blank);
    std::string_view rest = trim(name.substr(blank));
    if (rest.size() >= 2 && (rest[0] == '"' || rest[0] == '\'') && rest.back() == rest[0]) rest = rest.substr(1, rest.size() - 2);
    if (kind_ == ConfigFileKind::Credentials) {
      section_ = &into_.profiles[std::string(name)];
    } else if (name == "default") {
      // [profile default] says more than [default], wherever it stands.
      if (!default_is_prefixed_) section_ = &into_.profiles["default"];
    } else if (type == "profile" && !rest.empty()) {
      if (rest == "default" && !std::exchange(default_is_prefixed_, true)) into_.profiles["default"] = {};
      section_ = &into_.profiles[std::string(rest)];
    } else if (type == "services" && !rest.empty()) {
      section_ = &into_.services[std::string(rest)];
    }
    return {};
  }

  Result<void> indented(std::string_view plain) {
    if (!last_is_empty_ || section_ == nullptr) return {};  // continues a value that nothing here reads
    const std::size_t equals = plain.find('=');
    if (equals == std::string_view::npos) return at_line("an indented line is no NAME = VALUE");
    const std::string name = to_lower(trim(plain.substr(0, equals)));
    if (name.empty()) return at_line("the name before '=' is missing");
    section_->nested[last_name_][name] = std::string(without_comment(plain.substr(equals + 1)));
    return {};
  }

  ConfigFileKind kind_;
  const std::string& path_;
  SharedConfig& into_;
  int line_ = 0;
  bool in_section_ = false;
  bool default_is_prefixed_ = false;
  ConfigSection* section_ = nullptr;
  std::string last_name_;
  bool last_is_empty_ = false;
};

Result<void> read_into(const std::string& path, ConfigFileKind kind, SharedConfig& into) {
  std::error_code error;
  if (path.empty() || !std::filesystem::exists(path, error)) {
    if (!error || error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) return {};
    return Unexpected(system_error(error.value(), "examine", path));
  }
  if (std::filesystem::is_directory(path, error)) return fail(ErrorKind::InvalidArgument, fmt::format("{}: is a folder", path));
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unexpected(system_error(errno, "open", path));
  std::string text;
  char buffer[4096];
  while (file.read(buffer, sizeof buffer) || file.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(file.gcount()));
    if (text.size() > kFileBytesMax) return fail(ErrorKind::InvalidArgument, fmt::format("{}: is larger than 1 MiB", path));
  }
  return parse_shared_config(text, kind, path, into);
}

std::string path_from(const Environment& environment, std::string_view variable, std::string_view below_home) {
  const std::string_view home = value_of(environment, "HOME");
  const std::string_view given = value_of(environment, variable);
  if (given.starts_with("~/") && !home.empty()) return std::string(home) + std::string(given.substr(1));
  if (!given.empty()) return std::string(given);
  return home.empty() ? std::string() : fmt::format("{}/{}", home, below_home);
}
}  // namespace

Result<void> parse_shared_config(std::string_view text, ConfigFileKind kind, const std::string& path, SharedConfig& into) {
  return Parser(kind, path, into).parse(text);
}

Result<SharedConfig> load_shared_config(const Environment& environment) {
  SharedConfig config;
  config.config_path = path_from(environment, "AWS_CONFIG_FILE", ".aws/config");
  config.credentials_path = path_from(environment, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
  FERRY_TRY_VOID(read_into(config.config_path, ConfigFileKind::Config, config));
  FERRY_TRY_VOID(read_into(config.credentials_path, ConfigFileKind::Credentials, config));
  return config;
}

std::string_view Profile::get(std::string_view setting) const {
  const auto found = section.settings.find(setting);
  return found == section.settings.end() ? std::string_view() : std::string_view(found->second);
}

Result<Profile> select_profile(const SharedConfig& config, const Environment& environment, std::string_view flag) {
  Profile profile;
  std::string_view variable = value_of(environment, "AWS_PROFILE");
  if (variable.empty()) variable = value_of(environment, "AWS_DEFAULT_PROFILE");
  if (!flag.empty()) {
    profile.name = std::string(flag);
    profile.origin = ProfileOrigin::Flag;
  } else if (!variable.empty()) {
    profile.name = std::string(variable);
    profile.origin = ProfileOrigin::Variable;
  }
  const auto found = config.profiles.find(profile.name);
  if (found != config.profiles.end()) {
    profile.section = found->second;
  } else if (profile.origin != ProfileOrigin::Default) {
    return fail(ErrorKind::InvalidArgument, fmt::format("there is no profile \"{}\" in {} or {}", escape_control(profile.name),
                                                        config.config_path, config.credentials_path));
  }
  if (const std::string_view services = profile.get("services"); !services.empty()) {
    const auto section = config.services.find(services);
    if (section == config.services.end()) {
      return fail(ErrorKind::InvalidArgument,
                  fmt::format("profile \"{}\" names the section [services {}], which {} does not have",
                              escape_control(profile.name), escape_control(services), config.config_path));
    }
    profile.services = section->second.nested;
  }
  return profile;
}

}  // namespace ferry::client
