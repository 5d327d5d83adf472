#include "simulation/images/explorer.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "store/journal/format.h"

namespace ferry::test {
namespace {

constexpr std::array<std::string_view, 3> kModes = {"everything", "only-synced", "torn"};
// Beyond every lease of the sequences.
constexpr Seconds kAllLeases{700};

std::string text_of(const DiskOperation& operation) {
  static constexpr std::array<std::string_view, 7> kKinds = {"create", "write",  "truncate",      "sync",
                                                             "rename", "remove", "sync directory"};
  std::string text(kKinds[static_cast<std::size_t>(operation.kind)]);
  text += " " + operation.path;
  if (!operation.to.empty()) text += " to " + operation.to;
  if (operation.kind == DiskOperation::Kind::Write)
    text += " at " + std::to_string(operation.offset) + ", " + std::to_string(operation.bytes.size()) + " bytes";
  return text;
}

bool changes_names(DiskOperation::Kind kind) {
  using Kind = DiskOperation::Kind;
  return kind == Kind::Create || kind == Kind::Rename || kind == Kind::Remove;
}

}  // namespace

struct Explorer::Course {
  Course(const Beginning& beginning, std::uint64_t machine_seed, std::uint64_t chance_seed)
      : machine({beginning.disk, beginning.now, machine_seed, crashing_journal(), beginning.direct_access}),
        session(machine, beginning.client),
        direct_access(beginning.direct_access),
        chance(chance_seed) {}

  JournalMachine machine;
  Session session;
  ReferenceEngine reference;
  bool direct_access;
  SeededRandom chance;
  const Course* parent = nullptr;    // the life before this one
  std::uint64_t parent_durable = 0;  // what had been acknowledged when that ended
  std::size_t start_operations = 0;  // on the disk, until the first answer is possible
  std::size_t first_boundary = 0;
  std::set<std::string> early_firsts;             // known before the sequence began
  std::map<std::uint64_t, Observation> expected;  // by the end of the log
};

std::uint64_t stale_groups(const DiskImage& disk, std::uint32_t segment) {
  const auto file = disk.find("/data/" + store::segment_name(segment));
  if (file == disk.end()) return 0;
  const auto header = store::decode_segment_header(std::span(file->second).first(store::kBlockBytes));
  std::uint64_t stale = 0;
  for (std::size_t at = store::kBlockBytes; header && at < file->second.size(); at += store::kBlockBytes) {
    const auto group = store::decode_group_header(std::span(file->second).subspan(at, store::kGroupHeaderBytes));
    stale += group && group->incarnation != header->incarnation ? 1 : 0;
  }
  return stale;
}

void Explorer::explore(const Beginning& beginning, const std::vector<Operation>& operations, Cover cover, Seeds seeds) {
  explore(beginning, nullptr, 0, operations, cover, seeds);
}

void Explorer::explore(const Beginning& beginning, const Course* parent, std::uint64_t durable,
                       const std::vector<Operation>& operations, Cover cover, Seeds seeds) {
  Course course(beginning, seeds.machine, seeds.chance);
  course.parent = parent;
  course.parent_durable = durable;
  JournalMachine& machine = course.machine;
  const auto started = machine.start();
  ASSERT_TRUE(started.has_value()) << started.error().message;
  course.start_operations = machine.files.operation_count();
  course.reference.begin(*machine.engine, machine.journal->last().value);
  for (const auto& [id, first] : beginning.client.firsts) course.early_firsts.insert(id);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (cover == Cover::LastOperation && i + 1 == operations.size()) course.first_boundary = machine.files.operation_count();
    course.session.run(operations[i]);
    ASSERT_EQ(machine.journal->durable(), machine.journal->last()) << "the answer did not wait for " << name_of(operations[i]);
    if (testing::Test::HasFailure()) return;
  }
  ++tally_.sequences;
  // What is in memory is what the records say.
  const std::uint64_t last = machine.journal->last().value;
  const Observation live = observe(*machine.engine, course.reference.heard());
  const Observation expected = course.reference.at(last, *machine.history, machine.clock.wall(), machine.engine->now());
  ASSERT_TRUE(live == expected) << "the running engine is not what its log says:" << difference(live, expected);
  machine.commit();
  crash_everywhere(course);
}

