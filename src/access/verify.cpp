// The server's half of Signature Version 4. The checks come in this order, cheapest first and nothing hashed for strangers:
// form of the signature, scope, time, access key, which headers are covered, payload, signature.
//
// Replaying a request within its time of validity cannot be detected by this scheme; docs/security.md says what follows from it.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "access/canonical.h"
#include "access/signing_key.h"
#include "access/sigv4.h"
#include "base/encoding.h"

namespace ferry::access {
namespace {
using sqs::api_fail;
using sqs::ApiResult;
using sqs::ErrorCode;
using Check = Result<void, sqs::ApiError>;

constexpr std::chrono::seconds kSkewMax{900};           // Amazon's 15 minutes
constexpr std::chrono::seconds kPresignedMax{604'800};  // Amazon's 7 days
constexpr std::size_t kSigningKeysMax = 1024;
constexpr std::string_view kService = "sqs";
constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
    "method. Consult the service documentation for details.";
constexpr std::string_view kUnknownKey = "The security token included in the request is invalid.";

// Added by CloudFront on the way, after the client has signed; nothing here reads it.
constexpr std::string_view kUnsignedAllowed = "x-amz-cf-id";

struct Presented {
  std::string access_key;
  std::string date_of_scope;
  SigningScope scope;
  std::vector<std::string> signed_headers;
  std::string signature;
  std::string amz_date;
  std::optional<std::chrono::seconds> expires;  // presigned URLs only
  bool has_session_token = false;
};

auto incomplete(std::string message) {
  return api_fail(ErrorCode::IncompleteSignature, std::move(message));
}
auto invalid(std::string message) {
  return api_fail(ErrorCode::InvalidSignature, std::move(message));
}
auto mismatch() {
  return invalid(std::string(kMismatch));
}

// What the client sent, fit to be sent back: bounded and without control characters.
std::string echo(std::string_view text) {
  return escape_control(text.substr(0, 128));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    pieces.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return pieces;
}

struct HeaderLookup {
  std::size_t count = 0;
  std::string_view value;
};
HeaderLookup lookup(const SignableRequest& request, std::string_view name) {
  HeaderLookup found;
  for (const SignedHeader& header : request.headers) {
    if (!equals_ignore_case(header.name, name)) continue;
    if (found.count++ == 0) found.value = trim(header.value);
  }
  return found;
}

bool is_amz_header(std::string_view name) {
  return name.size() > 6 && equals_ignore_case(name.substr(0, 6), "x-amz-");
}

Check parse_credential(std::string_view text, Presented& out) {
  const std::vector<std::string> parts = split(text, '/');
  if (parts.size() != 5) {
    return incomplete(fmt::format(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'", echo(text)));
  }
  out.access_key = parts[0];
  out.date_of_scope = parts[1];
  out.scope = {parts[2], parts[3]};
  if (parts[3] != kService) return invalid("Credential should be scoped to correct service: 'sqs'.");
  if (parts[4] != kTerminator) {
    return invalid(fmt::format("Credential should be scoped with a valid terminator: 'aws4_request', not '{}'.", echo(parts[4])));
  }
  const bool region_ok = !parts[2].empty() && parts[2].size() <= 64 && std::all_of(parts[2].begin(), parts[2].end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!region_ok) return invalid(fmt::format("Credential should be scoped to a valid region, not '{}'.", echo(parts[2])));
  return {};
}

ApiResult<Presented> from_header(const SignableRequest& request, std::string_view authorization) {
  const std::size_t space = std::min(authorization.find(' '), authorization.size());
  if (authorization.substr(0, space) != kAlgorithm) {
    return incomplete(fmt::format("Unsupported AWS 'algorithm': '{}'.", echo(authorization.substr(0, space))));
  }
  std::optional<std::string> credential, signed_headers, signature;
  for (const std::string& piece : split(authorization.substr(space), ',')) {
    const std::string_view pair = trim(piece);
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    if (equals == std::string_view::npos) {
      return incomplete(fmt::format("'{}' not a valid key=value pair (missing equal-sign) in Authorization header.", echo(pair)));
    }
    auto* slot = name == "Credential"      ? &credential
                 : name == "SignedHeaders" ? &signed_headers
                 : name == "Signature"     ? &signature
                                           : nullptr;
    if (slot == nullptr) return incomplete(fmt::format("Authorization header has an unknown parameter '{}'.", echo(name)));
    if (slot->has_value()) return incomplete(fmt::format("Authorization header has more than one '{}' parameter.", name));
    *slot = std::string(pair.substr(equals + 1));
  }
  const HeaderLookup date = lookup(request, "x-amz-date");
  std::string missing;
  if (!credential) missing += "Authorization header requires 'Credential' parameter. ";
  if (!signature) missing += "Authorization header requires 'Signature' parameter. ";
  if (!signed_headers) missing += "Authorization header requires 'SignedHeaders' parameter. ";
  if (date.count == 0) missing += "Authorization header requires existence of a 'X-Amz-Date' header. ";
  if (!missing.empty()) return incomplete(std::string(trim(missing)));

  Presented out;
  FERRY_TRY_VOID(parse_credential(*credential, out));
  out.signed_headers = split(*signed_headers, ';');
  out.signature = *signature;
  out.amz_date = std::string(date.value);
  out.has_session_token = lookup(request, "x-amz-security-token").count > 0;
  return out;
}

constexpr std::array<std::string_view, 8> kQueryNames = {"X-Amz-Algorithm",      "X-Amz-Credential",    "X-Amz-Date",
                                                         "X-Amz-Expires",        "X-Amz-SignedHeaders", "X-Amz-Signature",
                                                         "X-Amz-Security-Token", "X-Amz-Content-Sha256"};
constexpr std::size_t kQueryNamesRequired = 6;  // the first ones

bool has_query_auth(const ParsedQuery& query) {
  return std::any_of(query.parameters.begin(), query.parameters.end(), [](const QueryParameter& parameter) {
    return parameter.name == "X-Amz-Algorithm" || parameter.name == "X-Amz-Credential" ||
           parameter.name == "X-Amz-SignedHeaders" || parameter.name == "X-Amz-Signature";
  });
}

ApiResult<Presented> from_query(const SignableRequest& request, const ParsedQuery& query) {
  std::array<const std::string*, kQueryNames.size()> values{};
  for (const QueryParameter& parameter : query.parameters) {
    const auto at =
        static_cast<std::size_t>(std::find(kQueryNames.begin(), kQueryNames.end(), parameter.name) - kQueryNames.begin());
    if (at == kQueryNames.size()) continue;
    if (values[at] != nullptr)
      return incomplete(fmt::format("AWS query-string has more than one '{}' parameter.", parameter.name));
    values[at] = &parameter.value;
  }
  for (std::size_t i = 0; i < kQueryNamesRequired; ++i) {
    if (values[i] == nullptr) return incomplete(fmt::format("AWS query-string parameters must include '{}'.", kQueryNames[i]));
  }
  if (*values[0] != kAlgorithm) return incomplete(fmt::format("Unsupported AWS 'algorithm': '{}'.", echo(*values[0])));
  if (lookup(request, "x-amz-date").count > 0) return incomplete("X-Amz-Date is given in the query string and in a header.");

  Presented out;
  FERRY_TRY_VOID(parse_credential(*values[1], out));
  out.amz_date = *values[2];
  const bool digits_only =
      !values[3]->empty() && std::all_of(values[3]->begin(), values[3]->end(), [](char c) { return c >= '0' && c <= '9'; });
  const auto expires = digits_only ? parse_integer(*values[3]) : std::nullopt;
  if (!expires || *expires < 1 || *expires > kPresignedMax.count()) {
    return incomplete("X-Amz-Expires must be a number of seconds between 1 and 604800.");
  }
  out.expires = std::chrono::seconds(*expires);
  out.signed_headers = split(*values[4], ';');
  out.signature = *values[5];
  out.has_session_token = values[6] != nullptr || lookup(request, "x-amz-security-token").count > 0;
  return out;
}

Check check_time(const Presented& presented, Timestamp now) {
  const auto date = parse_amz_date(presented.amz_date);
  if (!date) {
    return incomplete(fmt::format("Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                                  echo(presented.amz_date)));
  }
  const std::string_view day = std::string_view(presented.amz_date).substr(0, 8);
  if (presented.date_of_scope != day) {
    return invalid(
        fmt::format("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', "
                    "from '{}'.",
                    echo(presented.date_of_scope), day, presented.amz_date));
  }
  const auto now_text = [&] { return format_amz_date(now); };
  if (*date > now + kSkewMax) {
    return invalid(fmt::format("Signature not yet current: {} is still later than {} ({} + 15 min.)", presented.amz_date,
                               format_amz_date(now + kSkewMax), now_text()));
  }
  if (presented.expires) {
    if (now <= *date + *presented.expires) return {};
    return invalid(fmt::format("Signature expired: {} is now earlier than {} ({} - {} sec.)", presented.amz_date,
                               format_amz_date(now - *presented.expires), now_text(), presented.expires->count()));
  }
  if (*date < now - kSkewMax) {
    return invalid(fmt::format("Signature expired: {} is now earlier than {} ({} - 15 min.)", presented.amz_date,
                               format_amz_date(now - kSkewMax), now_text()));
  }
  return {};
}

// Host and every x-amz- header must be covered: they decide which action is called, in which name, and when. A header that is
// there twice reads the same in the canonical request as one with a comma, so those that matter must be there once.
Check check_headers(const SignableRequest& request, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool ascending = i == 0 || names[i - 1] < names[i];
    const bool lower = std::none_of(names[i].begin(), names[i].end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (names[i].empty() || !ascending || !lower || lookup(request, names[i]).count == 0) return mismatch();
  }
  const auto is_signed = [&](std::string_view header) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return equals_ignore_case(name, header); });
  };
  if (!is_signed("host")) return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  for (const SignedHeader& header : request.headers) {
    const bool amz = is_amz_header(header.name) && !equals_ignore_case(header.name, kUnsignedAllowed);
    if (amz && !is_signed(header.name)) {
      return invalid(fmt::format("'{}' must be a 'SignedHeader' in the AWS Authorization.", echo(header.name)));
    }
    const bool single = amz || equals_ignore_case(header.name, "host") || equals_ignore_case(header.name, "content-type");
    if (single && lookup(request, header.name).count > 1) return mismatch();
  }
  return {};
}

// The hash of the body as it came. A claimed hash must be that one: UNSIGNED-PAYLOAD and the streaming forms belong to S3.
ApiResult<std::string> payload_hash(const SignableRequest& request, const ParsedQuery& query) {
  std::string hash = hex_encode(sha256(request.body));
  const HeaderLookup claimed = lookup(request, "x-amz-content-sha256");
  if (claimed.count > 0 && claimed.value != hash) return mismatch();
  for (const QueryParameter& parameter : query.parameters) {
    if (parameter.name == "X-Amz-Content-Sha256" && parameter.value != hash) return mismatch();
  }
  return hash;
}

ApiResult<Presented> read_signature(const SignableRequest& request, const ParsedQuery& query) {
  const HeaderLookup authorization = lookup(request, "authorization");
  if (authorization.count > 1) return incomplete("The request has more than one Authorization header.");
  if (has_query_auth(query)) {
    if (authorization.count > 0)
      return incomplete("The request is signed both in its Authorization header and in its query string.");
    return from_query(request, query);
  }
  if (authorization.count == 0) {
    return api_fail(ErrorCode::AccessDenied, fmt::format("Access to the resource {} is denied.", echo(request.path)));
  }
  return from_header(request, authorization.value);
}
}  // namespace

struct SignatureVerifier::State {
  SecretLookup lookup;
  SigningKeyCache keys{kSigningKeysMax};
};

SignatureVerifier::SignatureVerifier(SecretLookup lookup) : state_(std::make_unique<State>()) {
  state_->lookup = std::move(lookup);
}
SignatureVerifier::~SignatureVerifier() = default;

ApiResult<VerifiedSignature> SignatureVerifier::verify(const SignableRequest& request, Timestamp now) {
  const ParsedQuery query = parse_query(request.query);
  FERRY_TRY(const Presented presented, read_signature(request, query));
  if (!query.well_formed) return mismatch();
  FERRY_TRY_VOID(check_time(presented, now));

  const std::optional<std::string> secret = state_->lookup(presented.access_key);
  // The keys of a keys file are long-term ones: a session token beside them is none that was issued here.
  if (!secret || presented.has_session_token) return api_fail(ErrorCode::UnrecognizedClient, std::string(kUnknownKey));
  FERRY_TRY_VOID(check_headers(request, presented.signed_headers));
  FERRY_TRY(const std::string hash, payload_hash(request, query));

  const std::string key_name = fmt::format("{}/{}/{}", presented.access_key, presented.date_of_scope, presented.scope.region);
  const std::optional<Sha256Digest> cached = state_->keys.find(key_name, *secret);
  const Sha256Digest key = cached ? *cached : derive_signing_key(*secret, presented.date_of_scope, presented.scope);
  const std::string canonical_parameters = canonical_query(query.parameters, presented.expires ? "X-Amz-Signature" : "");
  const std::string canonical =
      canonical_request({request.method, request.path, canonical_parameters, request.headers, presented.signed_headers, hash});
  const std::string text = string_to_sign(presented.amz_date, scope_text(presented.date_of_scope, presented.scope), canonical);
  if (!constant_time_equals(hex_encode(hmac_sha256(as_text(key), text)), presented.signature)) return mismatch();
  if (!cached) state_->keys.put(key_name, *secret, key);
  return VerifiedSignature{presented.access_key, presented.scope.region};
}

}  // namespace ferry::access
