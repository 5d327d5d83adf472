// Credentials that the platform hands out over HTTP: the container endpoint of ECS and EKS, and the instance metadata of EC2 in
// its second version. The first version, which asks without a token, is never used: whoever can make us fetch a URL could use it
// too.

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/encoding.h"
#include "client/credentials.h"
#include "client/credentials_json.h"
#include "client/retry.h"
#include "client/url.h"

namespace ferry::client {
namespace {
using Fetched = Result<std::optional<FetchedCredentials>>;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr std::chrono::seconds kAnswerTimeMax{2};
constexpr int kAttemptsMax = 3;
constexpr std::size_t kTokenBytesMax = 16 * 1024;
constexpr std::string_view kContainerOrigin = "http://169.254.170.2";

/// GET or PUT without a body; repeated in FetchMode::Fetch on silence and on 5xx.
Result<Transport::Response> ask(const CredentialSeams& seams, FetchMode mode, std::string_view method, const std::string& url,
                                const Headers& headers) {
  Transport::Request request;
  request.method = std::string(method);
  request.url = url;
  request.headers = headers;
  request.headers.emplace_back("Accept", "*/*");
  request.headers.emplace_back("User-Agent", "ferry");
  request.timeout = kAnswerTimeMax;
  for (int attempt = 1;; ++attempt) {
    auto answer = seams.metadata.perform(request, nullptr);
    const bool good = answer && answer->status < 500;
    if (good || mode == FetchMode::Probe || attempt == kAttemptsMax) return answer;
    seams.sleeper.sleep(retry_delay(RetryClass::Throttled, attempt, std::nullopt, seams.random), nullptr);
  }
}

Unexpected<Error> bad_status(std::string_view what, int status) {
  return fail(ErrorKind::Unavailable, fmt::format("{} answered HTTP {}", what, status));
}

// The addresses of ECS (169.254.170.2) and EKS (169.254.170.23, fd00:ec2::23) agents; beyond them plain HTTP goes to this machine
// only.
bool may_be_asked(const Url& url) {
  return url.scheme == "https" || is_loopback_host(url.host) || url.host == "169.254.170.2" || url.host == "169.254.170.23" ||
         url.host == "fd00:ec2::23";
}

class ContainerProvider final : public CredentialProvider {
 public:
  ContainerProvider(const Environment& environment, const CredentialSeams& seams)
      : relative_(value_of(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")),
        full_(value_of(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI")),
        token_(value_of(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN")),
        token_file_(value_of(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")),
        seams_(seams) {}

  std::string name() const override { return "container endpoint"; }

  Fetched fetch(FetchMode) override {
    if (relative_.empty() && full_.empty()) return std::optional<FetchedCredentials>();
    if (!relative_.empty() && relative_[0] != '/') {
      return fail(ErrorKind::InvalidArgument, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with '/'");
    }
    const std::string text = relative_.empty() ? full_ : std::string(kContainerOrigin) + relative_;
    FERRY_TRY(const Url url, parse_url(text));
    if (!may_be_asked(url)) {
      return fail(
          ErrorKind::InvalidArgument,
          fmt::format("AWS_CONTAINER_CREDENTIALS_FULL_URI names {}: plain HTTP is accepted on loopback and the addresses of ECS "
                      "and EKS only; use https",
                      escape_control(url.host)));
    }
    Headers headers;
    FERRY_TRY(const std::string token, authorization());
    if (!token.empty()) headers.emplace_back("Authorization", token);
    // It was named, so it exists: no probing.
    FERRY_TRY(const Transport::Response answer, ask(seams_, FetchMode::Fetch, "GET", text, headers));
    if (answer.status != 200) return bad_status("it", answer.status);
    FERRY_TRY(auto fetched, parse_credentials(answer.body, TokenName::Token));
    return std::optional(std::move(fetched));
  }

 private:
  // Read each time: the file is replaced before the token in it expires.
  Result<std::string> authorization() const {
    std::string token = token_;
    if (!token_file_.empty()) {
      std::ifstream file(token_file_, std::ios::binary);
      std::string content(kTokenBytesMax + 1, '\0');
      file.read(content.data(), static_cast<std::streamsize>(content.size()));
      content.resize(static_cast<std::size_t>(file.gcount()));
      token = std::string(trim(content));
      if (token.empty() || content.size() > kTokenBytesMax) {
        return fail(
            ErrorKind::InvalidArgument,
            fmt::format("cannot read a token from {} (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)", escape_control(token_file_)));
      }
    }
    if (token.find_first_of("\r\n") != std::string::npos)
      return fail(ErrorKind::InvalidArgument, "the authorization token holds a line break");
    return token;
  }

  const std::string relative_, full_, token_, token_file_;
  const CredentialSeams seams_;
};

class MetadataProvider final : public CredentialProvider {
 public:
  MetadataProvider(const Environment& environment, const CredentialSeams& seams)
      : disabled_(is_true(value_of(environment, "AWS_EC2_METADATA_DISABLED"))),
        configured_(!value_of(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT").empty()),
        origin_(value_of(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT")),
        seams_(seams) {
    if (!configured_) {
      const bool v6 = equals_ignore_case(value_of(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "IPv6");
      origin_ = v6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    }
    while (origin_.ends_with('/')) origin_.pop_back();
  }

  std::string name() const override { return disabled_ ? "instance metadata (disabled)" : "instance metadata"; }

  Fetched fetch(FetchMode mode) override {
    constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
    if (disabled_) return std::optional<FetchedCredentials>();
    FERRY_TRY_VOID(check_origin());
    auto token = ask(seams_, mode, "PUT", origin_ + "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}});
    if (!token) {
      if (mode == FetchMode::Probe && !configured_) return std::optional<FetchedCredentials>();  // no instance
      return Unexpected(std::move(token).error());
    }
    if (token->status != 200) {
      // Switched off (403), or something that is no EC2 answers here.
      if (mode == FetchMode::Probe && token->status < 500 && token->status != 400) return std::optional<FetchedCredentials>();
      return bad_status("the request for a token", token->status);
    }
    const Headers headers = {{"X-aws-ec2-metadata-token", std::string(trim(token->body))}};
    FERRY_TRY(const Transport::Response roles, ask(seams_, mode, "GET", origin_ + std::string(kRoles), headers));
    if (roles.status == 404) return std::optional<FetchedCredentials>();  // an instance without a role
    if (roles.status != 200) return bad_status("the list of roles", roles.status);
    const std::string_view role = trim(std::string_view(roles.body).substr(0, roles.body.find('\n')));
    if (role.empty()) return std::optional<FetchedCredentials>();
    const std::string url = origin_ + std::string(kRoles) + percent_encode(role);
    FERRY_TRY(const Transport::Response answer, ask(seams_, mode, "GET", url, headers));
    if (answer.status != 200) return bad_status("the role's credentials", answer.status);
    FERRY_TRY(auto fetched, parse_credentials(answer.body, TokenName::Token));
    return std::optional(std::move(fetched));
  }

 private:
  Result<void> check_origin() const {
    const auto url = parse_url(origin_);
    if (url && url->query.empty()) return {};
    return fail(ErrorKind::InvalidArgument, "AWS_EC2_METADATA_SERVICE_ENDPOINT is no http or https URL");
  }

  const bool disabled_;
  const bool configured_;
  std::string origin_;
  const CredentialSeams seams_;
};
}  // namespace

std::unique_ptr<CredentialProvider> make_container_provider(const Environment& environment, const CredentialSeams& seams) {
  return std::make_unique<ContainerProvider>(environment, seams);
}

std::unique_ptr<CredentialProvider> make_metadata_provider(const Environment& environment, const CredentialSeams& seams) {
  return std::make_unique<MetadataProvider>(environment, seams);
}

}  // namespace ferry::client
