#pragma once
// What the contract tests need of a store besides its interface: to let time pass, and to make it suffer.

#include <memory>

#include "base/log.h"
#include "base/manual_clock.h"
#include "base/random.h"
#include "store/journal/journal.h"
#include "store/simulated/simulated_store.h"
#include "support/store/map_owner.h"
#include "support/store/recording_file_system.h"

namespace ferry::test {

class StoreHarness {
 public:
  virtual ~StoreHarness() = default;
  virtual store::Store& store() = 0;
  virtual Result<void> recover(store::Owner& owner) = 0;
  /// Everything published becomes durable.
  virtual void commit() = 0;
  /// Answers the reads that wait.
  virtual void run_reads() = 0;
  virtual void checkpoint() = 0;
  virtual void compact() = 0;
  /// The machine stops; store() is another one from now on, to be recovered.
  virtual void crash() = 0;
  virtual void break_disk() = 0;
  /// From now on new messages find no space, until there is some again.
  virtual void fill_disk() = 0;
  virtual void free_disk() = 0;
  /// Bytes that a payload may have at most.
  virtual std::uint32_t payload_bytes_max() const = 0;
};

class SimulatedHarness final : public StoreHarness {
 public:
  store::Store& store() override { return *store_; }
  Result<void> recover(store::Owner& owner) override { return store_->recover(owner); }
  void commit() override { store_->sync_all(); }
  void run_reads() override { store_->run_reads(); }
  void checkpoint() override { ASSERT_TRUE(store_->checkpoint()); }
  void compact() override { store_->compact(); }
  void crash() override { store_ = store_->crash(); }
  void break_disk() override { store_->fail(Error{ErrorKind::Io, "the disk broke"}); }
  void fill_disk() override { store_->set_reserve_error(store::Purpose::Growth, ErrorKind::NoSpace); }
  void free_disk() override { store_->set_reserve_error(store::Purpose::Growth, std::nullopt); }
  std::uint32_t payload_bytes_max() const override { return 4u << 20; }

 private:
  std::unique_ptr<store::SimulatedStore> store_ = std::make_unique<store::SimulatedStore>();
};

class JournalHarness final : public StoreHarness {
 public:
  static constexpr std::uint32_t kSegmentBytes = 64 * 1024;
  JournalHarness() { open(); }
  store::Store& store() override { return *store_; }
  Result<void> recover(store::Owner& owner) override { return store_->recover(owner); }
  void commit() override {
    while (store_->commit_step() || store_->maintain_step()) {
    }
  }
  void run_reads() override {
    while (store_->read_step()) {
    }
  }
  void checkpoint() override {
    const auto before = store_->stats().checkpoints;
    store_->request_checkpoint();
    commit();
    ASSERT_GT(store_->stats().checkpoints, before);
  }
  void compact() override { commit(); }
  void crash() override {
    DiskImage image = files_->image(CrashMode::OnlySynced, random_);
    store_.reset();
    files_ = std::make_unique<RecordingFileSystem>(std::move(image));
    open();
  }
  void break_disk() override {
    files_->fail(RecordingFileSystem::Kind::Write, 1, ErrorKind::Io, RecordingFileSystem::Times::FromThenOn);
    store::Reservation reservation = *store_->reserve(std::array{store::RecordShape{1, false}}, store::Purpose::Upkeep);
    store_->publish(std::move(reservation));
    commit();
  }
  void fill_disk() override {
    files_->set_capacity(1);
    for (const std::uint32_t bytes : {16u * 1024, 1u}) {
      const store::RecordShape shape{bytes, true};
      while (auto reservation = store_->reserve(std::span(&shape, 1), store::Purpose::Growth)) {
        store_->publish(std::move(*reservation));
        commit();
      }
    }
  }
  void free_disk() override {
    files_->set_capacity(0);
    clock_.advance(Seconds(60));
    commit();
  }
  std::uint32_t payload_bytes_max() const override {
    return kSegmentBytes - store::kBlockBytes - store::kGroupHeaderBytes - store::kRecordHeaderBytes;
  }

 private:
  void open() {
    store::JournalOptions options;
    options.folder = "/data";
    options.segment_first_bytes = options.segment_max_bytes = kSegmentBytes;
    options.reserve_bytes = kSegmentBytes;
    options.ballast_bytes = 4096;
    options.checkpoint_log_bytes = 1u << 30;
    options.cache_bytes = 32 * 1024;
    options.threads = store::JournalOptions::Threads::None;
    store_ = std::make_unique<store::Journal>(*files_, clock_, random_, log_, options);
  }
  ManualClock clock_;
  SeededRandom random_{1};
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  std::unique_ptr<RecordingFileSystem> files_ = std::make_unique<RecordingFileSystem>();
  std::unique_ptr<store::Journal> store_;
};

}  // namespace ferry::test
