#pragma once
// What became of one request, out of the lines that speak of it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/record.h"
#include "base/file.h"
#include "base/result.h"

namespace ferry::audit {

struct StoryLine {
  std::string file;
  std::uint64_t line = 0;  ///< counted from 1
  std::string chain;       ///< FOLDER/audit-NN
  std::string json;        ///< as it stands there
  Record record;
};

struct Story {
  std::vector<StoryLine> lines;             ///< by time; of one chain in its order
  std::vector<std::string> other_messages;  ///< messages that carried the same request id
};
inline constexpr std::size_t kStoryLinesMax = 10'000;

/// The lines whose message id, request id or trace id is `id`. Reads every byte of the files. NotFound: no audit trail in
/// `paths`. No line speaks of it: an empty story. Over kStoryLinesMax lines: NoSpace. Says nothing about whether the chain is
/// whole: verify().
Result<Story> find_story(FileSystem& files, const std::vector<std::string>& paths, std::string_view id);

/// One line as a sentence, without its time; control characters escaped. Lines of output follow, indented, one a line.
std::string tell(const Record& record);

}  // namespace ferry::audit
