// [trust], [audit] and [sender] of handoff.toml.

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

TEST(TrustTables, AreAbsentByDefault) {
  const Handoff handoff = read("");
  EXPECT_EQ(handoff.trust.senders, "");
  EXPECT_EQ(handoff.audit.folder, "");
  EXPECT_EQ(handoff.sender.key, "");
}

TEST(TrustTables, AreReadWithPathsFromTheFilesFolder) {
  const Handoff handoff = read(
      "[trust]\nsenders = \"allowed-senders.toml\"\nunsigned = \"allow\"\n"
      "[audit]\nfolder = \"/var/log/ferry\"\nkey = \"worker\"\ncheckpoints = \"../kept\"\nsync_interval = \"2s\"\n"
      "[sender]\nkey = \"./my.key\"\n");
  EXPECT_EQ(handoff.trust.senders, "/srv/ferry/allowed-senders.toml");
  EXPECT_EQ(handoff.trust.unsigned_messages, UnsignedMessages::Allow);
  EXPECT_EQ(handoff.audit.folder, "/var/log/ferry");
  EXPECT_EQ(handoff.audit.key, "worker");
  EXPECT_EQ(handoff.audit.checkpoints, "/srv/kept");
  EXPECT_EQ(handoff.audit.sync_interval, Seconds(2));
  EXPECT_EQ(handoff.sender.key, "/srv/ferry/my.key");
}

TEST(TrustTables, RefuseUnsignedMessagesUnlessToldOtherwise) {
  EXPECT_EQ(read("[trust]\nsenders = \"x\"\n").trust.unsigned_messages, UnsignedMessages::Refuse);
  EXPECT_EQ(read("[trust]\nsenders = \"x\"\nunsigned = \"refuse\"\n").trust.unsigned_messages, UnsignedMessages::Refuse);
}

TEST(TrustTables, EveryErrorIsToldWithItsLine) {
  EXPECT_EQ(errors_of("[trust]\nunsigned = \"maybe\"\n[audit]\nfoldr = \"x\"\n[sender]\nkey = \"\"\n"),
            "handoff.toml:1: trust.senders is missing: the file that says who may ask for what\n"
            "handoff.toml:2: trust.unsigned must be \"refuse\" or \"allow\"\n"
            "handoff.toml:3: audit.folder is missing: where the trail is written\n"
            "handoff.toml:4: unknown key audit.foldr; did you mean folder?\n"
            "handoff.toml:6: sender.key is empty; it is the name of a key (ferry key ls) or the path of a key file");
  EXPECT_NE(errors_of("trust = 5\n").find("handoff.toml:1: trust must be a table"), std::string::npos);
  EXPECT_NE(errors_of("[trust]\nsenders = \"\"\n").find("trust.senders is empty"), std::string::npos);
  EXPECT_NE(errors_of("[audit]\nfolder = \"x\"\ncheckpoints = \"y\"\n").find("audit.checkpoints has no use without a key"),
            std::string::npos);
}

TEST(TrustTables, TheSyncIntervalIsAtMostAMinute) {
  EXPECT_EQ(errors_of("[audit]\nfolder = \"x\"\nsync_interval = \"60s\"\n"), "");
  EXPECT_EQ(errors_of("[audit]\nfolder = \"x\"\nsync_interval = 0\n"), "");
  EXPECT_NE(errors_of("[audit]\nfolder = \"x\"\nsync_interval = \"60001ms\"\n"), "");
}

}  // namespace
}  // namespace ferry::config
