#include "store/journal/snapshot.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "store/journal/control_file.h"
#include "store/journal/segment.h"

namespace ferry::store {
namespace {
constexpr int kAttemptsMax = 1000;       // each sees a segment or a checkpoint come; they come some times a second at most
constexpr int kControlAttemptsMax = 50;  // a slot may be on its way to the disk
constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();

Unexpected<Error> read_only(const std::string& path) {
  return fail(ErrorKind::PermissionDenied, "cannot change " + path + ": it is a snapshot");
}
}  // namespace

struct Snapshot::Held {
  std::unique_ptr<File> file;
  std::uint64_t visible = kNoEnd;  // what lies behind reads as zeros; set before the view is given out
};

// Reads what is held, or a copy in memory.
class Snapshot::View final : public FileSystem {
 public:
  explicit View(Snapshot& snapshot) : snapshot_(snapshot) {}

  Result<std::unique_ptr<File>> open(const std::string& path, const OpenMode& mode) override {
    if (mode.creation == OpenMode::Creation::MustBeNew) return read_only(path);
    const std::string name = path.substr(std::min(path.size(), snapshot_.folder_.size() + 1));
    if (name == kControlName && snapshot_.has_control_)
      return std::unique_ptr<File>(std::make_unique<Copied>(snapshot_.control_bytes_, path));
    const auto found = snapshot_.held_.find(name);
    if (found == snapshot_.held_.end()) return fail(ErrorKind::NotFound, "cannot open " + path + ": not part of the snapshot");
    return std::unique_ptr<File>(std::make_unique<Kept>(found->second, path));
  }
  Result<void> create_directory(const std::string&) override { return {}; }
  Result<std::vector<Entry>> list(const std::string&) override { return snapshot_.entries_; }
  Result<void> rename(const std::string& from, const std::string&) override { return read_only(from); }
  Result<void> remove(const std::string& path) override { return read_only(path); }
  Result<void> sync_directory(const std::string& directory) override { return read_only(directory); }
  Result<std::unique_ptr<FileLock>> lock(const std::string&) override { return std::make_unique<FileLock>(); }
  Result<std::uint64_t> free_bytes(const std::string&) override { return std::uint64_t{0}; }

 private:
  class ReadOnlyFile : public File {
   public:
    explicit ReadOnlyFile(std::string path) : path_(std::move(path)) {}
    Result<void> write_at(std::uint64_t, std::span<const std::byte>) override { return read_only(path_); }
    Result<void> sync() override { return read_only(path_); }
    Result<void> truncate(std::uint64_t) override { return read_only(path_); }
    Result<void> hold(Hold) override { return {}; }

   private:
    const std::string path_;
  };

  class Copied final : public ReadOnlyFile {
   public:
    Copied(std::vector<std::byte> bytes, std::string path) : ReadOnlyFile(std::move(path)), bytes_(std::move(bytes)) {}
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
      if (offset >= bytes_.size()) return std::size_t{0};
      const std::size_t size = std::min<std::size_t>(bytes.size(), bytes_.size() - offset);
      std::memcpy(bytes.data(), bytes_.data() + offset, size);
      return size;
    }
    Result<std::uint64_t> size() override { return std::uint64_t{bytes_.size()}; }

   private:
    const std::vector<std::byte> bytes_;
  };

  class Kept final : public ReadOnlyFile {
   public:
    Kept(std::shared_ptr<Held> held, std::string path) : ReadOnlyFile(std::move(path)), held_(std::move(held)) {}
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
      if (offset >= held_->visible) {
        FERRY_TRY(const std::uint64_t file_bytes, held_->file->size());
        if (offset >= file_bytes) return std::size_t{0};
        const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), file_bytes - offset));
        std::memset(bytes.data(), 0, size);
        return size;
      }
      FERRY_TRY(const std::size_t got, held_->file->read_at(offset, bytes));
      if (offset + got > held_->visible) {
        const std::size_t visible = held_->visible - offset;
        std::memset(bytes.data() + visible, 0, got - visible);
      }
      return got;
    }
    Result<std::uint64_t> size() override { return held_->file->size(); }

   private:
    const std::shared_ptr<Held> held_;  // shared with the snapshot
  };

  Snapshot& snapshot_;
};

Snapshot::Snapshot(FileSystem& files, std::string folder)
    : files_(files), folder_(std::move(folder)), view_(std::make_unique<View>(*this)) {}
Snapshot::~Snapshot() = default;

FileSystem& Snapshot::view() {
  return *view_;
}

Result<std::unique_ptr<Snapshot>> Snapshot::take(FileSystem& files, std::string folder) {
  std::unique_ptr<Snapshot> snapshot(new Snapshot(files, std::move(folder)));
  FERRY_TRY_VOID(snapshot->hold_everything());
  FERRY_TRY_VOID(snapshot->find_end());
  return snapshot;
}

Result<void> Snapshot::hold_everything() {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    FERRY_TRY_VOID(read_control());
    const auto before = control_;
    auto listed = files_.list(folder_);
    if (!listed && listed.error().kind == ErrorKind::NotFound) return fail(ErrorKind::NotFound, "there is no folder " + folder_);
    if (!listed) return Unexpected(std::move(listed).error());
    bool ours = has_control_;
    for (const FileSystem::Entry& entry : *listed) {
      const auto checkpoint = parse_checkpoint_name(entry.name);
      const bool named =
          checkpoint && (!before || *checkpoint == before->checkpoints[0].number || *checkpoint == before->checkpoints[1].number);
      ours = ours || checkpoint || parse_segment_name(entry.name);
      if (named || parse_segment_name(entry.name)) FERRY_TRY_VOID(hold(entry.name));
    }
    if (!ours) return fail(ErrorKind::NotFound, "the folder " + folder_ + " holds no Ferry store");
    FERRY_TRY_VOID(read_control());
    FERRY_TRY(entries_, files_.list(folder_));
    if (!settled(before)) continue;
    std::erase_if(held_, [&](const auto& held) {
      return std::none_of(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.name == held.first; });
    });
    return {};
  }
  return fail(ErrorKind::Busy, "the folder " + folder_ + " changes all the time: no moment of it could be held");
}

