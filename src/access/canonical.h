#pragma once
// The canonical form of a request and what is derived from it: the part of Signature Version 4 that signer and verifier share.
// Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, for services other than S3.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "access/sigv4.h"
#include "base/digest.h"

namespace ferry::access {

inline constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kTerminator = "aws4_request";

/// A path as on the wire: empty, "." and ".." segments removed, then every byte that is not unreserved encoded (again: '%'
/// becomes %25).
std::string canonical_path(std::string_view path);

/// Decoded name and value. '+' is a space, as it is for whoever reads the parameters.
struct QueryParameter {
  std::string name;
  std::string value;
};
struct ParsedQuery {
  std::vector<QueryParameter> parameters;  ///< in order, empty pieces left out
  bool well_formed = true;                 ///< false: a '%' without two hex digits; that piece is taken literally
};
ParsedQuery parse_query(std::string_view query);

/// Names and values encoded, sorted by name and then value; those named `except` are left out (none when empty).
std::string canonical_query(const std::vector<QueryParameter>& parameters, std::string_view except);

/// Lower-case names in ascending order, each once.
std::vector<std::string> sorted_header_names(const std::vector<SignedHeader>& headers);

/// "host;x-amz-date"
std::string join_header_names(std::span<const std::string> names);

struct CanonicalInput {
  std::string_view method;
  std::string_view path;   ///< as on the wire
  std::string_view query;  ///< from canonical_query()
  const std::vector<SignedHeader>& headers;
  std::span<const std::string> signed_headers;  ///< lower case, ascending
  std::string_view payload_hash;
};
/// Values of a header that is there more than once are joined with ',' in order of arrival.
std::string canonical_request(const CanonicalInput& input);

/// "20150830/us-east-1/sqs/aws4_request"
std::string scope_text(std::string_view date, const SigningScope& scope);
std::string string_to_sign(std::string_view amz_date, std::string_view scope, std::string_view canonical);

/// "20150830T123600Z"
std::string format_amz_date(Timestamp time);
/// Exactly that form and a date that exists.
std::optional<Timestamp> parse_amz_date(std::string_view text);

inline std::string_view as_text(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace ferry::access
