#pragma once
// What the writer and the readers of a chain share: its files, its own events, its signatures, and reading it line by line.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/record.h"
#include "base/file.h"
#include "base/result.h"

namespace ferry::audit {

// Events of the chain itself. Each has the field `chain`; those with a key also `key` and `signature`.
inline constexpr std::string_view kChainOpened = "chain-opened";        ///< first line of a chain
inline constexpr std::string_view kChainContinued = "chain-continued";  ///< first line of each further file
inline constexpr std::string_view kChainResumed = "chain-resumed";      ///< a new process goes on with the chain
inline constexpr std::string_view kChainRepaired = "chain-repaired";    ///< the same, and bytes before it are a torn write
inline constexpr std::string_view kChainClosed = "chain-closed";        ///< its writer has ended in order
inline constexpr std::string_view kCheckpoint = "checkpoint";

/// A file is called audit-NN-SSSSSSSSSSSS.jsonl: the number of the chain in its folder, and the seq of the file's first line.
struct ChainFile {
  std::string path;
  std::string chain;  ///< FOLDER/audit-NN; the path of a file that is called otherwise
  std::uint64_t first_seq = 0;
  std::uint64_t bytes = 0;
};
inline constexpr int kChainsMax = 64;  ///< of a folder: writers at a time
std::string chain_file_name(int number, std::uint64_t first_seq);
/// NotFound: no such path. Of folders the files of chains, of other paths themselves; by chain, each in its order.
Result<std::vector<ChainFile>> find_chain_files(FileSystem& files, const std::vector<std::string>& paths);

/// What the signature of a line of the chain covers: the chain, the line's number, and with `prev` every line before it.
std::string signed_text(std::string_view chain, std::uint64_t seq, std::string_view prev);

/// Reads a file line by line.
class LineReader {
 public:
  explicit LineReader(std::unique_ptr<File> file) : file_(std::move(file)) {}

  struct Line {
    std::string text;         ///< without its break; of one over kLineBytesMax only so much and one byte
    std::uint64_t bytes = 0;  ///< of the whole line, its break included
    bool ended = false;       ///< by a line break, not by the end of the file
  };
  /// Nothing at the end of the file.
  Result<std::optional<Line>> next();

 private:
  Result<bool> fill();
  std::unique_ptr<File> file_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t offset_ = 0;
};

/// Where a file that was written to last can be gone on with.
struct ChainEnd {
  std::optional<Record> last;     ///< the last whole line; nothing when there is none
  std::string last_hash;          ///< of it
  std::uint64_t bytes = 0;        ///< of the file
  std::string torn;               ///< bytes behind the last whole line that are no line
  bool lacks_line_break = false;  ///< the last whole line is whole but for its break; then nothing is torn
};
/// Corrupt: more than 128 KiB at its end are no lines.
Result<ChainEnd> read_chain_end(File& file, const std::string& path);

}  // namespace ferry::audit
