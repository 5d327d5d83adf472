#pragma once
// What a replay has done with each message between sending it and deleting it, in a file, so that a run that was killed is gone
// on with: a message that was sent is deleted by the next run, not sent again.
//
// The file is text. First line: "ferry-replay 1 QUEUE-URL". Then a line a step: "sending ID MS" (when, in milliseconds of
// Unix time), "sent ID", "kept ID" (it was refused and stays), "gone ID" (deleted). The last line of an id counts; a last line
// without its end counts for nothing. A change of the format gets a new number; what has another number is refused, never
// guessed.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"

namespace ferry::cli {

/// One thread at a time.
class ReplayState {
 public:
  /// Reads the file, or makes an empty one (for its owner alone, with the folders above it), and locks PATH.lock as long as the
  /// object lives. Busy: another replay uses it. Corrupt: it belongs to another queue, or has a line that is none of ours.
  static Result<std::unique_ptr<ReplayState>> open(FileSystem& files, const std::string& path, const std::string& queue_url);

  enum class Known {
    Nothing,
    Doubtful,  ///< an earlier run was about to send it; whether it did is not known
    Sent,
  };
  Known known(const std::string& id) const;

  /// Durable on return, as are sent() and kept(). InvalidArgument: an id that is empty, longer than 100 characters, or has a
  /// character that is not printable ASCII.
  Result<void> sending(std::span<const std::string> ids, Timestamp now);
  Result<void> sent(std::span<const std::string> ids) { return step("sent", ids); }
  Result<void> kept(std::span<const std::string> ids) { return step("kept", ids); }
  /// Not durable: losing it costs nothing, for the message does not come again.
  Result<void> gone(std::span<const std::string> ids);

  std::size_t open_count() const { return known_.size(); }  ///< sent or doubtful, and not known to be deleted
  /// When something was last about to be sent, by any run since the file was empty.
  std::optional<Timestamp> newest() const { return newest_; }
  /// There is nothing left to remember: removes the file. The object must not be used for more.
  Result<void> forget();

 private:
  ReplayState(FileSystem& files, std::string path, std::string header, std::unique_ptr<FileLock> lock)
      : files_(files), path_(std::move(path)), header_(std::move(header)), lock_(std::move(lock)) {}
  Result<void> load();
  Result<void> take_line(std::string_view line, std::size_t number);
  Result<void> step(std::string_view word, std::span<const std::string> ids, std::string_view tail = {});
  Result<void> append(std::string_view word, std::span<const std::string> ids, std::string_view tail);
  void note(std::string_view word, const std::string& id);
  Result<void> start_over();

  FileSystem& files_;
  const std::string path_;
  const std::string header_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<File> file_;
  std::uint64_t bytes_ = 0;
  std::optional<Timestamp> newest_;
  std::unordered_map<std::string, Known> known_;
};

/// $XDG_STATE_HOME/ferry/replay-HASH, or ~/.local/state/ferry/replay-HASH; one for each queue. Empty when neither is set.
std::string default_state_path(std::string_view xdg_state_home, std::string_view home, std::string_view queue_url);

}  // namespace ferry::cli
