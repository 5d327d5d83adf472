#include "client/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/encoding.h"
#include "client/url.h"
#include "sqs/names.h"

namespace ferry::client {
namespace {
struct Found {
  std::string value;
  std::string source;
};

Found first_found(std::initializer_list<Found> candidates) {
  for (const Found& candidate : candidates) {
    if (!candidate.value.empty()) return candidate;
  }
  return {};
}

std::string service_endpoint(const Profile& profile) {
  const auto service = profile.services.find("sqs");
  if (service == profile.services.end()) return {};
  const auto setting = service->second.find("endpoint_url");
  return setting == service->second.end() ? std::string() : setting->second;
}

bool ends_with_domain(std::string_view host, std::string_view domain) {
  return host.size() > domain.size() && host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.';
}

std::string amazon_url(std::string_view region) {
  return fmt::format("https://sqs.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

Result<void> check_region(const Found& region) {
  const bool legal = region.value.size() <= 64 && std::all_of(region.value.begin(), region.value.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                     });
  if (legal) return {};
  return fail(ErrorKind::InvalidArgument, fmt::format("\"{}\" ({}) is no region: lower-case letters, digits and '-'",
                                                      escape_control(region.value), region.source));
}

// A queue argument may say where the queue is: a URL its host, an ARN its region.
struct QueueHints {
  std::string origin;
  std::string host_region;
  std::string arn_region;
};
Result<QueueHints> hints_of(const std::string& queue) {
  QueueHints hints;
  if (queue.find("://") != std::string::npos) {
    FERRY_TRY(const Url url, parse_url(queue));
    hints.origin = url.origin();
    hints.host_region = region_of_host(url.host);
  } else if (const auto arn = sqs::parse_queue_arn(queue)) {
    hints.arn_region = arn->region;
  }
  return hints;
}
}  // namespace

EndpointKind kind_of_host(std::string_view host) {
  if (is_loopback_host(host)) return EndpointKind::Loopback;
  for (const std::string_view domain : {"amazonaws.com", "amazonaws.com.cn", "api.aws", "api.amazonwebservices.com.cn"}) {
    if (ends_with_domain(host, domain)) return EndpointKind::Amazon;
  }
  return EndpointKind::Other;
}

std::string region_of_host(std::string_view host) {
  if (kind_of_host(host) != EndpointKind::Amazon) return {};
  if (host == "queue.amazonaws.com") return "us-east-1";
  std::vector<std::string> labels;
  for (std::size_t at = 0; at <= host.size();) {
    const std::size_t end = std::min(host.find('.', at), host.size());
    labels.emplace_back(host.substr(at, end - at));
    at = end + 1;
  }
  for (std::size_t i = 0; i + 1 < labels.size(); ++i) {
    if (labels[i] == "sqs" || labels[i] == "sqs-fips") return labels[i + 1] == "amazonaws" ? std::string() : labels[i + 1];
    if (i > 0 && labels[i] == "queue") return labels[i - 1];
  }
  return {};
}

Result<Endpoint> resolve_endpoint(const EndpointRequest& request, const Environment& environment, const Profile& profile) {
  if (request.amazon && !request.endpoint_url.empty()) {
    return fail(ErrorKind::InvalidArgument, "--aws and --endpoint-url exclude each other");
  }
  FERRY_TRY(const QueueHints hints, hints_of(request.queue));
  const auto variable = [&](std::string_view name) { return Found{std::string(value_of(environment, name)), std::string(name)}; };
  const std::string in_profile = fmt::format("profile {}", escape_control(profile.name));

  const bool ignored = is_true(value_of(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) ||
                       is_true(profile.get("ignore_configured_endpoint_urls"));
  Found url = {request.endpoint_url, "--endpoint-url"};
  if (url.value.empty() && !request.amazon && !ignored) {
    url = first_found({variable("AWS_ENDPOINT_URL_SQS"),
                       variable("AWS_ENDPOINT_URL"),
                       {service_endpoint(profile), in_profile + ", services"},
                       {std::string(profile.get("endpoint_url")), in_profile}});
  }
  if (url.value.empty() && !request.amazon) {
    url = first_found({{hints.origin, "queue URL"}, {std::string(kDefaultEndpoint), "default"}});
  }

  Endpoint endpoint;
  std::string chosen_region;
  if (!request.amazon) {
    FERRY_TRY(const Url parsed, parse_url(url.value));
    if (!parsed.query.empty()) {
      return fail(ErrorKind::InvalidArgument, fmt::format("the endpoint \"{}\" ({}) has a query string", url.value, url.source));
    }
    endpoint.url = parsed.origin() + (parsed.path == "/" ? "" : parsed.path);
    endpoint.url_source = url.source;
    endpoint.kind = kind_of_host(parsed.host);
    chosen_region = region_of_host(parsed.host);
  }
  const Found region = first_found({{request.region, "--region"},
                                    {chosen_region, "host of the endpoint"},
                                    {hints.arn_region, "queue ARN"},
                                    variable("AWS_REGION"),
                                    variable("AWS_DEFAULT_REGION"),
                                    {std::string(profile.get("region")), in_profile},
                                    {hints.host_region, "queue URL"},
                                    {std::string(kDefaultRegion), "default"}});
  FERRY_TRY_VOID(check_region(region));
  endpoint.region = region.value;
  endpoint.region_source = region.source;
  if (request.amazon) {
    endpoint.url = amazon_url(region.value);
    endpoint.url_source = "--aws";
    endpoint.kind = EndpointKind::Amazon;
  }
  return endpoint;
}

Result<int> resolve_attempts(const Environment& environment, const Profile& profile, int standard) {
  const Found found = first_found({{std::string(value_of(environment, "AWS_MAX_ATTEMPTS")), "AWS_MAX_ATTEMPTS"},
                                   {std::string(profile.get("max_attempts")), "max_attempts of the profile"}});
  if (found.value.empty()) return standard;
  const auto number = parse_integer(found.value);
  if (!number || *number < 1 || *number > 100) {
    return fail(ErrorKind::InvalidArgument, fmt::format("{} must be a number from 1 to 100", found.source));
  }
  return static_cast<int>(*number);
}

}  // namespace ferry::client
