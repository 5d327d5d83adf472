// The actions that need a queue's name or attributes, not its messages.

#include <fmt/format.h>

#include "service/service.h"
#include "sqs/names.h"
#include "sqs/next_token.h"
#include "sqs/validation.h"

namespace ferry::service {
namespace {

template <class T>
Outcome pass_on(engine::Answer<T>&& answer) {
  if (!answer.result) return {Unexpected(std::move(answer.result).error()), answer.seen};
  return {sqs::Response(sqs::EmptyResponse{}), answer.seen};
}

Outcome refuse(sqs::ApiError error, store::Position seen = {}) {
  return {Unexpected(std::move(error)), seen};
}

}  // namespace

sqs::ApiResult<void> Service::allow(const ContextRef& context, std::string_view action, std::string_view queue_name) {
  auto allowed = IdentityCheck::authorize(context->identity, action, queue_name);
  if (!allowed) counters_.refused_access.add();
  return allowed;
}

std::string Service::url_of(const ContextRef& context, std::string_view queue_name) const {
  const std::string_view host = context->exchange->request().header("Host");
  return fmt::format("http://{}/{}/{}", host.empty() ? std::string_view(options_.fallback_host) : host, context->identity.account,
                     queue_name);
}

Result<FoundQueue, QueueFailure> Service::find_queue(const ContextRef& context, const sqs::OptionalText& queue_url,
                                                     std::string_view action) {
  const auto refused = [](sqs::ApiError error, store::Position seen) {
    return Unexpected<QueueFailure>(QueueFailure{std::move(error), seen});
  };
  const auto address = sqs::validate_queue_url(queue_url);
  if (!address) return refused(address.error(), {});
  if (auto allowed = allow(context, action, address->name); !allowed) return refused(std::move(allowed).error(), {});
  if (!address->account.empty() && address->account != context->identity.account) return refused(sqs::queue_does_not_exist(), {});
  auto found = engine_.find({context->identity.account, context->identity.region, address->name});
  if (!found.result) return refused(std::move(found.result).error(), found.seen);
  return FoundQueue{std::move(found.result).value(), address->name, found.seen};
}

Outcome Service::run(const ContextRef& context, sqs::CreateQueueRequest& request) {
  if (auto allowed = allow(context, "CreateQueue", request.queue_name.value_or("")); !allowed) return refuse(allowed.error());
  const auto name = sqs::validate_create_queue(request);
  if (!name) return refuse(name.error());
  auto created =
      engine_.create_queue({context->identity.account, context->identity.region, *name}, request.attributes, request.tags);
  if (!created.result) return refuse(std::move(created.result).error(), created.seen);
  return {sqs::Response(sqs::CreateQueueResponse{url_of(context, *name)}), created.seen};
}

Outcome Service::run(const ContextRef& context, sqs::GetQueueUrlRequest& request) {
  if (auto allowed = allow(context, "GetQueueUrl", request.queue_name.value_or("")); !allowed) return refuse(allowed.error());
  const auto name = sqs::validate_queue_name(request.queue_name);
  if (!name) return refuse(name.error());
  if (request.queue_owner_aws_account_id && *request.queue_owner_aws_account_id != context->identity.account) {
    return refuse(sqs::queue_does_not_exist());
  }
  auto found = engine_.find({context->identity.account, context->identity.region, *name});
  if (!found.result) return refuse(std::move(found.result).error(), found.seen);
  return {sqs::Response(sqs::GetQueueUrlResponse{url_of(context, *name)}), found.seen};
}

Service::Page Service::page_of(const ContextRef& context, const sqs::ListParameters& parameters,
                               const engine::Engine::Listing& listing) const {
  Page page;
  for (const std::string& name : listing.names) page.urls.push_back(url_of(context, name));
  if (parameters.gives_token && listing.more) page.next_token = sqs::encode_next_token(listing.names.back());
  return page;
}

Outcome Service::run(const ContextRef& context, sqs::ListQueuesRequest& request) {
  if (auto allowed = allow(context, "ListQueues", ""); !allowed) return refuse(allowed.error());
  const auto parameters = sqs::validate_list_queues(request);
  if (!parameters) return refuse(parameters.error());
  auto listed =
      engine_.list(context->identity.account, context->identity.region, parameters->prefix, parameters->after, parameters->max);
  if (!listed.result) return refuse(std::move(listed.result).error(), listed.seen);
  auto [urls, token] = page_of(context, *parameters, *listed.result);
  return {sqs::Response(sqs::ListQueuesResponse{std::move(urls), std::move(token)}), listed.seen};
}

Outcome Service::run(const ContextRef& context, sqs::DeleteQueueRequest& request) {
  auto found = find_queue(context, request.queue_url, "DeleteQueue");
  if (!found) return refuse(found.error().error, found.error().seen);
  return pass_on(engine_.delete_queue(found->queue));
}

Outcome Service::run(const ContextRef& context, sqs::PurgeQueueRequest& request) {
  auto found = find_queue(context, request.queue_url, "PurgeQueue");
  if (!found) return refuse(found.error().error, found.error().seen);
  return pass_on(engine_.purge(found->queue));
}

Outcome Service::run(const ContextRef& context, sqs::GetQueueAttributesRequest& request) {
  auto found = find_queue(context, request.queue_url, "GetQueueAttributes");
  if (!found) return refuse(found.error().error, found.error().seen);
  auto answer = engine_.get_attributes(found->queue, request.attribute_names);
  if (!answer.result) return refuse(std::move(answer.result).error(), answer.seen);
  return {sqs::Response(sqs::GetQueueAttributesResponse{std::move(answer.result).value()}), answer.seen};
}

Outcome Service::run(const ContextRef& context, sqs::SetQueueAttributesRequest& request) {
  auto found = find_queue(context, request.queue_url, "SetQueueAttributes");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_set_attributes(request); !valid) return refuse(std::move(valid).error(), found->seen);
  return pass_on(engine_.set_attributes(found->queue, request.attributes));
}

