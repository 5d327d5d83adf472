#pragma once
// Key files: NAME.key holds a private key and is for its owner alone (0600), NAME.pub beside it the public line.
// All functions block for the disk.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "signing/key.h"

namespace ferry::signing {

using EnvironmentGetter = std::function<std::optional<std::string>(const std::string& name)>;

/// $XDG_CONFIG_HOME/ferry/keys, else $HOME/.config/ferry/keys. NotFound when neither variable is an absolute path.
Result<std::string> default_key_folder(const EnvironmentGetter& environment);

/// What a command calls a key file: a word without '/' is a name in the default folder ("deploy" is FOLDER/deploy.key), anything
/// else a path.
Result<std::string> key_path(std::string_view word, const EnvironmentGetter& environment);

struct NewKey {
  PrivateKey key;
  std::string private_path;
  std::string public_path;
};
/// Makes a key, the folder (0700) and both files; durable on return. AlreadyExists when one of the files is there: a key is never
/// overwritten. After an error nothing is left behind.
Result<NewKey> create_key(const std::string& folder, std::string_view name, Random& random);

/// PermissionDenied: the file is not ours or root's, or others than the owner have any right to it.
/// InvalidArgument: no regular file, or no private key. Messages name the path, never the content.
Result<PrivateKey> load_private_key(const std::string& path);
/// A file with a public line.
Result<PublicKey> load_public_key(const std::string& path);

struct ListedKey {
  std::string path;
  std::optional<PublicKey> key;
  std::string fault;  ///< why there is no key, or what is wrong beside it; empty: all is well
};
/// Every NAME.key of a folder, by name. A folder that is not there has none.
Result<std::vector<ListedKey>> list_keys(const std::string& folder);
/// One of them: loads it, and compares the .pub beside it, if there is one.
ListedKey check_key_file(const std::string& path);

}  // namespace ferry::signing
