"""What sites advertise in stage 0: two public keys and a commitment, signed with the key that the manifest pins."""

from __future__ import annotations

from collections.abc import Mapping

from wardround.privacy.secagg.faults import refuse
from wardround.privacy.secagg.keys import is_signed
from wardround.privacy.secagg.layout import ADVERT_BYTES, KEY_BYTES, SIGNATURE_BYTES
from wardround.privacy.secagg.messages import Context

NUM_KEYS = ADVERT_BYTES - SIGNATURE_BYTES


def for_shares(advert: bytes) -> bytes:
    """c, the X25519 public key with which shares are encrypted."""
    return advert[:KEY_BYTES]


def for_masks(advert: bytes) -> bytes:
    """s, the X25519 public key of the pair masks."""
    return advert[KEY_BYTES:2 * KEY_BYTES]


def committed(advert: bytes) -> bytes:
    """The commitment to b, the seed of the site's own mask."""
    return advert[2 * KEY_BYTES:3 * KEY_BYTES]


def check_advert(advert: bytes, place: int, context: Context) -> None:
    """SecureError unless the site's pinned key signed it for this round and attempt."""
    name = context.manifest.names[place]
    if not is_signed(context.manifest.keys[name], advert[NUM_KEYS:], context.advert(place, advert[:NUM_KEYS])):
        raise refuse("its keys are not signed by the key in the manifest for this round and attempt: swapped on the way, replayed from "
                     "another round, or damaged", "signature", "share", name)


def check_distinct(adverts: Mapping[int, bytes], context: Context) -> None:
    """SecureError if any two public keys are equal: no two honest sites draw the same."""
    owner: dict[bytes, int] = {}
    for place, advert in sorted(adverts.items()):
        for key in (for_shares(advert), for_masks(advert), committed(advert)):
            if key in owner:
                names = context.manifest.names
                raise refuse(f"its keys are also those of {names[owner[key]]}. One of them copied.", "same-key", "share", names[place])
            owner[key] = place
