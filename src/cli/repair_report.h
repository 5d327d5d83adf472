#pragma once
// What `ferry store repair` says of a folder: for people before they decide, and as JSON, which is kept.

#include <string>

#include "engine/engine_repair.h"
#include "store/journal/repair.h"

namespace ferry::cli {

struct RepairStory {
  std::string folder;
  std::string copy;  ///< the folder of the copies, made or to be made
  const store::RepairFindings& findings;
  const engine::EngineRepair::Report& report;
};

/// What is wrong, what would be dropped, what would be kept. Ends with a newline.
std::string describe_repair(const RepairStory& story);
/// `state`: "planned", "repaired", "nothing to repair".
std::string repair_json(const RepairStory& story, std::string_view state);

}  // namespace ferry::cli
