#pragma once
// AWS JSON 1.0 and AWS Query/XML <-> the plain structs of sqs/api.h. Stateless and thread-safe; no rule of SQS lives here, only
// spellings. Nothing blocks.

#include <string>
#include <string_view>

#include "sqs/api.h"

namespace ferry::protocol {

enum class WireProtocol {
  Json,          ///< AWS JSON 1.0
  Query,         ///< form data, answered in XML
  QueryJson,     ///< form data, answered in JSON because the request asks for it
  QueryXmlJson,  ///< form data, answered in JSON that spells out the XML, as emulators do on paths of their own; never detected
};

/// What the codec needs to see of an HTTP request.
struct WireRequest {
  std::string_view method;
  std::string_view path;          ///< as sent, percent-encoded
  std::string_view query;         ///< after '?', as sent
  std::string_view content_type;  ///< empty when absent
  std::string_view amz_target;    ///< X-Amz-Target, empty when absent
  std::string_view accept;        ///< Accept, empty when absent
  std::string_view body;
};

/// Which protocol the request speaks: X-Amz-Target that starts with "AmazonSQS.", or a content type of AWS JSON, means JSON
/// whatever the path; else Query, or QueryJson when Accept names application/json before any XML.
WireProtocol detect(const WireRequest& request);

struct DecodedRequest {
  std::string action;  ///< "SendMessage"
  sqs::Request request;
};
/// JSON: Serialization for what is no JSON object or has wrong types; UnknownOperation. Query: parameters of URL and body merged,
/// a QueueUrl parameter wins over the path, else the path is the queue's URL; UnknownOperation with Amazon's text, and with an
/// empty message when there is no Action at all, which encode_error() answers as Amazon does.
/// Text with an unpaired surrogate escape is delivered as bytes that are not UTF-8, for validation to refuse.
sqs::ApiResult<DecodedRequest> decode(WireProtocol protocol, const WireRequest& request);

struct WireResponse {
  int http_status = 200;
  std::string_view content_type;
  std::string body;
  std::string query_error;  ///< value of x-amzn-query-error, for JSON errors; empty otherwise
};
WireResponse encode(WireProtocol protocol, std::string_view action, const sqs::Response& response, std::string_view request_id);
/// The message may hold any bytes: what neither JSON nor XML can carry is replaced by U+FFFD, and a long message is cut.
WireResponse encode_error(WireProtocol protocol, const sqs::ApiError& error, std::string_view request_id);

// The client's side, JSON only.
/// Body of a request; the action's name for X-Amz-Target is action_name().
std::string encode_request(const sqs::Request& request);
std::string_view action_name(const sqs::Request& request);
/// A 2xx answer to `request`. Corrupt: not the JSON that the action answers with.
Result<sqs::Response> decode_response(const sqs::Request& request, std::string_view body);
struct RemoteError {
  std::string code;     ///< Query code if the answer carried one, else the shape's name
  std::string shape;    ///< __type after '#'
  std::string message;  ///< empty when none
};
/// The body and x-amzn-query-error of an answer that is not 2xx. Never fails: unknown text gives an empty shape.
RemoteError decode_error(std::string_view body, std::string_view query_error);

}  // namespace ferry::protocol