// What is gone, or is about to be somebody else's, is left to the next attempt.
Result<void> Snapshot::hold(const std::string& name) {
  if (held_.contains(name)) return {};
  OpenMode mode;
  // The server writes segments past the system's cache, and reading them should not fill it.
  if (parse_segment_name(name)) mode.caching = OpenMode::Caching::Direct;
  auto file = files_.open(folder_ + "/" + name, mode);
  if (!file && file.error().kind == ErrorKind::InvalidArgument) file = files_.open(folder_ + "/" + name, {});
  if (!file && file.error().kind == ErrorKind::NotFound) return {};
  if (!file) return Unexpected(std::move(file).error());
  const auto held = (*file)->hold(File::Hold::Shared);
  if (!held && held.error().kind == ErrorKind::Busy) return {};
  if (!held) return held;
  held_.emplace(name, std::make_shared<Held>(Held{std::move(*file), kNoEnd}));
  return {};
}

Result<void> Snapshot::read_control() {
  has_control_ = false;
  control_.reset();
  for (int attempt = 0; attempt < kControlAttemptsMax; ++attempt) {
    const auto file = files_.open(folder_ + "/" + std::string(kControlName), {});
    if (!file && file.error().kind == ErrorKind::NotFound) return {};
    if (!file) return Unexpected(file.error());
    control_bytes_.resize(ControlFile::kFileBytes);
    FERRY_TRY(const std::size_t got, (*file)->read_at(0, control_bytes_));
    control_bytes_.resize(got);
    has_control_ = true;
    const std::span<const std::byte> bytes(control_bytes_);
    const bool whole =
        got == ControlFile::kFileBytes && decode_control(bytes.first(kBlockBytes)) && decode_control(bytes.subspan(kBlockBytes));
    if (whole) break;
  }
  ControlFile control(*view_, folder_);
  const auto loaded = control.load();
  if (loaded) control_ = control.state();
  if (!loaded && loaded.error().kind != ErrorKind::Corrupt) return loaded;
  return {};
}

bool Snapshot::settled(const std::optional<ControlState>& before) const {
  if (control_.has_value() != before.has_value()) return false;
  if (control_ && (control_->checkpoints[0].number != before->checkpoints[0].number ||
                   control_->checkpoints[1].number != before->checkpoints[1].number)) {
    return false;
  }
  return std::all_of(entries_.begin(), entries_.end(), [&](const FileSystem::Entry& entry) {
    const auto checkpoint = parse_checkpoint_name(entry.name);
    const bool named = checkpoint && control_ &&
                       (*checkpoint == control_->checkpoints[0].number || *checkpoint == control_->checkpoints[1].number);
    return (!named && !parse_segment_name(entry.name)) || held_.contains(entry.name);
  });
}

Result<void> Snapshot::find_end() {
  std::map<std::uint32_t, std::string> segments;
  for (const auto& [name, held] : held_) {
    if (const auto number = parse_segment_name(name)) segments.emplace(*number, name);
  }
  for (auto at = segments.rbegin(); at != segments.rend(); ++at) {
    Held& held = *held_.at(at->second);
    FERRY_TRY(const bool found, find_end_in(at->second, held));
    if (!found) continue;
    held.visible = end_.offset;
    break;
  }
  end_where_repaired();
  return {};
}

// A repair leaves a log that goes on behind the watermark, at the place that its checkpoint names, where nothing was written yet.
void Snapshot::end_where_repaired() {
  if (!control_ || end_.last.value >= control_->watermark) return;
  const CheckpointEntry& entry = control_->checkpoints[0];
  if (entry.number == 0 || entry.group_first != control_->watermark + 1 || !held_.contains(segment_name(entry.segment))) return;
  end_.last = Position{control_->watermark};
  end_.segment = entry.segment;
  end_.offset = entry.offset;
  end_.unfinished = false;
}

Result<bool> Snapshot::find_end_in(const std::string& name, Held& held) {
  held.visible = kBlockBytes;
  AlignedBuffer block(kBlockBytes);
  FERRY_TRY(const std::size_t got, held.file->read_at(0, block.span()));
  FERRY_TRY(const std::uint64_t file_bytes, held.file->size());
  if (got != kBlockBytes) {
    end_.doubtful = name;
    return false;
  }
  const auto header = decode_segment_header(block.span());
  if (!header && header.error().kind == ErrorKind::InvalidArgument)
    return fail(ErrorKind::InvalidArgument, folder_ + "/" + name + " " + header.error().message);
  if (!header) {
    end_.doubtful = name;
    return false;
  }
  const auto bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>({header->bytes, file_bytes, kSegmentBytesLargest}) /
                                                kBlockBytes * kBlockBytes);
  GroupReader reader(*held.file, header->number, header->incarnation, bytes);
  for (std::uint32_t offset = kBlockBytes; offset < bytes;) {
    FERRY_TRY(const auto found, reader.at(offset));
    if (!found) {
      offset += kBlockBytes;
      continue;
    }
    offset += found->header.length;
    end_.last = Position{found->header.first + found->header.count - 1};
    end_.segment = header->number;
    end_.offset = offset;
  }
  if (end_.segment == 0) return false;
  FERRY_TRY(end_.unfinished, reader.header_at(end_.offset));
  return true;
}

}  // namespace ferry::store
