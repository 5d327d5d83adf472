#pragma once
// What `ferry serve` is told: flags, environment, configuration file, defaults, in that order of strength.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "cli/command.h"

namespace ferry::cli {

struct ServeOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9324;  ///< what SQS-compatible servers listen on by custom
  std::string data;           ///< folder
  std::string keys;           ///< file; empty: signatures are not asked for, loopback only
  std::string ready_file;     ///< gets the API's URL when the server is ready; empty: none
  std::size_t threads = 0;    ///< event loops; 0: one per core
  std::uint64_t cache_mib = 128;
  bool deletion_wait = true;
  bool purge_wait = true;
  LogLevel log_level = LogLevel::Info;
  LogFormat log_format = LogFormat::Text;
  bool banner = false;
};

/// What was given in one place; absent: not given there.
struct PartialServeOptions {
  std::optional<std::string> listen, data, keys, log_level, log_format;
  std::optional<std::uint64_t> threads, cache_mib;
  std::optional<bool> deletion_wait, purge_wait;
};

/// TOML with the keys of docs/operations.md. InvalidArgument names file, line and fault; unknown keys are faults.
Result<PartialServeOptions> load_serve_config(const std::string& path);

/// `flag` over FERRY_DATA over the default; empty: there is none, for neither XDG_DATA_HOME nor HOME is set.
std::string data_folder(const std::optional<std::string>& flag, const EnvironmentGetter& environment);

/// Whether `host` is an address of this machine alone (127.0.0.0/8, ::1, localhost).
bool is_loopback_host(const std::string& host);

/// "HOST:PORT", "[::1]:PORT", ":PORT" (127.0.0.1) or "PORT".
struct HostPort {
  std::string host;
  std::uint16_t port;
};
Result<HostPort> parse_listen(const std::string& text);

/// `flags` over the environment (FERRY_LISTEN, FERRY_DATA, FERRY_KEYS, FERRY_LOG_LEVEL, FERRY_LOG_FORMAT, FERRY_THREADS,
/// FERRY_CACHE_MIB) over `file` over defaults; checked.
Result<ServeOptions> merge_serve_options(const PartialServeOptions& flags, const EnvironmentGetter& environment,
                                         const PartialServeOptions& file);

}  // namespace ferry::cli
