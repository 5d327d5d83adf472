#include "config/handler_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>

#include "base/encoding.h"
#include "base/suggest.h"
#include "config/handoff.h"

namespace ferry::config {
namespace {

constexpr Millis kTimeoutMax = Seconds(43'200 - 60);  // SQS hides no message for longer than 12 hours in total
constexpr int kPoisonAfterMax = 1'000;
constexpr std::size_t kUrlBytesMax = 2'048;
constexpr std::size_t kHeaderBytesMax = 256;
constexpr std::string_view kFileReference = "file:";

bool is_environment_name(std::string_view name) {
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// What the worker sets for every handler, now or in a later version of the protocol (docs/worker.md).
constexpr std::array<std::string_view, 20> kOwnNames = {"PATH",
                                                        "HOME",
                                                        "LANG",
                                                        "FERRY_PROTOCOL",
                                                        "FERRY_HANDLER",
                                                        "FERRY_QUEUE",
                                                        "FERRY_MESSAGE_ID",
                                                        "FERRY_RECEIVE_COUNT",
                                                        "FERRY_ATTEMPT",
                                                        "FERRY_SENT_AT",
                                                        "FERRY_FENCE",
                                                        "FERRY_FIRST_RECEIVED_AT",
                                                        "FERRY_GROUP_ID",
                                                        "FERRY_SENDER",
                                                        "FERRY_SIGNED_BY",
                                                        "FERRY_DEADLINE",
                                                        "FERRY_IDEMPOTENCY_KEY",
                                                        "FERRY_CONTROL_FD",
                                                        "TRACEPARENT",
                                                        "TRACESTATE"};

std::optional<std::string> environment_name_problem(std::string_view name) {
  if (!is_environment_name(name)) return fmt::format("\"{}\" is no name of an environment variable", escape_control(name));
  if (name.starts_with("FERRY_ATTR_") || std::find(kOwnNames.begin(), kOwnNames.end(), name) != kOwnNames.end()) {
    return fmt::format("{} is set by the worker itself", name);
  }
  if (name.starts_with("LD_")) return fmt::format("{} would change what the handler's program is", name);
  return std::nullopt;
}

void read_environment(TableReader& reader, HandlerSpec& handler, Problems& problems) {
  if (const toml::table* table = reader.table("environment")) {
    for (const auto& [key, node] : *table) {
      const std::string name(key.str());
      const auto* value = node.as_string();
      const std::optional<std::string> problem = environment_name_problem(name);
      if (problem) {
        problems.add(line_of(node), fmt::format("{}: {}", reader.path("environment"), *problem));
      } else if (value == nullptr || value->get().find('\0') != std::string::npos) {
        problems.add(line_of(node), fmt::format("{}.{} must be a string without NUL", reader.path("environment"), name));
      } else {
        handler.environment.emplace(name, value->get());
      }
    }
  }
  handler.pass_environment = reader.texts("pass_environment").value_or(std::vector<std::string>{});
  for (const std::string& name : handler.pass_environment) {
    if (const auto problem = environment_name_problem(name))
      reader.problem("pass_environment", fmt::format("is wrong: {}", *problem));
    if (handler.environment.contains(name))
      reader.problem("pass_environment", fmt::format("names {}, which environment sets", name));
  }
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Of what is wrong with the URL; the rest is for the peer to find.
std::optional<std::string> url_problem(std::string_view url) {
  std::string_view rest = url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return "must be a URL that starts with http:// or https://";
  }
  if (url.size() > kUrlBytesMax) return fmt::format("has {} bytes; at most {} are allowed", url.size(), kUrlBytesMax);
  if (!is_visible_ascii(url)) return "holds spaces, control characters or others that a URL writes as %XX";
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.empty() || authority.front() == ':') return "names no host";
  if (authority.find('@') != std::string_view::npos) return "holds a user or a password; it is no place for secrets";
  if (url.find('#') != std::string_view::npos) return "has a fragment (#…), which no server is told";
  return std::nullopt;
}

void refuse_keys_of_the_other_kind(TableReader& reader, bool http) {
  constexpr std::array<std::string_view, 7> kOfPrograms = {"kill_grace",       "poison_after", "stdin",       "environment",
                                                           "pass_environment", "limits",       "no_new_privs"};
  constexpr std::array<std::string_view, 6> kOfEndpoints = {"content", "content_type", "socket",
                                                            "proxy",   "ca_file",      "signing_key"};
  const std::span<const std::string_view> others = http ? std::span<const std::string_view>(kOfPrograms) : kOfEndpoints;
  for (const std::string_view key : others) {
    if (reader.has(key))
      reader.problem(key, http ? "has no use with http, only with handler" : "has no use with handler, only with http");
  }
}

void read_limits(TableReader& reader, HandlerSpec& handler, Problems& problems) {
  const toml::table* table = reader.table("limits");
  if (table == nullptr) return;
  TableReader limits(*table, reader.path("limits"), problems);
  if (const auto text = limits.text("memory")) {
    constexpr std::uint64_t kLeast = 1024 * 1024;
    constexpr std::uint64_t kMost = std::uint64_t{16} << 40;
    const auto bytes = parse_size(*text);
    if (!bytes) {
      limits.problem("memory", "must be a size such as \"512M\" or \"2G\"");
    } else if (*bytes < kLeast || *bytes > kMost) {
      limits.problem("memory", "must be from 1M to 16T");
    } else {
      handler.limits.memory_bytes = bytes;
    }
  }
  if (const auto cpu = limits.duration("cpu", {Seconds(1), kTimeoutMax})) {
    if (cpu->count() % 1000 != 0) limits.problem("cpu", "must be whole seconds");
    handler.limits.cpu_seconds = static_cast<std::uint64_t>(cpu->count() / 1000);
  }
  if (const auto files = limits.integer("files", 8, 1'048'576)) handler.limits.files = static_cast<std::uint64_t>(*files);
  if (const auto processes = limits.integer("processes", 1, 4'194'304))
    handler.limits.processes = static_cast<std::uint64_t>(*processes);
  limits.refuse_unknown_keys();
}

void read_bounds(TableReader& reader, HandlerSpec& handler, Problems& problems) {
  handler.timeout = reader.duration("timeout", {Millis(1), kTimeoutMax}).value_or(handler.timeout);
  handler.concurrency = static_cast<int>(reader.integer("concurrency", 1, kConcurrencyMax).value_or(0));
  if (const auto text = reader.text("rate")) {
    handler.rate = parse_rate(*text);
    if (!handler.rate) reader.problem("rate", "must be a number from 1 to 1000000 and a unit: \"10/s\", \"100/m\" or \"5/h\"");
  }
  if (const toml::table* table = reader.table("breaker")) {
    TableReader inner(*table, reader.path("breaker"), problems);
    BreakerSettings breaker;
    breaker.failures = static_cast<int>(inner.integer("failures", 1, 1'000).value_or(breaker.failures));
    breaker.pause = inner.duration("pause", {Seconds(1), Seconds(3600)}).value_or(breaker.pause);
    handler.breaker = breaker;
    inner.refuse_unknown_keys();
  }
}

void read_program_keys(TableReader& reader, HandlerSpec& handler, Problems& problems) {
  handler.kill_grace = reader.duration("kill_grace", {Millis(0), Seconds(300)}).value_or(handler.kill_grace);
  const std::string input = reader.text("stdin").value_or("body");
  if (input == "none") {
    handler.input = HandlerInput::None;
  } else if (input == "envelope") {
    handler.input = HandlerInput::Envelope;
  } else if (input == "line") {
    handler.input = HandlerInput::Line;
  } else if (input != "body") {
    reader.problem("stdin", "must be \"body\", \"line\", \"envelope\" or \"none\"");
  }
  handler.poison_after = static_cast<int>(reader.integer("poison_after", 0, kPoisonAfterMax).value_or(handler.poison_after));
  handler.no_new_privileges = reader.boolean("no_new_privs").value_or(true);
  read_environment(reader, handler, problems);
  read_limits(reader, handler, problems);
}

HttpEndpoint read_endpoint_keys(TableReader& reader, HandlerInput& input) {
  HttpEndpoint endpoint;
  const std::string content = reader.text("content").value_or("body");
  if (content == "envelope") {
    input = HandlerInput::Envelope;
  } else if (content != "body") {
    reader.problem("content", "must be \"body\" or \"envelope\"");
  }
  endpoint.content_type =
      reader.text("content_type").value_or(input == HandlerInput::Envelope ? "application/json" : "text/plain; charset=utf-8");
  const std::string& type = endpoint.content_type;
  const bool printable = std::all_of(type.begin(), type.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (type.empty() || type.size() > kHeaderBytesMax || !printable) {
    reader.problem("content_type", fmt::format("must be 1 to {} printable ASCII characters", kHeaderBytesMax));
  }
  endpoint.socket = reader.text("socket").value_or("");
  endpoint.ca_file = reader.text("ca_file").value_or("");
  endpoint.proxy = reader.text("proxy").value_or("");
  if (!endpoint.proxy.empty()) {
    if (const auto problem = url_problem(endpoint.proxy)) reader.problem("proxy", *problem);
    if (!endpoint.socket.empty()) reader.problem("proxy", "and socket are two ways; give one");
  }
  if (const auto key = reader.text("signing_key")) {
    if (key->starts_with(kFileReference) && key->size() > kFileReference.size()) {
      endpoint.signing_key_file = key->substr(kFileReference.size());
    } else {
      reader.problem("signing_key",
                     "must name a file, \"file:PATH\": a key in this file could be read by everybody who may read it");
    }
  }
  return endpoint;
}

bool read_argv(TableReader& reader, HandlerSpec& handler) {
  const toml::node* node = reader.node("handler");
  if (node->is_string()) {
    reader.problem("handler",
                   "must be an array of strings, [\"program\", \"argument\", …]: no shell reads it, so that no message can write "
                   "to a shell");
    return false;
  }
  const auto elements = reader.texts("handler");
  if (!elements) return false;
  bool whole = true;
  for (const std::string& element : *elements) {
    if (auto argument = parse_argument(element)) {
      handler.argv.push_back(std::move(*argument));
    } else {
      reader.problem("handler", fmt::format("is wrong: {}", argument.error().message));
      whole = false;
    }
  }
  if (!whole) return false;
  std::optional<std::string> problem = argv_problem(handler.argv);
  if (!problem && handler.no_new_privileges && needs_privileges(handler.argv[0])) {
    problem = fmt::format("runs {}, which gains no privileges here; no_new_privs = false allows it to", handler.argv[0].prefix);
  }
  if (problem) reader.problem("handler", *problem);
  return !problem;
}
}  // namespace

std::optional<HandlerSpec> read_handler(TableReader& reader, Problems& problems) {
  HandlerSpec handler;
  const bool is_program = reader.node("handler") != nullptr;
  const auto url = reader.text("http");
  const bool is_http = reader.has("http");
  read_bounds(reader, handler, problems);
  read_program_keys(reader, handler, problems);
  HandlerInput content = HandlerInput::Body;
  HttpEndpoint endpoint = read_endpoint_keys(reader, content);
  if (is_program && is_http) {
    reader.problem("http", "and handler are two ways to carry out one request; give one");
    return std::nullopt;
  }
  if (is_program || is_http) refuse_keys_of_the_other_kind(reader, is_http);
  if (is_program) return read_argv(reader, handler) ? std::optional(std::move(handler)) : std::nullopt;
  if (!url) return std::nullopt;
  if (const auto problem = url_problem(*url)) {
    reader.problem("http", *problem);
    return std::nullopt;
  }
  endpoint.url = *url;
  handler.http = std::move(endpoint);
  handler.input = content;
  return handler;
}

std::string absolute_from(const std::string& folder, const std::string& path) {
  if (path.starts_with('/')) return path;
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

Result<std::string> read_signing_key(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Unexpected(system_error(errno, "read the key", path));
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::InvalidArgument, fmt::format("the key {} is not a file", path));
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(ErrorKind::PermissionDenied, fmt::format("the key {} is open to others (chmod 600 {} mends it)", path, path));
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail(ErrorKind::PermissionDenied, fmt::format("the key {} belongs to another user, who can change it", path));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail(ErrorKind::PermissionDenied, fmt::format("cannot read the key {}", path));
  std::string key(kSigningKeyBytesMax + 2, '\0');
  stream.read(key.data(), static_cast<std::streamsize>(key.size()));
  key.resize(static_cast<std::size_t>(stream.gcount()));
  if (key.ends_with('\n')) key.pop_back();
  if (key.size() < kSigningKeyBytesMin || key.size() > kSigningKeyBytesMax) {
    return fail(ErrorKind::InvalidArgument, fmt::format("the key {} must have {} to {} bytes (openssl rand -hex 32 makes one)",
                                                        path, kSigningKeyBytesMin, kSigningKeyBytesMax));
  }
  return key;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  unsigned shift = 0;
  if (!text.empty() && kUnits.find(text.back()) != std::string_view::npos) {
    shift = 10 * static_cast<unsigned>(kUnits.find(text.back()) + 1);
    text.remove_suffix(1);
  }
  const auto number = parse_integer(text);
  if (!number || *number < 0 || *number > (std::numeric_limits<std::int64_t>::max() >> shift)) return std::nullopt;
  return static_cast<std::uint64_t>(*number) << shift;
}

std::optional<RateLimit> parse_rate(std::string_view text) {
  constexpr std::int64_t kMost = 1'000'000;
  if (text.size() < 3 || text[text.size() - 2] != '/') return std::nullopt;
  RateLimit rate;
  switch (text.back()) {
    case 's':
      break;
    case 'm':
      rate.per = std::chrono::minutes(1);
      break;
    case 'h':
      rate.per = std::chrono::hours(1);
      break;
    default:
      return std::nullopt;
  }
  const auto count = parse_integer(text.substr(0, text.size() - 2));
  if (!count || *count < 1 || *count > kMost) return std::nullopt;
  rate.count = static_cast<int>(*count);
  return rate;
}

}  // namespace ferry::config
