#include "base/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <thread>

#include "capture.h"

namespace ferry {
namespace {

using worker::testing_support::TemporaryFolder;

struct Ended {
  ExitStatus status;
  std::string out;
  std::string err;
};

Ended run(Process& process, std::string_view input = {}) {
  Ended ended;
  while (!process.exit_status()) {
    const Process::Events events = process.step(input, Millis(50));
    input.remove_prefix(events.input_taken);
    ended.out += events.out;
    ended.err += events.err;
  }
  ended.status = *process.exit_status();
  return ended;
}

Ended shell(const std::string& script, std::string_view input = {}) {
  auto process = Process::start({"/bin/sh", {"sh", "-c", script}, {"PATH=/usr/bin:/bin"}, ""});
  EXPECT_TRUE(process);
  return run(**process, input);
}

// Dead, or dead and waiting for its new parent to notice.
bool is_gone(pid_t pid) {
  for (int i = 0; i < 400; ++i) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(status, line);
    if (line.empty() || line.find(") Z ") != std::string::npos) return true;
    sleep_for(Millis(5));
  }
  return false;
}

TEST(Process, TellsOutputAndExitCode) {
  const Ended ended = shell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(ended.out, "out\n");
  EXPECT_EQ(ended.err, "err\n");
  EXPECT_FALSE(ended.status.signalled);
  EXPECT_EQ(ended.status.value, 7);
}

TEST(Process, TakesInputThatIsLargerThanAPipe) {
  const std::string body(1024 * 1024, 'x');
  EXPECT_EQ(shell("wc -c", body).out.find("1048576"), 0u);
}

TEST(Process, InputThatNobodyReadsIsNoError) {
  const Ended ended = shell("exec <&-; exit 0", std::string(1024 * 1024, 'x'));
  EXPECT_EQ(ended.status.value, 0);
}

TEST(Process, EnvironmentIsWhatWasGivenAndNothingElse) {
  ::setenv("FERRY_TEST_SECRET", "1", 1);
  auto process = Process::start({"/usr/bin/env", {"env"}, {"A=1", "B=2"}, ""});
  ASSERT_TRUE(process);
  EXPECT_EQ(run(**process).out, "A=1\nB=2\n");
  ::unsetenv("FERRY_TEST_SECRET");
}

TEST(Process, DescriptorsSignalsAndFolderAreClean) {
  const int inherited = ::dup(1);  // without close-on-exec
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  auto process = Process::start(
      {"/bin/sh", {"sh", "-c", "ls /proc/self/fd | wc -l; pwd; grep SigBlk /proc/self/status"}, {"PATH=/usr/bin:/bin"}, "/"});
  pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  ::close(inherited);
  ASSERT_TRUE(process);
  EXPECT_EQ(run(**process).out, "4\n/\nSigBlk:\t0000000000000000\n");  // 0, 1, 2 and the folder that ls reads
}

TEST(Process, ArgumentsArriveAsTheyAre) {
  const std::vector<std::string> hostile = {"; rm -rf /", "$(id)", "a b", "--x", "\"'`\\", ""};
  std::vector<std::string> argv = {"printf", "[%s]"};
  argv.insert(argv.end(), hostile.begin(), hostile.end());
  auto process = Process::start({"/usr/bin/printf", argv, {}, ""});
  ASSERT_TRUE(process);
  std::string expected;
  for (const std::string& one : hostile) expected += "[" + one + "]";
  EXPECT_EQ(run(**process).out, expected);
}

TEST(Process, MissingAndForbiddenProgramsAreTold) {
  EXPECT_EQ(Process::start({"/no/such/program", {"x"}, {}, ""}).error().kind, ErrorKind::NotFound);
  const TemporaryFolder folder;
  const std::string plain = folder.write("plain", "x");
  EXPECT_EQ(Process::start({plain, {"x"}, {}, ""}).error().kind, ErrorKind::PermissionDenied);
  const std::string no_program = folder.write("empty", "\x01\x02", 0755);
  EXPECT_EQ(Process::start({no_program, {"x"}, {}, ""}).error().kind, ErrorKind::PermissionDenied);
}

TEST(Process, SignalReachesTheWholeGroup) {
  const TemporaryFolder folder;
  auto process = Process::start({"/bin/sh", {"sh", "-c", "sleep 1000 & echo $!; wait"}, {"PATH=/usr/bin:/bin"}, ""});
  ASSERT_TRUE(process);
  std::string out;
  while (out.find('\n') == std::string::npos) out += (*process)->step({}, Millis(50)).out;
  const pid_t grandchild = std::stoi(out);
  (*process)->signal(GroupSignal::Terminate);
  const Ended ended = run(**process);
  EXPECT_TRUE(ended.status.signalled);
  EXPECT_EQ(ended.status.value, SIGTERM);
  EXPECT_TRUE(is_gone(grandchild));
}

TEST(Process, GrandchildThatKeepsThePipesOpenIsKilledAfterTheChildsEnd) {
  const Ended ended = shell("sleep 1000 & echo $!; exit 3");
  EXPECT_EQ(ended.status.value, 3);
  const pid_t grandchild = std::stoi(ended.out);
  EXPECT_TRUE(is_gone(grandchild));
}

TEST(Process, DestructorLeavesNothingBehind) {
  pid_t pid = 0;
  {
    auto process = Process::start({"/bin/sleep", {"sleep", "1000"}, {}, ""});
    ASSERT_TRUE(process);
    pid = (*process)->pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(Process, DiesWithTheThreadThatStartedIt) {
  pid_t child = -1;
  std::unique_ptr<Process> process;
  std::thread([&] {
    ProcessOptions options;
    options.program = "/bin/sleep";
    options.argv = {"sleep", "1000"};
    options.ends_with_us = true;
    auto started = Process::start(options);
    ASSERT_TRUE(started);
    process = std::move(*started);
    child = process->pid();
  }).join();
  EXPECT_TRUE(is_gone(child));
  EXPECT_EQ(run(*process).status.value, SIGKILL);
}

TEST(Process, DescriptorThreeIsReadToItsEnd) {
  ProcessOptions options;
  options.program = "/bin/sh";
  options.argv = {"sh", "-c", "exec >&- 2>&-; sleep 0.2; echo last >&3"};
  options.environment = {"PATH=/usr/bin:/bin"};
  options.control = true;
  auto process = Process::start(options);
  ASSERT_TRUE(process);
  std::string control;
  while (!(*process)->exit_status()) control += (*process)->step({}, Millis(50)).control;
  EXPECT_EQ(control, "last\n");
}

TEST(Process, MissingFolderIsTold) {
  EXPECT_EQ(Process::start({"/bin/sh", {"sh"}, {}, "/no/such/folder"}).error().kind, ErrorKind::NotFound);
}

TEST(ProcessSet, TellsWhoHasSomethingToDo) {
  ProcessSet set;
  std::map<std::uint64_t, std::unique_ptr<Process>> processes;
  for (const std::uint64_t tag : {7u, 8u}) {
    auto process = Process::start({"/bin/sh", {"sh", "-c", tag == 7 ? "read x; echo $x" : "sleep 1000"}, {}, ""});
    ASSERT_TRUE(process);
    set.add(**process, tag);
    processes.emplace(tag, std::move(*process));
  }
  std::string_view input = "hello\n";
  std::string out;
  while (!processes[7]->exit_status()) {
    for (const std::uint64_t tag : set.wait(Millis(2'000))) {
      const Process::Events events = processes[tag]->advance(tag == 7 ? input : std::string_view());
      if (tag == 7) input.remove_prefix(events.input_taken);
      out += events.out;
    }
  }
  EXPECT_EQ(out, "hello\n");
  EXPECT_FALSE(processes[8]->ended());
  processes.erase(7);
  while (!set.wait(Millis(0)).empty()) processes[8]->advance({});
  set.wake();
  EXPECT_TRUE(set.wait(Seconds(1'000)).empty());
}

TEST(SignalWatch, TellsSignalsAndRestoresTheMask) {
  StopFlag stop;
  {
    constexpr int kSignals[] = {SIGUSR2};
    const SignalWatch watch(kSignals, [&](int signal) { stop.request(signal); });
    ::kill(::getpid(), SIGUSR2);
    while (stop.requests() < 1) std::this_thread::yield();
    ::kill(::getpid(), SIGUSR2);
    while (stop.requests() < 2) std::this_thread::yield();
  }
  EXPECT_EQ(stop.signal(), SIGUSR2);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGUSR2), 0);
}

TEST(HostLock, IsHeldByOne) {
  const TemporaryFolder folder;
  auto first = HostLock::acquire(folder.file("lock"));
  ASSERT_TRUE(first);
  EXPECT_EQ(HostLock::acquire(folder.file("lock")).error().kind, ErrorKind::Busy);
  first->reset();
  EXPECT_TRUE(HostLock::acquire(folder.file("lock")));
}

TEST(HostLock, FollowsNoLink) {
  const TemporaryFolder folder;
  folder.write("target", "");
  ASSERT_EQ(::symlink(folder.file("target").c_str(), folder.file("lock").c_str()), 0);
  EXPECT_EQ(HostLock::acquire(folder.file("lock")).error().kind, ErrorKind::PermissionDenied);
}

TEST(HostLock, PathIsTheRuntimeFolderOrTmp) {
  const TemporaryFolder folder;
  EXPECT_EQ(host_lock_path(folder.path(), "x"), folder.file("ferry-x.lock"));
  EXPECT_EQ(host_lock_path("", "x"), "/tmp/ferry-" + std::to_string(::geteuid()) + "-x.lock");
  EXPECT_EQ(host_lock_path("/no/such/folder", "x").find("/tmp/ferry-"), 0u);
}

TEST(Descriptors, ReadAllIsBoundedAndWriteToNobodyIsAnError) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_TRUE(write_all(ends[1], "12345"));
  ::close(ends[1]);
  EXPECT_EQ(read_all(ends[0], 4).error().kind, ErrorKind::NoSpace);
  ::close(ends[0]);
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_TRUE(write_all(ends[1], "1234"));
  ::close(ends[1]);
  EXPECT_EQ(*read_all(ends[0], 4), "1234");
  ::close(ends[0]);
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  EXPECT_EQ(write_all(ends[1], "x").error().kind, ErrorKind::PermissionDenied);
  ::close(ends[1]);
}

}  // namespace
}  // namespace ferry
