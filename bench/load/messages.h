#pragma once
// Messages to send, one after the other: which group each belongs to decides where the messages of a group lie on the disk.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.h"
#include "requests.h"

namespace ferry::bench {

enum class Layout {
  None,       ///< no groups
  Rounds,     ///< message i belongs to group i % groups: all groups in turn
  Runs,       ///< ten in a row to each group
  Scattered,  ///< all groups in turn, in another order each time: neighbours on the disk never stay together
};

class MessageSource {
 public:
  inline static const std::vector<std::string_view> kOptions = {"--body", "--layout", "--groups"};
  inline static const std::vector<std::string_view> kFlags = {"--fifo"};

  /// --body BYTES, --layout none|rounds|runs|scattered, --groups N, --fifo (deduplication ids, never the same twice).
  explicit MessageSource(const Arguments& arguments);
  std::vector<OutgoingMessage> take(std::size_t count);

 private:
  std::uint64_t group_of(std::uint64_t index) const;

  std::string body_;
  Layout layout_;
  std::uint64_t groups_;
  bool fifo_;
  std::string prefix_;  // of deduplication ids, another one in each process
  std::uint64_t next_ = 0;
};

}  // namespace ferry::bench