Outcome Service::run(const ContextRef& context, sqs::TagQueueRequest& request) {
  auto found = find_queue(context, request.queue_url, "TagQueue");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_tag_queue(request); !valid) return refuse(std::move(valid).error(), found->seen);
  return pass_on(engine_.tag_queue(found->queue, request.tags));
}

Outcome Service::run(const ContextRef& context, sqs::UntagQueueRequest& request) {
  auto found = find_queue(context, request.queue_url, "UntagQueue");
  if (!found) return refuse(found.error().error, found.error().seen);
  if (auto valid = sqs::validate_untag_queue(request); !valid) return refuse(std::move(valid).error(), found->seen);
  return pass_on(engine_.untag_queue(found->queue, request.tag_keys));
}

Outcome Service::run(const ContextRef& context, sqs::ListQueueTagsRequest& request) {
  auto found = find_queue(context, request.queue_url, "ListQueueTags");
  if (!found) return refuse(found.error().error, found.error().seen);
  auto answer = engine_.queue_tags(found->queue);
  if (!answer.result) return refuse(std::move(answer.result).error(), answer.seen);
  return {sqs::Response(sqs::ListQueueTagsResponse{std::move(answer.result).value()}), answer.seen};
}

Outcome Service::run(const ContextRef& context, sqs::AddPermissionRequest& request) {
  auto found = find_queue(context, request.queue_url, "AddPermission");
  if (!found) return refuse(found.error().error, found.error().seen);
  const auto permission = sqs::validate_add_permission(request);
  if (!permission) return refuse(permission.error(), found->seen);
  return pass_on(engine_.add_permission(found->queue, *permission));
}

Outcome Service::run(const ContextRef& context, sqs::RemovePermissionRequest& request) {
  auto found = find_queue(context, request.queue_url, "RemovePermission");
  if (!found) return refuse(found.error().error, found.error().seen);
  const auto label = sqs::validate_remove_permission(request);
  if (!label) return refuse(label.error(), found->seen);
  return pass_on(engine_.remove_permission(found->queue, *label));
}

Outcome Service::run(const ContextRef& context, sqs::ListDeadLetterSourceQueuesRequest& request) {
  auto found = find_queue(context, request.queue_url, "ListDeadLetterSourceQueues");
  if (!found) return refuse(found.error().error, found.error().seen);
  const auto parameters = sqs::validate_list_sources(request);
  if (!parameters) return refuse(parameters.error(), found->seen);
  auto listed = engine_.dead_letter_sources(found->queue, parameters->after, parameters->max);
  if (!listed.result) return refuse(std::move(listed.result).error(), listed.seen);
  auto [urls, token] = page_of(context, *parameters, *listed.result);
  return {sqs::Response(sqs::ListDeadLetterSourceQueuesResponse{std::move(urls), std::move(token)}), listed.seen};
}

}  // namespace ferry::service
