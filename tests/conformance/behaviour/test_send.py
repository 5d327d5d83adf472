"""SendMessage: what is answered, what is refused; message attributes and their MD5s."""

import hashlib
import re
import string

import pytest
from row_catalogue import rows

MIB = 1024 * 1024
CHARACTERS = ("Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


def outcome(refused):
    return refused.status, refused.code, refused.message


def text(value, kind="String"):
    return {"DataType": kind, "StringValue": value}


def refused_attribute(api, queue, attributes):
    refused = api.refuses("SendMessage", QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
    assert (refused.status, refused.code) == (400, "InvalidParameterValue"), refused
    assert api.counts(queue) == (0, 0, 0)
    return refused.message


@rows("send.answer", "md5.body", "message.id")
def test_the_answer(api, queue, fifo):
    answer = api.post(queue, "message")
    assert set(answer) == {"MessageId", "MD5OfMessageBody"}
    assert UUID.fullmatch(answer["MessageId"]) and answer["MD5OfMessageBody"] == "78e731027d8fd50ed642340b7c9a63b3"
    assert api.post(queue, "é€😀")["MD5OfMessageBody"] == "3b07a39fef0ac5d7ef21575e7315a482"
    assert [message["MD5OfBody"] for message in api.take(queue)] == ["78e731027d8fd50ed642340b7c9a63b3", "3b07a39fef0ac5d7ef21575e7315a482"]
    full = api.post(fifo, "x", MessageGroupId="g", MessageAttributes={"k": text("x")}, MessageSystemAttributes={"AWSTraceHeader": text(TRACE)})
    assert set(full) == {"MessageId", "MD5OfMessageBody", "MD5OfMessageAttributes", "MD5OfMessageSystemAttributes", "SequenceNumber"}


@rows("send.body-empty")
@pytest.mark.parametrize("members", [{}, {"MessageBody": ""}])
def test_no_body(api, queue, members):
    assert outcome(api.refuses("SendMessage", QueueUrl=queue, **members)) == (
        400, "MissingParameter", "The request must contain the parameter MessageBody.")


@rows("send.characters")
def test_characters(api, queue, protocol):
    for allowed in ("\t\n\r \x7f\x85\ud7ff\ue000\ufffd\U00010000\U0010ffff", " ", "\u00a0"):
        api.post(queue, allowed)
        message = api.take_one(queue)
        assert message["Body"] == allowed and message["MD5OfBody"] == hashlib.md5(allowed.encode()).hexdigest()
        api.delete(queue, message["ReceiptHandle"])
    for forbidden in ("\x00", "\x08", "\x0b", "\x0c", "\x0e", "\x1f", "\ufffe", "\uffff"):
        assert outcome(api.refuses("SendMessage", QueueUrl=queue, MessageBody=f"a{forbidden}b")) == (
            400, "InvalidMessageContents", CHARACTERS), repr(forbidden)
    assert api.counts(queue) == (0, 0, 0)


@rows("send.size", "send.size-counts")
def test_size(api, make):
    queue = make(MaximumMessageSize=1024)
    expected = (400, "InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.")
    system = {"AWSTraceHeader": text(TRACE)}
    api.post(queue, "é" * 512, MessageSystemAttributes=system)
    assert outcome(api.refuses("SendMessage", QueueUrl=queue, MessageBody="é" * 512 + "x")) == expected
    for attribute, size in (({"k": text("x")}, 8), ({"kk": {"DataType": "Binary.b", "BinaryValue": bytes(5)}}, 15)):
        api.post(queue, "x" * (1024 - size), MessageAttributes=attribute)
        assert outcome(api.refuses("SendMessage", QueueUrl=queue, MessageBody="x" * (1025 - size), MessageAttributes=attribute)) == expected
    assert api.counts(queue) == (3, 0, 0)
    largest = make()
    api.post(largest, "x" * MIB)
    assert outcome(api.refuses("SendMessage", QueueUrl=largest, MessageBody="x" * (MIB + 1)))[2].endswith("shorter than 1048576 bytes.")


@rows("send.delay-range")
def test_delays_out_of_range(api, queue):
    for value in (-1, 901):
        assert outcome(api.refuses("SendMessage", QueueUrl=queue, MessageBody="x", DelaySeconds=value)) == (
            400, "InvalidParameterValue", f"Value {value} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")
    for value in (0, 900):
        api.post(queue, DelaySeconds=value)
    assert api.counts(queue) == (1, 0, 1)


@rows("send.fifo-delay")
def test_a_delay_on_fifo(api, make):
    fifo = make.fifo(DelaySeconds=900)
    assert outcome(api.refuses("SendMessage", QueueUrl=fifo, MessageBody="x", MessageGroupId="g", DelaySeconds=1)) == (
        400, "InvalidParameterValue",
        "Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.")
    api.post(fifo, MessageGroupId="g", DelaySeconds=0)
    assert api.counts(fifo) == (0, 0, 1)


@rows("send.fifo-no-group", "send.fifo-no-deduplication")
def test_what_fifo_needs(api, fifo, make):
    assert outcome(api.refuses("SendMessage", QueueUrl=fifo, MessageBody="x")) == (
        400, "MissingParameter", "The request must contain the parameter MessageGroupId.")
    explicit = make.fifo(ContentBasedDeduplication="false")
    assert outcome(api.refuses("SendMessage", QueueUrl=explicit, MessageBody="x", MessageGroupId="g")) == (
        400, "InvalidParameterValue",
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
    api.post(explicit, MessageGroupId="g", MessageDeduplicationId="d")
    assert api.counts(explicit) == (1, 0, 0) and api.counts(fifo) == (0, 0, 0)


@rows("send.standard-deduplication", "send.standard-group")
def test_fifo_parameters_on_standard(api, queue):
    assert outcome(api.refuses("SendMessage", QueueUrl=queue, MessageBody="x", MessageDeduplicationId="d")) == (
        400, "InvalidParameterValue",
        "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.")
    answer = api.post(queue, MessageGroupId="tenant")
    assert "SequenceNumber" not in answer
    assert api.take_one(queue, AttributeNames=["MessageGroupId", "SequenceNumber"])["Attributes"] == {"MessageGroupId": "tenant"}


@rows("send.ids")
@pytest.mark.parametrize("parameter", ["MessageGroupId", "MessageDeduplicationId"])
def test_ids(api, fifo, queue, parameter):
    words = f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
    for value in ("", "x" * 129, "a b", "é", "a\tb", "\x7f"):
        members = {"MessageGroupId": "g", "MessageDeduplicationId": "d", parameter: value}
        expected = (400, "InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {words}")
        assert outcome(api.refuses("SendMessage", QueueUrl=fifo, MessageBody="x", **members)) == expected, repr(value)
        if parameter == "MessageGroupId":
            assert outcome(api.refuses("SendMessage", QueueUrl=queue, MessageBody="x", MessageGroupId=value)) == expected, repr(value)
    assert api.counts(fifo) == (0, 0, 0)
    for value in ("x" * 128, string.ascii_letters + string.digits + string.punctuation):
        api.post(fifo, **{"MessageGroupId": value, "MessageDeduplicationId": value})
    values = [message["Attributes"][parameter] for message in api.take(fifo, AttributeNames=[parameter])]
    assert values == ["x" * 128, string.ascii_letters + string.digits + string.punctuation]


@rows("send.list-values")
@pytest.mark.parametrize("values", [{"StringListValues": ["a", "b"]}, {"BinaryListValues": [b"a"]}])
def test_list_values(api, queue, values):
    attribute = {"DataType": "String", "StringValue": "x", **values}
    assert outcome(api.refuses("SendMessage", QueueUrl=queue, MessageBody="x", MessageAttributes={"k": attribute})) == (
        400, "AWS.SimpleQueueService.UnsupportedOperation", "Message attribute list values in SendMessage operation are not supported.")


@rows("send.system-attributes")
def test_other_system_attributes(api, queue):
    assert outcome(api.refuses("SendMessage", QueueUrl=queue, MessageBody="x", MessageSystemAttributes={"SenderId": text("me")})) == (
        400, "InvalidParameterValue", "Message system attribute name 'SenderId' is invalid.")


@rows("send.trace-header", "md5.system")
def test_trace_headers(api, queue):
    def told():
        message = api.take_one(queue, AttributeNames=["AWSTraceHeader"])
        api.delete(queue, message["ReceiptHandle"])
        return message.get("Attributes", {})

    system = {"AWSTraceHeader": text(TRACE)}
    answer = api.post(queue, MessageSystemAttributes=system)
    assert answer["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88" and "MD5OfMessageAttributes" not in answer
    assert told() == {"AWSTraceHeader": TRACE}
    api.call("SendMessage", {"X-Amzn-Trace-Id": TRACE}, QueueUrl=queue, MessageBody="x")
    assert told() == {"AWSTraceHeader": TRACE}
    both = api.post(queue, MessageSystemAttributes=system, MessageAttributes={"k": text("x")})
    assert both["MD5OfMessageAttributes"] == "a45daa70926828a2f0a1db3418e6feb4"
    assert told() == {"AWSTraceHeader": TRACE}
    api.post(queue)
    assert told() == {}


VECTORS = [
    ({"timestamp": text("1493147359900", "Number")}, "235c5c510d26fb653d073faed50ae77c"),
    ({"timestamp": text("1493147359900", "Number.java.lang.Long")}, "2e2e4876d8e0bd6b8c2c8f556831c349"),
    ({"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")}, "4c360f3fdafd970e05fae2f149d997f5"),
    ({"attr1": {"DataType": "Binary", "BinaryValue": b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"}},
     "8cbe4db156db8a94db8b801b7addb984"),
    ({"count": text("3", "Number"), "blob": {"DataType": "Binary", "BinaryValue": b"\x01\x02\x03"}, "color": text("blue")},
     "d838729972a4b70e2d2acd9d59ac847c"),
    ({"k": text("x")}, "a45daa70926828a2f0a1db3418e6feb4"),
]


@rows("md5.attributes")
@pytest.mark.parametrize("attributes,digest", VECTORS, ids=[vector[1][:8] for vector in VECTORS])
def test_md5_of_attributes(api, queue, attributes, digest):
    assert api.post(queue, MessageAttributes=attributes)["MD5OfMessageAttributes"] == digest
    message = api.take_one(queue, MessageAttributeNames=["All"])
    assert (message["MessageAttributes"], message["MD5OfMessageAttributes"]) == (attributes, digest)


@rows("attributes.ten")
def test_ten_attributes(api, queue):
    eleven = {f"k{n}": text("v") for n in range(11)}
    assert refused_attribute(api, queue, eleven) == "Number of message attributes [11] exceeds the allowed maximum [10]."
    eleven.popitem()
    api.post(queue, MessageAttributes=eleven)
    assert api.take_one(queue, MessageAttributeNames=["All"])["MessageAttributes"] == eleven


@rows("attributes.names", "attributes.reserved", "attributes.name-empty", "attributes.name-long")
def test_attribute_names(api, queue):
    reserved = "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use."
    for name in ("AWS.x", "aws.x", "Amazon.x", "aMaZoN.x"):
        assert refused_attribute(api, queue, {name: text("v")}) == reserved
    assert refused_attribute(api, queue, {"": text("v")}) == "The request must contain non-empty message (user) attribute names."
    assert refused_attribute(api, queue, {"x" * 257: text("v")}) == "Message (user) attribute name must be shorter than 256 bytes."
    for name in (".x", "x.", "a..b", "a b", "a!", 'a"', "a§", "a(", "a?", "a/b", "a:b"):
        refused_attribute(api, queue, {name: text("v")})
    for name in ("AZaz09_-.x", "x" * 256, "attr.1øßä", "AWSx", "Amazonx"):
        api.post(queue, MessageAttributes={name: text("v")})
        message = api.take_one(queue, MessageAttributeNames=["All"])
        assert list(message["MessageAttributes"]) == [name]
        api.delete(queue, message["ReceiptHandle"])


@rows("attributes.type", "attributes.type-long")
def test_attribute_types(api, queue):
    for kind in ("Text", "string", "", "Str", "Bool"):
        assert refused_attribute(api, queue, {"k": text("1", kind)}) == (
            "The type of message (user) attribute 'k' is invalid. You must use only the following supported type prefixes: Binary, Number, String.")
    longest = "String." + "x" * 248
    assert refused_attribute(api, queue, {"k": text("v", longest + "x")}) == "Message (user) attribute type must be shorter than 256 bytes."
    api.post(queue, MessageAttributes={"k": text("v", longest)})
    assert api.take_one(queue, MessageAttributeNames=["k"])["MessageAttributes"] == {"k": text("v", longest)}


@rows("attributes.value-empty", "attributes.value-absent", "attributes.value-characters")
def test_attribute_values(api, queue):
    assert refused_attribute(api, queue, {"k": text("")}) == "Message (user) attribute 'k' must contain a non-empty value of type 'String'."
    for attribute in ({"DataType": "String"}, {"DataType": "Number"}, {"DataType": "Binary"}, {"DataType": "Binary", "StringValue": "x"},
                      {"DataType": "String", "BinaryValue": b"x"}):
        message = refused_attribute(api, queue, {"k": attribute})
        if len(attribute) == 1:
            assert message == "The message (user) attribute 'k' must contain a non-empty message attribute value."
    for value in ("a\x00b", "\ufffe", "\x1f"):
        refused_attribute(api, queue, {"k": text(value)})


@rows("attributes.number")
def test_numbers(api, queue):
    for value in ("three", "1x", "0x10", "--1", "1.2.3", " ", "1e", "NaN"):
        assert refused_attribute(api, queue, {"n": text(value, "Number")}) == "Can't cast the value of message (user) attribute 'n' to a number."
    for value in ("0", "-0", "+5", "007", "1.50", "-2.5E-10", "1e126", "9" * 38, ".5"):
        api.post(queue, MessageAttributes={"n": text(value, "Number")})
        message = api.take_one(queue, MessageAttributeNames=["n"])
        assert message["MessageAttributes"]["n"]["StringValue"] == value
        api.delete(queue, message["ReceiptHandle"])


@rows("receive.filters", "md5.filtered")
@pytest.mark.parametrize("names,expected", [
    (None, []), ([], []), (["All"], ["Hello", "Help.Me", "color"]), ([".*"], ["Hello", "Help.Me", "color"]), (["*"], ["Hello", "Help.Me", "color"]),
    (["Hel.*"], ["Hello", "Help.Me"]), (["Help.*"], ["Help.Me"]), (["col.*"], ["color"]), (["color"], ["color"]), (["Color"], []),
    (["color", "nothing"], ["color"]), (["AWS."], []), (["..foo"], []), (["Hello", "Hel.*", "All"], ["Hello", "Help.Me", "color"])])
def test_filters(api, queue, names, expected):
    attributes = {"Hello": text("There"), "Help.Me": text("Me"), "color": text("blue")}
    api.post(queue, MessageAttributes=attributes)
    message = api.take_one(queue, **({} if names is None else {"MessageAttributeNames": names}))
    assert sorted(message.get("MessageAttributes", {})) == expected
    assert ("MD5OfMessageAttributes" in message) == bool(expected)
    if expected:  # the digest is that of a message with these attributes alone
        alone = api.post(queue, MessageAttributes={name: attributes[name] for name in expected})
        assert message["MD5OfMessageAttributes"] == alone["MD5OfMessageAttributes"]


@rows("send.delay", "delay.counted")
def test_delays(api, make):
    queue = make(DelaySeconds=900)
    api.post(queue, "at once", DelaySeconds=0)
    api.post(queue, "in a second", DelaySeconds=1)
    api.post(queue, "the queue's")
    assert api.counts(queue) == (1, 0, 2)
    api.set(queue, DelaySeconds=0)
    first = api.take_one(queue, AttributeNames=["SentTimestamp"])
    second = api.take_one(queue, AttributeNames=["SentTimestamp"], WaitTimeSeconds=10)
    assert (first["Body"], second["Body"]) == ("at once", "in a second")
    assert int(second["Attributes"]["SentTimestamp"]) - int(first["Attributes"]["SentTimestamp"]) < 900
    assert api.counts(queue) == (0, 2, 1)
    api.call("PurgeQueue", QueueUrl=queue)
    assert api.counts(queue) == (0, 0, 0)
