// Reading payloads: from the groups in memory, from what was read before, from disk. Every byte that comes from disk is
// checked against its record's checksum, each time.

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "store/journal/journal.h"

namespace ferry::store {
namespace {
constexpr std::uint32_t kReadAheadBytes = ReadBuffers::kBytes;  // when reads go forward, or the same request wants more behind it
constexpr std::uint32_t kReadAloneBytes = 16u << 10;
// Of what is read ahead: for a record that begins in one extent and ends in the next.
constexpr std::uint32_t kOverlapBytes = 16u << 10;
constexpr std::size_t kOpenFilesMax = 256;

// Of each record: larger ones are read by the processor's own prefetching.
constexpr std::size_t kPrefetchBytes = 512;

void prefetch(std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < std::min(bytes.size(), kPrefetchBytes); at += 64) __builtin_prefetch(bytes.data() + at);
}

Unexpected<Error> damaged_record(const Location& location) {
  return fail(ErrorKind::Corrupt, segment_name(location.segment) + " is damaged at offset " + std::to_string(location.offset));
}
}  // namespace

std::shared_ptr<Segment> Journal::find_segment(std::uint32_t number) const {
  const auto found = segments_.find(number);
  return found == segments_.end() ? nullptr : found->second;
}

Journal::Found Journal::find_in_memory(const Location& location, Payload* payload) const {
  const auto behind =
      std::upper_bound(groups_.begin(), groups_.end(), location, [](const Location& l, const std::unique_ptr<Group>& group) {
        return l.segment != group->segment_number ? l.segment < group->segment_number : l.offset < group->offset;
      });
  if (behind == groups_.begin()) return Found::Nothing;
  const Group& group = **std::prev(behind);
  if (group.segment_number != location.segment || location.offset >= group.offset + (group.closed ? group.padded : group.used)) {
    return Found::Nothing;
  }
  const std::uint64_t at = location.offset - group.offset;
  if (at < kGroupHeaderBytes || at % 8 != 0 || at + kRecordHeaderBytes + location.length > group.used) return Found::Damaged;
  std::byte* const record = group.base + at;
  const std::uint32_t word = std::atomic_ref(*reinterpret_cast<std::uint32_t*>(record)).load(std::memory_order_acquire);
  if (word == 0) return Found::Unpublished;
  if ((word & RecordWord::kLengthMask) != location.length) return Found::Damaged;
  *payload = Payload{group.slab, std::span<const std::byte>(record + kRecordHeaderBytes, location.length)};
  return Found::Ready;
}

std::optional<std::vector<Payload>> Journal::read_now(std::span<const Location> locations) {
  std::vector<Payload> payloads(locations.size());
  std::vector<std::size_t> from_disk;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < locations.size(); ++i) {
      const Found found = find_in_memory(locations[i], &payloads[i]);
      if (found == Found::Ready) continue;
      if (found != Found::Nothing || find_segment(locations[i].segment) == nullptr) return std::nullopt;
    }
  }
  // What came from disk is in no processor's cache: all of it is asked for before the first is looked at.
  for (std::size_t i = 0; i < locations.size(); ++i) {
    if (payloads[i].owner != nullptr) continue;
    const auto size = static_cast<std::uint32_t>(record_bytes(locations[i].length));
    auto extent = read_cache_.find(locations[i].segment, locations[i].offset, size);
    if (!extent) return std::nullopt;
    if (extent->wants_next) read_ahead(locations[i].segment, extent->end());
    const auto record = extent->span().subspan(locations[i].offset - extent->start, size);
    prefetch(record);
    payloads[i] = Payload{std::move(extent->buffer), record};
    from_disk.push_back(i);
  }
  for (const std::size_t i : from_disk) {
    const auto payload = check_record(payloads[i].bytes, locations[i]);
    if (!payload) return std::nullopt;  // read() says what is wrong
    payloads[i].bytes = *payload;
  }
  return payloads;
}

