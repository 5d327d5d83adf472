#include "worker/oversight_setup.h"

#include <fmt/format.h>

#include "client/queue_reference.h"

namespace ferry::worker {

Result<std::unique_ptr<WorkerOversight>> WorkerOversight::open(const config::Handoff& handoff, const std::string& queue,
                                                               const OversightSeams& seams) {
  std::unique_ptr<WorkerOversight> made(new WorkerOversight());
  FERRY_TRY_VOID(made->open_trust(handoff.trust, queue, seams));
  FERRY_TRY_VOID(made->open_trail(handoff.audit, seams));
  if (made->admission_ || made->trail_)
    made->oversight_.emplace(
        Oversight::Parts{made->admission_ ? &*made->admission_ : nullptr, made->trail_.get(), seams.reporter, queue});
  return made;
}

Result<void> WorkerOversight::open_trust(const config::TrustTable& table, const std::string& queue, const OversightSeams& seams) {
  if (table.senders.empty()) return {};
  auto file = signing::TrustFile::open(table.senders, seams.clock,
                                       [&reporter = seams.reporter](signing::TrustFile::News news, std::string_view text) {
                                         if (news == signing::TrustFile::News::Refused) return reporter.warn(text);
                                         reporter.note(text);
                                       });
  if (!file) return fail(ErrorKind::InvalidArgument, file.error().text());
  FERRY_TRY(const client::QueueReference reference, client::parse_queue_argument(queue));
  trust_ = std::move(*file);
  admission_.emplace(signing::Admission::Options{reference.name, table.unsigned_messages}, *trust_, seams.clock);
  return {};
}

bool WorkerOversight::reload_trust() {
  if (trust_) trust_->reload();
  return trust_ != nullptr;
}

Result<void> WorkerOversight::open_trail(const config::AuditTable& table, const OversightSeams& seams) {
  if (table.folder.empty()) return {};
  audit::WriterOptions options;
  options.folder = table.folder;
  options.checkpoint_folder = table.checkpoints;
  if (table.sync_interval.count() > 0) {
    options.sync = audit::Sync::Interval;
    options.sync_interval = table.sync_interval;
  }
  if (!table.key.empty()) {
    FERRY_TRY(const std::string path, signing::key_path(table.key, seams.environment));
    FERRY_TRY(const signing::PrivateKey key, signing::load_private_key(path));
    options.key = key.secret;
  }
  auto writer = audit::Writer::open(std::move(options), files_, seams.clock, seams.random);
  if (!writer) return fail(writer.error().kind, fmt::format("the audit trail: {}", writer.error().message));
  trail_ = std::move(*writer);
  return {};
}

Result<void> WorkerOversight::close() {
  if (!trail_) return {};
  const Result<void> closed = trail_->close();
  if (closed) return {};
  return fail(closed.error().kind, fmt::format("the audit trail is not whole: {}", closed.error().message));
}

}  // namespace ferry::worker
