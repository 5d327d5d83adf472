#pragma once
// The columns of a record, once, for every statement that reads or writes whole records.

#include <string>
#include <string_view>
#include <vector>

#include "ledger/database.h"

namespace ferry::ledger {

/// field(column, member) for each, in the order of the columns. RowType: Row or const Row.
template <class RowType, class Field>
void each_field(RowType& row, Field&& field) {
  field("key_hash", row.key.hash);
  field("scope", row.key.scope);
  field("key_text", row.key.text);
  field("state", row.state);
  field("fence", row.fence);
  field("owner", row.owner);
  field("lease_until", row.lease_until);
  field("not_before", row.not_before);
  field("payload_hash", row.payload);
  field("message_id", row.message_id);
  field("first_seen", row.first_seen);
  field("claimed_at", row.claimed_at);
  field("finished_at", row.finished_at);
  field("expires_at", row.expires_at);
  field("attempts", row.attempts);
  field("interrupts", row.interrupts);
  field("receive_count_max", row.receive_count_max);
  field("outcome", row.outcome);
  field("code", row.code);
  field("detail", row.detail);
  field("result_hash", row.result_hash);
  field("result_bytes", row.result_bytes);
  field("result", row.result);
  field("sender", row.sender);
  field("config_hash", row.config_hash);
}

/// "key_hash, scope, …".
std::string column_list();
/// Their names, and what kind of value each holds.
enum class ColumnKind { Bytes, Text, Integer };
struct Column {
  std::string_view name;
  ColumnKind kind;
};
std::vector<Column> columns();

Database::Values to_values(const Row& row);
/// Corrupt when a value is none of a record.
Result<Row> from_values(const Database::Values& values);

Value bytes_value(const KeyHash& hash);
inline Value time_value(Timestamp time) {
  return to_epoch_millis(time);
}

}  // namespace ferry::ledger
