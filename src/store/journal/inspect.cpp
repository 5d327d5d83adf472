#include "store/journal/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "store/journal/checkpoint_file.h"
#include "store/journal/control_file.h"
#include "store/journal/segment.h"

namespace ferry::store {
namespace {

constexpr std::uint64_t kProgressBytes = 4u << 20;

class Inspector {
 public:
  Inspector(FileSystem& files, const std::string& folder, const Progress& progress)
      : files_(files), folder_(folder), progress_(progress) {}

  Result<Inspection> run() {
    FERRY_TRY_VOID(list());
    FERRY_TRY_VOID(look_at_control());
    FERRY_TRY_VOID(look_at_checkpoints());
    look_for_missing_segments();
    for (const auto& [number, entry] : segments_) FERRY_TRY_VOID(look_at_segment(number, entry));
    look_at_end();
    if (progress_ && !progress_(total_, total_)) return fail(ErrorKind::Cancelled, "stopped");
    return std::move(out_);
  }

 private:
  // Where the log has come to.
  struct Chain {
    bool known = false;  // what the next group must name
    std::uint64_t next = 1;
    std::uint32_t crc = 0;
    std::uint32_t segment = 0;  // place behind the last group
    std::uint32_t offset = 0;
  };
  struct Walk {
    std::uint32_t number = 0;
    std::string file;
    std::uint32_t gap_at = 0;  // where no group was found, and none since
    bool any = false;          // a group was found
  };

  std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }

  void report(std::string file, std::uint64_t offset, Effect effect, std::string what) {
    if (out_.faults.size() == Inspection::kFaultsMax) {
      ++out_.faults_left_out;
      return;
    }
    out_.faults.push_back(Fault{std::move(file), offset, std::move(what), effect});
  }

  Result<void> count(std::uint64_t bytes) {
    done_ += bytes;
    if (!progress_ || done_ < told_ + kProgressBytes) return {};
    told_ = done_;
    if (!progress_(std::min(done_, total_), total_)) return fail(ErrorKind::Cancelled, "stopped");
    return {};
  }

  Result<void> list() {
    auto listed = files_.list(folder_);
    if (!listed && listed.error().kind == ErrorKind::NotFound) return fail(ErrorKind::NotFound, "there is no folder " + folder_);
    if (!listed) return Unexpected(std::move(listed).error());
    for (const FileSystem::Entry& entry : *listed) {
      if (const auto segment = parse_segment_name(entry.name)) {
        segments_.emplace(*segment, entry);
        out_.segment_bytes += entry.bytes;
      } else if (const auto checkpoint = parse_checkpoint_name(entry.name)) {
        checkpoints_.emplace(*checkpoint, entry);
      } else if (entry.name == kControlName) {
        has_control_ = true;
      } else if (entry.name != kLockName) {
        out_.ignored.push_back(entry);
      }
    }
    out_.segments = segments_.size();
    if (!has_control_ && segments_.empty() && checkpoints_.empty())
      return fail(ErrorKind::NotFound, "the folder " + folder_ + " holds no Ferry store");
    return {};
  }

  // ---- control

  Result<void> look_at_control() {
    if (!has_control_) {
      report(std::string(kControlName), 0, Effect::Refusal, "is missing beside segments and checkpoints");
      return {};
    }
    FERRY_TRY(const auto file, files_.open(path(kControlName), {}));
    std::vector<std::pair<std::uint64_t, std::string>> damaged;
    std::array<std::byte, kBlockBytes> block{};
    for (std::uint64_t slot = 0; slot < 2; ++slot) {
      FERRY_TRY(const std::size_t got, file->read_at(slot * kBlockBytes, block));
      if (got != kBlockBytes) {
        damaged.emplace_back(slot * kBlockBytes + got, "is shorter than two blocks");
        continue;
      }
      const auto state = decode_control(block);
      if (!state && state.error().kind == ErrorKind::InvalidArgument)
        return fail(ErrorKind::InvalidArgument, path(kControlName) + " " + state.error().message);
      if (!state) {
        damaged.emplace_back(slot * kBlockBytes, state.error().message);
      } else if (!out_.control || state->sequence > out_.control->sequence) {
        out_.control = *state;
      }
    }
    for (const auto& [offset, what] : damaged)
      report(std::string(kControlName), offset, out_.control ? Effect::Nothing : Effect::Refusal, what);
    if (out_.control) store_ = out_.control->store;
    return {};
  }

  // ---- checkpoints

