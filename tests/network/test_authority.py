"""A study's authority: its root, whom it lets in and for how long, and what NVFLARE itself says to its certificates."""

import json
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from wardround.errors import NetworkError
from wardround.network import authority, keys
from wardround.network.folders import StudyFolder

IDENTITY = pytest.importorskip("nvflare.private.fed.utils.identity_utils")
ADMIN = pytest.importorskip("nvflare.fuel.sec.admin_cert")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    study = StudyFolder(tmp_path_factory.mktemp("founded"))
    record = {"name": "clinics", "host": "localhost", "port": 8002, "admin_port": 8003, "sites": ["north", "south"]}
    (study.path / "study.json").write_text(json.dumps(record))
    authority.found(study, name="clinics", host="localhost")
    return study


@pytest.fixture
def study(founded: StudyFolder, tmp_path: Path) -> StudyFolder:
    return StudyFolder(Path(shutil.copytree(founded.path, tmp_path / "study")))


@pytest.fixture(scope="module")
def key() -> str:
    return keys.new_key()


@pytest.fixture(scope="module")
def csr(key: str) -> str:
    return keys.request(key, "north", "clinics")


def test_the_root_key_is_the_coordinators_alone(study: StudyFolder) -> None:
    assert stat.S_IMODE(study.authority.stat().st_mode) == 0o700
    for name in ("root.key", "server.key", "admin.key"):
        assert stat.S_IMODE((study.authority / name).stat().st_mode) == 0o600


def test_a_second_root_is_refused(study: StudyFolder) -> None:
    before = (study.authority / "root.key").read_text()
    with pytest.raises(NetworkError, match="has a root key already"):
        authority.found(study, name="clinics", host="localhost")
    assert (study.authority / "root.key").read_text() == before


@pytest.mark.parametrize(("name", "host"), [("two words", "localhost"), ("../x", "localhost"), ("", "localhost"), ("clinics", "a b"),
                                            ("clinics", "fl.example.org:8002"), ("clinics", "a" * 65)])
def test_names_that_certificates_cannot_hold_are_refused_before_anything_is_made(tmp_path: Path, name: str, host: str) -> None:
    with pytest.raises(NetworkError, match=r"cannot name a study|is no host"):
        authority.found(StudyFolder(tmp_path / "new"), name=name, host=host)
    assert not (tmp_path / "new").exists()


def test_a_site_has_two_years(study: StudyFolder, csr: str) -> None:
    found = keys.read(authority.sign(study, csr, "north", "clinics"))
    assert found.period.end - datetime.now(UTC) > timedelta(days=729)
    assert authority.issued(study)["north"]["serial"] == found.serial
    assert keys.is_issued_by(authority.sign(study, csr, "north", "clinics"), authority.root_of(study))


def test_a_revoked_site_is_refused_with_all_certificates_of_its_key(study: StudyFolder, csr: str) -> None:
    first, second = (keys.read(authority.sign(study, csr, "north", "clinics")) for _ in range(2))
    assert authority.refusal(study, "north", first.serial, first.period.end) is None
    authority.revoke(study, "north")
    assert authority.is_revoked(study, first.serial) and authority.is_revoked(study, second.serial)
    for found in (first, second):
        assert authority.refusal(study, "north", found.serial, found.period.end) == "the certificate of 'north' was revoked"


def test_a_site_readmitted_with_a_new_key_is_let_in_and_its_old_key_is_not(study: StudyFolder, csr: str) -> None:
    old = keys.read(authority.sign(study, csr, "north", "clinics"))
    authority.revoke(study, "north")
    new = keys.read(authority.sign(study, keys.request(keys.new_key(), "north", "clinics"), "north", "clinics"))
    assert authority.refusal(study, "north", new.serial, new.period.end) is None
    assert authority.refusal(study, "north", old.serial, old.period.end) is not None


def test_revoking_twice_or_a_stranger_is_named(study: StudyFolder, csr: str) -> None:
    with pytest.raises(NetworkError, match=r"'south' was never admitted.*Admitted: none"):
        authority.revoke(study, "south")
    authority.sign(study, csr, "north", "clinics")
    authority.revoke(study, "north")
    with pytest.raises(NetworkError, match="revoked already"):
        authority.revoke(study, "north")


def test_only_the_studys_sites_and_its_coordinator_are_let_in(study: StudyFolder, csr: str) -> None:
    found = keys.read(authority.sign(study, csr, "north", "clinics"))
    end = found.period.end
    assert authority.refusal(study, "coordinator@clinics", "AB", end) is None
    assert "is no site of study 'clinics'" in str(authority.refusal(study, "west", found.serial, end))
    assert "not among those" in str(authority.refusal(study, "south", found.serial, end))
    assert "expired on" in str(authority.refusal(study, "north", found.serial, end, now=end + timedelta(seconds=1)))


def test_a_damaged_list_of_revocations_lets_nobody_in(study: StudyFolder, csr: str) -> None:
    found = keys.read(authority.sign(study, csr, "north", "clinics"))
    (study.authority / "revoked.json").write_text("[{]")
    with pytest.raises(NetworkError, match="no site can be let in"):
        authority.refusal(study, "north", found.serial, found.period.end)


