#include "engine/deduplication.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <type_traits>

#include "base/check.h"
#include "engine/slices.h"
#include "sqs/limits.h"

namespace ferry::engine {
namespace {

constexpr std::int64_t kWindowMs = Millis(sqs::kDeduplicationWindow).count();

template <class To, class From>
void copy_bytes(To& to, const From& from) {
  static_assert(sizeof(To) == sizeof(From) && std::is_trivially_copyable_v<To> && std::is_trivially_copyable_v<From>);
  std::memcpy(static_cast<void*>(&to), &from, sizeof(To));
}

}  // namespace

DeduplicationWindow::Ref DeduplicationWindow::ref_of(const IdentityHash& id, std::uint32_t ordinal) {
  return {static_cast<std::uint32_t>(id.high >> 32), static_cast<std::uint32_t>(id.high), ordinal};
}

FirstSent DeduplicationWindow::read(const Entry& entry) const {
  FirstSent first;
  copy_bytes(first.id, entry.id);
  copy_bytes(first.sequence, entry.sequence);
  copy_bytes(first.message_id, entry.message_id);
  first.sent_ms = latest_ms_ - static_cast<std::uint32_t>(static_cast<std::uint32_t>(latest_ms_) - entry.sent_ms);
  return first;
}

std::optional<FirstSent> DeduplicationWindow::find(const IdentityHash& id, std::int64_t now_ms) const {
  const Ref from = ref_of(id, 0);
  for (auto at = refs_.lower_bound(from); at != refs_.end() && at->high == from.high && at->low == from.low; ++at) {
    const FirstSent first = read(entries_[at->ordinal - first_]);
    if (first.id == id && now_ms - first.sent_ms < kWindowMs) return first;
  }
  return std::nullopt;
}

void DeduplicationWindow::add(const FirstSent& first) {
  FERRY_DCHECK(first.sent_ms >= latest_ms_);
  latest_ms_ = std::max(latest_ms_, first.sent_ms);
  forget(latest_ms_, 2);
  Entry entry{};
  copy_bytes(entry.id, first.id);
  copy_bytes(entry.sequence, first.sequence);
  copy_bytes(entry.message_id, first.message_id);
  entry.sent_ms = static_cast<std::uint32_t>(first.sent_ms);
  refs_.insert(ref_of(first.id, first_ + static_cast<std::uint32_t>(entries_.size())));
  entries_.push_back(entry);
}

void DeduplicationWindow::pop() {
  IdentityHash id;
  copy_bytes(id, entries_.front().id);
  refs_.erase(ref_of(id, first_));
  entries_.pop_front();
  ++first_;
}

bool DeduplicationWindow::forget(std::int64_t now_ms, std::size_t max) {
  latest_ms_ = std::max(latest_ms_, now_ms);
  while (!entries_.empty() && now_ms - read(entries_.front()).sent_ms >= kWindowMs) {
    if (max-- == 0) return true;
    pop();
  }
  return false;
}

std::optional<std::int64_t> DeduplicationWindow::next_forget_ms() const {
  if (entries_.empty()) return std::nullopt;
  return read(entries_.front()).sent_ms + kWindowMs;
}

std::vector<FirstSent> DeduplicationWindow::copy(std::uint32_t& from, std::size_t max) const {
  // Ordinals before the first one were forgotten; the difference tells, however often they have gone round.
  if (static_cast<std::int32_t>(from - first_) < 0) from = first_;
  std::vector<FirstSent> copied;
  for (std::uint32_t at = from - first_; at < entries_.size() && copied.size() < max; ++at, ++from) {
    copied.push_back(read(entries_[at]));
  }
  return copied;
}

void DeduplicationWindow::restore(const FirstSent& first) {
  restored_.push_back(first);
}

void DeduplicationWindow::restore_purge(std::uint64_t through_sequence) {
  std::erase_if(restored_, [&](const FirstSent& first) { return first.sequence <= through_sequence; });
}

void DeduplicationWindow::settle(std::int64_t now_ms) {
  std::map<std::uint64_t, FirstSent> by_sequence;
  for (const FirstSent& first : restored_) {
    if (now_ms - first.sent_ms < kWindowMs) by_sequence.insert_or_assign(first.sequence, first);
  }
  restored_ = {};
  for (const auto& [sequence, first] : by_sequence) add(first);
  latest_ms_ = std::max(latest_ms_, now_ms);
}

void DeduplicationWindow::swap(DeduplicationWindow& other) noexcept {
  entries_.swap(other.entries_);
  refs_.swap(other.refs_);
  restored_.swap(other.restored_);
  std::swap(first_, other.first_);
  std::swap(latest_ms_, other.latest_ms_);
}

bool DeduplicationWindow::free_slice(std::size_t max) {
  for (std::size_t i = 0; i < max && !entries_.empty(); ++i) entries_.pop_front();
  return free_front(refs_, max) || !entries_.empty();
}

}  // namespace ferry::engine
