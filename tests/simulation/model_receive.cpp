// Receiving: which messages are given out, which become dead letters on the way, and who must wait.

#include <algorithm>

#include "reference_model.h"

namespace ferry::simulation {
namespace {

constexpr std::size_t kDeadLettersPerReceive = 100;
constexpr std::int64_t kAttemptWindow = 300'000;
constexpr std::int64_t kTenantForgets = 300'000;
constexpr std::uint64_t kNoisyMessages = 30;
constexpr std::uint64_t kNoisyShare = 10;  // one in ten

bool contains(const std::vector<std::uint64_t>& numbers, std::uint64_t number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

}  // namespace

// ---- dead letters

bool ReferenceModel::is_exhausted(const ModelQueue& queue, const ModelMessage& message) const {
  const auto& redrive = queue.attributes.redrive;
  if (!redrive || message.receive_count - message.arrived_with < redrive->max_receive_count) return false;
  if (find(name_in(redrive->target_arn)) != nullptr) return true;
  count("exhausted without a target");
  return false;
}

bool ReferenceModel::bury(const ModelQueue& queue, const ModelMessage& message, Choice& choice) const {
  if (!is_exhausted(queue, message)) return false;
  if (choice.dead.size() < kDeadLettersPerReceive)
    choice.dead.push_back(message.sequence);
  else
    choice.left.push_back(message.sequence);
  return true;
}

// They leave together, and arrive together.
void ReferenceModel::move_dead_letters(const std::string& source, const std::vector<std::uint64_t>& sequences, std::int64_t now,
                                       std::int64_t wall) {
  if (sequences.empty()) return;
  ModelQueue& from = edit(source, now);
  const ModelRedrive redrive = *from.attributes.redrive;
  const std::string target = name_in(redrive.target_arn);
  std::vector<ModelMessage> leaving;
  for (const std::uint64_t sequence : sequences) {
    leaving.push_back(*from.find(sequence));
    from.erase(sequence);
  }
  ModelQueue& to = edit(target, now);
  for (ModelMessage message : leaving) {
    if (message.arrived_with > 0) count("dead letter with older receives");
    message.was_moved = true;
    message.dead_letter_source = source;
    message.arrived_with = message.receive_count;
    message.visible_from = now;
    if (to.fifo) {
      message.enqueued = now;
      message.sent_wall = wall;
    }
    to.append(message);
    count(to.fifo ? "dead letter, FIFO" : "dead letter, standard");
    if (source == target) count("dead letter to its own queue");
    if (to.attributes.redrive && source != target) count("dead letter into a chain");
  }
  to.advance(now);  // some may be too old for their new queue
}

// ---- standard queues

// Judged when its message would be the next one.
bool ReferenceModel::is_greedy(const ModelQueue& queue, const std::string& tenant, const Choice& choice) const {
  if (queue.at - queue.last_send.at(tenant) >= kTenantForgets) {
    count("tenant that sends no more");
    return false;
  }
  std::uint64_t mine = queue.in_flight_of(tenant);
  std::uint64_t all = queue.in_flight_of(std::nullopt);
  for (const std::uint64_t sequence : choice.taken) {
    ++all;
    for (const ModelMessage& message : queue.messages) mine += message.sequence == sequence && message.group == tenant ? 1 : 0;
  }
  if (mine >= kNoisyMessages && mine * kNoisyShare > all) {
    count("noisy by messages in flight");
    return true;
  }
  return queue.recent_usage(tenant) * static_cast<std::int64_t>(kNoisyShare) > queue.recent_usage(std::nullopt);
}

const ModelMessage* ReferenceModel::next_quiet(ModelQueue& queue, const std::vector<std::uint64_t>& met,
                                               const Choice& choice) const {
  for (const ModelMessage& message : queue.messages) {
    if (!queue.ready(message, queue.at) || contains(met, message.sequence)) continue;
    if (!message.group) return &message;
    const bool is_noisy = std::find(queue.noisy.begin(), queue.noisy.end(), *message.group) != queue.noisy.end();
    if (is_noisy) continue;
    if (!is_greedy(queue, *message.group, choice)) return &message;
    queue.noisy.push_back(*message.group);
    count("tenant becomes noisy");
  }
  return nullptr;
}

const ModelMessage* ReferenceModel::next_noisy(ModelQueue& queue, const std::vector<std::uint64_t>& met, const Choice& choice,
                                               std::optional<std::uint64_t> given) const {
  const ModelMessage* best = nullptr;
  std::uint64_t least = 0;
  for (const std::string& tenant : queue.noisy) {
    const ModelMessage* first = nullptr;
    std::uint64_t mine = queue.in_flight_of(tenant);
    for (const ModelMessage& message : queue.messages) {
      if (message.group != tenant) continue;
      if (contains(choice.taken, message.sequence)) ++mine;
      if (first == nullptr && queue.ready(message, queue.at) && !contains(met, message.sequence)) first = &message;
    }
    if (first == nullptr) continue;
    // Among equals the engine chooses.
    if (best == nullptr || mine < least || (mine == least && given == first->sequence)) {
      best = first;
      least = mine;
    }
  }
  return best;
}

ReferenceModel::Choice ReferenceModel::choose_standard(ModelQueue& queue, std::size_t max,
                                                       const std::vector<std::uint64_t>& given) const {
  std::erase_if(queue.noisy, [&](const std::string& tenant) { return queue.at - queue.last_send.at(tenant) >= kTenantForgets; });
  Choice choice;
  std::vector<std::uint64_t> met;
  bool passed_over = false;
  const auto forget_finished = [&] {  // those of whom nothing visible is left, if only for this receive
    std::erase_if(queue.noisy, [&](const std::string& tenant) {
      return std::none_of(queue.messages.begin(), queue.messages.end(), [&](const ModelMessage& message) {
        return message.group == tenant && queue.ready(message, queue.at) && !contains(met, message.sequence);
      });
    });
  };
  while (choice.taken.size() < max) {
    const std::size_t next = choice.taken.size();
    const ModelMessage* message = next_quiet(queue, met, choice);
    if (message == nullptr) {
      message = next_noisy(queue, met, choice, next < given.size() ? std::optional(given[next]) : std::nullopt);
      if (message != nullptr && passed_over) count("noisy tenant served after the quiet");
    } else if (!queue.noisy.empty()) {
      passed_over = true;
    }
    if (message == nullptr) break;
    met.push_back(message->sequence);
    if (!bury(queue, *message, choice)) choice.taken.push_back(message->sequence);
    forget_finished();
  }
  if (passed_over) count("noisy tenant passed over");
  return choice;
}

// ---- FIFO queues

ReferenceModel::Choice ReferenceModel::choose_fifo(ModelQueue& queue, std::size_t max) const {
  Choice choice;
  std::vector<std::string> served;
  for (const std::string& group : queue.line) {
    if (choice.taken.size() == max) break;
    served.push_back(group);
    for (const ModelMessage& message : queue.messages) {
      if (message.group != group || message.quarantined) continue;
      if (!queue.ready(message, queue.at)) {
        if (queue.in_flight(message, queue.at)) count("blocked by a message in flight");
        break;
      }
      if (choice.taken.size() == max) break;
      if (!bury(queue, message, choice)) choice.taken.push_back(message.sequence);
    }
  }
  if (served.size() > 1) count("several groups in one receive");
  for (const ModelMessage& message : queue.messages) {
    const bool waits = queue.ready(message, queue.at) && !queue.ready(*queue.head(*message.group), queue.at);
    if (waits) {
      count("visible behind a blocked head");
      break;
    }
  }
  return choice;
}

bool ReferenceModel::replay_attempt(ModelQueue& queue, const Receive& request, std::int64_t until, Received& received) {
  std::erase_if(queue.attempts, [&](const ModelAttempt& attempt) { return queue.at - attempt.received >= kAttemptWindow; });
  const auto attempt = std::find_if(queue.attempts.begin(), queue.attempts.end(),
                                    [&](const ModelAttempt& one) { return one.id == *request.attempt; });
  if (attempt == queue.attempts.end()) return false;
  received.was_replayed = true;
  for (const ModelHandle& handle : attempt->handles) {
    const ModelMessage* const message = queue.find(handle.sequence);
    if (message == nullptr || message->receive_count != handle.receive_count || !queue.in_flight(*message, queue.at) ||
        message->visible_from != attempt->hidden_until) {
      count("attempt that cannot be replayed");
      return true;
    }
  }
  for (const ModelHandle& handle : attempt->handles) {
    ModelMessage& message = *queue.find(handle.sequence);
    queue.hide(message, until);
    received.deliveries.push_back({message, handle});
  }
  attempt->hidden_until = until;
  count("attempt replayed");
  return true;
}

// ---- all

void ReferenceModel::give(ModelQueue& queue, const std::vector<std::uint64_t>& taken, std::int64_t until, std::int64_t wall,
                          Received& received) {
  for (const std::uint64_t sequence : taken) {
    ModelMessage& message = *queue.find(sequence);
    if (queue.fifo && until == queue.at) queue.leave_line(message);  // served, and back at the end
    if (message.receive_count == 0) message.first_received_wall = wall;
    ++message.receive_count;
    queue.hide(message, until);
    received.deliveries.push_back({message, {queue.incarnation, sequence, message.receive_count, queue.at}});
  }
}

ReferenceModel::Received ReferenceModel::receive(const std::string& name, const Receive& request, std::int64_t now,
                                                 std::int64_t wall) {
  Received received;
  ModelQueue& queue = edit(name, now);
  const std::int64_t until = now + 1'000 * request.timeout.value_or(queue.attributes.visibility_timeout);
  if (request.attempt && replay_attempt(queue, request, until, received)) return received;
  const std::size_t in_flight = queue.counts(now).in_flight;
  if (in_flight >= in_flight_max) {
    if (!queue.fifo) received.failure = {"OverLimit", ""};
    count(queue.fifo ? "in flight limit, FIFO" : "in flight limit, standard");
    return received;
  }
  const std::size_t max = std::min(request.max, in_flight_max - in_flight);
  const auto choose = [&] { return queue.fifo ? choose_fifo(queue, max) : choose_standard(queue, max, request.given); };
  const Choice choice = choose();
  give(queue, choice.taken, until, wall, received);
  move_dead_letters(name, choice.dead, now, wall);
  queue.dead_letters_left.insert(queue.dead_letters_left.end(), choice.left.begin(), choice.left.end());
  received.moved = choice.dead.size();
  if (received.moved > 0 && !choice.taken.empty()) count("dead letters and deliveries in one receive");
  // Dead letters of a queue's own are back at its end.
  if (received.moved > 0 && choice.taken.empty()) give(queue, choose().taken, until, wall, received);
  if (request.attempt && !received.deliveries.empty()) {
    ModelAttempt& attempt = queue.attempts.emplace_back(ModelAttempt{*request.attempt, now, until, {}});
    for (const ModelDelivery& delivery : received.deliveries) attempt.handles.push_back(delivery.handle);
  }
  return received;
}

void ReferenceModel::learn_id(const std::string& name, std::uint64_t sequence, const Uuid& id) {
  edit(name).find(sequence)->id = id;
}

std::size_t ReferenceModel::servings(const std::string& name, std::int64_t now) {
  ModelQueue& queue = edit(name, now);
  const std::size_t in_flight = queue.counts(now).in_flight;
  if (in_flight >= in_flight_max) return 0;
  std::size_t servings = 0;
  std::map<std::string, bool> is_decided;  // by group, on FIFO queues
  for (const ModelMessage& message : queue.messages) {
    if (message.quarantined || (queue.fifo && is_decided[*message.group])) continue;
    const bool is_ready = queue.ready(message, now);
    if (is_ready && is_exhausted(queue, message)) continue;  // will be out of the way
    if (is_ready) ++servings;
    if (queue.fifo) is_decided[*message.group] = true;
  }
  return std::min(servings, in_flight_max - in_flight);
}

}  // namespace ferry::simulation
