"""A slow line for TCP between a site and the server, where the kernel has no netem: a proxy with delay, rate and losses.

A lost segment holds up the stream for one round trip, as fast retransmission does; that the sender also slows down is not modelled.
"""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass, field

SEGMENT = 1460  # bytes


@dataclass
class Line:
    """Listens on `port` of this machine and connects to `target` there. rtt_s: of a round trip. rate: bits a second each way. loss: share
    of the segments."""

    port: int
    target: int
    rtt_s: float
    rate: float
    loss: float
    num_bytes: dict[str, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    num_lost: int = 0

    def start(self) -> None:
        """Serve in a thread of its own until the process ends."""
        ready = threading.Event()

        def serve() -> None:
            asyncio.run(self._serve(ready))

        threading.Thread(target=serve, daemon=True).start()
        ready.wait()

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        ready.set()
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:  # the server is not there yet: the site tries again
            writer.close()
            return
        await asyncio.gather(self._carry(reader, there_writer, "up"), self._carry(there_reader, writer, "down"), return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        """Bytes leave at the line's rate and arrive half a round trip later."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        arriving = asyncio.create_task(_arrive(queue, writer))
        loop, free_at, rng = asyncio.get_running_loop(), 0.0, random.Random(way)
        try:
            while data := await reader.read(10 * SEGMENT):
                self.num_bytes[way] += len(data)
                lost = sum(rng.random() < self.loss for _ in range(-(-len(data) // SEGMENT)))
                self.num_lost += lost
                free_at = max(free_at, loop.time()) + 8 * len(data) / self.rate + lost * self.rtt_s
                await queue.put((free_at + self.rtt_s / 2, data))
                await asyncio.sleep(max(0.0, free_at - loop.time()))
        finally:
            await queue.put((0.0, b""))
            await arriving


async def _arrive(queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        at, data = await queue.get()
        if not data:
            writer.close()
            return
        await asyncio.sleep(max(0.0, at - loop.time()))
        writer.write(data)
        await writer.drain()
