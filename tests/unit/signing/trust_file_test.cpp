#include "signing/trust_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "signing/admission.h"
#include "signing_fixture.h"

namespace ferry::signing {
namespace {

using namespace testing_support;  // NOLINT: the names of this folder's fixture

class TrustFileTest : public testing::Test {
 protected:
  TrustFileTest() {
    std::string name = std::filesystem::temp_directory_path() / "ferry-trust-file-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ / "allowed-senders.toml";
  }
  ~TrustFileTest() override { std::filesystem::remove_all(folder_); }

  // In place of what was there, as editors do.
  void write(const std::string& text) {
    const std::filesystem::path next = folder_ / "next";
    std::ofstream(next) << text;
    std::filesystem::rename(next, path_);
  }
  std::string allowing(const PrivateKey& key, const std::string& more = {}) const {
    return fmt::format("{}[sender.alice]\nkey = \"{}\"\nrequests = [\"Enable\"]\nqueues = [\"work\"]\n", more,
                       format_public_key(key.public_key()));
  }
  void open() {
    auto made = TrustFile::open(path_, exchange_.clock, [this](TrustFile::News news, std::string_view text) {
      told_.emplace_back(fmt::format("{}: {}", news == TrustFile::News::Taken ? "taken" : "refused", text));
    });
    ASSERT_TRUE(made) << made.error().text();
    file_ = std::move(*made);
  }
  std::string check() {
    const Admission admission({"work", config::UnsignedMessages::Refuse}, *file_, exchange_.clock);
    const auto outcome = admission.check(exchange_.signed_message(), "Enable");
    if (const auto* refused = std::get_if<Refused>(&outcome)) return std::string(name_of(refused->code));
    return "admitted";
  }

  Exchange exchange_;
  std::filesystem::path folder_;
  std::filesystem::path path_;
  std::vector<std::string> told_;
  std::unique_ptr<TrustFile> file_;
};

TEST_F(TrustFileTest, AKeyIsTakenBackWithinASecond) {
  write(allowing(exchange_.key));
  open();
  EXPECT_EQ(check(), "admitted");
  write(allowing(exchange_.key, fmt::format("revoked = [\"{}\"]\n", exchange_.key.public_key().id())));
  exchange_.clock.advance(kTrustFileLookInterval - Millis(1));
  EXPECT_EQ(check(), "admitted");  // not looked at yet
  exchange_.clock.advance(Millis(1));
  EXPECT_EQ(check(), "revoked-key");
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_NE(told_[0].find("was read again: 1 senders, 1 revoked keys"), std::string::npos);
}

TEST_F(TrustFileTest, ANewSenderIsBelieved) {
  write(allowing(make_key(2)));
  open();
  EXPECT_EQ(check(), "unknown-key");
  write(allowing(exchange_.key));
  exchange_.clock.advance(kTrustFileLookInterval);
  EXPECT_EQ(check(), "admitted");
}

TEST_F(TrustFileTest, ABrokenFileChangesNothingAndIsToldOnce) {
  write(allowing(exchange_.key));
  open();
  for (const std::string& broken :
       {std::string("request = 1\n"), allowing(exchange_.key, "clock_skew = \"x\"\n"), std::string("[")}) {
    told_.clear();
    write(broken);
    for (int i = 0; i < 3; ++i) {
      exchange_.clock.advance(kTrustFileLookInterval);
      EXPECT_EQ(check(), "admitted");
    }
    ASSERT_EQ(told_.size(), 1u) << broken;
    EXPECT_EQ(
        told_[0].find("refused: the file of allowed senders was changed and cannot be used; what it said before still holds"), 0u)
        << told_[0];
  }
  told_.clear();
  write(allowing(make_key(2)));
  exchange_.clock.advance(kTrustFileLookInterval);
  EXPECT_EQ(check(), "unknown-key");
}

TEST_F(TrustFileTest, AFileThatIsGoneOrOpenToAllChangesNothing) {
  write(allowing(exchange_.key));
  open();
  std::filesystem::remove(path_);
  exchange_.clock.advance(kTrustFileLookInterval);
  EXPECT_EQ(check(), "admitted");
  write(allowing(make_key(2)));
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  exchange_.clock.advance(kTrustFileLookInterval);
  EXPECT_EQ(check(), "admitted");
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_NE(told_[1].find("everybody may write to it"), std::string::npos);
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);  // the content is as before: its mode alone was mended
  exchange_.clock.advance(kTrustFileLookInterval);
  EXPECT_EQ(check(), "unknown-key");
}

TEST_F(TrustFileTest, ASignalReadsItAtOnceAndTellsTheOutcome) {
  write(allowing(exchange_.key));
  open();
  EXPECT_EQ(check(), "admitted");
  file_->reload();
  EXPECT_EQ(check(), "admitted");
  ASSERT_EQ(told_.size(), 1u);  // nothing had changed, and whoever asked is answered
  write(allowing(make_key(2)));
  file_->reload();
  EXPECT_EQ(check(), "unknown-key");
  EXPECT_EQ(told_.size(), 2u);
}

TEST_F(TrustFileTest, AtTheStartABrokenFileIsAnError) {
  const auto missing = TrustFile::open(path_, exchange_.clock, {});
  EXPECT_FALSE(missing);
  write("[sender.alice]\n");
  EXPECT_FALSE(TrustFile::open(path_, exchange_.clock, {}));
}

}  // namespace
}  // namespace ferry::signing
