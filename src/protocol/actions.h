#pragma once
// The actions: their names, the struct of each request and of its response.

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
FERRY_ACTION(TagQueue, EmptyResponse)
FERRY_ACTION(UntagQueue, EmptyResponse)
FERRY_ACTION(ListQueueTags, ListQueueTagsResponse)
FERRY_ACTION(AddPermission, EmptyResponse)
FERRY_ACTION(RemovePermission, EmptyResponse)
FERRY_ACTION(ListDeadLetterSourceQueues, ListDeadLetterSourceQueuesResponse)
FERRY_ACTION(StartMessageMoveTask, StartMessageMoveTaskResponse)
FERRY_ACTION(ListMessageMoveTasks, ListMessageMoveTasksResponse)
FERRY_ACTION(CancelMessageMoveTask, CancelMessageMoveTaskResponse)
#undef FERRY_ACTION

namespace internal {
template <class Visit, std::size_t... I>
bool with_request_of(std::string_view action, Visit&& visit, std::index_sequence<I...>) {
  const auto try_one = [&]<std::size_t Index>(std::integral_constant<std::size_t, Index>) {
    using Request = std::variant_alternative_t<Index, sqs::Request>;
    if (ActionOf<Request>::kName != action) return false;
    visit(Request{});
    return true;
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
