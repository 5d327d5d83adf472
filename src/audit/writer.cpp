// The chain is made under the mutex: number, hash of the line before, file. A thread writes what has gathered, in order, and
// syncs it; a line's hash never depends on what the disk did. Rotation, too, is decided when the line gets its place: pending
// bytes carry the path of their file.

#include "audit/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "audit/chain.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/process.h"
#include "base/uuid.h"

namespace ferry::audit {
namespace {

constexpr std::size_t kDayChars = 10;  // of 2026-11-23T08:00:00.000Z

std::string day_of(Timestamp time) {
  return format_utc(time).substr(0, kDayChars);
}

std::string folder_file(const std::string& folder, const std::string& name) {
  return fmt::format("{}/{}", folder, name);
}

OpenMode mode_of(OpenMode::Creation creation) {
  OpenMode mode;
  mode.access = OpenMode::Access::ReadWrite;
  mode.creation = creation;
  return mode;
}

std::vector<Field> whose() {
  return {{"host", current_host_name()}, {"pid", static_cast<std::int64_t>(current_process_id())}};
}

// The first line of a file that names its chain: its first whole line, in every file of ours.
Result<std::string> chain_id_of(FileSystem& files, const std::string& path) {
  FERRY_TRY(auto file, files.open(path, OpenMode{}));
  LineReader reader(std::move(file));
  for (;;) {
    FERRY_TRY(const auto line, reader.next());
    if (!line) return fail(ErrorKind::Corrupt, fmt::format("{} names no chain; move it elsewhere to begin a new one", path));
    const auto record = parse_line(line->text);
    if (record && !record->text("chain").empty()) return std::string(record->text("chain"));
  }
}
}  // namespace

Result<std::unique_ptr<Writer>> Writer::open(WriterOptions options, FileSystem& files, const Clock& clock, Random& random) {
  while (options.folder.size() > 1 && options.folder.ends_with('/')) options.folder.pop_back();
  FERRY_TRY_VOID(files.create_directory(options.folder));
  for (int number = 1; number <= kChainsMax; ++number) {
    auto lock = files.lock(folder_file(options.folder, fmt::format("audit-{:02}.lock", number)));
    if (lock) return open_chain(number, std::move(*lock), std::move(options), files, clock, random);
    if (lock.error().kind != ErrorKind::Busy) return Unexpected(std::move(lock).error());
  }
  return fail(ErrorKind::Busy, fmt::format("{} processes write audit trails in {} already; give this one a folder of its own",
                                           kChainsMax, options.folder));
}

Result<std::unique_ptr<Writer>> Writer::open_chain(int number, std::unique_ptr<FileLock> lock, WriterOptions options,
                                                   FileSystem& files, const Clock& clock, Random& random) {
  std::unique_ptr<Writer> writer(new Writer(std::move(options), files, clock));
  writer->lock_ = std::move(lock);
  writer->number_ = number;
  const std::string chain_name = folder_file(writer->options_.folder, fmt::format("audit-{:02}", number));
  FERRY_TRY(std::vector<ChainFile> found, find_chain_files(files, {writer->options_.folder}));
  std::erase_if(found, [&](const ChainFile& file) { return file.chain != chain_name; });
  if (!found.empty() && found.back().bytes == 0) {  // a crash between making a file and its first line
    FERRY_TRY_VOID(files.remove(found.back().path));
    found.pop_back();
  }
  if (found.empty()) {
    writer->chain_ = to_string(make_uuid(random));
    writer->begin_file(kChainOpened);
  } else {
    FERRY_TRY_VOID(writer->find_end(found, random));
  }
  FERRY_TRY_VOID(writer->open_checkpoints());
  Writer& started = *writer;
  writer->thread_ = std::thread([&started] { started.run(); });
  FERRY_TRY_VOID(writer->flush());
  return writer;
}

// Where the chain ends: in the last file, or in the one before it when the last one's only line is torn.
Result<void> Writer::find_end(const std::vector<ChainFile>& found, Random& random) {
  path_ = found.back().path;
  FERRY_TRY(file_, files_.open(path_, mode_of(OpenMode::Creation::MustExist)));
  FERRY_TRY(const ChainEnd end, read_chain_end(*file_, path_));
  written_bytes_ = file_bytes_ = end.bytes;
  std::optional<Record> last = end.last;
  last_hash_ = last ? end.last_hash : std::string(kFirstPrev);
  std::string whole_path = path_;
  if (!last && found.size() > 1) {
    whole_path = found[found.size() - 2].path;
    FERRY_TRY(const auto before, files_.open(whole_path, OpenMode{}));
    FERRY_TRY(ChainEnd end_before, read_chain_end(*before, whole_path));
    last = std::move(end_before.last);
    last_hash_ = std::move(end_before.last_hash);
  }
  if (last) {
    FERRY_TRY(chain_, chain_id_of(files_, whole_path));
    last_seq_ = last->seq;
    day_ = last->time.substr(0, kDayChars);
  } else {
    chain_ = to_string(make_uuid(random));
    last_hash_ = kFirstPrev;
  }
  std::string torn = end.torn;
  if (end.lacks_line_break || (!torn.empty() && !torn.ends_with('\n'))) add_bytes("\n");
  std::vector<Field> fields = whose();
  if (torn.empty()) {
    add_own(kChainResumed, std::move(fields));
    return {};
  }
  if (!torn.ends_with('\n')) torn.push_back('\n');
  fields.push_back({"torn_bytes", static_cast<std::int64_t>(torn.size())});
  fields.push_back({"torn_sha256", hash_line(torn)});
  add_own(kChainRepaired, std::move(fields));
  return {};
}

Result<void> Writer::open_checkpoints() {
  if (!options_.key || options_.checkpoint_folder.empty()) return {};
  FERRY_TRY_VOID(files_.create_directory(options_.checkpoint_folder));
  const std::string path = folder_file(options_.checkpoint_folder, chain_ + ".jsonl");
  FERRY_TRY(checkpoint_file_, files_.open(path, mode_of(OpenMode::Creation::IfAbsent)));
  FERRY_TRY(checkpoint_bytes_, checkpoint_file_->size());
  return files_.sync_directory(options_.checkpoint_folder);
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Unexpected<Error> Writer::failure() const {
  if (failure_) return Unexpected(*failure_);
  return fail(ErrorKind::Cancelled, "the audit trail is closed");
}

Result<std::uint64_t> Writer::append(const Entry& entry) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return pending_bytes_ <= options_.pending_bytes_max || failure_ || closed_; });
  if (failure_ || closed_) return failure();
  place(entry);
  const std::uint64_t seq = last_entry_seq_;
  lock.unlock();
  changed_.notify_all();
  return seq;
}

