"""Each reason why a site cannot reach its server is named, with its remedy. The servers are real, small, and on 127.0.0.1."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from wardround.errors import NetworkError
from wardround.network import keys
from wardround.network.certificates import Finding, examine, server_verdict
from wardround.network.folders import SiteFolder
from wardround.network.keys import Period, Purpose

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
LONG = Period(start=NOW - 3000 * DAY, end=NOW + 3000 * DAY)
GOOD = Period(start=NOW - 100 * DAY, end=NOW + 100 * DAY)
OVER = Period(start=NOW - 100 * DAY, end=NOW - DAY)
AHEAD = Period(start=NOW + DAY, end=NOW + 100 * DAY)


class Authority:
    """A root and what it signs: each over the same few keys and made once, for speed."""

    def __init__(self) -> None:
        self.key = keys.new_key()
        self.root = keys.authority(self.key, "clinics", LONG)
        self.holders: dict[Purpose, str] = {"site": keys.new_key(), "server": keys.new_key()}
        self.made: dict[tuple[Purpose, str, Period], str] = {}

    def certificate(self, purpose: Purpose, name: str, period: Period = GOOD) -> str:
        found = purpose, name, period
        if found not in self.made:
            self.made[found] = keys.certificate(self.key, self.root, self.holders[purpose], name=name, org="clinics", purpose=purpose,
                                                period=period)
        return self.made[found]


@pytest.fixture(scope="module")
def ours() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def others() -> Authority:
    return Authority()


@pytest.fixture
def site(ours: Authority, tmp_path: Path) -> SiteFolder:
    folder = SiteFolder(tmp_path / "clinics-north")
    folder.path.mkdir()
    (folder.path / "site.json").write_text(json.dumps({"study": "clinics", "site": "north", "host": "127.0.0.1", "port": 1,
                                                       "fingerprint": keys.fingerprint(ours.root)}))
    (folder.path / "root.crt").write_text(ours.root)
    (folder.path / "site.crt").write_text(ours.certificate("site", "north"))
    keys.save(folder.key_file, ours.holders["site"])
    return folder


@contextmanager
def listening(site: SiteFolder, talk: Callable[[socket.socket], None]) -> Iterator[None]:
    """A server for one connection at the address in site.json."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        site.change(port=server.getsockname()[1])

        def serve() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(5)
                    talk(connection)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join()


