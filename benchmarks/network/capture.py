"""Every TCP segment that crosses the loopback on some ports: what somebody on the wire would have."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Self

ALL = 3  # ETH_P_ALL


@dataclass
class Capture:
    """Needs the right to open a packet socket (root). data: the payloads, one after another."""

    ports: tuple[int, ...]
    data: bytearray = field(default_factory=bytearray)
    num_packets: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
        self._socket.bind(("lo", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**26)
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        while not self._is_over.is_set():
            try:
                frame = self._socket.recv(2**17)
            except TimeoutError:
                continue
            packet = frame[14:]  # after the Ethernet header
            if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
                continue
            tcp = packet[4 * (packet[0] & 15) :]
            source, target = struct.unpack("!HH", tcp[:4])
            if source in self.ports or target in self.ports:
                self.num_packets += 1
                self.data += tcp[4 * (tcp[12] >> 4) :]
