#include "cli/send_signing.h"

#include <fmt/format.h>

#include "cli/send_trace.h"
#include "client/queue_reference.h"
#include "signing/key_file.h"
#include "signing/signer.h"

namespace ferry::cli {
namespace {

constexpr std::size_t kRefusalsMax = 20;

Unexpected<sender::Refusals> refuse(std::string why) {
  return Unexpected(sender::Refusals{{std::move(why)}});
}

// The first that is set: the flag, the environment, the configuration.
std::string key_word(const SigningFlags& flags, const std::string& configured, const CommandContext& context) {
  if (!flags.key.empty()) return flags.key;
  const std::string from_environment = context.environment("FERRY_SIGNING_KEY").value_or("");
  return from_environment.empty() ? configured : from_environment;
}

Result<std::optional<signing::PrivateKey>> load_key(const std::string& word, const CommandContext& context) {
  if (word.empty()) return std::optional<signing::PrivateKey>();
  FERRY_TRY(const std::string path, signing::key_path(word, context.environment));
  auto key = signing::load_private_key(path);
  if (!key && key.error().kind == ErrorKind::NotFound) {
    return fail(
        ErrorKind::NotFound,
        fmt::format("{} (ferry key new makes a key, ferry key ls lists them; a file elsewhere is named with its path, as in "
                    "./my.key)",
                    key.error().message));
  }
  if (!key) return Unexpected(std::move(key).error());
  return std::optional<signing::PrivateKey>(std::move(*key));
}
}  // namespace

Result<void, sender::Refusals> stamp_messages(std::vector<sender::Outgoing>& outgoing, const std::string& queue,
                                              const StampWith& with, const CommandContext& context) {
  const SigningFlags& flags = with.flags;
  if (flags.idempotency_key && outgoing.size() > 1)
    return refuse("--idempotency-key is for one message: workers would take the others for duplicates of the first");
  auto key = load_key(key_word(flags, with.configured_key, context), context);
  if (!key) return refuse(fmt::format("nothing can be signed: {}", key.error().message));
  if (flags.valid_for && !*key) return refuse("--expires is part of what is signed; name a key with --sign");
  if (flags.valid_for && flags.valid_for->count() == 0) return refuse("--expires must be longer than nothing");
  const signing::Stamper stamper(*key ? &**key : nullptr, context.clock, context.random);
  std::vector<sqs::SendMessageEntry> stamped;
  sender::Refusals refusals;
  std::size_t without_trace = 0;
  std::size_t without_state = 0;
  for (std::size_t i = 0; i < outgoing.size() && refusals.messages.size() < kRefusalsMax; ++i) {
    const sender::Outgoing& one = outgoing[i];
    signing::Stamp stamp;
    const auto reference = client::parse_queue_argument(one.queue.empty() ? queue : one.queue);
    if (!reference) return refuse(reference.error().message);
    stamp.queue = reference->name;
    stamp.idempotency_key = flags.idempotency_key ? flags.idempotency_key : one.idempotency_key;
    stamp.valid_for = flags.valid_for;
    sqs::SendMessageEntry entry = one.entry;
    const auto done = sender::stamp_traced(stamper, entry, std::move(stamp), with.trace ? &*with.trace : nullptr);
    if (done) {
      without_trace += *done == sender::TraceFit::NoRoom ? 1 : 0;
      without_state += *done == sender::TraceFit::NoState ? 1 : 0;
    } else {
      refusals.messages.push_back(outgoing.size() == 1 ? done.error().message
                                                       : fmt::format("message {}: {}", i + 1, done.error().message));
    }
    stamped.push_back(std::move(entry));
  }
  if (!refusals.messages.empty()) return Unexpected(std::move(refusals));
  for (std::size_t i = 0; i < outgoing.size(); ++i) outgoing[i].entry = std::move(stamped[i]);
  if (!with.quiet) tell_left_out(without_trace, without_state, context);
  return {};
}

}  // namespace ferry::cli
