#pragma once
// What `ferry ledger` says about records: for people and for programs.

#include <string>

#include "cli/output.h"
#include "ledger/ledger.h"

namespace ferry::cli {

/// A line each; ages are counted to `now`.
std::string format_records(const std::vector<ledger::Row>& rows, Timestamp now);
/// All of one.
std::string format_record(const ledger::Row& row);
std::string format_statistics(const ledger::Statistics& statistics);

/// Times are like 2026-11-23T08:00:00.000Z; what a record has not is left out.
void write_record_json(JsonWriter& json, const ledger::Row& row);
void write_statistics_json(JsonWriter& json, const ledger::Statistics& statistics);

}  // namespace ferry::cli
