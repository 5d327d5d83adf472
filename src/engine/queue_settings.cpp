// The queue itself: attributes, tags, purge, deletion.

#include <algorithm>

#include "base/check.h"
#include "engine/queue.h"
#include "sqs/limits.h"

namespace ferry::engine {

sqs::ApiResult<bool> Queue::remove(Hold& hold) {
  if (deleted_) return false;
  const auto logged = hold.log(RecordType::QueueDeleted, hold.now(), QueueDeletedRecord{key_});
  if (!logged) return Unexpected(no_room(logged.error()));
  deleted_ = true;
  move_tasks_.clear();
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

Answer<sqs::QueueAttributes> Queue::attributes() {
  const std::lock_guard lock(mutex_);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  return {attributes_, last_};
}

Answer<sqs::EmptyResponse> Queue::set_attributes(const sqs::QueueAttributes& changed) {
  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  const Moment now = hold.now();
  // By the old retention period and delay: a longer one brings nothing back.
  expire(hold, now.engine_ms);
  Matured matured = matured_;
  const std::int64_t matured_ms = now.engine_ms - Millis(attributes_.delay).count();
  if (is_fifo_ && matured_ms >= matured.through_ms) matured = {matured_ms, next_sequence_ - 1};
  const auto logged = hold.log(RecordType::AttributesSet, now, AttributesSetRecord{changed, matured});
  if (!logged) return {Unexpected(no_room(logged.error())), last_};
  attributes_ = changed;
  matured_ = matured;
  has_redrive_policy_ = changed.redrive_policy.has_value();
  modified_ms_ = now.wall_ms;
  return {sqs::EmptyResponse{}, last_};
}

std::optional<QueueKey> Queue::dead_letter_target() {
  if (!has_redrive_policy_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (!attributes_.redrive_policy) return std::nullopt;
  const sqs::QueueArn& target = attributes_.redrive_policy->dead_letter_target;
  return QueueKey{target.account, target.region, target.name};
}

Answer<sqs::TextMap> Queue::tags() {
  const std::lock_guard lock(mutex_);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  return {tags_, last_};
}

Answer<sqs::EmptyResponse> Queue::set_tags(
    const std::function<sqs::ApiResult<sqs::TextMap>(const sqs::TextMap& current)>& change) {
  Hold hold(*this);
  if (deleted_) return {Unexpected(sqs::queue_does_not_exist()), last_};
  auto changed = change(tags_);
  if (!changed) return {Unexpected(std::move(changed).error()), last_};
  if (*changed == tags_) return {sqs::EmptyResponse{}, last_};
  const auto logged = hold.log(RecordType::TagsSet, hold.now(), TagsSetRecord{*changed});
  if (!logged) return {Unexpected(no_room(logged.error())), last_};
  tags_ = std::move(changed).value();
  return {sqs::EmptyResponse{}, last_};
}

Seconds Queue::default_wait_time() {
  const std::lock_guard lock(mutex_);
  return attributes_.receive_wait_time;
}

}  // namespace ferry::engine
