#include "cli/dlq_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "base/encoding.h"

namespace ferry::cli {
namespace {

constexpr std::string_view kMagic = "ferry-replay 1 ";
constexpr std::size_t kIdCharsMax = 100;                  // a message id has at most 100 characters
constexpr std::uint64_t kFileBytesMax = 1'024ULL << 20U;  // more is no state of a replay
constexpr std::uint64_t kStartOverBytes = 256 * 1024;     // an empty state that is longer is written anew

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kIdCharsMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}
}  // namespace

Result<std::unique_ptr<ReplayState>> ReplayState::open(FileSystem& files, const std::string& path, const std::string& queue_url) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (!folder.empty()) FERRY_TRY_VOID(files.create_directory(folder));
  auto lock = files.lock(path + ".lock");
  if (!lock && lock.error().kind == ErrorKind::Busy) {
    return fail(ErrorKind::Busy, fmt::format("another replay is at it: it holds {}.lock; wait for its end", path));
  }
  if (!lock) return Unexpected(lock.error());
  std::unique_ptr<ReplayState> state(
      new ReplayState(files, path, fmt::format("{}{}\n", kMagic, escape_control(queue_url)), std::move(*lock)));
  OpenMode mode;
  mode.access = OpenMode::Access::ReadWrite;
  mode.creation = OpenMode::Creation::IfAbsent;
  FERRY_TRY(state->file_, files.open(path, mode));
  FERRY_TRY_VOID(state->load());
  return state;
}

Result<void> ReplayState::load() {
  FERRY_TRY(const std::uint64_t size, file_->size());
  if (size == 0) return start_over();
  if (size > kFileBytesMax) return fail(ErrorKind::Corrupt, fmt::format("{} is no state of a replay: {} bytes", path_, size));
  std::string text(size, '\0');
  FERRY_TRY(const std::size_t got, file_->read_at(0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  const std::size_t end = text.rfind('\n');
  if (end == std::string::npos && header_.starts_with(text)) return start_over();  // killed while it was made
  if (!text.starts_with(header_)) {
    const std::string first = text.substr(0, std::min<std::size_t>(text.find('\n'), 200));
    return fail(ErrorKind::Corrupt,
                fmt::format("{} is not the state of a replay of this queue (it starts with \"{}\"); name another file "
                            "with --state",
                            path_, escape_control(first)));
  }
  text.resize(end + 1);
  bytes_ = text.size();
  std::size_t number = 1;
  for (std::size_t at = header_.size(); at < text.size();) {
    const std::size_t stop = text.find('\n', at);
    FERRY_TRY_VOID(take_line(std::string_view(text).substr(at, stop - at), ++number));
    at = stop + 1;
  }
  return file_->truncate(bytes_);
}

Result<void> ReplayState::take_line(std::string_view line, std::size_t number) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  std::string_view id = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  std::optional<std::int64_t> time = 0;
  if (word == "sending") {
    const std::size_t second = id.find(' ');
    time = second == std::string_view::npos ? std::nullopt : parse_integer(id.substr(second + 1));
    id = id.substr(0, second);
  }
  const bool is_word = word == "sending" || word == "sent" || word == "kept" || word == "gone";
  if (!is_word || !is_id(id) || !time) {
    return fail(ErrorKind::Corrupt,
                fmt::format("{}:{}: \"{}\" is no line of a replay; mend it, or remove the file: messages that it names "
                            "as sent may then be sent again",
                            path_, number, escape_control(line.substr(0, 200))));
  }
  if (word == "sending") newest_ = std::max(newest_.value_or(from_epoch_millis(0)), from_epoch_millis(*time));
  note(word, std::string(id));
  return {};
}

void ReplayState::note(std::string_view word, const std::string& id) {
  if (word == "gone" || word == "kept") {
    known_.erase(id);
  } else {
    known_[id] = word == "sent" ? Known::Sent : Known::Doubtful;
  }
}

ReplayState::Known ReplayState::known(const std::string& id) const {
  const auto found = known_.find(id);
  return found == known_.end() ? Known::Nothing : found->second;
}

Result<void> ReplayState::append(std::string_view word, std::span<const std::string> ids, std::string_view tail) {
  std::string text;
  for (const std::string& id : ids) {
    if (!is_id(id))
      return fail(ErrorKind::InvalidArgument, fmt::format("\"{}\" is no message id that can be kept", escape_control(id)));
    text += fmt::format("{} {}{}\n", word, id, tail);
  }
  FERRY_TRY_VOID(file_->write_at(bytes_, std::as_bytes(std::span(text))));
  bytes_ += text.size();
  for (const std::string& id : ids) note(word, id);
  return {};
}

Result<void> ReplayState::step(std::string_view word, std::span<const std::string> ids, std::string_view tail) {
  if (ids.empty()) return {};
  FERRY_TRY_VOID(append(word, ids, tail));
  return file_->sync();
}

Result<void> ReplayState::sending(std::span<const std::string> ids, Timestamp now) {
  newest_ = std::max(newest_.value_or(now), now);
  return step("sending", ids, fmt::format(" {}", to_epoch_millis(now)));
}

Result<void> ReplayState::gone(std::span<const std::string> ids) {
  if (ids.empty()) return {};
  FERRY_TRY_VOID(append("gone", ids, {}));
  return known_.empty() && bytes_ > kStartOverBytes ? start_over() : Result<void>();
}

Result<void> ReplayState::start_over() {
  FERRY_TRY_VOID(file_->truncate(0));
  bytes_ = header_.size();
  FERRY_TRY_VOID(file_->write_at(0, std::as_bytes(std::span(header_))));
  return file_->sync();
}

Result<void> ReplayState::forget() {
  file_.reset();
  return files_.remove(path_);
}

std::string default_state_path(std::string_view xdg_state_home, std::string_view home, std::string_view queue_url) {
  const Sha256Digest digest = sha256(queue_url);
  const std::string name = "ferry/replay-" + hex_encode(std::span(digest)).substr(0, 24);
  if (xdg_state_home.starts_with('/')) return fmt::format("{}/{}", xdg_state_home, name);
  return home.empty() ? std::string() : fmt::format("{}/.local/state/{}", home, name);
}

}  // namespace ferry::cli
