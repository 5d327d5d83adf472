#include "service/queue_metrics.h"

#include <gtest/gtest.h>

namespace ferry::service {
namespace {

TEST(QueueMetrics, EachQueueHasItsSeries) {
  std::vector<engine::QueueOverview> queues(2);
  queues[0] = {{"000000000000", "us-east-1", "orders"}, {5, 2, 1}, from_epoch_millis(1'000), 10, 3};
  queues[1] = {{"000000000000", "us-east-1", "quiet"}, {}, std::nullopt, 0, 0};
  const std::string page = queue_metrics(queues, 3, from_epoch_millis(2'500));
  const auto has = [&](const std::string& line) { return page.find(line + "\n") != std::string::npos; };
  const std::string orders = "{account=\"000000000000\",region=\"us-east-1\",queue=\"orders\"} ";
  const std::string quiet = "{account=\"000000000000\",region=\"us-east-1\",queue=\"quiet\"} ";
  EXPECT_TRUE(has("ferry_queue_messages_visible" + orders + "5"));
  EXPECT_TRUE(has("ferry_queue_messages_in_flight" + orders + "2"));
  EXPECT_TRUE(has("ferry_queue_messages_delayed" + orders + "1"));
  EXPECT_TRUE(has("ferry_queue_oldest_age_seconds" + orders + "1.5"));
  EXPECT_TRUE(has("ferry_queue_oldest_age_seconds" + quiet + "0"));
  EXPECT_TRUE(has("ferry_queue_arrivals_total" + orders + "10"));
  EXPECT_TRUE(has("ferry_queue_departures_total" + orders + "3"));
  EXPECT_TRUE(has("ferry_queues_left_out 1"));
  // A clock that was set back makes nothing younger than new.
  EXPECT_NE(queue_metrics(queues, 2, from_epoch_millis(0)).find("ferry_queue_oldest_age_seconds" + orders + "0\n"),
            std::string::npos);
  EXPECT_NE(queue_metrics(queues, 2, from_epoch_millis(0)).find("ferry_queues_left_out 0\n"), std::string::npos);
}

}  // namespace
}  // namespace ferry::service
