#include "config/handoff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/encoding.h"
#include "base/process.h"
#include "base/suggest.h"
#include "config/handler_reader.h"
#include "config/ledger_reader.h"
#include "config/match_reader.h"
#include "config/toml_reader.h"
#include "config/trust_reader.h"

namespace ferry::config {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::size_t kSocketPathBytesMax = 107;  // Linux: sun_path without its final NUL
constexpr Millis kDay = std::chrono::hours(24);
constexpr Millis kVisibilityTotalMax = Seconds(43'200);  // SQS: one message's visibility in total since its receive

ParameterType::Lengths read_lengths(TableReader& reader, std::size_t allowed_max) {
  ParameterType::Lengths lengths;
  const auto limit = static_cast<std::int64_t>(allowed_max);
  lengths.max = static_cast<std::size_t>(reader.integer("max_length", 1, limit).value_or(kParameterCharsDefault));
  lengths.min = static_cast<std::size_t>(reader.integer("min_length", 1, limit).value_or(1));
  if (lengths.min > lengths.max)
    reader.problem("min_length", fmt::format("is greater than max_length, which is {}", lengths.max));
  return lengths;
}

ParameterType read_enum(TableReader& reader) {
  std::vector<std::string> values = reader.texts("values").value_or(std::vector<std::string>{});
  if (values.empty()) reader.problem("values", "must name at least one value of the enum");
  for (const std::string& value : values) {
    if (auto refused = general_refusal(value)) {
      reader.problem("values", fmt::format("holds \"{}\", which cannot be sent: {}", escape_control(value), *refused));
    }
    if (std::count(values.begin(), values.end(), value) > 1) {
      reader.problem("values", fmt::format("names {} more than once", value));
      break;
    }
  }
  return ParameterType::one_of(std::move(values));
}

ParameterType read_parameter(const toml::table& table, const std::string& name, Problems& problems) {
  TableReader reader(table, name, problems);
  const std::string kind = reader.text("type").value_or("");
  ParameterType type;
  if (kind == "enum") {
    type = read_enum(reader);
  } else if (kind == "integer") {
    constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    const ParameterType::Range range{reader.integer("min", kMin, kMax).value_or(kMin),
                                     reader.integer("max", kMin, kMax).value_or(kMax)};
    if (range.min > range.max) reader.problem("min", fmt::format("is greater than max, which is {}", range.max));
    type = ParameterType::integer(range);
  } else if (kind == "text") {
    type = ParameterType::text(read_lengths(reader, kParameterCharsMax));
  } else if (kind == "pattern") {
    const ParameterType::Lengths lengths = read_lengths(reader, kPatternCharsMax);
    const std::optional<std::string> pattern = reader.text("pattern");
    if (!pattern) {
      reader.problem("pattern", "is missing");
    } else if (auto made = ParameterType::pattern(*pattern, lengths)) {
      type = std::move(*made);
    } else {
      reader.problem("pattern", fmt::format("is wrong: {}", made.error().message));
    }
  } else {
    const std::vector<std::string> kinds = {"text", "enum", "pattern", "integer"};
    if (table.get("type") == nullptr) {
      reader.problem("type", fmt::format("is missing; there are {}", join_names(kinds)));
    } else if (table.get("type")->is_string()) {
      reader.problem(
          "type", fmt::format("is \"{}\"; there are {}{}", escape_control(kind), join_names(kinds), did_you_mean(kind, kinds)));
    }
    return type;  // which keys belong here depends on the type
  }
  reader.refuse_unknown_keys();
  return type;
}

RequestType read_request(const std::string& name, const toml::table& table, Problems& problems) {
  TableReader reader(table, fmt::format("request.{}", name), problems);
  RequestType request;
  request.name = name;
  request.line = reader.line();
  request.description = reader.text("description").value_or("");
  if (const toml::table* parameter = reader.table("parameter")) {
    request.parameter = read_parameter(*parameter, reader.path("parameter"), problems);
  }
  if (const toml::table* attributes = reader.table("attributes")) {
    TableReader inner(*attributes, reader.path("attributes"), problems);
    for (const auto& [key, node] : *attributes) {
      const std::string attribute(key.str());
      if (!is_attribute_name(attribute)) inner.problem(attribute, "is no name of a message attribute");
      if (const toml::table* type = inner.table(attribute)) {
        request.attributes.emplace(attribute, read_parameter(*type, inner.path(attribute), problems));
      }
    }
  }
  request.match = read_match(reader, name, problems);
  read_ledger_rules(reader, request.ledger);
  request.handler = read_handler(reader, problems);
  if (request.handler) {
    const bool has_parameter = request.match.kind == MatchKind::Name;
    for (const Argument& argument : request.handler->argv) {
      if (argument.kind != PlaceholderKind::Attribute || (has_parameter && argument.attribute == name)) continue;
      if (request.attributes.contains(argument.attribute)) continue;
      std::vector<std::string> known;
      if (has_parameter) known.push_back(name);
      for (const auto& [attribute, type] : request.attributes) known.push_back(attribute);
      reader.problem("handler", fmt::format("uses {{attr:{}}}, which {} does not declare{}", argument.attribute,
                                            reader.path("attributes"), did_you_mean(argument.attribute, known)));
    }
  }
  reader.refuse_unknown_keys();
  return request;
}

void read_requests(TableReader& root, Handoff& handoff, Problems& problems) {
  const toml::table* requests = root.table("request");
  if (requests == nullptr) return;
  std::vector<std::pair<std::string, const toml::table*>> tables;
  for (const auto& [key, node] : *requests) {
    const std::string name(key.str());
    const toml::table* table = node.as_table();
    if (!is_attribute_name(name)) {
      problems.add(
          line_of(node),
          fmt::format("request.\"{}\" is no name of a message attribute (letters, digits, '_', '-' and '.', at most 256)",
                      escape_control(name)));
    } else if (table == nullptr) {
      problems.add(line_of(node), fmt::format("request.{} must be a table", name));
    } else {
      tables.emplace_back(name, table);
    }
  }
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) { return line_of(*a.second) < line_of(*b.second); });
  for (const auto& [name, table] : tables) handoff.requests.push_back(read_request(name, *table, problems));
  check_overlaps(handoff.requests, problems);
}

