// What `ferry top` makes of pages of metrics and of two looks, and how that is shown.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/manual_clock.h"
#include "cli/metrics_text.h"
#include "cli/top_source.h"
#include "cli/top_view.h"
#include "worker/worker_metrics.h"

namespace ferry::cli {
namespace {
using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsText, SamplesAreRead) {
  const auto samples = parse_metrics(
      "# HELP a help\n# TYPE a counter\na 1\na_total{queue=\"q\",region=\"a\\\"b\\\\c\\nd\"} 2.5e3\n  b { x = \"}\" , } -1 "
      "1700000000\nc "
      "+Inf\nd NaN\n");
  ASSERT_EQ(samples.size(), 5u);
  EXPECT_EQ(samples[0].name, "a");
  EXPECT_EQ(samples[0].value, 1);
  EXPECT_EQ(samples[1].label("queue"), "q");
  EXPECT_EQ(samples[1].label("region"), "a\"b\\c\nd");
  EXPECT_EQ(samples[1].label("other"), "");
  EXPECT_EQ(samples[1].value, 2500);
  EXPECT_EQ(samples[2].label("x"), "}");
  EXPECT_EQ(samples[2].value, -1);
  EXPECT_TRUE(std::isinf(samples[3].value));
  EXPECT_TRUE(std::isnan(samples[4].value));
}

TEST(MetricsText, WhatIsNoneIsPassedOver) {
  for (const char* line :
       {"", "a", "a b", "{x=\"1\"} 1", "a{x=1} 1", "a{x=\"1} 1", "a{x\"1\"} 1", "a{x=\"1\" 1", "<html>", "1 1 1x"})
    EXPECT_TRUE(parse_metrics(std::string(line) + "\n" + line).empty()) << line;
  EXPECT_EQ(parse_metrics("bad{\ngood 1").size(), 1u);
}

TEST(MetricsText, IsBounded) {
  std::string page;
  for (std::size_t i = 0; i < kMetricSamplesMax; ++i) page += "a 1\n";
  EXPECT_EQ(parse_metrics(page).size(), kMetricSamplesMax);
  EXPECT_EQ(parse_metrics(page + "a 1\n").size(), kMetricSamplesMax);
}

TEST(WorkerLooks, AreMadeOfWhatAWorkerShows) {
  ManualClock clock;
  worker::WorkerMetrics metrics({"orders", "1.0", {"Enable", "Disable"}, 8}, clock);
  metrics.series("Enable").running.store(2);
  metrics.series("Disable").running.store(1);
  worker::WorkerStatus status;
  status.in_hand = 5;
  status.tally.handled = 12;
  status.tally.attempts_failed = 3;
  status.tally.refused = 1;
  status.ledger = worker::LedgerStanding::Failing;
  status.handlers = {{"Enable", worker::HandlerGate::Standing::Paused}};
  const auto look = worker_look(parse_metrics(metrics.page(status)));
  ASSERT_TRUE(look);
  EXPECT_EQ(look->queue, "orders");
  EXPECT_EQ(look->running, 3);
  EXPECT_EQ(look->concurrency, 8);
  EXPECT_EQ(look->in_hand, 5);
  EXPECT_EQ(look->waiting, 2);
  EXPECT_EQ(look->handled, 12);
  EXPECT_EQ(look->failed_attempts, 3);
  EXPECT_EQ(look->refused, 1);
  EXPECT_EQ(look->ledger_ok, false);
  EXPECT_EQ(look->paused, (std::vector<std::string>{"Enable"}));
  EXPECT_FALSE(worker_look(parse_metrics("ferry_queue_arrivals_total 1\n")));
}

TEST(WorkerUrls, AreCompleted) {
  EXPECT_EQ(worker_url("127.0.0.1:9464").value(), "http://127.0.0.1:9464/metrics");
  EXPECT_EQ(worker_url("http://host:1/").value(), "http://host:1/metrics");
  EXPECT_EQ(worker_url("https://host/w/metrics").value(), "https://host/w/metrics");
  for (const char* wrong : {"", ":9464", "ftp://host", "http://", "http:///metrics", "a b", "h\xc3\xb6st"})
    EXPECT_FALSE(worker_url(wrong)) << wrong;
}

QueueLook queue(std::string name, std::int64_t visible) {
  QueueLook look;
  look.name = std::move(name);
  look.url = "http://h/0/" + look.name;
  look.visible = visible;
  return look;
}

Look two_queues() {
  Look look;
  look.wall = from_epoch_millis(1'795'420'800'000);
  look.queues = {queue("few", 3), queue("many", 12'480), queue("also-few", 3)};
  look.queues[0].oldest_seconds = 4'000;
  look.queues[0].arrivals = 10;
  look.queues[0].departures = 100;
  look.queues[1].in_flight = 40;
  look.queues[1].delayed = 7;
  WorkerLook worker;
  worker.address = "127.0.0.1:9464";
  worker.queue = "many";
  worker.started = 5;
  worker.running = 2;
  worker.concurrency = 4;
  worker.handled = 20;
  worker.failed_attempts = 2;
  look.workers = {worker};
  return look;
}

TEST(Comparison, RatesAreDifferencesOverTime) {
  const Look before = two_queues();
  Look now = before;
  now.at += Seconds(2);
  now.queues[0].arrivals = 15;
  now.queues[0].departures = 100;
  now.workers[0].handled = 21;
  now.workers[0].failed_attempts = 8;
  TopTable table = compare(&before, now, TopOrder::In);
  EXPECT_EQ(table.queues[0].now.name, "few");
  EXPECT_EQ(table.queues[0].rates.in, 2.5);
  EXPECT_EQ(table.queues[0].rates.out, 0);
  EXPECT_FALSE(table.queues[1].rates.in) << "the server tells none";
  EXPECT_EQ(table.workers[0].rates.handled, 0.5);
  EXPECT_EQ(table.workers[0].rates.failed, 3);
  table = compare(nullptr, now, TopOrder::In);
  EXPECT_FALSE(table.queues[0].rates.in);
  EXPECT_FALSE(table.workers[0].rates.handled);
  now.queues[0].arrivals = 9;  // the server was started anew
  now.workers[0].started = 6;  // so was the worker
  table = compare(&before, now, TopOrder::Visible);
  EXPECT_FALSE(table.queues[2].rates.in);
  EXPECT_FALSE(table.workers[0].rates.handled);
  EXPECT_FALSE(compare(&before, two_queues(), TopOrder::Name).queues[1].rates.in) << "no time has passed";
}

TEST(Comparison, QueuesAreSorted) {
  const Look look = two_queues();
  const auto names = [&](TopOrder order) {
    std::string all;
    for (const QueueRow& row : compare(nullptr, look, order).queues) all += row.now.name + " ";
    return all;
  };
  EXPECT_EQ(names(TopOrder::Visible), "many also-few few ");
  EXPECT_EQ(names(TopOrder::Oldest), "few also-few many ");
  EXPECT_EQ(names(TopOrder::Name), "also-few few many ");
  for (const char* word : {"visible", "oldest", "in", "out", "name"}) EXPECT_EQ(name_of(*parse_top_order(word)), word);
  EXPECT_FALSE(parse_top_order("size"));
}

std::vector<std::string> shown(const Look& look, TopScreen screen, const Look* before = nullptr) {
  screen.where = "http://h";
  return screen_lines(look, compare(before, look, screen.order), screen);
}

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

TEST(Screens, ShowEverythingInColumns) {
  EXPECT_EQ(joined(shown(two_queues(), {120, 0})),
            "ferry top  2026-11-23T08:00:00.000Z  http://h  by visible\n"
            "\n"
            "QUEUE     VISIBLE  IN FLIGHT  DELAYED  OLDEST  IN/s  OUT/s\n"
            "many        12480         40        7       -     -      -\n"
            "also-few        3          0        0       -     -      -\n"
            "few             3          0        0   1h06m     -      -\n"
            "\n"
            "WORKER          QUEUE  RUNNING  IN HAND  DONE/s  FAILED/s  DONE  FAILED  REFUSED  STATE\n"
            "127.0.0.1:9464  many       2/4        0       -         -    20       2        0  ok\n");
}

TEST(Screens, KeepWithinTheirSize) {
  Look look = two_queues();
  look.queues.push_back(queue(std::string(80, 'n') + "-end", 1));
  for (const std::size_t columns : {1U, 20U, 39U, 60U, 80U}) {
    for (const std::size_t rows : {1U, 4U, 7U, 9U, 24U}) {
      const auto lines = shown(look, {columns, rows});
      EXPECT_LE(lines.size(), rows);
      for (const std::string& line : lines) {
        const auto wide =
            std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
        EXPECT_LE(static_cast<std::size_t>(wide), columns) << line;
      }
    }
  }
  EXPECT_THAT(joined(shown(look, {80, 24})), HasSubstr("…")) << "long names lose their middle";
  EXPECT_THAT(joined(shown(look, {80, 24})), HasSubstr("-end"));
  // Heading, empty line, columns, queues, empty line, columns, a worker: 4 queues need 10 lines.
  EXPECT_THAT(joined(shown(look, {80, 10})), Not(HasSubstr(" more\n")));
  EXPECT_THAT(joined(shown(look, {80, 9})), HasSubstr("… and 2 more\n"));
  look.queues_left_out = 5;
  EXPECT_THAT(joined(shown(look, {80, 24})), HasSubstr("… and 5 more\n"));
}

TEST(Screens, ColoursOnlyWhenAskedFor) {
  Look before = two_queues();
  Look now = before;
  now.at += Seconds(1);
  now.workers[0].failed_attempts += 1;
  EXPECT_THAT(joined(shown(now, {120, 0, Colours::None}, &before)), Not(HasSubstr("\x1b")));
  EXPECT_THAT(joined(shown(now, {120, 0, Colours::Ansi}, &before)), HasSubstr("\x1b[31m"));
}

TEST(Screens, SayWhatIsWrong) {
  Look look = two_queues();
  look.queues[1].error = "gone";
  look.workers[0].error = "not reachable";
  look.workers.push_back(two_queues().workers[0]);
  look.workers[1].paused = {"Enable"};
  look.workers[1].ledger_ok = false;
  look.error = "nobody\x1b[2J answers";
  const std::string text = joined(shown(look, {140, 0}));
  EXPECT_THAT(text, HasSubstr("\nnobody\\x1b[2J answers\n")) << "what others say drives no terminal";
  EXPECT_THAT(text, HasSubstr("not reachable\n"));
  EXPECT_THAT(text, HasSubstr("the ledger does not answer; paused: Enable\n"));
  EXPECT_THAT(plain_lines(look, compare(nullptr, look, TopOrder::Name)), HasSubstr("queue many error=gone\n"));
}

TEST(PlainLines, OneForEachQueueAndWorker) {
  const Look look = two_queues();
  EXPECT_EQ(plain_lines(look, compare(nullptr, look, TopOrder::Visible)),
            "2026-11-23T08:00:00.000Z queue many visible=12480 in_flight=40 delayed=7 oldest_s=- in_per_s=- out_per_s=-\n"
            "2026-11-23T08:00:00.000Z queue also-few visible=3 in_flight=0 delayed=0 oldest_s=- in_per_s=- out_per_s=-\n"
            "2026-11-23T08:00:00.000Z queue few visible=3 in_flight=0 delayed=0 oldest_s=4000.0 in_per_s=- out_per_s=-\n"
            "2026-11-23T08:00:00.000Z worker 127.0.0.1:9464 queue=many running=2 slots=4 in_hand=0 done=20 failed=2 refused=0 "
            "done_per_s=- failed_per_s=- state=ok\n");
}

TEST(TopJson, HasTheNamesOfSqs) {
  Look look;
  look.wall = from_epoch_millis(1'795'420'800'000);
  look.queues = {queue("q", 3)};
  look.queues[0].oldest_seconds = 1.5;
  EXPECT_EQ(top_json(look, compare(nullptr, look, TopOrder::Visible)),
            R"({"Time":"2026-11-23T08:00:00.000Z","Queues":[{"QueueUrl":"http://h/0/q","QueueName":"q",)"
            R"("ApproximateNumberOfMessages":3,"ApproximateNumberOfMessagesNotVisible":0,"ApproximateNumberOfMessagesDelayed":0,)"
            R"("OldestSeconds":1.5,"InPerSecond":null,"OutPerSecond":null}],"QueuesLeftOut":0,"Workers":[]})");
}

}  // namespace
}  // namespace ferry::cli
