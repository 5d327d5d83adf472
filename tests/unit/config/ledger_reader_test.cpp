// [ledger] of handoff.toml, and what requests say about it.

#include <gtest/gtest.h>

#include "config/handoff.h"

namespace ferry::config {
namespace {

Handoff read(const std::string& text) {
  auto parsed = parse_handoff({text, "handoff.toml", "/srv/ferry"});
  if (!parsed) throw std::runtime_error(parsed.error().text());
  return *parsed;
}
std::string errors_of(const std::string& text) {
  const auto parsed = parse_handoff({text, "handoff.toml", "/srv/ferry"});
  return parsed ? "" : parsed.error().text();
}

TEST(LedgerSettings, AreOnAtTheDefaultPlaceWithoutAWord) {
  const Handoff handoff = read("[request.Enable]\nhandler = [\"true\"]\n");
  EXPECT_TRUE(handoff.ledger.enabled);
  EXPECT_EQ(handoff.ledger.place, "");
  EXPECT_EQ(handoff.ledger.retention, std::chrono::hours(24 * 30));
  EXPECT_EQ(handoff.find("Enable")->ledger.on_lost, OnLost::Retry);
  EXPECT_FALSE(handoff.find("Enable")->ledger.require_key);
}

TEST(LedgerSettings, EveryKeyIsRead) {
  const Handoff handoff = read(
      "[ledger]\nenabled = false\npath = \"state/done.db\"\nretention = \"60d\"\n"
      "[request.Enable]\nhandler = [\"true\"]\non_lost = \"park\"\nrequire_key = true\n");
  EXPECT_FALSE(handoff.ledger.enabled);
  EXPECT_EQ(handoff.ledger.place, "/srv/ferry/state/done.db");
  EXPECT_EQ(handoff.ledger.retention, std::chrono::hours(24 * 60));
  EXPECT_EQ(handoff.find("Enable")->ledger.on_lost, OnLost::Park);
  EXPECT_TRUE(handoff.find("Enable")->ledger.require_key);
}

TEST(LedgerSettings, AServersAddressStaysAsItIs) {
  EXPECT_EQ(read("[ledger]\npath = \"postgresql://db/ferry\"\n").ledger.place, "postgresql://db/ferry");
  EXPECT_EQ(read("[ledger]\npath = \"postgres://db/ferry\"\n").ledger.place, "postgres://db/ferry");
  EXPECT_EQ(read("[ledger]\npath = \"/var/lib/done.db\"\n").ledger.place, "/var/lib/done.db");
}

TEST(LedgerSettings, EveryErrorIsToldWithItsLine) {
  EXPECT_EQ(errors_of("[ledger]\nenabled = 1\npath = \"mysql://db\"\nretentoin = \"1d\"\n"
                      "[request.Enable]\nhandler = [\"true\"]\non_lost = \"prak\"\n"),
            "handoff.toml:2: ledger.enabled must be true or false, not an integer\n"
            "handoff.toml:3: ledger.path must be a file, or postgresql://HOST/DATABASE\n"
            "handoff.toml:4: unknown key ledger.retentoin; did you mean retention?\n"
            "handoff.toml:7: request.Enable.on_lost is \"prak\"; there are retry and park; did you mean park?");
  EXPECT_NE(errors_of("[ledger]\npath = \"\"\n").find("handoff.toml:2: ledger.path is empty"), std::string::npos);
  EXPECT_NE(errors_of("ledger = 5\n").find("handoff.toml:1: ledger must be a table"), std::string::npos);
  EXPECT_NE(errors_of("[request.E]\nhandler = [\"true\"]\nrequire_key = \"yes\"\n").find("handoff.toml:3: request.E.require_key"),
            std::string::npos);
}

TEST(LedgerSettings, TheRetentionIsFromAnHourToTenYears) {
  EXPECT_EQ(errors_of("[ledger]\nretention = \"1h\"\n"), "");
  EXPECT_NE(errors_of("[ledger]\nretention = \"3599999ms\"\n"), "");
  EXPECT_EQ(errors_of("[ledger]\nretention = \"3650d\"\n"), "");
  EXPECT_NE(errors_of("[ledger]\nretention = \"315360001s\"\n"), "");
}

}  // namespace
}  // namespace ferry::config