// An image that cannot differ from the one before it in the same mode is not built again; what was acknowledged since must be in
// that one all the same.
void Explorer::crash_everywhere(Course& course) {
  using Kind = DiskOperation::Kind;
  const JournalMachine& machine = course.machine;
  const std::vector<DiskOperation> operations = machine.files.operations();
  const std::size_t first = course.first_boundary;
  if (operations.size() <= first) return;
  std::array<std::size_t, 3> serve_at{};
  for (std::size_t& at : serve_at) at = first + course.chance.below(operations.size() - first);
  std::array<std::optional<std::uint64_t>, 3> kept;
  std::array<std::optional<Image>, 3> latest;
  std::array<bool, 3> served{};
  DiskModel model(machine.files.initial());
  // What the life before had left in the system's cache may go until this one has answered.
  std::uint64_t durable = course.parent == nullptr ? course.reference.base() : course.parent_durable;
  std::size_t told = 0;

  const auto take = [&](CrashMode mode, std::size_t boundary) {
    const auto m = static_cast<std::size_t>(mode);
    SCOPED_TRACE("after operation " + std::to_string(boundary) + " on the disk (" + text_of(operations[boundary]) + "), " +
                 std::string(kModes[m]));
    latest[m] = Image{model, model.image(mode, course.chance), mode, boundary, durable};
    kept[m] = check_image(course, *latest[m]);
    if (testing::Test::HasFailure() || boundary < serve_at[m] || served[m]) return;
    served[m] = true;
    use(course, *latest[m]);
  };
  for (std::size_t i = 0; i < operations.size() && !testing::Test::HasFailure(); ++i) {
    model.apply(operations[i]);
    if (i + 1 >= course.start_operations) durable = std::max(durable, course.reference.base());
    for (; told < machine.acknowledged.size() && machine.acknowledged[told].operations <= i + 1; ++told)
      durable = std::max(durable, machine.acknowledged[told].position);
    if (i < first) continue;
    ++tally_.boundaries;
    const Kind kind = operations[i].kind;
    const bool changes = kind == Kind::Write || kind == Kind::Truncate || changes_names(kind);
    if (changes || i == first) take(CrashMode::Everything, i);
    if (!changes || i == first) take(CrashMode::OnlySynced, i);
    if (model.has_unsynced()) {
      for (int tearing = 0; tearing < effort_.tearings; ++tearing) take(CrashMode::Torn, i);
    } else {
      kept[2].reset();
    }
    for (std::size_t m = 0; m < kept.size(); ++m) {
      ASSERT_TRUE(!kept[m] || *kept[m] >= durable || m == 2) << "acknowledged and lost, " << kModes[m] << ", operation " << i;
    }
  }
  for (std::size_t m = 0; m < latest.size() && !testing::Test::HasFailure(); ++m) {
    if (!latest[m] || served[m]) continue;
    SCOPED_TRACE("after operation " + std::to_string(latest[m]->boundary) + " on the disk, " + std::string(kModes[m]));
    use(course, *latest[m]);
  }
}

std::uint64_t Explorer::check_image(Course& course, const Image& image) {
  ++tally_.images;
  tally_.torn += image.mode == CrashMode::Torn ? 1 : 0;
  tally_.again += depth_ > 0 ? 1 : 0;
  JournalMachine machine(
      {image.disk, course.machine.clock.wall(), course.chance.next(), crashing_journal(), course.direct_access});
  machine.files.stop_protocol();
  const auto started = machine.start();
  EXPECT_TRUE(started.has_value()) << "does not start: " << (started ? "" : started.error().message);
  if (!started) return 0;
  const store::Journal::Recovery& recovery = machine.journal->recovery();
  if (recovery.tail_cut) {
    ++tally_.tails_cut;
    tally_.over_stale += stale_groups(image.files, recovery.segment) > 0 ? 1 : 0;
  }
  const std::uint64_t kept = machine.journal->last().value;
  tally_.behind += kept < course.machine.journal->last().value ? 1 : 0;
  EXPECT_GE(kept, image.durable) << "acknowledged and lost";
  EXPECT_TRUE(kept == course.reference.base() || course.machine.history->is_end(kept)) << "a part of a reservation, to " << kept;
  if (testing::Test::HasFailure()) return kept;
  auto expected = course.expected.find(kept);
  if (expected == course.expected.end()) {
    expected = course.expected
                   .emplace(kept, course.reference.at(kept, *course.machine.history, machine.clock.wall(), machine.engine->now()))
                   .first;
  }
  const Observation observation = observe(*machine.engine, course.reference.heard());
  EXPECT_TRUE(observation == expected->second)
      << "not what the log held up to " << kept << ":" << difference(observation, expected->second);
  if (!testing::Test::HasFailure()) check_bodies(course.session.client, machine, observation);
  return kept;
}

void Explorer::check_bodies(const Client& client, JournalMachine& machine, const Observation& observation) {
  std::vector<store::Location> locations;
  for (const engine::Place& place : observation.bodies) locations.push_back(place.location);
  const auto payloads = machine.read(locations);
  ASSERT_EQ(payloads.size(), locations.size());
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    ASSERT_TRUE(payloads[i].has_value()) << payloads[i].error().message;
    const auto message = engine::decode_message(payloads[i]->bytes);
    ASSERT_TRUE(message.has_value()) << message.error().message;
    ASSERT_EQ(observation.bodies[i].written_as, (engine::WrittenAs{message->queue_id, message->sequence}));
    const auto sent = client.bodies.find(message->message_id);
    ASSERT_NE(sent, client.bodies.end()) << "nobody has sent this: " << message->body.substr(0, 40);
    ASSERT_EQ(message->body, sent->second);
  }
}

