"""Requests and replies: written in one way only, read with every length checked before anything is looked at.

What arrives is hostile. layout.py says how the bytes lie.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wardround.privacy.secagg import layout
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.layout import STAGES, Stage
from wardround.privacy.secagg.manifest import MOST_SITES, Manifest


@dataclass(frozen=True)
class Context:
    """Which attempt of which round of which study: what all signatures, keys and messages are bound to."""

    manifest: Manifest
    round: int
    attempt: int

    def __post_init__(self) -> None:
        if not (0 <= self.round <= layout.MOST_COUNT and 0 <= self.attempt <= layout.MOST_COUNT):
            raise SecureError(f"round {self.round} or attempt {self.attempt} is not 0 to {layout.MOST_COUNT}", fault="attempt")

    def bind(self, label: str, *parts: bytes) -> bytes:
        """One text for signing or deriving: no two different lists of parts give the same."""
        study = self.manifest.study.encode()
        all_parts = (b"wardround secure aggregation 1", label.encode(), study, self.manifest.digest,
                     struct.pack("<II", self.round, self.attempt), *parts)
        return b"".join(struct.pack("<I", len(part)) + part for part in all_parts)

    def advert(self, place: int, keys: bytes) -> bytes:
        """What a site signs in stage 0. keys: c, s and the commitment, 96 bytes."""
        return self.bind("advertise", _word(place), keys)

    def seed(self, place: int) -> bytes:
        """What a commitment to the seed of a site's own mask is bound to, and what that mask's key is derived for."""
        return self.bind("self", _word(place))

    def shares(self, sender: int, receiver: int) -> bytes:
        """What the key for one site's shares to another is derived for."""
        return self.bind("share", _word(sender), _word(receiver))

    def pair(self, one: int, other: int) -> bytes:
        """What the key of two sites' mask is derived for."""
        return self.bind("mask", _word(min(one, other)), _word(max(one, other)))

    def vector(self, place: int, digest: bytes) -> bytes:
        """What a site signs in stage 2. digest: SHA-256 of its masked vector."""
        return self.bind("masked", _word(place), digest)

    def survivors(self, adverts: Mapping[int, bytes], sharers: Iterable[int], survivors: Iterable[int]) -> bytes:
        """What all survivors sign in stage 3: the keys, the sharers and the survivors that each was shown."""
        return self.bind("consent", hashlib.sha256(pack_records(adverts)).digest(), pack_places(sharers), pack_places(survivors))

    def head(self, stage: Stage, sender: int) -> bytes:
        """The head of a request (sender SERVER) or of a reply (the site's place)."""
        is_reply = sender != layout.SERVER
        return layout.HEAD.pack(layout.MAGIC, STAGES.index(stage), is_reply, sender, self.round, self.attempt, self.manifest.digest)

    def body(self, message: bytes, stage: Stage, sender: int, length: int | None = None) -> memoryview:
        """What follows the head; SecureError unless the message is of this attempt, stage and sender. length: of the body, if known."""
        begun = begin_of(message, stage, sender, self.manifest)
        if begun != (self.round, self.attempt):
            raise SecureError(f"a message of round {begun[0]}, attempt {begun[1]} came in round {self.round}, attempt {self.attempt}. "
                              "It is too late or replayed.", fault="attempt", stage=stage)
        if length is not None and len(message) != layout.HEAD.size + length:
            raise _wrong_size(len(message), layout.HEAD.size + length, stage)
        return memoryview(message)[layout.HEAD.size:]


def begin_of(message: bytes, stage: Stage, sender: int, manifest: Manifest) -> tuple[int, int]:
    """(round, attempt) of a message; SecureError unless it is of this stage, sender and manifest."""
    most = layout.HEAD.size + _most_body(manifest)
    if not isinstance(message, (bytes, bytearray, memoryview)) or not layout.HEAD.size <= len(message) <= most:
        raise SecureError(f"a message is not {layout.HEAD.size} to {most} bytes", fault="size", stage=stage)
    magic, number, is_reply, place, at_round, attempt, digest = layout.HEAD.unpack_from(message)
    if magic != layout.MAGIC or is_reply != (sender != layout.SERVER) or place != sender:
        raise SecureError("these bytes are no message of this protocol, or one of another sender", fault="format", stage=stage)
    if digest != manifest.digest:
        raise SecureError("the manifest is not the one that was approved: sites, keys, threshold, bits, bound, weights or size were "
                          "changed afterwards. Approve the new one at every site, or go back to the old.", fault="manifest", stage=stage)
    if number != STAGES.index(stage):
        raise SecureError(f"a message of stage {number} came in stage {STAGES.index(stage)} ({stage})", fault="stage", stage=stage)
    return at_round, attempt


def pack_records(records: Mapping[int, bytes]) -> bytes:
    """Records by rising place."""
    return struct.pack("<H", len(records)) + b"".join(struct.pack("<H", place) + records[place] for place in sorted(records))


def read_records(body: bytes | memoryview, width: int, num_sites: int, stage: Stage) -> dict[int, bytes]:
    """Records of `width` bytes each; SecureError for another length, and for places that are unknown or do not rise."""
    if len(body) < 2 or (len(body) - 2) % (width + 2):
        raise SecureError(f"{len(body)} bytes are not whole records of {width}", fault="size", stage=stage)
    count = struct.unpack_from("<H", body)[0]
    if count > num_sites or len(body) != 2 + count * (width + 2):
        raise _wrong_size(len(body), 2 + count * (width + 2), stage)
    records: dict[int, bytes] = {}
    last = -1
    for start in range(2, len(body), width + 2):
        place = struct.unpack_from("<H", body, start)[0]
        if not last < place < num_sites:
            raise SecureError(f"site number {place} is unknown, repeated or out of order", fault="format", stage=stage)
        records[place] = bytes(body[start + 2:start + 2 + width])
        last = place
    return records


def pack_places(places: Iterable[int]) -> bytes:
    """A set of sites, as records without content."""
    return pack_records(dict.fromkeys(places, b""))


def named(manifest: Manifest, places: Iterable[int]) -> str:
    """Sites as a reader knows them."""
    return ", ".join(manifest.names[place] for place in sorted(places)) or "none"


def _word(place: int) -> bytes:
    return struct.pack("<H", place)


def _most_body(manifest: Manifest) -> int:
    return max(2 + MOST_SITES * (2 + layout.WIDEST), layout.masked_bytes(manifest.size))


def _wrong_size(found: int, expected: int, stage: Stage) -> SecureError:
    return SecureError(f"a message has {found} bytes, not {expected}", fault="size", stage=stage)
