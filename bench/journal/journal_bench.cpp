// Durable records per second of the journal, beside a bare loop that writes blocks of the same sizes in the same way.
//
//   journal_bench FOLDER [SECONDS]
//
// FOLDER lies on a real disk and is emptied of what the run makes. Each producer keeps its share of the records in flight:
// it reserves, fills and publishes a record of 1 KiB, and the next one when an earlier one is durable. "put" keeps all records;
// "life" is put, then a small update, then a delete, each waited for.

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/posix_file.h"
#include "base/random.h"
#include "store/journal/journal.h"

namespace {

using namespace ferry;
constexpr std::uint32_t kPayloadBytes = 1024;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double seconds_between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double>(to - from).count();
}

// Tells the producers how far the log is durable.
class BenchOwner final : public store::Owner {
 public:
  Result<void> restore_piece(std::span<const std::byte>) override { return {}; }
  Result<void> replay(store::Position, const store::Location&, std::span<const std::byte>) override { return {}; }
  Result<void> recovered() override { return {}; }
  void on_durable(store::Position position) override {
    {
      const std::lock_guard lock(mutex_);
      durable_ = position.value;
    }
    changed_.notify_all();
  }
  void on_failed(const Error& error) override {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    std::abort();
  }
  Result<store::Position> write_checkpoint(store::CheckpointSink&) override { return store::Position{durable_}; }
  void relocate(const store::Location&, std::span<const std::byte>) override {}

  std::uint64_t wait_beyond(std::uint64_t position) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return durable_ > position; });
    return durable_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t durable_ = 0;
};

enum class Work { Put, Life };

struct Outcome {
  std::uint64_t records = 0;
  std::uint64_t messages = 0;
  std::uint64_t refused = 0;
};

struct InFlight {
  std::uint64_t position;
  int step;  // 0: put, 1: updated, 2: deleted
  store::Location body;
};

void produce(store::Journal& journal, BenchOwner& owner, Work work, std::size_t window, const std::atomic<bool>& stop,
             Outcome& outcome) {
  std::string text(kPayloadBytes, 'x');
  std::vector<InFlight> waiting;
  std::vector<InFlight> next;
  std::uint64_t durable = 0;
  const auto append = [&](const InFlight& message, std::uint32_t bytes, bool is_body) {
    const store::RecordShape shape{bytes, is_body};
    for (;;) {
      auto reservation = journal.reserve(std::span(&shape, 1), is_body ? store::Purpose::Growth : store::Purpose::Upkeep);
      if (!reservation) {
        ++outcome.refused;
        std::this_thread::yield();
        continue;
      }
      std::memcpy(reservation->slots[0].bytes.data(), text.data(), bytes);
      InFlight sent{reservation->last.value, message.step, is_body ? reservation->slots[0].location : message.body};
      journal.publish(std::move(*reservation));
      ++outcome.records;
      return sent;
    }
  };
  for (std::size_t i = 0; i < window; ++i) waiting.push_back(append({0, 0, {}}, kPayloadBytes, true));
  while (!stop) {
    durable = owner.wait_beyond(waiting.front().position - 1);
    next.clear();
    std::size_t done = 0;
    for (; done < waiting.size() && waiting[done].position <= durable; ++done) {
      InFlight message = waiting[done];
      if (work == Work::Put || message.step == 2) {
        ++outcome.messages;
        next.push_back(append({0, 0, {}}, kPayloadBytes, true));
      } else {
        ++message.step;
        next.push_back(append(message, 16, false));
        if (message.step == 2) journal.release(std::span(&message.body, 1));
      }
    }
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(done));
    waiting.insert(waiting.end(), next.begin(), next.end());
  }
  owner.wait_beyond(waiting.back().position - 1);
}

