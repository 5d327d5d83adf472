"""The two protocols themselves: errors in both, what a form may look like, JSON answers to forms, the peek path."""

import base64
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

import pytest
import sigv4
from ferry_server import KEYS
from row_catalogue import rows
from two_protocols import XML, Api
from wire import JSON_TYPE, call_form, call_json, request

SQS, CORAL, PREFIX = "com.amazonaws.sqs#", "com.amazon.coral.service#", "AWS.SimpleQueueService."
HANDLE_OF_NO_QUEUE = base64.b64encode(b'{"taskId":"6a5c2ff7-53e1-4b7c-9dd2-0e8a2ba9b2b4","sourceArn":"arn:aws:sqs:us-east-1:000000000000:no"}').decode()
ENTRY = {"Id": "a", "MessageBody": "x"}
ERRORS = {  # name: (action, members without QueueUrl, JSON type, Query code, status)
    "no queue": ("GetQueueUrl", {"QueueName": "nothing"}, SQS + "QueueDoesNotExist", PREFIX + "NonExistentQueue", 400),
    "name taken": ("CreateQueue", {"QueueName": "SELF", "Attributes": {"DelaySeconds": "9"}}, SQS + "QueueNameExists", "QueueAlreadyExists", 400),
    "attribute name": ("GetQueueAttributes", {"AttributeNames": ["x"]}, SQS + "InvalidAttributeName", "InvalidAttributeName", 400),
    "attribute value": ("SetQueueAttributes", {"Attributes": {"DelaySeconds": "x"}}, SQS + "InvalidAttributeValue", "InvalidAttributeValue", 400),
    "contents": ("SendMessage", {"MessageBody": "\x01"}, SQS + "InvalidMessageContents", "InvalidMessageContents", 400),
    "handle": ("DeleteMessage", {"ReceiptHandle": "x"}, SQS + "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404),
    "empty batch": ("SendMessageBatch", {"Entries": []}, SQS + "EmptyBatchRequest", PREFIX + "EmptyBatchRequest", 400),
    "many entries": ("SendMessageBatch", {"Entries": [ENTRY] * 11}, SQS + "TooManyEntriesInBatchRequest", PREFIX + "TooManyEntriesInBatchRequest", 400),
    "ids": ("SendMessageBatch", {"Entries": [ENTRY] * 2}, SQS + "BatchEntryIdsNotDistinct", PREFIX + "BatchEntryIdsNotDistinct", 400),
    "id": ("SendMessageBatch", {"Entries": [{**ENTRY, "Id": "a b"}]}, SQS + "InvalidBatchEntryId", PREFIX + "InvalidBatchEntryId", 400),
    "batch size": ("SendMessageBatch", {"Entries": [{"Id": id, "MessageBody": "x" * 600_000} for id in "ab"]}, SQS + "BatchRequestTooLong",
                   PREFIX + "BatchRequestTooLong", 400),
    "list values": ("SendMessage", {"MessageBody": "x", "MessageAttributes": {"k": {"DataType": "String", "StringListValues": ["a"]}}},
                    SQS + "UnsupportedOperation", PREFIX + "UnsupportedOperation", 400),
    "resource": ("CancelMessageMoveTask", {"TaskHandle": HANDLE_OF_NO_QUEUE}, SQS + "ResourceNotFoundException", "ResourceNotFoundException", 404),
    "over limit": ("AddPermission", {"Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["SendMessage", "ReceiveMessage", "DeleteMessage",
                   "PurgeQueue", "GetQueueUrl", "GetQueueAttributes", "ChangeMessageVisibility", "*"]}, SQS + "OverLimit", "OverLimit", 403),
    "value": ("ReceiveMessage", {"MaxNumberOfMessages": 11}, CORAL + "InvalidParameterValueException", "InvalidParameterValue", 400),
    "missing": ("SendMessage", {}, CORAL + "MissingRequiredParameterException", "MissingParameter", 400),
    "action": ("Explode", {}, CORAL + "UnknownOperationException", "InvalidAction", 400),
}


