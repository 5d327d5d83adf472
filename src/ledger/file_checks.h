#pragma once
// Where a ledger's file may lie, and who may read it.

#include <string>

#include "base/result.h"

namespace ferry::ledger {

/// Whether this is the type (f_type of statfs(2)) of a file system that other hosts may write to, or that hides whether they
/// do: locks and shared memory do not hold there.
bool is_shared_file_system(long type);

/// The file is ours alone (0600) and on a file system of this host; it is created, with its folder, when `create`. NotFound: it
/// is not there. InvalidArgument: the file system is shared. PermissionDenied: others may read it, or it is no plain file.
enum class FileCreation { MustExist, IfAbsent };
Result<void> prepare_ledger_file(const std::string& path, FileCreation creation);

}  // namespace ferry::ledger
