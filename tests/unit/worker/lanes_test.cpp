// Lanes by themselves, and over a model of a FIFO queue in which everything happens in a random order.

#include "worker/lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"

namespace ferry::worker {
namespace {

using StringLanes = Lanes<std::string>;

TEST(Lanes, OneOfAGroupAtATimeAndGroupsApart) {
  StringLanes lanes;
  EXPECT_EQ(lanes.enter("a", "a1"), "a1");
  EXPECT_EQ(lanes.enter("a", "a2"), std::nullopt);
  EXPECT_EQ(lanes.enter("b", "b1"), "b1") << "another group does not wait";
  EXPECT_EQ(lanes.waiting(), 1u);
  lanes.run("a");
  EXPECT_EQ(lanes.pass("a"), "a2");
  lanes.run("a");
  EXPECT_EQ(lanes.pass("a"), std::nullopt);
  EXPECT_EQ(lanes.enter("a", "a3"), "a3") << "a lane ends with its last";
}

TEST(Lanes, AHeadThatPassesWhileItIsExaminedHandsOverAfterIt) {
  StringLanes lanes;
  lanes.enter("a", "a1");
  lanes.enter("a", "a2");
  EXPECT_EQ(lanes.pass("a"), std::nullopt) << "refused and deleted: it never runs";
  EXPECT_EQ(lanes.after_examination("a"), "a2");
  lanes.run("a");
  EXPECT_EQ(lanes.after_examination("a"), std::nullopt) << "it runs";
}

TEST(Lanes, AHeldLaneKeepsEverythingUntilItIsReleased) {
  StringLanes lanes;
  lanes.enter("a", "a1");
  lanes.enter("a", "a2");
  lanes.run("a");
  lanes.hold("a");
  EXPECT_EQ(lanes.after_examination("a"), std::nullopt);
  EXPECT_EQ(lanes.enter("a", "a3"), std::nullopt);
  EXPECT_EQ(lanes.release("a"), (std::vector<std::string>{"a2", "a3"}));
  EXPECT_EQ(lanes.waiting(), 0u);
  EXPECT_TRUE(lanes.empty());
}

// A FIFO queue as Amazon describes it: of a group nothing is delivered while anything of it is in flight; a delivery brings what
// is visible of a group, in order. Clients take from it, run heads, fail, lose leases, confirm late.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), clients_(2) {
    for (int group = 0; group < kGroups; ++group) {
      for (int number = 0; number < kEach; ++number) queue_.push_back({group, number});
    }
  }

  void run() {
    for (int step = 0; step < 1'000'000 && !all_done(); ++step) {
      Client& client = clients_[random_.below(clients_.size())];
      switch (random_.below(4)) {
        case 0:
          receive(client);
          break;
        case 1:
          end_one(client);
          break;
        case 2:
          confirm_one(client);
          break;
        default:
          wake_one();
      }
    }
    EXPECT_TRUE(all_done());
    for (int group = 0; group < kGroups; ++group) {
      std::vector<int> expected(kEach);
      for (int number = 0; number < kEach; ++number) expected[static_cast<std::size_t>(number)] = number;
      EXPECT_EQ(handled_[group], expected) << "group " << group;
    }
    for (const Client& client : clients_) EXPECT_EQ(client.lanes.waiting(), 0u);
  }

 private:
  static constexpr int kGroups = 4;
  static constexpr int kEach = 12;
  struct Message {
    int group = 0;
    int number = 0;
    enum { Visible, InHand, Asleep, Gone } state = Visible;
  };
  struct Client {
    Lanes<Message*> lanes;
    std::vector<Message*> running;
    std::vector<Message*> unconfirmed;  // heads that go back
  };
  static std::string name(const Message* message) { return std::to_string(message->group); }

  bool all_done() const {
    return std::all_of(queue_.begin(), queue_.end(), [](const Message& one) { return one.state == Message::Gone; });
  }

  void receive(Client& client) {
    std::size_t room = 1 + random_.below(10);
    std::set<int> blocked;
    for (const Message& one : queue_) {
      if (one.state == Message::InHand || one.state == Message::Asleep) blocked.insert(one.group);
    }
    for (Message& one : queue_) {
      if (room == 0) return;
      if (one.state != Message::Visible || blocked.contains(one.group)) continue;
      --room;
      one.state = Message::InHand;
      if (const auto head = client.lanes.enter(name(&one), &one)) examine(client, *head);
    }
  }

  void examine(Client& client, Message* message) {
    for (;;) {
      const std::string group = name(message);
      const auto chance = random_.below(10);
      if (chance == 0) {  // refused for good and gone: as good as handled to those behind it
        handled_[message->group].push_back(message->number);
        message->state = Message::Gone;
        EXPECT_FALSE(client.lanes.pass(group));
      } else if (chance == 1) {
        client.lanes.hold(group);
        client.unconfirmed.push_back(message);
      } else {
        client.lanes.run(group);
        client.running.push_back(message);
        return;
      }
      const auto next = client.lanes.after_examination(group);
      if (!next) return;
      message = *next;
    }
  }

  Message* take_one(std::vector<Message*>& from) {
    if (from.empty()) return nullptr;
    const auto at = from.begin() + static_cast<std::ptrdiff_t>(random_.below(from.size()));
    Message* message = *at;
    from.erase(at);
    return message;
  }

  void end_one(Client& client) {
    for (std::size_t i = 0; i < client.running.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) ASSERT_NE(client.running[i]->group, client.running[j]->group) << "two of a group run";
    }
    Message* message = take_one(client.running);
    if (message == nullptr) return;
    if (random_.below(3) == 0) {
      client.lanes.hold(name(message));
      client.unconfirmed.push_back(message);
      return;
    }
    handled_[message->group].push_back(message->number);
    message->state = Message::Gone;
    if (const auto next = client.lanes.pass(name(message))) examine(client, *next);
  }

  void confirm_one(Client& client) {
    Message* message = take_one(client.unconfirmed);
    if (message == nullptr) return;
    message->state = Message::Asleep;
    for (Message* follower : client.lanes.release(name(message))) {
      EXPECT_EQ(follower->state, Message::InHand);
      follower->state = Message::Visible;
    }
  }

  void wake_one() {
    std::vector<Message*> asleep;
    for (Message& one : queue_) {
      if (one.state == Message::Asleep) asleep.push_back(&one);
    }
    if (Message* message = take_one(asleep)) message->state = Message::Visible;
  }

  SeededRandom random_;
  std::deque<Message> queue_;  // in the order of sending
  std::vector<Client> clients_;
  std::map<int, std::vector<int>> handled_;
};

TEST(Lanes, OrderIsKeptWhateverHappensWhen) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Model(seed).run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace ferry::worker