@rows("error.shapes", "json.request-id")
@pytest.mark.parametrize("error", ERRORS)
def test_errors(api, queue, protocol, error):
    action, members, shape, code, status = ERRORS[error]
    if "QueueName" in members:
        members = {**members, "QueueName": members["QueueName"].replace("SELF", queue.rsplit("/", 1)[1])}
    elif action != "CancelMessageMoveTask":
        members = {"QueueUrl": queue, **members}
    refused = api.refuses(action, **members)
    assert (refused.status, refused.code, refused.fault) == (status, code, "Sender")
    assert refused.shape == (shape if protocol == "json" else None)
    assert refused.message


@rows("error.action")
def test_the_text_for_an_unknown_action(server_url):
    assert Api("query", server_url).refuses("Explode").message == "The action Explode is not valid for this endpoint."


@rows("error.malformed")
@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"x"', b'{"QueueUrl":}', b"\xff"])
def test_malformed_json(server_url, body):
    answer = call_json(server_url, "SendMessage", body)
    assert (answer.status, answer.json["__type"], answer.headers["x-amzn-query-error"]) == (
        400, CORAL + "SerializationException", "MalformedInput;Sender")


@rows("error.types")
@pytest.mark.parametrize("members", [{"MessageBody": {"a": 1}}, {"MessageBody": ["x"]}, {"MessageBody": "x", "DelaySeconds": "abc"},
                                     {"MessageBody": "x", "DelaySeconds": {}}, {"MessageBody": "x", "MessageAttributes": []}])
def test_values_of_the_wrong_kind(server_url, queue, members):
    answer = call_json(server_url, "SendMessage", {"QueueUrl": queue, **members})
    assert (answer.status, answer.json["__type"]) == (400, CORAL + "SerializationException")


@rows("error.signature")
def test_signatures(signed, locked_url, protocol):
    admin = signed("admin")
    access_key, secret = KEYS["admin"][:2]
    assert admin.call("ListQueues", QueueNamePrefix="no-such") == {}
    for key, expected in ((None, (403, "AccessDenied")), (("AKIANOBODY0000000001", "x"), (403, "InvalidClientTokenId")),
                          ((access_key, secret + "x"), (403, "SignatureDoesNotMatch"))):
        refused = Api(protocol, locked_url, key).refuses("ListQueues")
        assert (refused.status, refused.code, refused.fault) == (*expected, "Sender")
    broken = Api(protocol, locked_url).refuses("ListQueues", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"})
    assert (broken.status, broken.code) == (400, "IncompleteSignature")


@rows("json.empty", "json.path", "json.null", "json.coerced", "json.request-id")
def test_json(server_url, queue):
    answer = call_json(server_url, "PurgeQueue", {"QueueUrl": queue})
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"", JSON_TYPE)
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", answer.headers["x-amzn-RequestId"])
    path = urllib.parse.urlsplit(queue).path
    assert call_json(server_url, "SendMessage", {"QueueUrl": queue, "MessageBody": "by path"}, target=path).status == 200
    members = {"QueueUrl": queue, "MessageBody": "nulls", "DelaySeconds": None, "MessageAttributes": None, "Colour": {"deep": [1]}}
    assert call_json(server_url, "SendMessage", members).status == 200
    for body, text in ((0, "0"), (True, "true"), (-7, "-7")):
        assert call_json(server_url, "SendMessage", {"QueueUrl": queue, "MessageBody": body}).status == 200, text
    assert Api("json", server_url).bodies(queue) == ["by path", "nulls", "0", "true", "-7"]


def get(url, target, **fields):
    headers = fields.pop("headers", {})
    return request(url, "GET", target + "?" + urllib.parse.urlencode(fields), headers)


@rows("query.get", "query.version", "query.parameter-wins")
def test_get(server_url, queue, make):
    path, other = urllib.parse.urlsplit(queue).path, make()
    assert get(server_url, path, Action="SendMessage", MessageBody="path").status == 200
    assert get(server_url, "/", Action="SendMessage", MessageBody="root", QueueUrl=queue).status == 200
    assert get(server_url, path, Action="SendMessage", MessageBody="other", QueueUrl=other).status == 200
    api = Api("query", server_url)
    assert api.bodies(queue) == ["path", "root"] and api.bodies(other) == ["other"]


