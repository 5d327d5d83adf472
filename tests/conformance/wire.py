"""Raw HTTP for the cases that no SDK would send."""

import http.client
import json
import socket
import urllib.parse

JSON_TYPE = "application/x-amz-json-1.0"
FORM_TYPE = "application/x-www-form-urlencoded"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def query_code(self):
        """The code of the x-amzn-query-error header."""
        return self.headers.get("x-amzn-query-error", "").partition(";")[0]

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


def request(url, method, target, headers=None, body=b"", host=None):
    """One request on a connection of its own. `headers` may name what http.client would add itself; a Host of one's own is `host`."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or parts.netloc)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body or method == "POST":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def call_json(url, action, members, target="/", headers=None, host=None, content_type=JSON_TYPE):
    """`members` is a value, or bytes to send as they are."""
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    named = {"Content-Type": content_type, **({"X-Amz-Target": f"AmazonSQS.{action}"} if action is not None else {}), **(headers or {})}
    return request(url, "POST", target, named, body, host)


def call_form(url, fields, target="/", headers=None, host=None):
    """`fields` is a mapping, or bytes to send as they are."""
    body = fields if isinstance(fields, bytes) else urllib.parse.urlencode(fields).encode()
    return request(url, "POST", target, {"Content-Type": FORM_TYPE, **(headers or {})}, body, host)


def exchange(url, data, seconds=20):
    """Sends bytes as they are and closes the sending side; everything that came back until the peer closed."""
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before everything was sent; the answer may be there all the same
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received
