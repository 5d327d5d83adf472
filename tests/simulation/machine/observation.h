#pragma once
// Everything that can be known of an engine: what its functions tell without changing anything, and what it would write into a
// checkpoint (deadlines, deduplication window, secrets of receipt handles, numbers).

#include <string>
#include <vector>

#include "engine/engine.h"

namespace ferry::test {

struct Observation {
  std::vector<std::string> lines;              ///< sorted
  std::vector<engine::Place> bodies;           ///< of messages that are not quarantined
  std::vector<std::vector<std::byte>> pieces;  ///< of a checkpoint
  bool operator==(const Observation& other) const { return lines == other.lines; }
};

/// What lasts a while (deduplication, names of deleted queues) is left out when it was over at `heard` or is over now.
Observation observe(engine::Engine& engine, Timestamp heard = Timestamp{});
/// The pieces alone.
std::vector<std::vector<std::byte>> pieces_of(engine::Engine& engine);
/// The lines that only one of them has, at most a few.
std::string difference(const Observation& got, const Observation& expected);

}  // namespace ferry::test
