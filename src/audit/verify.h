#pragma once
// Whether chains are whole, and if not: which file, which line, what.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "audit/chain.h"
#include "base/ed25519.h"
#include "base/file.h"
#include "base/result.h"

namespace ferry::audit {

/// Whose signatures are believed, and what is known from elsewhere.
struct VerifyOptions {
  std::map<std::string, Ed25519Public> keys;  ///< by ed25519_key_id(); empty: signatures are counted, not checked
  std::vector<std::string> known_lines;       ///< lines of these chains that were kept elsewhere, without line breaks
};

struct Fault {
  std::string file;
  std::uint64_t line = 0;  ///< counted from 1; 0: the file as a whole
  std::string what;        ///< a sentence part
};

enum class ChainState {
  Closed,  ///< its writer ended in order
  Open,    ///< its writer is at work, was killed, or lines at the end were taken away
  Torn,    ///< the same, in the middle of a line; the next writer repairs it
};

struct ChainReport {
  std::string name;  ///< FOLDER/audit-NN
  std::string id;    ///< empty when no line names it
  std::uint64_t files = 0;
  std::uint64_t lines = 0;
  std::uint64_t first_seq = 0;  ///< over 1: the files before it are not here
  std::uint64_t last_seq = 0;
  std::string first_time;
  std::string last_time;
  std::uint64_t repairs = 0;  ///< torn writes, on record
  std::uint64_t signed_lines = 0;
  std::uint64_t signed_seq = 0;  ///< the last line with a signature that was checked, or with any when no key is known
  ChainState state = ChainState::Open;
};

struct VerifyReport {
  std::vector<ChainReport> chains;
  std::vector<Fault> faults;  ///< at most kFaultsMax
  std::uint64_t faults_left_out = 0;
  bool whole() const { return faults.empty(); }
};
inline constexpr std::size_t kFaultsMax = 100;

/// Reads every byte. NotFound: no such path, or no audit trail in it.
Result<VerifyReport> verify(FileSystem& files, const std::vector<std::string>& paths, const VerifyOptions& options);

}  // namespace ferry::audit
