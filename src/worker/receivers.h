#pragma once
// Threads that receive beside the one that waits for messages, as long as there are more than that one brings.

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ferry::worker {

class Receivers {
 public:
  enum class Answer {
    Full,   ///< as many messages as were asked for: there are more
    Part,   ///< fewer
    Empty,  ///< none, or none could be asked for
  };
  /// One receive that does not wait for messages to come; what it brings is in hand when it returns. Any thread, several at a
  /// time.
  using Receive = std::function<Answer()>;
  /// At most `most` threads, made when they are needed; none may be.
  Receivers(std::size_t most, Receive receive) : most_(most), receive_(std::move(receive)) {}
  ~Receivers() { stop(); }
  Receivers(const Receivers&) = delete;
  Receivers& operator=(const Receivers&) = delete;

  /// An answer was full: one more receives from now on. Of these, each full answer adds one, and each empty one takes one away.
  void add_one();
  /// Returns when the receives that are on the way have ended; none follows.
  void stop();
  /// How many receive now.
  std::size_t active() const;

 private:
  void run(std::size_t index);
  void add_one_more();

  const std::size_t most_;
  const Receive receive_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t wanted_ = 0;  // guarded by mutex_, like the rest
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace ferry::worker
