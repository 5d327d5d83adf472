#include "ledger/row_fields.h"

#include <fmt/format.h>

#include <algorithm>

namespace ferry::ledger {
namespace {

ColumnKind kind_of(const Sha256Digest&) {
  return ColumnKind::Bytes;
}
ColumnKind kind_of(const Blob&) {
  return ColumnKind::Bytes;
}
ColumnKind kind_of(const std::string&) {
  return ColumnKind::Text;
}
template <class Number>
ColumnKind kind_of(const Number&) {
  return ColumnKind::Integer;
}

Value value_of(const Sha256Digest& digest) {
  return bytes_value(digest);
}
Value value_of(const Blob& blob) {
  return blob;
}
Value value_of(const std::string& text) {
  return text;
}
Value value_of(std::int64_t number) {
  return number;
}
Value value_of(State state) {
  return static_cast<std::int64_t>(state);
}
Value value_of(Timestamp time) {
  return time_value(time);
}
Value value_of(const std::optional<std::int64_t>& number) {
  return number ? Value(*number) : Value();
}

// Each answers whether the value is one of its kind.
bool assign(const Value& value, Sha256Digest& digest) {
  const auto* blob = std::get_if<Blob>(&value);
  if (blob == nullptr || blob->bytes.size() != digest.size()) return false;
  std::copy(blob->bytes.begin(), blob->bytes.end(), digest.begin());
  return true;
}
template <class T>
bool assign_same(const Value& value, T& target) {
  const auto* held = std::get_if<T>(&value);
  if (held != nullptr) target = *held;
  return held != nullptr;
}
bool assign(const Value& value, Blob& blob) {
  return assign_same(value, blob);
}
bool assign(const Value& value, std::string& text) {
  return assign_same(value, text);
}
bool assign(const Value& value, std::int64_t& number) {
  return assign_same(value, number);
}
bool assign(const Value& value, State& state) {
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr || *number < static_cast<int>(State::Claimed) || *number > static_cast<int>(State::Parked)) return false;
  state = static_cast<State>(*number);
  return true;
}
bool assign(const Value& value, Timestamp& time) {
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number != nullptr) time = from_epoch_millis(*number);
  return number != nullptr;
}
bool assign(const Value& value, std::optional<std::int64_t>& number) {
  if (std::holds_alternative<std::monostate>(value)) {
    number.reset();
    return true;
  }
  return assign_same(value, number.emplace());
}
}  // namespace

std::string column_list() {
  std::string list;
  for (const Column& column : columns()) list += fmt::format("{}{}", list.empty() ? "" : ", ", column.name);
  return list;
}

std::vector<Column> columns() {
  std::vector<Column> all;
  const Row row;
  each_field(row, [&](std::string_view name, const auto& member) { all.push_back({name, kind_of(member)}); });
  return all;
}

Database::Values to_values(const Row& row) {
  Database::Values values;
  each_field(row, [&](std::string_view, const auto& member) { values.push_back(value_of(member)); });
  return values;
}

Result<Row> from_values(const Database::Values& values) {
  Row row;
  std::size_t next = 0;
  std::string wrong;
  each_field(row, [&](std::string_view name, auto& member) {
    if (next >= values.size() || !assign(values[next], member)) wrong = name;
    ++next;
  });
  if (!wrong.empty()) return fail(ErrorKind::Corrupt, fmt::format("a record of the ledger holds a {} that cannot be one", wrong));
  return row;
}

Value bytes_value(const KeyHash& hash) {
  return Blob{std::string(hash.begin(), hash.end())};
}

}  // namespace ferry::ledger
