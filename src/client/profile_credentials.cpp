// Credentials of a profile in the shared files: static keys, or a program that prints them.

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/process.h"
#include "client/credentials.h"
#include "client/credentials_json.h"

namespace ferry::client {
namespace {
constexpr std::chrono::seconds kCommandTimeMax{60};
constexpr std::size_t kCommandOutputMax = 64 * 1024;
constexpr std::chrono::milliseconds kStep{200};

class ProfileProvider final : public CredentialProvider {
 public:
  ProfileProvider(const Profile& profile, const Environment& environment, EndpointKind endpoint, CommandRunner run_command)
      : profile_(profile), environment_(environment), endpoint_(endpoint), run_command_(std::move(run_command)) {}

  std::string name() const override { return fmt::format("profile {}", escape_control(profile_.name)); }

  Result<std::optional<FetchedCredentials>> fetch(FetchMode) override {
    if (const std::string_view origin = unsupported_origin(); !origin.empty()) {
      // A default profile that is meant for Amazon does not concern another server.
      if (profile_.origin == ProfileOrigin::Default && endpoint_ != EndpointKind::Amazon)
        return std::optional<FetchedCredentials>();
      return fail(
          ErrorKind::InvalidArgument,
          fmt::format(
              "it uses {}, which is not supported; a profile with \"credential_process = aws configure export-credentials "
              "--profile {} --format process\" can stand in for it",
              origin, escape_control(profile_.name)));
    }
    FetchedCredentials out;
    out.credentials.access_key = profile_.get("aws_access_key_id");
    out.credentials.secret_key = profile_.get("aws_secret_access_key");
    out.credentials.session_token = profile_.get("aws_session_token");
    if (out.credentials.access_key.empty() != out.credentials.secret_key.empty()) {
      return fail(ErrorKind::InvalidArgument, "it has one of aws_access_key_id and aws_secret_access_key without the other");
    }
    if (!out.credentials.access_key.empty()) return std::optional(std::move(out));
    if (const std::string_view line = profile_.get("credential_process"); !line.empty()) return from_process(line);
    return std::optional<FetchedCredentials>();
  }

 private:
  std::string_view unsupported_origin() const {
    if (!profile_.get("role_arn").empty()) return "a role to assume (role_arn)";
    const bool has_keys = !profile_.get("aws_access_key_id").empty() || !profile_.get("credential_process").empty();
    if (has_keys) return {};
    if (!profile_.get("sso_session").empty() || !profile_.get("sso_start_url").empty()) return "single sign-on (sso)";
    if (!profile_.get("login_session").empty()) return "console sign-in (login_session)";
    return {};
  }

  Result<std::optional<FetchedCredentials>> from_process(std::string_view line) const {
    FERRY_TRY(const auto argv, split_command(line));
    FERRY_TRY(const std::string output, run_command_(argv, environment_));
    if (parse_version(output) != 1) return fail(ErrorKind::Corrupt, "credential_process did not print JSON with \"Version\": 1");
    FERRY_TRY(auto fetched, parse_credentials(output, TokenName::SessionToken));
    return std::optional(std::move(fetched));
  }

  const Profile profile_;
  const Environment environment_;
  const EndpointKind endpoint_;
  const CommandRunner run_command_;
};

Result<std::string> run_command(const Clock& clock, const std::vector<std::string>& argv, const Environment& environment) {
  ProcessOptions options;
  options.argv = argv;
  options.program = argv.front();
  if (argv.front().find('/') == std::string::npos) {
    FERRY_TRY(options.program, find_program(argv.front(), value_of(environment, "PATH")));
  }
  for (const auto& [name, value] : environment) options.environment.push_back(name + "=" + value);
  FERRY_TRY(const auto process, Process::start(options));
  const SteadyTime deadline = clock.steady() + kCommandTimeMax;
  std::string output;
  while (!process->exit_status()) {
    output += process->step({}, kStep).out;
    if (output.size() > kCommandOutputMax) return fail(ErrorKind::Corrupt, "credential_process printed more than 64 KiB");
    if (clock.steady() > deadline) return fail(ErrorKind::Timeout, "credential_process did not end within 60 s");
  }
  const ExitStatus status = *process->exit_status();
  if (status.signalled) return fail(ErrorKind::Io, fmt::format("credential_process was ended by signal {}", status.value));
  if (status.value != 0) return fail(ErrorKind::Io, fmt::format("credential_process ended with exit code {}", status.value));
  return output;
}
}  // namespace

CommandRunner make_command_runner(const Clock& clock) {
  return [&clock](const std::vector<std::string>& argv, const Environment& environment) {
    return run_command(clock, argv, environment);
  };
}

std::unique_ptr<CredentialProvider> make_profile_provider(const Profile& profile, const Environment& environment,
                                                          EndpointKind endpoint, CommandRunner run_command) {
  return std::make_unique<ProfileProvider>(profile, environment, endpoint, std::move(run_command));
}

Result<std::vector<std::string>> split_command(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      if (std::exchange(in_word, false)) words.push_back(std::exchange(word, {}));
      continue;
    }
    in_word = true;
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size() && (quote == 0 || line[i + 1] == '"' || line[i + 1] == '\\')) {
      word += line[++i];
    } else {
      word += c;
    }
  }
  if (quote != 0) return fail(ErrorKind::InvalidArgument, "a quote in credential_process is not closed");
  if (in_word) words.push_back(word);
  if (words.empty()) return fail(ErrorKind::InvalidArgument, "credential_process is empty");
  return words;
}

}  // namespace ferry::client
