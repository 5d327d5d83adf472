// What a long start tells, and what it says afterwards that it took.

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "rig.h"

namespace ferry::test {
namespace {

// Each piece and each record takes 400 ms.
class SlowOwner final : public store::Owner {
 public:
  SlowOwner(store::Owner& owner, ManualClock& clock) : owner_(owner), clock_(clock) {}
  Result<void> restore_piece(std::span<const std::byte> piece) override {
    clock_.advance(Millis(400));
    return owner_.restore_piece(piece);
  }
  Result<void> replay(store::Position position, const store::Location& location, std::span<const std::byte> payload) override {
    clock_.advance(Millis(400));
    return owner_.replay(position, location, payload);
  }
  Result<void> recovered() override { return owner_.recovered(); }
  void on_durable(store::Position position) override { owner_.on_durable(position); }
  void on_failed(const Error& error) override { owner_.on_failed(error); }
  Result<store::Position> write_checkpoint(store::CheckpointSink& sink) override { return owner_.write_checkpoint(sink); }
  void relocate(const store::Location& from, std::span<const std::byte> payload) override { owner_.relocate(from, payload); }

 private:
  store::Owner& owner_;
  ManualClock& clock_;
};

int lines_with(const std::string& text, std::string_view words) {
  int lines = 0;
  for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++lines;
  return lines;
}

TEST(JournalProgress, ALongStartTellsHowFarItIs) {
  Rig rig;
  ASSERT_TRUE(rig.start());
  ASSERT_TRUE(rig.owner->put(0, "in the checkpoint"));
  rig.checkpoint();
  for (std::uint32_t key = 1; key <= 10; ++key) {
    ASSERT_TRUE(rig.owner->put(key, "in the log"));
    rig.commit();
  }
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Logger log{rig.clock, LogLevel::Info, LogFormat::Text, ends[1]};
  RecordingFileSystem files(rig.image(CrashMode::Everything));
  MapOwner owner;
  SlowOwner slow(owner, rig.clock);
  store::Journal journal(files, rig.clock, rig.random, log, small_options());
  owner.attach(journal);
  ASSERT_TRUE(journal.recover(slow));
  close(ends[1]);
  std::string told;
  char buffer[4096];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) told.append(buffer, static_cast<std::size_t>(got));
  close(ends[0]);
  // More than four seconds in steps of 400 ms: a line each 1,200 ms.
  EXPECT_EQ(lines_with(told, "recovering step=log percent="), 4) << told;
  const auto& recovery = journal.recovery();
  EXPECT_GE(recovery.replayed_records, 10u);
  EXPECT_EQ(recovery.replay_time, Millis(400) * recovery.replayed_records);
  EXPECT_EQ(recovery.checkpoint_time % Millis(400), Millis(0));
  EXPECT_GT(recovery.checkpoint_time, Millis(0));
  EXPECT_GT(recovery.checkpoint_bytes, 0u);
}

}  // namespace
}  // namespace ferry::test
