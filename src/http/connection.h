#pragma once
// One client's connection: a state machine driven by the edges of its socket.
//
//   Reading ──request complete──► Handling ──answer──► (Writing ──►) Reading … or Lingering ──► Closed
//
// While Reading, bytes go to the loop's common buffer first; only what is left of an unfinished request, or of pipelined ones, is
// kept by the connection, so that idle connections own no buffer. While Handling nothing is read: what the peer sends on stays in
// the kernel, and only its hanging up is noticed. Lingering: our side is shut, and what the peer still sends is thrown away for a
// short while, because closing a socket with unread bytes would reset it and take the answer from the peer.

#include <memory>
#include <string>

#include "http/byte_buffer.h"
#include "http/descriptor.h"
#include "http/event_loop.h"
#include "http/exchange.h"
#include "http/request_reader.h"

namespace ferry::http {

class ConnectionGroup;

class Connection final : public EventSource {
 public:
  Connection(ConnectionGroup& group, Descriptor socket, std::string peer);
  ~Connection() override;

  void on_events(std::uint32_t events) override;

  /// From the exchange, once.
  void answer(Response&& response);
  void exchange_abandoned();
  std::weak_ptr<ConnectionExchange> pending_exchange() const { return pending_; }

  /// From the group.
  bool register_with_loop();
  void go_on();
  void check_deadline(SteadyTime now);
  void drain();
  void close();

  std::size_t slot = 0;  ///< of the group
  bool queued = false;   ///< of the group

 private:
  enum class State : std::uint8_t { Reading, Handling, Writing, Lingering, Closed };
  struct Outgoing {
    std::string head;
    std::string body;
    std::size_t sent = 0;
  };

  void set_state(State state);
  void process();
  void read();
  void room_for_reading();
  void advance(char* data, std::size_t& size);
  void advance_buffer();
  void unfinished();
  void dispatch(char* data, std::size_t size);
  void say_continue();
  void refuse(int status, const char* reason);
  void send(Response&& response, bool with_body);
  void flush();
  void finish_answer();
  void discard();

  ConnectionGroup& group_;
  Descriptor socket_;
  State state_ = State::Reading;
  // Of the socket.
  bool readable_ = false;     // an edge came and reading has not met the end since
  bool peer_closed_ = false;  // the peer has shut its sending side
  bool in_process_ = false;
  // Of the buffer.
  bool unparsed_ = false;  // holds bytes of the next request that nobody has looked at
  bool head_started_ = false;
  bool body_started_ = false;
  // Of the present request.
  bool keep_alive_ = true;
  bool http_1_0_ = false;
  bool head_request_ = false;
  bool close_after_ = false;

  const std::string peer_;
  SteadyTime deadline_{};
  SteadyTime body_start_{};
  ByteBuffer buffer_;
  std::unique_ptr<RequestReader> reader_;
  std::weak_ptr<ConnectionExchange> pending_;
  std::unique_ptr<Outgoing> outgoing_;
  std::size_t discarded_ = 0;
};

}  // namespace ferry::http
