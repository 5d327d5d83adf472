#pragma once
// The map of support/store/map_owner.h as the owner of a log that has lost something, and a repair on a disk in memory.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rig.h"
#include "store/journal/repair.h"

namespace ferry::test {

/// Records and pieces are those of MapOwner.
class RepairMap final : public store::RepairOwner {
 public:
  explicit RepairMap(store::Store& store) : store_(store) {}

  std::set<std::uint64_t> lost;     // positions
  std::set<std::uint32_t> dropped;  // keys
  std::set<std::uint32_t> named;    // keys of damaged records
  bool pieces_are_lost = false;
  bool everything = false;
  std::uint64_t pieces = 0;

  Result<void> restore_piece_as_of(std::span<const std::byte> piece, store::Position as_of) override {
    std::uint64_t head[2] = {};
    std::memcpy(head, piece.data(), sizeof head);
    part_as_of_[head[0] % kParts] = head[1];
    EXPECT_EQ(as_of.value, head[1]);
    for (std::size_t at = sizeof head; at + 16 <= piece.size(); at += 16) {
      std::uint32_t fields[4] = {};
      std::memcpy(fields, piece.data() + at, sizeof fields);
      map_[fields[0]] = store::Location{fields[1], fields[2], fields[3]};
    }
    ++pieces;
    return {};
  }
  void pieces_lost() override { pieces_are_lost = true; }
  void replay_everything() override { everything = true; }
  void records_lost(store::Position first, store::Position last) override {
    for (std::uint64_t position = first.value; position <= last.value; ++position) lost.insert(position);
  }
  void damaged_record(const store::Location&, std::span<const std::byte> payload) override {
    if (payload.size() >= 8) named.insert(key_of(payload));
  }
  std::vector<store::Location> bodies() override {
    std::vector<store::Location> locations;
    for (const auto& [key, location] : map_) {
      keys_.push_back(key);
      locations.push_back(location);
    }
    return locations;
  }
  bool is_whole(std::size_t index, std::span<const std::byte> payload) override { return key_of(payload) == keys_[index]; }
  void drop(std::size_t index, std::span<const std::byte>) override {
    dropped.insert(keys_[index]);
    map_.erase(keys_[index]);
  }

  Result<void> restore_piece(std::span<const std::byte>) override { return fail(ErrorKind::Io, "not as_of"); }
  Result<void> replay(store::Position position, const store::Location& location, std::span<const std::byte> payload) override {
    EXPECT_GT(position.value, last_replayed_) << "records must come in order";
    last_replayed_ = position.value;
    const std::uint32_t key = key_of(payload);
    if (position.value <= part_as_of_[key % kParts]) return {};
    if (payload[0] == std::byte{'P'})
      map_[key] = location;
    else
      map_.erase(key);
    return {};
  }
  Result<void> recovered() override {
    for (const auto& [key, location] : map_) store_.retain(location);
    return {};
  }
  void on_durable(store::Position) override {}
  void on_failed(const Error&) override {}
  Result<store::Position> write_checkpoint(store::CheckpointSink& sink) override {
    for (std::uint32_t part = 0; part < kParts; ++part) {
      const std::uint64_t head[2] = {part, store_.last().value};
      std::vector<std::byte> piece(sizeof head);
      std::memcpy(piece.data(), head, sizeof head);
      for (const auto& [key, location] : map_) {
        if (key % kParts != part) continue;
        const std::uint32_t fields[4] = {key, location.segment, location.offset, location.length};
        const auto bytes = std::as_bytes(std::span(fields));
        piece.insert(piece.end(), bytes.begin(), bytes.end());
      }
      FERRY_TRY_VOID(sink.add_piece(piece, store_.last()));
    }
    return store_.last();
  }
  void relocate(const store::Location&, std::span<const std::byte>) override {}

 private:
  static std::uint32_t key_of(std::span<const std::byte> payload) {
    std::uint32_t key = 0;
    std::memcpy(&key, payload.data() + 4, sizeof key);
    return key;
  }
  static constexpr std::uint32_t kParts = 3;
  store::Store& store_;
  std::map<std::uint32_t, store::Location> map_;
  std::uint64_t part_as_of_[kParts] = {};
  std::vector<std::uint32_t> keys_;
  std::uint64_t last_replayed_ = 0;
};

/// A repair of /data on a disk of its own.
struct RepairRig {
  explicit RepairRig(DiskImage image, std::uint64_t seed = 7)
      : random(seed), files(std::move(image)), repair(files, random, log, {"/data", kSmallSegment}), owner(repair) {}
  Result<void> examine() { return repair.examine(owner); }
  Result<void> run(const std::string& copy = "/copy") {
    FERRY_TRY_VOID(examine());
    return repair.apply(copy);
  }
  DiskImage image(CrashMode mode = CrashMode::OnlySynced) { return files.image(mode, random); }
  const store::RepairFindings& findings() const { return repair.findings(); }

  ManualClock clock;
  SeededRandom random;
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  RecordingFileSystem files;
  store::Repair repair;
  RepairMap owner;
};

/// Work whose every record is known.
struct History {
  struct Change {
    std::uint64_t position;
    std::uint32_t key;
    std::optional<std::string> text;
  };
  DiskImage image;
  std::vector<Change> changes;

