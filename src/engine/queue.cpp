// The queue as a whole: its Hold, its clockwork (timers, expiry, slices), its attributes and counts.
// Sends, receives and what handles do are in queue_messages.cpp, recovery and compaction in queue_recovery.cpp.

#include "engine/queue.h"

#include <algorithm>

#include "base/check.h"
#include "sqs/names.h"

namespace ferry::engine {
namespace {

// How long to leave expiry alone when the store had no room for its record.
constexpr std::int64_t kExpiryRetryMs = 1'000;

constexpr std::uint64_t kTimerBytes = 24;        // 16 bytes and the slack of the tree's nodes
constexpr std::uint64_t kQuarantinedBytes = 72;  // the same for an entry with its number

}  // namespace

sqs::ApiError no_room(const Error& error) {
  if (error.kind == ErrorKind::NoSpace)
    return {sqs::ErrorCode::ServiceUnavailable, "The server has no space left for this request."};
  return {sqs::ErrorCode::ServiceUnavailable, "The server cannot take this request now."};
}

Queue::Queue(Shared& shared, Birth birth)
    : shared_(shared),
      id_(birth.id),
      key_(std::move(birth.key)),
      secret_(birth.secret),
      last_(birth.position),
      attributes_(birth.attributes),
      created_ms_(birth.created_ms),
      modified_ms_(birth.created_ms) {}

Moment Queue::Hold::now() {
  queue_.latest_ms_ = std::max(queue_.latest_ms_, to_epoch_millis(queue_.shared_.clock.now()));
  return {queue_.latest_ms_, to_epoch_millis(queue_.shared_.clock.wall())};
}

Result<store::Reservation> Queue::Hold::reserve(std::span<const store::RecordShape> shapes, store::Purpose purpose) {
  auto reservation = queue_.shared_.store.reserve(shapes, purpose);
  if (reservation) queue_.last_ = reservation->last;
  return reservation;
}

void Queue::Hold::release() {
  if (!lock_.owns_lock()) return;
  const std::uint64_t wakes = std::min(queue_.became_ready_, queue_.index_.ready());
  queue_.became_ready_ = 0;
  queue_.waiters_.wake(wakes);
  queue_.report_totals();
  const std::int64_t due_ms = queue_.next_due_ms();
  if (due_ms != kNever) queue_.shared_.schedule.want(queue_.shared_from_this(), queue_.schedule_entry_, due_ms);
  const std::vector<store::Location> released = std::move(queue_.released_);
  queue_.released_.clear();
  lock_.unlock();
  for (store::Reservation& reservation : pending_) queue_.shared_.store.publish(std::move(reservation));
  if (!released.empty()) queue_.shared_.store.release(released);
}

void Queue::report_totals() {
  Totals now{index_.size(), quarantined_.size(),
             index_.bytes() + timers_.size() * kTimerBytes + quarantined_.size() * kQuarantinedBytes};
  for (const Grave& grave : graves_) now.index_bytes += grave.index.bytes() + grave.timers.size() * kTimerBytes;
  // Unsigned differences: falling totals wrap round and add up right.
  if (now.messages != reported_.messages) shared_.messages += now.messages - reported_.messages;
  if (now.quarantined != reported_.quarantined) shared_.quarantined += now.quarantined - reported_.quarantined;
  if (now.index_bytes != reported_.index_bytes) shared_.index_bytes += now.index_bytes - reported_.index_bytes;
  reported_ = now;
}

std::int64_t Queue::next_due_ms() {
  if (!graves_.empty() || sweeping_) return latest_ms_;
  std::int64_t due_ms = kNever;
  if (!waiters_.empty() && !timers_.empty()) due_ms = timers_.begin()->due_ms;
  if (const auto oldest = index_.next(0)) {
    const std::int64_t expires_ms = oldest->entry->enqueued_ms + Millis(attributes_.retention).count();
    due_ms = std::min(due_ms, std::max(expires_ms, expiry_not_before_ms_));
  }
  return due_ms;
}

// ---- what time brings

bool Queue::catch_up(Hold& hold, Moment now) {
  const bool more_timers = advance_timers(now.engine_ms);
  return expire(hold, now.engine_ms) || more_timers;
}

bool Queue::advance_timers(std::int64_t now_ms) {
  std::size_t budget = kSliceMessages;
  while (!timers_.empty() && timers_.begin()->due_ms <= now_ms) {
    if (budget-- == 0) return true;
    const std::uint64_t sequence = timers_.begin()->sequence;
    make_ready(sequence, *index_.find(sequence));
  }
  return false;
}

// Enqueue times never fall from one sequence number to the next: sends alone bring messages, and Hold::now() sees to it. So
// the oldest message is the first to expire. Whatever brings old messages under new numbers must change this function only.
bool Queue::expire(Hold& hold, std::int64_t now_ms) {
  std::size_t budget = kSliceMessages;
  for (;;) {
    const auto oldest = index_.next(0);
    if (!oldest) break;
    if (!is_expired(oldest->sequence, *oldest->entry)) {
      const std::int64_t through_ms = now_ms - Millis(attributes_.retention).count();
      if (oldest->entry->enqueued_ms > through_ms || now_ms < expiry_not_before_ms_) break;
      const ExpiredRecord record{through_ms, next_sequence_ - 1};
      if (!hold.log(RecordType::Expired, {now_ms, to_epoch_millis(shared_.clock.wall())}, record)) {
        expiry_not_before_ms_ = now_ms + kExpiryRetryMs;
        break;
      }
      expired_ = record;
      sweeping_ = true;
    }
    if (budget-- == 0) return true;
    discard(oldest->sequence, *oldest->entry);
  }
  if (sweeping_) became_ready_ += index_.ready();  // receives may have met nothing but expired ones
  sweeping_ = false;
  return false;
}

bool Queue::is_expired(std::uint64_t sequence, const MessageEntry& entry) const {
  return entry.enqueued_ms <= expired_.through_ms && sequence <= expired_.through_sequence;
}

void Queue::leave_state(std::uint64_t sequence, const MessageEntry& entry) {
  if (index_.is_ready(sequence)) {
    index_.clear_ready(sequence);
    return;
  }
  timers_.erase({entry.visible_from_ms, sequence});
  --(entry.receive_count == 0 ? delayed_ : in_flight_);
}

void Queue::make_ready(std::uint64_t sequence, MessageEntry& entry) {
  leave_state(sequence, entry);
  index_.set_ready(sequence);
  ++became_ready_;
}

void Queue::hide(std::uint64_t sequence, MessageEntry& entry, std::int64_t until_ms) {
  leave_state(sequence, entry);
  entry.visible_from_ms = until_ms;
  timers_.insert({until_ms, sequence});
  ++(entry.receive_count == 0 ? delayed_ : in_flight_);
}

void Queue::discard(std::uint64_t sequence, const MessageEntry& entry) {
  leave_state(sequence, entry);
  released_.push_back(entry.location);
  index_.erase(sequence);
}

void Queue::bury_everything() {
  for (const auto& [sequence, entry] : quarantined_) index_.put(sequence, entry);
  quarantined_.clear();
  if (index_.size() > 0) {
    Grave& grave = graves_.emplace_back();
    grave.index.swap(index_);
    grave.timers.swap(timers_);
  }
  delayed_ = in_flight_ = 0;
  became_ready_ = 0;
  sweeping_ = false;
}

void Queue::free_slice() {
  if (graves_.empty()) return;
  Grave& grave = graves_.front();
  std::size_t budget = kSliceMessages;
  for (auto item = grave.index.next(0); item && budget > 0; item = grave.index.next(item->sequence), --budget) {
    released_.push_back(item->entry->location);
    grave.index.erase(item->sequence);
  }
  auto end = grave.timers.begin();
  for (std::size_t i = 0; i < kSliceMessages && end != grave.timers.end(); ++i) ++end;
  grave.timers.erase(grave.timers.begin(), end);
  if (grave.index.size() == 0 && grave.timers.empty()) graves_.pop_front();
}

void Queue::tick() {
  Hold hold(*this);
  const Moment now = hold.now();
  if (!waiters_.empty()) advance_timers(now.engine_ms);
  expire(hold, now.engine_ms);
  free_slice();
}

// ---- the queue itself

sqs::ApiResult<bool> Queue::remove(Hold& hold) {
  if (deleted_) return false;
  const auto logged = hold.log(RecordType::QueueDeleted, hold.now(), QueueDeletedRecord{key_});
  if (!logged) return Unexpected(no_room(logged.error()));
  deleted_ = true;
  bury_everything();
  waiters_.wake(kNever);
  return true;
}

Answer<sqs::EmptyResponse> Queue::purge() {
  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  const Moment now = hold.now();
  const std::int64_t wait_ms = Millis(sqs::kPurgeWait).count();
  if (shared_.options.enforce_purge_wait && purged_ms_ && now.engine_ms - *purged_ms_ < wait_ms) {
    return {sqs::api_fail(sqs::ErrorCode::PurgeQueueInProgress,
                          "Only one PurgeQueue operation on " + key_.name + " is allowed every 60 seconds."),
            last_};
  }
  const auto logged = hold.log(RecordType::Purged, now, PurgedRecord{next_sequence_ - 1});
  if (!logged) return {Unexpected(no_room(logged.error())), last_};
  purged_ms_ = now.engine_ms;
  bury_everything();
  return {sqs::EmptyResponse{}, last_};
}

Answer<sqs::TextMap> Queue::get_attributes(const std::vector<std::string>& names) {
  for (;;) {
    Hold hold(*this);
    if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
    if (catch_up(hold, hold.now())) continue;
    const QueueCounts counts = present_counts();
    sqs::QueueStatus status;
    status.arn = sqs::format_queue_arn({.region = key_.region, .account = key_.account, .name = key_.name});
    status.visible = counts.visible;
    status.not_visible = counts.not_visible;
    status.delayed = counts.delayed;
    status.created = from_epoch_millis(created_ms_);
    status.modified = from_epoch_millis(modified_ms_);
    return {sqs::describe_attributes(attributes_, status, names), last_};
  }
}

Answer<sqs::EmptyResponse> Queue::set_attributes(const sqs::TextMap& changes) {
  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  if (changes.empty()) return {Unexpected(sqs::missing_parameter("Attribute.Name")), last_};
  auto changed = sqs::with_attributes(attributes_, changes);
  if (!changed) return {Unexpected(std::move(changed).error()), last_};
  const Moment now = hold.now();
  expire(hold, now.engine_ms);  // by the old period: a longer one brings nothing back
  const auto logged = hold.log(RecordType::AttributesSet, now, AttributesSetRecord{*changed});
  if (!logged) return {Unexpected(no_room(logged.error())), last_};
  attributes_ = *changed;
  modified_ms_ = now.wall_ms;
  return {sqs::EmptyResponse{}, last_};
}

Answer<sqs::OptionalText> Queue::difference(const sqs::TextMap& attributes) {
  const std::lock_guard lock(mutex_);
  return {sqs::first_difference(attributes_, attributes), last_};
}

Seconds Queue::default_wait_time() {
  const std::lock_guard lock(mutex_);
  return attributes_.receive_wait_time;
}

QueueCounts Queue::present_counts() const {
  return {.visible = index_.ready(), .not_visible = in_flight_, .delayed = delayed_};
}

QueueCounts Queue::counts() {
  for (;;) {
    Hold hold(*this);
    if (deleted_ || !catch_up(hold, hold.now())) return present_counts();
  }
}

}  // namespace ferry::engine
