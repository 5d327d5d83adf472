"""Requests that no SDK would send, to an unauthenticated server on loopback: what is refused, and exactly how."""

import json
import re
import urllib.parse
import uuid
import xml.etree.ElementTree as ElementTree

import pytest
from ferry_server import FerryServer
from wire import JSON_TYPE, call_form, call_json, exchange, request

NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"
MIB = 1024 * 1024
BODY_MAX = 8 * MIB


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("raw")) as running:
        yield running
        assert running.stop() == 0, running.words()


@pytest.fixture(scope="module")
def url(server):
    return server.url


@pytest.fixture
def queue(url):
    return call_json(url, "CreateQueue", {"QueueName": f"raw-{uuid.uuid4().hex[:8]}"}).json["QueueUrl"]


def path_of(queue):
    return urllib.parse.urlsplit(queue).path


def count(url, queue):
    names = ["ApproximateNumberOfMessages"]
    return int(call_json(url, "GetQueueAttributes", {"QueueUrl": queue, "AttributeNames": names}).json["Attributes"][names[0]])


class TestJson:
    def test_a_good_answer(self, url, queue):
        answer = call_json(url, "SendMessage", {"QueueUrl": queue, "MessageBody": "message"})
        assert answer.status == 200
        assert answer.headers["Content-Type"] == JSON_TYPE
        assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", answer.headers["x-amzn-RequestId"])
        assert answer.json["MD5OfMessageBody"] == "78e731027d8fd50ed642340b7c9a63b3"
        assert "Date" in answer.headers

    def test_an_answer_without_output_is_empty(self, url, queue):
        answer = call_json(url, "PurgeQueue", {"QueueUrl": queue})
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["Content-Type"] == JSON_TYPE
        assert call_json(url, "ReceiveMessage", {"QueueUrl": queue}).json == {}

    @pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b'"x"', b"{]", b'{"QueueUrl":}', b'{"QueueUrl":"x"} y', b"\xff\xfe", b'{"QueueUrl":"\xff"}',
                                      b"{'QueueUrl':'x'}", b"[" * 100_000, b'{"a":' * 100_000],
                             ids=lambda body: repr(body[:12]))
    def test_malformed(self, url, body):
        answer = call_json(url, "GetQueueUrl" if body == b"" else "SendMessage", body)
        assert answer.status == 400, answer
        if body != b"":
            assert answer.json["__type"] in ("com.amazon.coral.service#SerializationException", "com.amazonaws.sqs#InvalidMessageContents"), answer

    @pytest.mark.parametrize("text", [b"\\ud800", b"\\udc00\\ud800", b"\\u0000", b"\\ufffe"])
    def test_escapes_that_are_no_characters(self, url, queue, text):
        answer = call_json(url, "SendMessage", b'{"QueueUrl":"%s","MessageBody":"a%sb"}' % (queue.encode(), text))
        assert (answer.status, answer.query_code) in ((400, "InvalidMessageContents"), (400, "MalformedInput")), answer
        assert count(url, queue) == 0

    @pytest.mark.parametrize("members", [{"QueueUrl": {}, "MessageBody": "x"}, {"QueueUrl": [], "MessageBody": "x"},
                                         {"MessageBody": {"a": 1}}, {"MessageBody": "x", "DelaySeconds": "abc"}, {"MessageBody": "x", "DelaySeconds": {}},
                                         {"MessageBody": "x", "MessageAttributes": []}, {"MessageBody": "x", "MessageAttributes": "x"}],
                             ids=lambda members: json.dumps(members)[:40])
    def test_wrong_types(self, url, queue, members):
        answer = call_json(url, "SendMessage", {"QueueUrl": queue, **members})
        assert (answer.status, answer.json["__type"], answer.query_code) == (
            400, "com.amazon.coral.service#SerializationException", "MalformedInput"), answer
        assert count(url, queue) == 0

    def test_null_is_absent_and_unknown_members_are_ignored(self, url, queue):
        members = {"QueueUrl": queue, "MessageBody": "x", "DelaySeconds": None, "MessageAttributes": None, "Colour": {"deep": [1, 2]}}
        assert call_json(url, "SendMessage", members).status == 200

    @pytest.mark.parametrize("action", ["Explode", "sendMessage", "", "SendMessageX"])
    def test_unknown_actions(self, url, action):
        answer = call_json(url, action, {})
        assert (answer.status, answer.json["__type"], answer.query_code) == (
            400, "com.amazon.coral.service#UnknownOperationException", "InvalidAction"), answer

    def test_errors_say_whose_fault_it_is(self, url):
        answer = call_json(url, "GetQueueUrl", {"QueueName": "nothing"})
        assert answer.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
        assert answer.json == {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The specified queue does not exist."}

    @pytest.mark.parametrize("given", ["", None, "http://x/", "http://127.0.0.1/000000000001/raw", "///", "no-such-queue"])
    def test_queue_urls_that_lead_nowhere(self, url, given):
        answer = call_json(url, "SendMessage", {"MessageBody": "x"} if given is None else {"QueueUrl": given, "MessageBody": "x"})
        assert (answer.status, answer.query_code) == (400, "AWS.SimpleQueueService.NonExistentQueue"), answer

    def test_any_host_in_a_queue_url_and_the_bare_name(self, url, queue):
        for given in (queue, "https://sqs.us-east-1.amazonaws.com" + path_of(queue), "http://other:1" + path_of(queue), queue.rsplit("/", 1)[1]):
            assert call_json(url, "SendMessage", {"QueueUrl": given, "MessageBody": "x"}).status == 200, given
        assert count(url, queue) == 4

    def test_json_posted_to_the_queue_s_path(self, url, queue):
        assert call_json(url, "SendMessage", {"QueueUrl": queue, "MessageBody": "x"}, target=path_of(queue)).status == 200

    def test_the_queue_url_follows_the_host(self, url, queue):
        name = queue.rsplit("/", 1)[1]
        answer = call_json(url, "GetQueueUrl", {"QueueName": name}, host=f"localhost:{url.rsplit(':', 1)[1]}")
        assert answer.json["QueueUrl"] == f"http://localhost:{url.rsplit(':', 1)[1]}/000000000000/{name}"


class TestQuery:
    def test_post_to_the_root_and_to_the_path(self, url, queue):
        assert call_form(url, {"Action": "SendMessage", "QueueUrl": queue, "MessageBody": "1", "Version": "2012-11-05"}).status == 200
        answer = call_form(url, {"Action": "SendMessage", "MessageBody": "message"}, target=path_of(queue))
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/xml")
        root = ElementTree.fromstring(answer.text)
        assert root.tag == NAMESPACE + "SendMessageResponse"
        assert root.findtext(f"{NAMESPACE}SendMessageResult/{NAMESPACE}MD5OfMessageBody") == "78e731027d8fd50ed642340b7c9a63b3"
        assert root.findtext(f"{NAMESPACE}ResponseMetadata/{NAMESPACE}RequestId") == answer.headers["x-amzn-RequestId"]
        assert count(url, queue) == 2

    def test_get(self, url, queue):
        assert request(url, "GET", path_of(queue) + "?Action=SendMessage&MessageBody=a%20b%2Bc").status == 200
        answer = request(url, "GET", "/?Action=ReceiveMessage&QueueUrl=" + urllib.parse.quote(queue, safe=""))
        assert ElementTree.fromstring(answer.text).findtext(f".//{NAMESPACE}Body") == "a b+c"

    def test_the_parameter_wins_over_the_path(self, url, queue):
        other = call_json(url, "CreateQueue", {"QueueName": f"raw-{uuid.uuid4().hex[:8]}"}).json["QueueUrl"]
        assert call_form(url, {"Action": "SendMessage", "QueueUrl": other, "MessageBody": "x"}, target=path_of(queue)).status == 200
        assert (count(url, queue), count(url, other)) == (0, 1)

    def test_an_empty_receive_has_its_result_element(self, url, queue):
        root = ElementTree.fromstring(call_form(url, {"Action": "ReceiveMessage", "QueueUrl": queue}).text)
        assert root.find(f"{NAMESPACE}ReceiveMessageResult") is not None

    def test_text_survives_xml(self, url, queue):
        body = "<&>\"'&quot;\r\n\té😀]]>"
        call_form(url, {"Action": "SendMessage", "QueueUrl": queue, "MessageBody": body})
        answer = call_form(url, {"Action": "ReceiveMessage", "QueueUrl": queue})
        assert ElementTree.fromstring(answer.text).findtext(f".//{NAMESPACE}Body") == body
        assert "&#xD;" in answer.text

    def error(self, answer):
        root = ElementTree.fromstring(answer.text)
        assert root.tag == NAMESPACE + "ErrorResponse"
        assert root.findtext(f"{NAMESPACE}Error/{NAMESPACE}Type") == "Sender"
        return answer.status, root.findtext(f"{NAMESPACE}Error/{NAMESPACE}Code"), root.findtext(f"{NAMESPACE}Error/{NAMESPACE}Message")

    def test_errors(self, url, queue):
        assert self.error(call_form(url, {"Action": "GetQueueUrl", "QueueName": "nothing"})) == (
            400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version.")
        assert self.error(call_form(url, {"Action": "SendMessage", "QueueUrl": queue}))[:2] == (400, "MissingParameter")
        assert self.error(call_form(url, {"Action": "Explode"}))[:2] == (400, "InvalidAction")
        for action in ("CreateQueue", "ListQueues"):
            assert self.error(call_form(url, {"Action": action, "QueueName": "x"}, target=path_of(queue)))[:2] == (400, "InvalidAction")

    @pytest.mark.parametrize("fields", [b"Action=SendMessage&MessageBody=%", b"Action=SendMessage&MessageBody=%zz", b"Action=SendMessage&MessageBody=%ff",
                                        b"Action=SendMessage&MessageBody=x&DelaySeconds=abc", b"Action=SendMessage&MessageBody=x&DelaySeconds=1x",
                                        b"Action=SendMessage&MessageBody=x&MessageAttribute.0.Name=a",
                                        b"Action=SendMessage&MessageBody=x&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=Binary"
                                        b"&MessageAttribute.1.Value.BinaryValue=!!!!"], ids=lambda fields: fields[25:60].decode())
    def test_malformed_forms(self, url, queue, fields):
        answer = call_form(url, fields, target=path_of(queue))
        assert answer.status == 400, answer
        self.error(answer)
        assert count(url, queue) == 0

    def test_no_action_at_all(self, url, queue):
        for target in ("/", path_of(queue)):
            answer = request(url, "GET", target)
            assert answer.status in (400, 404), answer
        assert request(url, "GET", path_of(queue)).status == 404

    def test_lists_with_gaps_in_any_order(self, url, queue):
        fields = {"Action": "SendMessageBatch", "QueueUrl": queue, "SendMessageBatchRequestEntry.7.MessageBody": "b",
                  "SendMessageBatchRequestEntry.7.Id": "second", "SendMessageBatchRequestEntry.2.Id": "first",
                  "SendMessageBatchRequestEntry.2.MessageBody": "a"}
        ids = [node.text for node in ElementTree.fromstring(call_form(url, fields).text).iter(f"{NAMESPACE}Id")]
        assert ids == ["first", "second"]

    def test_member_names_in_place_of_location_names(self, url):
        name = f"raw-{uuid.uuid4().hex[:8]}"
        answer = call_form(url, {"Action": "CreateQueue", "QueueName": name, "Attributes.1.Name": "DelaySeconds", "Attributes.1.Value": "7"})
        assert answer.status == 200, answer
        read = call_form(url, {"Action": "GetQueueAttributes", "QueueUrl": name, "AttributeNames.1": "DelaySeconds"})
        assert ElementTree.fromstring(read.text).findtext(f".//{NAMESPACE}Value") == "7"


class TestBrowsers:
    """A page on another site can make a browser post to a loopback address. It must not be able to do anything here."""

    def refused(self, answer, url, queue):
        assert answer.status in (400, 403), answer
        assert count(url, queue) == 0

    def test_a_cross_site_form_post(self, url, queue):
        fields = {"Action": "SendMessage", "QueueUrl": queue, "MessageBody": "x"}
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}):
            self.refused(call_form(url, fields, headers=headers), url, queue)
            self.refused(call_json(url, "SendMessage", {"QueueUrl": queue, "MessageBody": "x"}, headers=headers), url, queue)
            query = urllib.parse.urlencode(fields)
            self.refused(request(url, "GET", f"/?{query}", headers), url, queue)

    def test_a_foreign_host(self, url, queue):
        """DNS rebinding: the page's own name, made to resolve to loopback."""
        for host in ("evil.example", "evil.example:9324", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1.nip.example:9324"):
            self.refused(call_form(url, {"Action": "SendMessage", "QueueUrl": queue, "MessageBody": "x"}, host=host), url, queue)
            self.refused(call_json(url, "SendMessage", {"QueueUrl": queue, "MessageBody": "x"}, host=host), url, queue)

    def test_what_is_not_a_browser_gets_through(self, url, queue):
        port = url.rsplit(":", 1)[1]
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost"):
            assert call_json(url, "SendMessage", {"QueueUrl": queue, "MessageBody": "x"}, host=host).status == 200, host


class TestHttp:
    def status_of(self, received):
        match = re.match(rb"HTTP/1\.1 (\d{3}) ", received)
        assert match, received[:200]
        return int(match.group(1))

    @pytest.mark.parametrize("data,status", [
        (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", (400, 505)), (b"GET /\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 400), (b"POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", (400, 501)),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n", 400), (b"POST / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400), (b"POST / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 17_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X%d: x\r\n" % n for n in range(101)) + b"\r\n", 431),
    ], ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else "")
    def test_malformed_requests_are_refused_and_the_connection_closed(self, server, data, status):
        received = exchange(server.url, data)
        assert self.status_of(received) in (status if isinstance(status, tuple) else (status,)), received[:300]
        assert call_json(server.url, "ListQueues", {}).status == 200

    def test_a_chunked_body(self, url, queue):
        body = json.dumps({"QueueUrl": queue, "MessageBody": "chunks"}).encode()
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(body[n:n + 7]), body[n:n + 7]) for n in range(0, len(body), 7)) + b"0\r\n\r\n"
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n\r\n"
        assert self.status_of(exchange(url, head + pieces)) == 200
        assert count(url, queue) == 1

    def test_two_requests_in_one_write(self, url, queue):
        body = json.dumps({"QueueUrl": queue, "MessageBody": "x"}).encode()
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: %d\r\n" % len(body)
        received = exchange(url, head + b"\r\n" + body + head + b"Connection: close\r\n\r\n" + body)
        assert received.count(b"HTTP/1.1 200") == 2
        assert count(url, queue) == 2

    def test_expect_continue(self, url, queue):
        body = json.dumps({"QueueUrl": queue, "MessageBody": "x"}).encode()
        head = (b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body))
        received = exchange(url, head + body)
        assert received.startswith(b"HTTP/1.1 100") and b"HTTP/1.1 200" in received or received.startswith(b"HTTP/1.1 200")

    def test_a_body_at_the_limit_and_beyond(self, url, queue):
        frame = json.dumps({"QueueUrl": queue, "MessageBody": "x"}).encode()
        padded = frame + b" " * (BODY_MAX - len(frame))
        assert call_json(url, "SendMessage", padded).status == 200
        assert count(url, queue) == 1
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX + 1)
        assert self.status_of(exchange(url, head)) == 413
        chunked = (b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nTransfer-Encoding: chunked\r\n\r\n"
                   b"%x\r\n" % (BODY_MAX + 1))
        assert self.status_of(exchange(url, chunked + padded[:1000])) == 413
        assert count(url, queue) == 1

    def test_a_message_of_1_mib_that_inflates_in_json(self, url, queue):
        body = "\x7f\"\\" * (MIB // 3)
        assert call_json(url, "SendMessage", {"QueueUrl": queue, "MessageBody": body}).status == 200
        message = call_json(url, "ReceiveMessage", {"QueueUrl": queue}).json["Messages"][0]
        assert message["Body"] == body
        assert call_form(url, {"Action": "SendMessage", "QueueUrl": queue, "MessageBody": body}).status == 200

    def test_health(self, url):
        assert request(url, "GET", "/health/live").status == 200
        assert request(url, "GET", "/health/ready").status == 200

    def test_metrics(self, url):
        text = request(url, "GET", "/metrics").text
        assert re.search(r"^ferry_store_syncs_total \d+", text, re.MULTILINE), text[:2000]
        assert re.search(r"^ferry_store_groups_total \d+", text, re.MULTILINE)
