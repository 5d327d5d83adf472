// What a worker does with the outcome of the check.

#include "signing/admission.h"

#include <gtest/gtest.h>

#include "signing_fixture.h"

namespace ferry::signing {
namespace {

using namespace testing_support;  // NOLINT: the names of this folder's fixture

class AdmissionTest : public testing::Test {
 protected:
  std::variant<Admission::Admitted, Refused> check(const sqs::Message& message, config::UnsignedMessages rule,
                                                   const std::string& request = "Enable") {
    const Trust trust(exchange_.settings());
    return Admission({"work", rule}, trust, exchange_.clock).check(message, request);
  }
  Exchange exchange_;
};

TEST_F(AdmissionTest, ASignedMessageIsAdmittedWithItsSender) {
  for (const auto rule : {config::UnsignedMessages::Refuse, config::UnsignedMessages::Allow}) {
    const auto outcome = check(exchange_.signed_message(), rule);
    ASSERT_TRUE(std::holds_alternative<Admission::Admitted>(outcome));
    EXPECT_EQ(std::get<Admission::Admitted>(outcome)->sender, "alice");
  }
}

TEST_F(AdmissionTest, AnUnsignedMessageIsRefusedUnlessAllowed) {
  const sqs::Message plain = received(request_entry());
  const auto refused = check(plain, config::UnsignedMessages::Refuse);
  ASSERT_TRUE(std::holds_alternative<Refused>(refused));
  EXPECT_EQ(std::get<Refused>(refused).code, RefusalCode::Unsigned);
  const auto admitted = check(plain, config::UnsignedMessages::Allow);
  ASSERT_TRUE(std::holds_alternative<Admission::Admitted>(admitted));
  EXPECT_FALSE(std::get<Admission::Admitted>(admitted));
}

TEST_F(AdmissionTest, AllowingUnsignedMessagesAllowsNoBadSignature) {
  sqs::Message altered = exchange_.signed_message();
  altered.body += ".";
  EXPECT_TRUE(std::holds_alternative<Refused>(check(altered, config::UnsignedMessages::Allow)));
  EXPECT_TRUE(std::holds_alternative<Refused>(check(exchange_.signed_message(), config::UnsignedMessages::Allow, "Disable")));
  sqs::Message malformed = exchange_.signed_message();
  reserved_value(malformed) = "v1";
  EXPECT_TRUE(std::holds_alternative<Refused>(check(malformed, config::UnsignedMessages::Allow)));
}

TEST_F(AdmissionTest, AMessageOfNoRequestNeedsTheRightToEverything) {
  EXPECT_TRUE(std::holds_alternative<Refused>(check(exchange_.signed_message(), config::UnsignedMessages::Refuse, "")));
}

}  // namespace
}  // namespace ferry::signing
