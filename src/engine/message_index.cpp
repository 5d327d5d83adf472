#include "engine/message_index.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace ferry::engine {
namespace {

constexpr std::uint32_t kFirstCapacity = 4;
// A chunk, its node in the map and the allocator's headers.
constexpr std::uint64_t kChunkOverheadBytes = 128;

std::uint64_t bit_of(std::uint64_t sequence) {
  return std::uint64_t{1} << (sequence % 64);
}

std::size_t rank(std::uint64_t mask, std::uint64_t bit) {
  return static_cast<std::size_t>(std::popcount(mask & (bit - 1)));
}

std::uint32_t count(std::uint64_t mask) {
  return static_cast<std::uint32_t>(std::popcount(mask));
}

// The bits from `bit` upwards.
std::uint64_t from_bit(std::uint64_t bit) {
  return ~(bit - 1);
}

}  // namespace

void MessageIndex::swap(MessageIndex& other) noexcept {
  chunks_.swap(other.chunks_);
  found_.swap(other.found_);
  line_chunks_.swap(other.line_chunks_);
  std::swap(newest_number_, other.newest_number_);
  std::swap(newest_, other.newest_);
  std::swap(size_, other.size_);
  std::swap(ready_, other.ready_);
  std::swap(bytes_, other.bytes_);
}

MessageIndex::Chunk* MessageIndex::chunk_at(std::uint64_t number) const {
  if (newest_ != nullptr && number == newest_number_) return newest_;
  Found& found = found_[number % kFoundChunks];
  if (found.chunk != nullptr && found.number == number) return found.chunk;
  const auto at = chunks_.find(number);
  if (at == chunks_.end()) return nullptr;
  found = {number, at->second.get()};
  return found.chunk;
}

MessageIndex::Chunk& MessageIndex::chunk_for_insert(std::uint64_t number) {
  if (Chunk* chunk = chunk_at(number)) return *chunk;
  Chunk* const chunk = chunks_.emplace(number, std::make_unique<Chunk>()).first->second.get();
  bytes_ += kChunkOverheadBytes;
  if (newest_ == nullptr || number > newest_number_) {
    const std::uint64_t before = newest_number_;
    Chunk* const full = newest_;
    newest_ = chunk;
    newest_number_ = number;
    if (full != nullptr) shrink(before, *full);
  }
  return *chunk;
}

// Moves the entries that `keep` names into an array of `capacity`.
void MessageIndex::resize(Chunk& chunk, std::uint64_t keep, std::uint32_t capacity) {
  auto entries = std::make_unique_for_overwrite<MessageEntry[]>(capacity);
  std::size_t to = 0;
  for (std::uint64_t left = keep; left != 0; left &= left - 1) {
    const std::uint64_t bit = left & (~left + 1);
    entries[to++] = chunk.entries[rank(chunk.present, bit)];
  }
  bytes_ += sizeof(MessageEntry) * capacity;
  bytes_ -= sizeof(MessageEntry) * chunk.capacity;
  chunk.entries = std::move(entries);
  chunk.capacity = capacity;
  chunk.present = keep;
}

// For chunks that will hardly get new messages.
void MessageIndex::shrink(std::uint64_t number, Chunk& chunk) {
  if (chunk.live == 0) {
    bytes_ -= kChunkOverheadBytes + sizeof(MessageEntry) * chunk.capacity;
    if (found_[number % kFoundChunks].number == number) found_[number % kFoundChunks] = {};
    chunks_.erase(number);
  } else if (count(chunk.live) * 4 <= chunk.capacity * 3) {
    resize(chunk, chunk.live, count(chunk.live));
  }
}

MessageEntry& MessageIndex::put(std::uint64_t sequence, const MessageEntry& entry) {
  Chunk& chunk = chunk_for_insert(sequence / kChunkMessages);
  const std::uint64_t bit = bit_of(sequence);
  if ((chunk.live & bit) != 0) {
    if ((chunk.ready & bit) != 0) clear_ready(sequence);
    return chunk.entries[rank(chunk.present, bit)] = entry;
  }
  if ((chunk.present & bit) == 0) {
    if (count(chunk.present) == chunk.capacity) {
      const auto doubled = std::max(kFirstCapacity, chunk.capacity * 2);
      resize(chunk, chunk.live, std::min<std::uint32_t>(doubled, kChunkMessages));
    }
    MessageEntry* const at = chunk.entries.get() + rank(chunk.present, bit);
    MessageEntry* const end = chunk.entries.get() + count(chunk.present);
    std::move_backward(at, end, end + 1);
    chunk.present |= bit;
  }
  chunk.live |= bit;
  ++size_;
  return chunk.entries[rank(chunk.present, bit)] = entry;
}

