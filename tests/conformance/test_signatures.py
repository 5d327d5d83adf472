"""A server with keys: what each kind of wrong signature is answered, and that nothing happens for it."""

import json
import urllib.parse
import uuid

import pytest
import sigv4
from ferry_server import KEYS, FerryServer, write_keys
from wire import call_json, request

ACCESS_KEY, SECRET = KEYS["admin"][:2]
MINUTE = 60


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signatures")
    with FerryServer(folder, "--keys", write_keys(folder / "keys.toml")) as server:
        yield server.url
        for name in ("admin-secret", "sender-secret"):
            assert name not in server.log.read_text()


def netloc(url):
    return urllib.parse.urlsplit(url).netloc


def signed_call(url, action, members, *, change=None, sent_body=None, **wrong):
    """`change(headers)` after signing; `sent_body` in place of what was signed."""
    body = json.dumps(members).encode()
    headers = {"host": netloc(url), "content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"}
    access_key, secret = wrong.pop("access_key", ACCESS_KEY), wrong.pop("secret", SECRET)
    headers = sigv4.sign("POST", "/", headers, body, access_key, secret, **wrong)
    if change:
        change(headers)
    host = headers.pop("host")
    return request(url, "POST", "/", headers, sent_body if sent_body is not None else body, host=host)


@pytest.fixture(scope="module")
def queue(url):
    answer = signed_call(url, "CreateQueue", {"QueueName": f"signed-{uuid.uuid4().hex[:6]}"})
    assert answer.status == 200, answer
    return answer.json["QueueUrl"]


def count(url, queue):
    names = ["ApproximateNumberOfMessages"]
    return int(signed_call(url, "GetQueueAttributes", {"QueueUrl": queue, "AttributeNames": names}).json["Attributes"][names[0]])


@pytest.mark.parametrize("at", [0, -14 * MINUTE, 14 * MINUTE])
def test_a_good_signature(url, queue, at):
    assert signed_call(url, "ListQueues", {}, at=at).status == 200


