// The small parts: timers, the head of an answer, the Date.

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "http/response_writer.h"
#include "http/timer_queue.h"

namespace ferry::http {
namespace {

SteadyTime at(int ms) {
  return SteadyTime(std::chrono::milliseconds(ms));
}

TEST(TimerQueue, RunsInOrderAndOnlyWhatIsDue) {
  TimerQueue timers;
  std::string order;
  timers.add(at(30), [&] { order += 'c'; });
  timers.add(at(10), [&] { order += 'a'; });
  timers.add(at(20), [&] { order += 'b'; });
  timers.add(at(10), [&] { order += 'A'; });
  EXPECT_EQ(timers.next_due(), at(10));
  EXPECT_FALSE(timers.take_due(at(9)));
  while (auto task = timers.take_due(at(20))) task();
  EXPECT_EQ(order, "aAb");
  EXPECT_EQ(timers.next_due(), at(30));
}

TEST(TimerQueue, ACancelledTimerIsGoneWithWhatItOwns) {
  TimerQueue timers;
  auto owned = std::make_shared<int>(1);
  auto id = timers.add(at(10), [owned] {});
  EXPECT_EQ(owned.use_count(), 2);
  timers.cancel(id);
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(timers.size(), 0u);
  EXPECT_FALSE(timers.take_due(at(100)));
}

TEST(TimerQueue, AnOldIdCancelsNothing) {
  TimerQueue timers;
  auto old = timers.add(at(10), [] {});
  timers.take_due(at(10));
  auto young = timers.add(at(20), [] {});  // takes the same place
  EXPECT_NE(old, young);
  timers.cancel(old);
  timers.cancel(0);
  timers.cancel(~0ULL);
  EXPECT_EQ(timers.size(), 1u);
}

TEST(TimerQueue, AgreesWithASortedMap) {
  SeededRandom random(7);
  TimerQueue timers;
  std::map<std::pair<int, int>, TimerQueue::Id> model;  // (due, serial)
  int ran = -1;
  for (int serial = 0; serial < 20'000; ++serial) {
    int time = static_cast<int>(random.below(1000));
    auto choice = random.below(3);
    if (choice == 0 || model.empty()) {
      model[{time, serial}] = timers.add(at(time), [&ran, serial] { ran = serial; });
    } else if (choice == 1) {
      auto chosen = std::next(model.begin(), static_cast<std::ptrdiff_t>(random.below(std::min<std::size_t>(model.size(), 20))));
      timers.cancel(chosen->second);
      model.erase(chosen);
    } else {
      auto task = timers.take_due(at(time));
      auto first = model.begin();
      ASSERT_EQ(static_cast<bool>(task), first->first.first <= time);
      if (task) {
        task();
        ASSERT_EQ(ran, first->first.second);
        model.erase(first);
      }
    }
    ASSERT_EQ(timers.size(), model.size());
  }
}

TEST(Date, IsAnImfFixdate) {
  DateCache cache;
  EXPECT_EQ(cache.at(from_epoch_millis(784'111'777'000)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(cache.at(from_epoch_millis(784'111'777'999)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(cache.at(from_epoch_millis(784'111'778'000)), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(cache.at(from_epoch_millis(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(cache.at(from_epoch_millis(1'709'164'800'000)), "Thu, 29 Feb 2024 00:00:00 GMT");
}

std::string head_of(const Response& response, Persistence persistence = Persistence::Default) {
  std::string out;
  append_head(out, response, "DATE", persistence);
  return out;
}

TEST(ResponseHead, HasWhatAnAnswerNeeds) {
  Response response;
  response.content_type = "text/plain";
  response.headers = {{"X-A", "1"}, {"X-B", "2"}};
  response.body = "hello";
  EXPECT_EQ(head_of(response),
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nX-A: 1\r\nX-B: 2\r\n\r\n");
}

TEST(ResponseHead, SaysWhetherTheConnectionStays) {
  EXPECT_EQ(head_of({}, Persistence::Close), "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(head_of({}, Persistence::KeepAlive),
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ResponseHead, HasNoLengthWhereThereIsNoBody) {
  EXPECT_EQ(head_of({.status = 204}), "HTTP/1.1 204 No Content\r\nDate: DATE\r\n\r\n");
  EXPECT_EQ(head_of({.status = 304}), "HTTP/1.1 304 Not Modified\r\nDate: DATE\r\n\r\n");
}

TEST(ResponseHead, AValueCannotBeginAnotherHeader) {
  Response response;
  response.content_type = "a\r\nb";
  response.headers = {{"Location", "/x\r\nSet-Cookie: evil\n\r\n\r\nbody"}};
  EXPECT_EQ(head_of(response),
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: a  b\r\nContent-Length: 0\r\n"
            "Location: /x  Set-Cookie: evil     body\r\n\r\n");
}

TEST(ResponseHead, AStatusWithoutANameIsStillAStatus) {
  EXPECT_EQ(head_of({.status = 299}), "HTTP/1.1 299 \r\nDate: DATE\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(reason_phrase(503), "Service Unavailable");
}

}  // namespace
}  // namespace ferry::http
