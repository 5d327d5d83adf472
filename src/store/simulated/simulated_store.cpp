#include "store/simulated/simulated_store.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace ferry::store {
namespace {
// What a segment of the real store holds in its default size; larger records are refused alike.
constexpr std::uint32_t kRecordBytesMax = 4u << 20;
}  // namespace

bool SimulatedStore::step() {
  Position position;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || groups_.empty() || !groups_.front().published) return false;
    position = groups_.front().last;
    groups_.pop_front();
  }
  advance_to(position);
  return true;
}

void SimulatedStore::sync_all() {
  Position position;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    while (!groups_.empty() && groups_.front().published) {
      position = groups_.front().last;
      groups_.pop_front();
    }
  }
  if (position.value != 0) advance_to(position);
}

void SimulatedStore::advance_to(Position position) {
  {
    const std::lock_guard lock(mutex_);
    durable_ = position;
    ++stats_.groups;
    ++stats_.syncs;
    publish_checkpoint();
    forget_unneeded();
  }
  owner_->on_durable(position);
}

void SimulatedStore::set_sync_mode(SyncMode mode) {
  const std::lock_guard lock(mutex_);
  sync_mode_ = mode;
}

std::unique_ptr<SimulatedStore> SimulatedStore::crash() {
  return crash(durable());
}

std::unique_ptr<SimulatedStore> SimulatedStore::crash(Position survivor) {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  Position kept = durable_;
  for (const Group& group : groups_) {
    if (!group.published || group.last > survivor) break;
    kept = group.last;
  }
  auto survivor_store = std::make_unique<SimulatedStore>();
  survivor_store->run_ = run_ + 1;
  survivor_store->checkpoint_ = checkpoint_;
  survivor_store->last_ = survivor_store->durable_ = kept;
  for (const auto& [position, record] : records_) {
    if (position > kept.value) break;
    Record copy = record;
    copy.bytes = std::make_shared<std::vector<std::byte>>(*record.bytes);
    survivor_store->records_.emplace(position, std::move(copy));
  }
  return survivor_store;
}

Result<void> SimulatedStore::checkpoint() {
  struct Sink final : CheckpointSink {
    Checkpoint made;
    Result<void> add_piece(std::span<const std::byte> piece, Position as_of) override {
      made.pieces.emplace_back(piece.begin(), piece.end());
      made.highest_as_of = std::max(made.highest_as_of, as_of);
      return {};
    }
  } sink;
  FERRY_TRY(sink.made.replay_from, owner_->write_checkpoint(sink));
  const std::lock_guard lock(mutex_);
  if (stopped_) return ferry::fail(ErrorKind::Unavailable, "the simulated store has stopped");
  coming_checkpoint_ = std::move(sink.made);
  publish_checkpoint();
  forget_unneeded();
  return {};
}

void SimulatedStore::publish_checkpoint() {
  if (!coming_checkpoint_ || coming_checkpoint_->highest_as_of > durable_) return;
  checkpoint_ = std::move(coming_checkpoint_);
  coming_checkpoint_.reset();
  ++stats_.checkpoints;
}

// Releases take effect when they are durable; records go when neither a body nor a replay needs them.
void SimulatedStore::forget_unneeded() {
  if (!checkpoint_) return;
  std::set<std::uint64_t> waiting;
  while (!dead_.empty() && dead_.front().first <= durable_) dead_.pop_front();
  for (const auto& [position, body] : dead_) waiting.insert(body);
  const auto end = records_.lower_bound(checkpoint_->replay_from.value);
  for (auto at = records_.begin(); at != end;) {
    const bool needed = live_.contains(at->first) || waiting.contains(at->first) || at->first > durable_.value;
    at = needed ? std::next(at) : records_.erase(at);
  }
}

