"""Send messages to people: mail by SMTP, and webhooks of Slack, Microsoft Teams and others."""

import json
import os
import smtplib
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage

from forecasting_assets.settings import AlertSettings

WEBHOOK = "FORECASTING_ALERT_WEBHOOK"
SMTP_PASSWORD = "FORECASTING_SMTP_PASSWORD"
_TIMEOUT_SECONDS = 20


class SendError(Exception):
    """A message could not be sent; the message names the channel and the reason, and no secrets."""


@dataclass(frozen=True)
class Channels:
    """Where messages go.

    Attributes
    ----------
    mail
        The settings of mail.
    webhook
        Address that takes JSON with `text`, as Slack and Teams do; empty if there is none.
    """

    mail: AlertSettings
    webhook: str

    @classmethod
    def of(cls, settings: AlertSettings) -> "Channels":
        """Return the channels of settings and environment."""
        return cls(settings, os.environ.get(WEBHOOK, ""))

    @property
    def any(self) -> bool:
        """Whether there is a channel."""
        return bool(self.mail.email_to or self.webhook)

    def send(self, title: str, text: str) -> None:
        """Send a message over all channels.

        Raises
        ------
        SendError
            If a channel does not take it. The others have been tried.
        """
        problems = []
        for name, there, send in (
            ("mail", self.mail.email_to, self._mail),
            ("webhook", self.webhook, self._post),
        ):
            if there:
                try:
                    send(title, text)
                except (OSError, smtplib.SMTPException, ValueError) as error:
                    problems.append(f"{name}: {_reason(error)}")
        if problems:
            raise SendError("; ".join(problems))

    def _mail(self, title: str, text: str) -> None:
        mail = EmailMessage()
        # A header has one line, whatever a part or a file is called.
        mail["Subject"] = " ".join(title.split())
        mail["From"], mail["To"] = self.mail.email_from, ", ".join(self.mail.email_to)
        mail.set_content(text)
        host, _, port = self.mail.smtp_server.rpartition(":")
        with smtplib.SMTP(host, int(port), timeout=_TIMEOUT_SECONDS) as server:
            if self.mail.smtp_user:
                server.starttls(context=ssl.create_default_context())
                server.login(self.mail.smtp_user, os.environ.get(SMTP_PASSWORD, ""))
            server.send_message(mail)

    def _post(self, title: str, text: str) -> None:
        request = urllib.request.Request(
            self.webhook,
            json.dumps({"text": f"{title}\n{text}"}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):
            pass


def _reason(error: Exception) -> str:
    # The address of a webhook is a secret, which other texts of urllib may hold.
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, ValueError):
        return f"{WEBHOOK} is not an address as https://…"
    return str(getattr(error, "reason", error)) or type(error).__name__
