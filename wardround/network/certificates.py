"""Why a site cannot reach its study's server, or that it can: address, port, TLS, both certificates, the clock, what the server said.

NVFLARE's own messages say "connection failed"; each cause here has its own sentence and what to do about it.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from wardround.errors import NetworkError
from wardround.network import keys
from wardround.network.folders import SiteFolder

MOST_CLOCK = timedelta(seconds=300)
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which ssl has no name for: dates are compared here, so that each is named
LISTEN_S = 1.0  # a refusal takes one round trip; our server, which sends no tickets, costs the whole second
ANSWER_BYTES = 65536
CLOCK = "set this machine's clock, best by network time: timedatectl set-ntp true"
AGAIN = "send {site}.request to the coordinator again and accept the new kit: wardround site ready {site}.kit"
ASK = "ask the coordinator over the phone before anything else"
BETWEEN = ("ask your IT whether a firewall opens TLS connections (it must let this one through untouched), and compare the study's "
           "fingerprint with the coordinator")
ENDED = "ask your IT whether a firewall or proxy stands between, and the coordinator whether the server is running"
RENEWED = "ask the coordinator to start the server again, which renews its certificate"
NEW = "the study has outlived its root: ask the coordinator for the invitation to a new one"
HUNG_UP = "no alert"  # as NVFLARE's server does: Python's asyncio loses the alert of a handshake that fails
REJECTED = "registration rejected: "  # NVFLARE's words
OTHER_ROOT = ("the server at {place} shows a certificate that this study's root did not sign: it is the server of another study, or "
              "somebody stands between", BETWEEN)
OTHER_HOST = ("the server at {place} is of this study's root, but its certificate is for another host",
              "ask the coordinator whether the host of the invitation is still right; a new kit brings a new one")
NO_SERVER = ("what answers at {place} shows a certificate of this study that is not the server's: somebody stands between", ASK)
SHOWN: Mapping[int, tuple[str, str]] = {26: NO_SERVER, 62: OTHER_HOST, 64: OTHER_HOST}  # X509_V_ERR_INVALID_PURPOSE, HOSTNAME, IP_ADDRESS


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. remedy: what to do, "" where nothing is wrong."""

    name: str
    ok: bool
    text: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a TLS connection. server: its certificate (PEM), "" if it refused us within the handshake. date: by the server's
    clock, None if it sent none. alert: why the server ended it (TLS's words, or HUNG_UP), "" if it answered."""

    server: str
    date: datetime | None
    alert: str


def examine(site: SiteFolder, *, timeout_s: float = 5.0, now: datetime | None = None) -> list[Finding]:
    """Look at the site's certificate, then connect to the server as NVFLARE will; stops at the first thing that keeps the rest from
    being looked at. now: by this machine's clock. Sends nothing but `GET /` over TLS to a server of the study's own root.
    """
    return list(_findings(site, timeout_s, now or datetime.now(UTC)))


def server_verdict(site: SiteFolder) -> Finding | None:
    """What the server said when the site's program registered last (NVFLARE's log); None if it never got so far."""
    log = site.flare / "log.txt"
    if not log.is_file():
        return None
    for line in reversed(log.read_text(errors="replace").splitlines()):
        if "Successfully registered client" in line:
            return _good("registration", "the server has let this site in")
        if REJECTED in line:
            return _bad("registration", f"the server does not let this site in: {line.partition(REJECTED)[2].strip()}", ASK)
    return None


def _good(name: str, text: str) -> Finding:
    return Finding(name=name, ok=True, text=text)


def _bad(name: str, text: str, remedy: str) -> Finding:
    return Finding(name=name, ok=False, text=text, remedy=remedy)


def _findings(site: SiteFolder, timeout_s: float, now: datetime) -> Iterator[Finding]:
    record = site.record()
    called, place = record["site"], f"{record['host']}:{record['port']}"
    if not (site.path / "site.crt").is_file():
        yield _bad("own certificate", f"site '{called}' has no certificate yet",
                   f"send {called}.request to the coordinator, and accept the kit: wardround site ready {called}.kit")
        return
    own = keys.read((site.path / "site.crt").read_text())
    yield _own(own, now)
    reached = _reach(record["host"], record["port"], timeout_s)
    if isinstance(reached, Finding):
        yield reached
        return
    yield _good("connection", f"{place} takes connections")
    answer = _ask(site, reached, record["host"], place, timeout_s)
    if isinstance(answer, Finding):
        yield answer
        return
    clock = _clock(answer.date, now)
    if answer.server:
        yield _server(keys.read(answer.server), keys.read((site.path / "root.crt").read_text()), now, clock)
    if clock:
        yield clock
    yield _admission(answer.alert, own, now, called)


def _own(own: keys.Certificate, now: datetime) -> Finding:
    name, whose = "own certificate", f"the certificate of site '{own.name}'"
    if now >= own.period.end:
        return _bad(name, f"{whose} expired on {own.period.end.date()} (today is {now.date()} by this machine's clock)",
                    f"if the date is right, {AGAIN.format(site=own.name)}; else {CLOCK}")
    if now < own.period.start:
        return _bad(name, f"{whose} begins on {_minute(own.period.start)} and this machine's clock says {_minute(now)}: the clock is wrong",
                    CLOCK)
    return _good(name, f"{whose} holds until {own.period.end.date()}")


def _reach(host: str, port: int, timeout_s: float) -> socket.socket | Finding:
    place = f"{host}:{port}"
    try:
        return socket.create_connection((host, port), timeout=timeout_s)
    except socket.gaierror as error:
        return _bad("connection", f"the name {host} has no address here ({error.strerror})",
                    "ask your IT whether this machine can look up names, and the coordinator whether the host is spelt so")
    except TimeoutError:
        return _bad("connection", f"no answer from {place} within {timeout_s:g} s: most likely a firewall drops the connection",
                    f"ask your IT to allow outgoing TCP to {place}")
    except ConnectionRefusedError:
        return _bad("connection", f"{place} refuses connections: the machine is there, and no server listens on that port",
                    "ask the coordinator whether the study's server is running (wardround study status)")
    except OSError as error:
        return _bad("connection", f"{place} cannot be reached ({error.strerror})", f"ask your IT for a way from this machine to {place}")


def _ask(site: SiteFolder, connection: socket.socket, host: str, place: str, timeout_s: float) -> Answer | Finding:
    """A TLS handshake and one small HTTP request. Under TLS 1.3 a server says only after the handshake that it refuses us."""
    name = "server certificate"
    try:
        with connection, _context(site).wrap_socket(connection, server_hostname=host) as secure:
            server = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
            date, alert = _get(secure, host)
            return Answer(server=server, date=date, alert=alert)
    except ssl.SSLCertVerificationError as error:
        return _bad(name, *(part.format(place=place) for part in SHOWN.get(error.verify_code, OTHER_ROOT)))
    except ssl.SSLEOFError:
        return _bad(name, f"{place} ended the connection during the TLS handshake", ENDED)
    except ssl.SSLError as error:
        if alert := _alert(error):
            return Answer(server="", date=None, alert=alert)
        return _bad(name, f"what answers at {place} does not speak TLS ({error.reason or error})",
                    "ask the coordinator whether host and port are right, and your IT whether a proxy answers in the server's place")
    except TimeoutError:
        return _bad(name, f"{place} takes connections and then says nothing within {timeout_s:g} s", ENDED)
    except OSError as error:
        return _bad(name, f"{place} ended the connection during the TLS handshake ({error.strerror or error})", ENDED)


def _context(site: SiteFolder) -> ssl.SSLContext:
    """Our key and certificate, the study's root and no other. Dates are left to _server and _own, which name the one that is wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=str(site.path / "root.crt"))
        context.load_cert_chain(str(site.path / "site.crt"), str(site.key_file))
    except (ssl.SSLError, OSError) as error:
        raise NetworkError(f"{site.path}: site.crt, key.pem and root.crt do not fit together ({error}). Accept the coordinator's kit "
                           "again, or join anew in another folder.") from error
    context.verify_flags |= NO_CHECK_TIME
    return context


def _get(secure: ssl.SSLSocket, host: str) -> tuple[datetime | None, str]:
    """The Date of the server's answer, and the alert with which it refused us."""
    try:
        _listen(secure)
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer and len(answer) < ANSWER_BYTES and (part := secure.recv(4096)):
            answer += part
    except ssl.SSLError as error:
        return None, _alert(error) or HUNG_UP
    except TimeoutError:
        return None, ""  # some server that waits; it has not refused us
    except OSError:
        return None, HUNG_UP
    return (_date(answer), "") if answer else (None, HUNG_UP)


def _listen(secure: ssl.SSLSocket) -> None:
    """Hear the server's alert before speaking: once it has hung up, a write fails and hides why."""
    timeout_s = secure.gettimeout() or LISTEN_S
    if secure.version() == "TLSv1.3" and select.select([secure], [], [], min(LISTEN_S, timeout_s))[0]:
        secure.setblocking(False)
        with suppress(ssl.SSLWantReadError):
            secure.recv(1)
    secure.settimeout(timeout_s)


def _date(answer: bytes) -> datetime | None:
    for line in answer.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "date":
            try:
                found = parsedate_to_datetime(value.strip())
            except ValueError:
                return None
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _alert(error: ssl.SSLError) -> str:
    """ "certificate revoked" of "[SSL: SSLV3_ALERT_CERTIFICATE_REVOKED] ..."; "" if the other side sent no alert."""
    reason = (error.reason or "").upper().replace(" ", "_")
    _, is_alert, alert = reason.rpartition("ALERT_")
    return alert.replace("_", " ").lower() if is_alert else ""


def _clock(date: datetime | None, now: datetime) -> Finding | None:
    """How far this machine's clock is from the server's; None if the server sent no date."""
    if date is None:
        return None
    off = now - date
    if abs(off) <= MOST_CLOCK:
        return _good("clock", "this machine's clock agrees with the server's")
    side = "ahead of" if off > timedelta(0) else "behind"
    return _bad("clock", f"this machine's clock is {_span(abs(off))} {side} the server's ({_minute(now)} here, {_minute(date)} there)",
                f"{CLOCK}; if it is right, tell the coordinator that the server's is wrong")


def _server(server: keys.Certificate, root: keys.Certificate, now: datetime, clock: Finding | None) -> Finding:
    is_clock = clock is not None and not clock.ok
    for what, period, remedy in (("certificate of the server", server.period, RENEWED), ("study's root certificate", root.period, NEW)):
        if now >= period.end:
            return _bad("server certificate", f"the {what} expired on {_minute(period.end)} (this machine's clock says {_minute(now)})",
                        CLOCK if is_clock else remedy)
        if now < period.start:
            return _bad("server certificate", f"the {what} begins on {_minute(period.start)} and this machine's clock says {_minute(now)}: "
                        "most likely the clock is wrong", CLOCK)
    return _good("server certificate", f"the server '{server.name}' is the study's; its certificate holds until {server.period.end.date()}")


def _admission(alert: str, own: keys.Certificate, now: datetime, site: str) -> Finding:
    refuses = f"the server refuses site '{site}'"
    if not alert:
        return _good("admission", f"the server takes the certificate of site '{site}'")
    if alert == "certificate revoked":
        return _bad("admission", f"{refuses}: its certificate was revoked",
                    "ask the coordinator why; to come back, join again in a new folder with a new key")
    if alert == "certificate expired":
        return _bad("admission", f"{refuses}: its certificate expired on {own.period.end.date()}", AGAIN.format(site=site))
    if alert == "unknown ca":
        return _bad("admission", f"{refuses}: it does not know the root that signed its certificate, so it is of another study", ASK)
    if alert == HUNG_UP and own.period.start <= now < own.period.end:
        return _bad("admission", f"the server hangs up on seeing the certificate of site '{site}', whose dates are right: most likely it "
                    "was revoked", "ask the coordinator; to come back, join again in a new folder with a new key")
    if alert in ("bad certificate", HUNG_UP) and not own.period.start <= now < own.period.end:
        return _bad("admission", f"{refuses}: its certificate does not hold now", f"{CLOCK}; {ASK}")
    return _bad("admission", f"{refuses} ({alert})", ASK)


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(length: timedelta) -> str:
    """ "3 days", "2 h 5 min", "7 min"."""
    minutes = round(length.total_seconds() / 60)
    if minutes >= 48 * 60:
        return f"{minutes // (24 * 60)} days"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