void SimulatedStore::compact() {
  std::vector<std::pair<Location, Payload>> bodies;
  {
    const std::lock_guard lock(mutex_);
    for (const std::uint64_t position : live_) {
      if (position > durable_.value) break;
      const Record& record = records_.at(position);
      if (!record.damaged) bodies.emplace_back(record.location, Payload{record.bytes, *record.bytes});
    }
  }
  for (const auto& [location, payload] : bodies) owner_->relocate(location, payload.bytes);
}

void SimulatedStore::set_reserve_error(Purpose purpose, std::optional<ErrorKind> kind) {
  const std::lock_guard lock(mutex_);
  reserve_errors_[static_cast<int>(purpose)] = kind;
}

void SimulatedStore::fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  owner_->on_failed(error);
}

void SimulatedStore::corrupt(const Location& location) {
  const std::lock_guard lock(mutex_);
  FERRY_CHECK(find(location) != nullptr);
  records_.at(location.offset).damaged = true;
}

void SimulatedStore::set_memory(Memory memory) {
  const std::lock_guard lock(mutex_);
  memory_ = memory;
}

void SimulatedStore::set_read_mode(ReadMode mode) {
  const std::lock_guard lock(mutex_);
  read_mode_ = mode;
}

void SimulatedStore::run_reads() {
  for (;;) {
    std::pair<std::vector<Location>, ReadCallback> next;
    std::vector<Result<Payload>> payloads;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_reads_.empty()) return;
      next = std::move(waiting_reads_.front());
      waiting_reads_.pop_front();
      for (const Location& location : next.first) payloads.push_back(payload_of(location));
    }
    next.second(std::move(payloads));
  }
}

std::size_t SimulatedStore::live_bodies() const {
  const std::lock_guard lock(mutex_);
  return live_.size();
}

std::size_t SimulatedStore::records_to_replay() const {
  const std::lock_guard lock(mutex_);
  const auto first = records_.lower_bound(checkpoint_ ? checkpoint_->replay_from.value : 0);
  return static_cast<std::size_t>(std::distance(first, records_.upper_bound(durable_.value)));
}

Result<void> SimulatedStore::recover(Owner& owner) {
  FERRY_CHECK(owner_ == nullptr);
  owner_ = &owner;
  if (checkpoint_) {
    for (const auto& piece : checkpoint_->pieces) FERRY_TRY_VOID(owner.restore_piece(piece));
  }
  const auto first = records_.lower_bound(checkpoint_ ? checkpoint_->replay_from.value : 0);
  for (auto at = first; at != records_.end(); ++at) {
    const auto& [position, record] = *at;
    if (record.damaged)
      return ferry::fail(ErrorKind::Corrupt, "record " + std::to_string(position) + " of the simulated store is damaged");
    FERRY_TRY_VOID(owner.replay(Position{position}, record.location, *record.bytes));
  }
  return owner.recovered();
}

Result<Reservation> SimulatedStore::reserve(std::span<const RecordShape> records, Purpose purpose) {
  FERRY_CHECK(!records.empty());
  const std::lock_guard lock(mutex_);
  if (stopped_) return ferry::fail(ErrorKind::Unavailable, "the simulated store has stopped");
  if (const auto kind = reserve_errors_[static_cast<int>(purpose)])
    return ferry::fail(*kind, "the simulated store refuses, as it was told");
  std::uint64_t bytes = 0;
  for (const RecordShape& shape : records) bytes += shape.payload_bytes;
  if (bytes > kRecordBytesMax) return ferry::fail(ErrorKind::InvalidArgument, "the records are larger than a segment can hold");

  Reservation reservation;
  reservation.first = Position{last_.value + 1};
  for (const RecordShape& shape : records) {
    const std::uint64_t position = ++last_.value;
    FERRY_CHECK(position <= UINT32_MAX);
    Record record;
    record.location = Location{run_, static_cast<std::uint32_t>(position), shape.payload_bytes};
    record.is_body = shape.is_body;
    record.bytes = std::make_shared<std::vector<std::byte>>(shape.payload_bytes);
    reservation.slots.push_back(Slot{record.location, std::span(*record.bytes)});
    records_.emplace(position, std::move(record));
    if (shape.is_body) live_.insert(position);
  }
  reservation.last = last_;
  stats_.records += records.size();
  stats_.payload_bytes += bytes;
  groups_.push_back(Group{reservation.first, reservation.last, false});
  reservation.group = this;
  return reservation;
}

