// Properties of the codecs on random values: what one side writes, the other reads as the same, in both protocols.

#include <gtest/gtest.h>

#include <array>

#include "base/random.h"
#include "protocol/actions.h"
#include "protocol/fields.h"
#include "support.h"

namespace ferry::protocol {
namespace {

constexpr int kRounds = 300;

// Writes a request as form data, from the same description as the codecs but by its own code.
class FormEncoder {
 public:
  explicit FormEncoder(std::string_view action) { add("Action", std::string(action)); }
  std::string form() const { return form_; }

  void text(std::string_view name, const std::string& value) { add(name, value); }
  void text(std::string_view name, const sqs::OptionalText& value) {
    if (value) add(name, *value);
  }
  void binary(std::string_view name, const sqs::OptionalText& value) {
    if (value) add(name, base64_encode(*value));
  }
  void integer(std::string_view name, const sqs::OptionalInteger& value) {
    if (value) add(name, std::to_string(*value));
  }
  void texts(const names::List& list, const std::vector<std::string>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) add(numbered(list.location, i), values[i]);
  }
  void map(const names::Map& map, const sqs::TextMap& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      add(numbered(map.location, i) + "." + std::string(map.key), values[i].first);
      add(numbered(map.location, i) + "." + std::string(map.value), values[i].second);
    }
  }
  void attributes(const names::Map& map, const sqs::MessageAttributes& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      add(numbered(map.location, i) + ".Name", values[i].first);
      below(numbered(map.location, i) + ".Value", values[i].second);
    }
  }
  template <class S>
  void structures(const names::List& list, const std::optional<std::vector<S>>& values) {
    for (std::size_t i = 0; i < values->size(); ++i) below(numbered(list.location, i), (*values)[i]);
  }
  void list_values(bool) {}

 private:
  static std::string numbered(std::string_view name, std::size_t index) {
    return std::string(name) + "." + std::to_string(3 * index + 1);  // with gaps
  }
  template <class S>
  void below(const std::string& name, const S& value) {
    const std::string outer = prefix_;
    prefix_ += name + ".";
    fields(*this, value);
    prefix_ = outer;
  }
  // In front of what is there already: order must not matter.
  void add(std::string_view name, const std::string& value) {
    form_ = percent_encode(prefix_ + std::string(name)) + "=" + percent_encode(value) + "&" + form_;
  }

  std::string form_;
  std::string prefix_;
};

// Fills whatever fields() visits with random values.
class Filler {
 public:
  explicit Filler(Random& random) : random_(random) {}

  void text(std::string_view, std::string& out) { out = awkward_text(); }
  void text(std::string_view, sqs::OptionalText& out) {
    if (coin()) out = awkward_text();
  }
  void binary(std::string_view, sqs::OptionalText& out) {
    if (!coin()) return;
    out.emplace(random_.below(40), '\0');
    random_.fill(std::as_writable_bytes(std::span(*out)));
  }
  void integer(std::string_view, sqs::OptionalInteger& out) {
    if (coin()) out = static_cast<std::int64_t>(random_.next());
  }
  void boolean(std::string_view, bool& out) { out = coin(); }
  void texts(const names::List&, std::vector<std::string>& out) {
    for (std::uint64_t i = random_.below(4); i > 0; --i) out.push_back(awkward_text());
  }
  void ids(const names::List& list, std::vector<std::string>& out) { texts(list, out); }
  void map(const names::Map&, sqs::TextMap& out) {
    for (std::uint64_t i = random_.below(4); i > 0; --i) out.emplace_back(awkward_text(), awkward_text());
  }
  void attributes(const names::Map&, sqs::MessageAttributes& out) {
    for (std::uint64_t i = random_.below(4); i > 0; --i)
      fields(*this, out.emplace_back(awkward_text(), sqs::MessageAttributeValue()).second);
  }
  template <class S>
  void structures(const names::List&, std::vector<S>& out) {
    for (std::uint64_t i = random_.below(12); i > 0; --i) fields(*this, out.emplace_back());
  }
  template <class S>
  void structures(const names::List& list, std::optional<std::vector<S>>& out) {
    structures(list, out.emplace());
    for (S& entry : *out) entry.id = awkward_text();  // form data cannot say that there is an entry without members
  }
  void list_values(bool&) {}