void read_worker(const toml::table& table, WorkerSettings& worker, Problems& problems) {
  TableReader reader(table, "worker", problems);
  worker.concurrency = static_cast<int>(reader.integer("concurrency", 1, kConcurrencyMax).value_or(worker.concurrency));
  const auto seconds = [&](std::string_view key, TableReader::DurationRange range, Seconds otherwise) {
    const auto value = reader.duration(key, range);
    if (value && value->count() % 1000 != 0) reader.problem(key, "must be whole seconds");
    return value ? std::chrono::duration_cast<Seconds>(*value) : otherwise;
  };
  worker.visibility = seconds("visibility", {Seconds(3), kVisibilityTotalMax}, worker.visibility);
  worker.wait = seconds("wait", {Seconds(0), Seconds(20)}, worker.wait);
  worker.drain_timeout = reader.duration("drain_timeout", {Seconds(0), kDay}).value_or(worker.drain_timeout);
  worker.path = reader.text("path").value_or(worker.path);
  worker.home = reader.text("home").value_or(worker.home);
  worker.lang = reader.text("lang").value_or(worker.lang);
  const auto address = [&](std::string_view key, std::string_view example) {
    const auto text = reader.text(key);
    auto parsed = text ? parse_loopback(*text) : std::nullopt;
    if (text && !parsed) {
      reader.problem(key,
                     fmt::format("must be an address of this machine alone and a port: \"{}\" (port 0: any free one)", example));
    }
    return parsed;
  };
  worker.completion = address("completion", "127.0.0.1:8090");
  worker.metrics = address("metrics", "127.0.0.1:9464");
  reader.refuse_unknown_keys();
}

