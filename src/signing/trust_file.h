#pragma once
// The file of allowed senders while a worker runs: read again when it has changed, so that a key can be taken back without a
// restart.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "signing/trust.h"

namespace ferry::signing {

/// How often the file is looked at, at most.
inline constexpr Millis kTrustFileLookInterval{1'000};

/// Thread-safe.
class TrustFile {
 public:
  /// Told what became of a new version of the file. Called by whoever uses current(); must not call back.
  enum class News { Taken, Refused };
  using Tell = std::function<void(News, std::string_view text)>;

  /// Reads the file now. `clock` outlives the object. The errors of load_allowed_senders().
  static Result<std::unique_ptr<TrustFile>, TrustErrors> open(std::string path, const Clock& clock, Tell tell);
  TrustFile(const TrustFile&) = delete;
  TrustFile& operator=(const TrustFile&) = delete;

  /// Who is trusted now. When the last look is kTrustFileLookInterval ago, looks at the file (one stat call), and reads it when
  /// it is another one: by its inode, size and times. A file that cannot be used changes nothing, and is told once: whoever was
  /// trusted still is, and whoever was not is not.
  std::shared_ptr<const Trust> current();
  /// The next current() reads the file whether it looks changed or not, and tells the outcome. May be called from anywhere.
  void reload() { reload_.store(true); }

 private:
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;  // -1: there is none
    std::int64_t changed_seconds = 0;
    std::int64_t changed_nanos = 0;
    std::int64_t written_seconds = 0;
    std::int64_t written_nanos = 0;
    bool operator==(const Identity&) const = default;
  };
  TrustFile(std::string path, const Clock& clock, Tell tell);
  Identity look() const;
  void read_again();

  const std::string path_;
  const Clock& clock_;
  const Tell tell_;
  std::atomic<bool> reload_{false};
  std::mutex mutex_;
  std::shared_ptr<const Trust> trust_;  // guarded by mutex_, like the rest; shared with checks that are under way
  Identity read_;                       // of what was read last, whether it could be used or not
  SteadyTime next_look_;
};

}  // namespace ferry::signing
