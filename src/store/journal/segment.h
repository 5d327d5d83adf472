#pragma once
// A segment file: what the journal knows of it, and reading groups out of it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "store/journal/format.h"

namespace ferry::store {

/// Guarded by the journal's mutex; number, incarnation and bytes never change.
struct Segment {
  Segment(std::uint32_t the_number, std::uint64_t the_incarnation, std::uint32_t the_bytes)
      : number(the_number), incarnation(the_incarnation), bytes(the_bytes) {}
  const std::uint32_t number;
  const std::uint64_t incarnation;
  const std::uint32_t bytes;
  std::shared_ptr<File> file;             ///< shared with those who read or write at this moment
  std::uint32_t end = kBlockBytes;        ///< groups are on disk up to here
  std::uint64_t live_records = 0;         ///< bodies that are needed
  std::uint64_t live_bytes = 0;           ///< their records' bytes
  Position emptied_by;                    ///< the last release; the space is free when it is durable
  std::uint32_t pins = 0;                 ///< readers at work
  std::uint64_t compact_after_bytes = 0;  ///< not to be tried again before the log has grown to this
  bool damaged = false;                   ///< compaction found it so: never again
};

/// Reads groups of one segment through a window of memory that suits direct access.
class GroupReader {
 public:
  /// `file` outlives the reader.
  GroupReader(File& file, std::uint32_t segment, std::uint64_t incarnation, std::uint32_t bytes)
      : file_(file), segment_(segment), incarnation_(incarnation), bytes_(bytes) {}

  struct Found {
    GroupHeader header;
    std::span<const std::byte> bytes;  ///< header.length bytes; valid until the next call
  };
  /// What lies at this block: a whole group of this incarnation, or nothing. Io.
  Result<std::optional<Found>> at(std::uint32_t offset);
  /// Whether this block begins with a header of this incarnation, though the group is not whole. Io.
  Result<bool> header_at(std::uint32_t offset);

 private:
  Result<std::span<const std::byte>> window(std::uint32_t offset, std::uint32_t length);

  File& file_;
  std::uint32_t segment_;
  std::uint64_t incarnation_;
  std::uint32_t bytes_;
  AlignedBuffer buffer_;
  std::uint32_t start_ = 0;
  std::uint32_t filled_ = 0;
};

}  // namespace ferry::store
