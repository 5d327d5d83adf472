#include "messages.h"

#include <unistd.h>

#include <bit>

namespace ferry::bench {
namespace {

Layout layout_of(const std::string& name) {
  if (name == "none") return Layout::None;
  if (name == "rounds") return Layout::Rounds;
  if (name == "runs") return Layout::Runs;
  if (name == "scattered") return Layout::Scattered;
  die("--layout takes none, rounds, runs or scattered");
}

std::uint64_t mixed(std::uint64_t value) {  // the finaliser of SplitMix64
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

// A permutation of 0 … size - 1: four rounds of a Feistel network over the next power of four, walked until it is in range.
std::uint64_t permuted(std::uint64_t value, std::uint64_t size, std::uint64_t key) {
  const int half_bits = static_cast<int>(std::bit_width(size - 1) + 1) / 2;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  do {
    std::uint64_t left = value >> half_bits, right = value & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      const std::uint64_t crossed = left ^ (mixed(right ^ mixed(key * 4 + round)) & mask);
      left = right;
      right = crossed;
    }
    value = left << half_bits | right;
  } while (value >= size);
  return value;
}

}  // namespace

MessageSource::MessageSource(const Arguments& arguments)
    : body_(arguments.count("--body", 100, {1, 100'000}), 'm'),
      layout_(layout_of(arguments.text("--layout", "none"))),
      groups_(arguments.count("--groups", 1, {1, 1e9})),
      fifo_(arguments.has("--fifo")),
      prefix_(std::to_string(::getpid()) + "-" + std::to_string(SteadyClock::now().time_since_epoch().count()) + "-") {}

std::vector<OutgoingMessage> MessageSource::take(std::size_t count) {
  std::vector<OutgoingMessage> messages(count);
  for (OutgoingMessage& message : messages) {
    const std::uint64_t index = next_++;
    message.body = body_;
    if (layout_ != Layout::None) message.group.append("g").append(std::to_string(group_of(index)));
    if (fifo_) message.deduplication = prefix_ + std::to_string(index);
  }
  return messages;
}

std::uint64_t MessageSource::group_of(std::uint64_t index) const {
  if (groups_ == 1) return 0;
  if (layout_ == Layout::Runs) return index / 10 % groups_;
  if (layout_ == Layout::Rounds) return index % groups_;
  return permuted(index % groups_, groups_, index / groups_);
}

}  // namespace ferry::bench
