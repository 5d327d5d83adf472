#pragma once
// A journal without threads on a disk in memory, and its owner.

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/manual_clock.h"
#include "base/random.h"
#include "store/journal/journal.h"
#include "support/store/map_owner.h"
#include "support/store/recording_file_system.h"

namespace ferry::test {

constexpr std::uint32_t kSmallSegment = 64 * 1024;

inline store::JournalOptions small_options() {
  store::JournalOptions options;
  options.folder = "/data";
  options.segment_first_bytes = options.segment_max_bytes = kSmallSegment;
  options.group_bytes_max = 16 * 1024;
  options.reserve_bytes = 16 * 1024;
  options.ballast_bytes = 4096;
  options.checkpoint_log_bytes = 1u << 30;
  options.cache_bytes = 16 * 1024;
  options.read_cache_bytes = 64 * 1024;
  options.threads = store::JournalOptions::Threads::None;
  return options;
}

class Rig {
 public:
  explicit Rig(DiskImage image = {}, store::JournalOptions options = small_options(), std::uint64_t seed = 1)
      : random(seed), files(std::move(image)), options_(std::move(options)) {
    open();
  }

  /// Another journal on the same files, as after the process was killed.
  Result<void> reopen() {
    journal.reset();
    open();
    return start();
  }
  Result<void> start() { return journal->recover(*owner); }
  void commit() {
    while (journal->commit_step()) {
    }
  }
  void maintain() {
    for (int rounds = 0; rounds < 10'000; ++rounds) {
      if (!journal->commit_step() && !journal->maintain_step()) return;
    }
    FAIL() << "the maintenance never ends";
  }
  void checkpoint() {
    journal->request_checkpoint();
    maintain();
  }
  DiskImage image(CrashMode mode) { return files.image(mode, random); }
  MapOwner::Reading read_all() {
    return owner->read_all([this] {
      while (journal->read_step()) {
      }
    });
  }
  MapOwner::State state() {
    auto reading = read_all();
    for (const auto& [key, error] : reading.damaged) ADD_FAILURE() << key << ": " << error.message;
    return reading.state;
  }

  ManualClock clock;
  SeededRandom random;
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  RecordingFileSystem files;
  std::unique_ptr<MapOwner> owner;
  std::unique_ptr<store::Journal> journal;

 private:
  void open() {
    owner = std::make_unique<MapOwner>();
    journal = std::make_unique<store::Journal>(files, clock, random, log, options_);
    owner->attach(*journal);
  }
  store::JournalOptions options_;
};

inline std::string segment_path(std::uint32_t number) {
  return "/data/" + store::segment_name(number);
}

}  // namespace ferry::test
