"""Frames on a stream between a site's agent and its worker: 8 bytes of length, big-endian, then so many bytes."""

from __future__ import annotations

import struct
from socket import socket
from typing import BinaryIO

LENGTH = struct.Struct(">Q")
CHUNK = 2**20  # bytes at a time of a frame that is thrown away


def send(connection: socket, data: bytes) -> None:
    """Write a frame; BrokenPipeError or ConnectionResetError if nobody reads any more."""
    connection.sendall(LENGTH.pack(len(data)))
    connection.sendall(data)


def receive(stream: BinaryIO, limit: int) -> bytes | int:
    """Read a frame; of one longer than `limit` only its length, the bytes are read and thrown away. EOFError where the stream ends."""
    (length,) = LENGTH.unpack(_exactly(stream, LENGTH.size))
    if length <= limit:
        return _exactly(stream, length)
    left = length
    while left:
        left -= len(_exactly(stream, min(left, CHUNK)))
    return int(length)


def _exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("the other end has closed the stream")
    return data