void Journal::read(std::vector<Location> locations, ReadCallback done) {
  std::vector<Result<Payload>> payloads;
  {
    const std::lock_guard lock(mutex_);
    for (const Location& location : locations) {
      Payload payload;
      if (find_in_memory(location, &payload) != Found::Ready) break;
      payloads.emplace_back(std::move(payload));
    }
    if (payloads.size() < locations.size() && stopping_) {
      payloads.clear();
      for (std::size_t i = 0; i < locations.size(); ++i)
        payloads.emplace_back(fail(ErrorKind::Unavailable, "the store is closed"));
    } else if (payloads.size() < locations.size()) {
      const auto job = std::make_shared<ReadJob>();
      job->answers.resize(locations.size());
      job->left = locations.size();
      job->locations = std::move(locations);
      job->done = std::move(done);
      for (ReadRequest& request : stretches(job)) {
        if (request.segment != nullptr) ++request.segment->pins;
        reads_.push_back(std::move(request));
        read_cv_.notify_one();
      }
      return;
    }
  }
  done(std::move(payloads));
}

// Neighbours on disk are fetched in one go, others side by side.
std::vector<Journal::ReadRequest> Journal::stretches(const std::shared_ptr<ReadJob>& job) const {
  const std::vector<Location>& locations = job->locations;
  std::vector<std::size_t> order(locations.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(locations[a].segment, locations[a].offset) < std::pair(locations[b].segment, locations[b].offset);
  });
  std::vector<ReadRequest> requests;
  const Location* first = nullptr;
  for (const std::size_t index : order) {
    const Location& location = locations[index];
    if (first == nullptr || location.segment != first->segment || location.offset - first->offset > kReadAheadBytes) {
      first = &location;
      requests.push_back({job, {}, find_segment(location.segment), 0});
    }
    requests.back().indices.push_back(index);
  }
  return requests;
}

// Whoever reads on does not wait for the disk then, nor for another thread.
void Journal::read_ahead(std::uint32_t number, std::uint32_t from) {
  const std::lock_guard lock(mutex_);
  const auto segment = find_segment(number);
  if (segment == nullptr || from >= segment->end || stopping_) return;
  ++segment->pins;
  reads_.push_back({nullptr, {}, segment, from});
  read_cv_.notify_one();
}

bool Journal::read_step() {
  ReadRequest request;
  {
    const std::lock_guard lock(mutex_);
    if (reads_.empty()) return false;
    request = std::move(reads_.front());
    reads_.pop_front();
    const bool must_wait =
        request.job != nullptr && std::any_of(request.indices.begin(), request.indices.end(), [&](std::size_t index) {
          Payload unused;
          return find_in_memory(request.job->locations[index], &unused) == Found::Unpublished;
        });
    if (must_wait && !failed_ && !stopping_) {
      parked_reads_.push_back(std::move(request));
      return true;
    }
  }
  if (request.job == nullptr) {
    fetch_ahead(request);
    return true;
  }
  // Each read reaches as far as the next ones want.
  ReadJob& job = *request.job;
  const Location& last = job.locations[request.indices.back()];
  const auto read_to = last.offset + static_cast<std::uint32_t>(record_bytes(last.length));
  for (const std::size_t index : request.indices) job.answers[index] = answer(request, job.locations[index], read_to);
  if (request.segment != nullptr) {
    const std::lock_guard lock(mutex_);
    --request.segment->pins;
  }
  if (job.left.fetch_sub(request.indices.size()) != request.indices.size()) return true;
  std::vector<Result<Payload>> payloads;
  payloads.reserve(job.answers.size());
  for (auto& payload : job.answers) payloads.push_back(std::move(*payload));
  job.done(std::move(payloads));
  return true;
}

Result<Payload> Journal::answer(const ReadRequest& request, const Location& location, std::uint32_t read_to) {
  if (request.segment == nullptr) return fail(ErrorKind::NotFound, "the payload was released");
  {
    const std::lock_guard lock(mutex_);
    Payload payload;
    switch (find_in_memory(location, &payload)) {
      case Found::Ready:
        return payload;
      case Found::Unpublished:
        return fail(ErrorKind::Unavailable, "the store stopped before the payload was published");
      case Found::Damaged:
        return damaged_record(location);
      case Found::Nothing:
        break;
    }
  }
  return read_from_disk(request.segment, location, read_to);
}

