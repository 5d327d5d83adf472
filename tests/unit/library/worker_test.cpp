// Workers of C++ functions: real client, real ledger, a server of the test.

#include "ferry/worker.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "../worker/capture.h"
#include "../worker/fault_server.h"
#include "base/random.h"
#include "ferry/sender.h"
#include "signing/key.h"

namespace ferry {
namespace {

using worker::testing_support::Faults;
using worker::testing_support::FaultServer;
using worker::testing_support::TemporaryFolder;

class WorkerTest : public testing::Test {
 protected:
  WorkerOptions options(RunUntil until = RunUntil::Stopped) {
    WorkerOptions made;
    made.queue = "q";
    made.connection.endpoint_url = server_.url();
    made.connection.credentials = Credentials{"AKIATEST", "secret"};
    made.until = until;
    made.wait = Seconds(until == RunUntil::Drained ? 1 : 0);
    made.on_event = [this](const Event& event) {
      const std::lock_guard lock(mutex_);
      said_ += std::string(event.text) + "\n";
    };
    return made;
  }
  WorkerOptions with_ledger() {
    WorkerOptions made = options();
    made.ledger = folder_.file("ledger.db");
    return made;
  }
  // Runs it until every message was settled: deleted, or hidden again.
  RunReport run(Worker& worker, std::size_t settlements) {
    std::jthread stopper([&](const std::stop_token& over) {
      while (!over.stop_requested() && server_.queue().removals().size() + server_.queue().changes().size() < settlements)
        sleep_for(Millis(2));
      worker.stop();
    });
    return worker.run().value();
  }
  bool says(const std::string& part) {
    const std::lock_guard lock(mutex_);
    return said_.find(part) != std::string::npos;
  }
  std::string add(const std::string& name, const std::string& parameter, const std::string& key = {}) {
    sqs::MessageAttributes attributes = {{name, {"String", parameter, std::nullopt, false}}};
    if (!key.empty()) attributes.push_back({"idempotency-key", {"String", key, std::nullopt, false}});
    return server_.queue().add_message("body", attributes);
  }
  // The only number that a statement answers, of the ledger's file.
  int number(const std::string& sql) const {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(folder_.file("ledger.db").c_str(), &database), SQLITE_OK);
    int value = -1;
    const auto take = [](void* into, int, char** values, char**) {
      *static_cast<int*>(into) = std::stoi(values[0]);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), take, &value, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
    return value;
  }

