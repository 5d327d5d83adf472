#pragma once
// Standard queues as the description of Amazon SQS has them, in the plainest form that can be read against it: vectors, and a
// look through all of them for every question. Shares no code with the engine. Time is an argument: `now` is engine time, `wall`
// the wall clock, both in milliseconds. Whether a message is visible, or expired, is computed from `now` each time it matters.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ferry::simulation {

struct ModelMessage {
  std::uint64_t id = 0;  // in the order of sending
  std::string body;
  std::int64_t enqueued = 0;
  std::int64_t visible_from = 0;
  std::int64_t first_received_wall = 0;
  std::uint32_t receive_count = 0;
};

struct ModelQueue {
  std::string name;
  std::uint64_t incarnation = 0;
  std::map<std::string, std::int64_t> attributes;
  std::int64_t created_wall = 0;
  std::int64_t modified_wall = 0;
  std::optional<std::int64_t> purged;
  std::vector<ModelMessage> messages;
};

struct ModelHandle {
  std::uint64_t incarnation = 0;  // 0: never given out
  std::uint64_t id = 0;
  std::int64_t received = 0;
};

struct ModelCounts {
  std::uint64_t visible = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t delayed = 0;
  bool operator==(const ModelCounts&) const = default;
};

struct ModelDelivery {
  std::string body;
  std::uint32_t receive_count = 0;
  std::int64_t first_received_wall = 0;
  ModelHandle handle;
};

/// Errors are the names of the SQS errors; empty: none.
class ReferenceModel {
 public:
  using Attributes = std::map<std::string, std::int64_t>;

  std::string create(const std::string& name, const Attributes& attributes, std::int64_t now, std::int64_t wall);
  std::string remove(const std::string& name, std::int64_t now);
  std::string purge(const std::string& name, std::int64_t now);
  std::string set_attributes(const std::string& name, const Attributes& attributes, std::int64_t now, std::int64_t wall);

  struct Send {
    std::string body;
    std::optional<std::int64_t> delay_seconds;
  };
  std::vector<std::string> send(const std::string& name, const std::vector<Send>& messages, std::int64_t now);
  std::string receive(const std::string& name, std::size_t max, std::optional<std::int64_t> timeout_seconds, std::int64_t now,
                      std::int64_t wall, std::vector<ModelDelivery>& deliveries);
  std::string remove_message(const std::string& name, const ModelHandle& handle);
  std::string change_visibility(const std::string& name, const ModelHandle& handle, std::int64_t timeout_seconds,
                                std::int64_t now);

  std::vector<std::string> names() const;
  const ModelQueue* find(const std::string& name) const;
  ModelCounts counts(const std::string& name, std::int64_t now) const;
  std::size_t living(std::int64_t now) const;
  /// Forgets messages that can never come back, because no later `now` is smaller than this one.
  void forget_expired(std::int64_t now);

  std::size_t in_flight_max = 0;

 private:
  static bool expired(const ModelQueue& queue, const ModelMessage& message, std::int64_t now);
  ModelQueue* find_queue(const std::string& name);
  ModelMessage* find_message(ModelQueue& queue, const ModelHandle& handle, std::int64_t now);

  std::vector<ModelQueue> queues_;
  std::vector<std::pair<std::string, std::int64_t>> deleted_;  // name and when
  std::uint64_t last_incarnation_ = 0;
  std::uint64_t last_id_ = 0;
};

}  // namespace ferry::simulation
