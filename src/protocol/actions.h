#pragma once
// The actions: their names, the struct of each request and of its response.

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "sqs/api.h"

namespace ferry::protocol {

template <class Request_, class Response_>
struct Action {
  using Request = Request_;
  using Response = Response_;
};

template <class Request>
struct ActionOf;

#define FERRY_ACTION(name, response)                                                \
  template <>                                                                       \
  struct ActionOf<sqs::name##Request> : Action<sqs::name##Request, sqs::response> { \
    static constexpr std::string_view kName = #name;                                \
  };
FERRY_ACTION(CreateQueue, CreateQueueResponse)
FERRY_ACTION(GetQueueUrl, GetQueueUrlResponse)
FERRY_ACTION(ListQueues, ListQueuesResponse)
FERRY_ACTION(DeleteQueue, EmptyResponse)
FERRY_ACTION(GetQueueAttributes, GetQueueAttributesResponse)
FERRY_ACTION(SetQueueAttributes, EmptyResponse)
FERRY_ACTION(PurgeQueue, EmptyResponse)
FERRY_ACTION(SendMessage, SendMessageResponse)
FERRY_ACTION(SendMessageBatch, SendMessageBatchResponse)
FERRY_ACTION(ReceiveMessage, ReceiveMessageResponse)
FERRY_ACTION(DeleteMessage, EmptyResponse)
FERRY_ACTION(DeleteMessageBatch, DeleteMessageBatchResponse)
FERRY_ACTION(ChangeMessageVisibility, EmptyResponse)
FERRY_ACTION(ChangeMessageVisibilityBatch, ChangeMessageVisibilityBatchResponse)
#undef FERRY_ACTION

/// Actions of Amazon SQS that this server does not have yet.
inline constexpr std::array<std::string_view, 9> kUnsupportedActions = {"TagQueue",
                                                                        "UntagQueue",
                                                                        "ListQueueTags",
                                                                        "AddPermission",
                                                                        "RemovePermission",
                                                                        "ListDeadLetterSourceQueues",
                                                                        "StartMessageMoveTask",
                                                                        "ListMessageMoveTasks",
                                                                        "CancelMessageMoveTask"};

inline bool is_unsupported_action(std::string_view action) {
  for (const std::string_view name : kUnsupportedActions) {
    if (name == action) return true;
  }
  return false;
}

namespace internal {
template <class Visit, std::size_t... I>
bool with_request_of(std::string_view action, Visit&& visit, std::index_sequence<I...>) {
  const auto try_one = [&]<std::size_t Index>(std::integral_constant<std::size_t, Index>) {
    using Request = std::variant_alternative_t<Index, sqs::Request>;
    if constexpr (!std::is_same_v<Request, sqs::UnsupportedRequest>) {
      if (ActionOf<Request>::kName != action) return false;
      visit(Request{});
      return true;
    } else {
      return false;
    }
  };
  return (try_one(std::integral_constant<std::size_t, I>()) || ...);
}
}  // namespace internal

/// Calls visit with an empty request of that action. False when there is no such action.
template <class Visit>
bool with_request_of(std::string_view action, Visit&& visit) {
  return internal::with_request_of(action, std::forward<Visit>(visit),
                                   std::make_index_sequence<std::variant_size_v<sqs::Request>>());
}

}  // namespace ferry::protocol
