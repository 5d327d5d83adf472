// Which ledger a worker uses.

#include "cli/worker_ledger.h"

#include <gtest/gtest.h>

#include <map>

#include "cli/command.h"

namespace ferry::cli {
namespace {

std::string place(const config::LedgerTable& table, const std::string& named, bool refused, bool command,
                  const std::map<std::string, std::string>& variables = {{"XDG_STATE_HOME", "/s"}}) {
  const auto found =
      place_of_ledger({table, named, refused, command}, [&](const std::string& name) -> std::optional<std::string> {
        const auto at = variables.find(name);
        return at == variables.end() ? std::nullopt : std::optional(at->second);
      });
  return found ? *found : found.error().message;
}

TEST(PlaceOfLedger, IsTheNearestThatIsNamed) {
  const config::LedgerTable absent;
  const config::LedgerTable table{true, "/t.db", {}};
  const config::LedgerTable off{false, "/t.db", {}};
  EXPECT_EQ(place(absent, "", false, false), "/s/ferry/ledger.db");
  EXPECT_EQ(place(absent, "", false, false, {{"FERRY_LEDGER", "/e.db"}}), "/e.db");
  EXPECT_EQ(place(table, "", false, false, {{"FERRY_LEDGER", "/e.db"}}), "/t.db");
  EXPECT_EQ(place(table, "/n.db", false, false), "/n.db");
  EXPECT_EQ(place(off, "", false, false), "");
  EXPECT_EQ(place(off, "/n.db", false, false), "/n.db") << "who names one wants one";
  EXPECT_EQ(place(table, "", true, false), "");
}

TEST(PlaceOfLedger, ACommandHasOneWhenItIsNamed) {
  EXPECT_EQ(place({}, "", false, true, {{"FERRY_LEDGER", "/e.db"}}), "");
  EXPECT_EQ(place({}, "/n.db", false, true), "/n.db");
}

TEST(PlaceOfLedger, ThatNobodyNamesIsAnErrorThatSaysWhatToDo) {
  EXPECT_NE(place({}, "", false, false, {}).find("name one with ledger.path or --ledger, or do without with --no-ledger"),
            std::string::npos);
}

}  // namespace
}  // namespace ferry::cli
