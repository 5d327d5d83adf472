#include "cli/top_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/encoding.h"

namespace ferry::cli {
namespace {

constexpr Millis kMetricsTimeout{3'000};
constexpr std::int64_t kListPage = 1'000;

std::string key_of(std::string_view account, std::string_view region, std::string_view name) {
  return fmt::format("{} {} {}", account, region, name);
}

std::int64_t whole(double value) {
  constexpr double kMost = 1e15;
  return std::isfinite(value) ? std::llround(std::clamp(value, -kMost, kMost)) : 0;
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}
}  // namespace

Result<std::string> worker_url(const std::string& text) {
  const auto refuse = [&] {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("--worker {} is no address of a worker's metrics, like 127.0.0.1:9464 or http://host:9464/metrics",
                            escape_control(text)));
  };
  std::string url = text.find("://") == std::string::npos ? "http://" + text : text;
  if (!url.starts_with("http://") && !url.starts_with("https://")) return refuse();
  const std::size_t host = url.find("://") + 3;
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!plain || host == url.size() || url[host] == '/' || url[host] == ':') return refuse();
  url = without_slash(std::move(url));
  if (url.find('/', host) == std::string::npos) url += "/metrics";
  return url;
}

client::CallResult<std::vector<std::string>> TopSource::list() {
  std::vector<std::string> urls;
  sqs::ListQueuesRequest request;
  request.max_results = kListPage;
  if (!wanted_.prefix.empty()) request.queue_name_prefix = wanted_.prefix;
  do {
    const auto page = seams_.client.list_queues(request);
    if (!page) return Unexpected(page.error());
    urls.insert(urls.end(), page->queue_urls.begin(), page->queue_urls.end());
    request.next_token = page->next_token;
  } while (request.next_token);
  return urls;
}

// All queues of the server, or nothing when it does not tell: then it is not asked again.
std::optional<TopSource::Told> TopSource::server_metrics(const std::atomic<bool>& cancel) {
  if (no_metrics_ || seams_.endpoint.kind == client::EndpointKind::Amazon) return std::nullopt;
  const auto answer =
      seams_.transport.perform({"GET", without_slash(seams_.endpoint.url) + "/metrics", {}, "", kMetricsTimeout}, &cancel);
  if (!answer) return std::nullopt;  // it may pass
  Told told;
  bool ours = false;
  for (const MetricSample& sample : answer->status == 200 ? parse_metrics(answer->body) : std::vector<MetricSample>()) {
    ours = ours || sample.name == "ferry_queues_left_out";
    if (!sample.name.starts_with("ferry_queue_")) continue;
    QueueLook& queue = told.queues[key_of(sample.label("account"), sample.label("region"), sample.label("queue"))];
    if (sample.name == "ferry_queue_messages_visible") queue.visible = whole(sample.value);
    if (sample.name == "ferry_queue_messages_in_flight") queue.in_flight = whole(sample.value);
    if (sample.name == "ferry_queue_messages_delayed") queue.delayed = whole(sample.value);
    if (sample.name == "ferry_queue_oldest_age_seconds") queue.oldest_seconds = sample.value;
    if (sample.name == "ferry_queue_arrivals_total") queue.arrivals = sample.value;
    if (sample.name == "ferry_queue_departures_total") queue.departures = sample.value;
  }
  no_metrics_ = !ours;
  return ours ? std::optional(std::move(told)) : std::nullopt;
}

QueueLook TopSource::ask(const std::string& url, const sqs::QueueAddress& address) {
  QueueLook queue;
  sqs::GetQueueAttributesRequest request;
  request.queue_url = url;
  request.attribute_names = {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
                             "ApproximateNumberOfMessagesDelayed"};
  const auto answer = seams_.client.get_queue_attributes(request);
  if (!answer) {
    queue.error = answer.error().message.empty() ? answer.error().code : answer.error().message;
    if (queue.error.empty()) queue.error = fmt::format("no numbers of {}", address.name);
    return queue;
  }
  const auto number = [&](std::string_view name) {
    for (const auto& [key, value] : answer->attributes) {
      if (key == name) return parse_integer(value).value_or(0);
    }
    return std::int64_t{0};
  };
  queue.visible = number("ApproximateNumberOfMessages");
  queue.in_flight = number("ApproximateNumberOfMessagesNotVisible");
  queue.delayed = number("ApproximateNumberOfMessagesDelayed");
  return queue;
}

WorkerLook TopSource::look_at_worker(const std::string& address, const std::atomic<bool>& cancel) {
  WorkerLook look;
  const auto url = worker_url(address);
  const auto answer = url ? seams_.transport.perform({"GET", *url, {}, "", kMetricsTimeout}, &cancel)
                          : Result<client::Transport::Response>(Unexpected(url.error()));
  if (!answer) {
    look.error = answer.error().kind == ErrorKind::Unavailable ? "not reachable" : answer.error().message;
  } else if (answer->status != 200) {
    look.error = answer->status == 503 ? "it starts or ends" : fmt::format("HTTP {}", answer->status);
  } else if (auto found = worker_look(parse_metrics(answer->body))) {
    look = std::move(*found);
  } else {
    look.error = "no worker: it has no series ferry_worker_info";
  }
  look.address = address;
  return look;
}

Look TopSource::look(const std::atomic<bool>& cancel) {
  Look look;
  const auto urls = list();
  failure_ = urls ? std::nullopt : std::optional(urls.error());
  if (!urls) {
    look.error = failure_->message.empty() ? failure_->code : failure_->message;
  } else {
    const std::optional<Told> told = server_metrics(cancel);
    std::size_t asked = 0;
    for (const std::string& url : *urls) {
      if (cancel.load()) break;
      const auto address = sqs::parse_queue_url(url).value_or(sqs::QueueAddress{"", url});
      QueueLook queue;
      const auto known = told ? told->queues.find(key_of(address.account, seams_.endpoint.region, address.name))
                              : std::map<std::string, QueueLook, std::less<>>::const_iterator();
      if (told && known != told->queues.end()) {
        queue = known->second;
      } else if (asked++ < kTopQueuesMax) {
        queue = ask(url, address);
      } else {
        ++look.queues_left_out;
        continue;
      }
      queue.url = url;
      queue.name = address.name;
      look.queues.push_back(std::move(queue));
    }
  }
  for (const std::string& worker : wanted_.workers) {
    if (!cancel.load()) look.workers.push_back(look_at_worker(worker, cancel));
  }
  look.at = seams_.clock.steady();
  look.wall = seams_.clock.wall();
  return look;
}

}  // namespace ferry::cli
