// How many random reads the disk gives: the same size as the server's, through the page cache as the server's, anywhere in
// its segment files, by so many threads. Whoever calls drops the files from the page cache first.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "programs.h"

namespace ferry::bench {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;

struct Region {
  int descriptor;
  std::uint64_t first_block, blocks;
};

}  // namespace

int reads(const Arguments& arguments) {
  const std::uint64_t size = arguments.count("--bytes", 16384, {4096, 1 << 20});
  std::vector<Region> regions;
  std::uint64_t blocks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(arguments.words()[1])) {
    if (!entry.is_regular_file() || entry.file_size() < (1U << 20) || !entry.path().filename().string().starts_with("segment-"))
      continue;
    const std::uint64_t here = (entry.file_size() - size) / kBlockBytes;
    regions.push_back({::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC), blocks, here});
    if (regions.back().descriptor < 0) die("cannot open " + entry.path().string());
    blocks += here;
  }
  if (blocks == 0) die("no segment files in " + arguments.words()[1]);

  const SteadyTime begun = SteadyClock::now();
  const SteadyTime until =
      begun + std::chrono::milliseconds(static_cast<int>(arguments.number("--seconds", 1, {0.1, 60}) * 1000));
  std::atomic<std::uint64_t> done{0};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < arguments.count("--threads", 1, {1, 256}); ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(i + 1);
      std::vector<char> buffer(size);
      while (SteadyClock::now() < until) {
        const std::uint64_t block = random() % blocks;
        auto region = regions.begin();
        while (block >= region->first_block + region->blocks) ++region;
        if (::pread(region->descriptor, buffer.data(), size, static_cast<off_t>((block - region->first_block) * kBlockBytes)) !=
            static_cast<ssize_t>(size)) {
          die("cannot read");
        }
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - begun).count();
  for (const Region& region : regions) ::close(region.descriptor);
  std::printf("{\"reads\":%llu,\"seconds\":%.3f,\"mib\":%llu}\n", static_cast<unsigned long long>(done.load()), seconds,
              static_cast<unsigned long long>(blocks * kBlockBytes >> 20));
  return 0;
}

}  // namespace ferry::bench
