#include "store/journal/format.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace ferry::store {
namespace {

TEST(JournalFormat, AGroupIsReadBackAndEveryFlippedBitIsSeen) {
  std::vector<std::byte> group(kBlockBytes);
  GroupHeader header;
  header.incarnation = 0x1122334455667788;
  header.run = 3;
  header.first = 17;
  header.count = 1;
  header.length = kBlockBytes;
  header.segment = 5;
  header.offset = 8192;
  header.previous_crc = 42;
  const std::string text = "payload";
  const std::uint32_t offset = header.offset + kGroupHeaderBytes;
  const std::uint32_t word = RecordWord::make(static_cast<std::uint32_t>(text.size()), true);
  const auto payload = std::as_bytes(std::span(text));
  const std::uint32_t crc = record_crc(5, offset, word, payload);
  std::memcpy(group.data() + kGroupHeaderBytes, &word, 4);
  std::memcpy(group.data() + kGroupHeaderBytes + 4, &crc, 4);
  std::memcpy(group.data() + kGroupHeaderBytes + 8, text.data(), text.size());
  seal_group(header, group);

  const auto decoded = decode_group_header(group);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->incarnation, header.incarnation);
  EXPECT_EQ(decoded->run, 3u);
  EXPECT_EQ(decoded->first, 17u);
  EXPECT_EQ(decoded->offset, 8192u);
  EXPECT_EQ(decoded->previous_crc, 42u);
  EXPECT_EQ(decoded->header_crc, header.header_crc);
  EXPECT_TRUE(group_is_whole(*decoded, group));
  const auto records = records_of(*decoded, group);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 1u);
  EXPECT_TRUE(records->at(0).is_body);
  EXPECT_EQ(records->at(0).offset, offset);
  EXPECT_EQ(records->at(0).payload.size(), text.size());

  for (std::size_t bit = 0; bit < std::size_t{kBlockBytes} * 8; ++bit) {
    group[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    const auto damaged = decode_group_header(group);
    EXPECT_FALSE(damaged && group_is_whole(*damaged, group)) << "bit " << bit;
    group[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
}

TEST(JournalFormat, ARecordPassesOnlyAtItsPlace) {
  std::vector<std::byte> record(24);
  const std::uint32_t word = RecordWord::make(10, true);
  const std::uint32_t crc = record_crc(7, 4160, word, std::span(record).subspan(8, 10));
  std::memcpy(record.data(), &word, 4);
  std::memcpy(record.data() + 4, &crc, 4);
  EXPECT_TRUE(check_record(record, Location{7, 4160, 10}));
  EXPECT_FALSE(check_record(record, Location{8, 4160, 10}));
  EXPECT_FALSE(check_record(record, Location{7, 4168, 10}));
  EXPECT_FALSE(check_record(record, Location{7, 4160, 9}));
  EXPECT_FALSE(check_record(std::span(record).first(17), Location{7, 4160, 10}));
}

TEST(JournalFormat, SegmentHeadersAndControlSlotsKnowDamageAndNewerVersions) {
  std::vector<std::byte> block(kBlockBytes);
  SeededRandom random(1);
  const Uuid store = make_uuid(random);
  encode_segment_header(SegmentHeader{store, 9, 77, 65536}, block);
  const auto header = decode_segment_header(block);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->store, store);
  EXPECT_EQ(header->number, 9u);
  EXPECT_EQ(header->incarnation, 77u);
  EXPECT_EQ(header->bytes, 65536u);
  EXPECT_EQ(decode_control(block).error().kind, ErrorKind::Corrupt);
  block[4095] ^= std::byte{1};
  EXPECT_EQ(decode_segment_header(block).error().kind, ErrorKind::Corrupt);

  ControlState state;
  state.store = store;
  state.sequence = 8;
  state.run = 4;
  state.watermark = 1000;
  state.clean_stop = true;
  state.segment = 12;
  state.checkpoints[1] = CheckpointEntry{6, 500, 90, 88, 11, 4096, 123};
  encode_control(state, block);
  const auto decoded = decode_control(block);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->store, store);
  EXPECT_EQ(decoded->sequence, 8u);
  EXPECT_EQ(decoded->run, 4u);
  EXPECT_EQ(decoded->watermark, 1000u);
  EXPECT_TRUE(decoded->clean_stop);
  EXPECT_EQ(decoded->segment, 12u);
  EXPECT_EQ(decoded->checkpoints[0].number, 0u);
  EXPECT_EQ(decoded->checkpoints[1].number, 6u);
  EXPECT_EQ(decoded->checkpoints[1].bytes, 500u);
  EXPECT_EQ(decoded->checkpoints[1].replay_from, 90u);
  EXPECT_EQ(decoded->checkpoints[1].group_first, 88u);
  EXPECT_EQ(decoded->checkpoints[1].segment, 11u);
  EXPECT_EQ(decoded->checkpoints[1].offset, 4096u);
  EXPECT_EQ(decoded->checkpoints[1].previous_crc, 123u);
}

TEST(JournalFormat, NamesRoundTripAndOthersAreRefused) {
  EXPECT_EQ(segment_name(7), "segment-00000007.log");
  EXPECT_EQ(parse_segment_name("segment-00000007.log"), 7u);
  EXPECT_EQ(parse_segment_name(segment_name(4'000'000'000)), 4'000'000'000u);
  EXPECT_EQ(parse_spare_name(spare_name(12)), 12u);
  EXPECT_EQ(parse_checkpoint_name(checkpoint_name(3)), 3u);
  for (const char* name :
       {"segment-7.log", "segment-.log", "segment-00000000.log", "segment-000000-7.log", "segment-00000007.log.bak",
        "segment-99999999999999999999.log", "checkpoint-", "checkpoint-00000003.tmp"}) {
    EXPECT_FALSE(parse_segment_name(name)) << name;
    EXPECT_FALSE(parse_checkpoint_name(name)) << name;
  }
}

}  // namespace
}  // namespace ferry::store