WRONG = {
    "wrong secret": ({"secret": "nonsense"}, 403, "SignatureDoesNotMatch"),
    "unknown key": ({"access_key": "AKIANOBODY0000000001"}, 403, "InvalidClientTokenId"),
    "16 minutes old": ({"at": -16 * MINUTE}, 403, "SignatureDoesNotMatch"),
    "16 minutes ahead": ({"at": 16 * MINUTE}, 403, "SignatureDoesNotMatch"),
    "another service": ({"service": "s3"}, 403, "SignatureDoesNotMatch"),
    "another terminator": ({"terminator": "aws5_request"}, (400, 403), None),
    "another scope date": ({"scope_date": "20200101"}, 403, "SignatureDoesNotMatch"),
    "another body": ({"sent_body": b"{}"}, 403, "SignatureDoesNotMatch"),
    "host not signed": ({"signed": ["x-amz-date", "x-amz-target"]}, (400, 403), None),
    "target not signed": ({"signed": ["host", "x-amz-date", "content-type"]}, (400, 403), None),
    "date not signed": ({"signed": ["host", "x-amz-target", "content-type"]}, (400, 403), None),
    "a target changed": ({"change": lambda headers: headers.update({"x-amz-target": "AmazonSQS.PurgeQueue"})}, 403, "SignatureDoesNotMatch"),
    "a header added": ({"change": lambda headers: headers.update({"x-amz-extra": "1"})}, (400, 403), None),
    "no date": ({"change": lambda headers: headers.pop("x-amz-date")}, (400, 403), None),
    "no signature": ({"change": lambda headers: headers.pop("authorization")}, 403, "AccessDenied"),
    "half a header": ({"change": lambda headers: headers.update(authorization=headers["authorization"].partition(", Signature")[0])},
                      400, "IncompleteSignature"),
    "an empty signature": ({"change": lambda headers: headers.update(authorization=headers["authorization"].partition("Signature=")[0] + "Signature=")},
                           (400, 403), None),
    "another scheme": ({"change": lambda headers: headers.update(authorization="Basic dTpw")}, (400, 403), None),
    "upper case": ({"change": lambda headers: headers.update(
        authorization=headers["authorization"].partition("Signature=")[0] + "Signature=" + headers["authorization"].partition("Signature=")[2].upper())},
        403, "SignatureDoesNotMatch"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_signatures(url, queue, name):
    wrong, status, code = WRONG[name]
    answer = signed_call(url, "SendMessage", {"QueueUrl": queue, "MessageBody": "x"}, **wrong)
    assert answer.status in (status if isinstance(status, tuple) else (status,)), answer
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.0"
    if code:
        assert answer.query_code == code, answer
    assert SECRET not in answer.text
    assert count(url, queue) == 0


def test_unsigned_calls_are_refused_whatever_they_say(url, queue):
    assert call_json(url, "ListQueues", {}).status == 403
    assert request(url, "GET", "/?Action=ListQueues").status == 403
    assert call_json(url, "Explode", {}).status in (400, 403)
    assert request(url, "GET", "/health/live").status == 200


def presigned(url, queue, **wrong):
    fields = {"Action": "GetQueueAttributes", "AttributeName.1": "QueueArn"}
    secret = wrong.pop("secret", SECRET)
    target = sigv4.presign("GET", netloc(url), urllib.parse.urlsplit(queue).path, fields, ACCESS_KEY, secret, **wrong)
    return request(url, "GET", target), target


def test_presigned_requests(url, queue):
    answer, target = presigned(url, queue)
    assert answer.status == 200 and "<Value>arn:aws:sqs:us-east-1:000000000000:" in answer.text, answer
    assert request(url, "GET", target.replace("QueueArn", "All")).status == 403
    assert request(url, "GET", target + "&AttributeName.2=All").status == 403
    assert request(url, "POST", target).status == 403
    assert presigned(url, queue, secret="nonsense")[0].status == 403
    assert presigned(url, queue, at=-400, expires=300)[0].status == 403
    assert presigned(url, queue, at=-200, expires=300)[0].status == 200
    assert presigned(url, queue, expires=604800)[0].status == 200
    assert presigned(url, queue, expires=604801)[0].status in (400, 403)
    assert presigned(url, queue, expires=0)[0].status in (400, 403)


def test_two_signatures_are_one_too_many(url, queue):
    _, target = presigned(url, queue)
    headers = sigv4.sign("GET", target.partition("?")[0], {"host": netloc(url)}, b"", ACCESS_KEY, SECRET)
    host = headers.pop("host")
    assert request(url, "GET", target, headers, host=host).status in (400, 403)


def test_a_grant_is_by_queue_and_action(tmp_path):
    keys = tmp_path / "keys.toml"
    keys.touch(mode=0o600)
    keys.write_text('[[key]]\naccess_key = "AKIALIMITED00000001"\nsecret_key = "s"\naccount = "000000000000"\n'
                    '[[key.grant]]\nactions = ["SendMessage", "Get*"]\nqueues = ["mine-*"]\n'
                    f'[[key]]\naccess_key = "{ACCESS_KEY}"\nsecret_key = "{SECRET}"\naccount = "000000000000"\n'
                    '[[key.grant]]\nactions = ["*"]\nqueues = ["*"]\n')
    limited = {"access_key": "AKIALIMITED00000001", "secret": "s"}
    with FerryServer(tmp_path / "server", "--keys", keys) as server:
        for name in ("mine-1", "theirs"):
            assert signed_call(server.url, "CreateQueue", {"QueueName": name}).status == 200
        assert signed_call(server.url, "SendMessage", {"QueueUrl": "mine-1", "MessageBody": "x"}, **limited).status == 200
        assert signed_call(server.url, "GetQueueUrl", {"QueueName": "mine-1"}, **limited).status == 200
        for action, members in (("SendMessage", {"QueueUrl": "theirs", "MessageBody": "x"}), ("ReceiveMessage", {"QueueUrl": "mine-1"}),
                                ("GetQueueUrl", {"QueueName": "theirs"}), ("ListQueues", {}), ("CreateQueue", {"QueueName": "mine-2"})):
            answer = signed_call(server.url, action, members, **limited)
            assert (answer.status, answer.query_code) == (403, "AccessDenied"), (action, answer)
