"""GetQueueAttributes, SetQueueAttributes, policies, encryption attributes."""

import json
import time

import pytest
from row_catalogue import rows

STATEMENT = {"Sid": "one", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "SQS:SendMessage", "Resource": "$sqs_queue_arn"}
BASE = {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp",
        "DelaySeconds", "LastModifiedTimestamp", "MaximumMessageSize", "MessageRetentionPeriod", "QueueArn", "ReceiveMessageWaitTimeSeconds",
        "SqsManagedSseEnabled", "VisibilityTimeout"}


def outcome(refused):
    return refused.status, refused.code, refused.message


def policy_of(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)})


@rows("getattr.none")
def test_no_names(api, queue):
    assert api.call("GetQueueAttributes", QueueUrl=queue) == {}
    assert api.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=[]) == {}


@rows("getattr.all", "getattr.timestamps")
def test_all(api, make):
    queue = make()
    found = api.attributes(queue, "All")
    assert set(found) == BASE
    assert found["QueueArn"] == "arn:aws:sqs:us-east-1:000000000000:" + queue.rsplit("/", 1)[1]
    for name in ("CreatedTimestamp", "LastModifiedTimestamp"):
        assert abs(int(found[name]) - time.time()) < 60
    api.set(queue, Policy=policy_of(STATEMENT), RedrivePolicy=json.dumps({"deadLetterTargetArn": found["QueueArn"], "maxReceiveCount": 3}),
            RedriveAllowPolicy='{"redrivePermission":"allowAll"}', KmsMasterKeyId="alias/k")
    assert set(api.attributes(queue, "All", "DelaySeconds")) == BASE | {
        "Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"}


@rows("getattr.all-of-fifo")
def test_all_of_a_fifo_queue(api, fifo):
    assert set(api.attributes(fifo, "All")) == BASE | {"ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit"}


@rows("getattr.counts")
def test_counts(api, queue):
    for _ in range(3):
        api.post(queue)
    api.post(queue, DelaySeconds=900)
    api.take_one(queue)
    assert api.counts(queue) == (2, 1, 1)


@rows("getattr.not-set")
def test_what_is_not_set(api, queue):
    assert api.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=["Policy"]) == {}
    assert api.attributes(queue, "Policy", "KmsMasterKeyId", "DelaySeconds") == {"DelaySeconds": "0"}


@rows("getattr.unknown")
@pytest.mark.parametrize("name", ["Colour", "all", "QueueName", ""])
def test_unknown_names(api, queue, name):
    assert outcome(api.refuses("GetQueueAttributes", QueueUrl=queue, AttributeNames=["DelaySeconds", name])) == (
        400, "InvalidAttributeName", f"Unknown Attribute {name}.")


@rows("getattr.fifo-on-standard")
def test_fifo_queue_of_a_standard_queue(api, queue):
    assert api.attributes(queue, "FifoQueue", "VisibilityTimeout") == {"VisibilityTimeout": "30"}


@rows("setattr.fifo-on-standard", "setattr.fifo-true", "setattr.fifo-false")
def test_the_kind_does_not_change(api, queue, fifo):
    for value in ("true", "false"):
        assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={"FifoQueue": value})) == (
            400, "InvalidAttributeName", "Unknown Attribute FifoQueue.")
    api.set(fifo, FifoQueue="true")
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=fifo, Attributes={"FifoQueue": "false"})) == (
        400, "InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")


@rows("setattr.none")
def test_nothing_to_set(api, queue):
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={})) == (
        400, "MissingParameter", "The request must contain the parameter Attribute.Name.")


@rows("setattr.remove", "policy.unchanged")
def test_set_and_remove(api, queue):
    arn = api.arn(queue)
    texts = {"Policy": ' {"Version":"2008-10-17","Statement":[ ' + json.dumps(STATEMENT) + "]}",
             "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3}, separators=(",", ":")),
             "RedriveAllowPolicy": '{ "redrivePermission": "byQueue", "sourceQueueArns": ["%s"] }' % arn}
    for name, text in texts.items():
        api.set(queue, **{name: text})
        assert api.attributes(queue, name) == {name: text}
        api.set(queue, **{name: ""})
        assert api.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=[name]) == {}


