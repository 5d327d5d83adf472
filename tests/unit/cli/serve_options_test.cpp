#include "cli/serve_options.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace ferry::cli {
namespace {

EnvironmentGetter environment(std::map<std::string, std::string> values) {
  values.emplace("HOME", "/home/me");
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) : path_(testing::TempDir() + "/ferry-serve-options.toml") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(ServeOptions, DefaultsServeLoopbackOnTheCustomaryPort) {
  const auto options = merge_serve_options({}, environment({}), {});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->host, "127.0.0.1");
  EXPECT_EQ(options->port, 9324);
  EXPECT_EQ(options->data, "/home/me/.local/share/ferry");
  EXPECT_TRUE(options->deletion_wait && options->purge_wait);
  EXPECT_EQ(merge_serve_options({}, environment({{"XDG_DATA_HOME", "/x"}}), {})->data, "/x/ferry");
}

TEST(ServeOptions, FlagsBeatTheEnvironmentBeatsTheFile) {
  PartialServeOptions flags, file;
  file.listen = "127.0.0.1:1", file.data = "/file", file.cache_mib = 1, file.threads = 1;
  const auto by_file = merge_serve_options(flags, environment({}), file);
  EXPECT_EQ(by_file->port, 1);
  EXPECT_EQ(by_file->data, "/file");
  EXPECT_EQ(by_file->cache_mib, 1U);
  const auto by_environment = merge_serve_options(
      flags, environment({{"FERRY_LISTEN", "127.0.0.1:2"}, {"FERRY_DATA", "/environment"}, {"FERRY_CACHE_MIB", "2"}}), file);
  EXPECT_EQ(by_environment->port, 2);
  EXPECT_EQ(by_environment->data, "/environment");
  EXPECT_EQ(by_environment->cache_mib, 2U);
  flags.listen = "127.0.0.1:3", flags.cache_mib = 3;
  const auto by_flag = merge_serve_options(flags, environment({{"FERRY_LISTEN", "127.0.0.1:2"}, {"FERRY_CACHE_MIB", "2"}}), file);
  EXPECT_EQ(by_flag->port, 3);
  EXPECT_EQ(by_flag->cache_mib, 3U);
}

TEST(ServeOptions, OtherAddressesNeedKeys) {
  for (const char* listen : {"0.0.0.0:9324", "10.0.0.1:1", "[::]:9324", "example:80", "127.0.0.1.example:80", "127.example:1"}) {
    PartialServeOptions flags;
    flags.listen = listen;
    const auto refused = merge_serve_options(flags, environment({}), {});
    ASSERT_FALSE(refused.has_value()) << listen;
    EXPECT_NE(refused.error().message.find("refusing to listen"), std::string::npos);
    flags.keys = "keys.toml";
    EXPECT_TRUE(merge_serve_options(flags, environment({}), {}).has_value()) << listen;
  }
  for (const char* listen : {"127.0.0.1:0", "127.9.9.9:1", "[::1]:9324", "localhost:1", ":5", "5"}) {
    PartialServeOptions flags;
    flags.listen = listen;
    EXPECT_TRUE(merge_serve_options(flags, environment({}), {}).has_value()) << listen;
  }
}

TEST(ServeOptions, ListenAddresses) {
  EXPECT_EQ(parse_listen("[::1]:9324")->host, "::1");
  EXPECT_EQ(parse_listen("127.0.0.1:65535")->port, 65'535);
  EXPECT_EQ(parse_listen("80")->host, "127.0.0.1");
  for (const char* bad : {"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:", "::1:9324", "host:port", ""}) {
    EXPECT_FALSE(parse_listen(bad).has_value()) << bad;
  }
}

TEST(ServeOptions, LimitsAndWrongValues) {
  const auto with = [](auto set) {
    PartialServeOptions flags;
    set(flags);
    return merge_serve_options(flags, environment({}), {}).has_value();
  };
  EXPECT_TRUE(with([](auto& flags) { flags.threads = 256; }));
  EXPECT_FALSE(with([](auto& flags) { flags.threads = 257; }));
  EXPECT_TRUE(with([](auto& flags) { flags.cache_mib = 1'048'576; }));
  EXPECT_FALSE(with([](auto& flags) { flags.cache_mib = 1'048'577; }));
  EXPECT_FALSE(with([](auto& flags) { flags.log_level = "loud"; }));
  EXPECT_FALSE(with([](auto& flags) { flags.log_format = "xml"; }));
  EXPECT_FALSE(merge_serve_options({}, environment({{"FERRY_THREADS", "many"}}), {}).has_value());
  EXPECT_FALSE(merge_serve_options({}, [](const std::string&) { return std::nullopt; }, {}).has_value()) << "no data folder";
}

TEST(ServeConfig, ReadsEveryKey) {
  const ConfigFile file(
      "listen = \"127.0.0.1:7\"\ndata = \"/d\"\nkeys = \"/k\"\nlog_level = \"debug\"\nlog_format = \"json\"\n"
      "deletion_wait = false\npurge_wait = false\ncache_mib = 9\nthreads = 3\n");
  const auto loaded = load_serve_config(file.path());
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  const auto options = merge_serve_options({}, environment({}), *loaded);
  EXPECT_EQ(options->port, 7);
  EXPECT_EQ(options->keys, "/k");
  EXPECT_EQ(options->log_level, LogLevel::Debug);
  EXPECT_EQ(options->log_format, LogFormat::Json);
  EXPECT_FALSE(options->deletion_wait || options->purge_wait);
  EXPECT_EQ(options->threads, 3U);
}

TEST(ServeConfig, NamesLineAndFault) {
  const auto fault = [](const std::string& text) {
    const ConfigFile file(text);
    const auto loaded = load_serve_config(file.path());
    return loaded.has_value() ? std::string("accepted") : loaded.error().message;
  };
  EXPECT_NE(fault("\nlisen = \"x\"\n").find(":2: unknown key \"lisen\""), std::string::npos);
  EXPECT_NE(fault("threads = \"two\"\n").find(":1: \"threads\" must be a whole number"), std::string::npos);
  EXPECT_NE(fault("threads = -1\n").find(":1: \"threads\""), std::string::npos);
  EXPECT_NE(fault("purge_wait = 1\n").find("\"purge_wait\" must be true or false"), std::string::npos);
  EXPECT_NE(fault("data = \n").find(":1"), std::string::npos);
  EXPECT_FALSE(load_serve_config("/does/not/exist.toml").has_value());
}

}  // namespace
}  // namespace ferry::cli
