"""Run a command of forecasting-assets here, and its Spark work in a session of EMR Serverless by Spark Connect.

    python emr_session.py --application 00f1abcdef --role arn:aws:iam::123456789012:role/forecasting \
        -- backfill --resume --closed-before 2025-03-10

The application needs emr-7.13 or newer and sessions turned on; its Spark must be the PySpark that is installed here.
The token of a session expires: a new one is fetched before it does, in the middle of a run too.

Not run against the service: docs/how-to/aws.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pyspark.sql.connect.client import core as connect
from pyspark.sql.connect.session import SparkSession

from forecasting_assets.cli import main as run_command

#: Builds a channel from an address; Spark 3.5 has this builder alone, and calls it so.
_AddressChannel: Any = getattr(connect, "DefaultChannelBuilder", connect.ChannelBuilder)
#: Header with the token.
HEADER = "x-aws-proxy-auth"
#: How long before it expires a token is replaced.
MARGIN = timedelta(minutes=5)
#: Seconds between two looks at a session that starts, and how many looks.
PAUSE, LOOKS = 5, 120


class Token:
    """The token of a session, fetched again before it expires.

    Parameters
    ----------
    client
        boto3's client of `emr-serverless`.
    application, session
        Their ids.
    """

    def __init__(self, client: Any, application: str, session: str) -> None:
        self._client = client
        self._ids = {"applicationId": application, "sessionId": session}
        self._value = ""
        self._expires = datetime.min.replace(tzinfo=UTC)
        self.endpoint = ""
        self.current()

    def current(self) -> str:
        """Return a token that is valid for some minutes more."""
        if datetime.now(UTC) + MARGIN > self._expires:
            answer = self._client.get_session_endpoint(**self._ids)
            self.endpoint, self._value = answer["endpoint"], answer["authToken"]
            self._expires = answer["authTokenExpiresAt"]
        return self._value


class _Headers(Iterable[tuple[str, str]]):
    """Headers of requests, made anew for each: Spark keeps these for as long as a query runs."""

    def __init__(self, fixed: list[tuple[str, str]], token: Token) -> None:
        self._fixed, self._token = fixed, token

    def __iter__(self) -> Iterator[tuple[str, str]]:
        yield from self._fixed
        yield HEADER, self._token.current()


class TokenChannel(_AddressChannel):
    """Channel to a Spark Connect server whose requests have the current token."""

    def __init__(self, address: str, token: Token) -> None:
        super().__init__(address)
        self._token = token

    def metadata(self) -> Iterable[tuple[str, str]]:
        """Return the headers of a request."""
        return _Headers(list(super().metadata()), self._token)


def connect_address(endpoint: str) -> str:
    """Return the address of Spark Connect for the endpoint of a session, `https://host` or `sc://host:port`."""
    place = urlsplit(endpoint)
    return f"sc://{place.hostname}:{place.port or 443}/;use_ssl=true"


@contextmanager
def emr_session(client: Any, application: str, role: str) -> Iterator[Token]:
    """Start a session, provide its token once it is ready, and terminate it at the end.

    Raises
    ------
    RuntimeError
        If the session ends or is not ready in time.
    """
    ids = {"applicationId": application}
    started = client.start_session(
        applicationId=application, executionRoleArn=role, name="forecasting-assets"
    )
    ids["sessionId"] = started["sessionId"]
    try:
        for _ in range(LOOKS):
            session = client.get_session(**ids)["session"]
            if session["state"] in ("STARTED", "IDLE", "BUSY"):
                break
            if session["state"] in ("FAILED", "TERMINATING", "TERMINATED"):
                raise RuntimeError(
                    f"session {ids['sessionId']} {session['state']}: {session.get('stateDetails', '')}"
                )
            time.sleep(PAUSE)
        else:
            raise RuntimeError(f"session {ids['sessionId']} was not ready within {PAUSE * LOOKS} s")
        yield Token(client, application, ids["sessionId"])
    finally:
        client.terminate_session(**ids)


def run(channel: TokenChannel, command: list[str]) -> int:
    """Run a command with its Spark work in the session behind a channel; return its exit code."""
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # by which PySpark's functions know
    # The platform uses the session that is there.
    spark = SparkSession.builder.channelBuilder(channel).getOrCreate()
    try:
        return run_command(command)
    finally:
        spark.stop()


def main() -> int:
    """Read the arguments and run the command; return its exit code."""
    import boto3

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("application", "role"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("command", nargs="+", help="arguments of forecasting-assets, after --")
    given = parser.parse_args()
    with emr_session(boto3.client("emr-serverless"), given.application, given.role) as token:
        return run(TokenChannel(connect_address(token.endpoint), token), given.command)


if __name__ == "__main__":
    sys.exit(main())
