#pragma once
// The files that AWS tools share: ~/.aws/config and ~/.aws/credentials.
// Format: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/environment.h"

namespace ferry::client {

using Settings = std::map<std::string, std::string, std::less<>>;  ///< names in lower case
using NestedSettings = std::map<std::string, Settings, std::less<>>;

struct ConfigSection {
  Settings settings;
  NestedSettings nested;  ///< "s3 =" and the indented lines below it
};

/// Sections by name, "profile " removed.
struct SharedConfig {
  std::map<std::string, ConfigSection, std::less<>> profiles;  ///< both files; the credentials file wins
  std::map<std::string, ConfigSection, std::less<>> services;
  std::string config_path;
  std::string credentials_path;
};

enum class ConfigFileKind { Config, Credentials };
/// Adds what `text` says. InvalidArgument names line and fault, never the text of the line: it may be a secret.
Result<void> parse_shared_config(std::string_view text, ConfigFileKind kind, const std::string& path, SharedConfig& into);

/// Reads both files: AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, else below HOME. A missing file is an empty one.
Result<SharedConfig> load_shared_config(const Environment& environment);

enum class ProfileOrigin { Flag, Variable, Default };
struct Profile {
  std::string name = "default";
  ProfileOrigin origin = ProfileOrigin::Default;
  ConfigSection section;
  NestedSettings services;  ///< of the services section that the profile names; by service

  /// Empty when it is not set.
  std::string_view get(std::string_view setting) const;
};
/// `flag` (--profile) › AWS_PROFILE › AWS_DEFAULT_PROFILE › "default". InvalidArgument when one was named and does not exist, or
/// names a services section that does not exist.
Result<Profile> select_profile(const SharedConfig& config, const Environment& environment, std::string_view flag);

}  // namespace ferry::client
