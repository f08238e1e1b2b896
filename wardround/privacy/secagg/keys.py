"""The keys of an attempt: X25519 (RFC 7748), HKDF-SHA256 (RFC 5869), Ed25519 signatures (RFC 8032), ChaCha20Poly1305 (RFC 8439).

Private keys are made of bytes that the caller draws, so that they come from the entropy that the site was given.
"""

from __future__ import annotations

import hashlib
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from wardround.extras import need
from wardround.privacy.secagg.faults import SecureError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

NONCE = bytes(12)  # each key of `derive` encrypts one message only


@cache
def primitive(module: str) -> ModuleType:
    """A module of cryptography.hazmat.primitives; MissingExtra where the package is absent."""
    return need(f"cryptography.hazmat.primitives.{module}", extra="privacy", purpose="secure aggregation")


def private_of(secret: bytes) -> X25519PrivateKey:
    """The X25519 private key of 32 random bytes."""
    key: X25519PrivateKey = primitive("asymmetric.x25519").X25519PrivateKey.from_private_bytes(secret)
    return key


def public_of(private: X25519PrivateKey) -> bytes:
    """The X25519 public key, 32 bytes."""
    return private.public_key().public_bytes_raw()


def agree(private: X25519PrivateKey, public: bytes, site: str = "") -> bytes:
    """The X25519 shared secret; SecureError for a public key of small order (RFC 7748, section 6.1: all zero). site: whose it is."""
    try:
        return private.exchange(primitive("asymmetric.x25519").X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise SecureError("its public key gives a secret that anyone knows. Do not trust it.", fault="weak-key", site=site) from None


def derive(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 without salt: a key of 32 bytes for one purpose."""
    key: bytes = primitive("kdf.hkdf").HKDF(algorithm=primitive("hashes").SHA256(), length=32, salt=None, info=info).derive(secret)
    return key


def sign(identity: Ed25519PrivateKey, text: bytes) -> bytes:
    """64 bytes."""
    return identity.sign(text)


def is_signed(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the Ed25519 key's owner signed this text."""
    key = primitive("asymmetric.ed25519").Ed25519PublicKey.from_public_bytes(public)
    invalid = need("cryptography.exceptions", extra="privacy", purpose="secure aggregation").InvalidSignature
    try:
        key.verify(signature, text)
    except invalid:
        return False
    return True


def seal(key: bytes, text: bytes, bound_to: bytes) -> bytes:
    """ChaCha20Poly1305: the text encrypted, 16 bytes longer. key: used for nothing else."""
    sealed: bytes = primitive("ciphers.aead").ChaCha20Poly1305(key).encrypt(NONCE, text, bound_to)
    return sealed


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes | None:
    """The text, or None if it was changed or belongs elsewhere."""
    invalid = need("cryptography.exceptions", extra="privacy", purpose="secure aggregation").InvalidTag
    try:
        text: bytes = primitive("ciphers.aead").ChaCha20Poly1305(key).decrypt(NONCE, sealed, bound_to)
    except invalid:
        return None
    return text


def commitment(seed: bytes, bound_to: bytes) -> bytes:
    """SHA-256 of 32 random bytes and what they are for: tells nothing about them, fits no others."""
    return hashlib.sha256(bound_to + seed).digest()
