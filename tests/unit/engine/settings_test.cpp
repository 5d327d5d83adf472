// Tags, permissions, redrive policies against the queues that there are, encryption settings: they are told, checked, and
// survive.

#include "queues_fixture.h"

namespace ferry::engine {
namespace {

using sqs::ErrorCode;

class SettingsTest : public QueuesTest {
 protected:
  sqs::TextMap tags(const QueueRef& queue) { return *engine->queue_tags(queue).result; }
  sqs::ApiResult<sqs::EmptyResponse> set(const QueueRef& queue, const sqs::TextMap& attributes) {
    return engine->set_attributes(queue, attributes).result;
  }
  std::string sources(const QueueRef& queue, std::string_view after = "", int max = 1'000) {
    const auto listing = *engine->dead_letter_sources(queue, after, max).result;
    return joined(listing.names) + (listing.more ? " …" : "");
  }
  static std::pair<std::string, std::string> allow(const std::string& permission, const std::string& source = "") {
    const std::string arns = source.empty() ? "" : R"(,"sourceQueueArns":[")" + arn(source) + R"("])";
    return {"RedriveAllowPolicy", R"({"redrivePermission":")" + permission + "\"" + arns + "}"};
  }
};

// ---- tags

TEST_F(SettingsTest, TagsAreMergedAndTakenAway) {
  const sqs::TextMap at_creation = {{"b", "1"}, {"a", ""}};
  ASSERT_TRUE(engine->create_queue(key(), {}, at_creation).result.has_value());
  EXPECT_EQ(tags(find()), (sqs::TextMap{{"a", ""}, {"b", "1"}}));
  ASSERT_TRUE(engine->tag_queue(find(), {{"b", "2"}, {"B", "3"}}).result.has_value());
  ASSERT_TRUE(engine->untag_queue(find(), {"a", "unknown"}).result.has_value());
  const sqs::TextMap wanted = {{"B", "3"}, {"b", "2"}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(tags(find()), wanted);
    i == 0 ? restart() : restart_both_ways();
  }
  ASSERT_TRUE(engine->untag_queue(find(), {"b", "B"}).result.has_value());
  EXPECT_TRUE(tags(find()).empty());
}

TEST_F(SettingsTest, TagsOfTheCreationSurvive) {
  ASSERT_TRUE(engine->create_queue(key(), {}, {{"a", "1"}}).result.has_value());
  for (int i = 0; i < 2; ++i) {
    restart();
    EXPECT_EQ(tags(find()), (sqs::TextMap{{"a", "1"}}));
    ASSERT_TRUE(store->checkpoint().has_value());
  }
}

TEST_F(SettingsTest, TagsAreNotComparedWhenAQueueIsCreatedAgain) {
  ASSERT_TRUE(engine->create_queue(key(), {}, {{"a", "1"}}).result.has_value());
  EXPECT_TRUE(engine->create_queue(key(), {}, {{"a", "2"}}).result.has_value());
  EXPECT_EQ(tags(find()), (sqs::TextMap{{"a", "1"}}));
}

TEST_F(SettingsTest, FiftyTagsAreTheLimit) {
  const QueueRef queue = create();
  sqs::TextMap fifty;
  for (int i = 0; i < 50; ++i) fifty.emplace_back("k" + std::to_string(i), "v");
  ASSERT_TRUE(engine->tag_queue(queue, fifty).result.has_value());
  const auto before = store->last();
  EXPECT_EQ(code_of(engine->tag_queue(queue, {{"one more", "v"}}).result), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(tags(queue).size(), 50u);
  ASSERT_TRUE(engine->tag_queue(queue, {{"k0", "v"}}).result.has_value());  // changes nothing: nothing is written
  ASSERT_TRUE(engine->untag_queue(queue, {"unknown"}).result.has_value());
  EXPECT_EQ(store->last(), before);
  fifty.emplace_back("k50", "v");
  EXPECT_EQ(code_of(engine->create_queue(key("r"), {}, fifty).result), ErrorCode::InvalidParameterValue);
  EXPECT_FALSE(engine->find(key("r")).result.has_value());
}

TEST_F(SettingsTest, TagsOfADeletedQueueAreGone) {
  options.enforce_deletion_wait = false;
  restart();
  ASSERT_TRUE(engine->create_queue(key(), {}, {{"a", "1"}}).result.has_value());
  const QueueRef old = find();
  engine->delete_queue(old);
  EXPECT_EQ(code_of(engine->tag_queue(old, {{"b", "1"}}).result), ErrorCode::QueueDoesNotExist);
  EXPECT_EQ(code_of(engine->queue_tags(old).result), ErrorCode::QueueDoesNotExist);
  EXPECT_TRUE(tags(create()).empty());
}

// ---- permissions

TEST_F(SettingsTest, PermissionsEditThePolicy) {
  const QueueRef queue = create();
  ASSERT_TRUE(engine->add_permission(queue, {"one", {"111111111111"}, {"SendMessage"}}).result.has_value());
  const std::string one = attribute(queue, "Policy");
  EXPECT_EQ(one,
            R"({"Version":"2008-10-17","Id":"arn:aws:sqs:us-east-1:000000000000:q/SQSDefaultPolicy","Statement":[{"Sid":"one",)"
            R"("Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SQS:SendMessage",)"
            R"("Resource":"arn:aws:sqs:us-east-1:000000000000:q"}]})");
  ASSERT_TRUE(engine->add_permission(queue, {"two", {"222222222222"}, {"*"}}).result.has_value());
  EXPECT_EQ(code_of(engine->add_permission(queue, {"two", {"222222222222"}, {"*"}}).result), ErrorCode::InvalidParameterValue);
  const std::string two = attribute(queue, "Policy");
  restart_both_ways();
  EXPECT_EQ(attribute(find(), "Policy"), two);
  EXPECT_EQ(code_of(engine->remove_permission(find(), "three").result), ErrorCode::InvalidParameterValue);
  ASSERT_TRUE(engine->remove_permission(find(), "two").result.has_value());
  EXPECT_EQ(attribute(find(), "Policy"), one);
  ASSERT_TRUE(engine->remove_permission(find(), "one").result.has_value());
  EXPECT_EQ(attribute(find(), "Policy"), "");
  restart_both_ways();
  EXPECT_EQ(attribute(find(), "Policy"), "");
}

TEST_F(SettingsTest, TwentyStatementsAreTheLimit) {
  const QueueRef queue = create();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(engine->add_permission(queue, {"l" + std::to_string(i), {"111111111111"}, {"*"}}).result.has_value());
  }
  const std::string policy = attribute(queue, "Policy");
  EXPECT_EQ(code_of(engine->add_permission(queue, {"one-more", {"111111111111"}, {"*"}}).result), ErrorCode::OverLimit);
  EXPECT_EQ(attribute(queue, "Policy"), policy);
}

TEST_F(SettingsTest, APolicyIsToldAsItWasSet) {
  const std::string policy =
      R"({ "Version":"2012-10-17", "Statement":[{"Effect":"Allow","Principal":"*","Action":"SQS:*","Resource":"$sqs_queue_arn"}]})";
  const QueueRef queue = create("q", {{"Policy", policy}});
  restart_both_ways();
  EXPECT_EQ(attribute(find(), "Policy"), policy);
  EXPECT_FALSE(set(find(), {{"Policy", "{"}}).has_value());
  EXPECT_EQ(attribute(find(), "Policy"), policy);
  ASSERT_TRUE(set(find(), {{"Policy", ""}}).has_value());
  EXPECT_EQ(attribute(find(), "Policy"), "");
}

// ---- redrive policies

TEST_F(SettingsTest, ARedrivePolicyNeedsItsTarget) {
  create("dlq");
  create_fifo("dlq.fifo");
  create("closed", {allow("denyAll")});
  create("for-q", {allow("byQueue", "q")});
  create("for-another", {allow("byQueue", "another")});
  const QueueKey abroad{"000000000000", "eu-west-1", "abroad"};
  ASSERT_TRUE(engine->create_queue(abroad, {}).result.has_value());
  const QueueKey foreign{"111111111111", "us-east-1", "foreign"};
  ASSERT_TRUE(engine->create_queue(foreign, {}).result.has_value());
  const auto target = [](const std::string& text) {
    return std::pair<std::string, std::string>("RedrivePolicy",
                                               R"({"deadLetterTargetArn":")" + text + R"(","maxReceiveCount":3})");
  };
  struct Case {
    std::string target;
    std::string reason;  // empty: allowed
  };
  const Case cases[] = {
      {arn("dlq"), ""},
      {arn("for-q"), ""},
      {arn("none"), "Dead letter target does not exist."},
      {arn("dlq.fifo"), "Dead-letter queue must be same type of queue as the source.."},
      {arn("closed"), "The redrive allow policy of the dead-letter queue does not allow this source queue."},
      {arn("for-another"), "The redrive allow policy of the dead-letter queue does not allow this source queue."},
      {"arn:aws:sqs:eu-west-1:000000000000:abroad", "Dead letter target does not exist."},
      {"arn:aws:sqs:us-east-1:111111111111:foreign", "Dead-letter target owner should be same as the source."},
  };
  const QueueRef queue = create();
  for (const Case& one : cases) {
    SCOPED_TRACE(one.target);
    const std::string before = attribute(queue, "RedrivePolicy");
    const auto position = store->last();
    const auto result = set(queue, {target(one.target), {"VisibilityTimeout", "77"}});
    const auto created = engine->create_queue(key("new"), {target(one.target)}).result;
    if (one.reason.empty()) {
      EXPECT_TRUE(result.has_value());
      EXPECT_EQ(attribute(queue, "RedrivePolicy"), target(one.target).second);
      ASSERT_TRUE(set(queue, {{"VisibilityTimeout", "30"}}).has_value());
      if (created) engine->delete_queue(find("new"));
      clock.advance(Seconds(60));
      continue;
    }
    EXPECT_EQ(code_of(result), ErrorCode::InvalidParameterValue);
    EXPECT_NE(text_of(result).find(one.reason), std::string::npos) << text_of(result);
    EXPECT_EQ(code_of(created), ErrorCode::InvalidParameterValue);
    EXPECT_FALSE(engine->find(key("new")).result.has_value());
    EXPECT_EQ(attribute(queue, "RedrivePolicy"), before);
    EXPECT_EQ(attribute(queue, "VisibilityTimeout"), "30");  // nothing of the request was done
    EXPECT_EQ(store->last(), position);
  }
}

TEST_F(SettingsTest, AQueueMayNameItself) {
  create("q");
  ASSERT_TRUE(set(find(), {redrive("q", 2)}).has_value());
  EXPECT_EQ(sources(find()), "q");
  EXPECT_EQ(code_of(engine->create_queue(key("new"), {redrive("new", 2)}).result), ErrorCode::InvalidParameterValue);
  // Its own RedriveAllowPolicy counts, also one that comes with the same request.
  EXPECT_EQ(code_of(set(find(), {redrive("q", 3), allow("denyAll")})), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(attribute(find(), "RedriveAllowPolicy"), "");
}

TEST_F(SettingsTest, APolicyIsCheckedWheneverARequestSetsIt) {
  create("dlq");
  const QueueRef queue = create("q", {redrive("dlq", 2)});
  ASSERT_TRUE(set(find("dlq"), {allow("denyAll")}).has_value());  // says nothing about those that are
  ASSERT_TRUE(set(queue, {{"VisibilityTimeout", "5"}}).has_value());
  EXPECT_EQ(code_of(set(queue, {redrive("dlq", 3)})), ErrorCode::InvalidParameterValue);
  EXPECT_EQ(code_of(set(queue, {redrive("dlq", 2)})), ErrorCode::InvalidParameterValue);  // also to what it is
  engine->delete_queue(find("dlq"));
  ASSERT_TRUE(set(queue, {{"VisibilityTimeout", "6"}}).has_value());
  EXPECT_EQ(code_of(set(queue, {redrive("dlq", 2)})), ErrorCode::InvalidParameterValue);
  ASSERT_TRUE(set(queue, {{"RedrivePolicy", ""}}).has_value());
  EXPECT_EQ(attribute(queue, "RedrivePolicy"), "");
}

TEST_F(SettingsTest, TheSourcesOfATargetAreListed) {
  options.enforce_deletion_wait = false;
  restart();
  create("dlq");
  create("other");
  for (const char* name : {"c", "a", "b"}) create(name, {redrive("dlq", 1)});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(sources(find("dlq")), "a b c");
    EXPECT_EQ(sources(find("dlq"), "", 2), "a b …");
    EXPECT_EQ(sources(find("dlq"), "b", 1), "c");
    EXPECT_EQ(sources(find("other")), "");
    restart_both_ways();
  }
  ASSERT_TRUE(set(find("a"), {{"RedrivePolicy", ""}}).has_value());
  ASSERT_TRUE(set(find("b"), {redrive("other", 1)}).has_value());
  engine->delete_queue(find("c"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(sources(find("dlq")), "");
    EXPECT_EQ(sources(find("other")), "b");
    restart_both_ways();
  }
  engine->delete_queue(find("other"));
  create("other");  // the policy names the name
  EXPECT_EQ(sources(find("other")), "b");
}

TEST_F(SettingsTest, TheRedriveAllowPolicyIsToldAsItWasSet) {
  const auto policy = allow("byQueue", "q");
  create("dlq", {policy});
  restart_both_ways();
  EXPECT_EQ(attribute(find("dlq"), "RedriveAllowPolicy"), policy.second);
  EXPECT_FALSE(set(find("dlq"), {{"RedriveAllowPolicy", R"({"redrivePermission":"byQueue"})"}}).has_value());
  EXPECT_EQ(attribute(find("dlq"), "RedriveAllowPolicy"), policy.second);
}

// ---- encryption settings, which are stored and told

TEST_F(SettingsTest, KmsAndManagedEncryptionExcludeEachOther) {
  const QueueRef queue = create();
  const auto told = [&] {
    return attribute(find(), "SqsManagedSseEnabled") + "|" + attribute(find(), "KmsMasterKeyId") + "|" +
           attribute(find(), "KmsDataKeyReusePeriodSeconds");
  };
  EXPECT_EQ(told(), "true||");
  struct Case {
    sqs::TextMap change;
    std::string told;  // empty: InvalidAttributeName
  };
  const Case cases[] = {
      {{{"KmsMasterKeyId", "alias/key"}}, "false|alias/key|300"},
      {{{"KmsDataKeyReusePeriodSeconds", "60"}}, "false|alias/key|60"},
      {{{"KmsMasterKeyId", "other"}, {"SqsManagedSseEnabled", "true"}}, ""},
      {{{"KmsMasterKeyId", ""}, {"KmsDataKeyReusePeriodSeconds", "300"}}, "false||"},
      {{{"SqsManagedSseEnabled", "true"}}, "true||"},
      {{{"KmsMasterKeyId", "again"}}, "false|again|300"},
      {{{"SqsManagedSseEnabled", "true"}}, "true||"},
      {{{"SqsManagedSseEnabled", "false"}}, "false||"},
  };
  for (const Case& one : cases) {
    const std::string before = told();
    const auto result = set(find(), one.change);
    EXPECT_EQ(told(), one.told.empty() ? before : one.told);
    if (one.told.empty()) {
      EXPECT_EQ(code_of(result), ErrorCode::InvalidAttributeName);
    }
    restart_both_ways();
    EXPECT_EQ(told(), one.told.empty() ? before : one.told);
  }
}

// ---- FIFO settings

TEST_F(SettingsTest, FifoAttributesSurvive) {
  create_fifo("q.fifo", {{"ContentBasedDeduplication", "true"},
                         {"DeduplicationScope", "messageGroup"},
                         {"FifoThroughputLimit", "perMessageGroupId"},
                         {"DelaySeconds", "7"}});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Engine::kind(fifo()), sqs::QueueKind::Fifo);
    EXPECT_EQ(attribute(fifo(), "FifoQueue"), "true");
    EXPECT_EQ(attribute(fifo(), "ContentBasedDeduplication"), "true");
    EXPECT_EQ(attribute(fifo(), "DeduplicationScope"), "messageGroup");
    EXPECT_EQ(attribute(fifo(), "FifoThroughputLimit"), "perMessageGroupId");
    EXPECT_EQ(attribute(fifo(), "DelaySeconds"), "7");
    i == 0 ? restart() : restart_both_ways();
  }
  EXPECT_EQ(code_of(set(fifo(), {{"FifoQueue", "false"}})), ErrorCode::InvalidAttributeValue);
  EXPECT_TRUE(set(fifo(), {{"FifoQueue", "true"}}).has_value());
  EXPECT_EQ(Engine::kind(create("standard")), sqs::QueueKind::Standard);
  EXPECT_EQ(attribute(find("standard"), "FifoQueue"), "");
}

}  // namespace
}  // namespace ferry::engine
