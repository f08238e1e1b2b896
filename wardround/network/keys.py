"""Keys and certificates of a study: RSA-2048 and SHA-256, as NVFLARE signs with. Everything is PEM text; times are UTC.

A certificate names its holder (CN) and the study (O), and says what it is for, so that no hospital can pass for the server.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from wardround.errors import NetworkError
from wardround.extras import need

need("cryptography", extra="network", purpose="a study over a network")

# Below the check, so that a missing package is named with its remedy. No other module imports cryptography.
from cryptography import x509  # noqa: E402
from cryptography.exceptions import InvalidSignature  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: E402

KEY_BITS = 2048
PURPOSES = {"site": (ExtendedKeyUsageOID.CLIENT_AUTH,), "admin": (ExtendedKeyUsageOID.CLIENT_AUTH,),
            "server": (ExtendedKeyUsageOID.SERVER_AUTH,)}
Purpose = Literal["site", "admin", "server"]
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.MAX_LENGTH)


@dataclass(frozen=True, kw_only=True)
class Period:
    """From when until when a certificate holds (UTC)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What a certificate says. serial: hex digits. key: fingerprint of its public key. role: NVFLARE's role of an admin, else ""."""

    name: str
    org: str
    role: str
    serial: str
    period: Period
    fingerprint: str
    key: str
    is_authority: bool


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a certificate request asks: for whom, and for which key."""

    name: str
    key: str
    bits: int


def new_key() -> str:
    """A fresh private key, not encrypted (the file's rights keep it)."""
    return _private_pem(rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS))


def save(path: Path, key: str) -> None:
    """Write a private key that only its owner may read. FileExistsError rather than lose a key."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key)


def new_identity() -> str:
    """A fresh private Ed25519 key, not encrypted: a site signs its part in secure sums with it."""
    return _private_pem(ed25519.Ed25519PrivateKey.generate())


def identity(pem: str) -> ed25519.Ed25519PrivateKey:
    """The key; NetworkError if the text is none."""
    try:
        found = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnicodeEncodeError) as error:
        raise NetworkError(f"no private key ({error})") from error
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise NetworkError("a private key that is not Ed25519, with which nothing is signed here")
    return found


def request(key: str, name: str, org: str) -> str:
    """A certificate request for the key's holder, signed by the key."""
    return _pem(x509.CertificateSigningRequestBuilder().subject_name(_subject(name, org)).sign(_private(key), hashes.SHA256()))


def read_request(csr: str) -> Request:
    """NetworkError unless it is a request for an RSA key, signed by that key."""
    try:
        found = x509.load_pem_x509_csr(csr.encode())
        public = found.public_key()
        is_signed = found.is_signature_valid
    except (ValueError, UnicodeEncodeError) as error:
        raise NetworkError(f"no certificate request ({error})") from error
    if not isinstance(public, rsa.RSAPublicKey):
        raise NetworkError("a certificate request for a key that is not RSA, which NVFLARE cannot use")
    if not is_signed:
        raise NetworkError("a certificate request whose signature does not fit its key: it was edited")
    return Request(name=_attribute(found.subject, NameOID.COMMON_NAME), key=_key_fingerprint(public), bits=public.key_size)


def authority(key: str, name: str, period: Period) -> str:
    """A root certificate of the key: it may sign certificates of sites, and nothing below these."""
    subject = _subject(name, name)
    builder = _builder(subject, subject, _private(key).public_key(), _private(key), period)
    return _pem(builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(_usage(is_authority=True), critical=True).sign(_private(key), hashes.SHA256()))


def certificate(root_key: str, root: str, holder: str, *, name: str, org: str, purpose: Purpose, period: Period) -> str:
    """A certificate for the public key of `holder` (a certificate request or a private key); of a request nothing but the key counts.

    It never holds longer than the root. A server's name is its host: a DNS name or an IP address.
    """
    issuer = _certificate(root)
    held = Period(start=max(period.start, issuer.not_valid_before_utc), end=min(period.end, issuer.not_valid_after_utc))
    role = "project_admin" if purpose == "admin" else ""
    builder = _builder(_subject(name, org, role), issuer.subject, _public(holder), _private(root_key), held)
    return _pem(builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                .add_extension(_usage(is_authority=False), critical=True)
                .add_extension(x509.ExtendedKeyUsage(PURPOSES[purpose]), critical=False)
                .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
                .sign(_private(root_key), hashes.SHA256()))


