#include "http/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "http/connection_group.h"

namespace ferry::http {
namespace {

// What one connection may do in one turn before others get theirs.
constexpr int kRequestsPerTurn = 32;
constexpr int kReadsPerTurn = 16;

constexpr std::size_t kFirstBufferBytes = 4UL * 1024;
constexpr std::size_t kExactBufferBytes = 64UL * 1024;  // below, a buffer is made for the announced length at once
// Up to here copying a body behind its head is cheaper than a second piece for the kernel.
constexpr std::size_t kCopiedBodyBytes = 16UL * 1024;
// An ordinary peer reads the answer and closes within a round trip.
constexpr std::chrono::seconds kLinger{2};

SteadyTime body_deadline(SteadyTime start, std::size_t bytes, const Limits& limits) {
  if (limits.body_bytes_per_second_min == 0) return SteadyTime::max();
  auto earned = std::chrono::duration<double>(static_cast<double>(bytes) / static_cast<double>(limits.body_bytes_per_second_min));
  return start + limits.body_grace + std::chrono::duration_cast<std::chrono::nanoseconds>(earned);
}

}  // namespace

Connection::Connection(ConnectionGroup& group, Descriptor socket, std::string peer)
    : group_(group), socket_(std::move(socket)), peer_(std::move(peer)) {
  deadline_ = group_.loop().now() + group_.limits().idle_max;
}

Connection::~Connection() = default;

bool Connection::register_with_loop() {
  return group_.loop().watch_edges(socket_.get(), *this);
}

void Connection::set_state(State state) {
  auto active = [](State s) { return s == State::Handling || s == State::Writing ? 1 : 0; };
  group_.count_active(active(state) - active(state_));
  state_ = state;
}

void Connection::on_events(std::uint32_t events) {
  if (state_ == State::Closed) return;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close();
  if ((events & EPOLLRDHUP) != 0) peer_closed_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) readable_ = true;
  switch (state_) {
    case State::Reading:
      return process();
    case State::Handling:
      if ((events & EPOLLRDHUP) == 0) return;
      if (auto exchange = pending_.lock()) exchange->peer_gone();
      return;
    case State::Writing:
      if ((events & EPOLLOUT) != 0) flush();
      return;
    case State::Lingering:
      return discard();
    case State::Closed:
      return;
  }
}

void Connection::go_on() {
  if (state_ == State::Reading) process();
  if (state_ == State::Lingering) discard();
}

// ---- reading

void Connection::process() {
  if (in_process_) return;
  in_process_ = true;
  int requests = 0;
  int reads = 0;
  while (state_ == State::Reading && (unparsed_ || readable_)) {
    if (requests >= kRequestsPerTurn || reads >= kReadsPerTurn) {
      group_.later(*this);
      break;
    }
    if (unparsed_) {
      unparsed_ = false;
      ++requests;
      advance_buffer();
    } else {
      ++reads;
      read();
    }
  }
  in_process_ = false;
}

void Connection::read() {
  bool scratch = buffer_.empty();
  if (!scratch) room_for_reading();
  char* begin = scratch ? group_.scratch() : buffer_.data() + buffer_.size();
  std::size_t room = scratch ? ConnectionGroup::kScratchBytes : buffer_.capacity() - buffer_.size();
  ssize_t count = ::recv(socket_.get(), begin, room, 0);
  if (count < 0) {
    if (errno == EINTR) return;
    if (errno != EAGAIN) return close();
    readable_ = false;
    return;
  }
  if (count == 0) return close();
  auto got = static_cast<std::size_t>(count);
  // A short read has met the end: the next byte makes an edge of its own. Not so the peer's closing, whose edge may be past.
  if (got < room && !peer_closed_) readable_ = false;
  if (scratch) {
    advance(begin, got);
    // Not kept by dispatch(): the beginning of a request that goes on.
    if (state_ == State::Reading && reader_ != nullptr) buffer_.append({begin, got});
  } else {
    buffer_.set_size(buffer_.size() + got);
    advance_buffer();
  }
}

