#pragma once
// One queue of the reference model: what it holds, and what the rules say of one message, one group or one tenant at a moment.
// Plain vectors; every question is answered by a look through all of them. Times are engine time in milliseconds, except those
// called wall.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"

namespace ferry::simulation {

struct ModelMessage {
  std::uint64_t sequence = 0;
  std::optional<Uuid> id;  ///< nothing: a move task gave it a new one that nobody has seen yet
  std::string body;
  std::optional<std::string> group;  ///< the tenant, on standard queues
  std::string deduplication_id;      ///< as it is told; FIFO queues only
  std::int64_t enqueued = 0;
  std::int64_t sent_wall = 0;
  std::int64_t visible_from = 0;  ///< FIFO queues: of those that were received; the queue's delay decides over the others
  std::int64_t first_received_wall = 0;
  std::uint32_t receive_count = 0;
  std::uint32_t arrived_with = 0;  ///< receives in other queues
  std::optional<std::string> dead_letter_source;
  bool was_moved = false;
  bool quarantined = false;  ///< counts for nothing, and goes only with everything
};

/// What a receipt handle means. Incarnation 0: it was never given out.
struct ModelHandle {
  std::uint64_t incarnation = 0;
  std::uint64_t sequence = 0;
  std::uint32_t receive_count = 0;
  std::int64_t received = 0;
};

/// An id that FIFO queues answer with the message that came first.
struct ModelDuplicate {
  std::string group;  ///< empty when ids count over all groups
  std::string id;
  std::int64_t first_sent = 0;
  std::optional<Uuid> message_id;
  std::uint64_t sequence = 0;
};

/// A receive that can be asked for again by its ReceiveRequestAttemptId.
struct ModelAttempt {
  std::string id;
  std::int64_t received = 0;
  std::int64_t hidden_until = 0;
  std::vector<ModelHandle> handles;
};

struct ModelTask {
  Uuid id;
  std::string status;
  std::optional<std::string> destination;
  std::optional<int> rate;
  std::uint64_t moved = 0;
  std::uint64_t to_move = 0;
  std::int64_t started = 0;
  std::int64_t started_wall = 0;
  std::uint64_t through = 0;  ///< the last number when it started
  std::uint64_t passed = 0;   ///< the pass has come by all numbers up to here
  bool waits = false;         ///< it knows that there is more, and must not move it yet
  std::string failure_reason;
};

struct ModelPermission {
  std::string label;
  std::vector<std::string> accounts;
  std::vector<std::string> actions;
};

struct ModelRedrive {
  std::string target_arn;
  std::uint32_t max_receive_count = 0;
};

struct ModelAttributes {
  std::int64_t delay = 0;
  std::int64_t message_bytes_max = 1'048'576;
  std::int64_t retention = 345'600;
  std::int64_t receive_wait_time = 0;
  std::int64_t visibility_timeout = 30;
  bool managed_sse = true;
  std::vector<ModelPermission> permissions;
  std::optional<ModelRedrive> redrive;
  std::string redrive_allow_policy;
  bool content_based_deduplication = false;
  std::string deduplication_scope = "queue";
  std::string throughput_limit = "perQueue";
};

struct ModelCounts {
  std::uint64_t visible = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t delayed = 0;
  bool operator==(const ModelCounts&) const = default;
};

struct ModelQueue {
  std::string name;
  bool fifo = false;
  std::uint64_t incarnation = 0;
  ModelAttributes attributes;
  bool deduplicates_by_group = false;  ///< the scope of the creation
  std::map<std::string, std::string> tags;
  std::int64_t created_wall = 0;
  std::int64_t modified_wall = 0;
  std::optional<std::int64_t> purged;

  std::int64_t at = 0;  ///< everything below is as of this moment
  std::uint64_t last_sequence = 0;
  std::vector<ModelMessage> messages;  ///< ascending by number
  /// FIFO queues: what was enqueued up to that time, with a number up to that one, was visible before DelaySeconds was changed.
  std::int64_t matured_through = 0;
  std::uint64_t matured_sequence = 0;
  std::vector<ModelDuplicate> duplicates;
  std::vector<ModelTask> tasks;  ///< oldest first

  // What a restart forgets.
  std::vector<std::string> line;  ///< FIFO queues: the groups that can be served, in the order in which they are
  std::vector<ModelAttempt> attempts;
  std::vector<std::uint64_t> dead_letters_left;   ///< that receives met beyond those that they may move
  std::vector<std::string> noisy;                 ///< tenants
  std::map<std::string, std::int64_t> last_send;  ///< by tenant; a tenant is forgotten with its last message
  struct Usage {
    std::int64_t from = 0;
    std::int64_t to = 0;
    std::optional<std::string> group;
  };
  std::vector<Usage> usage;  ///< when a message of whom was in flight

  // ---- one message, at a moment not before `at`
  bool expired(const ModelMessage& message, std::int64_t now) const;
  bool delayed(const ModelMessage& message, std::int64_t now) const;
  bool in_flight(const ModelMessage& message, std::int64_t now) const;
  bool ready(const ModelMessage& message, std::int64_t now) const;
  ModelCounts counts(std::int64_t now) const;

  // ---- who is there
  /// Null: gone, or quarantined.
  ModelMessage* find(std::uint64_t sequence);
  /// The first message of a group.
  const ModelMessage* head(const std::string& group) const;
  std::uint64_t in_flight_of(const std::optional<std::string>& group) const;
  /// Milliseconds in flight, this minute and the one before; of all messages without a group.
  std::int64_t recent_usage(const std::optional<std::string>& group) const;

  // ---- changes
  /// Looks at the clock: what is due happens now.
  void advance(std::int64_t now);
  /// After every single change: who can be served, and who is noisy no longer.
  void freshen();
  /// Gives it the next number.
  ModelMessage& append(ModelMessage message);
  void erase(std::uint64_t sequence);
  /// Before it goes: a group whose first message goes stands in line no longer, and may enter again at the end.
  void leave_line(const ModelMessage& message);
  void hide(ModelMessage& message, std::int64_t until);
  /// A new process reads what the old one left: `now` may be before the old one's last moment.
  void restart(std::int64_t now);

  /// The next moment after `at` at which something changes by itself.
  std::optional<std::int64_t> next_event() const;

 private:
  void advance_line(std::int64_t now);
  void advance_tenants(std::int64_t now);
  void enter_line(const ModelMessage& message);
  void judge_tenants();
};

}  // namespace ferry::simulation
