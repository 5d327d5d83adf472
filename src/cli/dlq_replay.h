#pragma once
// Replays dead letters: each is sent to its queue, then deleted here, in that order. What was sent and not yet deleted when the
// run ended, for whatever reason, is in the state file, and the next run deletes it instead of sending it again. Between the
// sending call and the state file's line lies what cannot be known: those messages, at most a batch of ten, may arrive twice and
// are told.
//
// FIFO: messages are sent one by one in the order in which they are received, which is the order of their group; a message that
// fails holds the rest of its group back.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "cli/dlq_edit.h"
#include "cli/dlq_filter.h"
#include "cli/dlq_state.h"
#include "sender/sender.h"
#include "worker/queue_port.h"

namespace ferry::cli {

/// Where a dead letter goes.
struct ReplayTarget {
  std::string queue_url;
  sqs::QueueKind kind = sqs::QueueKind::Standard;
};

struct ReplayOptions {
  std::vector<Condition> where;
  Edits edits;
  std::optional<std::int64_t> rate;    ///< messages a second
  std::optional<std::uint64_t> limit;  ///< messages to send
  bool dry_run = false;                ///< nothing is sent or deleted
  Seconds visibility{120};             ///< how long what is received stays hidden
  sqs::QueueKind source_kind = sqs::QueueKind::Standard;
};

/// Counts of messages.
struct ReplaySummary {
  std::uint64_t replayed = 0;      ///< sent by this run; of a dry run: that would be
  std::uint64_t finished = 0;      ///< sent by an earlier run, deleted by this one
  std::uint64_t skipped = 0;       ///< not meant by --where
  std::uint64_t failed = 0;        ///< could not be sent
  std::uint64_t held_back = 0;     ///< stand behind a failed one of their group
  std::uint64_t came_back = 0;     ///< replayed by this run and dead-lettered again while it ran: not sent a second time
  std::uint64_t maybe_twice = 0;   ///< among `replayed`: an earlier run may have sent them already
  std::uint64_t undeleted = 0;     ///< sent, but could not be deleted yet: the next run does it
  std::uint64_t not_returned = 0;  ///< hidden until their visibility timeout is over
  bool dry_run = false;
  bool limit_reached = false;
  bool stopped = false;  ///< we were told to
  bool drained = false;  ///< the queue had nothing more to show
  std::optional<client::CallError> call_error;
  std::optional<Error> state_error;
  std::optional<worker::QueueCounts> left;  ///< afterwards, approximately
};

/// 0 all that was meant is replayed (of a dry run: would be) · 1 something failed and nothing was replayed · 6 messages are left,
/// hidden or not: come back · 7 some are replayed, some failed · 128+signal · the code of the failed call when nothing was done.
int exit_code_of(const ReplaySummary& summary, int signal);

class ReplayObserver {
 public:
  virtual ~ReplayObserver() = default;
  /// Of a dry run.
  virtual void would_send(const sqs::Message& message, const ReplayTarget& target, const sqs::SendMessageEntry& entry) = 0;
  virtual void failed(const sqs::Message& message, const std::string& why) = 0;
  virtual void maybe_twice(const sqs::Message& message) = 0;
  virtual void came_back(const sqs::Message& message) = 0;
  virtual void progress(const ReplaySummary& summary) = 0;
};

struct ReplaySeams {
  worker::QueuePort& source;
  std::function<Result<ReplayTarget>(const sqs::Message& message)> target;
  std::function<sender::SendReport(const std::string& queue_url, std::span<const sqs::SendMessageEntry> entries)> send;
  ReplayState* state = nullptr;  ///< null: nothing is remembered (a dry run that finds no file)
  const Clock& clock;
  std::function<void(Millis)> pause;  ///< blocks
  const StopFlag& stop;
  ReplayObserver& observer;
};

/// The last ids that were added, for as long as a delivery of the same message can be on its way.
class RecentIds {
 public:
  static constexpr std::size_t kMax = 100'000;
  void add(const std::string& id);
  bool contains(const std::string& id) const { return set_.contains(id); }

 private:
  std::unordered_set<std::string> set_;
  std::deque<std::string> order_;
};

/// One run, on one thread.
class Replay {
 public:
  Replay(const ReplayOptions& options, const ReplaySeams& seams) : options_(options), seams_(seams) {}
  /// Blocks until the queue has nothing more, the limit is reached, we are told to stop, or a call fails. What was received and
  /// not replayed is given back before the return.
  ReplaySummary run();

 private:
  struct Item {
    const sqs::Message* message;
    ReplayTarget target;
    sqs::SendMessageEntry entry;
  };
  enum class Verdict { Handled, Send };

  bool over() const;
  std::size_t batch_size() const;
  bool receive(std::vector<sqs::Message>& messages);
  void process(const std::vector<sqs::Message>& messages);
  Verdict judge(const sqs::Message& message, Item& item);
  bool seen_before(const sqs::Message& message);
  void fail_message(const sqs::Message& message, const std::string& why);
  void hold(const sqs::Message& message) { held_[message.message_id] = message.receipt_handle; }
  void send_items(std::vector<Item>& items);
  void send_chunk(std::span<Item> chunk);
  void take_report(std::span<Item> chunk, const sender::SendReport& report);
  bool remember(Result<void> done);
  bool pace(std::size_t messages);
  void remove_sent();
  void finish();

  const ReplayOptions& options_;
  const ReplaySeams& seams_;
  ReplaySummary summary_;
  std::unordered_map<std::string, std::string> held_;  // message id -> newest receipt handle; at most what may be in flight
  std::unordered_set<std::string> held_groups_;
  std::unordered_set<std::size_t> sent_ids_;                    // hashes of the ids that the target gave
  std::vector<std::pair<std::string, std::string>> to_remove_;  // message id, receipt handle
  std::uint64_t taken_ = 0;                                     // sent or about to be: what --limit counts
  std::size_t seen_again_ = 0;                                  // since the last new message
  int receive_failures_ = 0;
  Seconds wait_{0};
  bool drained_ = false;
  RecentIds done_;                             // sent by this run
  std::unordered_set<std::string> unremoved_;  // sent by this run, and their deletion failed
  SteadyTime next_send_{};
};

}  // namespace ferry::cli
