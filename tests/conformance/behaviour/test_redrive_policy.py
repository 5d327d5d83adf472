"""RedrivePolicy and RedriveAllowPolicy as values, and ListDeadLetterSourceQueues."""

import json

import pytest
from row_catalogue import rows


def outcome(refused):
    return refused.status, refused.code, refused.message


def compact(**members):
    return json.dumps(members, separators=(",", ":"))


@pytest.fixture
def refuses(api, queue):
    """refuses(TEXT, NAME) -> the error of setting it; and nothing is set."""
    def call(text, name="RedrivePolicy"):
        refused = api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={name: text})
        assert api.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=[name]) == {}
        made = api.refuses("CreateQueue", QueueName=queue.rsplit("/", 1)[1] + "-new", Attributes={name: text})
        assert outcome(made) == outcome(refused)
        return outcome(refused)
    return call


@rows("redrive.told")
@pytest.mark.parametrize("count", [1, "1", 1000, "1000"])
def test_as_it_is_told(api, make, queue, count):
    target = api.arn(make())
    api.set(queue, RedrivePolicy=json.dumps({"maxReceiveCount": count, "deadLetterTargetArn": target}, indent=1))
    assert api.attributes(queue, "RedrivePolicy") == {"RedrivePolicy": compact(deadLetterTargetArn=target, maxReceiveCount=int(count))}


@rows("redrive.not-json")
@pytest.mark.parametrize("text", ["x", "[]", "1", '"x"', "{", "null"])
def test_not_json(refuses, text):
    assert refuses(text) == (400, "InvalidParameterValue", "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.")


@rows("redrive.missing-key")
def test_missing_keys(refuses):
    text = "Value {} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory attribute: {}."
    for value, missing in ((compact(), "maxReceiveCount"), (compact(deadLetterTargetArn="x"), "maxReceiveCount"),
                           (compact(maxReceiveCount=1), "deadLetterTargetArn")):
        assert refuses(value) == (400, "InvalidParameterValue", text.format(value, missing))


def reason(value, words):
    return 400, "InvalidParameterValue", f"Value {value} for parameter RedrivePolicy is invalid. Reason: {words}"


@rows("redrive.count")
@pytest.mark.parametrize("count", [0, 1001, -1, "0", "1001"])
def test_the_count(api, make, refuses, count):
    value = compact(deadLetterTargetArn=api.arn(make()), maxReceiveCount=count)
    assert refuses(value) == reason(value, f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.")


@rows("redrive.arn")
@pytest.mark.parametrize("arn,words", [
    ("x", "Dead-letter target ARN should be fully qualified ARN."), ("", "Dead-letter target ARN should be fully qualified ARN."),
    ("arn:aws:sqs:us-east-1:000000000000", "Dead-letter target ARN should be fully qualified ARN."),
    ("arn:aws:sns:us-east-1:000000000000:topic", "Only SQS queues are valid resources for deadLetterTargetArn.")])
def test_the_arn(refuses, arn, words):
    value = compact(deadLetterTargetArn=arn, maxReceiveCount=3)
    assert refuses(value) == reason(value, words)


@rows("redrive.no-target", "redrive.other-account", "redrive.other-kind")
def test_the_target(api, make, refuses, fifo):
    for arn, words in (("arn:aws:sqs:us-east-1:000000000000:nothing", "Dead letter target does not exist."),
                       ("arn:aws:sqs:eu-central-1:000000000000:nothing", "Dead letter target does not exist."),
                       ("arn:aws:sqs:us-east-1:111122223333:nothing", "Dead-letter target owner should be same as the source."),
                       (api.arn(fifo), "Dead-letter queue must be same type of queue as the source..")):
        value = compact(deadLetterTargetArn=arn, maxReceiveCount=3)
        assert refuses(value) == reason(value, words), arn
    standard = compact(deadLetterTargetArn=api.arn(make()), maxReceiveCount=3)
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=fifo, Attributes={"RedrivePolicy": standard})) == reason(
        standard, "Dead-letter queue must be same type of queue as the source..")


@rows("redrive.extra-key")
def test_another_key(api, make, refuses):
    value = compact(deadLetterTargetArn=api.arn(make()), maxReceiveCount=3, colour="blue")
    assert refuses(value) == reason(value, "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].")


@rows("redrive.itself")
def test_itself_and_each_other(api, make, queue):
    other = make()
    for source, target in ((queue, queue), (queue, other), (other, queue)):
        value = compact(deadLetterTargetArn=api.arn(target), maxReceiveCount=3)
        api.set(source, RedrivePolicy=value)
        assert api.attributes(source, "RedrivePolicy") == {"RedrivePolicy": value}


