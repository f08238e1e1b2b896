"""Keys and certificates: what each certificate is for, what NVFLARE and TLS accept, and what is refused."""

import hashlib
import runpy
import ssl
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from wardround.errors import MissingExtra, NetworkError
from wardround.network import keys
from wardround.network.keys import Period

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
YEAR = Period(start=NOW, end=NOW + timedelta(days=365))


@pytest.fixture(scope="module")
def root_key() -> str:
    return keys.new_key()


@pytest.fixture(scope="module")
def root(root_key: str) -> str:
    return keys.authority(root_key, "clinics", YEAR)


@pytest.fixture(scope="module")
def key() -> str:
    return keys.new_key()


def made(root_key: str, root: str, key: str, name: str = "north", purpose: keys.Purpose = "site", period: Period = YEAR) -> str:
    return keys.certificate(root_key, root, key, name=name, org="clinics", purpose=purpose, period=period)


def test_a_certificate_says_whose_it_is_and_until_when(root_key: str, root: str, key: str) -> None:
    found = keys.read(made(root_key, root, keys.request(key, "north", "clinics")))
    assert (found.name, found.org, found.role, found.is_authority) == ("north", "clinics", "", False)
    assert found.period == YEAR
    assert found.key == keys.key_fingerprint(key)


def test_of_a_request_nothing_but_the_key_counts(root_key: str, root: str, key: str) -> None:
    found = keys.read(made(root_key, root, keys.request(key, "coordinator@clinics", "elsewhere"), name="north"))
    assert (found.name, found.org) == ("north", "clinics")


def test_no_certificate_outlives_the_root(root_key: str, root: str, key: str) -> None:
    later = Period(start=NOW, end=NOW + timedelta(days=9999))
    assert keys.read(made(root_key, root, key, period=later)).period.end == YEAR.end


CLIENT, SERVER = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"


@pytest.mark.parametrize(("purpose", "usage"), [("site", CLIENT), ("admin", CLIENT), ("server", SERVER)])
def test_a_certificate_serves_one_purpose(root_key: str, root: str, key: str, purpose: keys.Purpose, usage: str) -> None:
    pem = made(root_key, root, key, name="host", purpose=purpose)
    found = x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [oid.dotted_string for oid in found] == [usage]
    assert keys.read(pem).role == ("project_admin" if purpose == "admin" else "")


@pytest.mark.parametrize(("host", "kind"), [("fl.example.org", x509.DNSName), ("192.0.2.7", x509.IPAddress)])
def test_a_host_is_named_as_tls_looks_for_it(root_key: str, root: str, key: str, host: str, kind: type) -> None:
    pem = made(root_key, root, key, name=host, purpose="server")
    names = x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [type(name) for name in names] == [kind]


def test_certificates_stand_the_strictest_check(root_key: str, root: str, key: str) -> None:
    """As browsers check a server (CA/Browser Forum profile) and as OpenSSL does by default from Python 3.13 on."""
    store = Store([x509.load_pem_x509_certificate(root.encode())])
    server = x509.load_pem_x509_certificate(made(root_key, root, key, name="fl.example.org", purpose="server").encode())
    at = NOW + timedelta(days=1)
    PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName("fl.example.org")).verify(server, [])
    site = x509.load_pem_x509_certificate(made(root_key, root, key).encode())
    PolicyBuilder().store(store).time(at).build_client_verifier().verify(site, [])


def test_a_site_cannot_sign_for_others(root_key: str, root: str, key: str) -> None:
    own = made(root_key, root, key)
    forged = keys.certificate(key, own, keys.new_key(), name="south", org="clinics", purpose="site", period=YEAR)
    assert keys.is_issued_by(own, root)
    assert not keys.is_issued_by(forged, root)
    assert not keys.read(own).is_authority


def test_a_key_is_readable_by_its_owner_and_never_overwritten(key: str, tmp_path: Path) -> None:
    keys.save(tmp_path / "key.pem", key)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        keys.save(tmp_path / "key.pem", "another")
    assert (tmp_path / "key.pem").read_text() == key


def test_a_fingerprint_is_that_of_openssl_and_its_spoken_form_its_first_half(root: str) -> None:
    found = keys.fingerprint(root)
    assert len(found) == 95
    assert bytes.fromhex(found.replace(":", "")) == hashlib.sha256(ssl.PEM_cert_to_DER_cert(root)).digest()
    assert keys.spoken(found) == " ".join(found.replace(":", "")[i:i + 4] for i in range(0, 32, 4))


def test_a_signature_holds_for_its_data_and_key_alone(root_key: str, root: str, key: str) -> None:
    signed = keys.sign(root_key, b"a plan")
    assert keys.verify(root, b"a plan", signed)
    assert not keys.verify(root, b"a plan.", signed)
    assert not keys.verify(root, b"a plan", keys.sign(key, b"a plan"))
    assert not keys.verify(root, b"a plan", "not base64")


def test_what_is_no_certificate_request_or_key_is_refused(key: str) -> None:
    for read in (keys.read, keys.read_request, keys.key_fingerprint, keys.fingerprint):
        with pytest.raises(NetworkError, match="no certificate"):
            read("-----BEGIN NOTHING-----")
    with pytest.raises(NetworkError, match="no private key"):
        keys.sign("nothing", b"")


def test_an_edited_request_is_refused(key: str) -> None:
    csr = x509.load_pem_x509_csr(keys.request(key, "north", "clinics").encode()).public_bytes(serialization.Encoding.DER)
    edited = csr.replace(b"north", b"south")
    pem = x509.load_der_x509_csr(edited).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(NetworkError, match="was edited"):
        keys.read_request(pem)


def test_a_key_that_nvflare_cannot_use_is_refused() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "north")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(curve, hashes.SHA256())
    pem = curve.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    with pytest.raises(NetworkError, match="not RSA"):
        keys.sign(pem, b"")
    with pytest.raises(NetworkError, match="not RSA"):
        keys.read_request(csr.public_bytes(serialization.Encoding.PEM).decode())


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtra, match=r"a study over a network needs cryptography: pip install 'wardround\[network\]'"):
        runpy.run_path(str(keys.__file__))
