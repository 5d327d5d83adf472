#include "ledger/ledger_queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "ledger/row_fields.h"
#include "ledger/text.h"

namespace ferry::ledger {
namespace {

constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kHashDigitsMin = 8;

// A statement that grows: add() gives a value its number, and conditions are joined by AND.
class Query {
 public:
  std::string add(Value value) {
    values_.push_back(std::move(value));
    return fmt::format("${}", values_.size());
  }
  void where(const std::string& condition) { conditions_ += (conditions_.empty() ? " WHERE " : " AND ") + condition; }
  Result<Database::Answered> run(Database& database, std::string_view before, std::string_view behind) const {
    return database.query(fmt::format("{}{}{}", before, conditions_, behind), values_);
  }

 private:
  std::string conditions_;
  Database::Values values_;
};

std::string select_records() {
  return fmt::format("SELECT {} FROM ferry_ledger", column_list());
}

Result<std::vector<Row>> to_rows(const Database::Answered& answered) {
  std::vector<Row> rows;
  rows.reserve(answered.rows.size());
  for (const Database::Values& values : answered.rows) {
    FERRY_TRY(Row row, from_values(values));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::int64_t characters(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::string cursor_of(const Row& row) {
  return fmt::format("{}-{}", to_epoch_millis(row.first_seen), hex_encode(row.key.hash));
}

Result<void> go_on_after(Query& query, std::string_view cursor) {
  const std::size_t dash = cursor.find('-');
  const auto time = parse_integer(cursor.substr(0, dash));
  const auto hash = dash == std::string_view::npos ? std::nullopt : hex_decode(cursor.substr(dash + 1));
  if (!time || !hash || hash->size() != KeyHash{}.size()) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("\"{}\" is no end of a page; take what the page before gave as its next", escape_control(cursor)));
  }
  const std::string at = query.add(*time);
  query.where(fmt::format("(first_seen > {0} OR (first_seen = {0} AND key_hash > {1}))", at, query.add(Blob{*hash})));
  return {};
}

std::int64_t integer_or_zero(const Database::Answered& answered) {
  if (answered.rows.empty() || answered.rows.front().empty()) return 0;
  const auto* number = std::get_if<std::int64_t>(&answered.rows.front().front());
  return number == nullptr ? 0 : *number;
}

Result<void> raise_fence_floor(Database& database, Fence fence) {
  const std::array<Value, 1> values = {fence};
  FERRY_TRY_VOID(database.query("UPDATE ferry_ledger_meta SET fence_floor = $1 WHERE fence_floor < $1", values));
  return {};
}
}  // namespace

Result<Page> list_records(Database& database, const Filter& filter, Timestamp now) {
  if (filter.limit == 0) return fail(ErrorKind::InvalidArgument, "a page of no records; ask for one at least");
  Query query;
  if (!filter.states.empty()) {
    std::string list;
    for (const State state : filter.states) list += fmt::format("{}{}", list.empty() ? "" : ", ", static_cast<int>(state));
    query.where(fmt::format("state IN ({})", list));
  }
  if (!filter.scope.empty()) query.where("scope = " + query.add(filter.scope));
  if (!filter.key_prefix.empty()) {
    const std::string length = query.add(characters(filter.key_prefix));
    query.where(fmt::format("substr(key_text, 1, {}) = {}", length, query.add(filter.key_prefix)));
  }
  if (filter.idle_min) {
    const std::string since = query.add(time_value(now - *filter.idle_min));
    query.where(fmt::format("claimed_at <= {0} AND finished_at <= {0}", since));
  }
  if (!filter.after.empty()) FERRY_TRY_VOID(go_on_after(query, filter.after));
  const std::size_t limit = std::min(filter.limit, kPageRowsMax);
  // One more tells whether there is another page.
  const std::string behind = " ORDER BY first_seen, key_hash LIMIT " + query.add(static_cast<std::int64_t>(limit + 1));
  FERRY_TRY(const Database::Answered answered, query.run(database, select_records(), behind));
  Page page;
  FERRY_TRY(page.rows, to_rows(answered));
  if (page.rows.size() > limit) {
    page.rows.resize(limit);
    page.next = cursor_of(page.rows.back());
  }
  for (Row& row : page.rows) row.result.bytes.clear();
  return page;
}

Result<std::vector<Row>> find_records(Database& database, const Ledger::Selector& selector) {
  if (selector.name.empty()) return fail(ErrorKind::InvalidArgument, "name a key, a message id or a hash");
  Query query;
  const std::string text = query.add(readable(selector.name, kKeyTextBytesMax));
  std::string any = fmt::format("key_text = {0} OR message_id = {0}", text);
  const std::string digits = to_lower(selector.name);
  const bool is_hash = digits.size() >= kHashDigitsMin && digits.size() <= kHashDigits &&
                       digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_hash) {
    const std::size_t missing = kHashDigits - digits.size();
    const std::string low = query.add(Blob{*hex_decode(digits + std::string(missing, '0'))});
    any += fmt::format(" OR (key_hash >= {} AND key_hash <= {})", low,
                       query.add(Blob{*hex_decode(digits + std::string(missing, 'f'))}));
  }
  query.where("(" + any + ")");
  if (!selector.scope.empty()) query.where("scope = " + query.add(selector.scope));
  const std::string behind = " ORDER BY first_seen, key_hash LIMIT " + query.add(static_cast<std::int64_t>(kFoundRowsMax));
  FERRY_TRY(const Database::Answered answered, query.run(database, select_records(), behind));
  return to_rows(answered);
}

Result<Statistics> count_records(Database& database, Timestamp now) {
  Statistics statistics;
  statistics.now = now;
  statistics.place = database.place();
  FERRY_TRY(const Database::Answered counts,
            database.query("SELECT scope, state, count(*) FROM ferry_ledger GROUP BY scope, state ORDER BY scope, state", {}));
  for (const Database::Values& values : counts.rows) {
    Statistics::Count count;
    if (values.size() == 3 && std::holds_alternative<std::string>(values[0]) && std::holds_alternative<std::int64_t>(values[1]) &&
        std::holds_alternative<std::int64_t>(values[2])) {
      count.scope = std::get<std::string>(values[0]);
      count.state = static_cast<State>(std::get<std::int64_t>(values[1]));
      count.count = std::get<std::int64_t>(values[2]);
    }
    statistics.counts.push_back(std::move(count));
  }
  Query oldest;
  oldest.where(fmt::format("state = {}", static_cast<int>(State::Claimed)));
  FERRY_TRY(const Database::Answered claims, oldest.run(database, select_records(), " ORDER BY claimed_at, key_hash LIMIT 1"));
  FERRY_TRY(std::vector<Row> rows, to_rows(claims));
  if (!rows.empty()) statistics.oldest_claim = std::move(rows.front());
  Query lost;
  lost.where(fmt::format("state = {}", static_cast<int>(State::Claimed)));
  lost.where("lease_until <= " + lost.add(time_value(now)));
  FERRY_TRY(const Database::Answered lost_claims, lost.run(database, "SELECT count(*) FROM ferry_ledger", ""));
  statistics.lost_claims = integer_or_zero(lost_claims);
  FERRY_TRY(const Database::Answered version, database.query("SELECT version FROM ferry_ledger_meta", {}));
  statistics.version = integer_or_zero(version);
  FERRY_TRY(statistics.database_bytes, database.size_bytes());
  return statistics;
}

Result<void> remove_record(Database& database, const Row& row) {
  const std::array<Value, 1> key = {bytes_value(row.key.hash)};
  FERRY_TRY_VOID(database.query("DELETE FROM ferry_ledger WHERE key_hash = $1", key));
  return raise_fence_floor(database, row.fence);
}

Result<std::int64_t> remove_expired(Database& database, Timestamp now, std::int64_t limit) {
  const std::array<Value, 2> values = {time_value(now), limit};
  FERRY_TRY(const Database::Answered removed,
            database.query(fmt::format("DELETE FROM ferry_ledger WHERE key_hash IN (SELECT key_hash FROM ferry_ledger WHERE "
                                       "expires_at > 0 AND expires_at <= $1 ORDER BY expires_at LIMIT $2{}) RETURNING fence",
                                       database.skip_locked()),
                           values));
  Fence greatest = 0;
  for (const Database::Values& row : removed.rows) {
    const auto* fence = row.empty() ? nullptr : std::get_if<std::int64_t>(&row.front());
    if (fence != nullptr) greatest = std::max(greatest, *fence);
  }
  if (greatest > 0) FERRY_TRY_VOID(raise_fence_floor(database, greatest));
  return static_cast<std::int64_t>(removed.rows.size());
}

}  // namespace ferry::ledger
