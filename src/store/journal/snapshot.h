#pragma once
// A data folder as it was at one moment, for tools that look at it or copy it, whether a server works in it or not.
//
// How it works. A snapshot opens every segment and the two checkpoints that the control file names, and holds each as Shared.
// The server knows nothing of it, but puts other contents into a file that it gave up, or cuts it short, only when it can hold
// it Alone; else it only removes the name (journal_maintenance.cpp). So what was opened stays what it was for as long as the
// snapshot lives, and nothing is left behind when its process dies.
//
// Why what is held belongs together:
//   1. A segment's number is never used twice. A name that is still there after the file was held is the file that was opened,
//      and the server had not given it up by then.
//   2. Order: read control, list, open and hold; then read control, list. It is repeated until both controls name the same
//      checkpoints and the second list has no segment that is not held. A segment that was given up before held nothing that
//      any log from then on needs, and lies below the replay of every checkpoint that control names. So all that a start over
//      these checkpoints needs is held.
//   3. The watermark was read before the second list: the segment of its record is in that list, or was given up.
//
// Where it ends. The newest segments go on being written. A group is whole in the file before the next one is begun, and before
// anybody is told of it. So, once everything is held, the end is behind the last whole group of the newest segment that has one:
// every reply that had left by then is in front of it. A group in front of the end that was not whole when it was passed was on
// its way and is whole by now, or it is damaged: whoever reads the view sees which. What lies behind the end reads as zeros from
// then on: the view does not change any more, not even while the server writes there.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "store/journal/format.h"
#include "store/store.h"

namespace ferry::store {

/// Not copyable; one thread at a time, its view any. Needs an open descriptor for each segment. `files` outlives it.
class Snapshot {
 public:
  /// Blocks for the disk; reads the newest segments through. NotFound: there is no store. InvalidArgument: one of a newer
  /// format. Busy: the folder changes all the time. PermissionDenied, Io. A damaged control file is no error.
  static Result<std::unique_ptr<Snapshot>> take(FileSystem& files, std::string folder);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  /// The folder under its own path. Nothing can be written, locks are always free; files that are not part of the snapshot are
  /// listed and cannot be opened.
  FileSystem& view();
  const std::string& folder() const { return folder_; }
  /// Absent: no slot of the control file is whole.
  const std::optional<ControlState>& control() const { return control_; }
  const std::vector<FileSystem::Entry>& entries() const { return entries_; }

  struct End {
    Position last;              ///< of the last whole group; 0: there is none
    std::uint32_t segment = 0;  ///< which has that group
    std::uint32_t offset = 0;   ///< behind it
    bool unfinished = false;    ///< a group lies there in part: torn by a crash, or being written
    std::string doubtful;       ///< a segment behind it whose header is damaged: the log may go on there; empty: none
  };
  const End& end() const { return end_; }

 private:
  class View;
  struct Held;
  Snapshot(FileSystem& files, std::string folder);
  Result<void> hold_everything();
  Result<void> hold(const std::string& name);
  Result<void> read_control();
  bool settled(const std::optional<ControlState>& before) const;
  Result<void> find_end();
  void end_where_repaired();
  Result<bool> find_end_in(const std::string& name, Held& held);

  FileSystem& files_;
  const std::string folder_;
  std::map<std::string, std::shared_ptr<Held>> held_;  // shared with the files that the view gave out
  std::vector<FileSystem::Entry> entries_;
  std::vector<std::byte> control_bytes_;
  bool has_control_ = false;
  std::optional<ControlState> control_;
  End end_;
  std::unique_ptr<View> view_;
};

}  // namespace ferry::store
