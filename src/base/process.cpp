#include "base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace ferry {
namespace {

constexpr std::size_t kPipeReadBytes = 64 * 1024;
constexpr std::chrono::milliseconds kTickWithoutWatch{20};   // how often a child is looked at when the kernel cannot tell
constexpr std::chrono::milliseconds kSilenceAfterExit{200};  // a grandchild may keep the pipes open for ever

struct Pipe {
  int read = -1;
  int write = -1;
  ~Pipe() {
    if (read >= 0) ::close(read);
    if (write >= 0) ::close(write);
  }
  bool open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
};

int take(int& descriptor) {
  return std::exchange(descriptor, -1);
}

void set_nonblocking(int descriptor) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

// Writing to a pipe whose reader is gone raises SIGPIPE; whether anybody has switched that off is not for us to rely on.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~SigpipeGuard() {
    const int saved = errno;
    if (!was_pending_) {
      const timespec none{};
      while (sigtimedwait(&set_, nullptr, &none) == -1 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = saved;
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

std::vector<char*> c_strings(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

int spawn_child(const ProcessOptions& options, const std::array<int, 3>& standard, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  if (!options.working_folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, options.working_folder.c_str());
  for (int i = 0; i < 3; ++i) posix_spawn_file_actions_adddup2(&actions, standard[static_cast<std::size_t>(i)], i);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv = c_strings(options.argv);
  std::vector<char*> environment = c_strings(options.environment);
  const int status = ::posix_spawn(&pid, options.program.c_str(), &actions, &attributes, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return status;
}

// Reads what is there. Returns false at end of file.
bool read_available(int descriptor, std::string& out) {
  std::array<char, kPipeReadBytes> buffer;
  const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
  if (got > 0) out.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}
}  // namespace

Result<std::unique_ptr<Process>> Process::start(const ProcessOptions& options) {
  Pipe in;
  Pipe out;
  Pipe err;
  if (!in.open() || !out.open() || !err.open()) return Unexpected(system_error(errno, "make a pipe for", options.program));
  // A descriptor 0, 1 or 2 that is already the right one would stay close-on-exec in the child; lift such ones above.
  for (int* end : {&in.read, &out.write, &err.write}) {
    if (*end > 2) continue;
    const int lifted = ::fcntl(*end, F_DUPFD_CLOEXEC, 3);
    if (lifted < 0) return Unexpected(system_error(errno, "make a pipe for", options.program));
    ::close(std::exchange(*end, lifted));
  }
  pid_t pid = -1;
  const int status = spawn_child(options, {in.read, out.write, err.write}, pid);
  if (status == ENOEXEC) {
    return fail(ErrorKind::PermissionDenied,
                fmt::format("cannot start {}: neither a binary nor a script with a #! line", options.program));
  }
  if (status != 0) {
    Error error = system_error(status, "start", options.program);
    if (status == ENOENT || status == ENOTDIR) error.kind = ErrorKind::NotFound;
    if (status == EACCES || status == EPERM) error.kind = ErrorKind::PermissionDenied;
    return Unexpected(std::move(error));
  }
  std::unique_ptr<Process> process(new Process());
  process->pid_ = pid;
  process->watch_ = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  process->stdin_ = take(in.write);
  process->stdout_ = take(out.read);
  process->stderr_ = take(err.read);
  for (const int descriptor : {process->stdin_, process->stdout_, process->stderr_}) set_nonblocking(descriptor);
  return process;
}

Process::~Process() {
  if (!exit_) {
    ::kill(-pid_, SIGKILL);
    finish();
  }
  close_pipe(stdin_);
  close_pipe(stdout_);
  close_pipe(stderr_);
  close_pipe(watch_);
}

void Process::close_pipe(int& descriptor) {
  if (descriptor >= 0) ::close(take(descriptor));
}

bool Process::child_has_ended() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
}

// Until the child is reaped its id, which is also its group's, cannot be given to anybody else.
void Process::finish() {
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_ = WIFSIGNALED(status) ? ExitStatus{true, WTERMSIG(status)} : ExitStatus{false, WEXITSTATUS(status)};
}

bool Process::wait_for_events(std::string_view input, std::chrono::milliseconds timeout) {
  std::array<pollfd, 4> watched{};
  std::size_t count = 0;
  if (stdout_ >= 0) watched[count++] = {stdout_, POLLIN, 0};
  if (stderr_ >= 0) watched[count++] = {stderr_, POLLIN, 0};
  if (stdin_ >= 0 && !input.empty()) watched[count++] = {stdin_, POLLOUT, 0};
  if (!ended_ && watch_ >= 0) watched[count++] = {watch_, POLLIN, 0};
  if (!ended_ && watch_ < 0) timeout = std::min(timeout, kTickWithoutWatch);
  if (ended_) timeout = kSilenceAfterExit;
  const int ready = ::poll(watched.data(), count, static_cast<int>(std::clamp<std::int64_t>(timeout.count(), 0, INT_MAX)));
  return ready > 0;
}

void Process::feed(std::string_view input, Events& events) {
  if (stdin_ < 0) {
    events.input_taken = input.size();
    return;
  }
  if (input.empty()) return close_pipe(stdin_);
  const SigpipeGuard guard;
  const ssize_t written = ::write(stdin_, input.data(), input.size());
  if (written >= 0) {
    events.input_taken = static_cast<std::size_t>(written);
    if (events.input_taken == input.size()) close_pipe(stdin_);
  } else if (errno != EAGAIN && errno != EINTR) {
    close_pipe(stdin_);
    events.input_taken = input.size();
  }
}

Process::Events Process::step(std::string_view input, std::chrono::milliseconds timeout) {
  Events events;
  if (exit_) return events;
  feed(input, events);
  const bool happened = wait_for_events(input.substr(events.input_taken), timeout);
  if (stdout_ >= 0 && !read_available(stdout_, events.out)) close_pipe(stdout_);
  if (stderr_ >= 0 && !read_available(stderr_, events.err)) close_pipe(stderr_);
  const bool silent = ended_ && !happened;
  if (!ended_) ended_ = child_has_ended();
  if (ended_ && ((stdout_ < 0 && stderr_ < 0) || silent)) finish();
  return events;
}

void Process::signal(GroupSignal signal) {
  if (!exit_) ::kill(-pid_, signal == GroupSignal::Kill ? SIGKILL : SIGTERM);
}

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
