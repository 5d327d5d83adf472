#pragma once
// Values as PostgreSQL writes them.

#include <string>
#include <string_view>
#include <vector>

#include "ledger/database.h"

namespace ferry::ledger {

/// "{…}": a one-dimensional array of texts, numbers, or bytes. Anything else in `values` is a bug.
std::string array_literal(const std::vector<Value>& values);

/// What a column of the type with this number (pg_type.oid) holds; text of other types as it is written. Nothing: it is not
/// written as its type asks for.
std::optional<Value> parse_value(std::string_view text, unsigned type);

/// The kind of error that an SQLSTATE stands for.
ErrorKind kind_of_sqlstate(std::string_view state);
/// Whether the same transaction once more may succeed: 40001, 40P01.
bool is_collision(std::string_view state);

}  // namespace ferry::ledger
