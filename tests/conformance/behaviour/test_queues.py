"""CreateQueue, GetQueueUrl, ListQueues, DeleteQueue."""

import json
import uuid

import pytest
from row_catalogue import rows
from two_protocols import Api

BAD_NAME = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
BAD_FIFO_NAME = ("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix "
                 "and be 1 to 80 in length")
NO_NAME = "Value for parameter QueueName is invalid. Reason: Must specify a queue name."
NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
RANGES = [("DelaySeconds", 0, 900), ("MaximumMessageSize", 1024, 1048576), ("MessageRetentionPeriod", 60, 1209600),
          ("ReceiveMessageWaitTimeSeconds", 0, 20), ("VisibilityTimeout", 0, 43200), ("KmsDataKeyReusePeriodSeconds", 60, 86400)]


def outcome(refused):
    return refused.status, refused.code, refused.message


@rows("create.name")
def test_names(api, name):
    for good in ("x", "AZaz09_-" + name, name.ljust(80, "x")):
        api.call("DeleteQueue", QueueUrl=api.create(good))
    for bad in ("a b", "a.b", "ü", "a/b", name.ljust(81, "x"), "a:b", "x\n"):
        assert outcome(api.refuses("CreateQueue", QueueName=bad)) == (400, "InvalidParameterValue", BAD_NAME), bad


@rows("create.name-of-fifo", "create.fifo-without-suffix")
def test_names_of_fifo_queues(api, name):
    longest = name.ljust(75, "x") + ".fifo"
    api.call("DeleteQueue", QueueUrl=api.create(longest, FifoQueue="true"))
    for bad in (name, name + "fifo", name + "_fifo"):
        assert outcome(api.refuses("CreateQueue", QueueName=bad, Attributes={"FifoQueue": "true"})) == (
            400, "InvalidParameterValue", BAD_FIFO_NAME), bad
    for bad in ("x" + longest, ".fifo", "a b.fifo", name + ".fifo.fifo", name + ".FIFO", name + ".fifox"):
        assert outcome(api.refuses("CreateQueue", QueueName=bad, Attributes={"FifoQueue": "true"}))[:2] == (400, "InvalidParameterValue"), bad


@rows("create.fifo-name-without-attribute")
def test_a_fifo_name_without_the_attribute(api, name):
    assert outcome(api.refuses("CreateQueue", QueueName=name + ".fifo")) == (400, "InvalidParameterValue", BAD_NAME)


@rows("create.name-absent")
def test_no_name(api):
    assert outcome(api.refuses("CreateQueue")) == (400, "InvalidParameterValue", NO_NAME)


@rows("create.name-empty")
def test_an_empty_name(api):
    assert outcome(api.refuses("CreateQueue", QueueName="")) == (400, "InvalidParameterValue", "Queue name cannot be empty")


@rows("create.defaults", "create.at-once")
def test_defaults(api, queue):
    expected = {"DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0",
                "VisibilityTimeout": "30", "SqsManagedSseEnabled": "true"}
    assert api.attributes(queue, *expected) == expected
    api.post(queue, "at once")
    assert api.bodies(queue) == ["at once"]


@rows("create.defaults-of-fifo")
def test_defaults_of_fifo(api, name):
    queue = api.create(name + ".fifo", FifoQueue="true")
    expected = {"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}
    assert api.attributes(queue, *expected) == expected


@rows("create.ranges", "setattr.validates")
@pytest.mark.parametrize("attribute,least,most", RANGES, ids=[row[0] for row in RANGES])
def test_ranges(api, make, name, attribute, least, most):
    key = {"KmsMasterKeyId": "alias/k"} if attribute.startswith("Kms") else {}
    for value in (least, most):
        queue = make(**{attribute: value, **key})
        assert api.attributes(queue, attribute) == {attribute: str(value)}
    before = api.attributes(queue)
    for value in (least - 1, most + 1, 10 ** 30):
        expected = (400, "InvalidAttributeValue", f"Invalid value for the parameter {attribute}.")
        assert outcome(api.refuses("CreateQueue", QueueName=name, Attributes={attribute: str(value), **key})) == expected, value
        assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={attribute: str(value), "VisibilityTimeout": "7"})
                       if attribute != "VisibilityTimeout" else
                       api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={attribute: str(value)})) == expected, value
    assert api.attributes(queue) == before
    assert api.refuses("GetQueueUrl", QueueName=name).code == NO_QUEUE


