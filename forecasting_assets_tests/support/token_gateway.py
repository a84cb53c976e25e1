"""A gateway before a Spark Connect server that refuses requests without a valid token, as that of EMR Serverless."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc


@dataclass
class Gateway:
    """The gateway, which is the client of the service too: it hands out tokens that expire.

    Attributes
    ----------
    address
        Where it listens.
    seconds
        For how long a token is valid.
    handed_out
        When each token expires.
    accepted
        How many requests came with each valid token.
    """

    address: str
    seconds: float
    handed_out: dict[str, datetime] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    refused: int = 0

    def get_session_endpoint(self, **ids: str) -> dict[str, Any]:
        """Answer as the service does."""
        token = f"token-{len(self.handed_out)}"
        self.handed_out[token] = datetime.now(UTC) + timedelta(seconds=self.seconds)
        return {
            **ids,
            "endpoint": self.address,
            "authToken": token,
            "authTokenExpiresAt": self.handed_out[token],
        }

    def accepts(self, token: str) -> bool:
        """Return whether a token is valid now, and count it."""
        if self.handed_out.get(token, datetime.min.replace(tzinfo=UTC)) < datetime.now(UTC):
            self.refused += 1
            return False
        self.accepted[token] = self.accepted.get(token, 0) + 1
        return True


class _Forward(grpc.GenericRpcHandler):
    """Passes the bytes of every request on, if its token is valid."""

    def __init__(self, gateway: Gateway, header: str, server: grpc.Channel) -> None:
        self._gateway, self._header, self._server = gateway, header, server

    def service(self, details: Any) -> Any:
        headers = dict(details.invocation_metadata)
        call = self._server.stream_stream(details.method)
        token = str(headers.get(self._header, ""))

        def answer(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            if not self._gateway.accepts(token):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not valid")
            try:
                yield from call(requests)
            except grpc.RpcError as error:
                context.set_trailing_metadata(error.trailing_metadata() or ())
                context.abort(error.code(), error.details())

        return grpc.stream_stream_rpc_method_handler(answer)


@contextmanager
def token_gateway(server: str, header: str, seconds: float) -> Iterator[Gateway]:
    """Run a gateway before the server at `host:port` for as long as the block lasts."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    gateway = Gateway("", seconds)
    with grpc.insecure_channel(server, options) as channel:
        front = grpc.server(ThreadPoolExecutor(32), options=options)
        front.add_generic_rpc_handlers((_Forward(gateway, header, channel),))
        gateway.address = f"sc://127.0.0.1:{front.add_insecure_port('127.0.0.1:0')}"
        front.start()
        try:
            yield gateway
        finally:
            front.stop(None)
