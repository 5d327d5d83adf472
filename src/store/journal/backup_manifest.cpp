// The text of backup.json. It is written in one way only, so reading it is easy: what is read must come out the same when it is
// written again.

#include <fmt/format.h>

#include "base/encoding.h"
#include "store/journal/backup.h"

namespace ferry::store {
namespace {

constexpr std::string_view kFileBegin = "    {\"name\": \"";
constexpr std::string_view kChecksumKey = "  \"checksum\": \"";

// What stands between the next `before` and the `after` behind it; moves on behind both.
std::optional<std::string_view> take(std::string_view& text, std::string_view before, std::string_view after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t end = text.find(after, begin + before.size());
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view value = text.substr(begin + before.size(), end - begin - before.size());
  text.remove_prefix(end + after.size());
  return value;
}

std::optional<std::uint64_t> take_number(std::string_view& text, std::string_view before, std::string_view after) {
  const auto value = take(text, before, after);
  const auto number = value ? parse_integer(*value) : std::nullopt;
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<BackupManifest> parse(std::string_view text) {
  BackupManifest manifest;
  const auto store = take(text, "\"store\": \"", "\"");
  const auto uuid = store ? parse_uuid(*store) : std::nullopt;
  const auto position = take_number(text, "\"position\": ", ",");
  const auto taken = take_number(text, "\"taken_ms\": ", ",");
  if (!uuid || !position || !taken) return std::nullopt;
  manifest.store = *uuid;
  manifest.position = Position{*position};
  manifest.taken = from_epoch_millis(static_cast<std::int64_t>(*taken));
  while (text.find(kFileBegin) != std::string_view::npos) {
    BackupFile file;
    const auto name = take(text, kFileBegin, "\"");
    const auto bytes = take_number(text, "\"bytes\": ", ",");
    const auto sha256 = take(text, "\"sha256\": \"", "\"");
    const auto digest = sha256 ? hex_decode(*sha256) : std::nullopt;
    if (!name || !bytes || !digest || digest->size() != file.sha256.size()) return std::nullopt;
    file.name = *name;
    file.bytes = *bytes;
    std::copy(digest->begin(), digest->end(), file.sha256.begin());
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}
}  // namespace

bool BackupManifest::operator==(const BackupManifest& other) const {
  return store == other.store && position == other.position && taken == other.taken && files == other.files;
}

std::string encode_manifest(const BackupManifest& manifest) {
  std::string text =
      fmt::format("{{\n  \"format\": {},\n  \"store\": \"{}\",\n  \"position\": {},\n  \"taken_ms\": {},\n  \"files\": [\n",
                  kBackupFormat, to_string(manifest.store), manifest.position.value, to_epoch_millis(manifest.taken));
  for (const BackupFile& file : manifest.files) {
    text += fmt::format("{}{}\", \"bytes\": {}, \"sha256\": \"{}\"}}{}\n", kFileBegin, file.name, file.bytes,
                        hex_encode(file.sha256), &file == &manifest.files.back() ? "" : ",");
  }
  text += "  ],\n";
  const std::string checksum = hex_encode(sha256(text));
  return text + fmt::format("{}{}\"\n}}\n", kChecksumKey, checksum);
}

Result<BackupManifest> decode_manifest(std::string_view text) {
  std::string_view rest = text;
  const auto format = take_number(rest, "{\n  \"format\": ", ",");
  if (format && *format > kBackupFormat) {
    return fail(
        ErrorKind::InvalidArgument,
        fmt::format("was written in format {} by a newer ferry; this one knows backups up to {}", *format, kBackupFormat));
  }
  auto manifest = parse(rest);
  if (!manifest || encode_manifest(*manifest) != text) return fail(ErrorKind::Corrupt, "is damaged: it is not as it was written");
  return std::move(*manifest);
}

}  // namespace ferry::store