 private:
  bool coin() { return random_.below(4) != 0; }
  // Never empty: answers without ids are refused. What SQS allows, with everything that needs an escape somewhere.
  std::string awkward_text() {
    static constexpr std::array<std::string_view, 20> kPieces = {
        "a", "0", "\"", "\\", "\r", "\n", "\t", "&", "<", ">", "'", "/", "%", "+", "=", ".", " ", "\x7f", "\u20ac", "\U0001F600"};
    std::string text;
    for (std::uint64_t i = 1 + random_.below(coin() ? 20 : 600); i > 0; --i) text += kPieces[random_.below(kPieces.size())];
    return text;
  }

  Random& random_;
};

template <class Request>
void check_request(Random& random) {
  Request request;
  Filler filler(random);
  fields(filler, request);
  const std::string_view action = ActionOf<Request>::kName;

  EXPECT_EQ(get<Request>(decode_json(action, encode_request(request))), request);

  FormEncoder form(action);
  fields(form, request);
  EXPECT_EQ(get<Request>(decode_query(form.form())), request);
  EXPECT_EQ(get<Request>(decode_query("", "/", form.form())), request);

  typename ActionOf<Request>::Response response;
  fields(filler, response);
  const WireResponse wire = encode(WireProtocol::Json, action, response, "id");
  const auto read = decode_response(request, wire.body);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, sqs::Response(response));
}

template <class Request>
class RoundTrip : public testing::Test {};
using Requests =
    testing::Types<sqs::CreateQueueRequest, sqs::GetQueueUrlRequest, sqs::ListQueuesRequest, sqs::DeleteQueueRequest,
                   sqs::GetQueueAttributesRequest, sqs::SetQueueAttributesRequest, sqs::PurgeQueueRequest,
                   sqs::SendMessageRequest, sqs::SendMessageBatchRequest, sqs::ReceiveMessageRequest, sqs::DeleteMessageRequest,
                   sqs::DeleteMessageBatchRequest, sqs::ChangeMessageVisibilityRequest, sqs::ChangeMessageVisibilityBatchRequest,
                   sqs::TagQueueRequest, sqs::UntagQueueRequest, sqs::ListQueueTagsRequest, sqs::AddPermissionRequest,
                   sqs::RemovePermissionRequest, sqs::ListDeadLetterSourceQueuesRequest, sqs::StartMessageMoveTaskRequest,
                   sqs::ListMessageMoveTasksRequest, sqs::CancelMessageMoveTaskRequest>;
TYPED_TEST_SUITE(RoundTrip, Requests);

// The list of types above is that of the variant.
template <class... T>
constexpr std::size_t count_of(testing::Types<T...>) {
  return sizeof...(T);
}
static_assert(count_of(Requests()) == std::variant_size_v<sqs::Request>);

TYPED_TEST(RoundTrip, both_protocols_say_the_same) {
  for (int round = 0; round < kRounds && !this->HasFailure(); ++round) {
    SCOPED_TRACE("seed " + std::to_string(round));
    SeededRandom random(static_cast<std::uint64_t>(round));
    check_request<TypeParam>(random);
  }
}

// The text of the first element of that name, as an XML parser would deliver it.
std::string xml_text(const std::string& xml, std::string_view name) {
  const std::string open = "<" + std::string(name) + ">";
  const std::size_t start = xml.find(open) + open.size();
  std::string text = xml.substr(start, xml.find("</", start) - start);
  EXPECT_EQ(text.find('\r'), std::string::npos) << "a parser would make it a line feed";
  EXPECT_EQ(text.find('<'), std::string::npos);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kEscapes = {
      {{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#xD;", "\r"}, {"&amp;", "&"}}};
  for (const auto& [escape, meaning] : kEscapes) {
    for (std::size_t at = 0; (at = text.find(escape, at)) != std::string::npos; at += meaning.size())
      text.replace(at, escape.size(), meaning);
  }
  return text;
}

TEST(RoundTripXml, bodies_survive) {
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    SeededRandom random(round);
    sqs::Message message;
    Filler(random).text("", message.body);
    const std::string xml = encode(WireProtocol::Query, "ReceiveMessage", sqs::ReceiveMessageResponse{{message}}, "id").body;
    ASSERT_EQ(xml_text(xml, "Body"), message.body) << "seed " << round;
  }
}

}  // namespace
}  // namespace ferry::protocol