@rows("create.whole-numbers")
@pytest.mark.parametrize("value", ["", " ", "1.5", "+5", "5 ", " 5", "1e1", "five", "0x5", "٣"])
def test_whole_numbers(api, name, queue, value):
    expected = (400, "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout.")
    assert outcome(api.refuses("CreateQueue", QueueName=name, Attributes={"VisibilityTimeout": value})) == expected
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={"VisibilityTimeout": value})) == expected


@rows("create.words")
def test_words(api, make, name):
    queue = make(SqsManagedSseEnabled="False")
    assert api.attributes(queue, "SqsManagedSseEnabled") == {"SqsManagedSseEnabled": "false"}
    fifo = make.fifo(ContentBasedDeduplication="True", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    names = ["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]
    assert list(api.attributes(fifo, *names)[name] for name in names) == ["true", "messageGroup", "perMessageGroupId"]
    for attribute, value in (("ContentBasedDeduplication", "yes"), ("DeduplicationScope", "Queue"), ("FifoThroughputLimit", "perqueue"),
                             ("FifoQueue", "maybe"), ("SqsManagedSseEnabled", "1")):
        refused = api.refuses("CreateQueue", QueueName=name + ".fifo", Attributes={"FifoQueue": "true", attribute: value})
        assert (refused.status, refused.code) == (400, "InvalidAttributeValue"), attribute


@rows("create.fifo-attributes-on-standard")
@pytest.mark.parametrize("attribute,value", [("FifoQueue", "false"), ("ContentBasedDeduplication", "true"), ("ContentBasedDeduplication", "false")])
def test_fifo_attributes_on_standard(api, name, attribute, value):
    assert outcome(api.refuses("CreateQueue", QueueName=name, Attributes={attribute: value})) == (
        400, "InvalidAttributeName", f"Unknown Attribute {attribute}.")


@rows("create.throughput-on-standard")
@pytest.mark.parametrize("attribute,value", [("DeduplicationScope", "queue"), ("FifoThroughputLimit", "perQueue")])
def test_throughput_attributes_on_standard(api, name, queue, attribute, value):
    expected = (400, "InvalidAttributeName", f"You can specify the {attribute} only when FifoQueue is set to true.")
    assert outcome(api.refuses("CreateQueue", QueueName=name, Attributes={attribute: value})) == expected
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={attribute: value})) == expected


@rows("create.limit-needs-scope")
def test_the_limit_per_group_needs_the_scope(api, name, fifo):
    expected = (400, "InvalidAttributeValue", "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup")
    limit = {"FifoThroughputLimit": "perMessageGroupId"}
    assert outcome(api.refuses("CreateQueue", QueueName=name + ".fifo", Attributes={"FifoQueue": "true", **limit})) == expected
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=fifo, Attributes=limit)) == expected


@rows("create.unknown-attributes")
@pytest.mark.parametrize("attribute", ["QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages",
                                       "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible", "All", "Colour",
                                       "visibilitytimeout"])
def test_attributes_that_cannot_be_set(api, name, queue, attribute):
    expected = (400, "InvalidAttributeName", f"Unknown Attribute {attribute}.")
    assert outcome(api.refuses("CreateQueue", QueueName=name, Attributes={attribute: "1"})) == expected
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes={attribute: "1"})) == expected


