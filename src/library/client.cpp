#include "ferry/client.h"

#include "client/queue_reference.h"
#include "library/conversions.h"
#include "library/core.h"
#include "library/failure.h"

namespace ferry {

using library::failure_of;

Expected<Client> Client::open(const Connection& connection) {
  auto core = library::Core::open(connection, {});
  if (!core) return std::move(core).error();
  return Client(std::move(*core));
}

Client::Client(std::shared_ptr<library::Core> core) : core_(std::move(core)) {}

const std::string& Client::endpoint_url() const {
  return core_->endpoint().url;
}

Expected<Queue> Client::queue(std::string_view name) const {
  auto found = core_->find_queue(name);
  if (!found) return std::move(found).error();
  return Queue(core_, std::move(found->url), std::move(found->name));
}

Expected<Queue> Client::create_queue(std::string_view name, const QueueAttributes& attributes) const {
  sqs::CreateQueueRequest request;
  request.queue_name = std::string(name);
  request.attributes.assign(attributes.begin(), attributes.end());
  auto answer = core_->client().create_queue(request);
  if (!answer) return failure_of(answer.error());
  return Queue(core_, std::move(answer->queue_url), std::string(name));
}

Expected<std::vector<std::string>> Client::list_queues(std::string_view prefix) const {
  std::vector<std::string> urls;
  sqs::ListQueuesRequest request;
  if (!prefix.empty()) request.queue_name_prefix = std::string(prefix);
  request.max_results = 1'000;  // a page; without it the service stops after a thousand and does not say so
  do {
    auto page = core_->client().list_queues(request);
    if (!page) return failure_of(page.error());
    urls.insert(urls.end(), page->queue_urls.begin(), page->queue_urls.end());
    request.next_token = std::move(page->next_token);
  } while (request.next_token);
  return urls;
}

}  // namespace ferry
