// The file of allowed senders: what it may hold, and every error with its line.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "signing_fixture.h"

namespace ferry::signing {
namespace {

using testing_support::make_key;

std::string line_of(std::uint64_t seed) {
  return format_public_key(make_key(seed).public_key());
}

std::string sender(const std::string& more, std::uint64_t seed = 1) {
  return "[sender.alice]\nkey = \"" + line_of(seed) + "\"\n" + more;
}

std::string errors_of(const std::string& text) {
  const auto parsed = parse_allowed_senders(text, "a.toml");
  return parsed ? "" : parsed.error().text();
}

constexpr const char* kRights = "requests = [\"Enable\"]\nqueues = [\"work\"]\n";

TEST(AllowedSenders, AreReadWhole) {
  const auto parsed = parse_allowed_senders("clock_skew = \"30s\"\nmax_age = \"2d\"\ndeduplication = \"any\"\nrevoked = [\"" +
                                                line_of(3) + "\", \"" + std::string(32, 'A') + "\"]\n" +
                                                sender(std::string(kRights) + "not_before = 2026-01-01T02:00:00+02:00\n"
                                                                              "not_after = 2026-12-31T23:59:59.5Z\n") +
                                                "[sender.\"bob at home\"]\nkeys = [\"" + line_of(4) + "\", \"" + line_of(5) +
                                                "\"]\nrequests = [\"*\"]\nqueues = [\"*\"]\n",
                                            "a.toml");
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(parsed->clock_skew, Seconds(30));
  EXPECT_EQ(parsed->max_age, Seconds(172'800));
  EXPECT_TRUE(parsed->other_deduplication_ids);
  EXPECT_EQ(parsed->revoked, (std::vector<std::string>{make_key(3).public_key().id(), std::string(32, 'a')}));
  ASSERT_EQ(parsed->senders.size(), 2u);
  const AllowedSender& alice = parsed->senders[0];
  EXPECT_EQ(alice.name, "alice");
  EXPECT_EQ(alice.keys, (std::vector{make_key(1).public_key().bytes}));
  EXPECT_EQ(to_epoch_millis(*alice.not_before), 1'767'225'600'000);
  EXPECT_EQ(to_epoch_millis(*alice.not_after), 1'798'761'599'500);
  EXPECT_EQ(parsed->senders[1].keys.size(), 2u);
}

TEST(AllowedSenders, HaveCautiousDefaults) {
  const auto parsed = parse_allowed_senders(sender(kRights), "a.toml");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->clock_skew, Seconds(300));
  EXPECT_EQ(parsed->max_age, Seconds(14 * 86'400));
  EXPECT_FALSE(parsed->other_deduplication_ids);
}

TEST(AllowedSenders, EveryErrorIsToldWithItsLine) {
  EXPECT_EQ(errors_of(sender("request = [\"Enable\"]\nqueues = [\"work/1\"]\n")),
            "a.toml:1: sender.alice.requests is missing; name what is allowed, or [\"*\"] for all\n"
            "a.toml:4: sender.alice.queues holds \"work/1\", which is no queue name (no URL, no ARN; \"*\" is every queue)\n"
            "a.toml:3: unknown key sender.alice.request; did you mean requests?");
}

TEST(AllowedSenders, AreRefusedWhenAnythingIsWrong) {
  EXPECT_NE(errors_of("").find("a.toml:1: names no sender"), std::string::npos);
  EXPECT_NE(errors_of("sender = 5\n").find("a.toml:1: sender must be a table"), std::string::npos);
  EXPECT_NE(errors_of("[sender]\nalice = 5\n").find("a.toml:2: sender.alice must be a table"), std::string::npos);
  EXPECT_NE(errors_of("x = [\n").find("this is not TOML"), std::string::npos);
  EXPECT_NE(errors_of("[sender.alice]\n" + std::string(kRights)).find("needs a key ="), std::string::npos);
  EXPECT_NE(errors_of("[sender.alice]\nkeys = []\n" + std::string(kRights)).find("keys is empty"), std::string::npos);
  EXPECT_NE(errors_of(sender("keys = []\n" + std::string(kRights))).find("either key or keys"), std::string::npos);
  EXPECT_NE(errors_of("[sender.alice]\nkey = \"ssh-ed25519 AAAA x\"\n" + std::string(kRights))
                .find("a.toml:2: sender.alice.key is refused"),
            std::string::npos);
  EXPECT_NE(
      errors_of(sender(kRights) + "[sender.bob]\nkey = \"" + line_of(1) + "\"\n" + kRights).find("a key belongs to one sender"),
      std::string::npos);
  EXPECT_NE(errors_of("revoked = [\"xyz\"]\n" + sender(kRights)).find("a.toml:1: revoked holds \"xyz\""), std::string::npos);
  EXPECT_NE(errors_of("deduplication = \"no\"\n" + sender(kRights)).find("must be \"signed\" or \"any\""), std::string::npos);
  EXPECT_NE(errors_of(sender(std::string(kRights) + "not_after = \"2026-01-01\"\n")).find("date and time with its offset"),
            std::string::npos);
  EXPECT_NE(errors_of(sender(std::string(kRights) + "not_after = 2026-01-01T00:00:00\n")).find("with its offset"),
            std::string::npos);
  EXPECT_NE(errors_of(sender(std::string(kRights) + "not_before = 2026-01-02T00:00:00Z\nnot_after = 2026-01-01T00:00:00Z\n"))
                .find("not_after is earlier"),
            std::string::npos);
  EXPECT_NE(errors_of("[sender.\"a\\u001b\"]\nkey = \"" + line_of(1) + "\"\n" + kRights).find("no control characters"),
            std::string::npos);
}

TEST(AllowedSenders, BoundsHoldAtTheirEnds) {
  EXPECT_EQ(errors_of("clock_skew = 0\nmax_age = 1\n" + sender(kRights)), "");
  EXPECT_EQ(errors_of("clock_skew = \"24h\"\nmax_age = \"365d\"\n" + sender(kRights)), "");
  EXPECT_NE(errors_of("clock_skew = 86401\n" + sender(kRights)), "");
  EXPECT_NE(errors_of("max_age = \"999ms\"\n" + sender(kRights)), "");
  EXPECT_NE(errors_of("max_age = \"366d\"\n" + sender(kRights)), "");
  const auto named = [](std::size_t bytes) {
    return "[sender." + std::string(bytes, 'n') + "]\nkey = \"" + line_of(1) + "\"\n" + kRights;
  };
  EXPECT_EQ(errors_of(named(128)), "");
  EXPECT_NE(errors_of(named(129)), "");
}

TEST(AllowedSenders, AFileThatEverybodyMayWriteToIsRefused) {
  std::string name = (std::filesystem::temp_directory_path() / "ferry-senders-XXXXXX").string();
  ::close(::mkstemp(name.data()));
  std::ofstream(name) << sender(kRights);
  ::chmod(name.c_str(), 0644);
  EXPECT_TRUE(load_allowed_senders(name));
  ::chmod(name.c_str(), 0646);
  const auto refused = load_allowed_senders(name);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("chmod o-w"), std::string::npos);
  ::chmod(name.c_str(), 0600);
  std::ofstream(name) << std::string(1024 * 1024 + 1, '#');
  EXPECT_NE(load_allowed_senders(name).error().text().find("more than 1 MiB"), std::string::npos);
  std::remove(name.c_str());
  EXPECT_NE(load_allowed_senders(name).error().text().find("cannot open"), std::string::npos);
  EXPECT_FALSE(load_allowed_senders("/"));
}

}  // namespace
}  // namespace ferry::signing
