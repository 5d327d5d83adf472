#include "audit/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/encoding.h"

namespace ferry::audit {
namespace {

constexpr std::string_view kPrefix = "audit-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kNumberDigits = 2;
constexpr std::size_t kSeqDigits = 12;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kTailBytes = 256 * 1024;  // a torn tail, and the whole line before it
constexpr std::size_t kTornBytesMax = 128 * 1024;

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "audit-NN" and the first seq; nothing for a name that is not ours.
std::optional<std::pair<std::string, std::uint64_t>> parse_name(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view middle = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  if (middle.size() != kNumberDigits + 1 + kSeqDigits || middle[kNumberDigits] != '-') return std::nullopt;
  const std::string_view seq = middle.substr(kNumberDigits + 1);
  if (!is_digits(middle.substr(0, kNumberDigits)) || !is_digits(seq)) return std::nullopt;
  return std::pair(std::string(name.substr(0, kPrefix.size() + kNumberDigits)),
                   static_cast<std::uint64_t>(parse_integer(seq).value_or(0)));
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void add_file(std::vector<ChainFile>& found, const std::string& path, const std::string& folder, std::uint64_t bytes) {
  const std::size_t slash = path.rfind('/');
  const auto ours = parse_name(std::string_view(path).substr(slash == std::string::npos ? 0 : slash + 1));
  if (ours) {
    found.push_back({path, fmt::format("{}/{}", folder, ours->first), ours->second, bytes});
  } else {
    found.push_back({path, path, 0, bytes});
  }
}

Result<void> add_folder(FileSystem& files, std::string folder, std::vector<ChainFile>& found) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  FERRY_TRY(const auto entries, files.list(folder));
  for (const FileSystem::Entry& entry : entries) {
    if (parse_name(entry.name)) add_file(found, fmt::format("{}/{}", folder, entry.name), folder, entry.bytes);
  }
  return {};
}

void put_number(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>((number >> shift) & 0xFF));
}

Result<std::string> read_range(File& file, std::uint64_t from, std::size_t bytes) {
  std::string text(bytes, '\0');
  FERRY_TRY(const std::size_t got, file.read_at(from, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  return text;
}
}  // namespace

std::string chain_file_name(int number, std::uint64_t first_seq) {
  return fmt::format("{}{:02}-{:012}{}", kPrefix, number, first_seq, kSuffix);
}

Result<std::vector<ChainFile>> find_chain_files(FileSystem& files, const std::vector<std::string>& paths) {
  std::vector<ChainFile> found;
  for (const std::string& path : paths) {
    auto file = files.open(path, OpenMode{});
    if (!file && file.error().kind == ErrorKind::NotFound) return Unexpected(std::move(file).error());
    if (file) {
      const auto size = (*file)->size();
      std::array<std::byte, 1> probe{};
      if (size && (*file)->read_at(0, probe)) {  // reading a folder fails
        add_file(found, path, parent_of(path), *size);
        continue;
      }
    }
    FERRY_TRY_VOID(add_folder(files, path, found));
  }
  std::sort(found.begin(), found.end(), [](const ChainFile& a, const ChainFile& b) {
    return std::tie(a.chain, a.first_seq, a.path) < std::tie(b.chain, b.first_seq, b.path);
  });
  const auto same = [](const ChainFile& a, const ChainFile& b) { return a.path == b.path; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

std::string signed_text(std::string_view chain, std::uint64_t seq, std::string_view prev) {
  std::string out;
  for (const std::string_view text : {std::string_view("ferry-audit-checkpoint-v1"), chain, prev}) {
    put_number(out, text.size());
    out += text;
  }
  put_number(out, seq);
  return out;
}

Result<bool> LineReader::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  FERRY_TRY(const std::string more, read_range(*file_, offset_, kReadBytes));
  offset_ += more.size();
  buffer_ += more;
  return !more.empty();
}

Result<std::optional<LineReader::Line>> LineReader::next() {
  Line line;
  for (;;) {
    const std::size_t end = std::min(buffer_.find('\n', at_), buffer_.size());
    const std::size_t room = kLineBytesMax + 1 - line.text.size();
    line.text.append(buffer_, at_, std::min(end - at_, room));
    line.bytes += end - at_;
    line.ended = end < buffer_.size();
    at_ = std::min(end + 1, buffer_.size());
    if (line.ended) {
      ++line.bytes;
      return std::optional<Line>(std::move(line));
    }
    FERRY_TRY(const bool more, fill());
    if (more) continue;
    if (line.bytes == 0) return std::optional<Line>();
    return std::optional<Line>(std::move(line));
  }
}

Result<ChainEnd> read_chain_end(File& file, const std::string& path) {
  ChainEnd end;
  FERRY_TRY(end.bytes, file.size());
  const std::uint64_t from = end.bytes > kTailBytes ? end.bytes - kTailBytes : 0;
  FERRY_TRY(const std::string tail, read_range(file, from, static_cast<std::size_t>(end.bytes - from)));
  // Backwards, line by line, until one is whole.
  std::size_t stop = tail.size();
  bool broken = !tail.empty() && tail.back() != '\n';  // no line break at `stop`
  while (stop > 0) {
    const std::size_t content = broken ? stop : stop - 1;
    const std::size_t newline = content == 0 ? std::string::npos : tail.rfind('\n', content - 1);
    const std::size_t start = newline == std::string::npos ? 0 : newline + 1;
    const std::string_view text = std::string_view(tail).substr(start, content - start);
    if (start > 0 || from == 0) end.last = parse_line(text);
    if (end.last) {
      end.last_hash = hash_line(text);
      end.lacks_line_break = broken;
      break;
    }
    stop = start;
    broken = false;
  }
  end.torn = end.last || from == 0 ? tail.substr(stop) : tail;
  if (end.torn.size() > kTornBytesMax) {
    return fail(
        ErrorKind::Corrupt,
        fmt::format("the last {} bytes of {} are no lines of an audit trail, which is more than a torn write leaves behind; "
                    "ferry audit verify says more. Move the files of this chain elsewhere to begin a new one",
                    end.torn.size(), path));
  }
  return end;
}

}  // namespace ferry::audit
