#pragma once
// Keeps the messages in hand invisible to others while they are worked on.
//
// A message is held from its receipt. Its lease ends at `deadline`: counted from the arrival of the answer less a margin at
// first, from the sending of the request after each extension. The first beat comes when a third of the lease is over, with
// ±10 % jitter, so that at least two retries fit before the end. What fails for a reason that may pass is tried again until the
// lease is over; only then, or when the service says that the handle holds nothing any more, is the message lost.
//
// release() ends the beats of a message and waits for one that is on its way: no beat can follow a settlement.

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "sqs/limits.h"
#include "worker/queue_port.h"
#include "worker/transcript.h"

namespace ferry::worker {

class Heartbeat {
 public:
  /// Everything outlives the heartbeat; `random` may be used by any thread.
  Heartbeat(Seconds visibility, QueuePort& queue, const Clock& clock, Random& random, Reporter& reporter)
      : visibility_(visibility), queue_(queue), clock_(clock), random_(random), reporter_(reporter) {}

  struct Receipt {
    std::string handle;
    SteadyTime arrival;
  };
  /// From now on the message is in hand.
  void hold(const std::string& message_id, Receipt receipt);
  /// The message came again while in hand: the newer receipt counts from now on. False: it is not in hand.
  bool adopt(const std::string& message_id, Receipt receipt);
  /// One or the other, whichever it is, at once. True: it was not in hand before.
  bool hold_or_adopt(const std::string& message_id, Receipt receipt);
  /// Whether somebody else may have the message. It has to be in hand.
  bool is_lost(const std::string& message_id) const;

  struct Released {
    std::string handle;  ///< the newest
    SteadyTime arrival;  ///< of the newest
    bool lost = false;   ///< somebody else may have it
  };
  /// The message is in hand no more. Blocks while a beat of it is on its way, at most for one visibility timeout.
  /// The message has to be in hand.
  Released release(const std::string& message_id);

  /// One round: extends what is due, at most ten in one call. Answers how long until the next is due (a second at most).
  /// One thread at a time. Blocks for the call.
  Millis beat();

  std::size_t held() const;

 private:
  struct Entry {
    std::string handle;
    SteadyTime arrival;
    SteadyTime next_beat;
    SteadyTime deadline;
    int failures = 0;
    bool beating = false;
    bool lost = false;
  };
  struct Due {
    std::string message_id;
    std::string handle;
    Seconds timeout;
  };
  Entry make_entry(Receipt receipt) const;
  std::vector<Due> take_due(SteadyTime now);
  void apply(const Due& due, SteadyTime sent_at, std::optional<Fault> fault, const std::string& why);
  void lose(const std::string& message_id, Entry& entry, const std::string& why);
  void tell();

  // Said once the lock is free.
  struct Said {
    enum Kind { Step, Warning } kind;
    std::string text;
  };

  Seconds visibility_;
  QueuePort& queue_;
  const Clock& clock_;
  Random& random_;
  Reporter& reporter_;
  mutable std::mutex mutex_;
  std::condition_variable beaten_;
  std::map<std::string, Entry> entries_;  // by message id; guarded by mutex_, like the next
  std::vector<Said> said_;
};

}  // namespace ferry::worker
