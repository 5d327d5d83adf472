#pragma once
// A real ledger that can be watched and made to fail.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ledger/ledger.h"

namespace ferry::worker::testing_support {

// Passes everything on to a real ledger, unless told otherwise.
class WatchedLedger final : public ledger::Ledger {
 public:
  explicit WatchedLedger(std::unique_ptr<ledger::Ledger> real) : real_(std::move(real)) {}
  void submit(std::vector<ledger::Operation> operations, Then then) override {
    for (const ledger::Operation& operation : operations) {
      if (const auto* settlement = std::get_if<ledger::Settlement>(&operation)) {
        ++settlements;
        if (on_settlement) on_settlement(*settlement);
      } else if (std::holds_alternative<ledger::Renewal>(operation)) {
        ++renewals;
      }
    }
    ++submissions;
    if (failing.load() > 0) {
      --failing;
      return then(fail(kind, "as told"));
    }
    real_->submit(std::move(operations), std::move(then));
  }
  Result<ledger::Page> list(const ledger::Filter& filter) override { return real_->list(filter); }
  Result<std::vector<ledger::Row>> find(const Selector& selector) override { return real_->find(selector); }
  Result<ledger::Row> retry(const ledger::KeyHash& key) override { return real_->retry(key); }
  Result<ledger::Row> park(const ledger::KeyHash& key, std::string_view reason) override { return real_->park(key, reason); }
  Result<void> forget(const ledger::KeyHash& key) override { return real_->forget(key); }
  Result<ledger::Statistics> stat() override { return real_->stat(); }
  Result<std::vector<std::string>> check() override { return real_->check(); }

  std::atomic<int> failing{0};  // so many submissions
  ErrorKind kind = ErrorKind::Unavailable;
  std::atomic<int> settlements{0};
  std::atomic<int> renewals{0};
  std::atomic<int> submissions{0};
  std::function<void(const ledger::Settlement&)> on_settlement;

 private:
  std::unique_ptr<ledger::Ledger> real_;
};

}  // namespace ferry::worker::testing_support
