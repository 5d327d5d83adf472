#include "access/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "access/actions.h"
#include "access/keys_file.h"

namespace ferry::access {
namespace {
constexpr const char* kGood = R"(
[[key]]
access_key = "AKIDADMIN"
secret_key = "admin/secret+1"
[[key.grant]]
actions = ["*"]
queues = ["*"]

[[key]]
access_key = "AKIDSENDER"
secret_key = "s"
account = "123456789012"
[[key.grant]]
actions = ["sqs:SendMessage", "GetQueueUrl"]
queues = ["Example*", "*-requests"]
[[key.grant]]
actions = ["Get*"]
queues = ["Other"]
)";

std::string refusal(std::string_view text) {
  const auto keys = parse_keys(text, "keys.toml");
  if (keys) return "accepted";
  EXPECT_EQ(keys.error().kind, ErrorKind::InvalidArgument);
  return keys.error().message;
}
std::string with_key(std::string_view lines) {
  return refusal("[[key]]\naccess_key = \"A\"\nsecret_key = \"S\"\n" + std::string(lines));
}
std::string with_grant(std::string_view actions, std::string_view queues) {
  return with_key("[[key.grant]]\nactions = " + std::string(actions) + "\nqueues = " + std::string(queues) + "\n");
}

TEST(KeysFile, Reads) {
  const auto keys = parse_keys(kGood, "keys.toml");
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->size(), 2U);
  const KeyRing ring(*keys);
  const Key* admin = ring.find("AKIDADMIN");
  ASSERT_NE(admin, nullptr);
  EXPECT_EQ(admin->secret_key, "admin/secret+1");
  EXPECT_EQ(admin->account, "000000000000");
  const Key* sender = ring.find("AKIDSENDER");
  ASSERT_NE(sender, nullptr);
  EXPECT_EQ(sender->account, "123456789012");
  EXPECT_EQ(ring.find("AKIDSENDE"), nullptr);
  EXPECT_EQ(ring.find("AKIDSENDERX"), nullptr);
  EXPECT_EQ(ring.find(""), nullptr);

  EXPECT_TRUE(KeyRing::allows(*sender, "SendMessage", "ExampleBlogPostQueue"));
  EXPECT_TRUE(KeyRing::allows(*sender, "SendMessageBatch", "Example"));
  EXPECT_TRUE(KeyRing::allows(*sender, "SendMessage", "a-requests"));
  EXPECT_FALSE(KeyRing::allows(*sender, "SendMessage", "a-requests2"));
  EXPECT_FALSE(KeyRing::allows(*sender, "SendMessage", "example"));
  EXPECT_FALSE(KeyRing::allows(*sender, "ReceiveMessage", "Example"));
  EXPECT_FALSE(KeyRing::allows(*sender, "GetQueueAttributes", "Example"));
  EXPECT_TRUE(KeyRing::allows(*sender, "GetQueueAttributes", "Other"));
  EXPECT_FALSE(KeyRing::allows(*sender, "SendMessage", "Other"));  // grants do not mix
  EXPECT_FALSE(KeyRing::allows(*sender, "ListQueues", ""));
  EXPECT_TRUE(KeyRing::allows(*admin, "ListQueues", ""));
  EXPECT_TRUE(KeyRing::allows(*admin, "DeleteMessageBatch", "Any"));
  EXPECT_TRUE(KeyRing::allows(*admin, "ChangeMessageVisibilityBatch", "Any"));
}

