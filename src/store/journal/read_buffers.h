#pragma once
// Memory for what is read from disk, used again and again: it lies together, in large pages where the system gives them, so that
// records of many places are found without walking page tables, and reading on costs no page faults.

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace ferry::store {

/// Thread-safe. What it gave out may outlive it.
class ReadBuffers {
 public:
  /// The size of buffers that are used again; others are allocated and freed. As much memory is kept as was given out at once.
  static constexpr std::size_t kBytes = 256u << 10;

  /// At a multiple of 4 KiB, not initialised.
  std::shared_ptr<std::byte> take(std::size_t bytes);

 private:
  struct Release {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  struct Kept {
    std::mutex mutex;
    std::vector<std::unique_ptr<std::byte, Release>> regions;
    std::vector<std::byte*> unused;

    void add_region();
  };
  const std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
};

}  // namespace ferry::store