def speaking_tls(folder: Path, of: Authority, *, trusts: Authority | None = None, certificate: str = "", key: str = "",
                 date: datetime | None = NOW, revoked: str = "", is_curt: bool = False,
                 newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Callable[[socket.socket], None]:
    """As NVFLARE's server: it asks for a certificate of its root, then answers any request with 404 and its Date."""
    (folder / "s.crt").write_text(certificate or of.certificate("server", "127.0.0.1"))
    (folder / "s.key").write_text(key or of.holders["server"])
    (folder / "ca.crt").write_text((trusts or of).root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.load_cert_chain(folder / "s.crt", folder / "s.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_NONE if is_curt else ssl.CERT_REQUIRED
    if revoked:
        (folder / "crl.pem").write_text(keys.revocations(of.key, of.root, [revoked], NOW - DAY))
        context.load_verify_locations(folder / "crl.pem")
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            if is_curt:
                return
            secure.recv(4096)
            told = f"Date: {format_datetime(date, usegmt=True)}\r\n" if date else ""
            secure.sendall(f"HTTP/1.1 404 Not Found\r\n{told}Content-Length: 0\r\n\r\n".encode())
    return talk


def bad(findings: list[Finding]) -> list[Finding]:
    assert all(found.remedy for found in findings if not found.ok)
    return [found for found in findings if not found.ok]


def test_where_all_is_well_everything_was_looked_at(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours)):
        found = examine(site, now=NOW)
    assert [(one.name, one.ok) for one in found] == [("own certificate", True), ("connection", True), ("server certificate", True),
                                                     ("clock", True), ("admission", True)]


def test_a_server_that_tells_no_date_leaves_the_clock_open(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours, date=None)):
        found = examine(site, now=NOW)
    assert bad(found) == [] and "clock" not in [one.name for one in found]


def test_a_site_without_a_kit_is_told_so(site: SiteFolder) -> None:
    (site.path / "site.crt").unlink()
    found, = examine(site)
    assert found.text == "site 'north' has no certificate yet" and "wardround site ready north.kit" in found.remedy


@pytest.mark.parametrize(("error", "text"), [
    (socket.gaierror(-2, "Name or service not known"), "the name 127.0.0.1 has no address here (Name or service not known)"),
    (TimeoutError(), "no answer from 127.0.0.1:1 within 5 s: most likely a firewall drops the connection"),
    (OSError(113, "No route to host"), "127.0.0.1:1 cannot be reached (No route to host)")])
def test_no_way_to_the_server_is_named(site: SiteFolder, monkeypatch: pytest.MonkeyPatch, error: OSError, text: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error
    monkeypatch.setattr(socket, "create_connection", fail)
    found, = bad(examine(site))
    assert found.text == text


def test_a_port_without_a_server_is_named(site: SiteFolder) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        site.change(port=taken.getsockname()[1])
    found, = bad(examine(site))
    assert "refuses connections: the machine is there, and no server listens" in found.text


def test_a_server_without_tls_is_named(site: SiteFolder) -> None:
    with listening(site, lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n" * 3)):
        found, = bad(examine(site))
    assert "does not speak TLS" in found.text


def test_a_server_that_hangs_up_is_named(site: SiteFolder) -> None:
    with listening(site, lambda connection: None):
        found, = bad(examine(site))
    assert "ended the connection during the TLS handshake" in found.text and "firewall" in found.remedy


def test_a_server_that_says_nothing_is_named(site: SiteFolder) -> None:
    done = threading.Event()
    with listening(site, lambda connection: done.wait(5) and None):
        found, = bad(examine(site, timeout_s=0.2))
        done.set()
    assert "says nothing within 0.2 s" in found.text


def test_a_server_of_another_root_is_named(site: SiteFolder, ours: Authority, others: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, others)):
        found, = bad(examine(site, now=NOW))
    assert "another study, or somebody stands between" in found.text and "firewall opens TLS" in found.remedy


def test_a_server_of_another_name_is_named(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours, certificate=ours.certificate("server", "fl.example.org"))):
        found, = bad(examine(site, now=NOW))
    assert "its certificate is for another host" in found.text


def test_a_site_that_poses_as_the_server_is_named(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours, certificate=ours.certificate("site", "127.0.0.1"), key=ours.holders["site"])):
        found, = bad(examine(site, now=NOW))
    assert "not the server's: somebody stands between" in found.text


def test_an_expired_server_is_named(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours, certificate=ours.certificate("server", "127.0.0.1", OVER))):
        found, = bad(examine(site, now=NOW))
    assert found.text.startswith("the certificate of the server expired on") and "start the server again" in found.remedy


def test_a_server_of_tomorrow_means_a_wrong_clock(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours, certificate=ours.certificate("server", "127.0.0.1", AHEAD))):
        found, = bad(examine(site, now=NOW))
    assert "most likely the clock is wrong" in found.text


def test_a_root_that_has_ended_is_named(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    late = LONG.end + DAY
    longer = Period(start=LONG.start, end=late + DAY)
    renewed = keys.certificate(ours.key, keys.authority(ours.key, "clinics", longer), ours.holders["server"], name="127.0.0.1",
                               org="clinics", purpose="server", period=longer)
    with listening(site, speaking_tls(tmp_path, ours, certificate=renewed, date=late)):
        texts = [found.text for found in bad(examine(site, now=late))]
    assert any("study's root certificate expired" in text for text in texts)


@pytest.mark.parametrize(("off", "text"), [
    (timedelta(hours=-2, minutes=-5), "2 h 5 min behind the server's"), (timedelta(minutes=7), "7 min ahead of the server's"),
    (timedelta(days=-50), "50 days behind the server's")])
def test_a_wrong_clock_is_measured_by_the_servers(site: SiteFolder, ours: Authority, tmp_path: Path, off: timedelta, text: str) -> None:
    with listening(site, speaking_tls(tmp_path, ours)):
        found, = bad(examine(site, now=NOW + off))
    assert found.name == "clock" and text in found.text and "timedatectl" in found.remedy


def test_a_clock_so_wrong_that_certificates_have_not_begun_is_measured(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours)):
        found = bad(examine(site, now=NOW - 200 * DAY))
    assert [one.name for one in found] == ["own certificate", "server certificate", "clock"]
    assert "200 days behind" in found[-1].text
    assert all("timedatectl" in one.remedy for one in found)


