#include "http/timer_queue.h"

#include <utility>

namespace ferry::http {

TimerQueue::Id TimerQueue::add(SteadyTime due, std::function<void()> task) {
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  slots_[slot].task = std::move(task);
  slots_[slot].due = due;
  slots_[slot].sequence = sequence_++;
  heap_.push_back(slot);
  put(slot, heap_.size() - 1);
  sift_up(heap_.size() - 1);
  return (static_cast<Id>(slots_[slot].generation) << 32) | slot;
}

void TimerQueue::cancel(Id id) {
  auto slot = static_cast<std::uint32_t>(id);
  auto generation = static_cast<std::uint32_t>(id >> 32);
  if (slot >= slots_.size() || slots_[slot].generation != generation) return;
  remove(slots_[slot].place);
}

std::optional<SteadyTime> TimerQueue::next_due() const {
  if (heap_.empty()) return std::nullopt;
  return slots_[heap_.front()].due;
}

std::function<void()> TimerQueue::take_due(SteadyTime now) {
  if (heap_.empty() || slots_[heap_.front()].due > now) return {};
  return remove(0);
}

bool TimerQueue::earlier(std::uint32_t left, std::uint32_t right) const {
  const Slot& a = slots_[left];
  const Slot& b = slots_[right];
  return a.due != b.due ? a.due < b.due : a.sequence < b.sequence;
}

void TimerQueue::put(std::uint32_t slot, std::size_t place) {
  heap_[place] = slot;
  slots_[slot].place = static_cast<std::uint32_t>(place);
}

void TimerQueue::sift_up(std::size_t place) {
  std::uint32_t slot = heap_[place];
  while (place > 0) {
    std::size_t parent = (place - 1) / 2;
    if (!earlier(slot, heap_[parent])) break;
    put(heap_[parent], place);
    place = parent;
  }
  put(slot, place);
}

void TimerQueue::sift_down(std::size_t place) {
  std::uint32_t slot = heap_[place];
  for (;;) {
    std::size_t child = 2 * place + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && earlier(heap_[child + 1], heap_[child])) ++child;
    if (!earlier(heap_[child], slot)) break;
    put(heap_[child], place);
    place = child;
  }
  put(slot, place);
}

// The generation changes when an entry ends, so that its id means nothing afterwards.
std::function<void()> TimerQueue::remove(std::size_t place) {
  std::uint32_t slot = heap_[place];
  std::uint32_t last = heap_.back();
  heap_.pop_back();
  if (slot != last) {
    put(last, place);
    sift_up(place);
    sift_down(slots_[last].place);
  }
  if (++slots_[slot].generation == 0) slots_[slot].generation = 1;
  free_.push_back(slot);
  return std::exchange(slots_[slot].task, nullptr);
}

}  // namespace ferry::http
