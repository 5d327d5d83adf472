#pragma once
// Where the client's credentials come from.
//
//   profile named by --profile › environment › shared files › container endpoint › instance metadata (IMDSv2)
//
// The first that has some is kept; it alone is asked again, from 5 minutes before they expire.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "client/client.h"
#include "client/credential_provider.h"
#include "client/endpoint.h"
#include "client/environment.h"
#include "client/shared_config.h"
#include "client/sleeper.h"

namespace ferry::client {

/// Runs a program (argv, no shell) with our environment and gives what it wrote to stdout; it succeeded with exit code 0.
/// The error says why not, without its output.
using CommandRunner = std::function<Result<std::string>(const std::vector<std::string>& argv, const Environment& environment)>;
/// A real one: found in PATH, ended after 60 s and after 64 KiB of output.
CommandRunner make_command_runner(const Clock& clock);

/// Everything outlives the source. `metadata` is the transport to container endpoint and instance metadata: it uses no proxies
/// and has a short connect timeout (metadata_transport_options()).
struct CredentialSeams {
  Transport& metadata;
  CommandRunner run_command;
  const Clock& clock;
  Random& random;
  const Logger& log;
  Sleeper& sleeper = system_sleeper();
};
TransportOptions metadata_transport_options();

/// The chain for an endpoint. get() fails when an origin is configured and does not work, or when there are no credentials and
/// the endpoint is Amazon's; for other endpoints no credentials mean unsigned requests. Instance metadata is not asked on behalf
/// of a loopback endpoint, which needs no role, unless AWS_EC2_METADATA_SERVICE_ENDPOINT is set.
std::unique_ptr<CredentialSource> make_credential_source(EndpointKind endpoint, const Profile& profile,
                                                         const Environment& environment, CredentialSeams seams);

/// Requests go unsigned, or signed with these for ever.
std::unique_ptr<CredentialSource> make_anonymous_source();
std::unique_ptr<CredentialSource> make_static_source(access::Credentials credentials);

// What the chain is made of; for it and for tests.

enum class WhenNone { Anonymous, Error };
/// Asks `chain` in order. Thread-safe; one thread fetches, the others are served what is still valid or wait.
std::unique_ptr<CredentialSource> make_refreshing_source(std::vector<std::unique_ptr<CredentialProvider>> chain,
                                                         WhenNone when_none, const Clock& clock, Random& random,
                                                         const Logger& log);
std::unique_ptr<CredentialProvider> make_environment_provider(const Environment& environment);
std::unique_ptr<CredentialProvider> make_profile_provider(const Profile& profile, const Environment& environment,
                                                          EndpointKind endpoint, CommandRunner run_command);
std::unique_ptr<CredentialProvider> make_container_provider(const Environment& environment, const CredentialSeams& seams);
std::unique_ptr<CredentialProvider> make_metadata_provider(const Environment& environment, const CredentialSeams& seams);

/// Splits a credential_process line into words as a POSIX shell does, with quotes and backslashes and nothing else.
/// InvalidArgument: empty, or a quote is not closed.
Result<std::vector<std::string>> split_command(std::string_view line);

}  // namespace ferry::client
