// The text of systemd units: what systemd would change in a word is written so that it does not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/unit_text.h"

namespace ferry::cli {
namespace {
using ::testing::HasSubstr;
using ::testing::Not;

TEST(UnitWord, StaysWhatItIs) {
  EXPECT_EQ(unit_word("plain-1.0/x:y@z"), "plain-1.0/x:y@z");
  EXPECT_EQ(unit_word(""), "\"\"");
  EXPECT_EQ(unit_word("a b"), "\"a b\"");
  EXPECT_EQ(unit_word("100%"), "100%%");
  EXPECT_EQ(unit_word("$HOME"), "$$HOME");
  EXPECT_EQ(unit_word("say \"hi\" \\ 'x'; #"), "\"say \\\"hi\\\" \\\\ 'x'; #\"");
  EXPECT_FALSE(unit_word("two\nlines"));
  EXPECT_FALSE(unit_word(std::string_view("\0", 1)));
}

TEST(UnitName, HasOnlyWhatAUnitMayHave) {
  EXPECT_EQ(unit_name("work", "orders.fifo"), "ferry-work-orders-fifo");
  EXPECT_EQ(unit_name("poll", "A_b-1"), "ferry-poll-A_b-1");
}

UnitInput input() {
  UnitInput input;
  input.name = "ferry-work-q";
  input.queue = "q";
  input.argv = {"/usr/bin/ferry", "work", "q", "--config", "/etc/my ferry/handoff.toml"};
  input.stop_time = Millis(40'001);
  input.credentials_file = "/etc/ferry/q.env";
  return input;
}

TEST(Units, AServiceIsStoppedAsTheWorkerNeedsIt) {
  const std::string text = service_unit(input());
  EXPECT_THAT(text, HasSubstr("\nExecStart=/usr/bin/ferry work q --config \"/etc/my ferry/handoff.toml\"\n"));
  EXPECT_THAT(text, HasSubstr("\nType=notify\n"));
  EXPECT_THAT(text, HasSubstr("\nKillMode=mixed\n"));
  EXPECT_THAT(text, HasSubstr("\nTimeoutStopSec=41\n")) << "rounded up";
  EXPECT_THAT(text, HasSubstr("\nRestart=on-failure\n"));
  EXPECT_THAT(text, HasSubstr("\nRestartPreventExitStatus=2 3 4\n"));
  EXPECT_THAT(text, HasSubstr("\nDynamicUser=yes\n"));
  EXPECT_THAT(text, HasSubstr("\nProtectHome=yes\n"));
  for (const char* wall : {"NoNewPrivileges=yes", "ProtectSystem=strict", "StateDirectory=ferry-work-q", "PrivateTmp=yes"})
    EXPECT_THAT(text, HasSubstr(std::string("\n") + wall + "\n"));
}

TEST(Units, AUserAndHiddenPlaces) {
  UnitInput own = input();
  own.user = "worker";
  own.read_paths = {"/home/me/my conf"};
  const std::string text = service_unit(own);
  EXPECT_THAT(text, HasSubstr("\nUser=worker\n"));
  EXPECT_THAT(text, Not(HasSubstr("DynamicUser")));
  EXPECT_THAT(text, HasSubstr("\nProtectHome=tmpfs\n"));
  EXPECT_THAT(text, HasSubstr("\nBindReadOnlyPaths=\"/home/me/my conf\"\n"));
}

TEST(Units, APollIsDoneAtWorkLeft) {
  const std::string text = oneshot_unit(input());
  EXPECT_THAT(text, HasSubstr("\nType=oneshot\n"));
  EXPECT_THAT(text, HasSubstr("\nSuccessExitStatus=6 143\n"));
  EXPECT_THAT(text, Not(HasSubstr("[Install]")));
  const std::string timer = timer_unit(input(), Seconds(300));
  EXPECT_THAT(timer, HasSubstr("\nOnUnitInactiveSec=300\n"));
  EXPECT_THAT(timer, HasSubstr("\nRandomizedDelaySec=30\n"));
}
}  // namespace
}  // namespace ferry::cli
