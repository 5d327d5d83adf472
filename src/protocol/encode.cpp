// The server's way out: structs and errors to HTTP answers of both protocols.

#include <type_traits>
#include <variant>

#include "base/encoding.h"
#include "protocol/codec.h"
#include "protocol/json_encoder.h"
#include "protocol/query_json_encoder.h"
#include "protocol/xml_encoder.h"
#include "protocol/xml_json_encoder.h"

namespace ferry::protocol {
namespace {

constexpr std::size_t kErrorMessageBytesMax = 4'096;

// What both protocols can carry: errors quote what the client sent, and that may be anything.
std::string presentable(std::string_view text) {
  constexpr std::string_view kReplacement = "\uFFFD";
  const bool cut = text.size() > kErrorMessageBytesMax;
  text = text.substr(0, kErrorMessageBytesMax);
  std::string out;
  if (!cut && is_sqs_text(text)) return out.assign(text);
  while (!text.empty()) {
    std::size_t length = 1;
    while (length <= 4 && length <= text.size() && !is_sqs_text(text.substr(0, length))) ++length;
    const bool good = length <= 4 && length <= text.size();
    out += good ? text.substr(0, length) : kReplacement;
    text.remove_prefix(good ? length : 1);
  }
  if (cut) out += "...";
  return out;
}

// A guess that is seldom exceeded, so that the answer is written without growing.
std::size_t expected_bytes(const sqs::Response& response) {
  constexpr std::size_t kPerAnswer = 512;
  constexpr std::size_t kPerMessage = 768;
  std::size_t bytes = kPerAnswer;
  if (const auto* receive = std::get_if<sqs::ReceiveMessageResponse>(&response)) {
    for (const sqs::Message& message : receive->messages) {
      bytes += kPerMessage + message.receipt_handle.size() + message.body.size() + message.body.size() / 8;
    }
  } else if (const auto* batch = std::get_if<sqs::SendMessageBatchResponse>(&response)) {
    bytes += kPerMessage / 2 * batch->successful.size();
  }
  return bytes;
}

// Batch answers whose error texts may quote anything.
template <class Batch>
Batch with_presentable_errors(Batch batch) {
  for (sqs::BatchResultErrorEntry& entry : batch.failed) {
    if (entry.message) entry.message = presentable(*entry.message);
  }
  return batch;
}

WireResponse encode_json(const sqs::Response& response) {
  WireResponse wire{200, names::kJsonContentType, {}, {}};
  if (std::holds_alternative<sqs::EmptyResponse>(response)) return wire;
  wire.body.reserve(expected_bytes(response));
  std::visit([&](const auto& value) { JsonEncoder(wire.body).object(value); }, response);
  return wire;
}

WireResponse encode_xml(std::string_view action, const sqs::Response& response, std::string_view request_id) {
  WireResponse wire{200, names::kXmlContentType, {}, {}};
  std::string& out = wire.body;
  out.reserve(expected_bytes(response));
  out.append("<?xml version=\"1.0\"?><").append(action).append("Response xmlns=\"").append(names::kXmlNamespace).append("\">");
  if (!std::holds_alternative<sqs::EmptyResponse>(response)) {
    out.append("<").append(action).append("Result>");
    std::visit([&](const auto& value) { XmlEncoder(out).elements(value); }, response);
    out.append("</").append(action).append("Result>");
  }
  out.append("<ResponseMetadata><RequestId>").append(request_id).append("</RequestId></ResponseMetadata></");
  out.append(action).append("Response>");
  return wire;
}

// Both forms of JSON that answer Query requests.
template <class Encoder>
WireResponse encode_query_json(std::string_view action, const sqs::Response& response, std::string_view request_id) {
  WireResponse wire{200, names::kQueryJsonContentType, {}, {}};
  std::string& out = wire.body;
  out.reserve(expected_bytes(response));
  out.append("{\"").append(action).append("Response\":{");
  if (!std::holds_alternative<sqs::EmptyResponse>(response)) {
    out.append("\"").append(action).append("Result\":");
    std::visit([&](const auto& value) { Encoder(out).object(value); }, response);
    out.push_back(',');
  }
  out.append("\"ResponseMetadata\":{\"RequestId\":\"").append(request_id).append("\"}}}");
  return wire;
}

WireResponse encode_as(WireProtocol protocol, std::string_view action, const sqs::Response& response,
                       std::string_view request_id) {
  switch (protocol) {
    case WireProtocol::Json:
      return encode_json(response);
    case WireProtocol::QueryJson:
      return encode_query_json<QueryJsonEncoder>(action, response, request_id);
    case WireProtocol::QueryXmlJson:
      return encode_query_json<XmlJsonEncoder>(action, response, request_id);
    case WireProtocol::Query:
      break;
  }
  return encode_xml(action, response, request_id);
}

// The three ways to tell an error. `message` is presentable.
struct ToldError {
  const sqs::ErrorCatalogueRow& row;
  std::string_view fault;
  std::string message;
};

WireResponse json_error(const ToldError& error) {
  WireResponse wire{error.row.http_status, names::kJsonContentType, {}, {}};
  wire.query_error.append(error.row.query_code).append(";").append(error.fault);
  wire.body.append("{\"__type\":\"").append(error.row.json_type).append("\"");
  if (!error.message.empty()) {
    wire.body += ",\"message\":\"";
    append_json_escaped(wire.body, error.message);
    wire.body += "\"";
  }
  wire.body += "}";
  return wire;
}

WireResponse query_json_error(const ToldError& error, std::string_view request_id) {
  WireResponse wire{error.row.http_status, names::kQueryJsonContentType, {}, {}};
  wire.body.append("{\"Error\":{\"Code\":\"").append(error.row.query_code).append("\",\"Message\":\"");
  append_json_escaped(wire.body, error.message);
  wire.body.append("\",\"Type\":\"").append(error.fault).append("\"},\"RequestId\":\"").append(request_id).append("\"}");
  return wire;
}

WireResponse xml_error(const ToldError& error, std::string_view request_id) {
  WireResponse wire{error.row.http_status, names::kXmlContentType, {}, {}};
  wire.body.append("<?xml version=\"1.0\"?><ErrorResponse xmlns=\"").append(names::kXmlNamespace).append("\"><Error><Type>");
  wire.body.append(error.fault).append("</Type><Code>").append(error.row.query_code).append("</Code>");
  if (!error.message.empty()) XmlEncoder(wire.body).text(names::kMessage, error.message);
  wire.body.append("<Detail/></Error><RequestId>").append(request_id).append("</RequestId></ErrorResponse>");
  return wire;
}

}  // namespace

WireResponse encode(WireProtocol protocol, std::string_view action, const sqs::Response& response, std::string_view request_id) {
  const auto has_failures = []<class T>(const T& value) {
    if constexpr (requires { value.failed; }) return !value.failed.empty();
    return false;
  };
  if (std::visit(has_failures, response)) {
    const auto clean = []<class T>(const T& value) -> sqs::Response {
      if constexpr (requires { value.failed; }) return with_presentable_errors(value);
      return value;
    };
    const sqs::Response cleaned = std::visit(clean, response);
    return encode_as(protocol, action, cleaned, request_id);
  }
  return encode_as(protocol, action, response, request_id);
}

WireResponse encode_error(WireProtocol protocol, const sqs::ApiError& error, std::string_view request_id) {
  const sqs::ErrorCatalogueRow& row = sqs::catalogue_row(error.code);
  ToldError told{row, row.fault == sqs::Fault::Sender ? "Sender" : "Receiver", presentable(error.message)};
  if (protocol == WireProtocol::Json) return json_error(told);
  if (error.code == sqs::ErrorCode::UnknownOperation && told.message.empty()) {
    return {404, names::kXmlContentType, "<UnknownOperationException/>", {}};
  }
  if (error.code == sqs::ErrorCode::QueueDoesNotExist && told.message == sqs::queue_does_not_exist().message) {
    told.message.pop_back();
    told.message += " for this wsdl version.";
  }
  if (protocol == WireProtocol::Query) return xml_error(told, request_id);
  WireResponse wire = query_json_error(told, request_id);
  if (protocol == WireProtocol::QueryXmlJson) wire.body.insert(0, "{\"ErrorResponse\":").push_back('}');
  return wire;
}

}  // namespace ferry::protocol
