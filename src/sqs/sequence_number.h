#pragma once
// How the sequence number of a message on a FIFO queue is told.

#include <cstdint>
#include <string>

#include "base/check.h"

namespace ferry::sqs {

/// The greatest number that can be told.
inline constexpr std::uint64_t kSequenceNumberMax = (UINT64_MAX - 10'000'000'000'000'000'000U) / 256;

/// 20 decimal digits, the first not zero, in steps of 256 as Amazon's: the texts order as the numbers do.
inline std::string format_sequence_number(std::uint64_t sequence) {
  FERRY_CHECK(sequence <= kSequenceNumberMax);
  return std::to_string(10'000'000'000'000'000'000U + 256 * sequence);
}

}  // namespace ferry::sqs