void Connection::room_for_reading() {
  std::size_t expected = reader_ != nullptr ? reader_->bytes_expected() : 0;
  if (expected != 0) expected += kBodyPadding + peer_.size();
  if (buffer_.capacity() > buffer_.size() && buffer_.capacity() >= std::min(expected, kExactBufferBytes)) return;
  // Grows with what has really come: announcing 8 MiB costs the announcer as much as us.
  std::size_t wanted = std::max(kFirstBufferBytes, 2 * buffer_.capacity());
  if (expected != 0) wanted = std::min(std::max(wanted, kExactBufferBytes), expected);
  buffer_.reserve(std::max(wanted, buffer_.size() + 1));
}

void Connection::advance_buffer() {
  std::size_t size = buffer_.size();
  advance(buffer_.data(), size);
  if (state_ == State::Reading && reader_ != nullptr) buffer_.set_size(size);
}

// A reader in place afterwards means that the request goes on, and its bytes are the caller's to keep.
void Connection::advance(char* data, std::size_t& size) {
  if (reader_ == nullptr) reader_ = group_.take_reader();
  switch (reader_->advance(data, size, group_.limits())) {
    case RequestReader::State::NeedMore:
      return unfinished();
    case RequestReader::State::Continue:
      say_continue();
      if (state_ != State::Closed) unfinished();
      return;
    case RequestReader::State::Done:
      return dispatch(data, size);
    case RequestReader::State::Refused:
      return refuse(reader_->refusal().status, reader_->refusal().reason);
  }
}

void Connection::unfinished() {
  SteadyTime now = group_.loop().now();
  if (!reader_->in_body()) {
    if (!std::exchange(head_started_, true)) deadline_ = now + group_.limits().header_deadline;
    return;
  }
  if (!std::exchange(body_started_, true)) body_start_ = now;
  deadline_ = body_deadline(body_start_, reader_->body_bytes(), group_.limits());
}

void Connection::say_continue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  // Every answer before is out, so the kernel has room for 25 bytes, or the connection is not worth keeping.
  ssize_t count = ::send(socket_.get(), kContinue.data(), kContinue.size(), MSG_NOSIGNAL);
  if (count != static_cast<ssize_t>(kContinue.size())) close();
}

void Connection::dispatch(char* data, std::size_t size) {
  std::size_t body_end = reader_->body_end();
  std::string_view rest(data + reader_->next(), size - reader_->next());
  ByteBuffer bytes;
  ByteBuffer kept;
  kept.append(rest);
  if (data == buffer_.data()) {
    bytes = std::move(buffer_);
  } else {
    bytes.reserve(body_end + kBodyPadding + peer_.size());
    std::memcpy(bytes.data(), data, body_end);
  }
  buffer_ = std::move(kept);
  unparsed_ = !buffer_.empty();
  head_started_ = body_started_ = false;
  const Head& head = reader_->head();
  keep_alive_ = head.keep_alive;
  http_1_0_ = head.http_1_0;
  ConnectionExchange::pack(bytes, body_end, peer_);
  auto exchange = std::make_shared<ConnectionExchange>(*this, group_.loop(), head, std::move(bytes), body_end, peer_.size());
  group_.give_reader(std::move(reader_));
  head_request_ = exchange->request().method == "HEAD";
  pending_ = exchange;
  set_state(State::Handling);
  group_.count_request();
  group_.handler().handle(exchange);
  if (state_ == State::Handling && peer_closed_) exchange->peer_gone();
}

void Connection::refuse(int status, const char* reason) {
  reader_.reset();
  group_.count_refused();
  group_.log().debug("http request refused", {{"peer", peer_}, {"status", status}, {"reason", reason}});
  Response response;
  response.status = status;
  response.content_type = "text/plain";
  response.body.append(reason).append("\n");
  keep_alive_ = head_request_ = false;
  send(std::move(response), /*with_body=*/true);
}

// ---- writing

void Connection::answer(Response&& response) {
  if (state_ != State::Handling) return;
  pending_.reset();
  send(std::move(response), !head_request_);
}

