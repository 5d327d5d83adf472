#include "client/url.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"

namespace ferry::client {
namespace {
std::uint16_t default_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

bool is_ipv6(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}
}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == 0 || port == default_port(scheme) ? name : fmt::format("{}:{}", name, port);
}

Result<Url> parse_url(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::InvalidArgument, fmt::format("\"{}\" is no usable URL: {}", escape_control(text), why));
  };
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7F'; })) {
    return refuse("it holds white space or control characters");
  }
  Url url;
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return refuse("it does not start with http:// or https://");
  url.scheme = to_lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return refuse("it does not start with http:// or https://");
  std::string_view rest = text.substr(colon + 3);
  if (rest.find('#') != std::string_view::npos) return refuse("it has a fragment (#)");
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  rest = rest.substr(end);
  if (authority.find('@') != std::string_view::npos)
    return fail(ErrorKind::InvalidArgument, "a URL with a user name in it is not accepted");

  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return refuse("the bracket of the address is not closed");
    url.host = to_lower(authority.substr(1, close - 1));
    if (!is_ipv6(url.host)) return refuse("the brackets do not hold an IPv6 address");
    if (close + 1 < authority.size() && authority[close + 1] != ':') return refuse("something follows the address");
    port = authority.substr(std::min(close + 1, authority.size()));
  } else {
    const std::size_t at = std::min(authority.find(':'), authority.size());
    url.host = to_lower(authority.substr(0, at));
    if (!is_host_name(url.host)) return refuse("the host is missing or no host name");
    port = authority.substr(at);
  }
  if (port.size() > 1) {
    const auto number = parse_integer(port.substr(1));
    if (!number || *number < 1 || *number > 65'535) return refuse("the port is no number from 1 to 65535");
    url.port = static_cast<std::uint16_t>(*number);
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  url.path = question == 0 ? "/" : std::string(rest.substr(0, question));
  if (question < rest.size()) url.query = std::string(rest.substr(question + 1));
  return url;
}

bool is_loopback_host(std::string_view host) {
  const std::string text(host);
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  return equals_ignore_case(host, "localhost");
}

}  // namespace ferry::client
