#include "support/store/map_owner.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>

#include "base/check.h"

namespace ferry::test {
namespace {
// A record: kind, three bytes of nothing, the key, the text.
constexpr char kPut = 'P';
constexpr char kErase = 'E';
constexpr std::size_t kHeadBytes = 8;

void fill(std::span<std::byte> out, char kind, std::uint32_t key, const std::string& text) {
  std::memset(out.data(), 0, kHeadBytes);
  std::memcpy(out.data(), &kind, 1);
  std::memcpy(out.data() + 4, &key, 4);
  std::memcpy(out.data() + kHeadBytes, text.data(), text.size());
}
std::uint32_t key_of(std::span<const std::byte> payload) {
  std::uint32_t key = 0;
  std::memcpy(&key, payload.data() + 4, 4);
  return key;
}
std::string text_of(std::span<const std::byte> payload) {
  return {reinterpret_cast<const char*>(payload.data()) + kHeadBytes, payload.size() - kHeadBytes};
}
}  // namespace

Result<store::Position> MapOwner::put(std::uint32_t key, const std::string& text) {
  return put_all({{key, text}});
}

Result<store::Position> MapOwner::put_all(const std::vector<std::pair<std::uint32_t, std::string>>& entries) {
  const std::lock_guard lock(mutex_);
  return put_locked(entries, store::Purpose::Growth);
}

Result<store::Position> MapOwner::put_locked(const std::vector<std::pair<std::uint32_t, std::string>>& entries,
                                             store::Purpose purpose) {
  std::vector<store::RecordShape> shapes;
  for (const auto& [key, text] : entries) shapes.push_back({static_cast<std::uint32_t>(kHeadBytes + text.size()), true});
  FERRY_TRY(auto reservation, store_->reserve(shapes, purpose));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [key, text] = entries[i];
    fill(reservation.slots[i].bytes, kPut, key, text);
    const auto old = map_.find(key);
    if (old != map_.end()) store_->release(std::span(&old->second, 1));
    map_[key] = reservation.slots[i].location;
    changes_.push_back(Change{reservation.first.value + i, key, text});
  }
  const store::Position last = reservation.last;
  store_->publish(std::move(reservation));
  return last;
}

Result<store::Position> MapOwner::erase(std::uint32_t key) {
  const std::lock_guard lock(mutex_);
  const store::RecordShape shape{kHeadBytes, false};
  FERRY_TRY(auto reservation, store_->reserve(std::span(&shape, 1), store::Purpose::Upkeep));
  fill(reservation.slots[0].bytes, kErase, key, "");
  const auto old = map_.find(key);
  if (old != map_.end()) {
    store_->release(std::span(&old->second, 1));
    map_.erase(old);
  }
  changes_.push_back(Change{reservation.last.value, key, std::nullopt});
  const store::Position last = reservation.last;
  store_->publish(std::move(reservation));
  return last;
}

MapOwner::State MapOwner::state_at(store::Position position) const {
  const std::lock_guard lock(mutex_);
  State state;
  for (const Change& change : changes_) {
    if (change.position > position.value) break;
    if (change.text) {
      state[change.key] = *change.text;
    } else {
      state.erase(change.key);
    }
  }
  return state;
}

std::vector<std::pair<std::uint32_t, std::optional<std::string>>> MapOwner::changes_after(store::Position from,
                                                                                          store::Position to) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::uint32_t, std::optional<std::string>>> changes;
  for (const Change& change : changes_) {
    if (change.position > from.value && change.position <= to.value) changes.emplace_back(change.key, change.text);
  }
  return changes;
}

std::optional<store::Location> MapOwner::location_of(std::uint32_t key) const {
  const std::lock_guard lock(mutex_);
  const auto found = map_.find(key);
  return found == map_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::uint32_t> MapOwner::keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint32_t> keys;
  for (const auto& [key, location] : map_) keys.push_back(key);
  return keys;
}