  SystemClock clock_;
  FaultServer server_{clock_, Faults{}, 7};
  TemporaryFolder folder_;
  std::mutex mutex_;
  std::string said_;  // guarded by mutex_
};

TEST_F(WorkerTest, CarriesOutRequestsByName) {
  add("Resize", "640");
  add("Resize", "5000");  // not allowed
  add("Enable", "x");
  std::atomic<int> widths{0};
  std::atomic<int> enabled{0};
  Worker worker(options());
  worker.on("Resize",
            [&](Task& task) {
              widths += static_cast<int>(*task.integer());
              EXPECT_EQ(task.request(), "Resize");
              EXPECT_EQ(task.body(), "body");
              EXPECT_EQ(task.queue(), "q");
              EXPECT_EQ(task.attribute("Resize")->value, "640");
              EXPECT_FALSE(task.attribute("Other"));
              EXPECT_EQ(task.message().id, task.message_id());
              EXPECT_EQ(task.idempotency_key(), task.message_id());
              EXPECT_EQ(task.attempt(), 1);
              EXPECT_EQ(task.fence(), 0);
              EXPECT_EQ(task.traceparent(), "");
              EXPECT_EQ(task.signed_by(), "");
              EXPECT_FALSE(task.cancelled());
              EXPECT_GT(task.deadline(), clock_.wall());
              return Outcome::done();
            },
            {.parameter = ParameterRule::integer({1, 4'096})});
  worker.on("Enable", [&](Task& task) {
    ++enabled;
    EXPECT_EQ(task.integer().error().kind, FailureKind::InvalidArgument);
    return Outcome::done();
  });
  const RunReport report = run(worker, 3);
  EXPECT_EQ(report.end, RunEnd::Stopped);
  EXPECT_EQ(report.handled, 2u);
  EXPECT_EQ(report.refused, 1u);
  EXPECT_EQ(widths, 640);
  EXPECT_EQ(enabled, 1);
  EXPECT_TRUE(says("REFUSED")) << said_;
  EXPECT_EQ(server_.queue().stored().size(), 1u) << "what is refused stays";
}

TEST_F(WorkerTest, TakesEveryMessageUntilNoneIsLeft) {
  server_.queue().add("", "", "plain");
  std::string body;
  Worker worker(options(RunUntil::Drained));
  worker.on_any([&](Task& task) {
    body = task.body();
    return Outcome::done();
  });
  const RunReport report = worker.run().value();
  EXPECT_EQ(report.end, RunEnd::Drained);
  EXPECT_EQ(report.handled, 1u);
  EXPECT_EQ(body, "plain");
}

TEST_F(WorkerTest, OutcomesAndExceptions) {
  for (const char* name : {"Retry", "Reject", "Fault", "Throw"}) add(name, "x");
  WorkerOptions made = options();
  made.on_refused = OnRefused::Delete;
  Worker worker(made);
  worker.on("Retry", [](Task&) { return Outcome::retry("the moon is full", Seconds(77)); })
      .on("Reject", [](Task&) { return Outcome::reject("never"); })
      .on("Fault", [](Task&) { return Outcome::our_fault("no disk"); })
      .on("Throw", [](Task&) -> Outcome { throw std::runtime_error("thrown"); });
  const RunReport report = run(worker, 4);
  EXPECT_EQ(report.handled, 0u);
  EXPECT_EQ(report.refused, 1u);
  EXPECT_EQ(report.failed, 3u);
  EXPECT_TRUE(says("the moon is full")) << said_;
  EXPECT_TRUE(says("seen again in 77 s"));
  EXPECT_TRUE(says("it threw: thrown"));
  EXPECT_TRUE(says("no disk"));
  EXPECT_EQ(server_.queue().removals().size(), 1u) << "the one that was rejected";
}

TEST_F(WorkerTest, WhatIsDoneIsNotDoneAgain) {
  std::atomic<int> runs{0};
  for (int round = 0; round < 2; ++round) {
    add("Pay", "7", "order-7");  // the second is another message with the same key
    Worker worker(with_ledger());
    worker.on("Pay", [&](Task& task) {
      ++runs;
      EXPECT_EQ(task.idempotency_key(), "order-7");
      EXPECT_EQ(task.fence(), 1);
      EXPECT_EQ(task.attempt(), 1);
      return Outcome::done("{\"receipt\": 12}");
    });
    const RunReport report = run(worker, static_cast<std::size_t>(round) + 1);
    EXPECT_EQ(report.handled, round == 0 ? 1u : 0u);
    EXPECT_EQ(report.duplicates, round == 0 ? 0u : 1u);
  }
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(server_.queue().stored().empty());
}

TEST_F(WorkerTest, AnEffectInTheLedgersTransactionIsThereWithTheRecord) {
  add("Pay", "7");
  add("Pay", "8");
  Worker worker(with_ledger());
  worker.on("Pay", [](Task& task) {
    const std::string order = task.parameter();
    const std::int64_t fence = task.fence();
    return Outcome::done().commit([order, fence](Transaction& transaction) -> Expected<void> {
      if (const auto made =
              transaction.execute("CREATE TABLE IF NOT EXISTS paid (id TEXT PRIMARY KEY, fence INTEGER, note BLOB)", {});
          !made)
        return made.error();
      const auto changed = transaction.execute("INSERT INTO paid VALUES ($1, $2, $3)", {order, fence, Blob{"n"}});
      if (!changed) return changed.error();
      EXPECT_EQ(*changed, 1);
      return {};
    });
  });
  EXPECT_EQ(run(worker, 2).handled, 2u) << said_;
  EXPECT_EQ(number("SELECT count(*) FROM paid WHERE fence >= 1 AND note = x'6e'"), 2);
  EXPECT_EQ(number("SELECT count(*) FROM ferry_ledger WHERE outcome = 'done'"), 2);
}

TEST_F(WorkerTest, AnEffectThatFailsLeavesNothingAndIsTriedAgain) {
  add("Pay", "7");
  const auto run_with = [this](TransactionFunction function) {
    Worker worker(with_ledger());
    worker.on("Pay", [&](Task&) { return Outcome::done().commit(function); });
    return run(worker, 1);
  };
  const RunReport refused = run_with([](Transaction& transaction) -> Expected<void> {
    EXPECT_TRUE(transaction.execute("CREATE TABLE IF NOT EXISTS paid (id TEXT PRIMARY KEY)", {}));
    return Failure{FailureKind::Refused, "the account is empty", {}};
  });
  EXPECT_EQ(refused.handled, 0u);
  EXPECT_EQ(refused.failed, 1u);
  EXPECT_TRUE(says("its transaction was undone: the account is empty")) << said_;
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_master WHERE name = 'paid'"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM ferry_ledger WHERE outcome = 'retry'"), 1);
  EXPECT_EQ(server_.queue().stored().size(), 1u);
}

TEST_F(WorkerTest, AStatementOrAnExceptionThatFailsCountsToo) {
  add("Wrong", "1");
  add("Ends", "1");
  add("Throws", "1");
  Worker worker(with_ledger());
  const auto sql = [](std::string statement) {
    return [statement](Task&) {
      return Outcome::done().commit([statement](Transaction& transaction) -> Expected<void> {
        const auto changed = transaction.execute(statement, {});
        EXPECT_EQ(changed.error().kind, FailureKind::InvalidArgument);
        return changed ? Expected<void>() : Expected<void>(changed.error());
      });
    };
  };
  worker.on("Wrong", sql("INSERT INTO nothing VALUES (1)")).on("Ends", sql("COMMIT"));
  worker.on("Throws", [](Task&) {
    return Outcome::done().commit([](Transaction&) -> Expected<void> { throw std::runtime_error("thrown inside"); });
  });
  const RunReport report = run(worker, 3);
  EXPECT_EQ(report.failed, 3u);
  EXPECT_TRUE(says("its transaction was undone: it threw: thrown inside")) << said_;
}

TEST_F(WorkerTest, ATransactionNeedsALedger) {
  add("Pay", "7");
  Worker worker(options());
  worker.on("Pay", [](Task&) { return Outcome::done().commit([](Transaction&) -> Expected<void> { return {}; }); });
  EXPECT_EQ(run(worker, 1).failed, 1u);
  EXPECT_TRUE(says("there is no ledger")) << said_;
  EXPECT_EQ(server_.queue().stored().size(), 1u);
}

TEST_F(WorkerTest, AResultThatIsNoJsonIsDroppedAndSaid) {
  add("A", "x");
  add("B", "x");
  Worker worker(with_ledger());
  worker.on("A", [](Task&) { return Outcome::done("not json"); });
  worker.on("B", [](Task&) { return Outcome::done(" {\"a\": 1} "); });
  EXPECT_EQ(run(worker, 2).handled, 2u);
  EXPECT_TRUE(says("its result is dropped")) << said_;
  EXPECT_EQ(number("SELECT sum(result_bytes) FROM ferry_ledger"), 7) << "{\"a\":1}";
}

TEST_F(WorkerTest, StopLetsHandlersFinish) {
  add("Slow", "x");
  Worker worker(options());
  worker.on("Slow", [&](Task& task) {
    worker.stop();
    task.wait_for(Millis(200));
    return Outcome::done();
  });
  const RunReport report = worker.run().value();
  EXPECT_EQ(report.end, RunEnd::Stopped);
  EXPECT_EQ(report.handled, 1u);
}

TEST_F(WorkerTest, ASecondStopCancelsThem) {
  add("Slow", "x");
  Worker worker(options());
  worker.on("Slow", [&](Task& task) {
    worker.stop();
    worker.stop();
    EXPECT_TRUE(task.wait_for(std::chrono::minutes(1)));
    return Outcome::retry("cancelled");
  });
  const RunReport report = worker.run().value();
  EXPECT_EQ(report.end, RunEnd::Interrupted);
  EXPECT_EQ(report.interrupted, 1u);
  EXPECT_EQ(server_.queue().stored().size(), 1u);
}

TEST_F(WorkerTest, StoppedBeforeItRanItRunsNothing) {
  add("A", "x");
  Worker worker(options());
  worker.on("A", [](Task&) { return Outcome::done(); });
  worker.stop();
  EXPECT_EQ(worker.run()->end, RunEnd::Stopped);
  EXPECT_EQ(server_.queue().stored().size(), 1u);
  EXPECT_EQ(worker.run().error().kind, FailureKind::InvalidArgument) << "once";
}

TEST_F(WorkerTest, WhatIsWrongIsToldBeforeAnythingIsOpened) {
  WorkerOptions made = with_ledger();
  made.concurrency = 0;
  Worker worker(made);
  EXPECT_EQ(worker.run().error().kind, FailureKind::InvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("ledger.db")));
  EXPECT_EQ(server_.requests(), 0);
}

TEST_F(WorkerTest, QueueLedgerAndFilesThatAreNotThere) {
  const auto failure = [](WorkerOptions made) {
    Worker worker(std::move(made));
    worker.on("A", [](Task&) { return Outcome::done(); });
    return worker.run().error();
  };
  WorkerOptions made = options(RunUntil::Drained);
  made.queue = "other";
  EXPECT_EQ(failure(made).kind, FailureKind::NotFound);
  made = options(RunUntil::Drained);
  made.connection.endpoint_url = "http://127.0.0.1:1";
  made.connection.attempts_max = 1;
  EXPECT_EQ(failure(made).kind, FailureKind::NotReachable);
  made = options();
  made.ledger = folder_.write("open.db", "", 0644);
  EXPECT_NE(failure(made).message.find("the ledger: "), std::string::npos);
  made = options();
  made.allowed_senders = folder_.file("gone.toml");
  EXPECT_NE(failure(made).message.find("gone.toml"), std::string::npos);
  made = options();
  made.on_refused = OnRefused::DeadLetter;
  made.dead_letter_queue = "q";
  EXPECT_NE(failure(made).message.find("worked on"), std::string::npos);
}

TEST_F(WorkerTest, MessagesAreRecognisedByWhatTheyHold) {
  const auto add_body = [&](const std::string& body, sqs::MessageAttributes attributes = {}) {
    server_.queue().add_message(body, std::move(attributes));
  };
  add_body("a", {{"kind", {"String", "photo", std::nullopt, false}}});
  add_body("b", {{"kind", {"String", "film-7", std::nullopt, false}}});
  add_body(R"({"type":"order.created","amount":5})");
  add_body(R"({"amount":6.0})");
  add_body(R"({"amount":"6"})");  // a text is no number
  add_body(R"({"amount":9,"state":"stopped"})");
  std::mutex mutex;
  std::map<std::string, std::string> bodies;
  const Handler note = [&](Task& task) {
    EXPECT_EQ(task.parameter(), "");
    const std::lock_guard lock(mutex);
    bodies[task.request()] += task.body();
    return Outcome::done();
  };
  Worker worker(options());
  worker.on("Photo", note, {.match = Match::attribute("kind", "photo")})
      .on("Film", note, {.match = Match::attribute_like("kind", "film-[0-9]+")})
      .on("Order", note, {.match = Match::type("order.created")})
      .on("Six", note, {.match = Match::body("/amount", 6)})
      .on("Stop", note, {.match = Match::body_like("/state", "stop.*")});
  const RunReport report = run(worker, 6);
  EXPECT_EQ(report.handled, 5u);
  EXPECT_EQ(report.refused, 1u);
  EXPECT_EQ(bodies["Photo"], "a");
  EXPECT_EQ(bodies["Film"], "b");
  EXPECT_EQ(bodies["Order"], R"({"type":"order.created","amount":5})");
  EXPECT_EQ(bodies["Six"], R"({"amount":6.0})");
  EXPECT_EQ(bodies["Stop"], R"({"amount":9,"state":"stopped"})");
}

TEST_F(WorkerTest, MatchesThatCannotBeAreToldBeforeAnythingIsOpened) {
  const auto why_not = [&](HandlerOptions first, std::optional<HandlerOptions> second = std::nullopt) {
    Worker worker(options());
    worker.on(
        "A", [](Task&) { return Outcome::done(); }, std::move(first));
    if (second)
      worker.on(
          "B", [](Task&) { return Outcome::done(); }, std::move(*second));
    const auto report = worker.run();
    EXPECT_FALSE(report);
    return report ? std::string() : report.error().message;
  };
  EXPECT_EQ(why_not({.match = Match::attribute("a b", "x")}), "A: its match: \"a b\" is no name of a message attribute");
  EXPECT_NE(why_not({.match = Match::attribute("kind", "")}).find("can never be matched"), std::string::npos);
  EXPECT_NE(why_not({.match = Match::type(std::string(1'025, 'x'))}).find("can never be matched"), std::string::npos);
  EXPECT_NE(why_not({.match = Match::body("amount", 6)}).find("its pointer "), std::string::npos);
  EXPECT_NE(why_not({.match = Match::body_like("/a", "(")}).find("its expression is wrong"), std::string::npos);
  EXPECT_NE(why_not({.match = Match::type("x"), .parameter = ParameterRule::integer()}).find("has no parameter"),
            std::string::npos);
  EXPECT_NE(why_not({.match = Match::body("/a", true)}, HandlerOptions{.match = Match::body("/a", true)}).find("overlaps"),
            std::string::npos);
  EXPECT_EQ(server_.requests(), 0);
  Worker any(options());
  any.on_any([](Task&) { return Outcome::done(); }, {.match = Match::type("x")});
  EXPECT_EQ(any.run().error().kind, FailureKind::InvalidArgument);
}

TEST_F(WorkerTest, MetricsTellWhatWasDone) {
  add("A", "x");
  Worker worker(options());
  std::string meanwhile;
  worker.on("A", [&](Task&) {
    meanwhile = worker.metrics();
    return Outcome::done();
  });
  EXPECT_EQ(worker.metrics(), "");
  run(worker, 1);
  EXPECT_NE(meanwhile.find("\nferry_worker_handlers_running{request=\"A\"} 1\n"), std::string::npos) << meanwhile;
  const std::string after = worker.metrics();
  EXPECT_NE(after.find("ferry_worker_info{queue=\"q\""), std::string::npos) << after;
  EXPECT_NE(after.find("\nferry_worker_messages_handled_total 1\n"), std::string::npos) << after;
  EXPECT_NE(after.find("\nferry_worker_attempts_total{request=\"A\",outcome=\"done\"} 1\n"), std::string::npos) << after;
  EXPECT_NE(after.find("\nferry_worker_messages_deleted_total 1\n"), std::string::npos) << after;
}

TEST_F(WorkerTest, UnsignedRequestsAreRefusedUnlessTheyAreAllowed) {
  SeededRandom random(3);
  const signing::PrivateKey key{Ed25519Secret::make(random), "alice"};
  const std::string line = signing::format_public_key(key.public_key());
  const std::string senders =
      folder_.write("senders.toml", "[sender.alice]\nkey = \"" + line + "\"\nrequests = [\"*\"]\nqueues = [\"*\"]\n");
  std::atomic<int> done{0};
  const auto worker_with = [&](OnUnsigned on_unsigned, const std::string& file) {
    WorkerOptions made = options();
    made.allowed_senders = file;
    made.on_unsigned = on_unsigned;
    auto worker = std::make_unique<Worker>(made);
    worker->on("A", [&](Task& task) {
      EXPECT_EQ(task.signed_by(), "");
      ++done;
      return Outcome::done();
    });
    return worker;
  };
  add("A", "x");
  EXPECT_EQ(run(*worker_with(OnUnsigned::Refuse, senders), 1).refused, 1u);
  EXPECT_EQ(done, 0);
  add("A", "y");
  EXPECT_EQ(run(*worker_with(OnUnsigned::Allow, senders), 2).handled, 1u);
  EXPECT_EQ(done, 1);
  EXPECT_EQ(worker_with(OnUnsigned::Allow, "")->run().error().kind, FailureKind::InvalidArgument);
}

TEST_F(WorkerTest, EventsThatThrowEndNothing) {
  add("A", "x");
  WorkerOptions made = options();
  made.on_event = [](const Event&) { throw std::runtime_error("no"); };
  Worker worker(made);
  worker.on("A", [](Task&) { return Outcome::done(); });
  EXPECT_EQ(run(worker, 1).handled, 1u);
}

TEST_F(WorkerTest, TheTrailTellsOfEachRequest) {
  add("A", "x");
  WorkerOptions made = options();
  made.audit_folder = folder_.file("trail");
  Worker worker(made);
  worker.on("A", [](Task&) { return Outcome::done(); });
  EXPECT_EQ(run(worker, 1).handled, 1u);
  EXPECT_FALSE(std::filesystem::is_empty(folder_.file("trail")));
}

}  // namespace
}  // namespace ferry
