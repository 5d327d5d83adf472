// The file of allowed senders: TOML to TrustSettings, every error with its line. Unknown keys are errors, so that a misspelt
// restriction cannot turn into none.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <set>

#include "base/encoding.h"
#include "config/toml_reader.h"
#include "signing/key.h"
#include "signing/trust.h"
#include "sqs/limits.h"
#include "sqs/names.h"

namespace ferry::signing {
namespace {

using config::Problems;
using config::TableReader;

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::size_t kSenderNameBytesMax = 128;
constexpr std::size_t kKeyIdChars = 32;

// A TOML date-time with an offset: 2026-12-31T00:00:00Z.
std::optional<Timestamp> read_time(TableReader& reader, std::string_view key) {
  const toml::node* node = reader.node(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_date_time();
  if (value == nullptr || !value->get().offset) {
    reader.problem(key, "must be a date and time with its offset, without quotes: 2026-12-31T00:00:00Z");
    return std::nullopt;
  }
  const toml::date_time& at = value->get();
  const auto day = std::chrono::year(at.date.year) / at.date.month / at.date.day;
  const auto within = std::chrono::hours(at.time.hour) + std::chrono::minutes(at.time.minute - at.offset->minutes) +
                      std::chrono::seconds(at.time.second) + Millis(at.time.nanosecond / 1'000'000);
  return Timestamp(std::chrono::duration_cast<Millis>(std::chrono::sys_days(day).time_since_epoch() + within));
}

class SendersReader {
 public:
  SendersReader(TrustSettings& settings, Problems& problems) : settings_(settings), problems_(problems) {}

  void read(const toml::table& root) {
    TableReader reader(root, "", problems_);
    constexpr Millis kYear(365LL * 86'400'000);
    if (const auto skew = reader.duration("clock_skew", {Millis(0), Millis(86'400'000)})) settings_.clock_skew = *skew;
    if (const auto age = reader.duration("max_age", {Millis(1'000), kYear})) settings_.max_age = *age;
    if (const auto rule = reader.text("deduplication")) {
      settings_.other_deduplication_ids = *rule == "any";
      if (*rule != "any" && *rule != "signed") reader.problem("deduplication", "must be \"signed\" or \"any\"");
    }
    if (const auto revoked = reader.texts("revoked")) read_revoked(reader, *revoked);
    const toml::table* senders = reader.table("sender");
    reader.refuse_unknown_keys();
    if (root.get("sender") == nullptr) problems_.add(1, "names no sender; write [sender.NAME] with key, requests and queues");
    if (senders == nullptr) return;
    for (const auto& [name, node] : *senders) {
      const toml::table* table = node.as_table();
      if (table == nullptr) {
        problems_.add(config::line_of(node), fmt::format("sender.{} must be a table: [sender.{}]", escape_control(name.str()),
                                                         escape_control(name.str())));
        continue;
      }
      read_sender(*table, std::string(name.str()));
    }
  }

 private:
  void read_revoked(TableReader& reader, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      const bool hex = text.size() == kKeyIdChars && hex_decode(text).has_value();
      if (hex) {
        settings_.revoked.push_back(to_lower(text));
      } else if (const auto key = parse_public_key(text)) {
        settings_.revoked.push_back(key->id());
      } else {
        reader.problem("revoked", fmt::format("holds \"{}\", which is neither a key id nor a public key",
                                              escape_control(text.substr(0, 80))));
      }
    }
  }

  void read_sender(const toml::table& table, const std::string& name) {
    TableReader reader(table, fmt::format("sender.{}", escape_control(name)), problems_);
    AllowedSender sender;
    sender.name = name;
    if (name.empty() || name.size() > kSenderNameBytesMax || escape_control(name) != name || name.find('\n') != std::string::npos)
      problems_.add(reader.line(),
                    fmt::format("a sender's name has 1 to {} bytes and no control characters", kSenderNameBytesMax));
    read_keys(reader, sender);
    sender.requests = read_names(reader, "requests");
    sender.queues = read_names(reader, "queues");
    for (const std::string& queue : sender.queues) {
      if (queue != "*" && !sqs::is_queue_name(queue))
        reader.problem("queues", fmt::format("holds \"{}\", which is no queue name (no URL, no ARN; \"*\" is every queue)",
                                             escape_control(queue)));
    }
    sender.not_before = read_time(reader, "not_before");
    sender.not_after = read_time(reader, "not_after");
    if (sender.not_before && sender.not_after && *sender.not_after < *sender.not_before)
      reader.problem("not_after", "is earlier than not_before");
    reader.refuse_unknown_keys();
    settings_.senders.push_back(std::move(sender));
  }

  void read_keys(TableReader& reader, AllowedSender& sender) {
    const bool one = reader.node("key") != nullptr;
    const bool several = reader.node("keys") != nullptr;
    if (one == several) {
      problems_.add(reader.line(), fmt::format("sender.{} needs {}", escape_control(sender.name),
                                               one ? "either key or keys, not both"
                                                   : "a key = \"ferry-ed25519-v1 …\" (ferry key public FILE prints it)"));
      return;
    }
    std::vector<std::string> lines;
    if (one) {
      if (auto line = reader.text("key")) lines.push_back(std::move(*line));
    } else if (auto texts = reader.texts("keys")) {
      lines = std::move(*texts);
      if (lines.empty()) reader.problem("keys", "is empty");
    }
    for (const std::string& line : lines) {
      const auto key = parse_public_key(line);
      if (!key) {
        reader.problem(one ? "key" : "keys", fmt::format("is refused: {}", key.error().message));
      } else if (!ids_.insert(key->id()).second) {
        reader.problem(one ? "key" : "keys", fmt::format("{} is there twice; a key belongs to one sender", key->id()));
      } else {
        sender.keys.push_back(key->bytes);
      }
    }
  }

  std::vector<std::string> read_names(TableReader& reader, std::string_view key) {
    if (reader.node(key) == nullptr) {
      problems_.add(reader.line(), fmt::format("{} is missing; name what is allowed, or [\"*\"] for all", reader.path(key)));
      return {};
    }
    auto names = reader.texts(key).value_or(std::vector<std::string>());
    if (std::any_of(names.begin(), names.end(), [](const std::string& name) { return name.empty(); }))
      reader.problem(key, "holds an empty name");
    return names;
  }

  TrustSettings& settings_;
  Problems& problems_;
  std::set<std::string> ids_;
};

Unexpected<TrustErrors> refuse(const std::string& path, std::string_view why) {
  return Unexpected(TrustErrors{{fmt::format("cannot use {}: {}", path, why)}});
}
}  // namespace

std::string TrustErrors::text() const {
  return fmt::format("{}", fmt::join(messages, "\n"));
}

Result<TrustSettings, TrustErrors> parse_allowed_senders(std::string_view text, const std::string& file) {
  TrustSettings settings;
  settings.file = file;
  Problems problems(file);
  try {
    const toml::table root = toml::parse(text);
    SendersReader(settings, problems).read(root);
  } catch (const toml::parse_error& error) {
    problems.add(static_cast<int>(error.source().begin.line),
                 fmt::format("this is not TOML: {}", escape_control(std::string(error.description()))));
  }
  if (!problems.messages().empty()) return Unexpected(TrustErrors{std::move(problems.messages())});
  return settings;
}

Result<TrustSettings, TrustErrors> load_allowed_senders(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return refuse(path, system_error(errno, "open", "it").message);
  if (!S_ISREG(info.st_mode)) return refuse(path, "it is not a file");
  if ((info.st_mode & S_IWOTH) != 0)
    return refuse(path, fmt::format("it has mode {:04o}: everybody may write to it, and so choose whom we trust; chmod o-w it",
                                    info.st_mode & 07777U));
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return refuse(path, "permission denied");
  std::string text(kFileBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kFileBytesMax) return refuse(path, "it has more than 1 MiB");
  return parse_allowed_senders(text, path);
}

}  // namespace ferry::signing