// ---- what a recovered store is good for

void Explorer::use(const Course& course, const Image& image) {
  if (effort_.serve) {
    JournalMachine machine(
        {image.disk, course.machine.clock.wall(), image.boundary + 77, crashing_journal(), course.direct_access});
    machine.files.stop_protocol();
    ASSERT_TRUE(machine.start().has_value());
    ++tally_.served;
    serve(course.session.client, machine);
  }
  if (effort_.again.empty() || testing::Test::HasFailure()) return;
  // A process that was killed leaves what it has written to the next one, and a loss of power may take it from that.
  const DiskModel disk = image.mode == CrashMode::Everything ? image.disk : DiskModel(image.files);
  Beginning beginning{disk, course.machine.clock.wall(), course.session.client, course.direct_access};
  for (const auto& [id, first] : beginning.client.firsts) {
    const auto early = course.early_firsts.contains(id) && to_epoch_millis(beginning.now) - first.sent_ms < 200'000;
    if (!early) beginning.client.doubtful.insert(id);
  }
  for (auto& [name, handles] : beginning.client.handles)
    std::erase_if(handles, [&](const Client::Handle& handle) { return handle.seen > image.durable; });
  SeededRandom chance(image.boundary * 31 + static_cast<std::uint64_t>(image.mode) + effort_.seed);
  std::vector<Operation> operations;
  for (const int length : effort_.again) {
    operations.clear();
    for (int i = 0; i < length; ++i) operations.push_back(static_cast<Operation>(chance.below(kOperations)));
    SCOPED_TRACE("crashed again in " + text_of(operations));
    Explorer again(tally_, {.tearings = 1, .serve = false, .again = {}, .seed = 0});
    again.depth_ = depth_ + 1;
    again.explore(beginning, &course, image.durable, operations, Cover::Everything, {chance.next(), chance.next()});
    if (testing::Test::HasFailure()) return;
  }
}

// What was received before the crash can be dealt with by the handles of that time.
void Explorer::use_handles(const Client& client, JournalMachine& machine) {
  for (const auto& [name, handles] : client.handles) {
    const engine::QueueRef queue = machine.queue(name);
    if (queue == nullptr) continue;
    const auto glimpses = machine.engine->peek(queue, 0, 1'000);
    for (const engine::Engine::Glimpse& glimpse : *glimpses.result) {
      if (glimpse.state != engine::Engine::Glimpse::State::InFlight) continue;
      for (const Client::Handle& handle : handles) {
        if (handle.sequence != glimpse.message.sequence || handle.receive_count != glimpse.message.receive_count) continue;
        machine.maintain();
        EXPECT_TRUE(machine.change(name, handle.text, Seconds(5))) << name << " " << handle.sequence;
      }
    }
  }
}

// Everything that is there is given out once, with the bytes that were sent and in the order of its group, and can be deleted.
void Explorer::serve(const Client& client, JournalMachine& machine) {
  use_handles(client, machine);
  machine.clock.advance(kAllLeases);
  machine.tick();
  machine.maintain();
  const std::vector<std::string> names = machine.engine->list("000000000000", "us-east-1", "", "", 1'000).result->names;
  std::set<Uuid> missing;
  for (const std::string& name : names) {
    const auto glimpses = machine.engine->peek(machine.queue(name), 0, 1'000);
    for (const engine::Engine::Glimpse& glimpse : *glimpses.result) {
      const auto payloads = machine.read({glimpse.message.location});
      ASSERT_TRUE(payloads.front().has_value());
      missing.insert(engine::decode_message(payloads.front()->bytes)->message_id);
    }
  }
  std::map<std::string, std::uint64_t> latest;  // by group
  for (int empty_rounds = 0; empty_rounds < 2; ++empty_rounds) {
    for (const std::string& name : names) {
      machine.maintain();
      for (const engine::Delivery& delivery : machine.receive(name, 10, Seconds(43'200))) {
        empty_rounds = -1;
        const auto payloads = machine.read({delivery.location});
        ASSERT_TRUE(payloads.front().has_value()) << payloads.front().error().message;
        const auto message = engine::decode_message(payloads.front()->bytes);
        ASSERT_TRUE(message.has_value());
        EXPECT_EQ(message->body, client.bodies.at(message->message_id));
        EXPECT_EQ(missing.erase(message->message_id), 1U) << "given twice: " << message->body.substr(0, 20);
        if (delivery.sequence_number) {
          std::uint64_t& before = latest[name + " " + std::string(message->message_group_id)];
          EXPECT_GT(*delivery.sequence_number, before) << "the order of the group is broken";
          before = *delivery.sequence_number;
        }
        ASSERT_TRUE(machine.erase(name, delivery.receipt_handle));
      }
    }
  }
  EXPECT_TRUE(missing.empty()) << missing.size() << " messages are there and cannot be had";
  machine.tick();
  EXPECT_EQ(machine.engine->totals().messages, 0U);
}

}  // namespace ferry::test
