// Children: how one is started, stepped, ended, and how many are waited for at once.
//
// A child is made by vfork, for what it is to be told before its program runs (limits, what happens when we die) no other call
// can say. Between vfork and execve it lives in our memory while the thread that called stands still: it does system calls only,
// with all signals blocked until its own dispositions are the default ones.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <limits>

#include "base/process.h"
#include "base/sigpipe_guard.h"

namespace ferry {
namespace {

constexpr std::size_t kPipeReadBytes = 64 * 1024;
constexpr std::chrono::milliseconds kTickWithoutWatch{20};  // how often a child is looked at when the kernel cannot tell
constexpr int kControlDescriptor = 3;
constexpr int kControlReadsAtEnd = 4;  // what a pipe holds, and no endless writer
constexpr rlim_t kDescriptorsOfPrograms = 1'024;
constexpr int kDescriptorsClosedMax = 65'536;
constexpr std::uint64_t kWakeTag = std::numeric_limits<std::uint64_t>::max();

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

std::vector<char*> c_strings(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

struct Limit {
  int resource;
  rlimit value;
};

// Everything that the child needs, worked out before it exists.
struct ChildPlan {
  const ProcessOptions* options;
  char* const* argv;
  char* const* environment;
  std::array<int, 4> descriptors;  // become 0, 1, 2 and 3; -1: none
  int report;                      // where the child tells why there will be no program
  pid_t parent;
  std::vector<Limit> limits;
};

std::vector<Limit> limits_of(const ProcessLimits& wanted) {
  std::vector<Limit> limits;
  const auto add = [&](int resource, const std::optional<std::uint64_t>& value, std::uint64_t spare) {
    if (!value) return;
    rlimit now{};
    ::getrlimit(static_cast<__rlimit_resource>(resource), &now);
    const rlim_t hard = std::min<rlim_t>(*value + spare, now.rlim_max);
    limits.push_back({resource, {std::min<rlim_t>(*value, hard), hard}});
  };
  add(RLIMIT_AS, wanted.memory_bytes, 0);
  add(RLIMIT_CPU, wanted.cpu_seconds, 1);
  add(RLIMIT_NOFILE, wanted.files, 0);
  if (!wanted.files) {  // we may have raised ours; programs that use select() fail with more
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    limits.push_back({RLIMIT_NOFILE, {std::min(now.rlim_cur, kDescriptorsOfPrograms), now.rlim_max}});
  }
  add(RLIMIT_NPROC, wanted.processes, 0);
  return limits;
}

void close_the_rest_on_exec(int first) {
  if (::close_range(static_cast<unsigned>(first), ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  for (int descriptor = first; descriptor < kDescriptorsClosedMax; ++descriptor) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

// System calls only. Returns when there is no program: errno says why.
void become(const ChildPlan& plan) {
  ::setpgid(0, 0);
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &plain, nullptr);
  if (plan.options->ends_with_us) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.parent) ::_exit(127);  // we died before that
  }
  if (plan.options->no_new_privileges) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (!plan.options->working_folder.empty() && ::chdir(plan.options->working_folder.c_str()) != 0) return;
  int next = 0;
  for (const int descriptor : plan.descriptors) {
    if (descriptor >= 0 && ::dup2(descriptor, next) < 0) return;
    if (descriptor >= 0) ++next;
  }
  close_the_rest_on_exec(next);
  for (const Limit& limit : plan.limits) {
    if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &limit.value) != 0) return;
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan.options->program.c_str(), plan.argv, plan.environment);
}

// Nothing of this frame may change between the two returns of vfork.
[[gnu::noinline]] pid_t fork_into(const ChildPlan& plan) {
  const pid_t pid = ::vfork();
  if (pid != 0) return pid;
  become(plan);
  const int why = errno;
  [[maybe_unused]] const ssize_t written = ::write(plan.report, &why, sizeof why);
  ::_exit(127);
}

// 0, or the errno of what failed.
int spawn_child(ChildPlan& plan, int report, pid_t& pid) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid = fork_into(plan);
  const int fork_error = pid < 0 ? errno : 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(take(plan.report));
  if (pid < 0) return fork_error;
  int why = 0;
  ssize_t got = 0;
  do {
    got = ::read(report, &why, sizeof why);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof why)) return 0;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return why;
}

// Reads what is there. Returns false at end of file.
bool read_available(int descriptor, std::string& out) {
  std::array<char, kPipeReadBytes> buffer;
  const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
  if (got > 0) out.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

Error cannot_start(int why, const std::string& program) {
  if (why == ENOEXEC) {
    return {ErrorKind::PermissionDenied, fmt::format("cannot start {}: neither a binary nor a script with a #! line", program)};
  }
  Error error = system_error(why, "start", program);
  if (why == ENOENT || why == ENOTDIR) error.kind = ErrorKind::NotFound;
  if (why == EACCES || why == EPERM) error.kind = ErrorKind::PermissionDenied;
  return error;
}
}  // namespace