void read_root(const toml::table& table, Handoff& handoff, Problems& problems) {
  TableReader root(table, "", problems);
  const std::string unmatched = root.text("on_unmatched").value_or("keep");
  if (unmatched == "dead-letter") {
    handoff.on_unmatched = OnUnmatched::DeadLetter;
  } else if (unmatched == "delete") {
    handoff.on_unmatched = OnUnmatched::Delete;
  } else if (unmatched != "keep") {
    const std::vector<std::string> choices = {"keep", "dead-letter", "delete"};
    root.problem("on_unmatched", fmt::format("is \"{}\"; there are {}{}", escape_control(unmatched), join_names(choices),
                                             did_you_mean(unmatched, choices)));
  }
  handoff.dead_letter_queue = root.text("dead_letter_queue").value_or("");
  const bool dead_letters = handoff.on_unmatched == OnUnmatched::DeadLetter;
  if (dead_letters && handoff.dead_letter_queue.empty()) {
    root.problem("dead_letter_queue", "is missing; on_unmatched = \"dead-letter\" needs it");
  } else if (!dead_letters && !handoff.dead_letter_queue.empty()) {
    root.problem("dead_letter_queue", "has no use without on_unmatched = \"dead-letter\"");
  }
  if (const toml::table* worker = root.table("worker")) read_worker(*worker, handoff.worker, problems);
  if (const toml::table* backoff = root.table("backoff")) {
    TableReader reader(*backoff, "backoff", problems);
    handoff.backoff.base = reader.duration("base", {Seconds(1), Seconds(3600)}).value_or(handoff.backoff.base);
    handoff.backoff.max = reader.duration("max", {Seconds(1), kVisibilityTotalMax}).value_or(handoff.backoff.max);
    if (handoff.backoff.base > handoff.backoff.max) reader.problem("base", "is greater than backoff.max");
    reader.refuse_unknown_keys();
  }
  handoff.trust = read_trust(root, handoff.folder, problems);
  handoff.audit = read_audit(root, handoff.folder, problems);
  handoff.sender = read_sender(root, handoff.folder, problems);
  handoff.ledger = read_ledger(root, handoff.folder, problems);
  read_requests(root, handoff, problems);
  root.refuse_unknown_keys();
}
void resolve_program(const Handoff& handoff, RequestType& request, Problems& problems) {
  const std::string& program = request.handler->argv[0].prefix;
  std::string path = program;
  if (program.find('/') == std::string::npos) {
    const Result<std::string> found = find_program(program, handoff.worker.path);
    if (!found) {
      problems.add(request.line, fmt::format("request.{}.handler: {} (worker.path)", request.name, found.error().message));
      return;
    }
    path = *found;
  } else if (program.front() != '/') {
    path = (std::filesystem::path(handoff.folder) / program).lexically_normal().string();
  }
  if (const Result<void> usable = check_program(path); !usable) {
    problems.add(request.line, fmt::format("request.{}.handler: {}", request.name, usable.error().message));
  }
  request.handler->program = path;
}

void resolve_endpoint(const std::string& folder, RequestType& request, Problems& problems) {
  HttpEndpoint& endpoint = *request.handler->http;
  const auto refuse = [&](std::string_view key, std::string_view why) {
    problems.add(request.line, fmt::format("request.{}.{}: {}", request.name, key, why));
  };
  std::error_code status;
  if (!endpoint.socket.empty()) endpoint.socket = absolute_from(folder, endpoint.socket);
  if (endpoint.socket.size() > kSocketPathBytesMax) {
    refuse("socket", fmt::format("{} has {} bytes; the path of a socket has at most {}", endpoint.socket, endpoint.socket.size(),
                                 kSocketPathBytesMax));
  }
  if (!endpoint.ca_file.empty()) {
    endpoint.ca_file = absolute_from(folder, endpoint.ca_file);
    if (!std::filesystem::is_regular_file(endpoint.ca_file, status))
      refuse("ca_file", fmt::format("there is no file {}", endpoint.ca_file));
  }
  if (!endpoint.signing_key_file.empty()) {
    endpoint.signing_key_file = absolute_from(folder, endpoint.signing_key_file);
    auto key = read_signing_key(endpoint.signing_key_file);
    if (key) {
      endpoint.signing_key = std::move(*key);
    } else {
      refuse("signing_key", key.error().message);
    }
  }
}
}  // namespace

