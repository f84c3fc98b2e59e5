"""A webhook to a server of its own, by HTTP and HTTPS."""

import json
import re
import ssl
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from webhook_certificate import make_certificate

from dicom_node.domain.errors import NotificationFailed
from dicom_node.webhooks.sender import Endpoint, HttpWebhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime.now(UTC)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((dict(self.headers), body))
        status, headers = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def listener():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.taken, server.answer = [], (200, {})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def webhook(server, scheme="http", host="127.0.0.1", **more):
    url = f"{scheme}://{host}:{server.server_port}/hooks?from=node"
    return HttpWebhook(Endpoint("ris", url, lambda: SECRET, timeout_s=5, **more))


def refusal(server, **more):
    with pytest.raises(NotificationFailed) as failed:
        webhook(server, **more).post("msg_1", b"{}", NOW)
    return failed.value


def verifier():
    """The function that the documentation gives to receivers."""
    text = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    names = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)
    return names["verify"]


def test_receiver_verifies_a_message_as_documented(listener):
    body = json.dumps({"type": "study-ended"}).encode()
    now = datetime.now(UTC)  # not the time of collection: receivers refuse what is old
    webhook(listener).post("msg_1", body, now)
    ((headers, received),) = listener.taken
    received_headers = {name.lower(): value for name, value in headers.items()}
    assert received_headers["host"] == f"127.0.0.1:{listener.server_port}"
    verify = verifier()
    assert verify(SECRET, received_headers, received) == {"type": "study-ended"}
    for changed in (
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(int(now.timestamp()) - 3600)},
        {"webhook-signature": "v1,AAAA"},
    ):
        with pytest.raises(ValueError, match="webhook"):
            verify(SECRET, received_headers | changed, received)
    with pytest.raises(ValueError, match="webhook"):
        verify(SECRET, received_headers, received + b" ")


def test_redirect_is_not_followed(listener):
    listener.answer = (307, {"Location": f"http://127.0.0.1:{listener.server_port}/other"})
    assert "redirects are not followed" in str(refusal(listener))
    assert len(listener.taken) == 1


def test_busy_listener_names_its_wait(listener):
    listener.answer = (503, {"Retry-After": "120"})
    assert refusal(listener).wait_s == 120


def test_listener_may_ask_never_to_be_told_again(listener):
    listener.answer = (410, {})
    assert refusal(listener).final


def test_nobody_listening_is_a_failure_that_passes():
    with pytest.raises(NotificationFailed, match="no answer") as failed:
        HttpWebhook(Endpoint("ris", "http://127.0.0.1:1/", lambda: SECRET, timeout_s=2)).post(
            "msg_1", b"{}", NOW
        )
    assert not failed.value.final


def test_missing_secret_is_told(listener):
    endpoint = Endpoint("ris", f"http://127.0.0.1:{listener.server_port}/", lambda: "")
    with pytest.raises(NotificationFailed, match="secret is empty"):
        HttpWebhook(endpoint).post("msg_1", b"{}", NOW)
    assert listener.taken == []


@pytest.fixture
def secure_listener(listener, tmp_path):
    certificate, key = make_certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    listener.certificate = certificate
    return listener


def test_certificate_is_checked_against_the_name(secure_listener):
    trusted = {"scheme": "https", "ca_file": secure_listener.certificate}
    webhook(secure_listener, host="localhost", **trusted).post("msg_1", b"{}", NOW)
    assert len(secure_listener.taken) == 1
    assert "certificate" in str(refusal(secure_listener, host="127.0.0.1", **trusted))


def test_unknown_certificate_is_refused(secure_listener):
    assert "certificate" in str(refusal(secure_listener, scheme="https", host="localhost"))
    assert secure_listener.taken == []
