#include "model_queue.h"

#include <algorithm>

namespace ferry::simulation {
namespace {

constexpr std::int64_t kMinute = 60'000;

}  // namespace

// ---- one message

bool ModelQueue::expired(const ModelMessage& message, std::int64_t now) const {
  return !message.quarantined && message.enqueued + attributes.retention * 1'000 <= now;
}

bool ModelQueue::delayed(const ModelMessage& message, std::int64_t now) const {
  if (message.receive_count > 0) return false;
  if (!fifo) return message.visible_from > now;
  if (message.enqueued <= matured_through && message.sequence <= matured_sequence) return false;
  return message.enqueued > now - attributes.delay * 1'000;
}

bool ModelQueue::in_flight(const ModelMessage& message, std::int64_t now) const {
  return message.receive_count > 0 && message.visible_from > now;
}

bool ModelQueue::ready(const ModelMessage& message, std::int64_t now) const {
  return !message.quarantined && !expired(message, now) && !delayed(message, now) && !in_flight(message, now);
}

ModelCounts ModelQueue::counts(std::int64_t now) const {
  ModelCounts counts;
  for (const ModelMessage& message : messages) {
    if (message.quarantined || expired(message, now)) continue;
    if (delayed(message, now))
      ++counts.delayed;
    else if (in_flight(message, now))
      ++counts.in_flight;
    else
      ++counts.visible;
  }
  return counts;
}

// ---- who is there

ModelMessage* ModelQueue::find(std::uint64_t sequence) {
  for (ModelMessage& message : messages) {
    if (message.sequence == sequence && !message.quarantined) return &message;
  }
  return nullptr;
}

const ModelMessage* ModelQueue::head(const std::string& group) const {
  for (const ModelMessage& message : messages) {
    if (message.group == group && !message.quarantined) return &message;
  }
  return nullptr;
}

std::uint64_t ModelQueue::in_flight_of(const std::optional<std::string>& group) const {
  std::uint64_t count = 0;
  for (const ModelMessage& message : messages) {
    if (!message.quarantined && in_flight(message, at) && (!group || message.group == group)) ++count;
  }
  return count;
}

std::int64_t ModelQueue::recent_usage(const std::optional<std::string>& group) const {
  const std::int64_t since = (at / kMinute - 1) * kMinute;
  std::int64_t sum = 0;
  for (const Usage& stay : usage) {
    if (!group || stay.group == group) sum += std::max<std::int64_t>(0, stay.to - std::max(stay.from, since));
  }
  return sum;
}

// ---- changes

std::optional<std::int64_t> ModelQueue::next_event() const {
  std::optional<std::int64_t> next;
  const auto consider = [&](std::int64_t time) {
    if (time > at && (!next || time < *next)) next = time;
  };
  for (const ModelMessage& message : messages) {
    if (message.quarantined) continue;
    consider(message.enqueued + attributes.retention * 1'000);
    if (in_flight(message, at)) consider(message.visible_from);
    if (delayed(message, at)) consider(fifo ? message.enqueued + attributes.delay * 1'000 : message.visible_from);
  }
  return next;
}

void ModelQueue::advance(std::int64_t now) {
  if (fifo)
    advance_line(now);
  else
    advance_tenants(now);
}

// Groups that became servable since the last look enter the line in this order: those that waited for the end of a visibility
// timeout, in the order of time; those that waited for the end of a delay; those that waited for a message to expire.
void ModelQueue::advance_line(std::int64_t now) {
  std::vector<const ModelMessage*> visible;
  std::vector<const ModelMessage*> matured;
  for (const ModelMessage& message : messages) {
    if (in_flight(message, at) && !in_flight(message, now)) visible.push_back(&message);
    if (delayed(message, at) && !delayed(message, now)) matured.push_back(&message);
  }
  std::stable_sort(visible.begin(), visible.end(),
                   [](const ModelMessage* a, const ModelMessage* b) { return a->visible_from < b->visible_from; });
  at = now;
  for (const ModelMessage* message : visible) enter_line(*message);
  for (const ModelMessage* message : matured) enter_line(*message);
  for (std::size_t i = 0; i < messages.size();) {
    if (expired(messages[i], at))
      erase(messages[i].sequence);
    else
      ++i;
  }
  freshen();
}

void ModelQueue::enter_line(const ModelMessage& message) {
  if (&message != head(*message.group) || !ready(message, at)) return;
  if (std::find(line.begin(), line.end(), *message.group) == line.end()) line.push_back(*message.group);
}

// One event after the other, so that the time in flight is counted exactly.
void ModelQueue::advance_tenants(std::int64_t now) {
  do {
    const std::int64_t next = std::min(now, next_event().value_or(now));
    if (next > at) {
      for (const ModelMessage& message : messages) {
        if (!message.quarantined && in_flight(message, at)) usage.push_back({at, next, message.group});
      }
      std::erase_if(usage, [&](const Usage& stay) { return stay.to <= (next / kMinute - 1) * kMinute; });
    }
    at = next;
    std::erase_if(messages, [&](const ModelMessage& message) { return expired(message, at); });
    judge_tenants();
  } while (at < now);
}

void ModelQueue::freshen() {
  if (!fifo) return judge_tenants();
  std::map<std::string, const ModelMessage*> heads;
  for (const ModelMessage& message : messages) {
    if (!message.quarantined) heads.try_emplace(*message.group, &message);
  }
  const auto is_servable = [&](const std::string& group) { return heads.contains(group) && ready(*heads.at(group), at); };
  std::erase_if(line, [&](const std::string& group) { return !is_servable(group); });
  for (const ModelMessage& message : messages) {
    if (message.quarantined || heads.at(*message.group) != &message || !is_servable(*message.group)) continue;
    if (std::find(line.begin(), line.end(), *message.group) == line.end()) line.push_back(*message.group);
  }
}

void ModelQueue::judge_tenants() {
  for (auto tenant = last_send.begin(); tenant != last_send.end();) {
    const std::string& who = tenant->first;
    const bool has_messages = head(who) != nullptr;
    for (Usage& stay : usage) {
      if (!has_messages && stay.group == who) stay.group.reset();  // still part of the whole
    }
    tenant = has_messages ? std::next(tenant) : last_send.erase(tenant);
  }
  std::erase_if(noisy, [&](const std::string& tenant) {
    const bool has_ready = std::any_of(messages.begin(), messages.end(), [&](const ModelMessage& message) {
      return message.group == tenant && ready(message, at);
    });
    return !has_ready;
  });
}

ModelMessage& ModelQueue::append(ModelMessage message) {
  message.sequence = ++last_sequence;
  if (!fifo && message.group) last_send[*message.group] = std::max(last_send[*message.group], message.enqueued);
  messages.push_back(std::move(message));
  freshen();
  return messages.back();
}

void ModelQueue::leave_line(const ModelMessage& message) {
  if (!fifo || &message != head(*message.group)) return;
  std::erase(line, *message.group);
}

void ModelQueue::erase(std::uint64_t sequence) {
  if (const ModelMessage* const message = find(sequence)) leave_line(*message);
  std::erase_if(messages, [&](const ModelMessage& message) { return message.sequence == sequence; });
  freshen();
}

void ModelQueue::hide(ModelMessage& message, std::int64_t until) {
  message.visible_from = until;
  freshen();
}

void ModelQueue::restart(std::int64_t now) {
  attempts.clear();
  noisy.clear();
  last_send.clear();
  usage.clear();
  dead_letters_left.clear();
  for (ModelTask& task : tasks) {
    task.passed = 0;
    task.waits = true;
  }
  at = now;
  std::erase_if(messages, [&](const ModelMessage& message) { return expired(message, at); });
  for (const ModelMessage& message : messages) {
    if (!fifo && message.group && !message.quarantined)
      last_send[*message.group] = std::max(last_send[*message.group], message.enqueued);
  }
  line.clear();
  freshen();
  const auto visible_since = [&](const std::string& group) {
    const ModelMessage& first = *head(group);
    return std::pair(first.receive_count > 0 ? first.visible_from : first.enqueued, first.sequence);
  };
  std::sort(line.begin(), line.end(),
            [&](const std::string& a, const std::string& b) { return visible_since(a) < visible_since(b); });
}

}  // namespace ferry::simulation
