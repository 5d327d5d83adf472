#include "engine/deduplication.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <type_traits>

#include "base/check.h"
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

IdentityHash DeduplicationWindow::IdOf::operator()(std::uint32_t ordinal) const {
  IdentityHash id;
  copy_bytes(id, entries->at(ordinal).id);
  return id;
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
  const std::uint32_t* const ordinal = ordinals_.find(id);
  if (ordinal == nullptr) return std::nullopt;
  const FirstSent first = read(entries_->at(*ordinal));
  if (now_ms - first.sent_ms >= kWindowMs) return std::nullopt;
  return first;
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
  ordinals_.erase(first.id);  // of an entry that is too old
  entries_->list.push_back(entry);
  ordinals_.insert(entries_->first + static_cast<std::uint32_t>(size() - 1));
}

void DeduplicationWindow::pop() {
  const std::uint32_t first = entries_->first;
  const IdentityHash id = IdOf{entries_.get()}(first);
  const std::uint32_t* const ordinal = ordinals_.find(id);
  if (ordinal != nullptr && *ordinal == first) ordinals_.erase(id);
  entries_->list.pop_front();
  ++entries_->first;
}

bool DeduplicationWindow::forget(std::int64_t now_ms, std::size_t max) {
  latest_ms_ = std::max(latest_ms_, now_ms);
  while (!entries_->list.empty() && now_ms - read(entries_->list.front()).sent_ms >= kWindowMs) {
    if (max-- == 0) return true;
    pop();
  }
  return false;
}

std::optional<std::int64_t> DeduplicationWindow::next_forget_ms() const {
  if (entries_->list.empty()) return std::nullopt;
  return read(entries_->list.front()).sent_ms + kWindowMs;
}

std::vector<FirstSent> DeduplicationWindow::copy(std::uint32_t& from, std::size_t max) const {
  // Ordinals before the first one were forgotten; the difference tells, however often they have gone round.
  if (static_cast<std::int32_t>(from - entries_->first) < 0) from = entries_->first;
  std::vector<FirstSent> copied;
  for (std::uint32_t at = from - entries_->first; at < size() && copied.size() < max; ++at, ++from) {
    copied.push_back(read(entries_->list[at]));
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
  ordinals_.swap(other.ordinals_);
  restored_.swap(other.restored_);
  std::swap(latest_ms_, other.latest_ms_);
}

bool DeduplicationWindow::free_slice(std::size_t max) {
  for (std::size_t i = 0; i < max && !entries_->list.empty(); ++i) entries_->list.pop_front();
  return ordinals_.free_slice(max) || !entries_->list.empty();
}

}  // namespace ferry::engine
