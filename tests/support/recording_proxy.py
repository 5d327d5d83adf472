"""An HTTP proxy in front of a server that writes down which protocol each request spoke.

`GET /__record` answers what was seen as JSON and forgets it: [{"protocol": "json", "action": "SendMessage", ...}, ...].
"""

import http.client
import http.server
import json
import threading
import urllib.parse

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect"}


def protocol_of(method, target, headers, body):
    """(protocol, action): from the X-Amz-Target header, or from the form."""
    amz_target = headers.get("X-Amz-Target", "")
    if amz_target:
        return "json", amz_target.partition(".")[2]
    form = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query))
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        form.update(urllib.parse.parse_qsl(body.decode("utf-8", "replace")))
    return ("query", form["Action"]) if "Action" in form else ("other", "")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def send(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def forward(self):
        proxy = self.server.proxy
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/__record":
            self.send(200, [("Content-Type", "application/json")], json.dumps(proxy.take()).encode())
            return
        protocol, action = protocol_of(self.command, self.path, self.headers, body)
        connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=90)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            answer = response.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            connection.close()
        proxy.note({"protocol": protocol, "action": action, "method": self.command, "path": self.path.partition("?")[0],
                    "status": response.status, "content_type": response.headers.get("Content-Type", ""),
                    "agent": self.headers.get("User-Agent", "")})
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP | {"content-length"}]
        self.send(response.status, headers, answer)

    do_GET = do_POST = forward


class RecordingProxy:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.lock = threading.Lock()
        self.seen = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.proxy = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def note(self, request):
        with self.lock:
            self.seen.append(request)

    def take(self):
        """What was seen since the last call."""
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
