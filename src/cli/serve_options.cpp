#include "cli/serve_options.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <array>
#include <fstream>
#include <sstream>

#include "base/encoding.h"

namespace ferry::cli {
namespace {

constexpr std::array<std::string_view, 9> kConfigKeys = {"listen",        "data",       "keys",      "log_level", "log_format",
                                                         "deletion_wait", "purge_wait", "cache_mib", "threads"};
constexpr std::uint64_t kCacheMibMax = 1'048'576;
constexpr std::uint64_t kThreadsMax = 256;

Unexpected<Error> config_fault(const std::string& path, const toml::source_region& where, std::string_view what) {
  return fail(ErrorKind::InvalidArgument, fmt::format("{}:{}: {}", path, where.begin.line, what));
}

template <class T>
Result<void> take(const toml::table& table, const std::string& path, std::string_view key, std::string_view kind,
                  std::optional<T>& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    const auto number = node->value_exact<std::int64_t>();
    if (!number || *number < 0) return config_fault(path, node->source(), fmt::format("\"{}\" must be {}", key, kind));
    out = static_cast<std::uint64_t>(*number);
  } else {
    const auto value = node->value_exact<T>();
    if (!value) return config_fault(path, node->source(), fmt::format("\"{}\" must be {}", key, kind));
    out = *value;
  }
  return {};
}

template <class T>
std::optional<T> first_of(const std::optional<T>& a, const std::optional<T>& b, const std::optional<T>& c) {
  return a ? a : (b ? b : c);
}

Result<LogLevel> parse_level(const std::string& text) {
  if (text == "debug") return LogLevel::Debug;
  if (text == "info") return LogLevel::Info;
  if (text == "warn") return LogLevel::Warn;
  if (text == "error") return LogLevel::Error;
  if (text == "off") return LogLevel::Off;
  return fail(ErrorKind::InvalidArgument, fmt::format("unknown log level \"{}\": use debug, info, warn, error or off", text));
}

Result<std::optional<std::uint64_t>> number_from(const EnvironmentGetter& environment, const std::string& name) {
  const auto text = environment(name);
  if (!text || text->empty()) return std::optional<std::uint64_t>();
  const auto number = parse_integer(*text);
  if (!number || *number < 0) return fail(ErrorKind::InvalidArgument, fmt::format("{}={} is not a whole number", name, *text));
  return std::optional<std::uint64_t>(static_cast<std::uint64_t>(*number));
}

std::string default_data_folder(const EnvironmentGetter& environment) {
  if (const auto xdg = environment("XDG_DATA_HOME"); xdg && !xdg->empty()) return *xdg + "/ferry";
  if (const auto home = environment("HOME"); home && !home->empty()) return *home + "/.local/share/ferry";
  return "";
}

}  // namespace

Result<PartialServeOptions> load_serve_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::NotFound, fmt::format("cannot open the configuration file {}", path));
  std::stringstream text;
  text << file.rdbuf();
  toml::table table;
  try {
    table = toml::parse(text.str(), path);
  } catch (const toml::parse_error& error) {
    return fail(ErrorKind::InvalidArgument, fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
  for (const auto& [key, node] : table) {
    if (std::find(kConfigKeys.begin(), kConfigKeys.end(), key.str()) == kConfigKeys.end()) {
      return config_fault(path, node.source(),
                          fmt::format("unknown key \"{}\"; known are {}", key.str(), fmt::join(kConfigKeys, ", ")));
    }
  }
  PartialServeOptions options;
  FERRY_TRY_VOID(take(table, path, "listen", "a string, HOST:PORT", options.listen));
  FERRY_TRY_VOID(take(table, path, "data", "a string, the data folder", options.data));
  FERRY_TRY_VOID(take(table, path, "keys", "a string, the keys file", options.keys));
  FERRY_TRY_VOID(take(table, path, "log_level", "a string", options.log_level));
  FERRY_TRY_VOID(take(table, path, "log_format", "a string", options.log_format));
  FERRY_TRY_VOID(take(table, path, "deletion_wait", "true or false", options.deletion_wait));
  FERRY_TRY_VOID(take(table, path, "purge_wait", "true or false", options.purge_wait));
  FERRY_TRY_VOID(take(table, path, "cache_mib", "a whole number of MiB", options.cache_mib));
  FERRY_TRY_VOID(take(table, path, "threads", "a whole number", options.threads));
  return options;
}

std::string data_folder(const std::optional<std::string>& flag, const EnvironmentGetter& environment) {
  return first_of(flag, environment("FERRY_DATA"), {}).value_or(default_data_folder(environment));
}

bool is_loopback_host(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  in_addr address{};  // a name may begin with "127." and mean any machine: only digits count
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

Result<HostPort> parse_listen(const std::string& text) {
  const auto refused = [&](std::string_view why) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("cannot listen on \"{}\": {}; use HOST:PORT, e.g. 127.0.0.1:9324", text, why));
  };
  std::string host = "127.0.0.1";
  std::string port = text;
  if (const std::size_t colon = text.rfind(':'); colon != std::string::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string::npos) {
      return refused("an IPv6 address needs brackets");
    }
    if (host.empty()) host = "127.0.0.1";
  }
  const auto number = parse_integer(port);
  if (!number || *number < 0 || *number > 65'535) return refused("the port is no number from 0 to 65535");
  return HostPort{host, static_cast<std::uint16_t>(*number)};
}

