"""A server of the pages below a folder, for the people on this machine."""

import io
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


class _Pages(SimpleHTTPRequestHandler):
    """Serves files, without listing folders and without a line for each request."""

    def list_directory(self, path: object) -> io.BytesIO | None:
        """Refuse: pages are found from `index.html`."""
        self.send_error(HTTPStatus.NOT_FOUND, "There is no such page")
        return None

    def end_headers(self) -> None:
        """Let browsers ask each time, as a page is replaced when its week is made again."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def serve_pages(folder: Path, port: int) -> ThreadingHTTPServer:
    """Serve the files below `folder` on 127.0.0.1 until this process ends.

    Raises
    ------
    OSError
        If the port is in use.
    """
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Pages, directory=str(folder)))
    Thread(target=server.serve_forever, name="pages", daemon=True).start()
    return server