TEST(KeysFile, RefusesWithPlaceAndFault) {
  EXPECT_EQ(refusal(""), "keys.toml: holds no [[key]]");
  EXPECT_EQ(refusal("colour = 1\n"), "keys.toml:1: unknown name \"colour\"");
  EXPECT_EQ(refusal("\n[[keys]]\n"), "keys.toml:2: unknown name \"keys\"; did you mean \"key\"?");
  EXPECT_EQ(refusal("key = 3\n"), "keys.toml:1: \"key\" is a list of tables: write [[key]]");
  EXPECT_EQ(refusal("[key]\n"), "keys.toml:1: \"key\" is a list of tables: write [[key]]");
  EXPECT_EQ(refusal("[[key]]\nsecret_key = \"S\"\n"), "keys.toml:1: \"access_key\" is missing");
  EXPECT_EQ(refusal("[[key]]\naccess_key = \"A\"\n"), "keys.toml:1: \"secret_key\" is missing");
  EXPECT_EQ(refusal("[[key]]\naccess_key = \"\"\n"), "keys.toml:2: \"access_key\" is empty");
  EXPECT_EQ(refusal("[[key]]\naccess_key = \"A/B\"\n"),
            "keys.toml:2: an access key has at most 128 letters, digits, '_', '-' and '.'");
  EXPECT_EQ(refusal("[[key]]\naccess_key = \"" + std::string(129, 'A') + "\"\n"),
            "keys.toml:2: an access key has at most 128 letters, digits, '_', '-' and '.'");
  EXPECT_EQ(refusal("[[key]]\naccess_key = \"" + std::string(128, 'A') + "\"\n"), "keys.toml:1: \"secret_key\" is missing");
  EXPECT_EQ(refusal("[[key]]\naccess_key = \"A\"\nsecret_key = \"\"\n"), "keys.toml:3: \"secret_key\" is empty");
  EXPECT_EQ(refusal("[[key]]\naccess_key = \"A\"\nsecret_key = \"a b\"\n"),
            "keys.toml:3: a secret key has printable ASCII characters and no spaces");
  EXPECT_EQ(refusal("[[key]]\naccess_key = \"A\"\nsecret_key = 7\n"), "keys.toml:3: \"secret_key\" is a text in quotes");
  for (const char* bad : {"12345678901", "1234567890123", "12345678901a"}) {
    EXPECT_EQ(with_key("account = \"" + std::string(bad) + "\"\n"), "keys.toml:4: an account has exactly 12 digits");
  }
  EXPECT_EQ(with_key(""), "keys.toml:1: the key \"A\" has no [[key.grant]]");
  EXPECT_EQ(with_key("grants = []\n"), "keys.toml:4: unknown name \"grants\"; did you mean \"grant\"?");
  EXPECT_EQ(with_key("[[key.grant]]\nactions = [\"*\"]\n"), "keys.toml:4: \"queues\" is missing");
  EXPECT_EQ(with_key("[[key.grant]]\nqueues = [\"*\"]\n"), "keys.toml:4: \"actions\" is missing");
  EXPECT_EQ(with_key("[[key.grant]]\nactions = [\"*\"]\nqueues = [\"*\"]\nqueue = [\"a\"]\n"),
            "keys.toml:7: unknown name \"queue\"; did you mean \"queues\"?");
  const std::string two = "[[key]]\naccess_key = \"A\"\nsecret_key = \"S\"\n[[key.grant]]\nactions = [\"*\"]\nqueues = [\"*\"]\n";
  EXPECT_EQ(refusal(two + two), "keys.toml:8: the access key \"A\" is there twice");
}

TEST(KeysFile, RefusesGrantsThatGrantNothing) {
  EXPECT_EQ(with_grant("[]", "[\"*\"]"), "keys.toml:5: \"actions\" is a list of texts with at least one element");
  EXPECT_EQ(with_grant("\"*\"", "[\"*\"]"), "keys.toml:5: \"actions\" is a list of texts with at least one element");
  EXPECT_EQ(with_grant("[1]", "[\"*\"]"), "keys.toml:5: \"actions\" is a list of texts with at least one element");
  EXPECT_EQ(with_grant("[\"SendMesage\"]", "[\"*\"]"),
            "keys.toml:5: unknown action \"SendMesage\"; did you mean \"SendMessage\"?");
  EXPECT_EQ(with_grant("[\"sqs:recievemessage\"]", "[\"*\"]"),
            "keys.toml:5: unknown action \"sqs:recievemessage\"; did you mean \"ReceiveMessage\"?");
  EXPECT_EQ(with_grant("[\"s3:GetObject\"]", "[\"*\"]"), "keys.toml:5: unknown action \"s3:GetObject\"");
  EXPECT_EQ(with_grant("[\"Sent*\"]", "[\"*\"]"), "keys.toml:5: unknown action \"Sent*\"");
  EXPECT_EQ(with_grant("[\"\"]", "[\"*\"]"), "keys.toml:5: unknown action \"\"");
  EXPECT_EQ(with_grant("[\"SendMessageBatch\"]", "[\"*\"]"),
            "keys.toml:5: \"SendMessageBatch\" is covered by \"SendMessage\": grant that");
  EXPECT_EQ(with_grant("[\"SendMessage\"]", "[]"), "keys.toml:6: \"queues\" is a list of texts with at least one element");
  EXPECT_EQ(with_grant("[\"SendMessage\"]", "[\"http://h/0/Q\"]"),
            "keys.toml:6: \"http://h/0/Q\" is no queue name: letters, digits, '_', '-', '.' and '*' for any run of them; no URL, "
            "no ARN");
  EXPECT_TRUE(with_grant("[\"SendMessage\"]", "[\"\"]").starts_with("keys.toml:6: \"\" is no queue name"));
  for (const std::string_view action : grantable_actions()) {
    EXPECT_EQ(with_grant("[\"" + std::string(action) + "\"]", "[\"Q.fifo\"]"), "accepted");
  }
}