  Result<void> look_at_checkpoints() {
    for (const auto& [number, entry] : segments_) total_ += entry.bytes;
    if (out_.control) {
      for (const CheckpointEntry& entry : out_.control->checkpoints) total_ += entry.bytes;
    }
    std::vector<Fault> damaged;
    for (std::size_t i = 0; out_.control && i < out_.control->checkpoints.size(); ++i) {
      const CheckpointEntry& entry = out_.control->checkpoints[i];
      if (entry.number == 0) continue;
      const std::string name = checkpoint_name(entry.number);
      checkpoints_.erase(entry.number);
      std::uint64_t reached = 0;
      std::uint64_t pieces = 0;
      const auto take = [&](std::span<const std::byte> piece) -> Result<void> {
        ++pieces;
        return count(piece.size());
      };
      const auto whole = read_checkpoint(files_, path(name), *store_, entry, take, &reached);
      if (!whole && whole.error().kind != ErrorKind::Corrupt) return whole;
      if (!whole) {
        damaged.push_back(Fault{name, reached, without_path(whole.error().message, name), Effect::Nothing});
        continue;
      }
      ++out_.checkpoints;
      out_.pieces += pieces;
      if (!start_) start_ = entry;
    }
    for (Fault& fault : damaged) report(fault.file, fault.offset, start_ ? Effect::Nothing : Effect::Refusal, fault.what);
    for (const auto& [number, entry] : checkpoints_) out_.ignored.push_back(entry);
    return {};
  }

  std::string without_path(const std::string& message, const std::string& name) const {
    const std::string before = path(name) + " ";
    return message.starts_with(before) ? message.substr(before.size()) : message;
  }

  // ---- segments

  void look_for_missing_segments() {
    std::uint32_t from = start_ ? start_->segment : 1;
    std::uint32_t to = segments_.empty() ? 0 : segments_.rbegin()->first;
    if (out_.control) {
      to = std::max(to, out_.control->segment);
      for (const CheckpointEntry& entry : out_.control->checkpoints) {
        if (entry.number != 0 && entry.segment != 0) from = std::min(from, entry.segment);
      }
    } else if (!segments_.empty()) {
      from = segments_.begin()->first;  // what was given up nobody can say
    }
    for (std::uint32_t number = from; number <= to && number != 0; ++number) {
      if (segments_.contains(number)) continue;
      report(segment_name(number), 0, !start_ || number >= start_->segment ? Effect::Refusal : Effect::Bodies, "is missing");
    }
  }

  Effect effect_at(std::uint32_t segment, std::uint64_t offset) const {
    if (!start_) return Effect::Refusal;
    return std::pair<std::uint64_t, std::uint64_t>(segment, offset) >=
                   std::pair<std::uint64_t, std::uint64_t>(start_->segment, start_->offset)
               ? Effect::Refusal
               : Effect::Bodies;
  }

  Result<void> look_at_segment(std::uint32_t number, const FileSystem::Entry& entry) {
    // The first segment of all begins the chain; behind one that was given up it begins anew.
    if (number == 1) chain_ = Chain{true, 1, 0, number, kBlockBytes};
    if (number != 1 && number != before_ + 1) chain_.known = false;
    before_ = number;
    FERRY_TRY(const auto file, files_.open(path(entry.name), {}));
    AlignedBuffer block(kBlockBytes);
    FERRY_TRY(const std::size_t got, file->read_at(0, block.span()));
    if (got != kBlockBytes) {
      chain_.known = false;
      report(entry.name, got, Effect::Refusal, "is too short for a segment");
      return {};
    }
    const auto header = decode_segment_header(block.span());
    if (!header && header.error().kind == ErrorKind::InvalidArgument)
      return fail(ErrorKind::InvalidArgument, path(entry.name) + " " + header.error().message);
    if (!header) {
      chain_.known = false;
      report(entry.name, 0, Effect::Refusal, header.error().message);
      return {};
    }
    if (!store_) store_ = header->store;
    if (header->store != *store_) report(entry.name, 0, Effect::Refusal, "belongs to another store, " + to_string(header->store));
    if (header->number != number)
      report(entry.name, 0, Effect::Refusal, fmt::format("is segment {} under a wrong name", header->number));
    if (header->bytes != entry.bytes || header->bytes > kSegmentBytesLargest || header->bytes % kBlockBytes != 0) {
      report(entry.name, std::min<std::uint64_t>(entry.bytes, header->bytes), Effect::Refusal,
             fmt::format("has {} bytes instead of {}", entry.bytes, header->bytes));
    }
    if (header->store != *store_ || header->number != number) {
      chain_.known = false;
      return {};
    }
    const auto bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>({header->bytes, entry.bytes, kSegmentBytesLargest}) /
                                                  kBlockBytes * kBlockBytes);
    GroupReader reader(*file, number, header->incarnation, bytes);
    return walk(reader, Walk{number, entry.name, 0, false}, bytes);
  }

  Result<void> walk(GroupReader& reader, Walk at, std::uint32_t bytes) {
    walked_.insert(at.number);
    for (std::uint32_t offset = kBlockBytes; offset < bytes;) {
      FERRY_TRY(const auto found, reader.at(offset));
      if (!found) {
        if (at.gap_at == 0) at.gap_at = offset;
        offset += kBlockBytes;
        FERRY_TRY_VOID(count(kBlockBytes));
        continue;
      }
      take(at, *found);
      offset += found->header.length;
      FERRY_TRY_VOID(count(found->header.length));
    }
    if (!at.any) return {};
    out_.end_segment = chain_.segment = at.number;
    out_.end_offset = chain_.offset = at.gap_at == 0 ? bytes : at.gap_at;
    FERRY_TRY(out_.unfinished, reader.header_at(out_.end_offset));
    return {};
  }