MapOwner::Reading MapOwner::read_all(const std::function<void()>& step) {
  std::vector<std::uint32_t> keys;
  std::vector<store::Location> locations;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, location] : map_) {
      keys.push_back(key);
      locations.push_back(location);
    }
  }
  Reading reading;
  std::mutex done_mutex;
  std::condition_variable done_cv;
  bool done = false;
  store_->read(locations, [&](std::vector<Result<store::Payload>> payloads) {
    FERRY_CHECK(payloads.size() == keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!payloads[i]) {
        reading.damaged.emplace(keys[i], payloads[i].error());
        continue;
      }
      FERRY_CHECK(payloads[i]->bytes.size() >= kHeadBytes && key_of(payloads[i]->bytes) == keys[i]);
      reading.state[keys[i]] = text_of(payloads[i]->bytes);
    }
    const std::lock_guard lock(done_mutex);
    done = true;
    done_cv.notify_all();
  });
  if (step) step();
  std::unique_lock lock(done_mutex);
  done_cv.wait(lock, [&] { return done; });
  return reading;
}

std::vector<Error> MapOwner::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

Result<void> MapOwner::restore_piece(std::span<const std::byte> piece) {
  const std::lock_guard lock(mutex_);
  ++pieces_restored_;
  std::uint64_t head[2] = {};
  FERRY_CHECK(piece.size() >= sizeof head);
  std::memcpy(head, piece.data(), sizeof head);
  part_as_of_[head[0]] = head[1];
  for (std::size_t at = sizeof head; at < piece.size(); at += 16) {
    std::uint32_t fields[4] = {};
    std::memcpy(fields, piece.data() + at, sizeof fields);
    map_[fields[0]] = store::Location{fields[1], fields[2], fields[3]};
  }
  return {};
}

Result<void> MapOwner::replay(store::Position position, const store::Location& location, std::span<const std::byte> payload) {
  const std::lock_guard lock(mutex_);
  ++replayed_;
  FERRY_CHECK(payload.size() >= kHeadBytes);
  const std::uint32_t key = key_of(payload);
  if (position.value <= part_as_of_[key % kParts]) return {};
  if (payload[0] == static_cast<std::byte>(kPut)) {
    map_[key] = location;
  } else {
    map_.erase(key);
  }
  return {};
}

Result<void> MapOwner::recovered() {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, location] : map_) store_->retain(location);
  return {};
}

void MapOwner::on_durable(store::Position position) {
  FERRY_CHECK(position.value > durable_);
  durable_ = position.value;
  ++durable_calls_;
  if (durable_hook) durable_hook(position);
}

void MapOwner::on_failed(const Error& error) {
  const std::lock_guard lock(mutex_);
  failures_.push_back(error);
}

Result<store::Position> MapOwner::write_checkpoint(store::CheckpointSink& sink) {
  store::Position replay_from = store_->last();
  for (std::uint32_t part = 0; part < kParts; ++part) {
    std::vector<std::byte> piece;
    std::uint64_t head[2] = {part, 0};
    {
      const std::lock_guard lock(mutex_);
      head[1] = store_->last().value;
      piece.resize(sizeof head);
      std::memcpy(piece.data(), head, sizeof head);
      for (const auto& [key, location] : map_) {
        if (key % kParts != part) continue;
        const std::uint32_t fields[4] = {key, location.segment, location.offset, location.length};
        const auto bytes = std::as_bytes(std::span(fields));
        piece.insert(piece.end(), bytes.begin(), bytes.end());
      }
    }
    FERRY_TRY_VOID(sink.add_piece(piece, store::Position{head[1]}));
    replay_from = std::min(replay_from, store::Position{head[1]});
    if (checkpoint_hook) checkpoint_hook();
  }
  return replay_from;
}

void MapOwner::relocate(const store::Location& from, std::span<const std::byte> payload) {
  {
    const std::lock_guard lock(mutex_);
    const std::uint32_t key = key_of(payload);
    const auto found = map_.find(key);
    if (!relocation_enabled || found == map_.end() || !(found->second == from)) return;
    if (put_locked({{key, text_of(payload)}}, store::Purpose::Upkeep)) ++relocated_;
  }
  if (relocate_hook) relocate_hook();
}

}  // namespace ferry::test
