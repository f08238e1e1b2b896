"""Hostile files, made by code: each function returns the bytes of one, or writes it. Nothing binary is kept in the repository."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

ZEROS = bytes(2**20)


def deflated(num_bytes: int, *, wbits: int = zlib.MAX_WBITS, head: bytes = b"") -> bytes:
    """head, then zeros up to so many bytes, compressed: a thousandth of it."""
    whole, rest = divmod(max(0, num_bytes - len(head)), len(ZEROS))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    begun = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(ZEROS) + packer.flush(zlib.Z_FULL_FLUSH)  # it stands on its own, so it may be repeated
    body = begun + megabyte * whole + packer.compress(ZEROS[:rest]) + packer.flush()
    if wbits < 0:
        return body
    is_gzip = wbits > zlib.MAX_WBITS
    total = (zlib.crc32 if is_gzip else zlib.adler32)(head)
    for part in (*[ZEROS] * whole, ZEROS[:rest]):
        total = (zlib.crc32 if is_gzip else zlib.adler32)(part, total)
    length = len(head) + whole * len(ZEROS) + rest
    if is_gzip:
        return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + body + struct.pack("<II", total, length % 2**32)
    return b"\x78\xda" + body + struct.pack(">I", total)


# pictures

def png(width: int, height: int, *, colour: int = 0, depth: int = 8, data: bytes | None = None, chunks: Iterable[bytes] = ()) -> bytes:
    """A PNG of zeros that announces this size. colour: 0 grey, 2 RGB. data: other content of IDAT than the compressed zeros."""
    row = 1 + -(-width * depth * {0: 1, 2: 3, 6: 4}[colour] // 8)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    content = deflated(row * height) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + b"".join([png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", content), png_chunk(b"IEND", b"")])


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def saved(picture: pillow.Image, form: str, **options: Any) -> bytes:
    """A picture as Pillow saves it."""
    memory = io.BytesIO()
    picture.save(memory, form, **options)
    return memory.getvalue()


def jpeg_of_scans(side: int, num: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times: a hundred bytes that cost a pass over all blocks each."""
    whole = saved(pillow.new("L", (side, side)), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * num + b"\xff\xd9"


def jpeg_sized(width: int, height: int) -> bytes:
    """A small JPEG whose header was changed to this size."""
    whole = bytearray(saved(pillow.new("L", (8, 8)), "JPEG"))
    frame = whole.index(b"\xff\xc0")
    whole[frame + 5:frame + 9] = struct.pack(">HH", height, width)
    return bytes(whole)


def tiff(directories: Iterable[Mapping[int, tuple[int, int, int]]], *, data: bytes = b"", next_of_last: int = 0) -> bytes:
    """A little-endian TIFF. directories: tag -> (type, count, value or offset), data: what follows the header, from byte 8 on."""
    parts, place = [struct.pack("<2sHI", b"II", 42, 8 + len(data)), data], 8 + len(data)
    held = list(directories)
    for number, directory in enumerate(held):
        place += 2 + 12 * len(directory) + 4
        entries = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(directory.items()))
        after = place if number < len(held) - 1 else next_of_last
        parts.append(struct.pack("<H", len(directory)) + entries + struct.pack("<I", after))
    return b"".join(parts)


def page(width: int, height: int, *, offset: int = 8, num_bytes: int = 1, compression: int = 1) -> dict[int, tuple[int, int, int]]:
    """A TIFF directory of a grey page in one strip."""
    return {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, compression), 262: (3, 1, 1), 273: (4, 1, offset),
            277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, num_bytes)}


# volumes

def nifti(shape: tuple[int, ...], data: bytes = b"", *, code: int = 2, bits: int = 8, offset: float = 352.0, magic: bytes = b"n+1\0",
          zooms: tuple[float, ...] = (1.0, 1.0, 1.0), slope: float = 0.0, affine: tuple[float, ...] = (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0),
          extension: bytes = bytes(4)) -> bytes:
    """A NIfTI-1 file that announces this shape; its data may be fewer."""
    head = bytearray(348)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, len(shape), *(*shape, *[1] * 7)[:7])
    struct.pack_into("<hh", head, 70, code, bits)
    struct.pack_into("<8f", head, 76, 1.0, *(*zooms, *[1.0] * 7)[:7])
    struct.pack_into("<ff", head, 108, offset, slope)
    struct.pack_into("<hh", head, 252, 0, 1)  # the affine is in srow
    struct.pack_into("<12f", head, 280, *affine)
    head[344:348] = magic
    return bytes(head) + extension + data


