#pragma once
// What an engine must be when its log ends at a position: a fresh engine that was given what there was at first and then every
// record up to there, straight from memory. No disk, no journal.

#include <map>

#include "base/clock.h"
#include "simulation/machine/history_store.h"
#include "simulation/machine/observation.h"

namespace ferry::test {

class ReferenceEngine {
 public:
  /// Takes what `engine` is now, the log ending at `base`, as the beginning.
  void begin(engine::Engine& engine, std::uint64_t base);
  std::uint64_t base() const { return base_; }
  /// The latest time at which a beginning was taken. What was over by then is not in it, but a crash and a clock that is set back
  /// may bring it back, for the time stands in no record.
  Timestamp heard() const { return heard_; }
  /// `wall` and `engine_time`: what the clocks say at the time of looking.
  Observation at(std::uint64_t position, const HistoryStore& history, Timestamp wall, Timestamp engine_time) const;

 private:
  std::uint64_t base_ = 0;
  Timestamp heard_;
  std::vector<std::vector<std::byte>> pieces_;
};

}  // namespace ferry::test
