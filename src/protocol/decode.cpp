// The server's way in: HTTP requests of both protocols to structs.

#include <algorithm>
#include <type_traits>

#include "base/encoding.h"
#include "protocol/actions.h"
#include "protocol/codec.h"
#include "protocol/json_decoder.h"
#include "protocol/query_decoder.h"

namespace ferry::protocol {
namespace {

Unexpected<sqs::ApiError> unknown_action(std::string_view action) {
  return sqs::api_fail(sqs::ErrorCode::UnknownOperation,
                       "The action " + std::string(action) + " is not valid for this endpoint.");
}

sqs::ApiResult<DecodedRequest> decode_json(const WireRequest& wire) {
  if (!wire.amz_target.starts_with(names::kTargetPrefix)) {
    return sqs::api_fail(sqs::ErrorCode::UnknownOperation, "The header X-Amz-Target does not name an action of AmazonSQS.");
  }
  const std::string_view action = wire.amz_target.substr(names::kTargetPrefix.size());
  DecodedRequest decoded{std::string(action), {}};
  std::optional<std::string> failure;
  const bool known = with_request_of(
      action, [&]<class Request>(Request) { failure = JsonDecoder().decode(wire.body, decoded.request.emplace<Request>()); });
  if (!known) return unknown_action(action);
  if (failure) return sqs::api_fail(sqs::ErrorCode::Serialization, std::move(*failure));
  return decoded;
}

// A queue's URL may be the path of the request.
void address_by_path(sqs::OptionalText& queue_url, std::string_view path) {
  if (queue_url && !queue_url->empty()) return;
  if (auto decoded = percent_decode(path)) queue_url = std::move(*decoded);
}

sqs::ApiResult<DecodedRequest> decode_query(const WireRequest& wire) {
  FERRY_TRY(const QueryParameters parameters, QueryParameters::parse(wire.query, wire.body));
  const std::string* action = parameters.find("Action");
  if (action == nullptr || action->empty()) return sqs::api_fail(sqs::ErrorCode::UnknownOperation, "");

  const bool at_queue = !wire.path.empty() && wire.path != "/";
  DecodedRequest decoded{*action, {}};
  std::optional<sqs::ApiError> error;
  const bool known = with_request_of(*action, [&]<class Request>(Request) {
    constexpr bool kOfAccount =
        std::is_same_v<Request, sqs::CreateQueueRequest> || std::is_same_v<Request, sqs::ListQueuesRequest>;
    if (kOfAccount && at_queue) {
      error = unknown_action(*action).error();
      return;
    }
    auto& request = decoded.request.emplace<Request>();
    error = QueryDecoder(parameters).decode(request);
    if constexpr (requires { request.queue_url; }) {
      if (at_queue) address_by_path(request.queue_url, wire.path);
    }
  });
  if (!known) return unknown_action(*action);
  if (error) return Unexpected(std::move(*error));
  return decoded;
}

// Whether JSON is the first of the two formats that an Accept header names.
bool asks_for_json(std::string_view accept) {
  while (!accept.empty()) {
    const std::size_t end = std::min(accept.find(','), accept.size());
    const std::string_view range = accept.substr(0, end);
    accept.remove_prefix(std::min(end + 1, accept.size()));
    const std::string_view type = trim(range.substr(0, range.find(';')));
    if (equals_ignore_case(type, "application/json")) return true;
    if (equals_ignore_case(type, "text/xml") || equals_ignore_case(type, "application/xml")) return false;
  }
  return false;
}

}  // namespace

WireProtocol detect(const WireRequest& request) {
  const bool json =
      request.amz_target.starts_with(names::kTargetPrefix) || request.content_type.starts_with("application/x-amz-json");
  if (json) return WireProtocol::Json;
  return asks_for_json(request.accept) ? WireProtocol::QueryJson : WireProtocol::Query;
}

sqs::ApiResult<DecodedRequest> decode(WireProtocol protocol, const WireRequest& request) {
  return protocol == WireProtocol::Json ? decode_json(request) : decode_query(request);
}

}  // namespace ferry::protocol
