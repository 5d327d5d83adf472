#pragma once
// Copies of a data folder, and data folders out of copies.
//
// A backup is a folder with the files of a stopped store, up to the last whole group of a Snapshot, and `backup.json`, which
// names each of them with its size and SHA-256 (docs/formats.md). It is built under another name, TARGET.unfinished, synced,
// read again and checked like any store, and gets its name last: what is called TARGET is whole.

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "store/journal/inspect.h"

namespace ferry::store {

struct BackupFile {
  std::string name;
  std::uint64_t bytes = 0;
  Sha256Digest sha256{};
  bool operator==(const BackupFile&) const = default;
};

/// What backup.json says.
struct BackupManifest {
  Uuid store;
  Position position;  ///< everything up to here is in it, and nothing else
  Timestamp taken;    ///< wall clock
  std::vector<BackupFile> files;
  bool operator==(const BackupManifest& other) const;
};
constexpr std::uint32_t kBackupFormat = 1;
constexpr std::string_view kManifestName = "backup.json";
constexpr std::string_view kUnfinishedSuffix = ".unfinished";

/// JSON, ending with a checksum of what stands before it.
std::string encode_manifest(const BackupManifest& manifest);
/// Corrupt: not what encode_manifest() writes. InvalidArgument: of a newer format.
Result<BackupManifest> decode_manifest(std::string_view text);

struct BackupReport {
  BackupManifest manifest;
  std::uint64_t bytes = 0;
  Inspection inspection;  ///< of the copy; without a fault whose effect is Refusal
};

/// Of the store in `folder`, whether a server works in it or not, into `target`, which is made and must be absent or empty.
/// Durable on return. AlreadyExists: the target is not empty. NotFound: no store in `folder`. Busy: another backup writes there.
/// Corrupt: the store is damaged so that no server would start on it. NoSpace, Cancelled, PermissionDenied, Io. After an error
/// there is no `target`, and nothing is left of it but for what cannot be removed.
Result<BackupReport> backup(FileSystem& files, const Clock& clock, const std::string& folder, const std::string& target,
                            const Progress& progress);

/// Makes a store in `folder`, which must be absent or empty (but for lost+found), out of the backup in `source`. Nothing is
/// written before every file was compared with the manifest. Durable on return. NotFound: no backup there. Corrupt: a file is
/// missing, changed or too many; it is named. AlreadyExists: the folder is not empty. NoSpace, Cancelled, PermissionDenied, Io.
Result<BackupReport> restore(FileSystem& files, const std::string& source, const std::string& folder, const Progress& progress);

}  // namespace ferry::store
