#include "client/shared_config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ferry::client {
namespace {
SharedConfig parse(std::string_view config, std::string_view credentials = {}) {
  SharedConfig out;
  const auto first = parse_shared_config(config, ConfigFileKind::Config, "config", out);
  EXPECT_TRUE(first) << first.error().message;
  const auto second = parse_shared_config(credentials, ConfigFileKind::Credentials, "credentials", out);
  EXPECT_TRUE(second) << second.error().message;
  return out;
}
std::string refusal(std::string_view config) {
  SharedConfig out;
  const auto result = parse_shared_config(config, ConfigFileKind::Config, "config", out);
  return result ? "accepted" : result.error().message;
}
std::string get(const SharedConfig& config, std::string_view name, std::string_view setting) {
  const auto profile = select_profile(config, {}, name);
  return profile ? std::string(profile->get(setting)) : profile.error().message;
}

TEST(SharedConfig, SectionsSettingsComments) {
  const SharedConfig config = parse(
      "# comment\n; another\n\n"
      "[default]\r\nRegion = eu-west-1\r\n"
      "[profile one]  # why\n"
      "region=us-west-2   # here\n"
      "endpoint_url = http://h/#not-a-comment\n"
      "empty =\n"
      "odd = a = b\n"
      "[profile \"two words\"]\nregion = x\n"
      "[profile\ttabbed]\nregion = y\n"
      "[one]\nregion = ignored\n"
      "[sso-session s]\nsso_region = z\n"
      "[profile one]\noutput = json\nregion = last\n");
  EXPECT_EQ(get(config, "default", "region"), "eu-west-1");
  EXPECT_EQ(get(config, "one", "region"), "last");
  EXPECT_EQ(get(config, "one", "output"), "json");
  EXPECT_EQ(get(config, "one", "endpoint_url"), "http://h/#not-a-comment");
  EXPECT_EQ(get(config, "one", "empty"), "");
  EXPECT_EQ(get(config, "one", "odd"), "a = b");
  EXPECT_EQ(get(config, "two words", "region"), "x");
  EXPECT_EQ(get(config, "tabbed", "region"), "y");
  EXPECT_EQ(config.profiles.size(), 4U);
}

TEST(SharedConfig, PrefixedDefaultWins) {
  EXPECT_EQ(get(parse("[profile default]\nregion = a\n[default]\nregion = b\n"), "default", "region"), "a");
  const SharedConfig config = parse("[default]\nregion = b\noutput = json\n[profile default]\nregion = a\n");
  EXPECT_EQ(get(config, "default", "region"), "a");
  EXPECT_EQ(get(config, "default", "output"), "");
}

TEST(SharedConfig, CredentialsFileAddsAndWins) {
  const SharedConfig config =
      parse("[profile one]\naws_access_key_id = FROMCONFIG\nregion = r\n",
            "[one]\naws_access_key_id = AKID\naws_secret_access_key = a/b+c=\n[profile two]\nregion = odd\n");
  EXPECT_EQ(get(config, "one", "aws_access_key_id"), "AKID");
  EXPECT_EQ(get(config, "one", "aws_secret_access_key"), "a/b+c=");
  EXPECT_EQ(get(config, "one", "region"), "r");
  EXPECT_EQ(config.profiles.count("two"), 0U);  // there is no "profile " in this file
}

TEST(SharedConfig, NestedSettingsAndServices) {
  const SharedConfig config = parse(
      "[profile one]\nservices = local\ns3 =\n  max_queue_size = 5\n  addressing_style=path ; c\nregion = r\n"
      "  continues the region\n"
      "[services local]\nsqs =\n  endpoint_url = http://h:1\ndynamodb =\n\tendpoint_url = http://h:2\n"
      "[profile lost]\nservices = nowhere\n");
  const auto one = select_profile(config, {}, "one");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->section.nested.at("s3").at("max_queue_size"), "5");
  EXPECT_EQ(one->section.nested.at("s3").at("addressing_style"), "path");
  EXPECT_EQ(one->get("region"), "r");
  EXPECT_EQ(one->services.at("sqs").at("endpoint_url"), "http://h:1");
  EXPECT_EQ(one->services.at("dynamodb").at("endpoint_url"), "http://h:2");
  const auto lost = select_profile(config, {}, "lost");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().message, "profile \"lost\" names the section [services nowhere], which  does not have");
}