TEST(KeysFile, BrokenTomlDoesNotTellSecrets) {
  const std::string message = refusal("[[key]]\naccess_key = \"A\"\nsecret_key = topsecret\n");
  EXPECT_TRUE(message.starts_with("keys.toml:3: no valid TOML here")) << message;
  EXPECT_EQ(message.find("topsecret"), std::string::npos);
  EXPECT_TRUE(refusal("[[key]]\naccess_key = \"A\"\naccess_key = \"A\"\n").starts_with("keys.toml:3: no valid TOML here"));
}

TEST(KeysFile, Protection) {
  const auto check = [](FileProtection protection) {
    const auto result = check_protection(protection, "k");
    return result ? std::string("ok") : result.error().message;
  };
  EXPECT_EQ(check({1000, 0600, 1000}), "ok");
  EXPECT_EQ(check({1000, 0400, 1000}), "ok");
  EXPECT_EQ(check({0, 0400, 1000}), "ok");
  EXPECT_EQ(check({1001, 0600, 1000}), "k: belongs to user 1001; a file with secrets must belong to user 1000 or root");
  EXPECT_EQ(check({1001, 0600, 0}), "k: belongs to user 1001; a file with secrets must belong to user 0 or root");
  for (const unsigned mode : {0640U, 0604U, 0660U, 0601U, 0610U, 0700U, 04600U, 0444U}) {
    EXPECT_NE(check({1000, mode, 1000}), "ok") << mode;
  }
  EXPECT_EQ(check({1000, 0644, 1000}), "k: has mode 0644; a file with secrets must have mode 0600 or 0400 (chmod 600)");
}

class LoadKeys : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ferry-keys-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(std::string_view text, mode_t mode) {
    const std::string path = folder_ + "/keys.toml";
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string folder_;
};

TEST_F(LoadKeys, TakesAProtectedFile) {
  const auto ring = KeyRing::load(file(kGood, 0600));
  ASSERT_TRUE(ring) << ring.error().message;
  EXPECT_NE(ring->find("AKIDSENDER"), nullptr);
}

TEST_F(LoadKeys, RefusesTheRest) {
  const auto open_to_all = KeyRing::load(file(kGood, 0644));
  ASSERT_FALSE(open_to_all);
  EXPECT_EQ(open_to_all.error().kind, ErrorKind::PermissionDenied);
  const auto missing = KeyRing::load(folder_ + "/none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::NotFound);
  const auto folder = KeyRing::load(folder_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, folder_ + ": is no regular file");
  const auto big = KeyRing::load(file(std::string(1024 * 1024 + 1, '#'), 0600));
  ASSERT_FALSE(big);
  EXPECT_NE(big.error().message.find("is larger than 1 MiB"), std::string::npos);
  const auto full = KeyRing::load(file(kGood + std::string(1024 * 1024 - std::string(kGood).size(), '#'), 0600));
  EXPECT_TRUE(full);
}

TEST(Patterns, Star) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("**", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("a*c", "abc"));
  EXPECT_TRUE(matches("a*c", "ac"));
  EXPECT_TRUE(matches("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(matches("a*b*c", "aXbYbZ"));
  EXPECT_FALSE(matches("a*", "ba"));
  EXPECT_TRUE(matches("*.fifo", "orders.fifo"));
  EXPECT_FALSE(matches("*.fifo", "orders.fifo2"));
  EXPECT_FALSE(matches(std::string(40, '*') + "b", std::string(2000, 'a')));
}
}  // namespace
}  // namespace ferry::access