@rows("query.not-on-a-queue")
def test_what_a_queue_s_path_does_not_do(server_url, queue):
    path, name = urllib.parse.urlsplit(queue).path, queue.rsplit("/", 1)[1]
    for action in ("CreateQueue", "ListQueues", "Explode"):
        answer = get(server_url, path, Action=action, QueueName="x")
        error = ElementTree.fromstring(answer.text).find(XML + "Error")
        assert (answer.status, error.findtext(XML + "Code")) == (400, "InvalidAction")
        assert error.findtext(XML + "Message") == f"The action {action} is not valid for this endpoint."
    assert f"<QueueUrl>{queue}</QueueUrl>" in get(server_url, path + "x", Action="GetQueueUrl", QueueName=name).text
    assert get(server_url, path, Action="DeleteQueue").status == 200
    assert get(server_url, path, Action="PurgeQueue").status == 400


@rows("query.no-action")
def test_no_action(server_url, queue):
    for headers in ({}, {"Accept": "application/json"}):
        answer = request(server_url, "GET", urllib.parse.urlsplit(queue).path, headers)
        assert (answer.status, answer.text.strip().endswith("<UnknownOperationException/>")) == (404, True), answer


@rows("query.names", "query.gaps")
def test_names_of_lists_and_maps(server_url, name):
    api = Api("query", server_url)
    fields = {"Action": "CreateQueue", "QueueName": name, "Attributes.1.Name": "DelaySeconds", "Attributes.1.Value": "7",
              "Tags.1.Key": "team", "Tags.1.Value": "blue"}
    answer = call_form(server_url, fields)
    assert answer.status == 200, answer
    assert api.attributes(name, "DelaySeconds") == {"DelaySeconds": "7"}
    assert api.call("ListQueueTags", QueueUrl=name)["Tags"] == {"team": "blue"}
    fields = {"Action": "SendMessage", "QueueUrl": name, "MessageBody": "x", "DelaySeconds": "0", "MessageAttributes.1.Name": "k",
              "MessageAttributes.1.Value.DataType": "String", "MessageAttributes.1.Value.StringValue": "v"}
    assert "<MD5OfMessageAttributes>" in call_form(server_url, fields).text
    fields = {"Action": "ReceiveMessage", "QueueUrl": name, "AttributeNames.1": "ApproximateReceiveCount", "MessageAttributeNames.1": "All"}
    text = call_form(server_url, fields).text
    assert "<Name>ApproximateReceiveCount</Name>" in text and "<StringValue>v</StringValue>" in text
    assert call_form(server_url, {"Action": "UntagQueue", "QueueUrl": name, "TagKeys.1": "team"}).status == 200
    assert api.call("ListQueueTags", QueueUrl=name) == {}
    fields = {"Action": "SendMessageBatch", "QueueUrl": name, "SendMessageBatchRequestEntry.9.Id": "second", "SendMessageBatchRequestEntry.9.MessageBody": "b",
              "SendMessageBatchRequestEntry.4.MessageBody": "a", "SendMessageBatchRequestEntry.4.Id": "first"}
    assert re.findall("<Id>(.*?)</Id>", call_form(server_url, fields).text) == ["first", "second"]


