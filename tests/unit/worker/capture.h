#pragma once
// A reporter whose lines can be looked at, a folder that goes away, handlers that are functions.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "worker/handler.h"
#include "worker/transcript.h"

namespace ferry::worker::testing_support {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path().string() + "/ferry-worker-XXXXXX";
    const char* made = ::mkdtemp(pattern.data());
    FERRY_CHECK(made != nullptr);
    path_ = made;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    std::ofstream(file(name), std::ios::binary) << text;
    ::chmod(file(name).c_str(), mode);
    return file(name);
  }
  std::string read(const std::string& name) const {
    std::ifstream stream(file(name), std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }

 private:
  std::string path_;
};

/// Everything that is said goes into a transcript; text() is all of it so far.
class Capture {
 public:
  explicit Capture(const Clock& clock)
      : transcript_(std::move(*Transcript::open(folder_.file("said"), clock))),
        reporter_(Verbosity::Quiet, -1, transcript_.get()) {}
  Reporter& reporter() { return reporter_; }
  std::string text() const { return folder_.read("said"); }
  bool says(const std::string& part) const { return text().find(part) != std::string::npos; }
  int count(const std::string& part) const {
    const std::string all = text();
    int found = 0;
    for (std::size_t at = all.find(part); at != std::string::npos; at = all.find(part, at + 1)) ++found;
    return found;
  }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Transcript> transcript_;
  Reporter reporter_;
};

/// Each handler is a function on a thread of its own.
class ThreadRunner final : public HandlerRunner {
 public:
  using Function = std::function<HandlerResult(const HandlerCall& call, const InterruptLevel& interrupt)>;
  explicit ThreadRunner(Function function) : function_(std::move(function)) {}
  ~ThreadRunner() override {
    for (std::thread& thread : threads_) thread.join();
  }
  void start(HandlerCall call, Done done) override {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, call = std::move(call), done = std::move(done)] { done(function_(call, interrupt_)); });
  }
  void interrupt(int level) override { interrupt_ = level; }

 private:
  Function function_;
  InterruptLevel interrupt_{0};
  std::mutex mutex_;
  std::vector<std::thread> threads_;  // guarded by mutex_
};

/// Starts one handler and waits for its end.
inline HandlerResult run_to_the_end(HandlerRunner& runner, HandlerCall call) {
  std::promise<HandlerResult> promise;
  std::future<HandlerResult> result = promise.get_future();
  runner.start(std::move(call), [&promise](HandlerResult one) { promise.set_value(std::move(one)); });
  return result.get();
}

}  // namespace ferry::worker::testing_support
