#pragma once
// Reads every byte of a store that means something, and says what is not as it was written, and where. Changes nothing, and goes
// on after each fault that it finds.
//
// What it goes by: control slots, segment headers and checkpoints carry checksums of all their bytes; groups one of their header
// and one of the rest, records one each. Groups name the header before them and the position of their first record, so that one
// that is missing shows in the next one. Beside the checksums it compares names, sizes, numbers, the places at which replays
// start, and the watermark.
//
// What it cannot see: damage in what holds nothing (spare files, ballast, behind the last group of a segment); a last group that
// is gone without trace, if the segment after it was given up, or if it was written after the last watermark; a segment below
// the replay that is missing, for it may have been given up. The last one a replay by the engine finds.
//
// On a folder in which a server works, inspect the view of a Snapshot; else the folder itself may be given.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "store/journal/format.h"
#include "store/store.h"

namespace ferry::store {

/// Bytes done and bytes to do. False: stop, with Cancelled. Called every few megabytes.
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// What a fault does to a start of the server.
enum class Effect {
  Nothing,  ///< there is a second copy, or it is needed no more
  Bodies,   ///< the start succeeds; messages whose bodies lie there and are still needed cannot be read
  Refusal,  ///< a start is refused
};

struct Fault {
  std::string file;  ///< name in the folder
  std::uint64_t offset = 0;
  std::string what;
  Effect effect = Effect::Nothing;
};

struct Inspection {
  std::vector<Fault> faults;            ///< in the order in which they were found, at most kFaultsMax …
  std::uint64_t faults_left_out = 0;    ///< … and so many more
  std::optional<ControlState> control;  ///< absent: no slot is whole
  Position last;                        ///< of the last group; 0: the log is empty
  std::uint32_t end_segment = 0;        ///< which has it
  std::uint32_t end_offset = 0;         ///< behind it
  bool unfinished = false;              ///< a torn group lies there: no fault, nobody was told of it
  std::uint64_t segments = 0;
  std::uint64_t segment_bytes = 0;
  std::uint64_t groups = 0;
  std::uint64_t records = 0;
  std::uint64_t bodies = 0;       ///< of these, whether they are still needed or not
  std::uint64_t checkpoints = 0;  ///< whole ones
  std::uint64_t pieces = 0;
  std::vector<FileSystem::Entry> ignored;  ///< files that hold nothing, or that are not ours

  static constexpr std::size_t kFaultsMax = 1000;
  /// The worst of any fault; Nothing also when there is none.
  Effect effect() const;
};

/// Blocks for the disk. NotFound: there is no store. InvalidArgument: of a newer format. Cancelled. PermissionDenied, Io.
Result<Inspection> inspect(FileSystem& files, const std::string& folder, const Progress& progress);

}  // namespace ferry::store
