// Queues and what is set on them.

#include <algorithm>
#include <cstdlib>

#include "reference_model.h"

namespace ferry::simulation {
namespace {

constexpr std::int64_t kDeletionWait = 60'000;
constexpr std::int64_t kPurgeWait = 60'000;
const std::string kArnPrefix = "arn:aws:sqs:us-east-1:000000000000:";

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

// One element as itself, several as a list.
std::string one_or_list(const std::vector<std::string>& texts) {
  if (texts.size() == 1) return quoted(texts.front());
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ",") + quoted(text);
  return "[" + list + "]";
}

std::string policy_text(const ModelQueue& queue) {
  if (queue.attributes.permissions.empty()) return "";
  std::string statements;
  for (const ModelPermission& permission : queue.attributes.permissions) {
    std::vector<std::string> principals;
    for (const std::string& account : permission.accounts) principals.push_back("arn:aws:iam::" + account + ":root");
    std::vector<std::string> actions;
    for (const std::string& action : permission.actions) actions.push_back("SQS:" + action);
    statements += (statements.empty() ? "" : ",") + ("{\"Sid\":" + quoted(permission.label)) +
                  ",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":" + one_or_list(principals) +
                  "},\"Action\":" + one_or_list(actions) + ",\"Resource\":" + quoted(arn_of(queue.name)) + "}";
  }
  return R"({"Version":"2008-10-17","Id":")" + arn_of(queue.name) + R"(/SQSDefaultPolicy","Statement":[)" + statements + "]}";
}

std::string redrive_text(const ModelRedrive& redrive) {
  return R"({"deadLetterTargetArn":")" + redrive.target_arn + R"(","maxReceiveCount":)" +
         std::to_string(redrive.max_receive_count) + "}";
}

ModelRedrive parse_redrive(const std::string& text) {
  const std::size_t arn = text.find("arn:");
  const std::size_t count = text.find("maxReceiveCount\":") + 17;
  return {text.substr(arn, text.find('"', arn) - arn), static_cast<std::uint32_t>(std::stoul(text.substr(count)))};
}

// Texts that every attribute of the list is told as, whether it is set or not.
std::map<std::string, std::string> told(const ModelQueue& queue) {
  const ModelAttributes& attributes = queue.attributes;
  std::map<std::string, std::string> all = {
      {"DelaySeconds", std::to_string(attributes.delay)},
      {"MaximumMessageSize", std::to_string(attributes.message_bytes_max)},
      {"MessageRetentionPeriod", std::to_string(attributes.retention)},
      {"Policy", policy_text(queue)},
      {"ReceiveMessageWaitTimeSeconds", std::to_string(attributes.receive_wait_time)},
      {"RedriveAllowPolicy", attributes.redrive_allow_policy},
      {"RedrivePolicy", attributes.redrive ? redrive_text(*attributes.redrive) : ""},
      {"SqsManagedSseEnabled", attributes.managed_sse ? "true" : "false"},
      {"VisibilityTimeout", std::to_string(attributes.visibility_timeout)},
  };
  if (queue.fifo) {
    all["ContentBasedDeduplication"] = attributes.content_based_deduplication ? "true" : "false";
    all["DeduplicationScope"] = attributes.deduplication_scope;
    all["FifoQueue"] = "true";
    all["FifoThroughputLimit"] = attributes.throughput_limit;
  }
  return all;
}

}  // namespace

std::string arn_of(const std::string& queue_name) {
  return kArnPrefix + queue_name;
}

std::string name_in(const std::string& arn) {
  return arn.substr(arn.rfind(':') + 1);
}

ModelQueue& ReferenceModel::edit(const std::string& name) {
  for (std::shared_ptr<ModelQueue>& queue : queues_) {
    if (queue->name != name) continue;
    if (queue.use_count() > 1) queue = std::make_shared<ModelQueue>(*queue);
    return *queue;
  }
  std::abort();  // asked for a queue that is not there
}

ModelQueue& ReferenceModel::edit(const std::string& name, std::int64_t now) {
  ModelQueue& queue = edit(name);
  queue.advance(now);
  return queue;
}

const ModelQueue* ReferenceModel::find(const std::string& name) const {
  for (const std::shared_ptr<ModelQueue>& queue : queues_) {
    if (queue->name == name) return queue.get();
  }
  return nullptr;
}

std::vector<std::string> ReferenceModel::names() const {
  std::vector<std::string> names;
  for (const std::shared_ptr<ModelQueue>& queue : queues_) names.push_back(queue->name);
  std::sort(names.begin(), names.end());
  return names;
}

// ---- attributes

