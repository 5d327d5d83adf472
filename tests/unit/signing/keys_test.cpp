// Keys: RFC 8032's vectors, their text, their files.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/encoding.h"
#include "base/uuid.h"
#include "signing/key_file.h"
#include "signing_fixture.h"

namespace ferry::signing {
namespace {

namespace fs = std::filesystem;
using testing_support::make_key;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "ferry-keys-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& text, mode_t mode) const {
    std::ofstream(*this / name, std::ios::binary) << text;
    ::chmod((*this / name).c_str(), mode);
  }
  std::string read(const std::string& name) const {
    std::ifstream stream(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

 private:
  std::string path_;
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

template <std::size_t N>
std::array<std::uint8_t, N> from_hex(std::string_view hex) {
  const std::string bytes = hex_decode(hex).value();
  std::array<std::uint8_t, N> out{};
  EXPECT_EQ(bytes.size(), N);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// RFC 8032, section 7.1, TEST 3.
TEST(Ed25519, IsThatOfTheRfc) {
  const auto secret = Ed25519Secret::from_bytes(*hex_decode("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"));
  ASSERT_TRUE(secret);
  const auto key = from_hex<32>("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
  const auto signature = from_hex<64>(
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea"
      "1ec40"
      "a");
  EXPECT_EQ(secret->public_key(), key);
  EXPECT_EQ(secret->sign("\xaf\x82"), signature);
  EXPECT_TRUE(ed25519_verify(key, "\xaf\x82", signature));
  EXPECT_FALSE(ed25519_verify(key, "\xaf\x83", signature));
  EXPECT_FALSE(Ed25519Secret::from_bytes(std::string(31, 'x')));
  EXPECT_FALSE(Ed25519Secret::from_bytes(std::string(33, 'x')));
}

// S and S + L are the same number in mathematics; if both were taken, one message had two signatures.
TEST(Ed25519, TakesOneFormOfASignatureOnly) {
  const PrivateKey key = make_key(5);
  Ed25519Signature signature = key.secret.sign("message");
  const auto order = from_hex<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += signature[32 + i] + order[i];
    signature[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(ed25519_verify(key.public_key().bytes, "message", signature));
}

TEST(UuidV7, HoldsItsTimeInFront) {
  SeededRandom random(1);
  const std::string text = to_string(make_uuid_v7(from_epoch_millis(0x0123456789AB), random));
  EXPECT_EQ(text.substr(0, 15), "01234567-89ab-7");
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
  EXPECT_NE(make_uuid_v7(from_epoch_millis(5), random), make_uuid_v7(from_epoch_millis(5), random));
}

TEST(KeyText, ComesBackAsItWas) {
  const PrivateKey key = make_key(1);
  const std::string line = format_public_key(key.public_key());
  EXPECT_TRUE(line.starts_with("ferry-ed25519-v1 "));
  EXPECT_TRUE(line.ends_with(" alice@host"));
  EXPECT_EQ(*parse_public_key(line), key.public_key());
  EXPECT_EQ(*parse_public_key(line + "\n"), key.public_key());
  const auto again = parse_private_key(format_private_key(key));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key(), key.public_key());
}

TEST(KeyText, SaysWhatIsWrongAndNeverQuotesASecret) {
  const PrivateKey key = make_key(1);
  const std::string line = format_public_key(key.public_key());
  const std::vector<std::string> all_wrong = {
      "",         "x",           line.substr(0, line.rfind(' ')), line + " more",           "ferry-ed25519-v2" + line.substr(16),
      " " + line, line + "\n\n", "ferry-ed25519-v1 AAAA alice",   "ferry-ed25519-v1  alice"};
  for (const std::string& wrong : all_wrong) {
    EXPECT_FALSE(parse_public_key(wrong)) << wrong;
    EXPECT_FALSE(parse_private_key(wrong)) << wrong;
  }
  const std::string secret = format_private_key(key);
  const std::string encoded = secret.substr(25, 40);
  const auto refused = parse_public_key(secret);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("this is a private key"), std::string::npos);
  EXPECT_EQ(refused.error().message.find(encoded), std::string::npos);
  const auto cut = parse_private_key(secret.substr(0, 60) + " alice");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().message.find(encoded.substr(0, 20)), std::string::npos);
  EXPECT_NE(parse_private_key(line).error().message.find("this is a public key"), std::string::npos);
}

TEST(KeyNames, AreShortAndPlain) {
  EXPECT_TRUE(check_key_name(std::string(64, 'a')));
  EXPECT_FALSE(check_key_name(std::string(65, 'a')));
  for (const char* name : {"", "-x", ".x", "a b", "a/b", "..", "a\n", "\xC3\xBC"}) EXPECT_FALSE(check_key_name(name)) << name;
}

TEST(KeyFiles, AreMadeForTheirOwnerAlone) {
  const Folder folder;
  SeededRandom random(3);
  const auto made = create_key(folder / "ferry/keys", "deploy", random);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(mode_of(made->private_path), 0600U);
  EXPECT_EQ(mode_of(folder / "ferry/keys"), 0700U);
  EXPECT_EQ(mode_of(made->public_path), 0644U);
  EXPECT_EQ(folder.read("ferry/keys/deploy.pub"), format_public_key(made->key.public_key()) + "\n");
  const auto loaded = load_private_key(made->private_path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->public_key(), made->key.public_key());
}

TEST(KeyFiles, AreNeverOverwritten) {
  const Folder folder;
  SeededRandom random(3);
  ASSERT_TRUE(create_key(folder.path(), "deploy", random));
  const std::string before = folder.read("deploy.key");
  const auto again = create_key(folder.path(), "deploy", random);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::AlreadyExists);
  EXPECT_EQ(folder.read("deploy.key"), before);
  folder.write("other.pub", "somebody's", 0644);
  EXPECT_FALSE(create_key(folder.path(), "other", random));
  EXPECT_FALSE(fs::exists(folder / "other.key"));
  EXPECT_EQ(folder.read("other.pub"), "somebody's");
}

TEST(KeyFiles, ThatOthersMayReadAreRefused) {
  const Folder folder;
  for (const mode_t mode : {0640U, 0604U, 0644U, 0602U, 0700U, 0610U}) {
    folder.write("k.key", format_private_key(make_key(1)), mode);
    const auto refused = load_private_key(folder / "k.key");
    ASSERT_FALSE(refused) << std::oct << mode;
    EXPECT_EQ(refused.error().kind, ErrorKind::PermissionDenied);
    EXPECT_NE(refused.error().message.find("chmod 600"), std::string::npos);
  }
  for (const mode_t mode : {0600U, 0400U}) {
    folder.write("k.key", format_private_key(make_key(1)), mode);
    EXPECT_TRUE(load_private_key(folder / "k.key")) << std::oct << mode;
    ::chmod((folder / "k.key").c_str(), 0600);
  }
}

TEST(KeyFiles, OfAnotherUserAreRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const Folder folder;
  folder.write("k.key", format_private_key(make_key(1)), 0600);
  ASSERT_EQ(::chown((folder / "k.key").c_str(), 65534, 65534), 0);
  const auto refused = load_private_key(folder / "k.key");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("belongs to user 65534"), std::string::npos);
}

TEST(KeyFiles, ThatAreNoneAreRefusedWithTheirPath) {
  const Folder folder;
  EXPECT_EQ(load_private_key(folder / "none").error().kind, ErrorKind::NotFound);
  EXPECT_FALSE(load_private_key(folder.path()));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_NE(load_private_key(folder / "pipe").error().message.find("no regular file"), std::string::npos);
  folder.write("large", std::string(4097, 'x'), 0600);
  EXPECT_NE(load_private_key(folder / "large").error().message.find("too large"), std::string::npos);
  folder.write("text", "hello", 0600);
  EXPECT_TRUE(load_private_key(folder / "text").error().message.starts_with(folder / "text"));
}

TEST(KeyFiles, AreListedWithWhatIsWrongWithThem) {
  const Folder folder;
  EXPECT_TRUE(list_keys(folder / "nowhere")->empty());
  SeededRandom random(3);
  ASSERT_TRUE(create_key(folder.path(), "a", random));
  ASSERT_TRUE(create_key(folder.path(), "b", random));
  folder.write("b.pub", folder.read("a.pub"), 0644);
  folder.write("c.key", format_private_key(make_key(1)), 0644);
  folder.write("notes", "x", 0644);
  const auto keys = list_keys(folder.path());
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 3u);
  EXPECT_EQ((*keys)[0].key->name, "a");
  EXPECT_EQ((*keys)[0].fault, "");
  EXPECT_NE((*keys)[1].fault.find("another key"), std::string::npos);
  EXPECT_FALSE((*keys)[2].key);
}

TEST(KeyFiles, AWordIsANameAndAnythingElseAPath) {
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "HOME" ? std::optional<std::string>("/x/jane") : std::nullopt;
  };
  EXPECT_EQ(*key_path("deploy", environment), "/x/jane/.config/ferry/keys/deploy.key");
  EXPECT_EQ(*key_path("deploy.key", environment), "/x/jane/.config/ferry/keys/deploy.key");
  EXPECT_EQ(*key_path("./deploy", environment), "./deploy");
  EXPECT_EQ(*default_key_folder([](const std::string&) { return std::optional<std::string>("/x"); }), "/x/ferry/keys");
  EXPECT_FALSE(default_key_folder([](const std::string&) { return std::nullopt; }));
  EXPECT_FALSE(key_path("", environment));
}

}  // namespace
}  // namespace ferry::signing
