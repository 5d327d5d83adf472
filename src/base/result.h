#pragma once
// A value or the reason why there is none, with the names of std::expected (which g++ 12 has only in C++23 mode).

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace ferry {

/// Wraps an error so that it converts to any Result with that error type.
template <class E>
class Unexpected {
 public:
  explicit Unexpected(E error) : error_(std::move(error)) {}
  const E& error() const& { return error_; }
  E&& error() && { return std::move(error_); }

 private:
  E error_;
};

inline Unexpected<Error> fail(ErrorKind kind, std::string message) {
  return Unexpected<Error>(Error{kind, std::move(message)});
}

template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = E;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  template <class G>
  requires std::is_constructible_v<E, G> Result(Unexpected<G> error)
      : state_(std::in_place_index<1>, std::move(error).error()) {}  // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return FERRY_CHECK(has_value()), *std::get_if<0>(&state_); }
  const T& value() const& { return FERRY_CHECK(has_value()), *std::get_if<0>(&state_); }
  T&& value() && { return FERRY_CHECK(has_value()), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  template <class U>
  T value_or(U&& other) const& {
    return has_value() ? value() : static_cast<T>(std::forward<U>(other));
  }
  E& error() & { return FERRY_CHECK(!has_value()), *std::get_if<1>(&state_); }
  const E& error() const& { return FERRY_CHECK(!has_value()), *std::get_if<1>(&state_); }
  E&& error() && { return FERRY_CHECK(!has_value()), std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  Result() = default;
  template <class G>
  requires std::is_constructible_v<E, G> Result(Unexpected<G> error) : error_(std::move(error).error()) {}  // NOLINT

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const { FERRY_CHECK(has_value()); }
  E& error() & { return FERRY_CHECK(error_.has_value()), *error_; }
  const E& error() const& { return FERRY_CHECK(error_.has_value()), *error_; }
  E&& error() && { return FERRY_CHECK(error_.has_value()), std::move(*error_); }

 private:
  std::optional<E> error_;
};

}  // namespace ferry

#define FERRY_CONCAT_INNER(a, b) a##b
#define FERRY_CONCAT(a, b) FERRY_CONCAT_INNER(a, b)

/// FERRY_TRY(auto x, call()): x is the value, or the enclosing function returns the error.
#define FERRY_TRY(declaration, expression) FERRY_TRY_IMPL(FERRY_CONCAT(ferry_try_, __LINE__), declaration, expression)
#define FERRY_TRY_IMPL(temporary, declaration, expression)                              \
  auto temporary = (expression);                                                        \
  if (!temporary.has_value()) return ::ferry::Unexpected(std::move(temporary).error()); \
  declaration = std::move(temporary).value()

/// FERRY_TRY_VOID(call()): the same for a Result<void>.
#define FERRY_TRY_VOID(expression)                                                                      \
  do {                                                                                                  \
    auto ferry_try_result = (expression);                                                               \
    if (!ferry_try_result.has_value()) return ::ferry::Unexpected(std::move(ferry_try_result).error()); \
  } while (false)
