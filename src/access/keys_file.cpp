// The keys file: TOML to checked keys. Whatever it does not know is refused with its line, so that a misspelt restriction cannot
// turn into none.

#include "access/keys_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <optional>

#include "access/actions.h"
#include "base/encoding.h"
#include "base/suggest.h"

namespace ferry::access {
namespace {
constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::size_t kAccessKeyCharsMax = 128;  // Amazon's bound of an access key id
constexpr std::string_view kDefaultAccount = "000000000000";

std::string suggestion(std::string_view text, std::span<const std::string_view> known) {
  const auto near = closest(text, std::vector<std::string>(known.begin(), known.end()));
  return near ? fmt::format("; did you mean \"{}\"?", *near) : std::string();
}

/// Knows the file's name and turns a place in it into an error.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  Result<std::vector<Key>> keys(const toml::table& root) const {
    FERRY_TRY_VOID(only(root, {"key"}));
    const toml::node* list = root.get("key");
    if (list == nullptr) return fail(ErrorKind::InvalidArgument, fmt::format("{}: holds no [[key]]", path_));
    std::vector<Key> keys;
    FERRY_TRY(const auto tables, tables_of(*list, "key"));
    for (const toml::table* table : tables) {
      FERRY_TRY(Key next, key(*table));
      if (std::any_of(keys.begin(), keys.end(), [&](const Key& other) { return other.access_key == next.access_key; })) {
        return at(*table->get("access_key"), fmt::format("the access key \"{}\" is there twice", next.access_key));
      }
      keys.push_back(std::move(next));
    }
    return keys;
  }

 private:
  Unexpected<Error> at(const toml::node& node, const std::string& fault) const {
    return at_line(node.source().begin.line, fault);
  }
  Unexpected<Error> at_line(unsigned line, const std::string& fault) const {
    return fail(ErrorKind::InvalidArgument, fmt::format("{}:{}: {}", path_, line, fault));
  }

  Result<void> only(const toml::table& table, std::initializer_list<std::string_view> names) const {
    for (const auto& [name, value] : table) {
      if (std::find(names.begin(), names.end(), name.str()) != names.end()) continue;
      const std::vector<std::string_view> known(names);
      return at_line(name.source().begin.line,
                     fmt::format("unknown name \"{}\"{}", escape_control(name.str()), suggestion(name.str(), known)));
    }
    return {};
  }

  Result<std::vector<const toml::table*>> tables_of(const toml::node& node, std::string_view name) const {
    const toml::array* list = node.as_array();
    if (list == nullptr || list->empty() || !list->is_homogeneous<toml::table>()) {
      return at(node, fmt::format("\"{0}\" is a list of tables: write [[{0}]]", name));
    }
    std::vector<const toml::table*> tables;
    for (const toml::node& element : *list) tables.push_back(element.as_table());
    return tables;
  }

  Result<std::string> text(const toml::table& table, std::string_view name) const {
    const toml::node* node = table.get(name);
    if (node == nullptr) return at(table, fmt::format("\"{}\" is missing", name));
    const auto value = node->value_exact<std::string>();
    if (!value) return at(*node, fmt::format("\"{}\" is a text in quotes", name));
    if (value->empty()) return at(*node, fmt::format("\"{}\" is empty", name));
    return *value;
  }

  Result<std::vector<std::string>> texts(const toml::table& table, std::string_view name) const {
    const toml::node* node = table.get(name);
    if (node == nullptr) return at(table, fmt::format("\"{}\" is missing", name));
    const toml::array* list = node->as_array();
    if (list == nullptr || list->empty() || !list->is_homogeneous<std::string>()) {
      return at(*node, fmt::format("\"{}\" is a list of texts with at least one element", name));
    }
    std::vector<std::string> values;
    for (const toml::node& element : *list) values.push_back(*element.value_exact<std::string>());
    return values;
  }

