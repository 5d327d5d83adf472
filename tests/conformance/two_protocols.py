"""One client, two protocols: the same members go out as AWS JSON 1.0 or as a Query form, and the answer comes back in one form.

Strict about what it reads: an element, a header or a Content-Type that has no place in the answer is an AssertionError.
"""

import base64
import json
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

import sigv4
from wire import FORM_TYPE, JSON_TYPE, request

XML = "{http://queue.amazonaws.com/doc/2012-11-05/}"
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
NO_OUTPUT = {"AddPermission", "ChangeMessageVisibility", "DeleteMessage", "DeleteQueue", "PurgeQueue", "RemovePermission", "SetQueueAttributes",
             "TagQueue", "UntagQueue"}
LISTS = {"AttributeNames": "AttributeName", "MessageSystemAttributeNames": "AttributeName", "MessageAttributeNames": "MessageAttributeName",
         "TagKeys": "TagKey", "AWSAccountIds": "AWSAccountId", "Actions": "ActionName"}
MAPS = {"Attributes": ("Attribute", "Name", "Value"), "tags": ("Tag", "Key", "Value"), "Tags": ("Tag", "Key", "Value")}
MESSAGE_ATTRIBUTES = {"MessageAttributes": "MessageAttribute", "MessageSystemAttributes": "MessageSystemAttribute"}
VALUE_LISTS = {"StringListValues": "StringListValue", "BinaryListValues": "BinaryListValue"}


class Refused(Exception):
    """An error of the server. `code` is the Query code, whatever the protocol; `shape` the JSON type, None in Query."""

    def __init__(self, status, code, message, fault, shape, answer):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.fault, self.shape, self.answer = status, code, message, fault, shape, answer


