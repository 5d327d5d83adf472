#include "worker/transcript.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/encoding.h"
#include "base/log.h"
#include "base/process.h"

namespace ferry::worker {

Result<std::unique_ptr<Transcript>> Transcript::open(const std::string& path, const Clock& clock) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return Unexpected(system_error(errno, "open the transcript", path));
  return std::unique_ptr<Transcript>(new Transcript(descriptor, clock));
}

Transcript::~Transcript() {
  ::close(descriptor_);
}

void Transcript::line(std::string_view text) {
  const std::string whole = fmt::format("{} [{}] {}\n", format_utc(clock_.wall()), current_process_id(), escape_control(text));
  // One write, or the line may be torn; a transcript that cannot be written does not stop the work.
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, whole.data(), whole.size());
}

void Reporter::say(Verbosity least, std::string_view text) {
  if (sink_) return sink_(least, escape_control(text));
  if (transcript_ != nullptr) transcript_->line(text);
  if (descriptor_ < 0 || verbosity_ < least) return;
  [[maybe_unused]] const Result<void> written = write_all(descriptor_, escape_control(text) + "\n");
}

std::string clip(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return escape_control(text);
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return escape_control(text.substr(0, end)) + "…";
}

}  // namespace ferry::worker
