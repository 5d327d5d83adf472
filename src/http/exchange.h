#pragma once
// A request that waits for its answer, with the memory of its bytes.

#include "http/byte_buffer.h"
#include "http/event_loop.h"
#include "http/head_parser.h"

namespace ferry::http {

class Connection;

class ConnectionExchange final : public Exchange {
 public:
  /// `bytes` holds the head, the body up to `body_end`, padding and room for the peer's name: see pack().
  ConnectionExchange(Connection& connection, EventLoop& loop, const Head& head, ByteBuffer bytes, std::size_t body_end,
                     std::size_t peer_bytes);
  ~ConnectionExchange() override;

  /// Makes bytes[0, body_end) ready for the constructor.
  static void pack(ByteBuffer& bytes, std::size_t body_end, std::string_view peer);

  const Request& request() const override { return request_; }
  Loop& loop() override { return loop_; }
  void respond(Response&& response) override;
  void on_gone(std::function<void()> gone) override;

  /// From the connection: the peer is gone, an answer may still be sent.
  void peer_gone();
  /// From the connection: it is closed.
  void detach();

 private:
  Connection* connection_;  // null once answered or detached; changed on the loop's thread only
  EventLoop& loop_;
  ByteBuffer bytes_;
  Request request_;
  std::function<void()> gone_;
  bool peer_gone_ = false;
};

}  // namespace ferry::http