  std::map<std::uint32_t, std::string> without(const std::set<std::uint64_t>& lost,
                                               const std::set<std::uint32_t>& dropped) const {
    std::map<std::uint32_t, std::string> state;
    for (const Change& change : changes) {
      if (lost.contains(change.position)) continue;
      if (change.text)
        state[change.key] = *change.text;
      else
        state.erase(change.key);
    }
    for (const std::uint32_t key : dropped) state.erase(key);
    return state;
  }
  bool was_ever(std::uint32_t key, const std::string& text) const {
    return std::any_of(changes.begin(), changes.end(),
                       [&](const Change& change) { return change.key == key && change.text == text; });
  }
};

// Several segments, two checkpoints, erased and replaced keys, small and large groups; stopped, or killed.
inline History make_history(std::uint64_t seed, bool clean = false, int checkpoints = 2) {
  Rig rig({}, small_options(), seed);
  EXPECT_TRUE(rig.start());
  SeededRandom chance(seed);
  for (std::uint32_t step = 0; step < 150; ++step) {
    const auto key = static_cast<std::uint32_t>(chance.below(60));
    if (chance.below(4) == 0 && rig.owner->location_of(key)) {
      EXPECT_TRUE(rig.owner->erase(key));
    } else {
      std::string text = std::to_string(step) + ":" + std::string(chance.below(4000), static_cast<char>('a' + key % 26));
      EXPECT_TRUE(rig.owner->put(key, text));
    }
    if (chance.below(3) == 0) rig.maintain();
    if (checkpoints == 2 && (step == 50 || step == 90)) rig.checkpoint();
    if (checkpoints == 1 && step == 70) rig.checkpoint();
  }
  rig.maintain();
  if (clean) {
    EXPECT_TRUE(rig.journal->close());
  }
  History history;
  history.image = rig.image(CrashMode::Everything);
  for (std::uint64_t at = 1; at <= rig.journal->last().value; ++at) {
    for (const auto& [key, text] : rig.owner->changes_after(store::Position{at - 1}, store::Position{at}))
      history.changes.push_back({at, key, text});
  }
  return history;
}

// What a server finds in the folder.
inline std::map<std::uint32_t, std::string> open_and_read(const DiskImage& image) {
  Rig rig(image);
  const auto started = rig.start();
  EXPECT_TRUE(started) << (started ? "" : started.error().message);
  if (!started) return {};
  return rig.state();
}

inline bool opens(const DiskImage& image) {
  Rig rig(image);
  return rig.start().has_value();
}

inline DiskImage data_of(const DiskImage& image) {
  DiskImage data;
  for (const auto& [path, bytes] : image) {
    if (path.starts_with("/data/")) data[path] = bytes;
  }
  return data;
}

using State = std::map<std::uint32_t, std::string>;

// Says in short what is different.
inline testing::AssertionResult same(const State& is, const State& should) {
  auto result = testing::AssertionFailure();
  bool equal = true;
  for (const auto& [key, text] : should) {
    const auto at = is.find(key);
    if (at != is.end() && at->second == text) continue;
    equal = false;
    result << key << " is " << (at == is.end() ? "missing" : at->second.substr(0, 8)) << ", not " << text.substr(0, 8) << "; ";
  }
  for (const auto& [key, text] : is) {
    if (should.contains(key)) continue;
    equal = false;
    result << key << " is " << text.substr(0, 8) << ", not missing; ";
  }
  return equal ? testing::AssertionSuccess() : result;
}

// Repairs, checks the promises, and gives back what was found.
struct Outcome {
  store::RepairFindings findings;
  std::set<std::uint32_t> dropped;
  std::set<std::uint64_t> lost;
  std::map<std::uint32_t, std::string> state;
  DiskImage image;
};
inline Outcome repaired(const History& history, const DiskImage& damaged) {
  RepairRig rig(damaged);
  const auto done = rig.run();
  EXPECT_TRUE(done) << (done ? "" : done.error().message);
  Outcome outcome{rig.findings(), rig.owner.dropped, rig.owner.lost, {}, rig.image()};
  // Behind the last watermark, what is gone without trace looks like a torn tail.
  for (const History::Change& change : history.changes) {
    if (change.position > outcome.findings.last.value) outcome.lost.insert(change.position);
  }
  outcome.state = open_and_read(data_of(outcome.image));
  for (const auto& [key, text] : outcome.state)
    EXPECT_TRUE(history.was_ever(key, text)) << key << " was never " << text.substr(0, 8);
  if (outcome.findings.checkpoint_is_whole && !rig.owner.everything) {
    EXPECT_TRUE(same(outcome.state, history.without(outcome.lost, outcome.dropped)));
  }
  return outcome;
}

inline std::vector<std::string> segments_in(const DiskImage& image) {
  std::vector<std::string> paths;
  for (const auto& [path, bytes] : image) {
    if (path.find("/data/segment-") == 0) paths.push_back(path);
  }
  return paths;
}

inline void flip(DiskImage& image, const std::string& path, std::size_t at) {
  image.at(path).at(at) ^= std::byte{16};
}

// The groups of a segment.
inline std::vector<store::GroupHeader> groups_in(const std::vector<std::byte>& bytes) {
  std::vector<store::GroupHeader> groups;
  for (std::size_t at = store::kBlockBytes; at < bytes.size();) {
    const auto header = store::decode_group_header(std::span(bytes).subspan(at));
    if (!header) break;
    groups.push_back(*header);
    at += header->length;
  }
  return groups;
}

}  // namespace ferry::test
