"""A second process of the window: it has torch, reads runs and decodes images, so that the window never waits and never grows.

Functions of app.views go there by name, with plain arguments; an answer, an error and progress come back. It is our own process:
what goes through the pipe is trusted (pickle), nothing of it comes from outside.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from PySide6.QtCore import QObject, Signal

from wardround.core.events import Event
from wardround.errors import WardroundError

log = logging.getLogger(__name__)

WATCH = "watch"  # the argument of a view through which it tells how far it is


@dataclass(eq=False)
class Request:
    """What was asked. key: a newer request of the same key takes its place. is_muted: nobody wants the answer any more."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    done: Callable[[Any], None]
    failed: Callable[[str], None]
    told: Callable[[Event], None] | None = None
    key: str = ""
    is_muted: bool = field(default=False)


class Aside(QObject):
    """One process and the requests that wait for it, answered in their order."""

    heard = Signal(object, object)  # (the process's connection, its message or None at its end)
    idle = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        self._process: Any = None
        self._connection: Connection | None = None
        self.heard.connect(self._hear)

    @property
    def is_busy(self) -> bool:
        return self._current is not None

    def ask(self, request: Request) -> Request:
        """Answer it when its turn comes. A request of the same key that waits is dropped, one at work is muted."""
        if request.key:
            self.mute(lambda other: other.key == request.key)
        self._waiting.append(request)
        self._next()
        return request

    def mute(self, is_meant: Callable[[Request], bool]) -> None:
        """Forget the requests that are meant."""
        self._waiting = deque(request for request in self._waiting if not is_meant(request))
        if self._current is not None and is_meant(self._current):
            self._current.is_muted = True

    def warm_up(self, load: Callable[[], None]) -> None:
        """Start the process and let it load what it needs, so that the first answer comes soon."""
        self.ask(Request(function=load, arguments=(), named={}, done=lambda _: None, failed=log.warning))

    def cancel(self) -> None:
        """End what is at work, by ending the process; waiting requests go on in a new one."""
        if self._current is None:
            return
        self._current = None
        self._end()
        self._next()

    def close(self) -> None:
        self._waiting.clear()
        self._current = None
        self._end()

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            if self._current is None:
                self.idle.emit()
            return
        self._start()
        self._current = self._waiting.popleft()
        request = self._current
        if self._connection is not None:
            self._connection.send((request.function, request.arguments, request.named, request.told is not None))

    def _start(self) -> None:
        if self._process is not None:
            return
        from wardround.data.pool import hidden_main

        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), name="wardround aside")
        with hidden_main():
            self._process.start()
        theirs.close()
        self._connection = ours
        threading.Thread(target=self._listen, args=(ours,), daemon=True).start()

    def _listen(self, connection: Connection) -> None:
        """In a thread of its own: hand what the process says to the window's thread."""
        message: Any = ()
        while message is not None:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                message = None
            try:
                self.heard.emit(connection, message)
            except RuntimeError:
                return  # the window is gone

    def _hear(self, connection: Connection, message: Any) -> None:
        if connection is not self._connection:
            return  # a process that was ended
        if message is None:
            self._lost()
            return
        kind, value = message
        request = self._current
        if kind == "told":
            if request is not None and not request.is_muted and request.told is not None:
                request.told(value)
            return
        self._current = None
        if request is not None and not request.is_muted:
            (request.done if kind == "done" else request.failed)(value)
        self._next()

    def _lost(self) -> None:
        """The process died: say so to who waits for it, and go on with a new one."""
        request, self._current = self._current, None
        self._end()
        if request is not None and not request.is_muted:
            request.failed("the app's second process ended before it had an answer (killed, or out of memory?). Try again; close other "
                           "programs or choose a smaller folder if it happens twice.")
        self._next()

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.terminate()
            self._process.join(timeout=5)
        self._process = self._connection = None


def serve(connection: Connection) -> None:
    """The process: answer one request after another until the window is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            function, arguments, named, is_watched = connection.recv()
            if is_watched:
                named = {**named, WATCH: lambda event: connection.send(("told", event))}
            connection.send(answer(function, arguments, named))
        except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
            return


def answer(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[str, Any]:
    """("done", what the function returns), or ("failed", a sentence)."""
    try:
        return "done", function(*arguments, **named)
    except BrokenPipeError:
        raise
    except WardroundError as error:
        return "failed", str(error)
    except OSError as error:
        return "failed", f"{error.filename or function.__name__}: {error.strerror or error}. Check that the place exists and may be read."
    except Exception as error:
        log.exception("%s failed", function.__name__)
        return "failed", (f"{type(error).__name__} in {function.__name__}: {str(error)[:300]}. This is a fault of wardround: please report "
                          "it with what the terminal shows.")
