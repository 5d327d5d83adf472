#include "config/trust_reader.h"

#include <filesystem>

namespace ferry::config {
namespace {

constexpr Millis kSyncIntervalMax = Seconds(60);

std::string from_folder(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

// A path from `folder`; what is empty is a mistake.
std::string read_path(TableReader& reader, std::string_view key, const std::string& folder) {
  const auto path = reader.text(key);
  if (!path) return {};
  if (path->empty()) reader.problem(key, "is empty; leave it out instead");
  return from_folder(folder, *path);
}

// A name stays one; a path is taken from `folder`.
std::string read_key(TableReader& reader, const std::string& folder) {
  const auto word = reader.text("key");
  if (!word) return {};
  if (word->empty()) reader.problem("key", "is empty; it is the name of a key (ferry key ls) or the path of a key file");
  return word->find('/') == std::string::npos ? *word : from_folder(folder, *word);
}
}  // namespace

TrustTable read_trust(TableReader& root, const std::string& folder, Problems& problems) {
  TrustTable trust;
  const toml::table* table = root.table("trust");
  if (table == nullptr) return trust;
  TableReader reader(*table, "trust", problems);
  trust.senders = read_path(reader, "senders", folder);
  if (!table->contains("senders"))
    problems.add(reader.line(), "trust.senders is missing: the file that says who may ask for what");
  const std::string unsigned_messages = reader.text("unsigned").value_or("refuse");
  if (unsigned_messages == "allow") {
    trust.unsigned_messages = UnsignedMessages::Allow;
  } else if (unsigned_messages != "refuse") {
    reader.problem("unsigned", "must be \"refuse\" or \"allow\"");
  }
  reader.refuse_unknown_keys();
  return trust;
}

AuditTable read_audit(TableReader& root, const std::string& folder, Problems& problems) {
  AuditTable audit;
  const toml::table* table = root.table("audit");
  if (table == nullptr) return audit;
  TableReader reader(*table, "audit", problems);
  audit.folder = read_path(reader, "folder", folder);
  if (!table->contains("folder")) problems.add(reader.line(), "audit.folder is missing: where the trail is written");
  audit.key = read_key(reader, folder);
  audit.checkpoints = read_path(reader, "checkpoints", folder);
  if (!audit.checkpoints.empty() && audit.key.empty()) reader.problem("checkpoints", "has no use without a key that signs them");
  audit.sync_interval = reader.duration("sync_interval", {Millis(0), kSyncIntervalMax}).value_or(audit.sync_interval);
  reader.refuse_unknown_keys();
  return audit;
}

SenderTable read_sender(TableReader& root, const std::string& folder, Problems& problems) {
  SenderTable sender;
  const toml::table* table = root.table("sender");
  if (table == nullptr) return sender;
  TableReader reader(*table, "sender", problems);
  sender.key = read_key(reader, folder);
  reader.refuse_unknown_keys();
  return sender;
}

}  // namespace ferry::config
