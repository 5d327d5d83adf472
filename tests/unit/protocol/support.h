#pragma once
// Requests on the wire, for the tests of the codecs.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/encoding.h"
#include "protocol/codec.h"

namespace ferry::protocol {

inline sqs::ApiResult<DecodedRequest> decode_json(std::string_view action, std::string_view body, std::string_view path = "/") {
  const std::string target = "AmazonSQS." + std::string(action);
  const WireRequest wire{"POST", path, "", "application/x-amz-json-1.0", target, "", body};
  EXPECT_EQ(detect(wire), WireProtocol::Json);
  return decode(WireProtocol::Json, wire);
}

inline sqs::ApiResult<DecodedRequest> decode_query(std::string_view form, std::string_view path = "/",
                                                   std::string_view url_query = "") {
  const WireRequest wire{"POST", path, url_query, "application/x-www-form-urlencoded; charset=utf-8", "", "", form};
  EXPECT_EQ(detect(wire), WireProtocol::Query);
  return decode(WireProtocol::Query, wire);
}

/// The request of that type, or the test fails.
template <class Request>
Request get(sqs::ApiResult<DecodedRequest> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  Request* request = std::get_if<Request>(&result->request);
  if (request == nullptr) {
    ADD_FAILURE() << "another type of request";
    return {};
  }
  return std::move(*request);
}

inline sqs::ApiError error_of(const sqs::ApiResult<DecodedRequest>& result) {
  return result ? sqs::ApiError{sqs::ErrorCode::InternalFailure, "allowed"} : result.error();
}

}  // namespace ferry::protocol
