#include "http/exchange.h"

#include "base/encoding.h"
#include "http/connection.h"

namespace ferry::http {

std::string_view Request::header(std::string_view name) const {
  for (const Header& header : headers) {
    if (equals_ignore_case(header.name, name)) return header.value;
  }
  return {};
}

void ConnectionExchange::pack(ByteBuffer& bytes, std::size_t body_end, std::string_view peer) {
  bytes.reserve(body_end + kBodyPadding + peer.size());
  std::memset(bytes.data() + body_end, 0, kBodyPadding);
  std::memcpy(bytes.data() + body_end + kBodyPadding, peer.data(), peer.size());
  bytes.set_size(body_end + kBodyPadding + peer.size());
}

ConnectionExchange::ConnectionExchange(Connection& connection, EventLoop& loop, const Head& head, ByteBuffer bytes,
                                       std::size_t body_end, std::size_t peer_bytes)
    : connection_(&connection), loop_(loop), bytes_(std::move(bytes)) {
  const char* data = bytes_.data();
  request_.method = head.method.in(data);
  request_.target = head.target.in(data);
  request_.path = head.path.in(data);
  request_.query = head.query.in(data);
  request_.headers.reserve(head.headers.size());
  for (const HeaderSpan& header : head.headers) request_.headers.push_back({header.name.in(data), header.value.in(data)});
  request_.body = {data + head.bytes, body_end - head.bytes};
  request_.peer = {data + body_end + kBodyPadding, peer_bytes};
}

// Off the loop's thread the connection must not be touched; its sweep notices.
ConnectionExchange::~ConnectionExchange() {
  if (connection_ != nullptr && loop_.is_current()) connection_->exchange_abandoned();
}

void ConnectionExchange::respond(Response&& response) {
  FERRY_DCHECK(loop_.is_current() || connection_ == nullptr);
  Connection* connection = std::exchange(connection_, nullptr);
  auto released = std::exchange(gone_, nullptr);  // may own this exchange: goes last
  if (connection != nullptr) connection->answer(std::move(response));
}

void ConnectionExchange::on_gone(std::function<void()> gone) {
  if (connection_ == nullptr) return;
  gone_ = std::move(gone);
  if (!peer_gone_) return;
  // Found out before the handler asked. Later, so that nobody is called back from within its own call.
  std::weak_ptr<ConnectionExchange> self = connection_->pending_exchange();
  loop_.post([self] {
    if (auto exchange = self.lock()) exchange->peer_gone();
  });
}

void ConnectionExchange::peer_gone() {
  peer_gone_ = true;
  if (auto gone = std::exchange(gone_, nullptr)) gone();
}

void ConnectionExchange::detach() {
  connection_ = nullptr;
  peer_gone();
}

}  // namespace ferry::http
