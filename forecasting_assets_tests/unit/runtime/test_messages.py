"""Messages to people, sent to a real mail server and a real web server on this machine."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from devtools.servers import free_port
from forecasting_assets.runtime.messages import WEBHOOK, Channels, SendError
from forecasting_assets.settings import AlertSettings


class Mailbox(Message):
    def __init__(self):
        super().__init__()
        self.mails = []

    def handle_message(self, message):
        self.mails.append(message)


@pytest.fixture
def mailbox():
    """A mail server; provides its mails and its address."""
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield box.mails, f"127.0.0.1:{controller.port}"
    controller.stop()


@pytest.fixture
def webhook():
    """A web server; provides what was posted to it and its address. `/refuse` answers 403."""
    posted = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(403 if self.path == "/refuse" else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, daemon=True).start()
    yield posted, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_nothing_is_sent_unless_someone_is_named(monkeypatch):
    assert Channels.of(AlertSettings()).names == []
    monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:1/hook")
    assert Channels.of(AlertSettings()).names == ["webhook"]
    assert Channels.of(AlertSettings(email_to=("a@example.com",))).names == ["mail", "webhook"]


def test_a_message_goes_by_mail_and_webhook(mailbox, webhook):
    (mails, smtp), (posted, address) = mailbox, webhook
    settings = AlertSettings(email_to=("a@example.com", "b@example.com"), smtp_server=smtp)
    for channel in ("mail", "webhook"):
        Channels(settings, f"{address}/hook").send(channel, "Part\nBcc: c@example.com", "Größe: 5 < 6")
    (mail,) = mails
    assert mail["Subject"] == "Part Bcc: c@example.com"
    assert mail["X-RcptTo"] == "a@example.com, b@example.com"
    assert mail.get_payload(decode=True).decode().strip() == "Größe: 5 < 6"
    assert posted == [{"text": "Part\nBcc: c@example.com\nGröße: 5 < 6"}]


def test_a_channel_that_fails_is_named_without_its_secret(webhook):
    _, address = webhook
    for secret, reason in (
        (f"{address}/refuse", "answered 403"),
        ("secret", "is not an address"),
        ("http://127.0.0.1:1/a secret", "is not an address"),
    ):
        with pytest.raises(SendError, match=rf"webhook: .*{reason}") as failed:
            Channels(AlertSettings(), secret).send("webhook", "t", "x")
        assert secret not in str(failed.value)
    unreachable = AlertSettings(email_to=("a@example.com",), smtp_server=f"127.0.0.1:{free_port()}")
    with pytest.raises(SendError, match=r"mail: .*refused"):
        Channels(unreachable, "").send("mail", "t", "x")