@rows("create.one-encryption")
def test_one_kind_of_encryption(api, name, queue):
    both = {"KmsMasterKeyId": "alias/k", "SqsManagedSseEnabled": "true"}
    expected = (400, "InvalidAttributeName", "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
    assert outcome(api.refuses("CreateQueue", QueueName=name, Attributes=both)) == expected
    assert outcome(api.refuses("SetQueueAttributes", QueueUrl=queue, Attributes=both)) == expected
    assert "KmsMasterKeyId" not in api.attributes(queue)


@rows("create.again", "create.again-differs")
def test_create_again(api, make):
    queue = make(VisibilityTimeout=41, DelaySeconds=3)
    name = queue.rsplit("/", 1)[1]
    assert api.create(name) == queue
    assert api.create(name, VisibilityTimeout=41) == queue
    assert api.create(name, DelaySeconds=3, VisibilityTimeout=41) == queue
    api.set(queue, VisibilityTimeout=42)
    assert api.create(name, VisibilityTimeout=42) == queue
    text = "A queue already exists with the same name and a different value for attribute "
    assert outcome(api.refuses("CreateQueue", QueueName=name, Attributes={"VisibilityTimeout": "41"})) == (
        400, "QueueAlreadyExists", text + "VisibilityTimeout")
    assert outcome(api.refuses("CreateQueue", QueueName=name, Attributes={"MaximumMessageSize": "2048"})) == (
        400, "QueueAlreadyExists", text + "MaximumMessageSize")
    fifo = make.fifo()
    fifo_name = fifo.rsplit("/", 1)[1]
    assert api.create(fifo_name, FifoQueue="true") == fifo
    assert api.refuses("CreateQueue", QueueName=fifo_name, Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "false"}).code == \
        "QueueAlreadyExists"


@rows("create.again-tags", "create.tags")
def test_create_with_tags(api, name):
    queue = api.create(name, tags={"team": "blue", "Empty": ""})
    assert api.create(name, tags={"team": "red"}) == queue
    assert api.call("ListQueueTags", QueueUrl=queue)["Tags"] == {"team": "blue", "Empty": ""}


@rows("create.tags-refused")
def test_create_with_tags_that_cannot_be(api, name):
    for tags in ({f"k{n}": "v" for n in range(51)}, {"x" * 129: "v"}, {"k": "x" * 257}):
        assert api.refuses("CreateQueue", QueueName=name, tags=tags).code == "InvalidParameterValue"
    assert api.refuses("GetQueueUrl", QueueName=name).code == NO_QUEUE
    queue = api.create(name, tags={f"k{n}": "v" for n in range(50)})
    assert len(api.call("ListQueueTags", QueueUrl=queue)["Tags"]) == 50


@rows("create.deletion-wait-off", "delete-queue.all", "delete-queue.missing")
def test_delete(api, name, no_queue):
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "SQS:*", "Resource": "*", "Principal": "*"}]})
    queue = api.create(name, tags={"a": "b"}, Policy=policy)
    api.post(queue)
    assert api.call("DeleteQueue", QueueUrl=queue) == {}
    assert outcome(api.refuses("DeleteQueue", QueueUrl=queue)) == (400, NO_QUEUE, no_queue)
    assert api.create(name) == queue
    assert api.counts(queue) == (0, 0, 0)
    assert "Tags" not in api.call("ListQueueTags", QueueUrl=queue)
    assert "Policy" not in api.attributes(queue)


@rows("geturl.found", "url.form", "url.case")
def test_get_queue_url(api, make, server_url):
    queue = make("-aZ")
    name = queue.rsplit("/", 1)[1]
    assert api.call("GetQueueUrl", QueueName=name) == {"QueueUrl": f"{server_url}/000000000000/{name}"}
    assert api.refuses("GetQueueUrl", QueueName=name.upper()).code == NO_QUEUE
    assert api.refuses("SendMessage", QueueUrl=queue.upper(), MessageBody="x").code == NO_QUEUE


@rows("geturl.owner")
def test_get_queue_url_of_an_account(signed, name, no_queue):
    mine, theirs = signed("admin"), signed("other")
    queue = mine.create(name)
    assert mine.call("GetQueueUrl", QueueName=name, QueueOwnerAWSAccountId="000000000000") == {"QueueUrl": queue}
    mine.call("AddPermission", QueueUrl=queue, Label="l", AWSAccountIds=["111122223333"], Actions=["*"])
    assert outcome(theirs.refuses("GetQueueUrl", QueueName=name, QueueOwnerAWSAccountId="000000000000")) == (400, NO_QUEUE, no_queue)
    assert outcome(mine.refuses("GetQueueUrl", QueueName=name, QueueOwnerAWSAccountId="111122223333")) == (400, NO_QUEUE, no_queue)


