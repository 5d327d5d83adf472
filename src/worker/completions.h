#pragma once
// Work that an endpoint has accepted and goes on with after its answer: it tells the end by POSTing to /complete/TOKEN. Who knows
// a token may end that one request and nothing else; tokens are 256 random bits, and only their hashes are kept.
//
// What listens, and where, is decided by whoever builds this: handle() is given the requests.

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/random.h"
#include "worker/control_message.h"
#include "worker/http_request.h"

namespace ferry::worker {

/// Thread-safe.
class Completions {
 public:
  /// `url` is where the port is, without a slash at the end. `random` is unpredictable, may be used by any thread and outlives
  /// this.
  Completions(std::string url, Random& random) : url_(std::move(url)), random_(random) {}

  /// On the thread of the POST; must not block. Never for a token that is closed, nor after a message that is final.
  using Told = std::function<void(const ControlMessage&)>;
  CompletionOffer open(Told told);
  /// Nobody is told any more when this returns. Nothing happens for a token that is not open. Not from within Told.
  void close(const std::string& token);

  struct Request {
    std::string_view method;
    std::string_view path;
    std::string_view body;
  };
  struct Reply {
    int status = 200;
    std::string body{};  ///< JSON
  };
  Reply handle(const Request& request);

 private:
  const std::string url_;
  Random& random_;
  std::mutex mutex_;
  std::map<Sha256Digest, Told> open_;  // guarded by mutex_
};

}  // namespace ferry::worker