def test_of_two_revocation_lists_the_later_is_later_to_the_second(study: StudyFolder, csr: str) -> None:
    before = x509.load_pem_x509_crl((study.authority / "revoked.crl").read_bytes())
    serial = keys.read(authority.sign(study, csr, "north", "clinics")).serial
    authority.revoke(study, "north")
    after = x509.load_pem_x509_crl((study.authority / "revoked.crl").read_bytes())
    assert [keys.serial_text(entry.serial_number) for entry in after] == [serial] and len(before) == 0
    assert after.last_update_utc > before.last_update_utc


def test_certificates_of_server_and_coordinator_are_renewed_in_time(study: StudyFolder) -> None:
    before = (study.authority / "server.crt").read_text()
    assert not authority.refresh(study)
    later = datetime.now(UTC) + timedelta(days=705)
    assert authority.refresh(study, now=later)
    after = (study.authority / "server.crt").read_text()
    assert keys.read(after).period.end > keys.read(before).period.end
    assert keys.read(after).key == keys.read(before).key


def test_another_host_makes_another_certificate_of_the_server(study: StudyFolder) -> None:
    (study.path / "study.json").write_text(json.dumps({**study.record(), "host": "fl.example.org"}))
    assert authority.refresh(study)
    assert keys.read((study.authority / "server.crt").read_text()).name == "fl.example.org"


def test_without_the_root_key_nothing_is_signed(study: StudyFolder, csr: str) -> None:
    (study.authority / "root.key").unlink()
    with pytest.raises(NetworkError, match="only the machine that keeps the root key"):
        authority.sign(study, csr, "north", "clinics")
    (study.authority / "root.crt").unlink()
    with pytest.raises(NetworkError, match="wardround study new"):
        authority.root_of(study)


def test_texts_are_signed_by_the_root(study: StudyFolder) -> None:
    signed = authority.signature(study, b"a plan")
    assert authority.verify(authority.root_of(study), b"a plan", signed)
    assert not authority.verify(authority.root_of(study), b"another", signed)


@pytest.mark.parametrize("chain", [None, []])
def test_nvflare_lets_our_site_register(study: StudyFolder, csr: str, key: str, tmp_path: Path, chain: list[str] | None) -> None:
    (tmp_path / "site.crt").write_text(authority.sign(study, csr, "north", "clinics"))
    keys.save(tmp_path / "key.pem", key)
    asserter = IDENTITY.IdentityAsserter(str(tmp_path / "key.pem"), str(tmp_path / "site.crt"))
    verifier = IDENTITY.IdentityVerifier(str(study.authority / "root.crt"))
    signed = asserter.sign_common_name("a nonce")
    assert verifier.verify_common_name("north", "a nonce", asserter.cert, signed, chain, ExtendedKeyUsageOID.CLIENT_AUTH)
    with pytest.raises(IDENTITY.CNMismatch):
        verifier.verify_common_name("south", "a nonce", asserter.cert, signed, chain, ExtendedKeyUsageOID.CLIENT_AUTH)
    with pytest.raises(IDENTITY.InvalidAsserterCert):
        verifier.verify_common_name("north", "a nonce", asserter.cert, signed, chain, ExtendedKeyUsageOID.SERVER_AUTH)


@pytest.mark.parametrize("chain", [None, []])
def test_nvflare_takes_our_server_for_the_server(study: StudyFolder, chain: list[str] | None) -> None:
    asserter = IDENTITY.IdentityAsserter(str(study.authority / "server.key"), str(study.authority / "server.crt"))
    verifier = IDENTITY.IdentityVerifier(str(study.authority / "root.crt"))
    signed = asserter.sign_common_name("a nonce")
    assert verifier.verify_common_name("localhost", "a nonce", asserter.cert, signed, chain, ExtendedKeyUsageOID.SERVER_AUTH)


def test_nvflare_takes_our_coordinator_for_an_admin(study: StudyFolder) -> None:
    asserter = IDENTITY.IdentityAsserter(str(study.authority / "admin.key"), str(study.authority / "admin.crt"))
    verifier = IDENTITY.IdentityVerifier(str(study.authority / "root.crt"))
    assert verifier.verify_common_name("coordinator@clinics", "", asserter.cert, asserter.sign_common_name(""), [])
    ADMIN.validate_admin_leaf_cert(asserter.cert)
    assert keys.read((study.authority / "admin.crt").read_text()).role == "project_admin"


def test_nvflare_refuses_a_site_of_another_study(study: StudyFolder, key: str, csr: str, tmp_path: Path) -> None:
    other = StudyFolder(tmp_path / "other")
    authority.found(other, name="clinics", host="localhost")
    (tmp_path / "site.crt").write_text(authority.sign(other, csr, "north", "clinics"))
    keys.save(tmp_path / "key.pem", key)
    asserter = IDENTITY.IdentityAsserter(str(tmp_path / "key.pem"), str(tmp_path / "site.crt"))
    verifier = IDENTITY.IdentityVerifier(str(study.authority / "root.crt"))
    with pytest.raises(IDENTITY.InvalidAsserterCert):
        verifier.verify_common_name("north", "n", asserter.cert, asserter.sign_common_name("n"), [], ExtendedKeyUsageOID.CLIENT_AUTH)
