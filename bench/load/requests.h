#pragma once
// The requests of the JSON protocol that the load generators send, as bytes, and what they need of the answers.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pool.h"

namespace ferry::bench {

/// A queue and its server.
struct Target {
  std::string url;
  Pool::Address address;

  /// `url` is http://ADDRESS:PORT/ACCOUNT/NAME; ends the program when it is not.
  explicit Target(std::string_view url);
  /// For servers that know no queue URLs.
  Target(std::string_view host, std::uint16_t port, std::string_view queue) : url(queue), address{std::string(host), port} {}
};

struct OutgoingMessage {
  std::string body;
  std::string group;          ///< empty: none
  std::string deduplication;  ///< empty: none
};

/// Single actions for one message, batch actions for more. No text may need escapes.
std::string send_request(const Target& target, const std::vector<OutgoingMessage>& messages);
struct ReceiveOptions {
  int max = 1;
  int wait_seconds = 0;
  std::optional<int> visibility_timeout = std::nullopt;
};
std::string receive_request(const Target& target, const ReceiveOptions& options);
std::string delete_request(const Target& target, const std::vector<std::string>& handles);
std::string change_visibility_request(const Target& target, const std::vector<std::string>& handles, int seconds);

/// All values of the string member `name`.
std::vector<std::string> values_in(std::string_view body, std::string_view name);
inline std::vector<std::string> handles_in(std::string_view body) {
  return values_in(body, "ReceiptHandle");
}
/// Ends the program when a batch answer names entries that failed.
void check_batch(std::string_view body);

}  // namespace ferry::bench