Result<std::unique_ptr<Process>> Process::start(const ProcessOptions& options) {
  Pipe in;
  Pipe out;
  Pipe err;
  Pipe control;
  Pipe report;
  if (!in.open() || !out.open() || !err.open() || !report.open() || (options.control && !control.open())) {
    return Unexpected(system_error(errno, "make a pipe for", options.program));
  }
  // One that lies where another is to be put would be overwritten, or stay close-on-exec in its place; lift such ones above.
  for (int* end : {&in.read, &out.write, &err.write, &control.write, &report.write}) {
    if (*end < 0 || *end > kControlDescriptor) continue;
    const int lifted = ::fcntl(*end, F_DUPFD_CLOEXEC, kControlDescriptor + 1);
    if (lifted < 0) return Unexpected(system_error(errno, "make a pipe for", options.program));
    ::close(std::exchange(*end, lifted));
  }
  const std::vector<char*> argv = c_strings(options.argv);
  const std::vector<char*> environment = c_strings(options.environment);
  ChildPlan plan{&options,           argv.data(), environment.data(),       {in.read, out.write, err.write, control.write},
                 take(report.write), ::getpid(),  limits_of(options.limits)};
  pid_t pid = -1;
  if (const int why = spawn_child(plan, report.read, pid); why != 0) return Unexpected(cannot_start(why, options.program));
  std::unique_ptr<Process> process(new Process());
  process->pid_ = pid;
  process->watch_ = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  process->stdin_ = take(in.write);
  process->stdout_ = take(out.read);
  process->stderr_ = take(err.read);
  process->control_ = take(control.read);
  for (const int descriptor : {process->stdin_, process->stdout_, process->stderr_, process->control_}) {
    if (descriptor >= 0) set_nonblocking(descriptor);
  }
  return process;
}

Process::~Process() {
  if (!exit_) finish();
  close_pipe(stdin_);
  close_pipe(stdout_);
  close_pipe(stderr_);
  close_pipe(control_);
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
std::string Process::finish() {
  std::string control;
  if (exit_) return control;
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_ = WIFSIGNALED(status) ? ExitStatus{true, WTERMSIG(status)} : ExitStatus{false, WEXITSTATUS(status)};
  ended_ = true;
  for (int i = 0; control_ >= 0 && i < kControlReadsAtEnd; ++i) {
    const std::size_t before = control.size();
    if (!read_available(control_, control) || control.size() == before) break;
  }
  return control;
}

bool Process::wait_for_events(std::string_view input, std::chrono::milliseconds timeout) {
  std::array<pollfd, 5> watched{};
  std::size_t count = 0;
  for (const int descriptor : {stdout_, stderr_, control_}) {
    if (descriptor >= 0) watched[count++] = {descriptor, POLLIN, 0};
  }
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

Process::Events Process::advance(std::string_view input) {
  Events events;
  if (exit_) return events;
  feed(input, events);
  if (stdout_ >= 0 && !read_available(stdout_, events.out)) close_pipe(stdout_);
  if (stderr_ >= 0 && !read_available(stderr_, events.err)) close_pipe(stderr_);
  if (control_ >= 0 && !read_available(control_, events.control)) close_pipe(control_);
  if (!ended_) ended_ = child_has_ended();
  if (ended_ && stdout_ < 0 && stderr_ < 0) events.control += finish();
  return events;
}

Process::Events Process::step(std::string_view input, std::chrono::milliseconds timeout) {
  Events events;
  if (exit_) return events;
  feed(input, events);
  const bool was_ended = ended_;
  const bool happened = wait_for_events(input.substr(events.input_taken), timeout);
  const std::size_t taken = events.input_taken;
  events = advance(input.substr(taken));
  events.input_taken += taken;
  if (was_ended && !happened && !exit_) events.control += finish();
  return events;
}

void Process::signal(GroupSignal signal) {
  if (!exit_) ::kill(-pid_, signal == GroupSignal::Kill ? SIGKILL : SIGTERM);
}

ProcessSet::ProcessSet() : poll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  FERRY_CHECK(poll_ >= 0 && wake_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeTag;
  FERRY_CHECK(::epoll_ctl(poll_, EPOLL_CTL_ADD, wake_, &event) == 0);
}

ProcessSet::~ProcessSet() {
  ::close(wake_);
  ::close(poll_);
}

// A descriptor leaves the set when it is closed. That of stdin is told once each time it becomes writable: what can be written
// is written at each advance().
void ProcessSet::add(const Process& process, std::uint64_t tag) {
  const auto watch = [&](int descriptor, std::uint32_t events) {
    if (descriptor < 0) return;
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    FERRY_CHECK(::epoll_ctl(poll_, EPOLL_CTL_ADD, descriptor, &event) == 0);
  };
  watch(process.stdin_, EPOLLOUT | EPOLLET);
  for (const int descriptor : {process.stdout_, process.stderr_, process.control_}) watch(descriptor, EPOLLIN);
  watch(process.watch_, EPOLLIN | EPOLLET);
  if (process.watch_ < 0) unwatched_.insert(tag);
}

std::vector<std::uint64_t> ProcessSet::wait(std::chrono::milliseconds timeout) {
  if (!unwatched_.empty()) timeout = std::min(timeout, kTickWithoutWatch);
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(std::clamp<std::int64_t>(timeout.count(), 0, INT_MAX)));
  std::vector<std::uint64_t> tags(unwatched_.begin(), unwatched_.end());
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    std::uint64_t told = 0;
    if (tag != kWakeTag) {
      tags.push_back(tag);
    } else {
      [[maybe_unused]] const ssize_t got = ::read(wake_, &told, sizeof told);
    }
  }
  return tags;
}

void ProcessSet::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

}  // namespace ferry
