#pragma once
// From what people write to a ledger.

#include <memory>
#include <string>

#include "ledger/stored_ledger.h"

namespace ferry::ledger {

struct OpenOptions {
  LedgerOptions ledger;
  bool create = true;          ///< false: NotFound when there is none
  Millis lock_timeout{5'000};  ///< how long to wait for others: then Busy
};

/// `where` is a file of this host, or postgresql://… as libpq reads it. `clock` is that of a file; a server has its own.
/// Errors: NotFound; InvalidArgument: no ledger, a newer version, a network file system, or a password in the address;
/// PermissionDenied; Corrupt; Busy; Unavailable: no connection to the server.
Result<std::unique_ptr<Ledger>> open_ledger(const std::string& where, const OpenOptions& options, const Clock& clock);

/// Whether `where` names a server.
bool is_server_address(std::string_view where);

}  // namespace ferry::ledger