  void take(Walk& at, const GroupReader::Found& found) {
    const GroupHeader& header = found.header;
    const bool follows = header.first == chain_.next && header.previous_crc == chain_.crc;
    if (at.gap_at != 0) {  // between two groups of a segment there is nothing
      report_break(at.number, at.gap_at, header);
    } else if (chain_.known && !follows) {
      report_break(at.any ? at.number : chain_.segment, at.any ? header.offset : chain_.offset, header);
    } else if (!chain_.known && out_.unfinished && !at.any) {
      report(segment_name(chain_.segment), chain_.offset, effect_at(chain_.segment, chain_.offset), "a group is damaged");
    } else if (header.first < chain_.next) {
      report(at.file, header.offset, effect_at(at.number, header.offset),
             fmt::format("record {} stands here, but record {} lies before it", header.first, chain_.next - 1));
    }
    at.gap_at = 0;
    at.any = true;
    out_.unfinished = false;
    const auto records = records_of(header, found.bytes);
    if (!records) report(at.file, header.offset, effect_at(at.number, header.offset), "a record of the group is damaged");
    ++out_.groups;
    out_.records += header.count;
    if (records) {
      out_.bodies += static_cast<std::uint64_t>(
          std::count_if(records->begin(), records->end(), [](const RecordView& record) { return record.is_body; }));
    }
    look_at_replay_start(header);
    chain_.known = true;
    chain_.next = header.first + header.count;
    chain_.crc = header.header_crc;
    out_.last = std::max(out_.last, Position{chain_.next - 1});
  }

  void report_break(std::uint32_t segment, std::uint32_t offset, const GroupHeader& next) {
    const std::string file = segment_name(segment);
    const Effect effect = effect_at(segment, offset);
    const std::string place = fmt::format("in {} at offset {}", segment_name(next.segment), next.offset);
    if (next.first > chain_.next) {
      report(file, offset, effect,
             fmt::format("is damaged: the log breaks off after record {}; record {} follows {}", chain_.next - 1, next.first,
                         place));
    } else {
      report(
          file, offset, effect,
          fmt::format("is damaged: record {} is expected behind this place, and record {} stands {}, which does not continue it",
                      chain_.next, next.first, place));
    }
  }

  void look_at_replay_start(const GroupHeader& header) {
    for (std::size_t i = 0; out_.control && i < starts_seen_.size(); ++i) {
      const CheckpointEntry& entry = out_.control->checkpoints[i];
      if (entry.number != 0 && entry.segment == header.segment && entry.offset == header.offset)
        starts_seen_[i] = entry.group_first == header.first && entry.previous_crc == header.previous_crc;
    }
  }

  // ---- the end

  void look_at_end() {
    if (!out_.control) return;
    const ControlState& control = *out_.control;
    for (std::size_t i = 0; i < starts_seen_.size(); ++i) {
      const CheckpointEntry& entry = control.checkpoints[i];
      if (entry.number == 0 || starts_seen_[i] || !walked_.contains(entry.segment)) continue;
      // A repair left it like this (repair.h): the log goes on there, and nothing was written yet.
      if (entry.group_first == control.watermark + 1 && out_.last.value <= control.watermark) {
        out_.last.value = control.watermark;
        continue;
      }
      const bool used = start_ && start_->number == entry.number;
      report(segment_name(entry.segment), entry.offset, used ? Effect::Refusal : Effect::Nothing,
             fmt::format("the group with record {}, where the replay over {} starts, is not there", entry.group_first,
                         checkpoint_name(entry.number)));
    }
    if (out_.last.value < control.watermark) {
      // Without any group the log ends where it should have begun.
      const bool any = out_.end_segment != 0;
      const std::uint32_t begin = start_ ? start_->segment : 1;
      report(
          segment_name(any ? out_.end_segment : begin),
          any      ? out_.end_offset
          : start_ ? start_->offset
                   : kBlockBytes,
          Effect::Refusal,
          fmt::format("is damaged: the log ends after record {}, but record {} was durable", out_.last.value, control.watermark));
    }
  }

  FileSystem& files_;
  const std::string& folder_;
  const Progress& progress_;
  Inspection out_;
  bool has_control_ = false;
  std::optional<Uuid> store_;
  std::map<std::uint32_t, FileSystem::Entry> segments_;
  std::map<std::uint64_t, FileSystem::Entry> checkpoints_;
  std::optional<CheckpointEntry> start_;  // of the newest checkpoint that is whole
  std::array<bool, 2> starts_seen_{};
  std::set<std::uint32_t> walked_;  // segments whose groups were looked at
  std::uint32_t before_ = 0;
  Chain chain_;
  std::uint64_t done_ = 0;
  std::uint64_t told_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

Effect Inspection::effect() const {
  Effect worst = Effect::Nothing;
  for (const Fault& fault : faults) worst = std::max(worst, fault.effect);
  return worst;
}

Result<Inspection> inspect(FileSystem& files, const std::string& folder, const Progress& progress) {
  return Inspector(files, folder, progress).run();
}

}  // namespace ferry::store
