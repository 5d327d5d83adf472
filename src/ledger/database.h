#pragma once
// What the ledger asks of a database: one connection, used by one thread at a time. It knows rows, and decides nothing.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/ledger.h"

namespace ferry::ledger {

class Database {
 public:
  using Values = std::vector<Value>;
  struct Answered {
    std::vector<Values> rows;
    std::int64_t changed = 0;
  };
  /// A record that the group deals with. Claimed ones are made sure of: until the transaction ends nobody else can make one.
  struct Wanted {
    const Key* key = nullptr;  ///< of other than claimed ones the hash alone counts
    bool claimed = false;
  };
  struct Loaded {
    std::map<KeyHash, Row> rows;  ///< those that exist
    Fence fence_floor = 0;
  };
  enum class Access { Read, Write };

  virtual ~Database() = default;
  /// Starts a transaction; answers the database's time, which never goes back. Connects again when the connection was lost.
  virtual Result<Timestamp> begin(Access access) = 0;
  /// One statement with $1, $2, …, which first appear in this order.
  virtual Result<Answered> query(std::string_view sql, std::span<const Value> values) = 0;
  /// Nobody else changes them until the transaction ends.
  virtual Result<Loaded> load(std::span<const Wanted> wanted) = 0;
  virtual Result<void> save(std::span<const Row* const> rows) = 0;
  /// Durable when it returns. Timeout: whether it happened is not known.
  virtual Result<void> commit() = 0;
  virtual void rollback() = 0;
  /// Whether the last error was a collision with another transaction: the same once more may succeed.
  virtual bool collided() const = 0;
  /// What a SELECT ends with that shall leave out rows which others have locked.
  virtual std::string_view skip_locked() const = 0;

  virtual Result<std::vector<std::string>> check() = 0;
  virtual Result<std::int64_t> size_bytes() = 0;
  virtual std::string place() const = 0;  ///< for people; holds no secret
};

}  // namespace ferry::ledger
