#include "worker/handler_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"

namespace ferry::worker {

void LineFramer::emit(std::string_view line) {
  if (capped_) return;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (emitted_bytes_ + line.size() > kOutputBytesMax) {
    capped_ = true;
    sink_(fmt::format("… more than {} bytes; the rest is not shown", kOutputBytesMax));
    return;
  }
  emitted_bytes_ += line.size();
  sink_(line);
}

void LineFramer::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::size_t take = std::min(end, kOutputLineBytesMax - line_.size());
    line_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    const bool line_ends = !bytes.empty() && bytes.front() == '\n';
    if (line_ends) bytes.remove_prefix(1);
    if (line_ends || (line_.size() == kOutputLineBytesMax && !bytes.empty())) {
      emit(line_);
      line_.clear();
    }
  }
}

void LineFramer::finish() {
  if (!line_.empty()) emit(line_);
  line_.clear();
}

void OutputTail::add(std::string_view line) {
  text_ += escape_control(line);
  text_ += '\n';
  if (text_.size() <= bytes_max_) return;
  const std::size_t cut = text_.size() - bytes_max_;
  const std::size_t line_end = text_.find('\n', cut - 1);
  text_.erase(0, line_end + 1 < text_.size() ? line_end + 1 : cut);
}

}  // namespace ferry::worker
