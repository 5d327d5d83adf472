#pragma once
// What is wrong with a queue, its worker and the way between them: facts in, findings out. Asks nobody; doctor_command.cpp
// gathers the facts.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/handoff.h"
#include "sqs/api.h"

namespace ferry::cli {

enum class Severity { Note, Warning, Error };
std::string_view name_of(Severity severity);  ///< "note", "warning", "error"

struct Finding {
  Severity severity = Severity::Note;
  std::string check;  ///< what was looked at, for programs: "dead-letter-queue", …; docs/operations.md lists them
  std::string text;   ///< what is the matter
  std::string mend;   ///< what to do about it
};

/// Whether an action may be done, by what a call that changes nothing was answered.
struct RightFact {
  std::string action;  ///< "DeleteMessage"
  std::string queue;   ///< name
  bool allowed = true;
  std::string answer;  ///< of a refusal
};

struct DoctorFacts {
  std::string queue;                       ///< name; empty: no queue was named
  std::optional<sqs::TextMap> attributes;  ///< of the queue; none: they may not be read
  bool is_dead_letter_queue = false;       ///< another queue names it
  // Of the queue that RedrivePolicy names.
  std::string dead_letter_name;
  std::optional<sqs::TextMap> dead_letter_attributes;
  bool dead_letter_missing = false;
  std::optional<Millis> clock_lead;  ///< the server's clock, ahead of ours
  std::vector<RightFact> rights;
  const config::Handoff* handoff = nullptr;  ///< null: none was read
};

/// Sorted: errors first, then warnings, then notes.
std::vector<Finding> examine(const DoctorFacts& facts);
/// Errors first; the order within a severity stays.
void sort_findings(std::vector<Finding>& findings);

inline constexpr Millis kClockLeadNoted{5'000};
inline constexpr Millis kClockLeadWarned{60'000};
inline constexpr Millis kClockLeadRefused{300'000};  // Amazon refuses signatures this old
inline constexpr std::int64_t kReceivesLeast = 3;    // a worker that dies, or gives a message back, costs a receive as well

}  // namespace ferry::cli