Result<void> Writer::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t target = last_seq_;
  flush_seq_ = std::max(flush_seq_, target);
  changed_.notify_all();
  changed_.wait(lock, [&] { return durable_seq_ >= target || failure_; });
  if (failure_) return failure();
  return {};
}

Result<void> Writer::close() {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return failure();
    if (!closed_) add_own(kChainClosed);
    closed_ = true;
  }
  return flush();
}

void Writer::begin_file(std::string_view event) {
  path_ = folder_file(options_.folder, chain_file_name(number_, last_seq_ + 1));
  file_bytes_ = 0;
  only_own_lines_ = true;
  pending_.push_back({path_, true, {}});
  add_own(event, whose());
}

bool Writer::rotation_is_due(std::size_t line_bytes, const std::string& day) const {
  if (only_own_lines_) return false;
  return day > day_ || file_bytes_ + line_bytes + 1 > options_.file_bytes_max;
}

void Writer::place(const Entry& entry) {
  const Timestamp now = clock_.wall();
  std::string line = format_line(entry, {last_seq_ + 1, now, last_hash_});
  if (rotation_is_due(line.size(), day_of(now))) {
    begin_file(kChainContinued);
    line = format_line(entry, {last_seq_ + 1, now, last_hash_});
  }
  add_line(line);
  last_entry_seq_ = last_seq_;
  day_ = std::max(day_, day_of(now));
  only_own_lines_ = false;
  ++unsigned_lines_;
  if (options_.key && unsigned_lines_ >= options_.checkpoint_lines) add_own(kCheckpoint);
}

