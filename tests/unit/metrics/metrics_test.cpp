#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

#include "metrics/histogram.h"
#include "metrics/prometheus_page.h"

namespace ferry::metrics {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Type = PrometheusPage::Type;

TEST(DurationHistogram, ABoundBelongsToItsOwnBucket) {
  DurationHistogram histogram;
  histogram.add(microseconds(500));     // the first bound
  histogram.add(nanoseconds(500'001));  // just over
  histogram.add(hours(24));             // the last bound
  histogram.add(hours(24) + nanoseconds(1'000'000'000));
  histogram.add(milliseconds(-3));
  const DurationHistogram::Snapshot now = histogram.snapshot();
  EXPECT_EQ(now.buckets[0], 2u);
  EXPECT_EQ(now.buckets[1], 1u);
  EXPECT_EQ(now.buckets[DurationHistogram::kBounds.size() - 1], 1u);
  EXPECT_EQ(now.buckets[DurationHistogram::kBounds.size()], 1u);
  EXPECT_EQ(now.count, 5u);
  EXPECT_NEAR(now.sum_seconds, 2 * 86'400 + 1 + 0.001, 1e-5);
}

TEST(DurationHistogram, LosesNothingBetweenThreads) {
  DurationHistogram histogram;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&histogram] {
      for (int j = 0; j < 1'000; ++j) histogram.add(milliseconds(1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.snapshot().count, 4'000u);
  EXPECT_EQ(histogram.snapshot().buckets[1], 4'000u);
  EXPECT_NEAR(histogram.snapshot().sum_seconds, 4, 1e-9);
}

TEST(PrometheusPage, WritesFamiliesLabelsAndNumbers) {
  PrometheusPage page;
  page.family("a_total", Type::Counter, "How many.").sample(std::numeric_limits<std::uint64_t>::max());
  const std::vector<Label> labels = {{"x", "1"}, {"y", "a\\b\"c\nd"}};
  page.family("b", Type::Gauge, "How much.").sample(0.25, labels);
  EXPECT_EQ(page.text(),
            "# HELP a_total How many.\n# TYPE a_total counter\na_total 18446744073709551615\n"
            "# HELP b How much.\n# TYPE b gauge\nb{x=\"1\",y=\"a\\\\b\\\"c\\nd\"} 0.25\n");
}

TEST(PrometheusPage, BucketsOfAHistogramAddUp) {
  DurationHistogram histogram;
  histogram.add(milliseconds(1));
  histogram.add(milliseconds(2));
  histogram.add(hours(48));
  PrometheusPage page;
  const std::vector<Label> labels = {{"request", "Enable"}};
  page.family("took_seconds", Type::Histogram, "Time.").histogram(histogram.snapshot(), labels);
  const auto has = [&](const std::string& line) { return page.text().find(line + "\n") != std::string::npos; };
  EXPECT_TRUE(has("# TYPE took_seconds histogram"));
  EXPECT_TRUE(has("took_seconds_bucket{request=\"Enable\",le=\"0.0005\"} 0"));
  EXPECT_TRUE(has("took_seconds_bucket{request=\"Enable\",le=\"0.001\"} 1"));
  EXPECT_TRUE(has("took_seconds_bucket{request=\"Enable\",le=\"0.0025\"} 2"));
  EXPECT_TRUE(has("took_seconds_bucket{request=\"Enable\",le=\"86400\"} 2"));
  EXPECT_TRUE(has("took_seconds_bucket{request=\"Enable\",le=\"+Inf\"} 3"));
  EXPECT_TRUE(has("took_seconds_count{request=\"Enable\"} 3"));
  EXPECT_TRUE(has("took_seconds_sum{request=\"Enable\"} 172800.003"));
}

}  // namespace
}  // namespace ferry::metrics