@rows("geturl.name-missing")
@pytest.mark.parametrize("members", [{}, {"QueueName": ""}])
def test_get_queue_url_without_a_name(api, members):
    assert outcome(api.refuses("GetQueueUrl", **members)) == (400, "InvalidParameterValue", NO_NAME)


@rows("geturl.unknown")
@pytest.mark.parametrize("name", ["nothing", "a b", "ü", "x" * 81, "x.fifo"])
def test_get_queue_url_of_what_is_not_there(api, name, no_queue):
    assert outcome(api.refuses("GetQueueUrl", QueueName=name)) == (400, NO_QUEUE, no_queue)


@rows("list.prefix", "list.sorted", "list.without-max", "list.empty", "list.pages")
def test_list(api, name):
    made = [api.create(f"{name}-{letter}") for letter in "cabed"]
    assert api.call("ListQueues", QueueNamePrefix=name) == {"QueueUrls": sorted(made)}
    assert api.call("ListQueues", QueueNamePrefix=name.upper()) == {}
    first = api.call("ListQueues", QueueNamePrefix=name, MaxResults=2)
    assert first["QueueUrls"] == sorted(made)[:2]
    last = api.call("ListQueues", QueueNamePrefix=name, MaxResults=3, NextToken=first["NextToken"])
    assert last == {"QueueUrls": sorted(made)[2:]}
    assert "NextToken" not in api.call("ListQueues", QueueNamePrefix=name, MaxResults=5)


@rows("list.max-range")
def test_list_out_of_range(api, queue):
    for value in (-1, 1001):
        assert outcome(api.refuses("ListQueues", MaxResults=value)) == (
            400, "InvalidParameterValue", "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.")
    for value in (0, 1000):
        assert queue in api.call("ListQueues", MaxResults=value, QueueNamePrefix=queue.rsplit("/", 1)[1])["QueueUrls"]


@rows("list.token")
@pytest.mark.parametrize("token", ["no token", "AAAA", "=", "x" * 3000])
def test_list_with_a_forged_token(api, token):
    assert outcome(api.refuses("ListQueues", MaxResults=2, NextToken=token)) == (
        400, "InvalidParameterValue", "Invalid or expired next token.")


@rows("list.own", "namespace.account", "namespace.region")
def test_accounts_and_regions_are_apart(signed, name):
    mine, theirs, elsewhere = signed("admin"), signed("other"), signed("admin", "eu-central-1")
    urls = [account.create(name) for account in (mine, theirs, elsewhere)]
    assert urls[0].endswith(f"/000000000000/{name}") and urls[1].endswith(f"/111122223333/{name}")
    for account, url in zip((mine, theirs, elsewhere), urls):
        assert account.call("ListQueues", QueueNamePrefix=name) == {"QueueUrls": [url]}
    assert mine.arn(urls[0]) == f"arn:aws:sqs:us-east-1:000000000000:{name}"
    assert theirs.arn(urls[1]) == f"arn:aws:sqs:us-east-1:111122223333:{name}"
    assert elsewhere.arn(urls[2]) == f"arn:aws:sqs:eu-central-1:000000000000:{name}"
    mine.post(urls[0], "mine")
    assert theirs.bodies(urls[1]) == elsewhere.bodies(urls[2]) == []
    assert mine.refuses("SendMessage", QueueUrl=urls[1], MessageBody="x").code == NO_QUEUE
    assert theirs.refuses("ReceiveMessage", QueueUrl=urls[0]).code == NO_QUEUE
    theirs.call("DeleteQueue", QueueUrl=urls[1])
    assert mine.bodies(urls[0]) == ["mine"]


