#include "model.h"

#include <fmt/format.h>

#include <array>
#include <unordered_map>
#include <vector>

#include "model_world.h"

namespace ferry::ledger::model {
namespace {

constexpr Timestamp kNow = from_epoch_millis(1'000);
constexpr Millis kLease{10};
constexpr Timestamp kOver = kNow - Millis(1);

class Explorer {
 public:
  Explorer(const Setting& setting, const Rules& rules) : setting_(setting), rules_(rules) {}
  Explored run();

 private:
  // The step that is being tried.
  struct Step {
    World world;
    std::string name;
    std::string wrong;
  };

  int key_of(int message) const { return setting_.same_key ? 0 : message; }
  Key key(int message) const { return keys_[static_cast<std::size_t>(key_of(message))]; }
  static std::string owner(const World& world, int worker) {
    return std::string(1, static_cast<char>('a' + worker)) +
           std::to_string(world.workers[static_cast<std::size_t>(worker)].incarnation);
  }
  std::optional<Row> row(const World& world, int message) const;
  void put(World& world, int message, const std::optional<Row>& row) const;

  void expand(const World& world);
  void steps_of(const World& world, int worker);
  void deliveries(const World& world, int worker);
  void claim(const World& world, int worker, bool answer_is_lost);
  void act(const World& world, int worker);
  void settle(const World& world, int worker, bool answer_is_lost);
  void remove(const World& world, int worker, bool is_lost);
  void renew(const World& world, int worker);
  void time_passes(World world, std::string name);
  void add(Step step);
  std::string wrong_with(const World& world) const;
  bool is_over(const World& world) const;
  std::string way_to(std::size_t index) const;
  std::string stuck() const;

  const Setting setting_;
  const Rules rules_;
  const std::array<Key, kCount> keys_ = {make_key("q/h", "0"), make_key("q/h", "1")};
  std::unordered_map<std::string, std::size_t> seen_;
  std::vector<World> worlds_;
  std::vector<std::size_t> from_;
  std::vector<std::string> names_;
  std::vector<std::pair<std::size_t, std::size_t>> edges_;
  std::size_t current_ = 0;
  Explored explored_;
};

template <class Array>
auto& at(Array& array, int index) {
  return array[static_cast<std::size_t>(index)];
}

std::optional<Row> Explorer::row(const World& world, int message) const {
  const Record& record = at(world.records, key_of(message));
  if (record.exists == 0) return std::nullopt;
  Row row;
  row.key = key(message);
  row.state = static_cast<State>(record.state);
  row.fence = record.fence;
  row.owner = {static_cast<char>('a' + record.owner / 16), static_cast<char>('0' + record.owner % 16)};
  row.message_id = std::to_string(record.message);
  row.lease_until = record.live != 0 ? kNow + kLease : kOver;
  row.not_before = record.waits != 0 ? kNow + kLease : kOver;
  if (record.lost != 0) row.outcome = "lost";
  return row;
}

void Explorer::put(World& world, int message, const std::optional<Row>& row) const {
  if (!row) return;
  Record& record = at(world.records, key_of(message));
  record.exists = 1;
  record.state = static_cast<Byte>(row->state);
  record.fence = static_cast<Byte>(row->fence);
  record.owner = row->owner.empty() ? Byte{0} : static_cast<Byte>((row->owner[0] - 'a') * 16 + (row->owner[1] - '0'));
  record.message = static_cast<Byte>(row->message_id == "1");
  record.live = static_cast<Byte>(row->lease_until > kNow);
  record.waits = static_cast<Byte>(row->state == State::Retry && row->not_before > kNow);
  record.lost = static_cast<Byte>(row->state == State::Parked && row->outcome == "lost");
}

void Explorer::deliveries(const World& world, int worker) {
  for (int message = 0; message < kCount; ++message) {
    const Delivery& delivery = at(world.queue, message);
    const bool plain = delivery.present != 0 && delivery.visible != 0;
    if (!plain && world.faults == 0) continue;
    const char* const what = plain ? "receives" : delivery.present != 0 ? "receives a second time" : "receives, though deleted,";
    Step step{world, fmt::format("{} {} {}", owner(world, worker), what, message), {}};
    if (!plain) --step.world.faults;
    at(step.world.queue, message) = {1, 0};
    for (Worker& other : step.world.workers) {
      if (other.phase != Phase::Idle && other.message == message) other.newest_receipt = 0;
    }
    Worker& self = at(step.world.workers, worker);
    self.phase = Phase::Received;
    self.message = static_cast<Byte>(message);
    self.newest_receipt = 1;
    add(std::move(step));
  }
}

void Explorer::claim(const World& world, int worker, bool answer_is_lost) {
  Step step{world, {}, {}};
  Worker& self = at(step.world.workers, worker);
  const int message = self.message;
  Effect& effect = at(step.world.effects, key_of(message));
  ClaimRequest request;
  request.key = key(message);
  request.message_id = std::to_string(message);
  request.owner = owner(world, worker);
  request.lease = kLease;
  request.on_lost = setting_.on_lost;
  const ClaimDecision decision = rules_.claim(row(world, message), request, {kNow, 0});
  put(step.world, message, decision.write);
  step.name = fmt::format("{} claims {}: answer {}", request.owner, message, static_cast<int>(decision.answer.answer));
  const ClaimAnswer answer = decision.answer.answer;
  if (answer_is_lost) {
    step.name += ", which is lost";
    --step.world.faults;
    self.phase = Phase::Idle;
  } else if (answer == ClaimAnswer::Run || answer == ClaimAnswer::Mine) {
    if (effect.done != 0) step.wrong = "what was done runs again";
    self.phase = Phase::Running;
    self.fence = static_cast<Byte>(decision.answer.fence);
    self.live = 1;
  } else if (answer == ClaimAnswer::AlreadyDone) {
    self.phase = Phase::Committed;
  } else {
    self.phase = Phase::Idle;
    const bool gone = rules_.deletes_what_is_deferred && answer == ClaimAnswer::Deferred;
    if (answer == ClaimAnswer::Parked || gone) at(step.world.queue, message) = {0, 0};  // kept elsewhere for a person
    if (answer == ClaimAnswer::Parked) effect.parked = 1;
  }
  add(std::move(step));
}

void Explorer::act(const World& world, int worker) {
  Step step{world, fmt::format("{} acts", owner(world, worker)), {}};
  Worker& self = at(step.world.workers, worker);
  Effect& effect = at(step.world.effects, key_of(self.message));
  if (effect.careless < 3) ++effect.careless;
  // The careful one refuses a key that it has seen, and a fence older than the newest.
  if (effect.careful == 0 && self.fence >= effect.fence_max) ++effect.careful;
  effect.fence_max = std::max(effect.fence_max, self.fence);
  self.phase = Phase::Acted;
  if (rules_.deletes_before_committing && self.newest_receipt != 0) at(step.world.queue, self.message) = {0, 0};
  add(std::move(step));
}

void Explorer::settle(const World& world, int worker, bool answer_is_lost) {
  Step step{world, {}, {}};
  Worker& self = at(step.world.workers, worker);
  const bool done = self.phase == Phase::Acted;
  Settlement settlement;
  settlement.key = key(self.message).hash;
  settlement.fence = self.fence;
  settlement.owner = owner(world, worker);
  settlement.outcome.kind = done ? OutcomeKind::Done : OutcomeKind::Retry;
  settlement.outcome.retry_after = setting_.retries_wait ? kLease : Millis(0);
  const Decision decision = rules_.settle(row(world, self.message), settlement, kNow, kLease);
  put(step.world, self.message, decision.write);
  const bool accepted = decision.verdict == Verdict::Accepted;
  step.name = fmt::format("{} ends {} as {}: {}", settlement.owner, self.message, done ? "done" : "to be retried",
                          accepted ? "accepted" : "fenced");
  if (accepted && done) at(step.world.effects, key_of(self.message)).done = 1;
  if (answer_is_lost) {
    step.name += ", which is lost";
    --step.world.faults;
    self.live = 0;  // its handler is over, and it has said so
  } else {
    self.phase = accepted && done ? Phase::Committed : Phase::Idle;
  }
  add(std::move(step));
}

void Explorer::remove(const World& world, int worker, bool is_lost) {
  Step step{world, fmt::format("{} deletes{}", owner(world, worker), is_lost ? ", which is lost" : ""), {}};
  Worker& self = at(step.world.workers, worker);
  if (is_lost) {
    --step.world.faults;
  } else if (self.newest_receipt != 0) {  // else the queue says yes and does nothing
    at(step.world.queue, self.message) = {0, 0};
  }
  self.phase = Phase::Idle;
  add(std::move(step));
}

void Explorer::renew(const World& world, int worker) {
  Step step{world, {}, {}};
  Worker& self = at(step.world.workers, worker);
  const Renewal renewal{key(self.message).hash, self.fence, owner(world, worker), kLease};
  const Decision decision = rules_.renew(row(world, self.message), renewal, kNow);
  put(step.world, self.message, decision.write);
  const bool held = decision.verdict == Verdict::Accepted;
  step.name = fmt::format("{} renews: {}", renewal.owner, held ? "accepted" : "fenced");
  self.live = held ? 1 : 0;
  if (!held) self.phase = Phase::Idle;  // its handler is stopped
  add(std::move(step));
}

void Explorer::time_passes(World world, std::string name) {
  for (Record& record : world.records) record.live = record.waits = 0;
  for (Worker& worker : world.workers) worker.live = 0;
  for (Delivery& delivery : world.queue) delivery.visible = delivery.present;
  add({world, std::move(name), {}});
}

void Explorer::steps_of(const World& world, int worker) {
  const Worker& self = at(world.workers, worker);
  const bool fault = world.faults > 0;
  switch (self.phase) {
    case Phase::Idle:
      return deliveries(world, worker);
    case Phase::Received:
      claim(world, worker, false);
      if (fault) claim(world, worker, true);
      break;
    case Phase::Running:
      act(world, worker);
      break;
    case Phase::Acted:
    case Phase::Failed:
      settle(world, worker, false);
      if (fault) settle(world, worker, true);
      break;
    case Phase::Committed:
      remove(world, worker, false);
      if (fault) remove(world, worker, true);
      break;
  }
  const bool runs = self.phase == Phase::Running || self.phase == Phase::Acted;
  if (runs && self.live == 0) renew(world, worker);
  if (!fault) return;
  Step crash{world, fmt::format("{} crashes", owner(world, worker)), {}};
  --crash.world.faults;
  at(crash.world.workers, worker) = {Phase::Idle, 0, 0, 0, static_cast<Byte>(self.incarnation + 1), 0};
  add(std::move(crash));
  if (!runs || !setting_.handlers_may_fail) return;
  Step failure{world, fmt::format("{}'s handler fails", owner(world, worker)), {}};
  --failure.world.faults;
  at(failure.world.workers, worker).phase = Phase::Failed;
  add(std::move(failure));
}

void Explorer::expand(const World& world) {
  bool idle = true;
  bool visible = false;
  bool present = false;
  for (int i = 0; i < kCount; ++i) {
    steps_of(world, i);
    idle = idle && at(world.workers, i).phase == Phase::Idle;
    visible = visible || at(world.queue, i).visible != 0;
    present = present || at(world.queue, i).present != 0;
  }
  if (world.faults > 0) {
    World slow = world;
    --slow.faults;
    time_passes(slow, "everybody is slow");
    for (Delivery& delivery : slow.queue) delivery.visible = delivery.present;
    slow.records = world.records;
    slow.workers = world.workers;
    add({slow, "messages become visible too early", {}});
  }
  if (idle && present && !visible) time_passes(world, "time passes");
}

void Explorer::add(Step step) {
  // What an idle worker held before is nothing to it.
  for (Worker& worker : step.world.workers) {
    if (worker.phase == Phase::Idle) worker = {Phase::Idle, 0, 0, 0, worker.incarnation, 0};
  }
  const auto [place, is_new] = seen_.emplace(step.world.bytes(), worlds_.size());
  edges_.emplace_back(current_, place->second);
  if (is_new) {
    worlds_.push_back(step.world);
    from_.push_back(current_);
    names_.push_back(std::move(step.name));
  }
  std::string wrong = step.wrong.empty() && is_new ? wrong_with(step.world) : std::move(step.wrong);
  if (!wrong.empty() && explored_.violation.empty()) explored_.violation = wrong + way_to(place->second);
}

bool Explorer::is_over(const World& world) const {
  for (int i = 0; i < kCount; ++i) {
    if (at(world.queue, i).present != 0 || at(world.workers, i).phase != Phase::Idle) return false;
  }
  return true;
}

std::string Explorer::wrong_with(const World& world) const {
  const auto holds = [](const Worker& worker) {
    return worker.live != 0 && (worker.phase == Phase::Running || worker.phase == Phase::Acted || worker.phase == Phase::Failed);
  };
  const Worker& a = world.workers[0];
  const Worker& b = world.workers[1];
  if (holds(a) && holds(b) && key_of(a.message) == key_of(b.message)) return "two live claims";
  for (int message = 0; message < kCount; ++message) {
    const Effect& effect = at(world.effects, key_of(message));
    if (effect.careful > 1) return "an effect happened twice";
    const bool once = setting_.on_lost == OnLost::Park && !setting_.handlers_may_fail;
    if (once && effect.careless > 1) return "a handler that just acts did so twice";
    if (at(world.queue, message).present == 0 && effect.done == 0 && effect.parked == 0) return "a request was lost";
    if (is_over(world) && effect.done != 0 && effect.careful != 1) return "done without an effect";
  }
  return {};
}

std::string Explorer::way_to(std::size_t index) const {
  std::string way;
  for (; index != 0; index = from_[index]) way.insert(0, "\n  " + names_[index]);
  return way;
}

// A world from which no end can be reached; empty when there is none.
std::string Explorer::stuck() const {
  std::vector<std::vector<std::size_t>> before(worlds_.size());
  for (const auto& [from, to] : edges_) before[to].push_back(from);
  std::vector<bool> ends(worlds_.size(), false);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < worlds_.size(); ++i) {
    if (!is_over(worlds_[i])) continue;
    ends[i] = true;
    open.push_back(i);
  }
  while (!open.empty()) {
    const std::size_t index = open.back();
    open.pop_back();
    for (const std::size_t earlier : before[index]) {
      if (ends[earlier]) continue;
      ends[earlier] = true;
      open.push_back(earlier);
    }
  }
  for (std::size_t i = 0; i < worlds_.size(); ++i) {
    if (!ends[i]) return "it never comes to an end" + way_to(i);
  }
  return {};
}

Explored Explorer::run() {
  World first{};
  first.queue.fill({1, 1});
  first.faults = static_cast<Byte>(setting_.faults_max);
  add({first, "", {}});
  edges_.clear();
  for (current_ = 0; current_ < worlds_.size() && explored_.violation.empty(); ++current_) {
    const World world = worlds_[current_];  // the vector grows
    explored_.ends += is_over(world) ? 1 : 0;
    expand(world);
  }
  explored_.worlds = worlds_.size();
  if (explored_.violation.empty()) explored_.violation = stuck();
  return explored_;
}
}  // namespace

Explored explore(const Setting& setting, const Rules& rules) {
  return Explorer(setting, rules).run();
}

}  // namespace ferry::ledger::model
