#pragma once
// Signature Version 4: signing (client) and verification (server), in headers and in presigned URLs.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sqs/error.h"

namespace ferry::access {

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  ///< empty when there is none
};

struct SignedHeader {
  std::string_view name;
  std::string_view value;
};

/// What of an HTTP request is signed.
struct SignableRequest {
  std::string_view method;
  std::string_view path;   ///< as on the wire
  std::string_view query;  ///< as on the wire
  std::vector<SignedHeader> headers;
  std::string_view body;
};

struct SigningScope {
  std::string region;
  std::string service = "sqs";
};

/// The headers to add to `request` (X-Amz-Date, X-Amz-Security-Token if there is a token, Authorization). `request.headers`
/// must hold Host and everything else that will be sent and signed.
std::vector<std::pair<std::string, std::string>> sign(const SignableRequest& request, const Credentials& credentials,
                                                      const SigningScope& scope, Timestamp now);

/// The query string of a presigned URL: `request.query` and the X-Amz- parameters.
std::string presign(const SignableRequest& request, const Credentials& credentials, const SigningScope& scope, Timestamp now,
                    std::chrono::seconds expires);

struct VerifiedSignature {
  std::string access_key;
  std::string region;
};
/// Secret of an access key; nothing when it is unknown.
using SecretLookup = std::function<std::optional<std::string>(std::string_view access_key)>;

/// Who signed `request`. AccessDenied without any signature, IncompleteSignature, UnrecognizedClient, InvalidSignature.
/// `now` is the wall clock; 15 minutes of skew are allowed. Thread-safe; derived keys are cached.
class SignatureVerifier {
 public:
  explicit SignatureVerifier(SecretLookup lookup);
  ~SignatureVerifier();
  sqs::ApiResult<VerifiedSignature> verify(const SignableRequest& request, Timestamp now);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ferry::access