Result<ServeOptions> merge_serve_options(const PartialServeOptions& flags, const EnvironmentGetter& environment,
                                         const PartialServeOptions& file) {
  ServeOptions options;
  const auto text = [&](const std::optional<std::string>& flag, const std::string& name,
                        const std::optional<std::string>& in_file) { return first_of(flag, environment(name), in_file); };
  if (const auto listen = text(flags.listen, "FERRY_LISTEN", file.listen)) {
    FERRY_TRY(const HostPort where, parse_listen(*listen));
    options.host = where.host;
    options.port = where.port;
  }
  options.data = text(flags.data, "FERRY_DATA", file.data).value_or(default_data_folder(environment));
  if (options.data.empty()) {
    return fail(ErrorKind::InvalidArgument, "no data folder: neither XDG_DATA_HOME nor HOME is set; name one with --data DIR");
  }
  options.keys = text(flags.keys, "FERRY_KEYS", file.keys).value_or("");
  FERRY_TRY(options.log_level, parse_level(text(flags.log_level, "FERRY_LOG_LEVEL", file.log_level).value_or("info")));
  const std::string format = text(flags.log_format, "FERRY_LOG_FORMAT", file.log_format).value_or("text");
  if (format != "text" && format != "json") {
    return fail(ErrorKind::InvalidArgument, fmt::format("unknown log format \"{}\": use text or json", format));
  }
  options.log_format = format == "json" ? LogFormat::Json : LogFormat::Text;
  FERRY_TRY(const auto threads_from_environment, number_from(environment, "FERRY_THREADS"));
  FERRY_TRY(const auto cache_from_environment, number_from(environment, "FERRY_CACHE_MIB"));
  options.threads = first_of(flags.threads, threads_from_environment, file.threads).value_or(0);
  if (options.threads > kThreadsMax) return fail(ErrorKind::InvalidArgument, fmt::format("threads: at most {}", kThreadsMax));
  options.cache_mib = first_of(flags.cache_mib, cache_from_environment, file.cache_mib).value_or(options.cache_mib);
  if (options.cache_mib > kCacheMibMax)
    return fail(ErrorKind::InvalidArgument, fmt::format("cache: at most {} MiB", kCacheMibMax));
  options.deletion_wait = first_of(flags.deletion_wait, {}, file.deletion_wait).value_or(true);
  options.purge_wait = first_of(flags.purge_wait, {}, file.purge_wait).value_or(true);
  if (options.keys.empty() && !is_loopback_host(options.host)) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("refusing to listen on {} without keys: anyone who reaches it could read and delete messages.\n"
                            "  Serve this machine only:  ferry serve --listen 127.0.0.1:{}\n"
                            "  Or ask for signatures:    ferry serve --listen {}:{} --keys FILE",
                            options.host, options.port, options.host, options.port));
  }
  return options;
}

}  // namespace ferry::cli