TEST(SharedConfig, FaultsAreToldWithoutTheText) {
  EXPECT_EQ(refusal("a = b\n"), "config:1: a setting stands before the first [section]");
  EXPECT_EQ(refusal("[default]\n\nsecret-without-equals\n"), "config:3: neither a [section] nor a NAME = VALUE");
  EXPECT_EQ(refusal("[default\n"), "config:1: the ']' of the section is missing");
  EXPECT_EQ(refusal("[default]\n= b\n"), "config:2: the name before '=' is missing");
  EXPECT_EQ(refusal("[default]\ns3 =\n  broken\n"), "config:3: an indented line is no NAME = VALUE");
  EXPECT_EQ(refusal("[default]\ns3 =\n  = x\n"), "config:3: the name before '=' is missing");
}

TEST(SharedConfig, ProfileChoice) {
  const SharedConfig config = parse("[profile a]\nregion = ra\n[profile b]\nregion = rb\n");
  EXPECT_EQ(select_profile(config, {{"AWS_PROFILE", "a"}}, "b")->name, "b");
  EXPECT_EQ(select_profile(config, {{"AWS_PROFILE", "a"}, {"AWS_DEFAULT_PROFILE", "b"}}, "")->name, "a");
  EXPECT_EQ(select_profile(config, {{"AWS_DEFAULT_PROFILE", "b"}}, "")->origin, ProfileOrigin::Variable);
  EXPECT_EQ(select_profile(config, {}, "")->name, "default");
  EXPECT_EQ(select_profile(config, {}, "a")->origin, ProfileOrigin::Flag);
  const auto missing = select_profile(config, {{"AWS_PROFILE", "c"}}, "");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::InvalidArgument);
  EXPECT_TRUE(missing.error().message.starts_with("there is no profile \"c\" in"));
}

class SharedConfigFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ferry-aws-XXXXXX";
    folder_ = ::mkdtemp(name);
    std::filesystem::create_directory(folder_ + "/.aws");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(SharedConfigFiles, DefaultPlacesAndVariables) {
  write(".aws/config", "[default]\nregion = home\n");
  write(".aws/credentials", "[default]\naws_access_key_id = HOME\n");
  const std::string other = write("other", "[default]\nregion = other\n");
  Environment environment = {{"HOME", folder_}};
  EXPECT_EQ(get(*load_shared_config(environment), "", "region"), "home");
  EXPECT_EQ(get(*load_shared_config(environment), "", "aws_access_key_id"), "HOME");
  environment["AWS_CONFIG_FILE"] = other;
  EXPECT_EQ(get(*load_shared_config(environment), "", "region"), "other");
  environment["AWS_CONFIG_FILE"] = "~/other";
  EXPECT_EQ(get(*load_shared_config(environment), "", "region"), "other");
  environment["AWS_SHARED_CREDENTIALS_FILE"] = write("keys", "[default]\naws_access_key_id = KEYS\n");
  EXPECT_EQ(get(*load_shared_config(environment), "", "aws_access_key_id"), "KEYS");
}

TEST_F(SharedConfigFiles, MissingFilesAreEmptyOthersAreErrors) {
  EXPECT_TRUE(load_shared_config({}));
  EXPECT_TRUE(load_shared_config({{"HOME", folder_ + "/nobody"}}));
  const auto folder = load_shared_config({{"AWS_CONFIG_FILE", folder_}});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, folder_ + ": is a folder");
  const auto broken = load_shared_config({{"AWS_CONFIG_FILE", write("broken", "x\n")}});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message, folder_ + "/broken:1: a setting stands before the first [section]");
  EXPECT_TRUE(load_shared_config({{"AWS_CONFIG_FILE", write("full", std::string(1024 * 1024, '\n'))}}));
  EXPECT_FALSE(load_shared_config({{"AWS_CONFIG_FILE", write("large", std::string(1024 * 1024 + 1, '\n'))}}));
}
}  // namespace
}  // namespace ferry::client