@rows("query.single", "query.system-names")
def test_lists_of_one_without_a_number(server_url, queue):
    api = Api("query", server_url)
    for fields in ({"Action": "SetQueueAttributes", "Attribute.Name": "DelaySeconds", "Attribute.Value": "5"},
                   {"Action": "TagQueue", "Tag.Key": "team", "Tag.Value": "blue"}):
        assert call_form(server_url, {"QueueUrl": queue, **fields}).status == 200
    text = call_form(server_url, {"Action": "GetQueueAttributes", "QueueUrl": queue, "AttributeName": "DelaySeconds"}).text
    assert "<Value>5</Value>" in text and api.call("ListQueueTags", QueueUrl=queue)["Tags"] == {"team": "blue"}
    api.post(queue, DelaySeconds=0)
    fields = {"Action": "ReceiveMessage", "QueueUrl": queue, "MessageSystemAttributeName.1": "ApproximateReceiveCount", "AttributeName.1": "SenderId"}
    text = call_form(server_url, fields).text
    assert "<Name>ApproximateReceiveCount</Name><Value>1</Value>" in text and "<Name>SenderId</Name>" in text


@rows("query.text")
def test_text_in_xml(server_url, queue):
    api = Api("query", server_url)
    body = '"&quot;&quot;\r<&>\'\n\té😀]]>'
    api.post(queue, body)
    answer = call_form(server_url, {"Action": "ReceiveMessage", "QueueUrl": queue, "VisibilityTimeout": "0"})
    assert "&quot;&amp;quot;&amp;quot;&#xD;&lt;&amp;&gt;" in answer.text
    assert api.bodies(queue) == [body]


@rows("query.presigned")
def test_presigned(signed, locked_url, name):
    admin = signed("admin")
    queue = admin.create(name)
    path, host = urllib.parse.urlsplit(queue).path, urllib.parse.urlsplit(locked_url).netloc
    for action, fields in (("SendMessage", {"MessageBody": "presigned & signed"}), ("GetQueueAttributes", {"AttributeName.1": "All"})):
        target = sigv4.presign("GET", host, path, {"Action": action, **fields}, *KEYS["admin"][:2])
        assert request(locked_url, "GET", target).status == 200
        assert request(locked_url, "GET", target + "&Colour=blue").status == 403
    assert admin.bodies(queue) == ["presigned & signed"]


@rows("query.as-json")
def test_json_answers_to_forms(server_url, queue):
    name = queue.rsplit("/", 1)[1]

    def ask(**fields):
        answer = get(server_url, "/", headers={"Accept": "application/json"}, **fields)
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("application/json"), answer
        (top, value), = answer.json.items()
        assert top == fields["Action"] + "Response"
        assert value["ResponseMetadata"]["RequestId"] == answer.headers["x-amzn-RequestId"]
        return value.get(fields["Action"] + "Result")

    assert ask(Action="ListQueues", QueueNamePrefix=name) == {"NextToken": None, "queueUrls": [queue]}
    assert ask(Action="GetQueueUrl", QueueName=name)["QueueUrl"] == queue
    sent = ask(Action="SendMessage", QueueUrl=queue, MessageBody='x"<')
    message, = ask(**{"Action": "ReceiveMessage", "QueueUrl": queue, "AttributeName.1": "All"})["messages"]
    assert (message["Body"], message["MessageId"], message["MD5OfBody"]) == ('x"<', sent["MessageId"], sent["MD5OfMessageBody"])
    listed = ask(**{"Action": "GetQueueAttributes", "QueueUrl": queue, "AttributeName.1": "DelaySeconds"})["Attributes"]
    assert listed == [{"Name": "DelaySeconds", "Value": "0"}]
    ask(Action="DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert Api("json", server_url).counts(queue) == (0, 0, 0)


@rows("query.as-json-error")
def test_json_errors_to_forms(server_url):
    answer = get(server_url, "/", headers={"Accept": "application/json"}, Action="GetQueueUrl", QueueName="nothing")
    assert answer.status == 400 and set(answer.json) == {"Error", "RequestId"}
    assert answer.json["Error"]["Code"] == PREFIX + "NonExistentQueue"
    assert answer.json["Error"]["Message"] == "The specified queue does not exist for this wsdl version."
    assert answer.json["Error"]["Type"] == "Sender"


def peek(url, queue, path=False, as_json=False, **fields):
    """The messages of the peek path."""
    headers = {"Accept": "application/json"} if as_json else {}
    target = "/_aws/sqs/messages"
    if path:
        target += "/us-east-1/" + "/".join(queue.split("/")[-2:])
    else:
        fields["QueueUrl"] = queue
    answer = request(url, "GET", target + "?" + urllib.parse.urlencode(fields), headers)
    assert answer.status == 200, answer
    if as_json:
        found = answer.json["ReceiveMessageResponse"]["ReceiveMessageResult"]
        return [message["Body"] for message in as_list((found or {}).get("Message"))]
    root = ElementTree.fromstring(answer.text)
    assert root.tag == XML + "ReceiveMessageResponse"
    return [node.text for node in root.iter(XML + "Body")]


def as_list(value):
    return [] if value is None else value if isinstance(value, list) else [value]


@rows("peek.path", "peek.unchanged")
def test_peek(api, queue):
    for body in ("m1", "m2"):
        api.post(queue, body, MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}})
    for path in (False, True):
        for as_json in (False, True):
            assert peek(api.url, queue, path, as_json) == ["m1", "m2"], (path, as_json)
    posted = call_form(api.url, {"QueueUrl": queue}, "/_aws/sqs/messages")
    assert posted.status == 200 and "<Body>m1</Body>" in posted.text and "<StringValue>v</StringValue>" in posted.text
    assert "<Name>ApproximateReceiveCount</Name><Value>0</Value>" in re.sub(r">\s+<", "><", posted.text)
    assert api.counts(queue) == (2, 0, 0)
    message = api.take(queue, AttributeNames=["ApproximateReceiveCount"])[0]
    assert message["Attributes"] == {"ApproximateReceiveCount": "1"}


