#pragma once
// Little-endian fields of persistent formats. The same function template, given a ByteCounter and then a ByteWriter, tells
// the size of an encoding and makes it, so that the two cannot disagree.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/check.h"

namespace ferry::engine {

static_assert(std::endian::native == std::endian::little, "integers are copied as they are");

class ByteCounter {
 public:
  template <class Integer>
  void integer(Integer) {
    static_assert(std::is_integral_v<Integer>);
    size_ += sizeof(Integer);
  }
  void bytes(std::string_view text) { size_ += text.size(); }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

/// Writing past the end is our own mistake and aborts.
class ByteWriter {
 public:
  explicit ByteWriter(std::span<std::byte> out) : out_(out) {}
  template <class Integer>
  void integer(Integer value) {
    static_assert(std::is_integral_v<Integer>);
    FERRY_CHECK(out_.size() >= sizeof(Integer));
    std::memcpy(out_.data(), &value, sizeof(Integer));
    out_ = out_.subspan(sizeof(Integer));
  }
  void bytes(std::string_view text) {
    FERRY_CHECK(out_.size() >= text.size());
    if (!text.empty()) std::memcpy(out_.data(), text.data(), text.size());
    out_ = out_.subspan(text.size());
  }
  bool full() const { return out_.empty(); }

 private:
  std::span<std::byte> out_;
};

/// After a read past the end every value is zero or empty and ok() is false.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> in) : in_(in) {}
  template <class Integer>
  Integer integer() {
    static_assert(std::is_integral_v<Integer>);
    if (in_.size() < sizeof(Integer)) return fail(), Integer{};
    Integer value;
    std::memcpy(&value, in_.data(), sizeof(Integer));
    in_ = in_.subspan(sizeof(Integer));
    return value;
  }
  std::string_view bytes(std::size_t size) {
    if (in_.size() < size) return fail(), std::string_view();
    const std::string_view text(reinterpret_cast<const char*>(in_.data()), size);
    in_ = in_.subspan(size);
    return text;
  }
  void fail() {
    ok_ = false;
    in_ = {};
  }
  bool ok() const { return ok_; }
  std::size_t left() const { return in_.size(); }
  /// Everything was there and nothing is left.
  bool finished() const { return ok_ && in_.empty(); }

 private:
  std::span<const std::byte> in_;
  bool ok_ = true;
};

}  // namespace ferry::engine
