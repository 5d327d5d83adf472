#include "audit/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/encoding.h"

namespace ferry::audit {
namespace {

// Of lines that were kept elsewhere: by chain, their hash by number.
struct Known {
  std::map<std::string, std::map<std::uint64_t, std::string>> by_chain;
  std::vector<Fault> faults;
};

Known read_known(const std::vector<std::string>& lines) {
  Known known;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto record = parse_line(lines[i]);
    if (record && !record->text("chain").empty()) {
      known.by_chain[std::string(record->text("chain"))][record->seq] = hash_line(lines[i]);
    } else {
      known.faults.push_back({"", i + 1, "a known line is no line of a chain that names it (checkpoints do)"});
    }
  }
  return known;
}

class ChainCheck {
 public:
  ChainCheck(std::string name, const VerifyOptions& options, const Known& known, VerifyReport& report)
      : options_(options), known_(known), report_(report) {
    chain_.name = std::move(name);
  }

  Result<void> read(FileSystem& files, const ChainFile& file) {
    ++chain_.files;
    file_ = file.path;
    line_ = 0;
    FERRY_TRY(auto opened, files.open(file.path, OpenMode{}));
    LineReader reader(std::move(opened));
    for (;;) {
      FERRY_TRY(const auto line, reader.next());
      if (!line) return {};
      ++line_;
      take(*line, file);
    }
  }

  ChainReport finish() {
    if (!torn_.empty()) {
      if (torn_ended_) {
        fault(torn_line_, "is no line of an audit trail, and no repair record follows it");
      } else {
        chain_.state = ChainState::Torn;
      }
    }
    if (!options_.keys.empty() && chain_.signed_lines == 0)
      fault(0, "holds no line that is signed with a key that was named: whoever could write here could have written all of it");
    const auto known = known_.by_chain.find(chain_.id);
    if (known == known_.by_chain.end()) return chain_;
    for (const auto& [seq, hash] : known->second) {
      if (seen_known_.count(seq) != 0) continue;
      if (seq > chain_.last_seq) {
        fault(0, fmt::format("the chain {} ends with line {}, but its line {} was seen before: the tail was cut off", chain_.id,
                             chain_.last_seq, seq));
      } else if (seq >= chain_.first_seq) {
        fault(0, fmt::format("the chain {} has no line {} any more as it was seen before", chain_.id, seq));
      }
    }
    return chain_;
  }

 private:
  void fault(std::uint64_t line, std::string what) {
    if (report_.faults.size() < kFaultsMax) {
      report_.faults.push_back({file_, line, std::move(what)});
    } else {
      ++report_.faults_left_out;
    }
  }

  void take(const LineReader::Line& line, const ChainFile& file) {
    if (line.text.size() > kLineBytesMax) {
      fault(line_, fmt::format("has {} bytes; a line has at most {}", line.bytes, kLineBytesMax));
      lost_ = true;
      return;
    }
    const auto record = parse_line(line.text);
    if (!record) {
      if (torn_.empty()) torn_line_ = line_;
      torn_ += line.text;
      if (line.ended) torn_.push_back('\n');
      torn_ended_ = line.ended;
      return;
    }
    if (line_ == 1 && file.first_seq != 0 && file.first_seq != record->seq) {
      fault(line_, fmt::format("has the number {}, but the file's name says {}: it was renamed, or lines were taken away",
                               record->seq, file.first_seq));
    }
    if (last_hash_.empty()) {
      begin(*record);
    } else {
      check_torn(*record);
      check_link(*record);
    }
    check_own(*record);
    torn_.clear();
    lost_ = false;
    ++chain_.lines;
    chain_.last_seq = record->seq;
    chain_.last_time = record->time;
    chain_.state = record->entry.event == kChainClosed ? ChainState::Closed : ChainState::Open;
    last_hash_ = hash_line(line.text);
    check_known(record->seq);
  }

  void begin(const Record& record) {
    chain_.first_seq = record.seq;
    chain_.first_time = record.time;
    if (!torn_.empty()) {
      check_torn(record);
    }
    if ((record.seq == 1) != (record.prev == kFirstPrev))
      fault(line_, "is the first line here, and its number does not fit its hash: one of them was changed");
    if (record.seq == 1 && record.entry.event != kChainOpened && record.entry.event != kChainRepaired)
      fault(line_, "has the number 1, but is not the beginning of a chain");
  }