@rows("peek.hidden")
def test_peek_at_what_is_hidden(api, queue):
    api.post(queue, "in flight")
    api.take_one(queue)
    api.post(queue, "delayed", DelaySeconds=900)
    api.post(queue, "visible")
    assert peek(api.url, queue) == ["visible"]
    assert sorted(peek(api.url, queue, ShowInvisible="true")) == ["in flight", "visible"]
    assert sorted(peek(api.url, queue, ShowDelayed="true")) == ["delayed", "visible"]
    assert sorted(peek(api.url, queue, ShowDelayed="true", ShowInvisible="true")) == ["delayed", "in flight", "visible"]
    assert api.counts(queue) == (1, 1, 1)


@rows("peek.unchanged")
def test_peek_at_a_fifo_queue(api, fifo):
    for body in ("a", "b", "c"):
        api.post(fifo, body, MessageGroupId="g")
    assert peek(api.url, fifo) == ["a", "b", "c"]
    assert api.bodies(fifo) == ["a", "b", "c"]


@rows("peek.missing")
def test_peek_at_nothing(server_url):
    answer = request(server_url, "GET", "/_aws/sqs/messages/us-east-1/000000000000/nothing")
    assert answer.status == 400 and "QueueDoesNotExist" in answer.text or "NonExistentQueue" in answer.text, answer


@rows("peek.locked")
def test_peek_with_keys(signed, locked_url, name):
    admin = signed("admin")
    admin.post(admin.create(name), "locked")
    host, path = urllib.parse.urlsplit(locked_url).netloc, f"/_aws/sqs/messages/us-east-1/000000000000/{name}"
    assert request(locked_url, "GET", path).status == 403
    assert "<Body>locked</Body>" in request(locked_url, "GET", sigv4.presign("GET", host, path, {}, *KEYS["admin"][:2])).text
    assert request(locked_url, "GET", sigv4.presign("GET", host, path, {}, *KEYS["sender"][:2])).status == 403
    assert request(locked_url, "GET", sigv4.presign("GET", host, path, {}, *KEYS["other"][:2])).status >= 400


def test_json_fields_are_escaped(server_url, queue):
    """What is echoed in an error comes back as it was, in both protocols."""
    odd = 'a"<&>\\é'
    for protocol in ("json", "query"):
        refused = Api(protocol, server_url).refuses("GetQueueAttributes", QueueUrl=queue, AttributeNames=[odd])
        assert refused.message == f"Unknown Attribute {odd}."
