#pragma once
// What lies in the files of a data folder, whatever state they are in. Reads only, and takes nothing for granted.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "store/journal/format.h"

namespace ferry::store {

/// Stretches of one file through a window of memory.
class FileWindow {
 public:
  explicit FileWindow(std::unique_ptr<File> file) : file_(std::move(file)) {}
  /// Up to `length` bytes, fewer at the end of the file; valid until the next call. Io.
  Result<std::span<const std::byte>> take(std::uint64_t offset, std::uint64_t length);

 private:
  std::unique_ptr<File> file_;
  std::vector<std::byte> buffer_;
  std::uint64_t start_ = 0;
  std::uint64_t filled_ = 0;
};

/// A file that is, or was, a segment of this store.
struct SegmentFile {
  std::string name;          ///< in the folder
  std::uint32_t number = 0;  ///< what it is the segment of, whatever its name says
  std::uint64_t incarnation = 0;
  std::uint64_t bytes = 0;          ///< that it should have; a multiple of kBlockBytes
  std::string fault;                ///< why a start is refused because of it: a clause behind its name; empty: it is not
  std::vector<GroupHeader> groups;  ///< whole ones of its incarnation, by offset
  std::vector<GroupHeader> broken;  ///< whole headers of groups that are not whole, by offset
};

struct SegmentScan {
  std::map<std::uint32_t, SegmentFile> segments;
  struct Unusable {
    std::string name;
    std::string why;  ///< a clause behind its name
  };
  std::vector<Unusable> unusable;  ///< nothing of this store can be read from them
};

/// A misnamed segment while it is being given its right name.
std::string rescued_name(std::uint32_t number);

/// Of the store `store`; nothing: of the one that most of the segments belong to, which is set then, if there is any.
/// InvalidArgument: a file of a newer format. Io.
Result<SegmentScan> scan_segments(FileSystem& files, const std::string& folder, std::optional<Uuid>& store);

/// Records of a group whose header is whole, from a body that is not. Those before the first damaged record are certain. Those
/// behind it are taken only when lengths lead exactly to the end that the header tells.
struct SalvagedRecord {
  std::uint32_t index = 0;  ///< in the group
  std::uint32_t offset = 0;
  bool is_whole = false;
  std::span<const std::byte> payload;  ///< of one that is not whole, by the length that its first word tells
};
std::vector<SalvagedRecord> salvage_records(const GroupHeader& header, std::span<const std::byte> group);

/// What can be read of a checkpoint's file.
struct CheckpointScan {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  bool is_whole = false;
  std::uint64_t pieces = 0;                 ///< readable ones
  std::uint64_t gaps = 0;                   ///< places where some are missing
  std::optional<std::uint64_t> damaged_at;  ///< offset of the first damage
  std::uint64_t lowest_as_of = 0;           ///< of the readable pieces
  std::uint64_t highest_as_of = 0;
};
struct CheckpointTaker {
  std::function<Result<void>(std::span<const std::byte> piece, Position as_of)> piece;
  std::function<void()> gap;
};
/// Looks at the whole file and gives what is readable, in order. NotFound, Io. InvalidArgument: of a newer format.
Result<CheckpointScan> scan_checkpoint(FileSystem& files, const std::string& folder, std::uint64_t number, const Uuid& store,
                                       const CheckpointTaker& take);

}  // namespace ferry::store
