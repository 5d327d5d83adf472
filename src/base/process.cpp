#include "base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "base/sigpipe_guard.h"

namespace ferry {
namespace {

constexpr std::size_t kPipeReadBytes = 64 * 1024;
}  // namespace

struct SignalWatch::State {
  int signals = -1;
  int wake = -1;
  sigset_t before{};
  std::function<void(int)> on_signal;
};

SignalWatch::SignalWatch(std::span<const int> signals, std::function<void(int)> on_signal) : state_(std::make_unique<State>()) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, &state_->before);
  state_->on_signal = std::move(on_signal);
  state_->signals = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  state_->wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  FERRY_CHECK(state_->signals >= 0 && state_->wake >= 0);
  thread_ = std::thread([state = state_.get()] {
    for (;;) {
      std::array<pollfd, 2> watched{pollfd{state->signals, POLLIN, 0}, pollfd{state->wake, POLLIN, 0}};
      if (::poll(watched.data(), watched.size(), -1) < 0) continue;
      if (watched[1].revents != 0) return;
      signalfd_siginfo info{};
      while (::read(state->signals, &info, sizeof info) == sizeof info) state->on_signal(static_cast<int>(info.ssi_signo));
    }
  });
}

SignalWatch::~SignalWatch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(state_->wake, &one, sizeof one);
  thread_.join();
  ::close(state_->signals);
  ::close(state_->wake);
  pthread_sigmask(SIG_SETMASK, &state_->before, nullptr);
}

Result<void> check_program(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(ErrorKind::NotFound, fmt::format("there is no program {}", path));
    return Unexpected(system_error(errno, "look at the program", path));
  }
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::PermissionDenied, fmt::format("{} is not a file", path));
  if (::access(path.c_str(), X_OK) != 0) {
    return fail(ErrorKind::PermissionDenied, fmt::format("{} is not executable (chmod +x makes it so)", path));
  }
  if ((info.st_mode & S_IWOTH) != 0) {
    return fail(ErrorKind::PermissionDenied, fmt::format("{} is writable for everybody (chmod o-w mends it)", path));
  }
  std::array<char, PATH_MAX> resolved;
  if (::realpath(path.c_str(), resolved.data()) == nullptr) return Unexpected(system_error(errno, "resolve", path));
  std::string folder(resolved.data());
  while (folder.size() > 1) {
    folder.resize(std::max<std::size_t>(folder.rfind('/'), 1));
    if (::stat(folder.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0) {
      return fail(ErrorKind::PermissionDenied,
                  fmt::format("{} lies below {}, which is writable for everybody, so anybody may replace it", path, folder));
    }
  }
  return {};
}

Result<std::string> find_program(std::string_view name, std::string_view search_path) {
  std::string_view rest = search_path;
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const std::string_view folder = rest.substr(0, colon);
    rest.remove_prefix(std::min(colon + 1, rest.size()));
    if (folder.empty() || folder.front() != '/') continue;
    const std::string candidate = fmt::format("{}/{}", folder, name);
    struct stat info {};
    if (::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return fail(ErrorKind::NotFound, fmt::format("there is no program {} in {}", name, search_path));
}

bool is_terminal(int descriptor) {
  return ::isatty(descriptor) == 1;
}
int current_process_id() {
  return ::getpid();
}

std::string current_host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("localhost");
}

std::string current_user_name() {
  std::array<char, 16 * 1024> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return fmt::format("uid {}", ::geteuid());
}

Result<void> write_all(int descriptor, std::string_view bytes) {
  const SigpipeGuard guard;
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd watched{descriptor, POLLOUT, 0};
      ::poll(&watched, 1, -1);
    } else if (errno != EINTR) {
      Error error = system_error(errno, "write to", fmt::format("descriptor {}", descriptor));
      if (errno == EPIPE) error.kind = ErrorKind::PermissionDenied;
      return Unexpected(std::move(error));
    }
  }
  return {};
}

Result<std::string> read_all(int descriptor, std::size_t bytes_max) {
  std::string bytes;
  std::array<char, kPipeReadBytes> buffer;
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got == 0) return bytes;
    if (got < 0 && errno == EAGAIN) {
      pollfd watched{descriptor, POLLIN, 0};
      ::poll(&watched, 1, -1);
    } else if (got < 0 && errno != EINTR) {
      return Unexpected(system_error(errno, "read from", fmt::format("descriptor {}", descriptor)));
    } else if (got > 0) {
      bytes.append(buffer.data(), static_cast<std::size_t>(got));
      if (bytes.size() > bytes_max)
        return fail(ErrorKind::NoSpace, fmt::format("there are more than {} bytes to read", bytes_max));
    }
  }
}

Result<std::unique_ptr<HostLock>> HostLock::acquire(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    Error error = system_error(errno, "open the lock", path);
    if (errno == ELOOP || errno == EACCES) error.kind = ErrorKind::PermissionDenied;
    return Unexpected(std::move(error));
  }
  std::unique_ptr<HostLock> lock(new HostLock(descriptor));
  struct stat info {};
  if (::fstat(descriptor, &info) != 0 || info.st_uid != ::geteuid() || !S_ISREG(info.st_mode)) {
    return fail(ErrorKind::PermissionDenied, fmt::format("the lock {} belongs to somebody else", path));
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(ErrorKind::Busy, fmt::format("another process holds {}", path));
    return Unexpected(system_error(errno, "lock", path));
  }
  return lock;
}

HostLock::~HostLock() {
  ::close(descriptor_);
}

std::string host_lock_path(std::string_view runtime_folder, std::string_view name) {
  struct stat info {};
  const std::string folder(runtime_folder);
  if (!folder.empty() && folder.front() == '/' && ::stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return fmt::format("{}/ferry-{}.lock", folder, name);
  }
  return fmt::format("/tmp/ferry-{}-{}.lock", ::geteuid(), name);
}

}  // namespace ferry