void Connection::send(Response&& response, bool with_body) {
  close_after_ = response.close || !keep_alive_ || group_.draining();
  Persistence persistence = close_after_ ? Persistence::Close : http_1_0_ ? Persistence::KeepAlive : Persistence::Default;
  std::string& out = group_.out();
  out.clear();
  append_head(out, response, group_.date(), persistence);
  std::string_view body = with_body && status_has_body(response.status) ? std::string_view(response.body) : std::string_view{};
  if (body.size() <= kCopiedBodyBytes) {
    out.append(body);
    body = {};
  }
  iovec pieces[2] = {{out.data(), out.size()}, {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  ssize_t count = body.empty() ? ::send(socket_.get(), out.data(), out.size(), MSG_NOSIGNAL)
                               : ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN && errno != EINTR) return close();
  std::size_t sent = count < 0 ? 0 : static_cast<std::size_t>(count);
  if (sent == out.size() + body.size()) return finish_answer();
  outgoing_ = std::make_unique<Outgoing>();
  outgoing_->head = out;
  if (!body.empty()) outgoing_->body = std::move(response.body);
  outgoing_->sent = sent;
  set_state(State::Writing);
  deadline_ = group_.loop().now() + group_.limits().write_stall_max;
  if (count < 0 && errno == EINTR) flush();
}

void Connection::flush() {
  Outgoing& rest = *outgoing_;
  while (rest.sent < rest.head.size() + rest.body.size()) {
    std::size_t in_head = std::min(rest.sent, rest.head.size());
    std::size_t in_body = rest.sent - in_head;
    iovec pieces[2] = {{rest.head.data() + in_head, rest.head.size() - in_head},
                       {rest.body.data() + in_body, rest.body.size() - in_body}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) close();
      return;
    }
    rest.sent += static_cast<std::size_t>(count);
    deadline_ = group_.loop().now() + group_.limits().write_stall_max;
  }
  outgoing_.reset();
  finish_answer();
}

void Connection::finish_answer() {
  if (close_after_) {
    ::shutdown(socket_.get(), SHUT_WR);
    buffer_.reset();
    set_state(State::Lingering);
    deadline_ = group_.loop().now() + kLinger;
    readable_ = true;
    discard();
    return;
  }
  set_state(State::Reading);
  deadline_ = group_.loop().now() + group_.limits().idle_max;
  if (unparsed_ || readable_) process();
}

void Connection::discard() {
  for (int reads = 0; readable_; ++reads) {
    if (reads >= kReadsPerTurn) return group_.later(*this);
    ssize_t count = ::recv(socket_.get(), group_.scratch(), ConnectionGroup::kScratchBytes, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      readable_ = false;
      return;
    }
    if (count <= 0) return close();
    discarded_ += static_cast<std::size_t>(count);
    if (discarded_ > group_.limits().body_bytes_max + ConnectionGroup::kScratchBytes) return close();
  }
}

// ---- ends

void Connection::exchange_abandoned() {
  if (state_ == State::Handling) close();
}

void Connection::check_deadline(SteadyTime now) {
  if (state_ == State::Handling) {
    if (pending_.expired()) close();  // let go of on another thread
    return;
  }
  if (now < deadline_) return;
  if (state_ != State::Reading || buffer_.empty()) return close();
  refuse(408, body_started_ ? "the body came too slowly" : "the headers came too slowly");
}

void Connection::drain() {
  if (state_ != State::Reading) return;
  // What has reached the kernel has reached us.
  readable_ = true;
  process();
  if (state_ == State::Reading && buffer_.empty()) close();
}

void Connection::close() {
  if (state_ == State::Closed) return;
  set_state(State::Closed);
  auto exchange = pending_.lock();
  pending_.reset();
  reader_.reset();
  buffer_.reset();
  outgoing_.reset();
  group_.loop().unwatch(socket_.get());
  socket_.reset();
  group_.remove(*this);
  if (exchange) exchange->detach();
}

}  // namespace ferry::http
