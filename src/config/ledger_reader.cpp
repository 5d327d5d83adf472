#include "config/ledger_reader.h"

#include "base/encoding.h"
#include "base/suggest.h"
#include "config/handler_reader.h"

namespace ferry::config {
namespace {

constexpr Millis kRetentionMin = std::chrono::hours(1);
constexpr Millis kRetentionMax = std::chrono::hours(24 * 3'650);

std::string read_place(TableReader& reader, const std::string& folder) {
  const auto place = reader.text("path");
  if (!place) return {};
  if (place->starts_with("postgresql://") || place->starts_with("postgres://")) return *place;
  if (place->empty()) {
    reader.problem("path", "is empty; leave it out for the default ledger");
  } else if (place->find("://") != std::string::npos) {
    reader.problem("path", "must be a file, or postgresql://HOST/DATABASE");
  }
  return absolute_from(folder, *place);
}
}  // namespace

LedgerTable read_ledger(TableReader& root, const std::string& folder, Problems& problems) {
  LedgerTable ledger;
  const toml::table* table = root.table("ledger");
  if (table == nullptr) return ledger;
  TableReader reader(*table, "ledger", problems);
  ledger.enabled = reader.boolean("enabled").value_or(ledger.enabled);
  ledger.place = read_place(reader, folder);
  ledger.retention = reader.duration("retention", {kRetentionMin, kRetentionMax}).value_or(ledger.retention);
  reader.refuse_unknown_keys();
  return ledger;
}

void read_ledger_rules(TableReader& request, LedgerRules& rules) {
  const std::string on_lost = request.text("on_lost").value_or("retry");
  if (on_lost == "park") {
    rules.on_lost = OnLost::Park;
  } else if (on_lost != "retry") {
    const std::vector<std::string> choices = {"retry", "park"};
    request.problem("on_lost", fmt::format("is \"{}\"; there are {}{}", escape_control(on_lost), join_names(choices),
                                           did_you_mean(on_lost, choices)));
  }
  rules.require_key = request.boolean("require_key").value_or(false);
}

}  // namespace ferry::config
