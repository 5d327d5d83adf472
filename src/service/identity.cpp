#include "service/identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"

namespace ferry::service {
namespace {

// The text between `before` and the next separator, e.g. the scope of "Credential=AK/20261123/us-east-1/sqs/aws4_request, …".
std::string_view between(std::string_view text, std::string_view before, std::string_view separators) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + before.size());
  return rest.substr(0, rest.find_first_of(separators));
}

// "AK/20261123/us-east-1/sqs/aws4_request" as sent by a client whose signature nobody checks.
std::string credential_of(const http::Request& request) {
  const std::string_view header = between(request.header("Authorization"), "Credential=", ", ");
  if (!header.empty()) return std::string(header);
  return percent_decode(between(request.query, "X-Amz-Credential=", "&")).value_or("");
}

std::string_view nth_part(std::string_view text, std::size_t n) {
  for (; n > 0; --n) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return {};
    text.remove_prefix(slash + 1);
  }
  return text.substr(0, text.find('/'));
}

bool is_account(std::string_view text) {
  return text.size() == 12 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_region(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_ip_literal(std::string_view name) {
  if (name.size() >= 2 && name.front() == '[' && name.back() == ']') return true;
  int dots = 0;
  for (const char c : name) {
    if (c == '.') {
      ++dots;
    } else if (c < '0' || c > '9') {
      return false;
    }
  }
  return dots == 3;
}

}  // namespace

bool is_local_host(std::string_view host) {
  std::string_view name = host;
  if (!name.empty() && name.front() == '[') {
    name = name.substr(0, name.find(']') + 1);
  } else {
    name = name.substr(0, name.rfind(':') == std::string_view::npos ? name.size() : name.rfind(':'));
  }
  if (name.empty()) return false;
  if (is_ip_literal(name)) return true;
  const std::string lower = to_lower(name);
  if (lower.find('.') == std::string::npos) return true;
  return lower.ends_with(".localhost") || lower == "host.docker.internal";
}

IdentityCheck::IdentityCheck(const access::KeyRing* keys, const Clock& clock)
    : keys_(keys), clock_(clock), verifier_([keys](std::string_view access_key) -> std::optional<std::string> {
        const access::Key* key = keys == nullptr ? nullptr : keys->find(access_key);
        if (key == nullptr) return std::nullopt;
        return key->secret_key;
      }) {}

sqs::ApiResult<Identity> IdentityCheck::identify_unsigned(const http::Request& request) const {
  // SDKs never send these headers; a browser always sends one of them with a form post to another site. With an image, older
  // ones send nothing but the Referer, and not even that if the page forbids it: they are known by their name. What is
  // signed is no browser's, whatever its name (that of Celery's transport is Mozilla): no page can have that header sent unasked.
  const std::string_view origin = request.header("Origin");
  const std::string_view site = request.header("Sec-Fetch-Site");
  const std::string_view host = request.header("Host");
  const std::string_view referer = request.header("Referer");
  const bool same_referer = !host.empty() && (std::string(referer) + "/").starts_with(fmt::format("http://{}/", host));
  const bool same_origin = !host.empty() && (origin == fmt::format("http://{}", host));
  const bool nameless_browser = request.header("User-Agent").starts_with("Mozilla/") && origin.empty() && referer.empty() &&
                                site.empty() && !request.header("Authorization").starts_with("AWS4-");
  if ((!origin.empty() && !same_origin) || (!referer.empty() && !same_referer) || nameless_browser ||
      (!site.empty() && site != "same-origin" && site != "none")) {
    return api_fail(sqs::ErrorCode::AccessDenied, "Requests from web pages of another origin are refused.");
  }
  if (!host.empty() && !is_local_host(host)) {
    return api_fail(
        sqs::ErrorCode::AccessDenied,
        "This server asks for no signatures and answers to local host names only. Start it with --keys to use another name.");
  }
  Identity identity;
  const std::string credential = credential_of(request);
  const std::string_view access_key = nth_part(credential, 0);
  const std::string_view region = nth_part(credential, 2);
  identity.caller = {access_key.empty() || access_key.size() > 128 ? "anonymous" : std::string(access_key),
                     std::string(request.peer)};
  identity.account = is_account(access_key) ? access_key : kDefaultAccount;
  identity.region = is_region(region) ? region : kDefaultRegion;
  return identity;
}

sqs::ApiResult<Identity> IdentityCheck::identify(const http::Request& request) {
  if (keys_ == nullptr) return identify_unsigned(request);
  access::SignableRequest signable{request.method, request.path, request.query, {}, request.body};
  signable.headers.reserve(request.headers.size());
  for (const http::Header& header : request.headers) signable.headers.push_back({header.name, header.value});
  FERRY_TRY(const access::VerifiedSignature signature, verifier_.verify(signable, clock_.wall()));
  Identity identity;
  identity.key = keys_->find(signature.access_key);
  FERRY_CHECK(identity.key != nullptr);  // the verifier found its secret
  identity.caller = {signature.access_key, std::string(request.peer)};
  identity.account = identity.key->account;
  identity.region = signature.region;
  return identity;
}

sqs::ApiResult<void> IdentityCheck::authorize(const Identity& identity, std::string_view action, std::string_view queue_name) {
  if (identity.key == nullptr || access::KeyRing::allows(*identity.key, action, queue_name)) return {};
  return api_fail(
      sqs::ErrorCode::AccessDenied,
      fmt::format("User: {} is not authorized to perform: sqs:{} on resource: arn:aws:sqs:{}:{}:{}", identity.caller.principal,
                  to_lower(action), identity.region, identity.account, queue_name.empty() ? "*" : queue_name));
}

}  // namespace ferry::service
