// What a worker believes of a message: the right one passes, and every change of it is refused with its reason.

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "signing_fixture.h"

namespace ferry::signing {
namespace {

using namespace testing_support;  // NOLINT: the names of this folder's fixture

TEST(Trust, TellsWhoSentASignedMessageAndUnderWhichId) {
  Exchange exchange;
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto outcome = exchange.check(exchange.signed_message({"work", "order-1", trace, {}}));
  ASSERT_EQ(code_of(outcome), "verified") << reason_of(outcome);
  const auto& verified = std::get<Verified>(outcome);
  EXPECT_EQ(verified.sender, "alice");
  EXPECT_EQ(verified.key_id, exchange.key.public_key().id());
  EXPECT_EQ(verified.request_id, "order-1");
  EXPECT_EQ(verified.signed_at, exchange.clock.wall());
  EXPECT_EQ(verified.traceparent, trace);
}

TEST(Trust, AFreshRequestIdSortsByTimeAndIsNeverTheSame) {
  Exchange exchange;
  const auto first = request_id_of(exchange.signed_message());
  const auto same_moment = request_id_of(exchange.signed_message());
  exchange.clock.advance(Millis(1));
  const auto later = request_id_of(exchange.signed_message());
  ASSERT_TRUE(first && same_moment && later);
  EXPECT_NE(*first, *same_moment);
  EXPECT_LT(std::max(*first, *same_moment), *later);
  EXPECT_EQ((*first)[14], '7');
}

// Each bit of everything that is signed, and of the signature: never accepted, and never taken for an unsigned message.
TEST(Trust, NoBitOfASignedMessageCanBeChanged) {
  Exchange exchange;
  const sqs::Message good = exchange.signed_message({"work", {}, {}, Seconds(60)});
  const auto each_bit = [&](const char* what, auto&& text_of) {
    sqs::Message message = good;
    const std::string original = text_of(message);
    for (std::size_t bit = 0; bit < original.size() * 8; ++bit) {
      std::string& text = text_of(message);
      text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
      const auto outcome = exchange.check(message);
      EXPECT_TRUE(std::holds_alternative<Refused>(outcome)) << what << " bit " << bit;
      EXPECT_NE(code_of(outcome), "unsigned") << what << " bit " << bit;
      text = original;
    }
    EXPECT_EQ(code_of(exchange.check(message)), "verified");
  };
  each_bit("body", [](sqs::Message& m) -> std::string& { return m.body; });
  each_bit("group", [](sqs::Message& m) -> std::string& { return m.attributes[0].second; });
  each_bit("deduplication id", [](sqs::Message& m) -> std::string& { return m.attributes[1].second; });
  each_bit("envelope", [](sqs::Message& m) -> std::string& { return reserved_value(m); });
  for (const std::size_t at : {0U, 1U, 2U}) {
    each_bit("name", [at](sqs::Message& m) -> std::string& { return m.message_attributes[at].first; });
    each_bit("type", [at](sqs::Message& m) -> std::string& { return m.message_attributes[at].second.data_type; });
  }
  each_bit("text", [](sqs::Message& m) -> std::string& { return *m.message_attributes[0].second.string_value; });
  each_bit("number", [](sqs::Message& m) -> std::string& { return *m.message_attributes[1].second.string_value; });
  each_bit("binary", [](sqs::Message& m) -> std::string& { return *m.message_attributes[2].second.binary_value; });
}

TEST(Trust, AnAttributeCanNeitherBeAddedNorTakenAwayNorMoved) {
  Exchange exchange;
  const sqs::Message good = exchange.signed_message();
  sqs::Message more = good;
  more.message_attributes.emplace_back("Reason", text_value("planned"));
  EXPECT_EQ(code_of(exchange.check(more)), "altered");
  for (std::size_t at = 0; at < 3; ++at) {
    sqs::Message fewer = good;
    fewer.message_attributes.erase(fewer.message_attributes.begin() + static_cast<std::ptrdiff_t>(at));
    EXPECT_EQ(code_of(exchange.check(fewer)), "altered") << at;
  }
  sqs::Message swapped = good;
  std::swap(swapped.message_attributes[0].second, swapped.message_attributes[1].second);
  EXPECT_EQ(code_of(exchange.check(swapped)), "altered");
  sqs::Message as_text = good;  // the same bytes as a text
  std::swap(as_text.message_attributes[2].second.string_value, as_text.message_attributes[2].second.binary_value);
  EXPECT_EQ(code_of(exchange.check(as_text)), "altered");
  sqs::Message no_group = good;
  no_group.attributes.erase(no_group.attributes.begin());
  EXPECT_EQ(code_of(exchange.check(no_group)), "altered");
  sqs::Message reordered = good;  // queues may give attributes in any order
  std::reverse(reordered.message_attributes.begin(), reordered.message_attributes.end());
  EXPECT_EQ(code_of(exchange.check(reordered)), "verified");
}

TEST(Trust, BytesCannotMoveFromOneFieldToTheNext) {
  const PrivateKey key = make_key(3);
  Envelope envelope{"id", {}, SignaturePart{key.public_key().id(), from_epoch_millis(1), {}, "q", {}, {}}};
  const sqs::MessageAttributes ab = {{"a", text_value("bc")}};
  const sqs::MessageAttributes abc = {{"ab", text_value("c")}};
  EXPECT_NE(signed_bytes(envelope, {"x", "y", {}}), signed_bytes(envelope, {"xy", "", {}}));
  EXPECT_NE(signed_bytes(envelope, {"x", "", {}}), signed_bytes(envelope, {"x", std::nullopt, {}}));
  EXPECT_NE(signed_bytes(envelope, {"x", "y", ab}), signed_bytes(envelope, {"x", "y", abc}));
  Envelope deduplicated = envelope;
  deduplicated.signature->deduplication_id = "y";
  EXPECT_NE(signed_bytes(deduplicated, {"x", {}, {}}), signed_bytes(envelope, {"x", "y", {}}));
  Envelope expiring = envelope;
  expiring.signature->expiry = from_epoch_millis(5);
  EXPECT_NE(signed_bytes(expiring, {"x", {}, {}}), signed_bytes(envelope, {"x", {}, {}}));
}

// The bytes themselves, so that they cannot change under messages that are on their way.
TEST(Trust, TheSignedBytesAreThoseOfTheDocumentation) {
  const Envelope envelope{"r", {}, SignaturePart{std::string(32, 'a'), from_epoch_millis(258), {}, "work", {}, {}}};
  const auto number = [](char n) { return std::string(7, '\0') + n; };
  std::string expected = number(24) + "ferry-signed-message-v1";
  expected[7] = 23;
  expected += number(32) + std::string(32, 'a') + std::string(6, '\0') + "\x01\x02" + std::string(1, '\0');
  expected += number(1) + "r" + number(4) + "work" + "\x01" + number(1) + "g" + std::string(2, '\0');
  expected += number(4) + "body" + number(1);
  expected += number(1) + "A" + number(6) + "String" + "\x01" + number(1) + "v" + std::string(1, '\0');
  EXPECT_EQ(hex_encode(signed_bytes(envelope, {"body", "g", {{"A", text_value("v")}, {"Ferry", text_value("x")}}})),
            hex_encode(expected));
}

TEST(Trust, AMessageOfAnotherQueueIsRefused) {
  Exchange exchange;
  TrustSettings settings = exchange.settings();
  settings.senders[0].queues = {"*"};
  const auto outcome = exchange.check(exchange.signed_message(), settings, "payments");
  EXPECT_EQ(code_of(outcome), "wrong-queue");
  EXPECT_EQ(reason_of(outcome), "alice signed it for the queue work, and it lies in payments");
}

TEST(Trust, UnknownAndRevokedKeysAreToldApart) {
  Exchange exchange;
  const sqs::Message message = exchange.signed_message();
  TrustSettings settings = exchange.settings();
  settings.revoked = {exchange.key.public_key().id()};
  EXPECT_EQ(code_of(exchange.check(message, settings)), "revoked-key");
  EXPECT_NE(reason_of(exchange.check(message, settings)).find(exchange.key.public_key().id()), std::string::npos);
  settings = exchange.settings();
  settings.senders[0].keys = {make_key(2).public_key().bytes};
  EXPECT_EQ(code_of(exchange.check(message, settings)), "unknown-key");
  settings.senders[0].keys.push_back(exchange.key.public_key().bytes);  // a second key beside the old one
  EXPECT_EQ(code_of(exchange.check(message, settings)), "verified");
}

TEST(Trust, AnotherSendersSignatureDoesNotPassUnderMyKeyId) {
  Exchange exchange;
  sqs::Message message = exchange.signed_message();
  auto envelope = *parse_envelope(reserved_value(message));
  const PrivateKey mallory = make_key(9);
  envelope.signature->signature =
      mallory.secret.sign(signed_bytes(envelope, {message.body, "customer-7", message.message_attributes}));
  reserved_value(message) = format_envelope(envelope);
  EXPECT_EQ(code_of(exchange.check(message)), "altered");
}

TEST(Trust, ClockSkewIsAllowedToItsBoundAndNotBeyond) {
  Exchange exchange;
  const sqs::Message message = exchange.signed_message();
  exchange.clock.jump_wall(-Seconds(300));
  EXPECT_EQ(code_of(exchange.check(message)), "verified");
  exchange.clock.jump_wall(-Millis(1));
  EXPECT_EQ(code_of(exchange.check(message)), "future");
}

TEST(Trust, AgeIsAllowedToItsBoundAndNotBeyond) {
  Exchange exchange;
  const sqs::Message message = exchange.signed_message();
  exchange.clock.jump_wall(Seconds(14 * 86'400));
  EXPECT_EQ(code_of(exchange.check(message)), "verified");
  exchange.clock.jump_wall(Millis(1));
  EXPECT_EQ(code_of(exchange.check(message)), "too-old");
  EXPECT_NE(reason_of(exchange.check(message)).find("at most 14 days"), std::string::npos);
}

TEST(Trust, AMessageExpiresWhenItsSenderSaid) {
  Exchange exchange;
  const sqs::Message message = exchange.signed_message({"work", {}, {}, Seconds(60)});
  exchange.clock.advance(Millis(59'999));
  EXPECT_EQ(code_of(exchange.check(message)), "verified");
  exchange.clock.advance(Millis(1));
  EXPECT_EQ(code_of(exchange.check(message)), "expired");
}

TEST(Trust, ValidityBoundsTheTimeOfSigning) {
  Exchange exchange;
  const sqs::Message message = exchange.signed_message();
  const Timestamp then = exchange.clock.wall();
  exchange.clock.advance(Seconds(3'600));
  TrustSettings settings = exchange.settings();
  settings.senders[0].not_before = then;
  settings.senders[0].not_after = then;
  EXPECT_EQ(code_of(exchange.check(message, settings)), "verified");
  settings.senders[0].not_after = then - Millis(1);
  settings.senders[0].not_before.reset();
  EXPECT_EQ(code_of(exchange.check(message, settings)), "outside-validity");
  settings.senders[0].not_after.reset();
  settings.senders[0].not_before = then + Millis(1);
  EXPECT_EQ(code_of(exchange.check(message, settings)), "outside-validity");
}

TEST(Trust, EverySenderHasItsOwnRequestsAndQueues) {
  Exchange exchange;
  const sqs::Message message = exchange.signed_message();
  TrustSettings settings = exchange.settings();
  settings.senders[0].requests = {"Disable"};
  auto outcome = exchange.check(message, settings);
  EXPECT_EQ(code_of(outcome), "request-not-allowed");
  EXPECT_EQ(reason_of(outcome), "alice may not ask for Enable (allowed: Disable)");
  settings.senders[0].requests = {"*"};
  EXPECT_EQ(code_of(exchange.check(message, settings)), "verified");
  settings.senders[0].queues = {"other"};
  EXPECT_EQ(code_of(exchange.check(message, settings)), "queue-not-allowed");
  const auto plain = [&](const TrustSettings& which) { return Trust(which).check({message, "work", {}}, exchange.clock.wall()); };
  EXPECT_EQ(code_of(plain(exchange.settings())), "request-not-allowed");
  settings.senders[0].queues = {"work"};
  EXPECT_EQ(code_of(plain(settings)), "verified");
}

TEST(Trust, ADeduplicationIdThatTheQueueMadeIsNotTheSenders) {
  Exchange exchange;
  sqs::SendMessageEntry entry = request_entry();
  entry.message_deduplication_id.reset();
  ASSERT_TRUE(Stamper(&exchange.key, exchange.clock, exchange.random).stamp(entry, {"work", {}, {}, {}}));
  sqs::Message message = received(entry);
  message.attributes.emplace_back("MessageDeduplicationId", "made of the body");
  EXPECT_EQ(code_of(exchange.check(message)), "verified");
}

TEST(Trust, AnotherDeduplicationIdIsAcceptedOnlyWhenTheFileSaysSo) {
  Exchange exchange;
  sqs::Message message = exchange.signed_message();
  message.attributes[1].second = "given by a dead-letter queue";
  EXPECT_EQ(code_of(exchange.check(message)), "altered");
  EXPECT_NE(reason_of(exchange.check(message)).find("signed the deduplication id order-1234"), std::string::npos);
  TrustSettings settings = exchange.settings();
  settings.other_deduplication_ids = true;
  EXPECT_EQ(code_of(exchange.check(message, settings)), "verified");
}

TEST(Trust, UnsignedMessagesAreSaidToBe) {
  Exchange exchange;
  EXPECT_EQ(code_of(exchange.check(received(request_entry()))), "unsigned");
  sqs::SendMessageEntry entry = request_entry();
  ASSERT_TRUE(Stamper(nullptr, exchange.clock, exchange.random).stamp(entry, {"work", "my-key", {}, {}}));
  EXPECT_EQ(code_of(exchange.check(received(entry))), "unsigned");
  EXPECT_EQ(request_id_of(received(entry)), "my-key");
}

TEST(Trust, EveryOtherFormOfTheReservedAttributeIsRefused) {
  Exchange exchange;
  const sqs::Message good = exchange.signed_message();
  const auto refused_as = [&](sqs::Message message) { return reason_of(exchange.check(message)); };
  for (const char* name : {"ferry", "FERRY", "fERRY"}) {
    sqs::Message message = good;
    message.message_attributes.emplace_back(name, text_value("x"));
    EXPECT_NE(refused_as(message).find("looks like the reserved Ferry"), std::string::npos) << name;
  }
  sqs::Message twice = good;
  twice.message_attributes.push_back(twice.message_attributes.back());
  EXPECT_EQ(refused_as(twice), "its attribute Ferry is there twice");
  sqs::Message other_twice = good;
  other_twice.message_attributes.push_back(other_twice.message_attributes[0]);
  EXPECT_EQ(refused_as(other_twice), "its attribute Enable is there twice");
  for (const char* type : {"String.x", "Number", "Binary"}) {
    sqs::Message message = good;
    message.message_attributes.back().second.data_type = type;
    EXPECT_NE(refused_as(message).find("must be a String"), std::string::npos) << type;
  }
  sqs::Message binary = good;
  auto& value = binary.message_attributes.back().second;
  value = {"String", std::nullopt, *value.string_value, false};
  EXPECT_EQ(code_of(exchange.check(binary)), "malformed");
}

TEST(Trust, ControlCharactersOfAMessageNeverReachTheReason) {
  Exchange exchange;
  sqs::Message message = exchange.signed_message();
  message.attributes[1].second = "\x1b[2Jgone";
  EXPECT_EQ(reason_of(exchange.check(message)).find('\x1b'), std::string::npos);
  reserved_value(message) = "\x1b]0;v9";
  EXPECT_EQ(reason_of(exchange.check(message)).find('\x1b'), std::string::npos);
}

// Noise in the place of the envelope: refused or unsigned, never believed, never a crash.
TEST(Trust, NoiseIsNeverBelieved) {
  Exchange exchange;
  const sqs::Message good = exchange.signed_message();
  sqs::Message message = good;
  const std::string original = reserved_value(message);
  SeededRandom random(11);
  for (int round = 0; round < 3'000; ++round) {
    std::string text = original;
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
      const std::size_t at = random.below(text.size());
      switch (random.below(4)) {
        case 0:
          text[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          text.erase(at, 1 + random.below(8));
          break;
        case 2:
          text.insert(at, 1, "v1;=kitxqdps%0"[random.below(14)]);
          break;
        default:
          text.insert(at, text.substr(random.below(text.size()), random.below(40)));
          break;
      }
      if (text.empty()) text = ";";
    }
    if (text == original) continue;
    reserved_value(message) = text;
    EXPECT_NE(code_of(exchange.check(message)), "verified") << text;
  }
}

}  // namespace
}  // namespace ferry::signing
