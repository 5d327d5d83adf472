#pragma once
// What a repair asks of the owner of a log beyond store::Owner: to go on where something is missing, and to name what is lost.

#include <cstddef>
#include <span>
#include <vector>

#include "store/store.h"

namespace ferry::store {

/// Told in this order, on one thread: pieces and what is missing between them; records and what is missing between them; then
/// bodies(), is_whole() or drop() for each of them, recovered(), and write_checkpoint() as often as the repair wants one.
class RepairOwner : public Owner {
 public:
  /// Instead of restore_piece(). `as_of`: the last position whose effect the piece contains.
  virtual Result<void> restore_piece_as_of(std::span<const std::byte> piece, Position as_of) = 0;
  /// Pieces are missing between the one before and the next.
  virtual void pieces_lost() = 0;
  /// The log follows from before the checkpoint began: records may be older than what the pieces contain.
  virtual void replay_everything() = 0;
  /// These records are missing; what follows may not apply. Also called before the first record, and behind the last.
  virtual void records_lost(Position first, Position last) = 0;
  /// One of them, by bytes that are not what was written: good enough to name it, if they can be understood.
  virtual void damaged_record(const Location& location, std::span<const std::byte> payload) = 0;

  /// Where everything that is needed lies.
  virtual std::vector<Location> bodies() = 0;
  /// Whether `payload`, found there and as it was written, is what bodies()[index] stands for.
  virtual bool is_whole(std::size_t index, std::span<const std::byte> payload) = 0;
  /// It is not there, or not what was written: to be forgotten. `payload`: as for damaged_record(); may be empty.
  virtual void drop(std::size_t index, std::span<const std::byte> payload) = 0;
};

}  // namespace ferry::store
