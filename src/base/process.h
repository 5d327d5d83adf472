#pragma once
// The one place that knows processes: starting one in a group of its own, its pipes, its end, signals to it and to us.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"

namespace ferry {

/// What a child, and each process that it starts, may use at most. What is not given is limited as we are ourselves.
struct ProcessLimits {
  std::optional<std::uint64_t> memory_bytes;  ///< of address space
  std::optional<std::uint64_t> cpu_seconds;   ///< of processor time; SIGXCPU then, SIGKILL a second later
  std::optional<std::uint64_t> files;      ///< descriptors open at a time; not given: 1024, which it may raise as far as we may
  std::optional<std::uint64_t> processes;  ///< of the user it runs as, all of them; the system does not limit root
};

struct ProcessOptions {
  std::string program;                   ///< a path; never looked up anywhere
  std::vector<std::string> argv;         ///< argv[0] included; handed over as they are, no shell
  std::vector<std::string> environment;  ///< "NAME=VALUE"; nothing is inherited
  std::string working_folder;            ///< ours when empty
  bool control = false;                  ///< its descriptor 3 is a pipe to us
  bool no_new_privileges = false;        ///< it can gain none by set-user-id programs: sudo does not work
  bool ends_with_us = false;             ///< the child (not its children) gets SIGKILL when the thread that started it ends
  ProcessLimits limits{};
};

/// How a process ended.
struct ExitStatus {
  bool signalled = false;
  int value = 0;  ///< exit code, or the signal's number
};

enum class GroupSignal { Terminate, Kill };

/// A child in its own process group with pipes to its stdin, stdout and stderr, and to descriptor 3 if asked for; no other
/// descriptor is inherited. One thread at a time. The destructor kills what is left of the group and waits for the child.
class Process {
 public:
  /// NotFound and PermissionDenied when the program cannot be executed; Io for anything else.
  static Result<std::unique_ptr<Process>> start(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// What happened in one step.
  struct Events {
    std::string out;      ///< bytes from stdout
    std::string err;      ///< bytes from stderr
    std::string control;  ///< bytes from descriptor 3
    std::size_t input_taken = 0;
  };
  /// Does what can be done without waiting: writes `input`, reads, looks whether the child has ended. When `input` is empty
  /// stdin is closed. A child that does not read its input is no error: once it has closed stdin, all further input counts as
  /// taken.
  Events advance(std::string_view input);
  /// advance(), after waiting up to `timeout` for something to happen. Calls finish() by itself when a grandchild has kept the
  /// pipes open and silent for 200 ms after the child's end.
  Events step(std::string_view input, std::chrono::milliseconds timeout);

  /// The child has ended. Something of its group may hold stdout or stderr open: see finish().
  bool ended() const { return ended_; }
  /// Kills what is left of the group, waits for the child, answers what else descriptor 3 brought. advance() does it when the
  /// child has ended and both its outputs are at their end; else it is the caller's to say when to read on no longer.
  std::string finish();
  /// Set by finish().
  const std::optional<ExitStatus>& exit_status() const { return exit_; }

  /// To every process of the group. Nothing happens once exit_status() is set.
  void signal(GroupSignal signal);
  int pid() const { return pid_; }

 private:
  friend class ProcessSet;
  Process() = default;
  bool wait_for_events(std::string_view input, std::chrono::milliseconds timeout);
  void feed(std::string_view input, Events& events);
  void close_pipe(int& descriptor);
  bool child_has_ended() const;

  int pid_ = -1;
  int watch_ = -1;  // becomes readable when the child ends; -1 where the kernel has no such thing
  int stdin_ = -1;
  int stdout_ = -1;
  int stderr_ = -1;
  int control_ = -1;
  bool ended_ = false;
  std::optional<ExitStatus> exit_;
};

/// How long a grandchild may keep the pipes open and silent after the child's end.
inline constexpr std::chrono::milliseconds kSilenceAfterExit{200};

/// Waits for many processes at once. One thread at a time, but for wake().
class ProcessSet {
 public:
  ProcessSet();
  ~ProcessSet();
  ProcessSet(const ProcessSet&) = delete;
  ProcessSet& operator=(const ProcessSet&) = delete;

  /// From now on `tag` is answered when an advance() of the process has something to do. Any tag but the largest number.
  void add(const Process& process, std::uint64_t tag);
  /// Once, before the process is destroyed.
  void remove(std::uint64_t tag) { unwatched_.erase(tag); }
  /// The tags of processes with something to do, each once or more often; none after `timeout` or wake().
  std::vector<std::uint64_t> wait(std::chrono::milliseconds timeout);
  /// The wait that is on, or else the next one, ends at once. Thread-safe.
  void wake();

 private:
  int poll_ = -1;
  int wake_ = -1;
  std::set<std::uint64_t> unwatched_;  // whose end the kernel cannot tell
};

/// Whether we were asked to stop, how often, and by what. Thread-safe.
class StopFlag {
 public:
  void request(int signal) {
    int none = 0;
    signal_.compare_exchange_strong(none, signal);
    requests_.fetch_add(1);
  }
  int requests() const { return requests_.load(); }
  /// Number of the first signal; 0 while there was none.
  int signal() const { return signal_.load(); }

 private:
  std::atomic<int> requests_{0};
  std::atomic<int> signal_{0};
};

/// While it lives, the given signals do not interrupt the process but are told to `on_signal`, on a thread of this object.
/// Create it before any other thread: threads inherit the mask. The mask is restored by the destructor, on the same thread.
class SignalWatch {
 public:
  SignalWatch(std::span<const int> signals, std::function<void(int)> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::thread thread_;
};

/// Whether `path` can be executed by us, and why not: a sentence. Also refuses what others than its owner and group may
/// write to, for then they choose what we run: a program, or a folder above it that is not sticky.
Result<void> check_program(const std::string& path);
/// Absolute path of the first executable `name` in the folders of `search_path` ("a:b:c"). NotFound when there is none.
Result<std::string> find_program(std::string_view name, std::string_view search_path);

/// Whether a terminal is at the other end.
bool is_terminal(int descriptor);
int current_process_id();
std::string current_host_name();
/// Login name of the user we run as; "uid N" when the system has no name for it.
std::string current_user_name();

/// Writes all of `bytes`, waiting as long as it takes. PermissionDenied when the reader is gone (no signal is raised).
Result<void> write_all(int descriptor, std::string_view bytes);
/// Everything until end of file. NoSpace when there are more than `bytes_max`.
Result<std::string> read_all(int descriptor, std::size_t bytes_max);

/// An exclusive lock between processes of this host, held as long as the object lives or the process does.
class HostLock {
 public:
  /// Busy when another process holds it. PermissionDenied when the file is a link or not ours.
  static Result<std::unique_ptr<HostLock>> acquire(const std::string& path);
  ~HostLock();
  HostLock(const HostLock&) = delete;
  HostLock& operator=(const HostLock&) = delete;

 private:
  explicit HostLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};
/// Folder for such locks: `runtime_folder` when it is an absolute path to a folder, else /tmp; with a prefix for our user.
std::string host_lock_path(std::string_view runtime_folder, std::string_view name);

}  // namespace ferry
