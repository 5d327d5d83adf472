// The client's half of Signature Version 4.

#include <fmt/format.h>

#include "access/canonical.h"
#include "access/signing_key.h"
#include "access/sigv4.h"
#include "base/encoding.h"

namespace ferry::access {
namespace {
std::string signature(const CanonicalInput& input, const Credentials& credentials, const SigningScope& scope,
                      std::string_view date) {
  const std::string_view day = date.substr(0, 8);
  const std::string text = string_to_sign(date, scope_text(day, scope), canonical_request(input));
  return hex_encode(hmac_sha256(as_text(derive_signing_key(credentials.secret_key, day, scope)), text));
}
}  // namespace

std::vector<std::pair<std::string, std::string>> sign(const SignableRequest& request, const Credentials& credentials,
                                                      const SigningScope& scope, Timestamp now) {
  const std::string date = format_amz_date(now);
  std::vector<std::pair<std::string, std::string>> added = {{"X-Amz-Date", date}};
  if (!credentials.session_token.empty()) added.emplace_back("X-Amz-Security-Token", credentials.session_token);
  std::vector<SignedHeader> headers = request.headers;
  for (const auto& [name, value] : added) headers.push_back({name, value});

  const std::vector<std::string> names = sorted_header_names(headers);
  const std::string query = canonical_query(parse_query(request.query).parameters, {});
  const std::string payload_hash = hex_encode(sha256(request.body));
  const std::string result =
      signature({request.method, request.path, query, headers, names, payload_hash}, credentials, scope, date);
  added.emplace_back("Authorization",
                     fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, credentials.access_key,
                                 scope_text(std::string_view(date).substr(0, 8), scope), join_header_names(names), result));
  return added;
}

std::string presign(const SignableRequest& request, const Credentials& credentials, const SigningScope& scope, Timestamp now,
                    std::chrono::seconds expires) {
  const std::string date = format_amz_date(now);
  const std::vector<std::string> names = sorted_header_names(request.headers);
  std::vector<QueryParameter> added = {
      {"X-Amz-Algorithm", std::string(kAlgorithm)},
      {"X-Amz-Credential", credentials.access_key + "/" + scope_text(std::string_view(date).substr(0, 8), scope)},
      {"X-Amz-Date", date},
      {"X-Amz-Expires", std::to_string(expires.count())},
      {"X-Amz-SignedHeaders", join_header_names(names)},
  };
  if (!credentials.session_token.empty()) added.push_back({"X-Amz-Security-Token", credentials.session_token});

  std::vector<QueryParameter> all = parse_query(request.query).parameters;
  all.insert(all.end(), added.begin(), added.end());
  const std::string query = canonical_query(all, {});
  const std::string payload_hash = hex_encode(sha256(request.body));
  const std::string result =
      signature({request.method, request.path, query, request.headers, names, payload_hash}, credentials, scope, date);

  added.push_back({"X-Amz-Signature", result});
  std::string out(request.query);
  for (const QueryParameter& parameter : added) {
    if (!out.empty()) out += '&';
    out += parameter.name + "=" + percent_encode(parameter.value);
  }
  return out;
}

}  // namespace ferry::access
