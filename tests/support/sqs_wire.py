"""A small SQS client without an SDK: unsigned, the JSON protocol, one connection kept alive. Not thread-safe.

It retries nothing, and tells apart what tests of durability must tell apart: answered, not sent, unknown.
"""

import http.client
import json
import socket


class NotSent(Exception):
    """No connection: the request did not leave."""


class Unknown(Exception):
    """Sent, but no whole answer came: it may have happened."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class Sqs:
    def __init__(self, url, timeout=60):
        self.url = url.rstrip("/")
        self.host, _, port = self.url.split("//")[1].partition(":")
        self.port = int(port)
        self.timeout = timeout
        self.connection = None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def raw(self, action, body):
        """(status, headers, body bytes) of one request with these bytes."""
        if self.connection is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            try:
                connection.connect()
            except OSError as error:
                raise NotSent(str(error)) from None
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection = connection
        try:
            self.connection.request("POST", "/", body, {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"})
            response = self.connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unknown(str(error)) from None
        if response.will_close:
            self.close()
        return response.status, response.headers, answer

    def call(self, action, **members):
        status, headers, answer = self.raw(action, json.dumps(members).encode())
        value = json.loads(answer) if answer else {}
        if status != 200:
            code = headers.get("x-amzn-query-error", "").partition(";")[0] or value.get("__type", "").partition("#")[2]
            raise Refused(status, code, value.get("message", ""))
        return value

    def create(self, name, **attributes):
        return self.call("CreateQueue", QueueName=name, Attributes={key: str(value) for key, value in attributes.items()})["QueueUrl"]

    def counts(self, queue_url):
        """(visible, in flight, delayed)"""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        values = self.call("GetQueueAttributes", QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        return tuple(int(values[name]) for name in names)
