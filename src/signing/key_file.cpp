#include "signing/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <span>

#include "base/encoding.h"
#include "base/posix_file.h"

namespace ferry::signing {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kFileBytesMax = 4096;
constexpr std::string_view kPrivateSuffix = ".key";
constexpr std::string_view kPublicSuffix = ".pub";

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

enum class Secrecy { Public, Private };

Result<void> check_protection(const struct stat& info, const std::string& path) {
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return fail(ErrorKind::PermissionDenied,
                fmt::format("{} belongs to user {}; a private key must belong to the user who signs", path, info.st_uid));
  }
  if ((info.st_mode & 07777U & ~0600U) == 0) return {};
  return fail(
      ErrorKind::PermissionDenied,
      fmt::format("{} has mode {:04o}: others may read this private key; chmod 600 it, and make a new key if anybody could", path,
                  info.st_mode & 07777U));
}

Result<std::string> read_small(const std::string& path, Secrecy secrecy) {
  // Non-blocking, so that a pipe in the file's place cannot hold us up.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return Unexpected(system_error(errno, "open", path));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return Unexpected(system_error(errno, "examine", path));
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::InvalidArgument, fmt::format("{} is no regular file", path));
  if (secrecy == Secrecy::Private) FERRY_TRY_VOID(check_protection(info, path));
  std::string text(kFileBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(system_error(errno, "read", path));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  if (size > kFileBytesMax) return fail(ErrorKind::InvalidArgument, fmt::format("{} is too large for a key", path));
  return text;
}

template <class T>
Result<T> at_path(Result<T> parsed, const std::string& path) {
  if (parsed) return parsed;
  return fail(parsed.error().kind, fmt::format("{}: {}", path, parsed.error().message));
}

Result<void> write_new(FileSystem& files, const std::string& path, std::string_view text) {
  OpenMode mode;
  mode.access = OpenMode::Access::ReadWrite;
  mode.creation = OpenMode::Creation::MustBeNew;
  FERRY_TRY(const auto file, files.open(path, mode));
  FERRY_TRY_VOID(file->write_at(0, std::as_bytes(std::span(text))));
  return file->sync();
}
}  // namespace

Result<std::string> default_key_folder(const EnvironmentGetter& environment) {
  const std::string config = environment("XDG_CONFIG_HOME").value_or("");
  if (config.starts_with('/')) return config + "/ferry/keys";
  const std::string home = environment("HOME").value_or("");
  if (home.starts_with('/')) return home + "/.config/ferry/keys";
  return fail(ErrorKind::NotFound,
              "neither XDG_CONFIG_HOME nor HOME says where keys are; name a folder with --folder, or a key file with its path");
}

Result<std::string> key_path(std::string_view word, const EnvironmentGetter& environment) {
  if (word.empty()) return fail(ErrorKind::InvalidArgument, "an empty word names no key file");
  if (word.find('/') != std::string_view::npos) return std::string(word);
  FERRY_TRY(const std::string folder, default_key_folder(environment));
  const std::string_view suffix = word.ends_with(kPrivateSuffix) ? std::string_view() : kPrivateSuffix;
  return fmt::format("{}/{}{}", folder, word, suffix);
}

Result<NewKey> create_key(const std::string& folder, std::string_view name, Random& random) {
  FERRY_TRY_VOID(check_key_name(name));
  PosixFileSystem files;
  FERRY_TRY_VOID(files.create_directory(folder));
  const std::string stem = fmt::format("{}/{}", folder, name);
  NewKey made{
      {Ed25519Secret::make(random), std::string(name)}, stem + std::string(kPrivateSuffix), stem + std::string(kPublicSuffix)};
  std::error_code status;
  for (const std::string& path : {made.private_path, made.public_path}) {
    if (fs::exists(fs::symlink_status(path, status))) {
      return fail(ErrorKind::AlreadyExists,
                  fmt::format("{} is there already; keys are never overwritten: take another name", path));
    }
  }
  std::string text = format_private_key(made.key);
  const Result<void> secret_written = write_new(files, made.private_path, text);
  wipe(text);
  if (!secret_written) {
    if (secret_written.error().kind != ErrorKind::AlreadyExists) fs::remove(made.private_path, status);
    return Unexpected(secret_written.error());
  }
  Result<void> written = write_new(files, made.public_path, format_public_key(made.key.public_key()) + "\n");
  const bool ours = written || written.error().kind != ErrorKind::AlreadyExists;
  if (written && ::chmod(made.public_path.c_str(), 0644) != 0)
    written = Unexpected(system_error(errno, "make readable", made.public_path));
  if (written) written = files.sync_directory(folder);
  if (written) return made;
  fs::remove(made.private_path, status);
  if (ours) fs::remove(made.public_path, status);
  return Unexpected(written.error());
}

Result<PrivateKey> load_private_key(const std::string& path) {
  FERRY_TRY(std::string text, read_small(path, Secrecy::Private));
  Result<PrivateKey> key = at_path(parse_private_key(text), path);
  wipe(text);
  return key;
}

Result<PublicKey> load_public_key(const std::string& path) {
  FERRY_TRY(std::string text, read_small(path, Secrecy::Public));
  Result<PublicKey> key = at_path(parse_public_key(text), path);
  wipe(text);  // it may have been a private key by mistake
  return key;
}

ListedKey check_key_file(const std::string& path) {
  ListedKey listed{path, std::nullopt, {}};
  const Result<PrivateKey> key = load_private_key(path);
  if (!key) {
    listed.fault = key.error().message;
    return listed;
  }
  listed.key = key->public_key();
  if (!path.ends_with(kPrivateSuffix)) return listed;
  const std::string beside = path.substr(0, path.size() - kPrivateSuffix.size()) + std::string(kPublicSuffix);
  std::error_code status;
  if (!fs::exists(beside, status)) return listed;
  const Result<PublicKey> shown = load_public_key(beside);
  if (!shown) {
    listed.fault = shown.error().message;
  } else if (shown->bytes != listed.key->bytes) {
    listed.fault = fmt::format("{} is the public half of another key; ferry key public {} prints the right one", beside, path);
  }
  return listed;
}

Result<std::vector<ListedKey>> list_keys(const std::string& folder) {
  PosixFileSystem files;
  const auto entries = files.list(folder);
  if (!entries && entries.error().kind == ErrorKind::NotFound) return std::vector<ListedKey>();
  if (!entries) return Unexpected(entries.error());
  std::vector<ListedKey> keys;
  for (const FileSystem::Entry& entry : *entries) {
    if (entry.name.ends_with(kPrivateSuffix)) keys.push_back(check_key_file(fmt::format("{}/{}", folder, entry.name)));
  }
  return keys;
}

}  // namespace ferry::signing
