#pragma once
// Reading of the keys file, apart from the file system: what KeyRing::load() is made of.

#include <string>
#include <string_view>
#include <vector>

#include "access/keys.h"

namespace ferry::access {

/// `path` appears in the messages only.
Result<std::vector<Key>> parse_keys(std::string_view toml, const std::string& path);

/// What matters of a file that holds secrets.
struct FileProtection {
  unsigned owner = 0;  ///< uid
  unsigned mode = 0;   ///< permission bits
  unsigned self = 0;   ///< our effective uid
};
/// PermissionDenied unless the owner is root or us and nobody else has any right.
Result<void> check_protection(const FileProtection& protection, const std::string& path);

}  // namespace ferry::access
