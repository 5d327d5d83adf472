// The state file of a replay: what is known after any death, and what is refused.

#include <gtest/gtest.h>

#include <filesystem>

#include "../worker/capture.h"
#include "base/posix_file.h"
#include "cli/dlq_state.h"

namespace ferry::cli {
namespace {
using Known = ReplayState::Known;
using Ids = std::vector<std::string>;
using worker::testing_support::TemporaryFolder;

const Timestamp kNow = from_epoch_millis(5'000);
constexpr const char* kHeader = "ferry-replay 1 http://h/1/dead\n";

class State : public ::testing::Test {
 protected:
  Result<std::unique_ptr<ReplayState>> open(const std::string& url = "http://h/1/dead") {
    return ReplayState::open(files_, path_, url);
  }
  std::unique_ptr<ReplayState> open_well() {
    auto state = open();
    EXPECT_TRUE(state) << state.error().message;
    return state ? std::move(*state) : nullptr;
  }
  std::string open_fault() {
    const auto state = open();
    return state ? "none" : state.error().message;
  }

  TemporaryFolder folder_;
  PosixFileSystem files_;
  std::string path_ = folder_.file("deep/state");
};

TEST_F(State, ANextRunKnowsWhatWasSentAndWhatIsDoubtful) {
  {
    const auto state = open_well();
    ASSERT_TRUE(state->sending(Ids{"a", "b", "c", "d"}, kNow));
    ASSERT_TRUE(state->sent(Ids{"a", "b"}));
    ASSERT_TRUE(state->kept(Ids{"d"}));
    ASSERT_TRUE(state->gone(Ids{"a"}));
  }
  const auto state = open_well();
  EXPECT_EQ(state->known("a"), Known::Nothing);
  EXPECT_EQ(state->known("b"), Known::Sent);
  EXPECT_EQ(state->known("c"), Known::Doubtful);
  EXPECT_EQ(state->known("d"), Known::Nothing);
  EXPECT_EQ(state->open_count(), 2u);
  EXPECT_EQ(state->newest(), kNow);
}

TEST_F(State, IsForItsOwnerAlone) {
  const auto state = open_well();
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(std::filesystem::status(folder_.file("deep")).permissions(), std::filesystem::perms(0700));
}

TEST_F(State, OneReplayAtATime) {
  const auto state = open_well();
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Busy);
  EXPECT_NE(second.error().message.find("another replay is at it"), std::string::npos);
}

TEST_F(State, ATornEndCountsForNothingAndIsCutOff) {
  const std::string whole = std::string(kHeader) + "sending a 5000\nsent a\n";
  std::filesystem::create_directories(folder_.file("deep"));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    folder_.write("deep/state", whole.substr(0, cut));
    const auto state = open_well();
    ASSERT_NE(state, nullptr) << cut;
    const std::size_t sending_end = std::string(kHeader).size() + 15;
    EXPECT_EQ(state->known("a"), cut >= sending_end ? Known::Doubtful : Known::Nothing) << cut;
    ASSERT_TRUE(state->sent(Ids{"z"}));
    EXPECT_EQ(folder_.read("deep/state").find('\0'), std::string::npos);
    EXPECT_TRUE(folder_.read("deep/state").ends_with("\nsent z\n")) << cut;
  }
}

TEST_F(State, WhatIsNoneOfOursIsRefusedWithItsPlace) {
  std::filesystem::create_directories(folder_.file("deep"));
  folder_.write("deep/state", "ferry-replay 1 http://h/1/other\n");
  EXPECT_NE(
      open_fault().find("is not the state of a replay of this queue (it starts with \"ferry-replay 1 http://h/1/other\"); name "
                        "another file with --state"),
      std::string::npos)
      << open_fault();
  folder_.write("deep/state", "ferry-replay 2 http://h/1/dead\n");
  EXPECT_NE(open_fault().find("is not the state"), std::string::npos);
  for (const char* line : {"sent", "sent ", "bogus a", "sending a", "sending a x", "sent a b", ""}) {
    folder_.write("deep/state", std::string(kHeader) + "sent a\n" + line + "\n");
    EXPECT_NE(open_fault().find("deep/state:3: "), std::string::npos) << line << open_fault();
  }
}

TEST_F(State, IdsHaveABound) {
  const auto state = open_well();
  EXPECT_TRUE(state->sent(Ids{std::string(100, 'x')}));
  EXPECT_FALSE(state->sent(Ids{std::string(101, 'x')}));
  EXPECT_FALSE(state->sent(Ids{""}));
  EXPECT_FALSE(state->sent(Ids{"a b"}));
  EXPECT_FALSE(state->sent(Ids{"a\nb"}));
}

TEST_F(State, AnEmptyStateDoesNotGrow) {
  const auto state = open_well();
  Ids ids;
  for (int i = 0; i < 10; ++i) ids.push_back(std::string(90, 'x') + std::to_string(i));
  std::uintmax_t largest = 0;
  for (int round = 0; round < 300; ++round) {
    ASSERT_TRUE(state->sending(ids, kNow));
    ASSERT_TRUE(state->sent(ids));
    ASSERT_TRUE(state->gone(ids));
    largest = std::max(largest, std::filesystem::file_size(path_));
  }
  EXPECT_LT(largest, 300'000u);
  ASSERT_TRUE(state->sent(Ids{"last"}));
  EXPECT_TRUE(folder_.read("deep/state").ends_with("sent last\n"));
}

TEST_F(State, ForgettingLeavesNoFile) {
  const auto state = open_well();
  ASSERT_TRUE(state->forget());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST(StatePath, IsOnePerQueue) {
  const std::string a = default_state_path("/s", "/h", "http://h/1/a");
  EXPECT_TRUE(a.starts_with("/s/ferry/replay-")) << a;
  EXPECT_NE(a, default_state_path("/s", "/h", "http://h/1/b"));
  EXPECT_TRUE(default_state_path("", "/h", "q").starts_with("/h/.local/state/ferry/replay-"));
  EXPECT_TRUE(default_state_path("relative", "/h", "q").starts_with("/h/.local/state/"));
  EXPECT_EQ(default_state_path("", "", "q"), "");
}
}  // namespace
}  // namespace ferry::cli