def _wire_value(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _wire_value(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_wire_value(part) for part in value]
    return value


def form_of(action, members):
    """The fields of a Query request, without Action."""
    fields = {}

    def scalar(value):
        return {True: "true", False: "false"}.get(value, str(_wire_value(value))) if isinstance(value, bool) else str(_wire_value(value))

    def add_list(name, values):
        first = 1
        while f"{name}.{first}" in fields:
            first += 1
        fields.update({f"{name}.{first + n}": scalar(value) for n, value in enumerate(values)})

    def add(prefix, members):
        for name, value in members.items():
            if value is None:
                continue
            if name == "Entries":
                for n, entry in enumerate(value, 1):
                    add(f"{action}RequestEntry.{n}.", entry)
            elif name in LISTS:
                add_list(prefix + LISTS[name], value)
            elif name in MAPS:
                location, key, held = MAPS[name]
                for n, (one, other) in enumerate(value.items(), 1):
                    fields[f"{prefix}{location}.{n}.{key}"], fields[f"{prefix}{location}.{n}.{held}"] = one, scalar(other)
            elif name in MESSAGE_ATTRIBUTES:
                for n, (key, attribute) in enumerate(value.items(), 1):
                    base = f"{prefix}{MESSAGE_ATTRIBUTES[name]}.{n}"
                    fields[f"{base}.Name"] = key
                    for part, held in attribute.items():
                        if part in VALUE_LISTS:
                            add_list(f"{base}.Value.{VALUE_LISTS[part]}", held)
                        else:
                            fields[f"{base}.Value.{part}"] = scalar(held)
            else:
                fields[prefix + name] = scalar(value)

    add("", members)
    return fields


def _pairs(nodes, key):
    return {node.findtext(XML + key): node.findtext(XML + "Value") for node in nodes}


def _attribute_values(nodes):
    found = {}
    for node in nodes:
        value = {part.tag.removeprefix(XML): part.text or "" for part in node.find(XML + "Value")}
        if "BinaryValue" in value:
            value["BinaryValue"] = base64.b64decode(value["BinaryValue"])
        found[node.findtext(XML + "Name")] = value
    return found


NUMBERS = {"ApproximateNumberOfMessagesMoved", "ApproximateNumberOfMessagesToMove", "MaxNumberOfMessagesPerSecond", "StartedTimestamp"}
# element inside a Result -> (member of the JSON answer, how it is read)
REPEATED = {"QueueUrl": {"ListQueues": "QueueUrls", "ListDeadLetterSourceQueues": "queueUrls"}, "Message": {"ReceiveMessage": "Messages"},
            "ListMessageMoveTasksResultEntry": {"ListMessageMoveTasks": "Results"}, "BatchResultErrorEntry": {"*": "Failed"},
            "SendMessageBatchResultEntry": {"*": "Successful"}, "DeleteMessageBatchResultEntry": {"*": "Successful"},
            "ChangeMessageVisibilityBatchResultEntry": {"*": "Successful"}}


def _structure(action, node):
    out = {}
    for child in node:
        name = child.tag.removeprefix(XML)
        many = REPEATED.get(name, {})
        member = many.get(action) or many.get("*")
        if member:
            out.setdefault(member, []).append(_structure(action, child) if len(child) else child.text or "")
        elif name == "Attribute":
            out.setdefault("Attributes", {}).update(_pairs([child], "Name"))
        elif name == "MessageAttribute":
            out.setdefault("MessageAttributes", {}).update(_attribute_values([child]))
        elif name == "Tag":
            out.setdefault("Tags", {}).update(_pairs([child], "Key"))
        else:
            assert not len(child), f"<{name}> has no place in the answer of {action}"
            assert name not in out, f"<{name}> twice"
            out[name] = int(child.text) if name in NUMBERS else child.text == "true" if name == "SenderFault" else child.text or ""
    return out


def _plain(value):
    """A JSON answer with its blobs decoded."""
    for message in value.get("Messages", []) if isinstance(value, dict) else []:
        for attribute in message.get("MessageAttributes", {}).values():
            if "BinaryValue" in attribute:
                attribute["BinaryValue"] = base64.b64decode(attribute["BinaryValue"])
    return value


class Api:
    """`key`: (access key, secret) to sign with; None: unsigned."""

    def __init__(self, protocol, url, key=None, region="us-east-1"):
        self.protocol, self.url, self.key, self.region = protocol, url.rstrip("/"), key, region

    def other(self, protocol):
        return Api(protocol, self.url, self.key, self.region)

    def send(self, action, members, headers=None, target="/"):
        """The raw answer."""
        headers = {name.lower(): value for name, value in (headers or {}).items()}
        if self.protocol == "json":
            body = json.dumps(_wire_value(members)).encode()
            headers = {"content-type": JSON_TYPE, "x-amz-target": f"AmazonSQS.{action}", **headers}
        else:
            body = urllib.parse.urlencode({"Action": action, "Version": "2012-11-05", **form_of(action, members)}).encode()
            headers = {"content-type": FORM_TYPE, **headers}
        if self.key:
            host = urllib.parse.urlsplit(self.url).netloc
            headers = sigv4.sign("POST", target, {"host": host, **headers}, body, *self.key, region=self.region)
            headers.pop("host")
        return request(self.url, "POST", target, headers, body)

    def call(self, action, _headers=None, **members):
        """The answer's members; Refused."""
        answer = self.send(action, members, _headers)
        return self._read_json(action, answer) if self.protocol == "json" else self._read_query(action, answer)

    def _read_json(self, action, answer):
        assert answer.headers["Content-Type"] == JSON_TYPE, answer
        assert UUID.fullmatch(answer.headers["x-amzn-RequestId"]), answer
        if answer.status != 200:
            code, _, fault = answer.headers["x-amzn-query-error"].partition(";")
            value = answer.json
            assert set(value) <= {"__type", "message"}, answer
            raise Refused(answer.status, code, value.get("message"), fault, value["__type"], answer)
        assert "x-amzn-query-error" not in answer.headers
        if action in NO_OUTPUT:
            assert answer.body == b"", answer
            return {}
        return _plain(answer.json)

    def _read_query(self, action, answer):
        assert answer.headers["Content-Type"].startswith("text/xml"), answer
        root = ElementTree.fromstring(answer.text)
        if answer.status != 200:
            assert root.tag == XML + "ErrorResponse", answer
            error = root.find(XML + "Error")
            assert error.find(XML + "Detail") is not None, answer
            assert root.findtext(XML + "RequestId") == answer.headers["x-amzn-RequestId"]
            message = error.findtext(XML + "Message")
            raise Refused(answer.status, error.findtext(XML + "Code"), message, error.findtext(XML + "Type"), None, answer)
        assert root.tag == f"{XML}{action}Response", answer
        request_id = root.findtext(f"{XML}ResponseMetadata/{XML}RequestId")
        assert UUID.fullmatch(request_id) and request_id == answer.headers["x-amzn-RequestId"], answer
        result = root.find(f"{XML}{action}Result")
        assert (result is None) == (action in NO_OUTPUT), answer
        assert len(root) == (1 if result is None else 2), answer
        return {} if result is None else _structure(action, result)

    # Short forms of what most cases do.

    def create(self, name, tags=None, **attributes):
        members = {"QueueName": name}
        if attributes:
            members["Attributes"] = {key: str(value) for key, value in attributes.items()}
        if tags is not None:
            members["tags"] = tags
        return self.call("CreateQueue", **members)["QueueUrl"]

    def attributes(self, queue, *names):
        return self.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=list(names) or ["All"]).get("Attributes", {})

    def set(self, queue, **attributes):
        self.call("SetQueueAttributes", QueueUrl=queue, Attributes={key: str(value) for key, value in attributes.items()})

    def arn(self, queue):
        return self.attributes(queue, "QueueArn")["QueueArn"]

    def counts(self, queue):
        """(visible, in flight, delayed)"""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        found = self.attributes(queue, *names)
        return tuple(int(found[name]) for name in names)

    def post(self, queue, body="x", **members):
        """SendMessage."""
        return self.call("SendMessage", QueueUrl=queue, MessageBody=body, **members)

    def take(self, queue, most=10, **members):
        """ReceiveMessage: the messages."""
        return self.call("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=most, **members).get("Messages", [])

    def take_one(self, queue, **members):
        found = self.take(queue, 1, **{"WaitTimeSeconds": 5, **members})
        assert len(found) == 1, found
        return found[0]

    def bodies(self, queue, most=10, **members):
        return [message["Body"] for message in self.take(queue, most, **members)]

    def delete(self, queue, handle):
        self.call("DeleteMessage", QueueUrl=queue, ReceiptHandle=handle)

    def hide(self, queue, handle, seconds):
        """ChangeMessageVisibility."""
        self.call("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=seconds)

    def refuses(self, action, _headers=None, **members):
        """The error of a call that must fail."""
        try:
            answer = self.call(action, _headers, **members)
        except Refused as refused:
            return refused
        raise AssertionError(f"{action} was not refused: {answer}")