  // Bytes that are no lines are accepted only when the next line is the record of their repair.
  void check_torn(const Record& record) {
    const bool repair = record.entry.event == kChainRepaired;
    if (torn_.empty() && !repair) return;
    if (torn_.empty()) {
      fault(line_, "is a repair record, but there is nothing torn before it");
    } else if (!repair) {
      fault(torn_line_, "is no line of an audit trail: it was changed");
    } else if (record.number("torn_bytes") != static_cast<std::int64_t>(torn_.size()) ||
               record.text("torn_sha256") != hash_line(torn_)) {
      fault(torn_line_, "is torn, but not as the repair record behind it says: it was changed after the repair");
    } else {
      ++chain_.repairs;
    }
  }

  void check_link(const Record& record) {
    if (lost_) return;  // told already
    const std::uint64_t expected = chain_.last_seq + 1;
    const bool linked = record.prev == last_hash_;
    if (record.seq == expected && linked) return;
    if (record.seq == expected) {
      fault(line_, fmt::format("does not continue the line before it: line {} was changed, or this one was", chain_.last_seq));
    } else if (record.seq > expected) {
      fault(line_,
            record.seq == expected + 1
                ? fmt::format("has the number {}; number {} is missing before it", record.seq, expected)
                : fmt::format("has the number {}; numbers {} to {} are missing before it", record.seq, expected, record.seq - 1));
    } else {
      fault(line_,
            fmt::format("has the number {} and stands behind number {}: it was moved or inserted", record.seq, chain_.last_seq));
    }
  }

  void check_own(const Record& record) {
    const std::string_view id = record.text("chain");
    const std::string_view signature = record.text("signature");
    if (id.empty()) return;
    if (chain_.id.empty()) chain_.id = id;
    if (chain_.id != id)
      fault(line_, fmt::format("belongs to the chain {}, and this one is {}", escape_control(id), escape_control(chain_.id)));
    if (signature.empty()) return;
    if (options_.keys.empty()) {
      ++chain_.signed_lines;
      chain_.signed_seq = record.seq;
      return;
    }
    const auto key = options_.keys.find(std::string(record.text("key")));
    if (key == options_.keys.end()) {
      fault(line_,
            fmt::format("is signed with the key {}, which is none of those that were named", escape_control(record.text("key"))));
      return;
    }
    const auto bytes = base64_decode(signature);
    Ed25519Signature parsed{};
    if (bytes && bytes->size() == parsed.size()) std::copy(bytes->begin(), bytes->end(), parsed.begin());
    if (!ed25519_verify(key->second, signed_text(id, record.seq, record.prev), parsed)) {
      fault(line_, "has a signature that does not fit: it, or a line before it, was changed");
      return;
    }
    ++chain_.signed_lines;
    chain_.signed_seq = record.seq;
  }

  void check_known(std::uint64_t seq) {
    const auto chain = known_.by_chain.find(chain_.id);
    if (chain == known_.by_chain.end()) return;
    const auto line = chain->second.find(seq);
    if (line == chain->second.end()) return;
    if (line->second == last_hash_) {
      seen_known_.insert(seq);
    } else {
      fault(line_, fmt::format("is not the line {} of its chain that was seen before: the chain was written anew", seq));
      seen_known_.insert(seq);
    }
  }

  const VerifyOptions& options_;
  const Known& known_;
  VerifyReport& report_;
  ChainReport chain_;
  std::string file_;
  std::uint64_t line_ = 0;
  std::string last_hash_;  // empty before the first line
  std::string torn_;
  std::uint64_t torn_line_ = 0;
  bool torn_ended_ = false;
  bool lost_ = false;  // the line before was too long to be looked at
  std::set<std::uint64_t> seen_known_;
};
}  // namespace

Result<VerifyReport> verify(FileSystem& files, const std::vector<std::string>& paths, const VerifyOptions& options) {
  FERRY_TRY(const std::vector<ChainFile> found, find_chain_files(files, paths));
  if (found.empty()) return fail(ErrorKind::NotFound, fmt::format("there is no audit trail in {}", fmt::join(paths, ", ")));
  const Known known = read_known(options.known_lines);
  VerifyReport report;
  report.faults = known.faults;
  for (std::size_t i = 0; i < found.size();) {
    ChainCheck check(found[i].chain, options, known, report);
    const std::string& chain = found[i].chain;
    for (; i < found.size() && found[i].chain == chain; ++i) FERRY_TRY_VOID(check.read(files, found[i]));
    report.chains.push_back(check.finish());
  }
  for (const auto& chain_lines : known.by_chain) {
    const std::string& id = chain_lines.first;
    const bool here =
        std::any_of(report.chains.begin(), report.chains.end(), [&](const ChainReport& chain) { return chain.id == id; });
    if (!here) {
      report.faults.push_back(
          {"", 0, fmt::format("the chain {}, of which lines were seen before, is not here", escape_control(id))});
    }
  }
  return report;
}

}  // namespace ferry::audit
