"""Send messages to people: mail by SMTP, and webhooks as those of Slack."""

import json
import os
import smtplib
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPException

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
        Address that takes JSON with `text`, as Slack does; empty if there is none.
    """

    mail: AlertSettings
    webhook: str

    @classmethod
    def of(cls, settings: AlertSettings) -> "Channels":
        """Return the channels of settings and environment."""
        return cls(settings, os.environ.get(WEBHOOK, ""))

    @property
    def names(self) -> list[str]:
        """The channels that are set: `mail`, `webhook`."""
        there = {"mail": self.mail.email_to, "webhook": self.webhook}
        return [name for name, setting in there.items() if setting]

    def send(self, channel: str, title: str, text: str) -> None:
        """Send a message over a channel.

        Raises
        ------
        SendError
            If the channel does not take it.
        """
        try:
            (self._mail if channel == "mail" else self._post)(title, text)
        except (OSError, HTTPException, smtplib.SMTPException, ValueError) as error:
            raise SendError(f"{channel}: {_reason(channel, error)}") from None

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


def _reason(channel: str, error: Exception) -> str:
    # The address of a webhook is a secret, which other texts of urllib may hold.
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if channel == "webhook" and isinstance(error, ValueError | HTTPException):
        return f"{WEBHOOK} is not an address as https://…, or no web server answers there"
    return str(getattr(error, "reason", error)) or type(error).__name__
