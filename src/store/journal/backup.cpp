#include "store/journal/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "store/journal/control_file.h"
#include "store/journal/snapshot.h"

namespace ferry::store {
namespace {

constexpr std::size_t kCopyBytes = 1u << 20;
constexpr std::size_t kManifestBytesMax = 64u << 20;

std::string join(const std::string& folder, std::string_view name) {
  return folder + "/" + std::string(name);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string without_last_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// Work of known size, told to whoever waits for it.
class Work {
 public:
  Work(const Progress& progress, std::uint64_t total) : progress_(progress), total_(total) {}
  Result<void> add(std::uint64_t bytes) {
    done_ += bytes;
    if (progress_ && !progress_(std::min(done_, total_), total_)) return fail(ErrorKind::Cancelled, "stopped");
    return {};
  }
  // The rest of it, as another function counts it.
  Progress rest() {
    return [this](std::uint64_t done, std::uint64_t total) {
      const std::uint64_t left = total_ - std::min(done_, total_);
      const double share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
      return !progress_ || progress_(total_ - left + static_cast<std::uint64_t>(static_cast<double>(left) * share), total_);
    };
  }

 private:
  const Progress& progress_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
};

// From front to back, through `use`; the checksum of all of it.
Result<BackupFile> read_file(FileSystem& files, const std::string& folder, const std::string& name, Work& work,
                             const std::function<Result<void>(std::uint64_t, std::span<const std::byte>)>& use) {
  FERRY_TRY(const auto file, files.open(join(folder, name), {}));
  AlignedBuffer buffer(kCopyBytes);
  BackupFile read{name, 0, {}};
  Sha256 sha256;
  for (;;) {
    FERRY_TRY(const std::size_t got, file->read_at(read.bytes, buffer.span()));
    const std::span<const std::byte> bytes = buffer.span().first(got);
    sha256.add(bytes);
    if (use && got != 0) FERRY_TRY_VOID(use(read.bytes, bytes));
    read.bytes += got;
    FERRY_TRY_VOID(work.add(got));
    if (got < buffer.size()) break;
  }
  read.sha256 = sha256.digest();
  return read;
}

// Durable on return, but for its name.
Result<BackupFile> copy_file(FileSystem& from_files, const std::string& from, FileSystem& to_files, const std::string& to,
                             const std::string& name, const std::string& to_name, Work& work) {
  FERRY_TRY(const auto file,
            to_files.open(join(to, to_name), {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew}));
  FERRY_TRY(BackupFile copied,
            read_file(from_files, from, name, work,
                      [&](std::uint64_t offset, std::span<const std::byte> bytes) { return file->write_at(offset, bytes); }));
  FERRY_TRY_VOID(file->sync());
  return copied;
}

// Whether a store or a backup may be made here: there is nothing, or an empty folder.
Result<void> expect_empty(FileSystem& files, const std::string& folder, std::span<const std::string_view> but_for,
                          std::string_view why) {
  const auto entries = files.list(folder);
  if (!entries && entries.error().kind == ErrorKind::NotFound) return {};
  if (!entries) return Unexpected(entries.error());
  for (const FileSystem::Entry& entry : *entries) {
    if (std::find(but_for.begin(), but_for.end(), entry.name) != but_for.end()) continue;
    return fail(ErrorKind::AlreadyExists, fmt::format("{} is not empty: found {}; {}", folder, entry.name, why));
  }
  return {};
}

Result<void> expect_space(FileSystem& files, const std::string& folder, std::uint64_t bytes) {
  FERRY_TRY(const std::uint64_t free, files.free_bytes(folder));
  if (free >= bytes) return {};
  return fail(ErrorKind::NoSpace, fmt::format("{} bytes are needed in {}, and {} are free", bytes, folder, free));
}

Error first_refusal(const Inspection& inspection, const std::string& folder, std::string_view then) {
  for (const Fault& fault : inspection.faults) {
    if (fault.effect != Effect::Refusal) continue;
    return Error{ErrorKind::Corrupt,
                 fmt::format("{} {} (offset {}); {}", join(folder, fault.file), fault.what, fault.offset, then)};
  }
  return Error{ErrorKind::Corrupt, folder + " is damaged"};
}

// ---- backup

bool is_of_a_backup(std::string_view name) {
  return name == kLockName || name == kManifestName || name == kControlName || name == kNewControlName ||
         parse_segment_name(name) || parse_checkpoint_name(name);
}

class Backup {
 public:
  Backup(FileSystem& files, const std::string& folder, std::string target)
      : files_(files), folder_(folder), target_(std::move(target)), unfinished_(target_ + std::string(kUnfinishedSuffix)) {}

  Result<BackupReport> run(const Clock& clock, const Progress& progress) {
    FERRY_TRY_VOID(expect_empty(files_, target_, {}, "a backup gets a folder of its own"));
    FERRY_TRY(auto snapshot, Snapshot::take(files_, folder_));
    if (!snapshot->control())
      return fail(ErrorKind::Corrupt, join(folder_, kControlName) + " is damaged; ferry store check says more");
    FERRY_TRY_VOID(expect_whole_end(*snapshot));
    BackupReport report;
    report.manifest.store = snapshot->control()->store;
    report.manifest.position = snapshot->end().last;
    report.manifest.taken = clock.wall();
    const std::vector<FileSystem::Entry> wanted = choose(*snapshot);
    for (const FileSystem::Entry& entry : wanted) report.bytes += entry.bytes;
    FERRY_TRY_VOID(make_folder());
    auto done = fill(report, snapshot, wanted, progress);
    if (!done) {
      FERRY_TRY_VOID(clear());
      lock_.reset();
      const auto removed = files_.remove(join(unfinished_, kLockName));
      if (removed) static_cast<void>(files_.remove(unfinished_).has_value());
      return Unexpected(std::move(done).error());
    }
    return report;
  }

 private:
  // What a start would refuse, but a copy that ends at the snapshot's end would not show any more.
  Result<void> expect_whole_end(const Snapshot& snapshot) const {
    const Snapshot::End& end = snapshot.end();
    if (!end.doubtful.empty())
      return fail(ErrorKind::Corrupt,
                  join(folder_, end.doubtful) + " holds a damaged segment header; ferry store check says more");
    if (end.last.value >= snapshot.control()->watermark) return {};
    return fail(ErrorKind::Corrupt, fmt::format("{} is damaged: the log ends after record {}, but record {} was durable; ferry "
                                                "store check says more",
                                                join(folder_, segment_name(std::max(1u, end.segment))), end.last.value,
                                                snapshot.control()->watermark));
  }

  // Segments that the log has come to, and the checkpoints that control names.
  static std::vector<FileSystem::Entry> choose(const Snapshot& snapshot) {
    std::vector<FileSystem::Entry> wanted;
    for (const FileSystem::Entry& entry : snapshot.entries()) {
      const auto segment = parse_segment_name(entry.name);
      const auto checkpoint = parse_checkpoint_name(entry.name);
      const auto& checkpoints = snapshot.control()->checkpoints;
      const bool named = checkpoint && (*checkpoint == checkpoints[0].number || *checkpoint == checkpoints[1].number);
      if (named || (segment && *segment <= snapshot.end().segment)) wanted.push_back(entry);
    }
    return wanted;
  }

  // What a backup left that was killed is removed.
  Result<void> make_folder() {
    FERRY_TRY_VOID(files_.create_directory(unfinished_));
    auto lock = files_.lock(join(unfinished_, kLockName));
    if (!lock && lock.error().kind == ErrorKind::Busy)
      return fail(ErrorKind::Busy, "another backup is being written to " + unfinished_);
    FERRY_TRY(lock_, std::move(lock));
    FERRY_TRY(const auto entries, files_.list(unfinished_));
    for (const FileSystem::Entry& entry : entries) {
      if (!is_of_a_backup(entry.name))
        return fail(ErrorKind::AlreadyExists, unfinished_ + " is in the way: it holds " + entry.name + ", which is of no backup");
    }
    return clear();
  }

  Result<void> clear() {
    FERRY_TRY(const auto entries, files_.list(unfinished_));
    for (const FileSystem::Entry& entry : entries) {
      if (entry.name != kLockName && is_of_a_backup(entry.name)) FERRY_TRY_VOID(files_.remove(join(unfinished_, entry.name)));
    }
    return {};
  }

  Result<void> fill(BackupReport& report, std::unique_ptr<Snapshot>& snapshot, const std::vector<FileSystem::Entry>& wanted,
                    const Progress& progress) {
    FERRY_TRY_VOID(expect_space(files_, unfinished_, report.bytes));
    Work work(progress, 2 * report.bytes);
    for (const FileSystem::Entry& entry : wanted) {
      FERRY_TRY(BackupFile copied, copy_file(snapshot->view(), folder_, files_, unfinished_, entry.name, entry.name, work));
      report.manifest.files.push_back(std::move(copied));
    }
    // As after a clean stop at this position: so that a copy that is cut short later is found damaged, not torn.
    ControlState state = *snapshot->control();
    state.watermark = report.manifest.position.value;
    state.segment = snapshot->end().segment;
    state.clean_stop = true;
    FERRY_TRY_VOID(ControlFile(files_, unfinished_).create(state));
    snapshot.reset();  // the server may use its space again
    FERRY_TRY(BackupFile control, read_file(files_, unfinished_, std::string(kControlName), work, nullptr));
    report.manifest.files.push_back(std::move(control));
    FERRY_TRY(report.inspection, inspect(files_, unfinished_, work.rest()));
    if (report.inspection.effect() == Effect::Refusal) {
      return Unexpected(
          first_refusal(report.inspection, folder_, "no server would start on a copy; ferry store check says more"));
    }
    if (report.inspection.last != report.manifest.position) {
      return fail(ErrorKind::Corrupt, fmt::format("the copy ends with record {} instead of {}", report.inspection.last.value,
                                                  report.manifest.position.value));
    }
    return finish(report);
  }

  Result<void> finish(const BackupReport& report) {
    {
      const std::string text = encode_manifest(report.manifest);
      FERRY_TRY(const auto file, files_.open(join(unfinished_, kManifestName),
                                             {.access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::MustBeNew}));
      FERRY_TRY_VOID(file->write_at(0, std::as_bytes(std::span(text))));
      FERRY_TRY_VOID(file->sync());
    }
    FERRY_TRY_VOID(files_.sync_directory(unfinished_));
    FERRY_TRY_VOID(files_.rename(unfinished_, target_));
    FERRY_TRY_VOID(files_.sync_directory(parent_of(target_)));
    return files_.remove(join(target_, kLockName));  // not before: another backup would take the folder for a leftover
  }

  FileSystem& files_;
  const std::string& folder_;
  const std::string target_;
  const std::string unfinished_;
  std::unique_ptr<FileLock> lock_;
};

// ---- restore

class Restore {
 public:
  Restore(FileSystem& files, std::string source, std::string folder)
      : files_(files), source_(std::move(source)), folder_(std::move(folder)) {}

  Result<BackupReport> run(const Progress& progress) {
    FERRY_TRY_VOID(expect_room());
    BackupReport report;
    FERRY_TRY(report.manifest, read_manifest());
    for (const BackupFile& file : report.manifest.files) report.bytes += file.bytes;
    Work work(progress, 3 * report.bytes);
    FERRY_TRY_VOID(compare_names(report.manifest));
    FERRY_TRY_VOID(compare_contents(report.manifest, work));
    FERRY_TRY_VOID(files_.create_directory(folder_));
    FERRY_TRY(lock_, files_.lock(join(folder_, kLockName)));
    FERRY_TRY_VOID(expect_room());  // somebody may have been here before the lock was ours
    auto done = fill(report, work);
    if (!done) {
      for (auto name = written_.rbegin(); name != written_.rend(); ++name)
        static_cast<void>(files_.remove(join(folder_, *name)).has_value());
      return Unexpected(std::move(done).error());
    }
    return report;
  }

 private:
  Result<void> expect_room() {
    static constexpr std::array<std::string_view, 2> kHarmless = {"lost+found", kLockName};
    return expect_empty(files_, folder_, kHarmless, "a store is restored into an empty folder only");
  }

  Result<BackupManifest> read_manifest() {
    const std::string path = join(source_, kManifestName);
    const auto file = files_.open(path, {});
    if (!file && file.error().kind == ErrorKind::NotFound) {
      return fail(ErrorKind::NotFound, source_ + " is no backup: there is no " + std::string(kManifestName) + " in it");
    }
    if (!file) return Unexpected(file.error());
    FERRY_TRY(const std::uint64_t bytes, (*file)->size());
    if (bytes > kManifestBytesMax) return fail(ErrorKind::Corrupt, path + " is damaged: it is far too large");
    std::string text(bytes, '\0');
    FERRY_TRY(const std::size_t got, (*file)->read_at(0, std::as_writable_bytes(std::span(text))));
    text.resize(got);
    auto manifest = decode_manifest(text);
    if (!manifest) return fail(manifest.error().kind, path + " " + manifest.error().message);
    return manifest;
  }

  Result<void> compare_names(const BackupManifest& manifest) {
    FERRY_TRY(const auto entries, files_.list(source_));
    std::map<std::string, std::uint64_t> there;
    for (const FileSystem::Entry& entry : entries) there.emplace(entry.name, entry.bytes);
    there.erase(std::string(kManifestName));
    there.erase(std::string(kLockName));  // of a backup that was killed after its last step but one
    bool has_control = false;
    for (const BackupFile& file : manifest.files) {
      const std::string path = join(source_, file.name);
      if (!is_of_a_backup(file.name)) return fail(ErrorKind::Corrupt, path + " is of no backup, though the manifest names it");
      has_control = has_control || file.name == kControlName;
      const auto found = there.find(file.name);
      if (found == there.end()) return fail(ErrorKind::Corrupt, path + " is missing");
      if (found->second != file.bytes)
        return fail(ErrorKind::Corrupt, fmt::format("{} has {} bytes instead of {}", path, found->second, file.bytes));
      there.erase(found);
    }
    if (!there.empty())
      return fail(ErrorKind::Corrupt,
                  join(source_, there.begin()->first) + " is not part of the backup; its manifest does not name it");
    if (!has_control) return fail(ErrorKind::Corrupt, join(source_, kControlName) + " is missing in the manifest");
    return {};
  }

  Result<void> compare_contents(const BackupManifest& manifest, Work& work) {
    for (const BackupFile& file : manifest.files) {
      FERRY_TRY(const BackupFile found, read_file(files_, source_, file.name, work, nullptr));
      if (!(found == file)) return changed(file.name);
    }
    return {};
  }

  Unexpected<Error> changed(const std::string& name) const {
    return fail(ErrorKind::Corrupt, join(source_, name) + " was changed: its SHA-256 is not what the manifest says");
  }

  // control comes last, and at once: without it no server takes the folder for a store.
  Result<void> fill(BackupReport& report, Work& work) {
    FERRY_TRY_VOID(expect_space(files_, folder_, report.bytes));
    for (const BackupFile& file : report.manifest.files) {
      if (file.name != kControlName) FERRY_TRY_VOID(bring(file, file.name, work));
    }
    for (const BackupFile& file : report.manifest.files) {
      if (file.name == kControlName) FERRY_TRY_VOID(bring(file, std::string(kNewControlName), work));
    }
    FERRY_TRY_VOID(files_.sync_directory(folder_));
    FERRY_TRY_VOID(files_.rename(join(folder_, kNewControlName), join(folder_, kControlName)));
    written_.back() = std::string(kControlName);
    FERRY_TRY_VOID(files_.sync_directory(folder_));
    FERRY_TRY(report.inspection, inspect(files_, folder_, work.rest()));
    if (report.inspection.effect() == Effect::Refusal)
      return Unexpected(first_refusal(report.inspection, folder_, "no server would start on it, and it was removed"));
    if (report.inspection.last != report.manifest.position) {
      return fail(ErrorKind::Corrupt, fmt::format("{} ends with record {}, but the manifest says {}", source_,
                                                  report.inspection.last.value, report.manifest.position.value));
    }
    return {};
  }

  Result<void> bring(const BackupFile& file, const std::string& as, Work& work) {
    written_.push_back(as);
    FERRY_TRY(const BackupFile copied, copy_file(files_, source_, files_, folder_, file.name, as, work));
    if (!(copied == file)) return changed(file.name);
    return {};
  }

  FileSystem& files_;
  const std::string source_;
  const std::string folder_;
  std::unique_ptr<FileLock> lock_;
  std::vector<std::string> written_;
};

}  // namespace

Result<BackupReport> backup(FileSystem& files, const Clock& clock, const std::string& folder, const std::string& target,
                            const Progress& progress) {
  return Backup(files, folder, without_last_slashes(target)).run(clock, progress);
}

Result<BackupReport> restore(FileSystem& files, const std::string& source, const std::string& folder, const Progress& progress) {
  return Restore(files, without_last_slashes(source), without_last_slashes(folder)).run(progress);
}

}  // namespace ferry::store
