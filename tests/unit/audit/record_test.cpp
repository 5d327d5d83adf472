// One line: its form, what it never holds, its bounds.

#include "audit/record.h"

#include <gtest/gtest.h>

#include "audit/life.h"
#include "base/encoding.h"

namespace ferry::audit {
namespace {

Place place() {
  return {5, from_epoch_millis(1'795'420'800'000), kFirstPrev};
}

std::string line_with(std::string value) {
  return format_line({"received", "m", "", "", "", {{"x", std::move(value)}}}, place());
}

TEST(AuditLine, IsInTheFormOfTheDocumentation) {
  const Entry entry{"received", "m-1", "r-1", "work", "Enable", {{"receive_count", std::int64_t{2}}, {"sender_id", "AIDA"}}};
  EXPECT_EQ(
      format_line(entry, place()),
      R"({"seq":5,"time":"2026-11-23T08:00:00.000Z","event":"received","message_id":"m-1","request_id":"r-1","queue":"work",)"
      R"("request":"Enable","fields":{"receive_count":2,"sender_id":"AIDA"},"prev":")" +
          std::string(kFirstPrev) + "\"}");
  const auto parsed = parse_line(format_line(entry, place()));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->entry, entry);
  EXPECT_EQ(parsed->seq, 5u);
  EXPECT_EQ(parsed->prev, kFirstPrev);
  EXPECT_EQ(parsed->number("receive_count"), 2);
  EXPECT_EQ(parsed->text("sender_id"), "AIDA");
  EXPECT_EQ(parsed->text("receive_count"), "");
  EXPECT_FALSE(parsed->number("nothing"));
}

TEST(AuditLine, UnknownIdsAreLeftOut) {
  EXPECT_EQ(format_line({"x", "", "", "", "", {}}, place()),
            R"({"seq":5,"time":"2026-11-23T08:00:00.000Z","event":"x","fields":{},"prev":")" + std::string(kFirstPrev) + "\"}");
}

TEST(AuditLine, HoldsNoControlCharacterAndNoLineBreak) {
  std::string all;
  for (int c = 0; c < 0xA0; ++c) {
    if (c < 0x80) {
      all.push_back(static_cast<char>(c));
    } else {
      all += {'\xC2', static_cast<char>(c)};
    }
  }
  const std::string line = line_with(all);
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    EXPECT_GE(c, 0x20) << i;
    EXPECT_NE(c, 0x7F) << i;
    EXPECT_FALSE(c == 0xC2 && static_cast<unsigned char>(line[i + 1]) < 0xA0) << i;
  }
  ASSERT_TRUE(parse_line(line));
  EXPECT_EQ(parse_line(line)->text("x"), all);
  const std::string id = format_line({"received", "a\n\x1b[2J", "", "", "", {}}, place());
  EXPECT_EQ(id.find('\n'), std::string::npos);
  EXPECT_EQ(id.find('\x1b'), std::string::npos);
}