@rows("allow.told")
def test_allow_policies(api, queue):
    for text in ('{"redrivePermission":"allowAll"}', '{ "redrivePermission" : "denyAll" }',
                 '{"sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:a"],"redrivePermission":"byQueue"}'):
        api.set(queue, RedriveAllowPolicy=text)
        assert api.attributes(queue, "RedriveAllowPolicy") == {"RedriveAllowPolicy": text}


@rows("allow.arns")
def test_arns_of_allow_policies(api, queue, refuses):
    arns = [f"arn:aws:sqs:us-east-1:000000000000:q{n}" for n in range(11)]
    start = "Value {} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. "
    for value, words in (
            (compact(redrivePermission="byQueue"), "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values."),
            (compact(redrivePermission="byQueue", sourceQueueArns=[]),
             "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values."),
            (compact(redrivePermission="allowAll", sourceQueueArns=arns[:1]),
             "To specify one or more source queue ARNs, you must set redrivePermission to byQueue."),
            (compact(redrivePermission="denyAll", sourceQueueArns=arns[:1]),
             "To specify one or more source queue ARNs, you must set redrivePermission to byQueue."),
            (compact(redrivePermission="byQueue", sourceQueueArns=arns), "The maximum number of source queue ARNs you can specify is 10.")):
        assert refuses(value, "RedriveAllowPolicy") == (400, "InvalidParameterValue", start.format(value) + words)
    api.set(queue, RedriveAllowPolicy=compact(redrivePermission="byQueue", sourceQueueArns=arns[:10]))


@rows("allow.malformed")
@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"redrivePermission":"maybe"}', '{"redrivePermission":1}', '{"redrivePermission":"allowAll","x":1}',
                                  '{"redrivePermission":"byQueue","sourceQueueArns":"x"}'])
def test_malformed_allow_policies(refuses, text):
    assert refuses(text, "RedriveAllowPolicy") == (
        400, "InvalidParameterValue", "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, "
        "as it’s in an unsupported format.")


@rows("allow.denies")
def test_a_source_that_is_denied(api, make, queue):
    target = make(RedriveAllowPolicy=compact(redrivePermission="denyAll"))
    policy = compact(deadLetterTargetArn=api.arn(target), maxReceiveCount=1)
    assert api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={"RedrivePolicy": policy}).code == "InvalidParameterValue"
    api.set(target, RedriveAllowPolicy=compact(redrivePermission="byQueue", sourceQueueArns=[api.arn(make())]))
    assert api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={"RedrivePolicy": policy}).code == "InvalidParameterValue"
    assert "RedrivePolicy" not in api.attributes(queue)
    api.set(target, RedriveAllowPolicy=compact(redrivePermission="byQueue", sourceQueueArns=[api.arn(queue)]))
    api.set(queue, RedrivePolicy=policy)
    api.set(target, RedriveAllowPolicy=compact(redrivePermission="denyAll"))
    api.post(queue, "x")
    api.take_one(queue, VisibilityTimeout=0)
    assert api.take(queue) == []
    assert api.bodies(target, WaitTimeSeconds=5) == ["x"]


@rows("dead-sources.listed", "dead-sources.pages", "dead-sources.empty")
def test_sources(api, make, queue):
    assert api.call("ListDeadLetterSourceQueues", QueueUrl=queue) in ({}, {"queueUrls": []})
    sources = sorted(make(dead_letters=(queue, 3)) for _ in range(3))
    make(dead_letters=(sources[0], 3))
    assert api.call("ListDeadLetterSourceQueues", QueueUrl=queue) == {"queueUrls": sources}
    first = api.call("ListDeadLetterSourceQueues", QueueUrl=queue, MaxResults=2)
    assert first["queueUrls"] == sources[:2]
    assert api.call("ListDeadLetterSourceQueues", QueueUrl=queue, MaxResults=2, NextToken=first["NextToken"]) == {"queueUrls": sources[2:]}
    for value in (-1, 1001):
        assert api.refuses("ListDeadLetterSourceQueues", QueueUrl=queue, MaxResults=value).code == "InvalidParameterValue"
    assert api.refuses("ListDeadLetterSourceQueues", QueueUrl=queue, MaxResults=2, NextToken="forged").code == "InvalidParameterValue"
    api.set(sources[0], RedrivePolicy="")
    api.call("DeleteQueue", QueueUrl=sources[1])
    assert api.call("ListDeadLetterSourceQueues", QueueUrl=queue) == {"queueUrls": sources[2:]}
