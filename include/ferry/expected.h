#pragma once
/// @file
/// What a call answers: a value, or why there is none. Nothing in this library throws unless a caller asks for a value that is
/// not there.

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace ferry {

/// What a caller can do about it.
enum class FailureKind {
  InvalidArgument,  ///< What was given is wrong. Nothing was sent or changed; repeating it cannot help.
  NotFound,         ///< There is no such queue, file or profile.
  NotAuthorised,    ///< The service or the operating system refuses us, or there are no credentials.
  NotReachable,     ///< Nobody answers. Nothing was sent.
  Unavailable,      ///< The service, a file or a database cannot serve this now, and may later.
  Unknown,          ///< It was sent, but no answer came that can be believed: it may have happened.
  ReceiptLost,      ///< The receipt handle does not hold the message any more.
  Refused,          ///< The service says no for another reason, which `Failure::code` names.
  System,           ///< A disk, file or database of this machine failed.
  Cancelled,        ///< The caller gave up.
};
/// "not reachable", "receipt lost", …: for people.
std::string_view name_of(FailureKind kind) noexcept;

/// Why a call has no value.
struct Failure {
  FailureKind kind = FailureKind::System;  ///< What to do about it.
  std::string message{};                   ///< A sentence for people: what was attempted, and why it failed.
  std::string code{};                      ///< The service's own name of its error, such as "InvalidAddress"; often empty.
};

/// What `Expected::value()` throws when there is none; `what()` is the failure's message.
class FailureError : public std::runtime_error {
 public:
  /// Of this failure.
  explicit FailureError(Failure failure) : std::runtime_error(failure.message), failure_(std::move(failure)) {}
  /// Why there is no value.
  const Failure& failure() const noexcept { return failure_; }

 private:
  Failure failure_;
};

/// A value or a Failure. Test it (`if (answer)`) and use `*answer`, or take `answer.value()`, which throws the failure. The names
/// are those of std::expected.
template <class T>
class [[nodiscard]] Expected {
 public:
  /// A value.
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  /// The reason why there is none.
  Expected(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT

  /// Whether there is a value.
  bool has_value() const noexcept { return state_.index() == 0; }
  /// Whether there is a value.
  explicit operator bool() const noexcept { return has_value(); }

  /// The value. Throws FailureError when there is none.
  T& value() & { return check(), *std::get_if<0>(&state_); }
  /// The value. Throws FailureError when there is none.
  const T& value() const& { return check(), *std::get_if<0>(&state_); }
  /// The value, taken out: `for (auto& one : call().value())` is safe. Throws FailureError when there is none.
  T value() && { return check(), std::move(*std::get_if<0>(&state_)); }
  /// Like value().
  T& operator*() & { return value(); }
  /// Like value().
  const T& operator*() const& { return value(); }
  /// Like value().
  T operator*() && { return std::move(*this).value(); }
  /// A member of the value. Throws FailureError when there is none.
  T* operator->() { return &value(); }
  /// A member of the value. Throws FailureError when there is none.
  const T* operator->() const { return &value(); }
  /// The value, or `otherwise` when there is none.
  T value_or(T otherwise) const& { return has_value() ? *std::get_if<0>(&state_) : std::move(otherwise); }

  /// Why there is no value. Throws std::bad_variant_access when there is one.
  const Failure& error() const& { return std::get<1>(state_); }
  /// The same, taken out.
  Failure&& error() && { return std::get<1>(std::move(state_)); }

 private:
  void check() const {
    if (!has_value()) throw FailureError(*std::get_if<1>(&state_));
  }
  std::variant<T, Failure> state_;
};

/// Done, or a Failure.
template <>
class [[nodiscard]] Expected<void> {
 public:
  /// Done.
  Expected() = default;
  /// The reason why not.
  Expected(Failure failure) : failure_(std::move(failure)) {}  // NOLINT: implicit by design

  /// Whether it is done.
  bool has_value() const noexcept { return !failure_.has_value(); }
  /// Whether it is done.
  explicit operator bool() const noexcept { return has_value(); }
  /// Throws FailureError unless it is done.
  void value() const {
    if (failure_) throw FailureError(*failure_);
  }
  /// Why it is not done. Throws std::bad_optional_access when it is.
  const Failure& error() const& { return failure_.value(); }
  /// The same, taken out.
  Failure&& error() && { return std::move(failure_).value(); }

 private:
  std::optional<Failure> failure_;
};

}  // namespace ferry