@rows("purge.all", "purge.later", "purge.wait-off")
def test_purge(api, queue):
    for n in range(3):
        api.post(queue, f"m{n}")
    api.post(queue, DelaySeconds=900)
    held = api.take_one(queue)["ReceiptHandle"]
    assert api.counts(queue) == (2, 1, 1)
    assert api.call("PurgeQueue", QueueUrl=queue) == {}
    assert api.counts(queue) == (0, 0, 0)
    api.delete(queue, held)
    api.post(queue, "later")
    api.call("PurgeQueue", QueueUrl=queue)
    api.post(queue, "stays")
    assert api.bodies(queue) == ["stays"]


@rows("purge.fifo")
def test_purge_forgets_deduplication(api, fifo):
    first = api.post(fifo, "same", MessageGroupId="g")
    api.call("PurgeQueue", QueueUrl=fifo)
    second = api.post(fifo, "same", MessageGroupId="g")
    assert first["MessageId"] != second["MessageId"]
    assert api.bodies(fifo) == ["same"]


@rows("queue.missing")
def test_every_action_on_a_queue_that_is_not_there(api, name, no_queue):
    gone = api.create(name)
    api.call("DeleteQueue", QueueUrl=gone)
    entry = {"Id": "a", "ReceiptHandle": "h"}
    for action, members in (
            ("DeleteQueue", {}), ("PurgeQueue", {}), ("GetQueueAttributes", {"AttributeNames": ["All"]}),
            ("SetQueueAttributes", {"Attributes": {"DelaySeconds": "1"}}), ("SendMessage", {"MessageBody": "x"}),
            ("SendMessageBatch", {"Entries": [{"Id": "a", "MessageBody": "x"}]}), ("ReceiveMessage", {}), ("DeleteMessage", {"ReceiptHandle": "h"}),
            ("DeleteMessageBatch", {"Entries": [entry]}), ("ChangeMessageVisibility", {"ReceiptHandle": "h", "VisibilityTimeout": 1}),
            ("ChangeMessageVisibilityBatch", {"Entries": [{**entry, "VisibilityTimeout": 1}]}), ("TagQueue", {"Tags": {"a": "b"}}),
            ("UntagQueue", {"TagKeys": ["a"]}), ("ListQueueTags", {}), ("ListDeadLetterSourceQueues", {}), ("RemovePermission", {"Label": "l"}),
            ("AddPermission", {"Label": "l", "AWSAccountIds": ["000000000000"], "Actions": ["SendMessage"]})):
        assert outcome(api.refuses(action, QueueUrl=gone, **members)) == (400, NO_QUEUE, no_queue), action


@rows("queue.bare-name", "queue.any-host")
def test_other_ways_to_name_a_queue(api, queue, server_url):
    path = queue.removeprefix(server_url)
    for given in (queue, queue.rsplit("/", 1)[1], "https://sqs.us-east-1.amazonaws.com" + path, "http://elsewhere:1" + path):
        api.post(given, given)
    assert api.counts(queue) == (4, 0, 0)


@rows("same.both")
def test_a_queue_of_one_protocol_is_the_other_s(server_url):
    name = f"b-{uuid.uuid4().hex[:12]}"
    json_api, query_api = Api("json", server_url), Api("query", server_url)
    queue = json_api.create(name)
    assert query_api.create(name) == queue
    attributes = {"k": {"DataType": "Binary", "BinaryValue": bytes(range(256))}, "s": {"DataType": "String", "StringValue": "\"'<&>\r\n\t"}}
    sent = query_api.post(queue, "\r\n\"<&>'é😀", MessageAttributes=attributes)
    got = json_api.take_one(queue, MessageAttributeNames=["All"], VisibilityTimeout=0)
    again = query_api.take_one(queue, MessageAttributeNames=["All"])
    assert {**got, "ReceiptHandle": ""} == {**again, "ReceiptHandle": ""}
    assert got["MessageAttributes"] == attributes and got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    json_api.delete(queue, again["ReceiptHandle"])
    assert query_api.counts(queue) == (0, 0, 0)
