#pragma once
// What is counted while the server runs. Counters only go up; reading them never blocks a writer.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace ferry::metrics {

/// Thread-safe.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What the service counts.
struct ServiceCounters {
  Counter requests;
  Counter errors_sender;    ///< answered with an error that is the caller's
  Counter errors_receiver;  ///< answered with an error that is ours
  Counter refused_access;   ///< no, wrong or expired signature, missing grant, a browser from elsewhere
  Counter messages_sent;
  Counter messages_received;
  Counter messages_deleted;
  Counter empty_receives;
  Counter damaged_bodies;
};

/// Lines of the Prometheus text format (version 0.0.4), one metric after another.
class PrometheusText {
 public:
  void counter(std::string_view name, std::string_view help, std::uint64_t value) { line(name, help, "counter", value); }
  void gauge(std::string_view name, std::string_view help, std::uint64_t value) { line(name, help, "gauge", value); }
  const std::string& text() const { return text_; }

 private:
  void line(std::string_view name, std::string_view help, std::string_view type, std::uint64_t value);
  std::string text_;
};

}  // namespace ferry::metrics
