#pragma once
// Which server is talked to, and in which region requests are signed.

#include <string>
#include <string_view>

#include "base/result.h"
#include "client/client.h"
#include "client/environment.h"
#include "client/shared_config.h"

namespace ferry::client {

inline constexpr std::string_view kDefaultEndpoint = "http://127.0.0.1:9324";
inline constexpr std::string_view kDefaultRegion = "us-east-1";

/// What the user said on the command line.
struct EndpointRequest {
  std::string endpoint_url;  ///< --endpoint-url; empty when not given
  std::string region;        ///< --region; empty when not given
  bool amazon = false;       ///< --aws
  std::string queue;         ///< the queue argument: name, URL or ARN; may be empty
};

enum class EndpointKind { Amazon, Loopback, Other };

struct Endpoint {
  std::string url;
  std::string region;
  EndpointKind kind = EndpointKind::Loopback;
  std::string url_source;     ///< for people: "--endpoint-url", "AWS_ENDPOINT_URL_SQS", …
  std::string region_source;  ///< the same
};

/// The endpoint: --endpoint-url or --aws › AWS_ENDPOINT_URL_SQS › AWS_ENDPOINT_URL › the profile's services section › its
/// endpoint_url › scheme and host of a queue URL › http://127.0.0.1:9324. Environment and profile are passed over when
/// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS (or the profile's ignore_configured_endpoint_urls) is true.
/// The region: --region › the region in the name of the Amazon host that was chosen › that of an ARN › AWS_REGION ›
/// AWS_DEFAULT_REGION › the profile › that of an Amazon queue URL › us-east-1.
/// InvalidArgument: a malformed URL or region, --aws together with --endpoint-url.
Result<Endpoint> resolve_endpoint(const EndpointRequest& request, const Environment& environment, const Profile& profile);

/// AWS_MAX_ATTEMPTS › the profile's max_attempts › `standard`. InvalidArgument unless it is a number from 1 to 100.
Result<int> resolve_attempts(const Environment& environment, const Profile& profile, int standard);

EndpointKind kind_of_host(std::string_view host);
/// "eu-west-1" of sqs.eu-west-1.amazonaws.com, eu-west-1.queue.amazonaws.com and their relatives; empty when there is none.
std::string region_of_host(std::string_view host);

}  // namespace ferry::client
