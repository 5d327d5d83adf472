#pragma once
// The one place that knows processes: starting one in a group of its own, its pipes, its end, signals to it and to us.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"

namespace ferry {

struct ProcessOptions {
  std::string program;                   ///< a path; never looked up anywhere
  std::vector<std::string> argv;         ///< argv[0] included; handed over as they are, no shell
  std::vector<std::string> environment;  ///< "NAME=VALUE"; nothing is inherited
  std::string working_folder;            ///< ours when empty
};

/// How a process ended.
struct ExitStatus {
  bool signalled = false;
  int value = 0;  ///< exit code, or the signal's number
};

enum class GroupSignal { Terminate, Kill };

/// A child in its own process group with pipes to its stdin, stdout and stderr; no other descriptor is inherited.
/// One thread at a time. The destructor kills what is left of the group and waits for the child.
class Process {
 public:
  /// NotFound and PermissionDenied when the program cannot be executed; Io for anything else.
  static Result<std::unique_ptr<Process>> start(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// What happened in one step().
  struct Events {
    std::string out;  ///< bytes from stdout
    std::string err;  ///< bytes from stderr
    std::size_t input_taken = 0;
  };
  /// Waits up to `timeout` for output, for room for `input`, or for the child's end. When `input` is empty stdin is closed.
  /// A child that does not read its input is no error: once it has closed stdin, all further input counts as taken.
  Events step(std::string_view input, std::chrono::milliseconds timeout);

  /// Set once the child has ended and its output is read: until end of file, or for as long as a grandchild kept the pipes
  /// open and silent for 200 ms after the child's end. Whatever is left of the group has been killed by then.
  const std::optional<ExitStatus>& exit_status() const { return exit_; }

  /// To every process of the group. Nothing happens once exit_status() is set.
  void signal(GroupSignal signal);
  int pid() const { return pid_; }

 private:
  Process() = default;
  bool wait_for_events(std::string_view input, std::chrono::milliseconds timeout);
  void feed(std::string_view input, Events& events);
  void close_pipe(int& descriptor);
  bool child_has_ended() const;
  void finish();

  int pid_ = -1;
  int watch_ = -1;  // becomes readable when the child ends; -1 where the kernel has no such thing
  int stdin_ = -1;
  int stdout_ = -1;
  int stderr_ = -1;
  bool ended_ = false;
  std::optional<ExitStatus> exit_;
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