std::optional<std::string> RequestType::parameter_refusal(std::string_view value) const {
  if (auto refused = parameter.refusal(value)) return refused;
  if (!handler) return std::nullopt;
  for (const Argument& argument : handler->argv) {
    if (argument.kind != PlaceholderKind::Attribute || argument.attribute != name) continue;
    if (auto refused = argument_refusal(argument, value)) return refused;
  }
  return std::nullopt;
}

std::string RequestType::shown_name() const {
  return name.empty() ? "the command" : name;
}

const RequestType* Handoff::find(std::string_view name) const {
  const auto found =
      std::find_if(requests.begin(), requests.end(), [&](const RequestType& request) { return request.name == name; });
  return found == requests.end() ? nullptr : &*found;
}

std::vector<std::string> Handoff::request_names() const {
  std::vector<std::string> names;
  for (const RequestType& request : requests) names.push_back(request.name);
  return names;
}

Millis Handoff::longest_kill_grace() const {
  Millis longest{0};
  for (const RequestType& request : requests) {
    if (request.handler) longest = std::max(longest, request.handler->kill_grace);
  }
  return longest;
}

std::string ConfigErrors::text() const {
  return fmt::format("{}", fmt::join(messages, "\n"));
}

Result<Handoff, ConfigErrors> parse_handoff(const HandoffSource& source) {
  Handoff handoff;
  handoff.file = source.file;
  handoff.folder = source.folder;
  Problems problems(source.file);
  try {
    const toml::table table = toml::parse(source.text);
    read_root(table, handoff, problems);
  } catch (const toml::parse_error& error) {
    problems.add(static_cast<int>(error.source().begin.line),
                 fmt::format("this is not TOML: {}", escape_control(std::string(error.description()))));
  }
  if (!problems.messages().empty()) return Unexpected(ConfigErrors{std::move(problems.messages())});
  return handoff;
}

Result<Handoff, ConfigErrors> load_handoff(const std::string& path) {
  const auto refuse = [&](std::string_view why) {
    return Unexpected(ConfigErrors{{fmt::format("cannot read {}: {}", path, why)}});
  };
  std::error_code status;
  const std::filesystem::path absolute = std::filesystem::absolute(path, status);
  if (status || !std::filesystem::exists(absolute, status)) return refuse("there is no such file");
  if (!std::filesystem::is_regular_file(absolute, status)) return refuse("it is not a file");
  std::ifstream stream(absolute, std::ios::binary);
  if (!stream) return refuse("permission denied");
  std::string text(kFileBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kFileBytesMax) return refuse("it has more than 1 MiB");
  return parse_handoff({text, path, absolute.parent_path().string()});
}

Result<void, ConfigErrors> resolve_programs(Handoff& handoff) {
  Problems problems(handoff.file);
  if (handoff.requests.empty()) problems.add(1, "names no request; a worker needs at least one [request.NAME] with a handler");
  for (RequestType& request : handoff.requests) {
    if (!request.handler) {
      problems.add(request.line, fmt::format("request.{} has no handler", request.name));
      continue;
    }
    if (request.handler->http) {
      resolve_endpoint(handoff.folder, request, problems);
    } else {
      resolve_program(handoff, request, problems);
    }
  }
  if (!problems.messages().empty()) return Unexpected(ConfigErrors{std::move(problems.messages())});
  return {};
}

std::optional<LoopbackAddress> parse_loopback(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto port = parse_integer(digits);
  if (!port || *port < 0 || *port > 65'535 || digits.front() == '-') return std::nullopt;
  if (host != "127.0.0.1" && host != "[::1]" && host != "localhost") return std::nullopt;
  return LoopbackAddress{host == "localhost" ? "127.0.0.1" : std::string(host), static_cast<std::uint16_t>(*port)};
}

std::optional<Millis> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t millis;
  };
  constexpr std::array kUnits = {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
  std::int64_t factor = 1000;
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    factor = unit.millis;
    text.remove_suffix(unit.name.size());
    break;
  }
  const std::optional<std::int64_t> number = parse_integer(text);
  if (!number || *number < 0 || *number > std::numeric_limits<std::int64_t>::max() / factor) return std::nullopt;
  return Millis(*number * factor);
}

}  // namespace ferry::config
