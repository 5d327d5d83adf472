#pragma once
// The tables of handoff.toml that say whom to believe, what to sign with, and where the audit trail is.

#include <string>

#include "base/clock.h"

namespace ferry::config {

/// What happens to messages without a signature.
enum class UnsignedMessages { Refuse, Allow };

/// [trust]
struct TrustTable {
  std::string senders;  ///< the file of allowed senders, an absolute path; empty: there is no such table, all are believed
  UnsignedMessages unsigned_messages = UnsignedMessages::Refuse;
};

/// [audit]
struct AuditTable {
  std::string folder;       ///< absolute; empty: there is no such table, nothing is recorded
  std::string key;          ///< of the worker, as `ferry key` takes it: a name or an absolute path; empty: nothing is signed
  std::string checkpoints;  ///< folder for signed lines, absolute; may be empty
  Millis sync_interval{0};  ///< 0: each group of lines is synced
};

/// [sender]
struct SenderTable {
  std::string key;  ///< as `ferry key` takes it: a name or an absolute path; empty: messages are not signed
};

}  // namespace ferry::config