// The same writes without a journal: one thread, blocks of `bytes`, into space that was written before.
double bare_writes_per_second(const std::string& folder, std::size_t bytes, double seconds, const Clock& clock) {
  PosixFileSystem files;
  const std::string path = folder + "/bare";
  OpenMode mode{
      .access = OpenMode::Access::ReadWrite, .creation = OpenMode::Creation::IfAbsent, .caching = OpenMode::Caching::Direct};
  constexpr std::size_t kFileBytes = 64u << 20;
  AlignedBuffer buffer(1u << 20);
  std::memset(buffer.data(), 0, buffer.size());
  {
    const auto file = std::move(*files.open(path, mode));
    for (std::size_t at = 0; at < kFileBytes; at += buffer.size()) FERRY_CHECK(file->write_at(at, buffer.span()));
    FERRY_CHECK(file->sync());
  }
  mode.writes = OpenMode::Writes::Durable;
  const auto file = std::move(*files.open(path, mode));
  std::memset(buffer.data(), 'x', buffer.size());
  const SteadyTime begin = clock.steady();
  std::uint64_t writes = 0;
  for (std::size_t at = 0; seconds_between(begin, clock.steady()) < seconds; at += bytes, ++writes) {
    if (at + bytes > kFileBytes) at = 0;
    FERRY_CHECK(file->write_at(at, buffer.span().first(bytes)));
  }
  const double elapsed = seconds_between(begin, clock.steady());
  FERRY_CHECK(files.remove(path));
  return static_cast<double>(writes) / elapsed;
}

void run(const std::string& folder, Work work, std::size_t in_flight, double seconds) {
  constexpr std::size_t kProducers = 2;
  std::filesystem::remove_all(folder + "/store");
  PosixFileSystem files;
  SystemClock clock;
  SystemRandom random;
  const Logger log(clock, LogLevel::Warn, LogFormat::Text);
  store::JournalOptions options;
  options.folder = folder + "/store";
  BenchOwner owner;
  store::Journal journal(files, clock, random, log, options);
  FERRY_CHECK(journal.recover(owner));
  std::atomic<bool> stop = false;
  Outcome outcomes[kProducers];
  const double cpu_begin = cpu_seconds();
  const SteadyTime begin = clock.steady();
  std::vector<std::thread> threads;
  for (Outcome& outcome : outcomes) {
    threads.emplace_back([&] { produce(journal, owner, work, in_flight / kProducers, stop, outcome); });
  }
  sleep_for(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds)));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const double elapsed = seconds_between(begin, clock.steady());
  const double cpu = cpu_seconds() - cpu_begin;
  const store::StoreStats stats = journal.stats();
  FERRY_CHECK(journal.close());
  std::uint64_t records = 0;
  std::uint64_t messages = 0;
  std::uint64_t refused = 0;
  for (const Outcome& outcome : outcomes) {
    records += outcome.records;
    messages += outcome.messages;
    refused += outcome.refused;
  }
  const double groups_per_second = static_cast<double>(stats.groups) / elapsed;
  const std::size_t group_bytes =
      store::pad_to(stats.written_bytes / std::max<std::uint64_t>(1, stats.groups), store::kBlockBytes);
  const double bare = bare_writes_per_second(folder, group_bytes, 1.0, clock);
  std::printf(
      "%-4s in flight %4zu: %8.0f records/s %8.0f messages/s %5.2f us CPU/record  %6.1f records/group  %6.0f groups/s  "
      "%zu-byte groups, bare loop %6.0f/s, ratio %.2f  refused %llu  [%s, %llu syncs]\n",
      work == Work::Put ? "put" : "life", in_flight, static_cast<double>(records) / elapsed,
      static_cast<double>(messages) / elapsed, cpu * 1e6 / static_cast<double>(records),
      static_cast<double>(stats.records) / static_cast<double>(stats.groups), groups_per_second, group_bytes, bare,
      groups_per_second / bare, static_cast<unsigned long long>(refused), stats.sync_method.c_str(),
      static_cast<unsigned long long>(stats.syncs));
  std::fflush(stdout);
  std::filesystem::remove_all(folder + "/store");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: journal_bench FOLDER [SECONDS]\n");
    return 2;
  }
  const std::string folder = argv[1];
  const double seconds = argc > 2 ? std::atof(argv[2]) : 3.0;
  std::filesystem::create_directories(folder);
  for (const Work work : {Work::Put, Work::Life}) {
    for (const std::size_t in_flight : {64u, 512u}) run(folder, work, in_flight, seconds);
  }
  return 0;
}
