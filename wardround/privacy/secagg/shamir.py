"""Secrets shared so that any t shares give them and t-1 tell nothing: Shamir 1979, over the numbers below the prime 2^521 - 1.

Too few or wrong shares give another secret, not an error: count before, compare with a commitment after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

PRIME = 2**521 - 1
NUM_BYTES = 66


def split(secret: bytes, threshold: int, places: Sequence[int], entropy: Callable[[int], bytes]) -> dict[int, bytes]:
    """The share of each place (from 0): a polynomial of degree t-1 with the secret as its constant, at place + 1. secret: 32 bytes."""
    coefficients = [_below_prime(entropy) for _ in range(threshold - 1)] + [int.from_bytes(secret, "little")]
    shares: dict[int, bytes] = {}
    for place in places:
        value = 0
        for coefficient in coefficients:
            value = (value * (place + 1) + coefficient) % PRIME
        shares[place] = value.to_bytes(NUM_BYTES, "little")
    return shares


def lagrange(places: Sequence[int]) -> list[int]:
    """What each place's share counts in the secret: the Lagrange basis at 0."""
    factors = []
    for i in places:
        above, below = 1, 1
        for j in places:
            if j != i:
                above, below = above * (j + 1) % PRIME, below * (j - i) % PRIME
        factors.append(above * pow(below, -1, PRIME) % PRIME)
    return factors


def join(shares: Sequence[bytes], factors: Sequence[int]) -> bytes | None:
    """The secret of exactly t shares, in the order of `factors`; None if it has more than 32 bytes: then a share is wrong."""
    values = (int.from_bytes(share, "little") for share in shares)
    secret = sum(factor * value for factor, value in zip(factors, values, strict=True)) % PRIME
    return secret.to_bytes(32, "little") if secret < 2**256 else None


def _below_prime(entropy: Callable[[int], bytes]) -> int:
    """Uniform in 0..PRIME-1: the one number too large is drawn again."""
    while (number := int.from_bytes(entropy(NUM_BYTES), "little") & PRIME) == PRIME:
        pass
    return number