Failure ReferenceModel::redrive_failure(const std::string& source, const std::string& policy_text,
                                        const ModelRedrive& policy) const {
  const auto refused = [&](const std::string& reason) {
    return Failure{"InvalidParameterValue",
                   "Value " + policy_text + " for parameter RedrivePolicy is invalid. Reason: " + reason};
  };
  const ModelQueue* target = find(name_in(policy.target_arn));
  if (policy.target_arn != arn_of(name_in(policy.target_arn))) {
    count("redrive policy: another account");
    return refused("Dead-letter target owner should be same as the source.");
  }
  if (target == nullptr) {
    count("redrive policy: no such target");
    return refused("Dead letter target does not exist.");
  }
  if (target->fifo != source.ends_with(".fifo")) {
    count("redrive policy: another kind");
    return refused("Dead-letter queue must be same type of queue as the source..");
  }
  const std::string& allow = target->attributes.redrive_allow_policy;
  const bool allowed = allow.empty() || allow.find("allowAll") != std::string::npos ||
                       (allow.find("byQueue") != std::string::npos && allow.find(quoted(arn_of(source))) != std::string::npos);
  if (!allowed) {
    count("redrive policy: denied");
    return {"InvalidParameterValue", ""};
  }
  if (target->name == source) count("redrive policy: to itself");
  return {};
}

Failure ReferenceModel::apply(ModelQueue& queue, const std::string& attribute, const std::string& value) const {
  ModelAttributes& attributes = queue.attributes;
  if (attribute == "DelaySeconds") attributes.delay = std::stoll(value);
  if (attribute == "MaximumMessageSize") attributes.message_bytes_max = std::stoll(value);
  if (attribute == "MessageRetentionPeriod") attributes.retention = std::stoll(value);
  if (attribute == "ReceiveMessageWaitTimeSeconds") attributes.receive_wait_time = std::stoll(value);
  if (attribute == "VisibilityTimeout") attributes.visibility_timeout = std::stoll(value);
  if (attribute == "SqsManagedSseEnabled") attributes.managed_sse = value == "true";
  if (attribute == "Policy") attributes.permissions.clear();  // nothing else is ever set here
  if (attribute == "RedriveAllowPolicy") attributes.redrive_allow_policy = value;
  if (attribute == "ContentBasedDeduplication") attributes.content_based_deduplication = value == "true";
  if (attribute == "DeduplicationScope") attributes.deduplication_scope = value;
  if (attribute == "FifoThroughputLimit") attributes.throughput_limit = value;
  if (attribute == "RedrivePolicy") {
    attributes.redrive.reset();
    if (value.empty()) return {};
    attributes.redrive = parse_redrive(value);
    return redrive_failure(queue.name, value, *attributes.redrive);
  }
  return {};
}

