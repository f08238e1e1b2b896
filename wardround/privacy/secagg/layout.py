"""How requests and replies are laid out: a head of 48 bytes, then records of fixed length.

    head    magic 4 | stage 1 | is_reply 1 | sender's place 2 | round 4 | attempt 4 | manifest digest 32      (little-endian)
    records count 2, then for each: site's place in the manifest 2 | bytes of a length that the stage fixes, places rising
    masked  numbers 4 | bytes a number 1 | zeros 3 | the numbers, the weight last | signature 64
"""

from __future__ import annotations

import struct
from typing import Literal, get_args

Stage = Literal["advertise", "share", "masked", "consent", "unmask"]
STAGES: tuple[Stage, ...] = get_args(Stage)
MAGIC = b"WSA1"
HEAD = struct.Struct("<4sBBHII32s")
SERVER = 0xFFFF
MOST_COUNT = 2**32 - 1  # of rounds and attempts

KEY_BYTES = 32
SIGNATURE_BYTES = 64
ADVERT_BYTES = 3 * KEY_BYTES + SIGNATURE_BYTES  # c, s, commitment to b, signature
SHARE_BYTES = 66  # a number below 2^521
SEALED_BYTES = 2 * SHARE_BYTES + 16  # shares of b and of s, and the tag of ChaCha20Poly1305
OF_SEED, OF_KEY = b"\0", b"\1"  # which secret an opened share is of
OPENED_BYTES = 1 + SHARE_BYTES  # which secret, its share
MASKED_HEAD = struct.Struct("<IB3x")  # numbers, bytes a number
WORD_BYTES = 4
WIDEST = max(ADVERT_BYTES, SEALED_BYTES, OPENED_BYTES)


def masked_bytes(size: int) -> int:
    """Of the body of a masked vector."""
    return MASKED_HEAD.size + WORD_BYTES * (size + 1) + SIGNATURE_BYTES
