#include "worker/completions.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <cstddef>
#include <span>

#include "base/encoding.h"

namespace ferry::worker {
namespace {

constexpr std::string_view kPath = "/complete/";
constexpr std::size_t kTokenBytes = 32;

Completions::Reply error_reply(int status, std::string_view message) {
  boost::json::object body;
  body["error"] = message;
  return {status, boost::json::serialize(body)};
}
}  // namespace

CompletionOffer Completions::open(Told told) {
  std::array<std::byte, kTokenBytes> bytes{};
  CompletionOffer offer;
  const std::lock_guard lock(mutex_);
  random_.fill(bytes);
  offer.token = hex_encode(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  offer.url = fmt::format("{}{}{}", url_, kPath, offer.token);
  open_.emplace(sha256(offer.token), std::move(told));
  return offer;
}

void Completions::close(const std::string& token) {
  const std::lock_guard lock(mutex_);
  open_.erase(sha256(token));
}

Completions::Reply Completions::handle(const Request& request) {
  if (!request.path.starts_with(kPath)) return error_reply(404, "there is only /complete/TOKEN here");
  if (request.method != "POST") return error_reply(405, "POST tells the end of a request; there is nothing else here");
  if (request.body.size() > kControlLineBytesMax)
    return error_reply(413, fmt::format("at most {} bytes are taken", kControlLineBytesMax));
  ControlMessage message;
  if (!trim(request.body).empty()) {
    auto parsed = parse_control(request.body);
    if (!parsed) return error_reply(400, parsed.error().message);
    message = std::move(*parsed);
  }
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(sha256(request.path.substr(kPath.size())));
  if (found == open_.end()) {
    return error_reply(404, "no such token is open: it is completed already, its time is over, or its worker is gone");
  }
  found->second(message);
  if (message.is_final()) open_.erase(found);
  return {200, message.is_final() ? R"({"completed":true})" : R"({"completed":false})"};
}

}  // namespace ferry::worker
