#include "cli/dlq_command.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "cli/dlq_parts.h"
#include "sqs/names.h"
#include "worker/transcript.h"

namespace ferry::cli {
namespace {

constexpr std::array kSubcommands = {
    Command{"ls", "list dead-letter queues with their sources and counts", dlq_list_command},
    Command{"show", "look at dead letters without taking them out", dlq_show_command},
    Command{"replay", "send dead letters back to where they came from", dlq_replay_command},
};

constexpr std::size_t kShownValueBytes = 30;

std::string usage() {
  std::string text = "Looks after dead letters.\n\nUsage: ferry dlq COMMAND …\n\n";
  for (const Command& command : kSubcommands) text += fmt::format("  {:<7} {}\n", command.name, command.summary);
  return text + R"(
Examples:
  ferry dlq ls
  ferry dlq show work-dead --where 'attr:Enable' -v
  ferry dlq replay work-dead --dry-run
  ferry dlq replay work-dead --rate 20/s

ferry dlq COMMAND --help says more.
)";
}
}  // namespace

const char* const kWhereHelp = R"(
Conditions of --where; a message is meant when all of them hold, and ! before one turns it round:
  attr:NAME  attr:NAME=VALUE  attr:NAME!=VALUE  attr:NAME~TEXT   a message attribute: is there, is, is not, contains
  body=TEXT  body!=TEXT  body~TEXT                               the body
  body:/POINTER  body:/POINTER=VALUE  (also != and ~)            a place in a JSON body
  age>10m  age<2h                                                time since it was first sent
  receives>3  (also =, !=, <, <=, >=)                            how often it was received, this time included
  id=ID  group=GROUP  from=QUEUE  (also != and ~)                message id, message group, queue it came from)";

StopSignals::StopSignals(const CommandContext& context) : flag_(context.stop != nullptr ? *context.stop : own_) {
  if (context.stop != nullptr) return;
  static constexpr std::array kSignals = {SIGINT, SIGTERM};
  watch_ = std::make_unique<SignalWatch>(kSignals, [this](int signal) { own_.request(signal); });
}

std::optional<int> read_conditions(const std::vector<std::string>& texts, std::vector<Condition>& conditions,
                                   const CommandContext& context, std::string_view command) {
  std::string wrong;
  for (const std::string& text : texts) {
    auto condition = parse_condition(text);
    if (condition) {
      conditions.push_back(std::move(*condition));
    } else {
      wrong += (wrong.empty() ? "" : "\n") + condition.error().message;
    }
  }
  if (wrong.empty()) return std::nullopt;
  return complain(context, command, wrong, kExitUsage);
}

std::string short_age(Millis age) {
  const std::int64_t seconds = std::max<std::int64_t>(age.count() / 1000, 0);
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (seconds < 7'200) return fmt::format("{}m", seconds / 60);
  if (seconds < 172'800) return fmt::format("{}h", seconds / 3'600);
  return fmt::format("{}d", seconds / 86'400);
}

std::string queue_name_of(const std::string& queue_url) {
  const auto address = sqs::parse_queue_url(queue_url);
  return address ? address->name : queue_url;
}

std::string attributes_in_short(const sqs::MessageAttributes& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) {
    const std::string shown = value.binary_value ? fmt::format("({} bytes)", value.binary_value->size())
                                                 : worker::clip(value.string_value.value_or(""), kShownValueBytes);
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", escape_control(name), shown);
  }
  return text;
}

int dlq_command(std::span<const std::string> arguments, CommandContext& context) {
  return run_one_of(kSubcommands, "ferry dlq", usage(), arguments, context);
}

}  // namespace ferry::cli