def nifti_2(shape: tuple[int, ...], data: bytes = b"", *, extension: bytes = bytes(4), offset: int = 544, intent: int = 0) -> bytes:
    """The same in NIfTI-2, whose lengths have 64 bits."""
    head = bytearray(540)
    struct.pack_into("<i", head, 0, 540)
    head[4:12] = b"n+2\0\r\n\x1a\n"
    struct.pack_into("<hh", head, 12, 2, 8)
    struct.pack_into("<8q", head, 16, len(shape), *(*shape, *[1] * 7)[:7])
    struct.pack_into("<8d", head, 104, *[1.0] * 8)
    struct.pack_into("<q", head, 168, offset)
    struct.pack_into("<ii", head, 344, 0, 1)
    struct.pack_into("<12d", head, 400, 1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0)
    struct.pack_into("<i", head, 504, intent)
    return bytes(head) + extension + data


def gzipped(head: bytes, num_bytes: int) -> bytes:
    """head, then zeros up to so many bytes, as gzip."""
    return deflated(num_bytes, wbits=zlib.MAX_WBITS | 16, head=head)


# DICOM

EXPLICIT, DEFLATED, RLE, JPEG = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50")


def element(group: int, number: int, kind: bytes, content: bytes) -> bytes:
    """A DICOM element, explicit VR, little endian."""
    content += b"\0" * (len(content) % 2) if kind in (b"UI", b"OB") else b" " * (len(content) % 2)
    if kind in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return struct.pack("<HH2sHI", group, number, kind, 0, len(content)) + content
    return struct.pack("<HH2sH", group, number, kind, len(content)) + content


def unsigned(group: int, number: int, value: int) -> bytes:
    return element(group, number, b"US", struct.pack("<H", value))


def dicom(rows: int, columns: int, pixels: bytes, *, frames: int = 1, bits: int = 8, syntax: str = EXPLICIT, preamble: bytes = bytes(128),
          before: bytes = b"", photometric: bytes = b"MONOCHROME2", samples: int = 1, further: bytes = b"") -> bytes:
    """A DICOM image. before: elements of groups below 0028; further: of group 0028 above 0101; pixels: the element PixelData."""
    meta = element(2, 0x10, b"UI", syntax.encode())
    body = before + b"".join([
        unsigned(0x28, 2, samples), element(0x28, 4, b"CS", photometric), element(0x28, 8, b"IS", str(frames).encode()),
        unsigned(0x28, 0x10, rows), unsigned(0x28, 0x11, columns), unsigned(0x28, 0x100, bits), unsigned(0x28, 0x101, bits),
        unsigned(0x28, 0x102, bits - 1), unsigned(0x28, 0x103, 0)]) + further + pixels
    return preamble + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + body


def pixel_data(content: bytes) -> bytes:
    return element(0x7fe0, 0x10, b"OW", content)


def fragments(*parts: bytes) -> bytes:
    """PixelData of a compressed syntax, one fragment a frame."""
    items = b"".join(struct.pack("<HHI", 0xfffe, 0xe000, len(part)) + part for part in (b"", *parts))
    return struct.pack("<HH2sHI", 0x7fe0, 0x10, b"OB", 0, 2**32 - 1) + items + struct.pack("<HHI", 0xfffe, 0xe0dd, 0)


def nested(depth: int) -> bytes:
    """A sequence in a sequence in a sequence, each of undefined length."""
    opened = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 2**32 - 1) + struct.pack("<HHI", 0xfffe, 0xe000, 2**32 - 1)
    closed = struct.pack("<HHI", 0xfffe, 0xe00d, 0) + struct.pack("<HHI", 0xfffe, 0xe0dd, 0)
    return opened * depth + closed * depth


# arrays, tensors, archives

def npy(shape: str, dtype: str, data: bytes = b"") -> bytes:
    """An array file whose header says what it is told to."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def zipped(entries: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return memory.getvalue()


def zip_of_entries(num: int) -> bytes:
    """A zip of so many empty files, each told in 47 bytes of its directory and nowhere else."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, num % 2**16, num % 2**16, num * len(entry), 0, 0)
    return entry * num + end


def tarred(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return memory.getvalue()


def tensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file with this header. length: what it claims the header's to be."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def picture_of(path: Path, *, side: int = 16, seed: int = 0) -> Path:
    """A small honest picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pillow.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side), dtype=np.uint8)).save(path)
    return path


def gzip_of(content: bytes) -> bytes:
    return gzip.compress(content, 1)
