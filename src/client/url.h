#pragma once
// http and https URLs, as far as an endpoint needs them.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ferry::client {

struct Url {
  std::string scheme;      ///< "http" or "https"
  std::string host;        ///< lower case, without the brackets of an IPv6 address
  std::uint16_t port = 0;  ///< 0: the scheme's own
  std::string path;        ///< as written; "/" when empty
  std::string query;       ///< as written, without '?'

  /// What the Host header says: brackets around IPv6 addresses, no port when it is the scheme's own.
  std::string authority() const;
  /// Scheme and authority.
  std::string origin() const { return scheme + "://" + authority(); }
};

/// InvalidArgument: another scheme, user or password, fragment, white space, no host, no port number.
Result<Url> parse_url(std::string_view text);

/// Whether the host is this machine by its very name: 127.0.0.0/8, ::1, localhost.
bool is_loopback_host(std::string_view host);

}  // namespace ferry::client