def test_a_few_minutes_are_no_wrong_clock(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours)):
        assert bad(examine(site, now=NOW + timedelta(seconds=290))) == []


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_expired_certificate_of_ours_is_named(site: SiteFolder, ours: Authority, tmp_path: Path, newest: ssl.TLSVersion) -> None:
    (site.path / "site.crt").write_text(ours.certificate("site", "north", OVER))
    with listening(site, speaking_tls(tmp_path, ours, newest=newest)):
        own, admission = bad(examine(site, now=NOW))
    assert own.text.startswith(f"the certificate of site 'north' expired on {OVER.end.date()}")
    assert admission.text == f"the server refuses site 'north': its certificate expired on {OVER.end.date()}"
    assert "send north.request to the coordinator again" in admission.remedy


def test_a_certificate_of_ours_that_begins_tomorrow_is_named(site: SiteFolder, ours: Authority, tmp_path: Path) -> None:
    (site.path / "site.crt").write_text(ours.certificate("site", "north", AHEAD))
    with listening(site, speaking_tls(tmp_path, ours)):
        own, admission = bad(examine(site, now=NOW))
    assert "the clock is wrong" in own.text
    assert "does not hold now" in admission.text


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_revoked_certificate_of_ours_is_named(site: SiteFolder, ours: Authority, tmp_path: Path, newest: ssl.TLSVersion) -> None:
    serial = keys.read((site.path / "site.crt").read_text()).serial
    with listening(site, speaking_tls(tmp_path, ours, revoked=serial, newest=newest)):
        found, = bad(examine(site, now=NOW))
    assert found.text == "the server refuses site 'north': its certificate was revoked"
    assert "join again in a new folder" in found.remedy


@pytest.mark.parametrize(("period", "text"), [(GOOD, "most likely it was revoked"), (OVER, "its certificate does not hold now")])
def test_a_server_that_hangs_up_on_our_certificate_without_a_word_is_named(site: SiteFolder, ours: Authority, tmp_path: Path,
                                                                           period: Period, text: str) -> None:
    """NVFLARE's own: asyncio does not send the alert."""
    (site.path / "site.crt").write_text(ours.certificate("site", "north", period))
    with listening(site, speaking_tls(tmp_path, ours, is_curt=True)):
        found = bad(examine(site, now=NOW))
    assert found[-1].name == "admission" and text in found[-1].text


def test_a_server_that_trusts_another_root_is_named(site: SiteFolder, ours: Authority, others: Authority, tmp_path: Path) -> None:
    with listening(site, speaking_tls(tmp_path, ours, trusts=others)):
        found, = bad(examine(site, now=NOW))
    assert "it does not know the root" in found.text


def test_files_that_do_not_fit_together_are_an_error_with_a_remedy(site: SiteFolder, ours: Authority) -> None:
    site.key_file.write_text(ours.holders["server"])
    with listening(site, lambda connection: None), pytest.raises(NetworkError, match="do not fit together"):
        examine(site)


def test_what_the_server_said_last_is_read_from_nvflares_log(site: SiteFolder) -> None:
    assert server_verdict(site) is None
    site.flare.mkdir()
    log = site.flare / "log.txt"
    log.write_text("2026 - FederatedClient - INFO - Successfully registered client:north for project clinics.\n"
                   "2026 - Authenticator - ERROR - registration rejected: the certificate of 'north' was revoked\n")
    found = server_verdict(site)
    assert found is not None and found.text == "the server does not let this site in: the certificate of 'north' was revoked"
    log.write_text("2026 - Authenticator - ERROR - registration rejected: x\nSuccessfully registered client:north for project clinics.\n")
    found = server_verdict(site)
    assert found is not None and found.ok
    log.write_text("starting\n")
    assert server_verdict(site) is None