MessageEntry* MessageIndex::find(std::uint64_t sequence) {
  Chunk* const chunk = chunk_at(sequence / kChunkMessages);
  const std::uint64_t bit = bit_of(sequence);
  if (chunk == nullptr || (chunk->live & bit) == 0) return nullptr;
  return &chunk->entries[rank(chunk->present, bit)];
}

void MessageIndex::erase(std::uint64_t sequence) {
  const std::uint64_t number = sequence / kChunkMessages;
  Chunk* const chunk = chunk_at(number);
  const std::uint64_t bit = bit_of(sequence);
  FERRY_CHECK(chunk != nullptr && (chunk->live & bit) != 0 && (chunk->in_line & bit) == 0);
  if ((chunk->ready & bit) != 0) clear_ready(sequence);
  chunk->live &= ~bit;
  --size_;
  if (chunk != newest_)
    shrink(number, *chunk);
  else if (chunk->live == 0)
    chunk->present = 0;  // the next messages will want the memory
}

bool MessageIndex::is_ready(std::uint64_t sequence) const {
  const Chunk* const chunk = chunk_at(sequence / kChunkMessages);
  return chunk != nullptr && (chunk->ready & bit_of(sequence)) != 0;
}

void MessageIndex::set_ready(std::uint64_t sequence) {
  Chunk* const chunk = chunk_at(sequence / kChunkMessages);
  const std::uint64_t bit = bit_of(sequence);
  FERRY_CHECK(chunk != nullptr && (chunk->live & bit) != 0 && (chunk->ready & bit) == 0);
  chunk->ready |= bit;
  ++ready_;
}

void MessageIndex::clear_ready(std::uint64_t sequence) {
  Chunk* const chunk = chunk_at(sequence / kChunkMessages);
  const std::uint64_t bit = bit_of(sequence);
  FERRY_CHECK(chunk != nullptr && (chunk->ready & bit) != 0);
  chunk->ready &= ~bit;
  --ready_;
}

bool MessageIndex::is_in_line(std::uint64_t sequence) const {
  const Chunk* const chunk = chunk_at(sequence / kChunkMessages);
  return chunk != nullptr && (chunk->in_line & bit_of(sequence)) != 0;
}

void MessageIndex::put_in_line(std::uint64_t sequence) {
  Chunk* const chunk = chunk_at(sequence / kChunkMessages);
  const std::uint64_t bit = bit_of(sequence);
  FERRY_CHECK(chunk != nullptr && (chunk->live & bit) != 0 && (chunk->in_line & bit) == 0);
  if (chunk->in_line == 0) line_chunks_.insert(line_chunks_.end(), sequence / kChunkMessages);
  chunk->in_line |= bit;
}

void MessageIndex::take_from_line(std::uint64_t sequence) {
  Chunk* const chunk = chunk_at(sequence / kChunkMessages);
  const std::uint64_t bit = bit_of(sequence);
  FERRY_CHECK(chunk != nullptr && (chunk->in_line & bit) != 0);
  chunk->in_line &= ~bit;
  if (chunk->in_line == 0) line_chunks_.erase(sequence / kChunkMessages);
}

std::optional<std::uint64_t> MessageIndex::first_in_line() const {
  if (line_chunks_.empty()) return std::nullopt;
  const std::uint64_t number = *line_chunks_.begin();
  return number * kChunkMessages + static_cast<std::uint64_t>(std::countr_zero(chunk_at(number)->in_line));
}

std::optional<MessageIndex::Item> MessageIndex::next(std::uint64_t from) {
  for (auto at = chunks_.lower_bound(from / kChunkMessages); at != chunks_.end(); ++at) {
    Chunk& chunk = *at->second;
    std::uint64_t mask = chunk.live;
    if (at->first == from / kChunkMessages) mask &= from_bit(bit_of(from));
    if (mask == 0) continue;
    const auto low = static_cast<std::uint64_t>(std::countr_zero(mask));
    return Item{at->first * kChunkMessages + low, &chunk.entries[rank(chunk.present, std::uint64_t{1} << low)]};
  }
  return std::nullopt;
}

}  // namespace ferry::engine