def read(pem: str) -> Certificate:
    """NetworkError if it is no certificate."""
    found = _certificate(pem)
    try:
        is_authority = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        is_authority = False
    public = found.public_key()
    return Certificate(
        name=_attribute(found.subject, NameOID.COMMON_NAME), org=_attribute(found.subject, NameOID.ORGANIZATION_NAME),
        role=_attribute(found.subject, NameOID.UNSTRUCTURED_NAME), serial=serial_text(found.serial_number),
        period=Period(start=found.not_valid_before_utc, end=found.not_valid_after_utc), fingerprint=fingerprint(pem),
        key=_key_fingerprint(public) if isinstance(public, rsa.RSAPublicKey) else "", is_authority=is_authority)


def is_issued_by(pem: str, root: str) -> bool:
    """The root's key signed the certificate. Dates are not looked at."""
    try:
        _certificate(pem).verify_directly_issued_by(_certificate(root))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def revocations(root_key: str, root: str, serials: Sequence[str], at: datetime) -> str:
    """A certificate revocation list with these serials, as TLS reads it. It holds as long as the root."""
    issuer = _certificate(root)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(at).next_update(issuer.not_valid_after_utc)
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(at)
        builder = builder.add_revoked_certificate(entry.build())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(_private(root_key).public_key())
    return _pem(builder.add_extension(identifier, critical=False).sign(_private(root_key), hashes.SHA256()))


def revoked_at(crl: str) -> datetime:
    """When a revocation list was made."""
    return x509.load_pem_x509_crl(crl.encode()).last_update_utc


def fingerprint(pem: str) -> str:
    """SHA-256 of the certificate (DER), as "AB:CD:...": 32 bytes."""
    return _certificate(pem).fingerprint(hashes.SHA256()).hex(":").upper()


def key_fingerprint(holder: str) -> str:
    """SHA-256 of the public key (DER) of a certificate request or a private key, as "AB:CD:..."."""
    return _key_fingerprint(_public(holder))


def spoken(fingerprint: str) -> str:
    """The first 16 bytes of a fingerprint in groups of four hex digits, to be read over the phone.

    To pass for a given certificate somebody needs about 2^128 tries: out of reach. (Two certificates of one's own with the same 16
    bytes take 2^64, and help nobody: only the coordinator's is ever compared.)
    """
    digits = fingerprint.replace(":", "")[:32]
    return " ".join(digits[i:i + 4] for i in range(0, len(digits), 4))


def serial_text(serial: int) -> str:
    """A certificate's serial number as hex digits."""
    return f"{serial:X}"


def sign(key: str, data: bytes) -> str:
    """Signature of the data by a private key, base64 (RSA-PSS, SHA-256)."""
    return base64.b64encode(_private(key).sign(data, PSS, hashes.SHA256())).decode()


def verify(root: str, data: bytes, signature: str) -> bool:
    """The key of the certificate `root` signed the data."""
    public = _certificate(root).public_key()
    try:
        if not isinstance(public, rsa.RSAPublicKey):
            return False
        public.verify(base64.b64decode(signature, validate=True), data, PSS, hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _builder(subject: x509.Name, issuer: x509.Name, public: rsa.RSAPublicKey, signer: rsa.RSAPrivateKey,
             period: Period) -> x509.CertificateBuilder:
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(period.start).not_valid_after(period.end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False))


def _subject(name: str, org: str, role: str = "") -> x509.Name:
    parts = [(NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, org), (NameOID.UNSTRUCTURED_NAME, role)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=True, content_commitment=False, key_encipherment=not is_authority, data_encipherment=False,
                         key_agreement=False, key_cert_sign=is_authority, crl_sign=is_authority, encipher_only=False, decipher_only=False)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _attribute(subject: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except (ValueError, UnicodeEncodeError) as error:
        raise NetworkError(f"no certificate ({error})") from error


def _private(pem: str) -> rsa.RSAPrivateKey:
    try:
        found = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnicodeEncodeError) as error:
        raise NetworkError(f"no private key ({error})") from error
    if not isinstance(found, rsa.RSAPrivateKey):
        raise NetworkError("a private key that is not RSA, which NVFLARE cannot use")
    return found


def _public(holder: str) -> rsa.RSAPublicKey:
    if "PRIVATE KEY" in holder:
        return _private(holder).public_key()
    read_request(holder)
    public = x509.load_pem_x509_csr(holder.encode()).public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise NetworkError("a key that is not RSA, which NVFLARE cannot use")
    return public


def _key_fingerprint(public: rsa.RSAPublicKey) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex(":").upper()


def _pem(made: x509.Certificate | x509.CertificateSigningRequest | x509.CertificateRevocationList) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
