"""A server in this process, with ranges, failures and a record of what it was asked."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Shelf:
    """What the server gives and how. status: for every request; cut: bytes after which an answer breaks off, one for each request."""

    files: dict[str, bytes] = field(default_factory=dict)
    tag: str = '"v1"'
    has_ranges: bool = True
    has_length: bool = True
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    redirect: str = ""
    token: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(request.headers))
        if self.statuses:
            status = self.statuses.pop(0)
        elif self.token and request.headers.get("Authorization") != self.token:
            status = 401
        else:
            status = 302 if self.redirect else 200 if request.path in self.files else 404
        if status != 200:
            request.send_response(status)
            if self.redirect:
                request.send_header("Location", self.redirect + request.path)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        self._send(request, self.files[request.path])

    def _send(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        wanted = request.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-") or 0) if wanted else 0
        is_part = bool(wanted) and self.has_ranges and request.headers.get("If-Range") == self.tag
        start = start if is_part else 0
        request.send_response(206 if is_part else 200)
        if is_part:
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if self.has_length:
            request.send_header("Content-Length", str(len(body) - start))
        request.send_header("ETag", self.tag)
        request.end_headers()
        stop = start + self.cuts.pop(0) if self.cuts else len(body)
        request.wfile.write(body[start:stop])


def serve(shelf: Shelf) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shelf.answer(self)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shelf.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """A server; its files are set by the test."""
    made = Shelf()
    server = serve(made)
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def other() -> Iterator[Shelf]:
    """Another server, on another port."""
    made = Shelf()
    server = serve(made)
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No proxy, and no token of the person who runs the tests."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "WARDROUND_FETCH_URL"):
        monkeypatch.delenv(name, raising=False)
    home: Path = tmp_path_factory.mktemp("kaggle")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home))
    monkeypatch.setenv("no_proxy", "*")
