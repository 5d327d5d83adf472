#include "signing/trust_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

namespace ferry::signing {

TrustFile::TrustFile(std::string path, const Clock& clock, Tell tell)
    : path_(std::move(path)), clock_(clock), tell_(std::move(tell)), next_look_(clock.steady() + kTrustFileLookInterval) {}

Result<std::unique_ptr<TrustFile>, TrustErrors> TrustFile::open(std::string path, const Clock& clock, Tell tell) {
  std::unique_ptr<TrustFile> made(new TrustFile(std::move(path), clock, std::move(tell)));
  made->read_ = made->look();  // before it is read: what changes in between is read again
  auto settings = load_allowed_senders(made->path_);
  if (!settings) return Unexpected(std::move(settings.error()));
  made->trust_ = std::make_shared<const Trust>(std::move(*settings));
  return made;
}

TrustFile::Identity TrustFile::look() const {
  struct stat info {};
  Identity identity;
  if (::stat(path_.c_str(), &info) != 0) return identity;
  identity.device = info.st_dev;
  identity.inode = info.st_ino;
  identity.size = info.st_size;
  identity.changed_seconds = info.st_ctim.tv_sec;
  identity.changed_nanos = info.st_ctim.tv_nsec;
  identity.written_seconds = info.st_mtim.tv_sec;
  identity.written_nanos = info.st_mtim.tv_nsec;
  return identity;
}

void TrustFile::read_again() {
  auto settings = load_allowed_senders(path_);
  if (!settings) {
    return tell_(News::Refused, fmt::format("the file of allowed senders was changed and cannot be used; what it said before "
                                            "still holds, so that keys taken back in it are still accepted: {}",
                                            settings.error().text()));
  }
  const std::size_t senders = settings->senders.size();
  const std::size_t revoked = settings->revoked.size();
  trust_ = std::make_shared<const Trust>(std::move(*settings));
  tell_(News::Taken, fmt::format("{} was read again: {} senders, {} revoked keys", path_, senders, revoked));
}

std::shared_ptr<const Trust> TrustFile::current() {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  const bool asked = reload_.exchange(false);
  if (!asked && now < next_look_) return trust_;
  next_look_ = now + kTrustFileLookInterval;
  const Identity there = look();
  if (!asked && there == read_) return trust_;
  read_ = there;
  read_again();
  return trust_;
}

}  // namespace ferry::signing