void Writer::add_own(std::string_view event, std::vector<Field> fields) {
  const std::uint64_t seq = last_seq_ + 1;
  fields.insert(fields.begin(), Field{"chain", chain_});
  if (options_.key) {
    const Ed25519Signature signature = options_.key->sign(signed_text(chain_, seq, last_hash_));
    fields.push_back({"key", ed25519_key_id(options_.key->public_key())});
    fields.push_back({"signature", base64_encode({reinterpret_cast<const char*>(signature.data()), signature.size()})});
  }
  const Timestamp now = clock_.wall();
  day_ = std::max(day_, day_of(now));
  const std::string line = format_line({std::string(event), {}, {}, {}, {}, std::move(fields)}, {seq, now, last_hash_});
  add_line(line);
  if (!options_.key) return;
  pending_checkpoints_ += line;
  pending_checkpoints_.push_back('\n');
  unsigned_lines_ = 0;
}

void Writer::add_line(std::string_view line) {
  ++last_seq_;
  last_hash_ = hash_line(line);
  add_bytes(line);
  add_bytes("\n");
}

void Writer::add_bytes(std::string_view bytes) {
  if (pending_.empty() || pending_.back().path != path_) pending_.push_back({path_, false, {}});
  pending_.back().bytes += bytes;
  pending_bytes_ += bytes.size();
  file_bytes_ += bytes.size();
}

// Whether there is anything to do: bytes to write, or written ones to sync. False: the writer stops.
bool Writer::wait_for_work(std::unique_lock<std::mutex>& lock) {
  const auto ready = [&] { return stopping_ || !pending_.empty() || flush_seq_ > durable_seq_; };
  if (options_.sync == Sync::Interval && unsynced_) {
    changed_.wait_for(lock, options_.sync_interval, ready);
  } else {
    changed_.wait(lock, ready);
  }
  return !stopping_ || !pending_.empty() || unsynced_;
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  while (wait_for_work(lock)) {
    const std::deque<Chunk> group = std::exchange(pending_, {});
    unsynced_checkpoints_ += std::exchange(pending_checkpoints_, {});
    pending_bytes_ = 0;
    const std::uint64_t target = last_seq_;
    const bool asked = options_.sync == Sync::EachGroup || flush_seq_ > durable_seq_ || stopping_;
    lock.unlock();
    changed_.notify_all();
    Result<void> done = write_group(group);
    const bool due = unsynced_ && (asked || clock_.steady() - unsynced_since_ >= options_.sync_interval || group.empty());
    if (done && due) done = sync_group();
    lock.lock();
    if (!done) {
      failure_ = done.error();
      pending_.clear();
      pending_bytes_ = 0;
      changed_.notify_all();
      return;
    }
    if (!unsynced_) durable_seq_ = target;
    changed_.notify_all();
  }
}

Result<void> Writer::write_group(const std::deque<Chunk>& group) {
  for (const Chunk& chunk : group) {
    if (chunk.creates) {
      if (unsynced_) FERRY_TRY_VOID(file_->sync());
      FERRY_TRY(file_, files_.open(chunk.path, mode_of(OpenMode::Creation::MustBeNew)));
      FERRY_TRY_VOID(files_.sync_directory(options_.folder));
      written_bytes_ = 0;
    }
    FERRY_TRY_VOID(file_->write_at(written_bytes_, std::as_bytes(std::span(chunk.bytes))));
    written_bytes_ += chunk.bytes.size();
    if (!unsynced_) unsynced_since_ = clock_.steady();
    unsynced_ = true;
  }
  return {};
}

// Signed lines leave only when what they sign is durable: a crash cannot make them look like a cut.
Result<void> Writer::sync_group() {
  FERRY_TRY_VOID(file_->sync());
  unsynced_ = false;
  const std::string lines = std::exchange(unsynced_checkpoints_, {});
  if (!checkpoint_file_ || lines.empty()) return {};
  FERRY_TRY_VOID(checkpoint_file_->write_at(checkpoint_bytes_, std::as_bytes(std::span(lines))));
  checkpoint_bytes_ += lines.size();
  return checkpoint_file_->sync();
}

}  // namespace ferry::audit
