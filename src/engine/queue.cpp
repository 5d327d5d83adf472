// The queue as a whole: its Hold, its clockwork (timers, delays, expiry, slices), and the states of a message.
// Sends, receives and what handles do are in queue_messages.cpp, attributes and tags in queue_settings.cpp, dead letters and move
// tasks in queue_moves.cpp, recovery and compaction in queue_recovery.cpp.

#include "engine/queue.h"

#include <algorithm>

#include "base/check.h"
#include "engine/slices.h"

namespace ferry::engine {
namespace {

// How long to leave expiry alone when the store had no room for its record.
constexpr std::int64_t kExpiryRetryMs = 1'000;

constexpr std::uint64_t kTimerBytes = 24;        // 16 bytes and the slack of the tree's nodes
constexpr std::uint64_t kQuarantinedBytes = 72;  // the same for an entry with its number
constexpr std::uint64_t kArrivalBytes = 140;     // an Arrival with its number here and its name among the moved payloads

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
      is_fifo_(birth.attributes.kind == sqs::QueueKind::Fifo),
      scope_(birth.attributes.deduplication_scope_in_force),
      secret_(birth.secret),
      has_redrive_policy_(birth.attributes.redrive_policy.has_value()),
      last_(birth.position),
      attributes_(std::move(birth.attributes)),
      created_ms_(birth.created_ms),
      modified_ms_(birth.created_ms),
      line_(is_fifo_ ? make_fifo_line(index_) : make_fair_line(index_)),
      tags_(std::move(birth.tags)) {}

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
  const std::uint64_t wakes = std::min(queue_.became_ready_, queue_.line_->servable());
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

std::uint64_t Queue::Grave::bytes() const {
  return index.bytes() + line->bytes() + (timers.size() + elders.size()) * kTimerBytes + arrivals.size() * kArrivalBytes +
         window.bytes();
}

std::uint64_t Queue::memory() const {
  std::uint64_t bytes = index_.bytes() + line_->bytes() + (timers_.size() + elders_.size()) * kTimerBytes +
                        arrivals_.size() * kArrivalBytes + window_.bytes() + attempts_.bytes() +
                        quarantined_.size() * kQuarantinedBytes;
  for (const Grave& grave : graves_) bytes += grave.bytes();
  return bytes;
}

void Queue::report_totals() {
  const Totals now{index_.size(), quarantined_.size(), memory()};
  // Unsigned differences: falling totals wrap round and add up right.
  if (now.messages != reported_.messages) shared_.messages += now.messages - reported_.messages;
  if (now.quarantined != reported_.quarantined) shared_.quarantined += now.quarantined - reported_.quarantined;
  if (now.index_bytes != reported_.index_bytes) shared_.index_bytes += now.index_bytes - reported_.index_bytes;
  reported_ = now;
}

std::int64_t Queue::next_due_ms() {
  if (!graves_.empty() || sweeping_ || !pending_dead_letters_.empty()) return latest_ms_;
  std::int64_t due_ms = kNever;
  if (!timers_.empty()) due_ms = timers_.begin()->due_ms;
  if (is_fifo_ && delayed_ > 0) {
    if (const auto next = index_.next(delays_from_))
      due_ms = std::min(due_ms, next->entry->enqueued_ms() + Millis(attributes_.delay).count());
  }
  if (const auto next = oldest()) {
    const std::int64_t expires_ms = next->entry->enqueued_ms() + Millis(attributes_.retention).count();
    due_ms = std::min(due_ms, std::max(expires_ms, expiry_not_before_ms_));
  }
  if (const auto forget_ms = window_.next_forget_ms()) due_ms = std::min(due_ms, *forget_ms);
  if (const MoveTaskState* const task = running_task()) due_ms = std::min(due_ms, next_move_ms(*task));
  return due_ms;
}

// ---- what time brings

bool Queue::catch_up(Hold& hold, Moment now) {
  const bool more_timers = advance_timers(now.engine_ms);
  const bool more_delays = advance_delays(now.engine_ms);
  return expire(hold, now.engine_ms) || more_timers || more_delays;
}

bool Queue::advance_timers(std::int64_t now_ms) {
  std::size_t budget = kSliceMessages;
  while (!timers_.empty() && timers_.begin()->due_ms <= now_ms) {
    if (budget-- == 0) return true;
    const Timer timer = *timers_.begin();
    const MessageEntry& entry = *index_.find(timer.sequence);
    leave_state(timer.sequence, entry, timer.due_ms);
    show(timer.sequence, entry);
  }
  return false;
}

bool Queue::is_delayed(std::uint64_t sequence, const MessageEntry& entry, std::int64_t now_ms) const {
  if (entry.receive_count > 0) return false;
  if (!is_fifo_) return entry.visible_from_ms() > now_ms;
  if (entry.enqueued_ms() <= matured_.through_ms && sequence <= matured_.through_sequence) return false;
  return entry.enqueued_ms() > now_ms - Millis(attributes_.delay).count();
}

// Enqueue times never fall from one number to the next on a FIFO queue: a dead letter is enqueued when it arrives.
bool Queue::advance_delays(std::int64_t now_ms) {
  if (!is_fifo_ || delayed_ == 0) return false;
  std::size_t budget = kSliceMessages;
  for (auto item = index_.next(delays_from_); item && delayed_ > 0; item = index_.next(delays_from_)) {
    if (is_delayed(item->sequence, *item->entry, now_ms)) return false;
    if (budget-- == 0) return true;
    delays_from_ = item->sequence + 1;
    // Neither ready nor ever received: it was delayed until now.
    if (item->entry->receive_count > 0 || index_.is_ready(item->sequence)) continue;
    leave_state(item->sequence, *item->entry, now_ms);
    show(item->sequence, *item->entry);
  }
  return false;
}

// The message that expires first. Enqueue times never fall from one number to the next, but for elders, who have an order of
// their own. Each elder is passed once.
std::optional<MessageIndex::Item> Queue::oldest() {
  std::optional<MessageIndex::Item> native = index_.next(natives_from_);
  for (; native && native->entry->has(MessageEntry::Elder); native = index_.next(natives_from_))
    natives_from_ = native->sequence + 1;
  if (elders_.empty()) return native;
  const Timer& elder = *elders_.begin();
  if (native && native->entry->enqueued_ms() <= elder.due_ms) return native;
  return MessageIndex::Item{elder.sequence, index_.find(elder.sequence)};
}

bool Queue::expire(Hold& hold, std::int64_t now_ms) {
  std::size_t budget = kSliceMessages;
  for (;;) {
    const auto next = oldest();
    if (!next) break;
    if (!is_expired(next->sequence, *next->entry)) {
      const std::int64_t through_ms = now_ms - Millis(attributes_.retention).count();
      if (next->entry->enqueued_ms() > through_ms || now_ms < expiry_not_before_ms_) break;
      const ExpiredRecord record{through_ms, next_sequence_ - 1};
      if (!hold.log(RecordType::Expired, {now_ms, to_epoch_millis(shared_.clock.wall())}, record)) {
        expiry_not_before_ms_ = now_ms + kExpiryRetryMs;
        break;
      }
      expired_ = record;
      sweeping_ = true;
    }
    if (budget-- == 0) return true;
    discard(next->sequence);
  }
  if (sweeping_) became_ready_ += line_->servable();  // receives may have met nothing but expired ones
  sweeping_ = false;
  return false;
}

bool Queue::is_expired(std::uint64_t sequence, const MessageEntry& entry) const {
  return entry.enqueued_ms() <= expired_.through_ms && sequence <= expired_.through_sequence;
}

void Queue::tick() {
  Hold hold(*this);
  if (deleted_) return free_slice();
  const Moment now = hold.now();
  catch_up(hold, now);
  window_.forget(now.engine_ms, kSliceMessages);
  free_slice();
}

// ---- the states of a message

void Queue::show(std::uint64_t sequence, const MessageEntry& entry) {
  index_.set_ready(sequence);
  became_ready_ += line_->show(sequence, entry.group);
}

void Queue::put_in_flight(std::uint64_t sequence, MessageEntry& entry, std::int64_t until_ms, std::int64_t at_ms) {
  entry.set_visible_from_ms(until_ms);
  timers_.insert({until_ms, sequence});
  ++in_flight_;
  line_->in_flight(entry.group, 1, at_ms);
}

void Queue::leave_state(std::uint64_t sequence, const MessageEntry& entry, std::int64_t at_ms) {
  if (index_.is_ready(sequence)) {
    index_.clear_ready(sequence);
    line_->hide(sequence, entry.group);
    return;
  }
  timers_.erase({entry.visible_from_ms(), sequence});
  if (entry.receive_count == 0) {
    --delayed_;
    return;
  }
  --in_flight_;
  if (is_limited_) ++became_ready_;  // there was no room for it
  line_->in_flight(entry.group, -1, at_ms);
}

void Queue::set_visibility(std::uint64_t sequence, MessageEntry& entry, std::int64_t visible_from_ms, Moment now) {
  if (visible_from_ms <= now.engine_ms && index_.is_ready(sequence)) {
    entry.set_visible_from_ms(visible_from_ms);
    return;
  }
  leave_state(sequence, entry, now.engine_ms);
  if (visible_from_ms > now.engine_ms) {
    put_in_flight(sequence, entry, visible_from_ms, now.engine_ms);
  } else {
    entry.set_visible_from_ms(visible_from_ms);
    show(sequence, entry);
  }
}

void Queue::add(std::uint64_t sequence, const store::Location& location, GroupId group, std::int64_t visible_from_ms,
                Moment now) {
  MessageEntry entry;
  entry.location = location;
  entry.group = group;
  entry.set_enqueued_ms(now.engine_ms);
  entry.set_visible_from_ms(visible_from_ms);
  index_.put(sequence, entry);
  line_->insert(sequence, group, now.engine_ms);
  if (!is_delayed(sequence, entry, now.engine_ms)) {
    show(sequence, entry);
    return;
  }
  ++delayed_;
  if (!is_fifo_) timers_.insert({visible_from_ms, sequence});
}

void Queue::discard(std::uint64_t sequence) {
  const Lifted gone = lift(sequence);
  if (gone.entry.has(MessageEntry::Arrived)) shared_.moved.erase(gone.arrival.written_as);
  released_.push_back(gone.entry.location);
}

Queue::Lifted Queue::lift(std::uint64_t sequence) {
  Lifted lifted;
  lifted.sequence = sequence;
  lifted.entry = *index_.find(sequence);
  lifted.arrival.written_as = {id_, sequence};
  const MessageEntry& entry = lifted.entry;
  leave_state(sequence, entry, latest_ms_);
  if (entry.group != kNoGroup) lifted.group = line_->key_of(entry.group);
  became_ready_ += line_->erase(sequence, entry.group);
  if (entry.has(MessageEntry::Elder)) elders_.erase({entry.enqueued_ms(), sequence});
  if (entry.has(MessageEntry::Arrived)) {
    const auto arrival = arrivals_.find(sequence);
    lifted.arrival = arrival->second;
    arrivals_.erase(arrival);
  }
  index_.erase(sequence);
  return lifted;
}

// ---- slices

void Queue::bury_everything() {
  for (const auto& [sequence, entry] : quarantined_) index_.put(sequence, entry);
  quarantined_.clear();
  Grave& grave = graves_.emplace_back();
  grave.line = std::exchange(line_, is_fifo_ ? make_fifo_line(index_) : make_fair_line(index_));
  grave.index.swap(index_);
  grave.timers.swap(timers_);
  grave.elders.swap(elders_);
  grave.arrivals.swap(arrivals_);
  grave.window.swap(window_);
  attempts_.clear();
  pending_dead_letters_.clear();
  delayed_ = in_flight_ = 0;
  became_ready_ = 0;
  sweeping_ = false;
}

bool Queue::Grave::free_slice(std::vector<store::Location>& released, MovedPayloads& moved) {
  std::size_t budget = kSliceMessages;
  for (auto item = index.next(0); item && budget > 0; item = index.next(item->sequence), --budget) {
    released.push_back(item->entry->location);
    if (index.is_in_line(item->sequence)) index.take_from_line(item->sequence);
    index.erase(item->sequence);
  }
  auto end = arrivals.begin();
  for (std::size_t i = 0; i < kSliceMessages && end != arrivals.end(); ++i, ++end) moved.erase(end->second.written_as);
  arrivals.erase(arrivals.begin(), end);
  const bool more_timers = free_front(timers, kSliceMessages);
  const bool more_elders = free_front(elders, kSliceMessages);
  const bool more_window = window.free_slice(kSliceMessages);
  const bool more_line = line->free_slice(kSliceMessages);
  return index.size() > 0 || !arrivals.empty() || more_timers || more_elders || more_window || more_line;
}

void Queue::free_slice() {
  if (!graves_.empty() && !graves_.front().free_slice(released_, shared_.moved)) graves_.pop_front();
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
