#pragma once
// What a replay sends: the dead letter as it is, with changed attributes, or with the body that a command makes of it.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "cli/command.h"
#include "sender/compose.h"
#include "sqs/api.h"
#include "sqs/names.h"

namespace ferry::cli {

struct AttributeEdit {
  bool drop = false;
  std::string name;
  sqs::MessageAttributeValue value;  ///< unless it is dropped
};
/// "set:NAME[:TYPE]=VALUE" or "drop:NAME". InvalidArgument.
Result<AttributeEdit> parse_edit(std::string_view text, const sender::FileReader& read_file);

/// Makes a new body of a message's body; the error says why there is none.
using BodyEditor = std::function<Result<std::string>(const sqs::Message& message)>;

struct Edits {
  std::vector<AttributeEdit> attributes;  ///< in their order
  std::string mark;                       ///< name of an attribute that gets the dead letter's message id; empty: none
  BodyEditor body;                        ///< may be empty

  bool any() const { return !attributes.empty() || !mark.empty() || body != nullptr; }
};

/// The attribute that holds a message's signature.
inline constexpr std::string_view kSignatureAttribute = "Ferry";

/// What is sent to a queue of `kind` for a dead letter: body, message attributes, trace header and group as they were, then the
/// edits. On a FIFO queue the deduplication id is made of the dead letter's message id: the original one may still be in its five
/// minutes, and the queue would swallow the message; and the same dead letter sent twice within five minutes arrives once.
/// InvalidArgument: an edit of a signed message that keeps its signature, a FIFO queue for a message without a group, or what SQS
/// would refuse. Blocks as long as the body's editor.
Result<sqs::SendMessageEntry> compose_replay(const sqs::Message& message, const Edits& edits, sqs::QueueKind kind);

/// An editor that runs argv (no shell) for each message: the body on stdin, the new one from stdout, at most 1 MiB; exit 0 within
/// 30 s, or the message is not replayed. Its environment is PATH, HOME, LANG and FERRY_MESSAGE_ID. What it says on stderr goes to
/// `context.err`, control characters escaped. Usage errors (no such program) are told at once.
Result<BodyEditor> make_body_editor(const std::vector<std::string>& argv, const CommandContext& context);

}  // namespace ferry::cli