Result<Payload> Journal::read_from_disk(const std::shared_ptr<Segment>& segment, const Location& location,
                                        std::uint32_t read_to) {
  const std::uint64_t size = record_bytes(location.length);
  std::uint32_t end = 0;
  {
    const std::lock_guard lock(mutex_);
    end = segment->end;
  }
  if (location.offset < kBlockBytes || location.offset + size > end) return damaged_record(location);
  auto extent = read_cache_.find(location.segment, location.offset, static_cast<std::uint32_t>(size));
  if (!extent) {
    const std::uint32_t start = location.offset / kBlockBytes * kBlockBytes;
    const bool forward = read_cache_.follows(location.segment, location.offset);
    std::uint64_t stop = std::max<std::uint64_t>(start + (forward ? kReadAheadBytes : kReadAloneBytes), location.offset + size);
    stop = std::min<std::uint64_t>(pad_to(std::max<std::uint64_t>(stop, read_to), kBlockBytes), end);
    FERRY_TRY(extent, fetch(segment, start, static_cast<std::uint32_t>(stop), forward));
    if (extent->buffer == nullptr) return damaged_record(location);
  } else if (extent->wants_next) {
    read_ahead(location.segment, extent->end());
  }
  const auto payload = check_record(extent->span().subspan(location.offset - extent->start, size), location);
  if (!payload) {
    log_.error("a record is damaged", {{"segment", location.segment}, {"offset", location.offset}, {"bytes", location.length}});
    return damaged_record(location);
  }
  return Payload{extent->buffer, *payload};
}

// Without a buffer: the file is shorter than it was.
Result<ReadCache::Extent> Journal::fetch(const std::shared_ptr<Segment>& segment, std::uint32_t start, std::uint32_t stop,
                                         bool forward) {
  FERRY_TRY(const auto file, file_of(segment));
  auto buffer = read_buffers_.take(stop - start);
  FERRY_TRY(const std::size_t got, file->read_at(start, std::span(buffer.get(), stop - start)));
  if (got != stop - start) return ReadCache::Extent{};
  ReadCache::Extent extent{std::move(buffer), start, stop - start, forward, forward};
  read_cache_.insert(segment->number, extent);
  return extent;
}

void Journal::fetch_ahead(const ReadRequest& request) {
  std::uint32_t end = 0;
  {
    const std::lock_guard lock(mutex_);
    end = request.segment->end;
  }
  const std::uint32_t start = request.ahead_from - std::min(request.ahead_from - kBlockBytes, kOverlapBytes);
  const std::uint64_t stop = std::min<std::uint64_t>(std::uint64_t{start} + kReadAheadBytes, end);
  // What is wrong here is told to whoever asks for it.
  if (request.ahead_from < end) (void)fetch(request.segment, start, static_cast<std::uint32_t>(stop), true);
  const std::lock_guard lock(mutex_);
  --request.segment->pins;
}

Result<std::shared_ptr<File>> Journal::file_of(const std::shared_ptr<Segment>& segment) {
  {
    const std::lock_guard lock(mutex_);
    if (segment->file != nullptr) return segment->file;
  }
  auto opened = open_segment_file(segment->number);
  // No descriptor is left: those that others have read from are given back.
  while (!opened && opened.error().kind == ErrorKind::NoSpace && close_oldest_file()) opened = open_segment_file(segment->number);
  FERRY_TRY(const auto file, std::move(opened));
  const std::lock_guard lock(mutex_);
  if (segment->file == nullptr) {
    segment->file = file;
    opened_.push_back(segment);
    if (opened_.size() > kOpenFilesMax) {
      opened_.front()->file.reset();
      opened_.pop_front();
    }
  }
  return segment->file;
}

bool Journal::close_oldest_file() {
  const std::lock_guard lock(mutex_);
  if (opened_.empty()) return false;
  opened_.front()->file.reset();
  opened_.pop_front();
  return true;
}

}  // namespace ferry::store