TEST(AuditLine, BytesThatAreNoUtf8BecomeText) {
  const auto parsed = parse_line(line_with("a\xFFz"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->text("x"), "a\\xffz") << parsed->text("x");
}

TEST(AuditLine, TextsAreCutAtTheirBoundAndSaySo) {
  EXPECT_EQ(parse_line(line_with(std::string(kFieldBytesMax, 'a')))->text("x"), std::string(kFieldBytesMax, 'a'));
  const auto cut = parse_line(line_with(std::string(kFieldBytesMax + 1, 'a')));
  EXPECT_LE(cut->text("x").size(), kFieldBytesMax);
  EXPECT_TRUE(cut->text("x").ends_with("a…[cut]"));
  std::string umlauts;
  for (int i = 0; i < 4'000; ++i) umlauts += "ü";
  EXPECT_TRUE(is_utf8(parse_line(line_with(umlauts))->text("x")));
  const auto id = [](std::size_t bytes) {
    return parse_line(format_line({"e", std::string(bytes, 'm'), "", "", "", {}}, place()))->entry.message_id;
  };
  EXPECT_EQ(id(kIdBytesMax).size(), kIdBytesMax);
  EXPECT_TRUE(id(kIdBytesMax + 1).ends_with("…[cut]"));
}

TEST(AuditLine, FieldsOverTheirNumberAreCounted) {
  const auto parsed_of = [](std::size_t count) {
    Entry entry{"e", "", "", "", "", {}};
    for (std::size_t i = 0; i < count; ++i) entry.fields.push_back({"f" + std::to_string(i), "v"});
    return *parse_line(format_line(entry, place()));
  };
  EXPECT_EQ(parsed_of(kFieldsMax).entry.fields.size(), kFieldsMax);
  EXPECT_FALSE(parsed_of(kFieldsMax).number("fields_left_out"));
  EXPECT_EQ(parsed_of(kFieldsMax + 1).entry.fields.size(), kFieldsMax);
  EXPECT_EQ(parsed_of(kFieldsMax + 1).number("fields_left_out"), 2);
}

TEST(AuditLine, TheLargestIsWithinItsBound) {
  Entry entry{std::string(9'999, '\1'), std::string(9'999, '\1'), std::string(9'999, '\1'),
              std::string(9'999, '\1'), std::string(9'999, '\1'), {}};
  for (std::size_t i = 0; i < kFieldsMax; ++i) entry.fields.push_back({std::string(999, '\1'), std::string(9'999, '\1')});
  const std::string line = format_line(entry, {UINT64_MAX / 2, from_epoch_millis(1), kFirstPrev});
  EXPECT_LE(line.size(), kLineBytesMax);
  EXPECT_TRUE(parse_line(line));
}

TEST(AuditLine, WhatIsNoneIsNotTakenForOne) {
  const std::string good = line_with("v");
  ASSERT_TRUE(parse_line(good));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string line = good;
    line.replace(line.find(from), from.size(), to);
    return parse_line(line).has_value();
  };
  EXPECT_FALSE(parse_line(""));
  EXPECT_FALSE(parse_line("{}"));
  EXPECT_FALSE(parse_line("[1]"));
  EXPECT_FALSE(parse_line(good.substr(0, good.size() - 1)));
  EXPECT_FALSE(parse_line(good + "x"));
  EXPECT_FALSE(changed("\"seq\":5", "\"seq\":0"));
  EXPECT_FALSE(changed("\"seq\":5", "\"seq\":\"5\""));
  EXPECT_FALSE(changed("\"event\":\"received\"", "\"event\":3"));
  EXPECT_FALSE(changed("000\"}", "00\"}"));
  EXPECT_FALSE(changed("000\"}", "00G\"}"));
  EXPECT_FALSE(changed("\"prev\"", "\"prev2\""));
  EXPECT_FALSE(parse_line(std::string(kLineBytesMax - good.size() + 1, ' ') + good));
  EXPECT_TRUE(parse_line(std::string(kLineBytesMax - good.size(), ' ') + good));
}

TEST(AuditLife, EveryEntryHasItsFields) {
  const Ids ids{"m", "r", "work", "Enable"};
  const auto line_of = [](const Entry& entry) {
    const std::string line = format_line(entry, place());
    return line.substr(line.find("\"event\""), line.find(",\"prev\"") - line.find("\"event\""));
  };
  const std::string who = R"(","message_id":"m","request_id":"r","queue":"work","request":"Enable","fields":)";
  EXPECT_EQ(line_of(received(ids, {3, "T", "S"})),
            R"("event":"received)" + who + R"({"receive_count":3,"sent_at":"T","sender_id":"S"})");
  EXPECT_EQ(line_of(verified(ids, {"alice", "k", from_epoch_millis(0)})),
            R"("event":"verified)" + who + R"({"sender":"alice","key":"k","signed_at":"1970-01-01T00:00:00.000Z"})");
  EXPECT_EQ(line_of(refused(ids, {"altered", "why", ""})), R"("event":"refused)" + who + R"({"code":"altered","reason":"why"})");
  EXPECT_EQ(line_of(claimed(ids, {"run", 7, 2})), R"("event":"claimed)" + who + R"({"answer":"run","fence":7,"attempt":2})");
  EXPECT_EQ(line_of(attempt_started(ids, {2, "./x", from_epoch_millis(0)})),
            R"("event":"attempt-started)" + who + R"({"attempt":2,"handler":"./x","deadline":"1970-01-01T00:00:00.000Z"})");
  EXPECT_EQ(line_of(attempt_ended(ids, {2, "retry", "exit 3", Millis(15), "a\nb"})),
            R"("event":"attempt-ended)" + who +
                R"({"attempt":2,"outcome":"retry","detail":"exit 3","took_ms":15,"output":"a\u000ab"})");
  EXPECT_EQ(line_of(settled(ids, {"returned", Seconds(30), "later"})),
            R"("event":"settled)" + who + R"({"how":"returned","visible_in_s":30,"reason":"later"})");
  EXPECT_EQ(line_of(settled(ids, {"deleted", {}, ""})), R"("event":"settled)" + who + R"({"how":"deleted"})");
  Ids traced = ids;
  traced.trace = {"aa", "bb", "cc"};
  EXPECT_EQ(line_of(settled(traced, {"deleted", {}, ""})),
            R"("event":"settled)" + who + R"({"how":"deleted","trace_id":"aa","span_id":"bb","parent_span_id":"cc"})");
}

TEST(OutputTail, KeepsTheLastLinesWithinItsBounds) {
  OutputTail tail;
  EXPECT_EQ(tail.text(), "");
  for (std::size_t i = 1; i <= kOutputTailLines; ++i) tail.add(std::to_string(i));
  EXPECT_TRUE(tail.text().starts_with("1\n2\n"));
  tail.add("last");
  EXPECT_TRUE(tail.text().starts_with("…\n2\n3\n"));
  EXPECT_TRUE(tail.text().ends_with("\n20\nlast"));
  tail.add(std::string(kOutputTailBytes + 5, 'x'));
  EXPECT_EQ(tail.text(), "…\n" + std::string(kOutputTailBytes, 'x'));
}

}  // namespace
}  // namespace ferry::audit