@rows("setattr.modified")
def test_the_time_of_the_last_change(api, queue):
    before = api.attributes(queue)
    time.sleep(1.1)
    api.set(queue, DelaySeconds=1)
    after = api.attributes(queue)
    assert int(after["LastModifiedTimestamp"]) > int(before["LastModifiedTimestamp"])
    assert after["CreatedTimestamp"] == before["CreatedTimestamp"]


@rows("setattr.validates")
def test_one_bad_value_changes_nothing(api, queue):
    before = api.attributes(queue)
    assert api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={"VisibilityTimeout": "1", "DelaySeconds": "901"}).code == \
        "InvalidAttributeValue"
    assert api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={"VisibilityTimeout": "1", "Colour": "blue"}).code == \
        "InvalidAttributeName"
    assert api.attributes(queue) == before


@rows("kms.flips-sse", "kms.removed", "kms.no-encryption")
def test_kms(api, queue):
    names = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")
    api.set(queue, KmsMasterKeyId="alias/some-key")
    assert api.attributes(queue, *names) == {"KmsMasterKeyId": "alias/some-key", "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"}
    api.set(queue, KmsDataKeyReusePeriodSeconds=600)
    assert api.attributes(queue, *names)["KmsDataKeyReusePeriodSeconds"] == "600"
    api.post(queue, "as ever")
    assert api.bodies(queue) == ["as ever"]
    api.set(queue, KmsMasterKeyId="", KmsDataKeyReusePeriodSeconds=300)
    assert api.attributes(queue, *names) == {"SqsManagedSseEnabled": "false"}


@rows("kms.sse-removes")
def test_sse_removes_kms(api, make):
    queue = make(KmsMasterKeyId="alias/k", KmsDataKeyReusePeriodSeconds=60)
    api.set(queue, SqsManagedSseEnabled="true")
    names = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")
    assert api.attributes(queue, *names) == {"SqsManagedSseEnabled": "true"}


@rows("setattr.scope-stays")
@pytest.mark.parametrize("created,then,messages", [("queue", "messageGroup", 1), ("messageGroup", "queue", 2)])
def test_the_scope_of_creation_stays(api, make, created, then, messages):
    queue = make.fifo(DeduplicationScope=created)
    api.set(queue, DeduplicationScope=then)
    assert api.attributes(queue, "DeduplicationScope") == {"DeduplicationScope": then}
    for group in ("g1", "g2"):
        api.post(queue, MessageGroupId=group, MessageDeduplicationId="d")
    assert api.counts(queue) == (messages, 0, 0)


@rows("policy.invalid")
@pytest.mark.parametrize("text", [
    "no JSON", "[]", '"x"', "{}", policy_of(), policy_of(STATEMENT, version="2011-01-01"), '{"Version":"2012-10-17"}',
    '{"Version":"2012-10-17","Statement":[{}],"Colour":"blue"}', policy_of({**STATEMENT, "Colour": "blue"}), policy_of({**STATEMENT, "Effect": "Maybe"}),
    *(policy_of({key: value for key, value in STATEMENT.items() if key != missing}) for missing in ("Effect", "Action", "Resource"))],
    ids=lambda text: text[:60])
def test_policies_that_are_none(api, queue, text):
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": text})) == (
        400, "InvalidAttributeValue", "Invalid value for the parameter Policy.")
    assert "Policy" not in api.attributes(queue)


@rows("policy.statements")
def test_too_many_statements(api, queue):
    statements = [{**STATEMENT, "Sid": f"s{n}"} for n in range(21)]
    api.set(queue, Policy=policy_of(*statements[:20]))
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": policy_of(*statements)})) == (
        403, "OverLimit", "21 statements were found in the submitted policy, max allowed is 20")
