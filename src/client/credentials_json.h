#pragma once
// The JSON in which credential_process, container endpoints and instance metadata answer: one flat object.

#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "client/credential_provider.h"

namespace ferry::client {

/// RFC 3339: 2026-11-23T08:00:00Z, with fraction or offset if there are any.
std::optional<Timestamp> parse_rfc3339(std::string_view text);

/// What the member with the session token is called.
enum class TokenName { SessionToken, Token };
/// AccessKeyId and SecretAccessKey, a session token and Expiration if there are any. Corrupt: not that, or a "Code" that is not
/// "Success"; the message never holds a value of the answer other than Code.
Result<FetchedCredentials> parse_credentials(std::string_view json, TokenName token);

/// The integer member "Version"; nothing when it is not there.
std::optional<std::int64_t> parse_version(std::string_view json);

}  // namespace ferry::client
