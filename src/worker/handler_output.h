#pragma once
// What handlers write, cut into lines.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace ferry::worker {

inline constexpr std::size_t kOutputLineBytesMax = 4 * 1024;
inline constexpr std::size_t kOutputBytesMax = 64 * 1024;  // of one stream of one run; the rest is read and dropped

/// Cuts a stream into lines and hands them on; a line over the bound is cut in pieces, what is over the total is dropped and
/// said.
class LineFramer {
 public:
  using Sink = std::function<void(std::string_view line)>;
  explicit LineFramer(Sink sink) : sink_(std::move(sink)) {}
  void feed(std::string_view bytes);
  /// The last line, which may have no end.
  void finish();

 private:
  void emit(std::string_view line);
  Sink sink_;
  std::string line_;
  std::size_t emitted_bytes_ = 0;
  bool capped_ = false;
};

/// The last `bytes_max` bytes of what was added, beginning with a whole line when a line fits.
class OutputTail {
 public:
  explicit OutputTail(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  void add(std::string_view line);
  std::string take() { return std::move(text_); }

 private:
  std::size_t bytes_max_;
  std::string text_;
};

}  // namespace ferry::worker