ReferenceModel::TextMap ReferenceModel::describe(const std::string& name, std::int64_t now) const {
  const ModelQueue& queue = *find(name);
  const ModelCounts counts = queue.counts(now);
  std::map<std::string, std::string> all = told(queue);
  for (const char* optional : {"Policy", "RedrivePolicy", "RedriveAllowPolicy"}) {
    if (all[optional].empty()) all.erase(optional);
  }
  all["ApproximateNumberOfMessages"] = std::to_string(counts.visible);
  all["ApproximateNumberOfMessagesDelayed"] = std::to_string(counts.delayed);
  all["ApproximateNumberOfMessagesNotVisible"] = std::to_string(counts.in_flight);
  all["CreatedTimestamp"] = std::to_string(queue.created_wall / 1'000);
  all["LastModifiedTimestamp"] = std::to_string(queue.modified_wall / 1'000);
  all["QueueArn"] = arn_of(name);
  return TextMap(all.begin(), all.end());
}

Failure ReferenceModel::set_attributes(const std::string& name, const TextMap& attributes, std::int64_t now, std::int64_t wall) {
  if (find(name) == nullptr) return {"QueueDoesNotExist", ""};
  ModelQueue& queue = edit(name, now);  // what was too old by the period so far is gone
  const ModelAttributes before = queue.attributes;
  for (const auto& [attribute, value] : attributes) {
    if (Failure failure = apply(queue, attribute, value); failure.any()) {
      queue.attributes = before;
      return failure;
    }
  }
  if (const std::int64_t through = now - before.delay * 1'000; through >= queue.matured_through) {
    queue.matured_through = through;
    queue.matured_sequence = queue.last_sequence;
  }
  queue.modified_wall = wall;
  queue.freshen();     // first what is delayed no longer
  queue.advance(now);  // then what is too old by now
  return {};
}

Failure ReferenceModel::add_permission(const std::string& name, const ModelPermission& permission, std::int64_t wall) {
  ModelQueue& queue = edit(name);
  for (const ModelPermission& existing : queue.attributes.permissions) {
    if (existing.label != permission.label) continue;
    return {"InvalidParameterValue", "Value " + permission.label + " for parameter Label is invalid. Reason: Already exists."};
  }
  queue.attributes.permissions.push_back(permission);
  queue.modified_wall = wall;
  return {};
}

Failure ReferenceModel::remove_permission(const std::string& name, const std::string& label, std::int64_t wall) {
  ModelQueue& queue = edit(name);
  auto& permissions = queue.attributes.permissions;
  const std::string start = "Value " + label + " for parameter Label is invalid. Reason: ";
  if (permissions.empty()) return {"InvalidParameterValue", start + "can't find label."};
  if (std::erase_if(permissions, [&](const ModelPermission& permission) { return permission.label == label; }) == 0) {
    return {"InvalidParameterValue", start + "can't find label on existing policy."};
  }
  queue.modified_wall = wall;
  return {};
}

void ReferenceModel::tag(const std::string& name, const TextMap& tags) {
  for (const auto& [key, value] : tags) edit(name).tags[key] = value;
}

void ReferenceModel::untag(const std::string& name, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) edit(name).tags.erase(key);
}

std::vector<std::string> ReferenceModel::dead_letter_sources(const std::string& name) const {
  std::vector<std::string> sources;
  for (const std::string& source : names()) {
    const auto& redrive = find(source)->attributes.redrive;
    if (redrive && redrive->target_arn == arn_of(name)) sources.push_back(source);
  }
  return sources;
}

// ---- queues

Failure ReferenceModel::create(const std::string& name, const TextMap& attributes, const TextMap& tags, std::int64_t now,
                               std::int64_t wall) {
  if (const ModelQueue* existing = find(name)) {
    const auto current = told(*existing);
    for (const auto& [attribute, value] : attributes) {
      if (current.at(attribute) == value) continue;
      return {"QueueNameExists", "A queue already exists with the same name and a different value for attribute " + attribute};
    }
    return {};
  }
  for (const auto& [deleted_name, when] : deleted_) {
    if (deleted_name == name && now - when < kDeletionWait) {
      return {"QueueDeletedRecently",
              "You must wait 60 seconds after deleting a queue before you can create another with the same name."};
    }
  }
  auto queue = std::make_shared<ModelQueue>();
  queue->name = name;
  queue->fifo = name.ends_with(".fifo");
  for (const auto& [attribute, value] : attributes) {
    if (Failure failure = apply(*queue, attribute, value); failure.any()) return failure;
  }
  queue->deduplicates_by_group = queue->attributes.deduplication_scope == "messageGroup";
  queue->tags = std::map<std::string, std::string>(tags.begin(), tags.end());
  queue->incarnation = ++last_incarnation_;
  queue->created_wall = queue->modified_wall = wall;
  queue->at = now;
  queues_.push_back(queue);
  return {};
}

Failure ReferenceModel::remove(const std::string& name, std::int64_t now) {
  if (find(name) == nullptr) return {"QueueDoesNotExist", ""};
  std::erase_if(queues_, [&](const auto& queue) { return queue->name == name; });
  deleted_.emplace_back(name, now);
  return {};
}

Failure ReferenceModel::purge(const std::string& name, std::int64_t now) {
  ModelQueue& queue = edit(name, now);
  if (queue.purged && now - *queue.purged < kPurgeWait) {
    return {"PurgeQueueInProgress", "Only one PurgeQueue operation on " + name + " is allowed every 60 seconds."};
  }
  queue.purged = now;
  queue.messages.clear();
  queue.duplicates.clear();
  queue.attempts.clear();
  queue.last_send.clear();
  queue.usage.clear();
  queue.freshen();
  return {};
}

std::size_t ReferenceModel::living(std::int64_t now) const {
  std::size_t sum = 0;
  for (const auto& queue : queues_) {
    const ModelCounts counts = queue->counts(now);
    sum += counts.visible + counts.in_flight + counts.delayed;
  }
  return sum;
}

std::size_t ReferenceModel::quarantined() const {
  std::size_t sum = 0;
  for (const auto& queue : queues_) {
    sum += static_cast<std::size_t>(
        std::count_if(queue->messages.begin(), queue->messages.end(), [](const auto& message) { return message.quarantined; }));
  }
  return sum;
}

void ReferenceModel::look(std::int64_t now) {
  for (const std::string& name : names()) {
    if (find(name)->at < now) edit(name, now);
  }
}

std::optional<std::int64_t> ReferenceModel::next_event() const {
  std::optional<std::int64_t> next;
  for (const auto& queue : queues_) {
    const auto event = queue->next_event();
    if (event && (!next || *event < *next)) next = event;
  }
  return next;
}

void ReferenceModel::restart(std::int64_t now) {
  for (const std::string& name : names()) edit(name).restart(now);
}

}  // namespace ferry::simulation