void SimulatedStore::publish(Reservation&& reservation) {
  FERRY_CHECK(reservation.group == this);
  reservation.group = nullptr;
  bool sync = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    const auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.first == reservation.first; });
    FERRY_CHECK(group != groups_.end() && !group->published);
    group->published = true;
    sync = sync_mode_ == SyncMode::Immediately;
  }
  if (sync) sync_all();
}

Position SimulatedStore::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

Position SimulatedStore::durable() const {
  const std::lock_guard lock(mutex_);
  return durable_;
}

const SimulatedStore::Record* SimulatedStore::find(const Location& location) const {
  const auto found = records_.find(location.offset);
  return found != records_.end() && found->second.location == location ? &found->second : nullptr;
}

Result<Payload> SimulatedStore::payload_of(const Location& location) const {
  const Record* record = find(location);
  if (record == nullptr) return ferry::fail(ErrorKind::NotFound, "the payload was released");
  if (record->damaged)
    return ferry::fail(ErrorKind::Corrupt, "record " + std::to_string(location.offset) + " of the simulated store is damaged");
  return Payload{record->bytes, *record->bytes};
}

std::optional<std::vector<Payload>> SimulatedStore::read_now(std::span<const Location> locations) {
  const std::lock_guard lock(mutex_);
  if (memory_ == Memory::OnDisk) return std::nullopt;
  std::vector<Payload> payloads;
  for (const Location& location : locations) {
    const bool pending = std::any_of(groups_.begin(), groups_.end(), [&](const Group& g) {
      return !g.published && g.first.value <= location.offset && location.offset <= g.last.value;
    });
    auto payload = payload_of(location);
    if (pending || !payload) return std::nullopt;
    payloads.push_back(std::move(payload).value());
  }
  return payloads;
}

void SimulatedStore::read(std::vector<Location> locations, ReadCallback done) {
  std::vector<Result<Payload>> payloads;
  {
    const std::lock_guard lock(mutex_);
    if (read_mode_ == ReadMode::Deferred) {
      waiting_reads_.emplace_back(std::move(locations), std::move(done));
      return;
    }
    for (const Location& location : locations) payloads.push_back(payload_of(location));
  }
  done(std::move(payloads));
}

void SimulatedStore::retain(const Location& location) {
  const std::lock_guard lock(mutex_);
  FERRY_CHECK(find(location) != nullptr);
  FERRY_CHECK(live_.insert(location.offset).second);
}

void SimulatedStore::release(std::span<const Location> locations) {
  const std::lock_guard lock(mutex_);
  for (const Location& location : locations) {
    FERRY_CHECK(find(location) != nullptr);
    FERRY_CHECK(live_.erase(location.offset) == 1);
    dead_.emplace_back(last_, location.offset);
  }
  forget_unneeded();
}

StoreStats SimulatedStore::stats() const {
  const std::lock_guard lock(mutex_);
  StoreStats stats = stats_;
  for (const std::uint64_t position : live_) stats.live_body_bytes += records_.at(position).location.length;
  stats.segments = run_;
  stats.sync_method = "simulated";
  return stats;
}

bool SimulatedStore::writable() const {
  const std::lock_guard lock(mutex_);
  return !stopped_ && !reserve_errors_[static_cast<int>(Purpose::Growth)];
}

Result<void> SimulatedStore::close() {
  if (owner_ != nullptr) sync_all();
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  return {};
}

}  // namespace ferry::store