  Result<Key> key(const toml::table& table) const {
    FERRY_TRY_VOID(only(table, {"access_key", "secret_key", "account", "grant"}));
    Key out;
    FERRY_TRY(out.access_key, text(table, "access_key"));
    const auto plain = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
    };
    if (out.access_key.size() > kAccessKeyCharsMax || !std::all_of(out.access_key.begin(), out.access_key.end(), plain)) {
      return at(*table.get("access_key"), "an access key has at most 128 letters, digits, '_', '-' and '.'");
    }
    FERRY_TRY(out.secret_key, text(table, "secret_key"));
    const auto printable = [](char c) { return c > ' ' && c < 0x7F; };
    if (!std::all_of(out.secret_key.begin(), out.secret_key.end(), printable)) {
      return at(*table.get("secret_key"), "a secret key has printable ASCII characters and no spaces");
    }
    out.account = kDefaultAccount;
    if (table.contains("account")) {
      FERRY_TRY(out.account, text(table, "account"));
      const bool digits = std::all_of(out.account.begin(), out.account.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!digits || out.account.size() != 12) return at(*table.get("account"), "an account has exactly 12 digits");
    }
    const toml::node* grants = table.get("grant");
    if (grants == nullptr) return at(table, fmt::format("the key \"{}\" has no [[key.grant]]", out.access_key));
    FERRY_TRY(const auto tables, tables_of(*grants, "key.grant"));
    for (const toml::table* each : tables) {
      FERRY_TRY(Grant next, grant(*each));
      out.grants.push_back(std::move(next));
    }
    return out;
  }

  Result<Grant> grant(const toml::table& table) const {
    FERRY_TRY_VOID(only(table, {"actions", "queues"}));
    Grant out;
    FERRY_TRY(out.actions, texts(table, "actions"));
    FERRY_TRY(out.queues, texts(table, "queues"));
    for (std::size_t i = 0; i < out.actions.size(); ++i) {
      FERRY_TRY_VOID(check_action(*table.get("actions")->as_array()->get(i), out.actions[i]));
      out.actions[i] = std::string(without_service_prefix(out.actions[i]));
    }
    for (std::size_t i = 0; i < out.queues.size(); ++i) {
      FERRY_TRY_VOID(check_queue(*table.get("queues")->as_array()->get(i), out.queues[i]));
    }
    return out;
  }

  Result<void> check_action(const toml::node& node, const std::string& written) const {
    const std::string_view pattern = without_service_prefix(written);
    const auto known = grantable_actions();
    if (std::any_of(known.begin(), known.end(), [&](std::string_view action) { return matches(pattern, action); })) return {};
    const std::string_view single = grant_action(pattern);
    if (single != pattern && std::find(known.begin(), known.end(), single) != known.end()) {
      return at(node, fmt::format("\"{}\" is covered by \"{}\": grant that", escape_control(written), single));
    }
    return at(node, fmt::format("unknown action \"{}\"{}", escape_control(written), suggestion(pattern, known)));
  }

  Result<void> check_queue(const toml::node& node, const std::string& pattern) const {
    const auto legal = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '*';
    };
    if (!pattern.empty() && std::all_of(pattern.begin(), pattern.end(), legal)) return {};
    return at(node,
              fmt::format("\"{}\" is no queue name: letters, digits, '_', '-', '.' and '*' for any run of them; no URL, no ARN",
                          escape_control(pattern)));
  }

  const std::string& path_;
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<std::string> read_protected(const std::string& path) {
  // Non-blocking, so that a pipe in the file's place cannot hold up the start.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return Unexpected(system_error(errno, "open", path));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return Unexpected(system_error(errno, "examine", path));
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::InvalidArgument, fmt::format("{}: is no regular file", path));
  FERRY_TRY_VOID(check_protection({info.st_uid, info.st_mode & 07777U, ::geteuid()}, path));
  std::string content;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(system_error(errno, "read", path));
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > kFileBytesMax) return fail(ErrorKind::InvalidArgument, fmt::format("{}: is larger than 1 MiB", path));
  }
}
}  // namespace

Result<void> check_protection(const FileProtection& protection, const std::string& path) {
  if (protection.owner != 0 && protection.owner != protection.self) {
    return fail(ErrorKind::PermissionDenied,
                fmt::format("{}: belongs to user {}; a file with secrets must belong to user {} or root", path, protection.owner,
                            protection.self));
  }
  if ((protection.mode & ~0600U) != 0) {
    return fail(
        ErrorKind::PermissionDenied,
        fmt::format("{}: has mode {:04o}; a file with secrets must have mode 0600 or 0400 (chmod 600)", path, protection.mode));
  }
  return {};
}

Result<std::vector<Key>> parse_keys(std::string_view text, const std::string& path) {
  try {
    const toml::table root = toml::parse(text, path);
    return Reader(path).keys(root);
  } catch (const toml::parse_error& error) {
    // Not the parser's own words: they quote the text around the fault, which may be a secret.
    return fail(ErrorKind::InvalidArgument,
                fmt::format("{}:{}: no valid TOML here (a missing quote or bracket, or a name given twice)", path,
                            error.source().begin.line));
  }
}

Result<KeyRing> KeyRing::load(const std::string& path) {
  FERRY_TRY(const std::string content, read_protected(path));
  FERRY_TRY(std::vector<Key> keys, parse_keys(content, path));
  return KeyRing(std::move(keys));
}

}  // namespace ferry::access
