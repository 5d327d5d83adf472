#pragma once
// All that a world of the model is made of: bytes, so that equal worlds are found by comparing them.

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

namespace ferry::ledger::model {

inline constexpr int kCount = 2;  // of messages, and of workers

enum class Phase : std::uint8_t {
  Idle,
  Received,   // holds a message and nothing else
  Running,    // holds a claim; the handler has not acted
  Acted,      // it has, and nobody knows
  Failed,     // it says so
  Committed,  // the message can be deleted
};

using Byte = std::uint8_t;
struct Record {
  Byte exists, state, fence, owner, message, live, waits, lost;
};
struct Delivery {
  Byte present, visible;
};
struct Worker {
  Phase phase;
  Byte message, newest_receipt, fence, incarnation, live;
};
// What came of a key, as the world outside sees it.
struct Effect {
  Byte careful, fence_max, careless, done, parked;
};
struct World {
  std::array<Record, kCount> records;
  std::array<Delivery, kCount> queue;
  std::array<Worker, kCount> workers;
  std::array<Effect, kCount> effects;
  Byte faults;
  std::string bytes() const { return {reinterpret_cast<const char*>(this), sizeof(World)}; }
};
static_assert(std::has_unique_object_representations_v<World>, "equal worlds have equal bytes");

}  // namespace ferry::ledger::model
