#include "cli/dlq_edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "cli/queue_scan.h"
#include "sqs/limits.h"

namespace ferry::cli {
namespace {

constexpr Seconds kEditorTime{30};
constexpr Millis kEditorStep{100};
constexpr std::size_t kEditorErrorBytesMax = 4'096;  // of one run that are shown

Unexpected<Error> wrong(std::string_view text, std::string_view why) {
  return fail(ErrorKind::InvalidArgument, fmt::format("--edit \"{}\": {}", escape_control(text), why));
}

void set_attribute(sqs::MessageAttributes& attributes, const std::string& name, const sqs::MessageAttributeValue& value) {
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const auto& one) { return one.first == name; });
  if (found != attributes.end()) {
    found->second = value;
  } else {
    attributes.emplace_back(name, value);
  }
}

bool has_attribute(const sqs::MessageAttributes& attributes, std::string_view name) {
  return std::any_of(attributes.begin(), attributes.end(), [&](const auto& one) { return one.first == name; });
}

void edit_attributes(sqs::MessageAttributes& attributes, const Edits& edits) {
  for (const AttributeEdit& edit : edits.attributes) {
    if (edit.drop) {
      std::erase_if(attributes, [&](const auto& one) { return one.first == edit.name; });
    } else {
      set_attribute(attributes, edit.name, edit.value);
    }
  }
}

// Runs the command once. Whatever it does, it has ended when this returns.
Result<std::string> run_editor(const ProcessOptions& options, const sqs::Message& message, const CommandContext& context) {
  auto started = Process::start(options);
  if (!started) return Unexpected(started.error());
  Process& process = **started;
  const SteadyTime deadline = context.clock.steady() + kEditorTime;
  std::string_view input = message.body;
  std::string out;
  std::string err;
  while (!process.exit_status()) {
    const Process::Events events = process.step(input, kEditorStep);
    input.remove_prefix(std::min(input.size(), events.input_taken));
    out += events.out;
    if (err.size() < kEditorErrorBytesMax) err += events.err;
    if (out.size() > sqs::kMessageBytesMax) return fail(ErrorKind::InvalidArgument, "the command's body is larger than 1 MiB");
    if (context.clock.steady() > deadline) {
      return fail(ErrorKind::Timeout, fmt::format("the command did not end within {} s", kEditorTime.count()));
    }
  }
  if (!err.empty()) write_text(context.err, fmt::format("{}: {}\n", options.argv.front(), escape_control(trim(err))));
  const ExitStatus status = *process.exit_status();
  if (status.signalled) return fail(ErrorKind::InvalidArgument, fmt::format("the command was killed by signal {}", status.value));
  if (status.value != 0) return fail(ErrorKind::InvalidArgument, fmt::format("the command ended with {}", status.value));
  return out;
}
}  // namespace

Result<AttributeEdit> parse_edit(std::string_view text, const sender::FileReader& read_file) {
  AttributeEdit edit;
  if (text.starts_with("drop:")) {
    edit.drop = true;
    edit.name = text.substr(5);
    if (edit.name.empty() || edit.name.find('=') != std::string::npos) return wrong(text, "write drop:NAME");
    return edit;
  }
  if (!text.starts_with("set:")) {
    return wrong(text, "write set:NAME[:TYPE]=VALUE or drop:NAME; a new body is made by a command behind --");
  }
  auto parsed = sender::parse_attribute(text.substr(4), read_file);
  if (!parsed) return wrong(text, parsed.error().message);
  edit.name = std::move(parsed->first);
  edit.value = std::move(parsed->second);
  return edit;
}

Result<sqs::SendMessageEntry> compose_replay(const sqs::Message& message, const Edits& edits, sqs::QueueKind kind) {
  sqs::SendMessageEntry entry;
  entry.message_body = message.body;
  entry.message_attributes = message.message_attributes;
  if (const auto trace = system_value(message, "AWSTraceHeader")) {
    entry.message_system_attributes.emplace_back("AWSTraceHeader", sqs::MessageAttributeValue{"String", *trace, {}, false});
  }
  entry.message_group_id = system_value(message, "MessageGroupId");
  if (kind == sqs::QueueKind::Fifo) {
    if (!entry.message_group_id) {
      return fail(ErrorKind::InvalidArgument, "it has no message group, and a FIFO queue takes none without");
    }
    entry.message_deduplication_id = "ferry-replay-" + message.message_id;
  }
  edit_attributes(entry.message_attributes, edits);
  if (edits.any() && has_attribute(message.message_attributes, kSignatureAttribute) &&
      has_attribute(entry.message_attributes, kSignatureAttribute)) {
    return fail(ErrorKind::InvalidArgument,
                "it is signed, and an edit breaks the signature; to send it unsigned add --edit drop:Ferry");
  }
  if (!edits.mark.empty()) {
    set_attribute(entry.message_attributes, edits.mark, sqs::MessageAttributeValue{"String", message.message_id, {}, false});
  }
  if (edits.body) {
    FERRY_TRY(entry.message_body, edits.body(message));
  }
  if (const auto refusal = sender::message_refusal(entry)) return fail(ErrorKind::InvalidArgument, *refusal);
  return entry;
}

Result<BodyEditor> make_body_editor(const std::vector<std::string>& argv, const CommandContext& context) {
  ProcessOptions options;
  options.argv = argv;
  options.program = argv.front();
  const std::string path = context.environment("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  if (options.program.find('/') == std::string::npos) {
    FERRY_TRY(options.program, find_program(argv.front(), path));
  }
  FERRY_TRY_VOID(check_program(options.program));
  options.environment = {"PATH=" + path, "HOME=" + context.environment("HOME").value_or("/"),
                         "LANG=" + context.environment("LANG").value_or("C.UTF-8")};
  return BodyEditor([options, &context](const sqs::Message& message) {
    ProcessOptions own = options;
    own.environment.push_back("FERRY_MESSAGE_ID=" + message.message_id);
    return run_editor(own, message, context);
  });
}

}  // namespace ferry::cli
