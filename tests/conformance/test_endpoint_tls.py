"""Endpoints behind TLS: whom the worker believes, what a refused certificate costs, what `ferry doctor` says of it."""

import http.server
import ssl
import subprocess
import threading

import pytest
from cli_runs import Shell
from ferry_server import FerryServer


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make_certificate(folder, days, name="localhost"):
    """An authority in ca.pem, and a certificate of its own for `name` in server.pem."""
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "365", "-subj", "/CN=an authority")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key", "-out", "server.csr",
            "-subj", f"/CN={name}")
    (folder / "names").write_text(f"subjectAltName=DNS:{name}\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days),
            "-extfile", "names", "-out", "server.pem")


class Endpoint:
    """An HTTPS server that answers every POST with 200."""

    def __init__(self, folder):
        posted = self.posted = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                posted.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server.server_address[1]}/work"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def shell(server, tmp_path):
    return Shell(server.url, tmp_path)


def write_handoff(folder, url, more=""):
    (folder / "handoff.toml").write_text(f'[ledger]\nenabled = false\n[request.Work]\nhttp = "{url}"\n{more}\n')


def send(shell, queue):
    shell.create_pair(queue, f"{queue}-dead", 5, ReceiveMessageWaitTimeSeconds=20)
    shell.send(queue, "the body", MessageAttributes={"Work": {"DataType": "String", "StringValue": "now"}})


def of_endpoint(shell, queue, expect):
    return [one for one in shell.json("doctor", queue, expect=expect)["Findings"] if one["Check"] == "handler-endpoint"]


def test_the_authority_that_is_named_is_believed(shell, tmp_path):
    make_certificate(tmp_path, days=60)
    with Endpoint(tmp_path) as endpoint:
        write_handoff(tmp_path, endpoint.url, 'ca_file = "ca.pem"')
        send(shell, "believed")
        shell.run("poll", "believed")
        assert endpoint.posted == [b"the body"] and shell.count("believed") == (0, 0)
        assert of_endpoint(shell, "believed", expect=0) == []


@pytest.mark.parametrize("case", ["an authority nobody named", "the name of another host", "a file that is no certificate"])
def test_who_is_not_believed_is_sent_nothing_and_costs_no_attempt(shell, tmp_path, case):
    make_certificate(tmp_path, days=60, name="elsewhere" if "host" in case else "localhost")
    if "file" in case:
        (tmp_path / "ca.pem").write_text("nothing of the kind\n")
    queue = f"refused-{len(case)}"
    with Endpoint(tmp_path) as endpoint:
        write_handoff(tmp_path, endpoint.url, "" if "authority" in case else 'ca_file = "ca.pem"')
        send(shell, queue)
        shell.run("poll", queue, expect=1)
        assert "it is paused for" in shell.err and endpoint.posted == []
        found = of_endpoint(shell, queue, expect=1)
        assert found[0]["Severity"] == "error" and "is not believed" in found[0]["Text"]


def test_a_certificate_that_ends_soon_and_an_endpoint_that_is_not_there(shell, tmp_path):
    make_certificate(tmp_path, days=13)
    shell.create_pair("soon", "soon-dead", 5, ReceiveMessageWaitTimeSeconds=20)
    with Endpoint(tmp_path) as endpoint:
        write_handoff(tmp_path, endpoint.url, 'ca_file = "ca.pem"')
        found = of_endpoint(shell, "soon", expect=1)
        assert found[0]["Severity"] == "warning" and "ends on" in found[0]["Text"]
        assert endpoint.posted == []
    found = of_endpoint(shell, "soon", expect=1)
    assert found[0]["Severity"] == "error" and "cannot be reached" in found[0]["Text"]
