"""The coordinator's authority over one study: its root key signs the certificates of the server, the coordinator and the sites, and kits.

authority/ (0700): root.key, root.crt · server.key, server.crt · admin.key, admin.crt · issued.json (site -> its certificate) ·
revoked.json and revoked.crl (what the server refuses). The keys of sites are made at the sites and are never here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from wardround.errors import NetworkError
from wardround.network import keys
from wardround.network.folders import StudyFolder
from wardround.network.keys import Period
from wardround.network.keys import fingerprint as fingerprint
from wardround.network.keys import spoken as spoken
from wardround.network.keys import verify as verify
from wardround.network.startup import coordinator_of
from wardround.runs.folder import read_json, write_json, write_text

LEAF_DAYS = 730
WARN_DAYS = 30
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,48}")  # what NVFLARE and certificates take, in any folder's name
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?")
EARLY = timedelta(hours=1)  # certificates begin so much before they are made: clocks of hospitals are not exact


def found(study: StudyFolder, *, name: str, host: str, days: int = 3650) -> None:
    """Make the root of a study, and the certificates of its server and its coordinator. days: how long the root holds.

    NetworkError if the study has one already: a second root would shut out every site.
    """
    check_name("study", name)
    if not HOST.fullmatch(host):
        raise NetworkError(f"'{host}' is no host: give the server's DNS name or IPv4 address, without port (at most 64 characters)")
    folder = study.authority
    if (folder / "root.key").exists():
        raise NetworkError(f"{folder} has a root key already; a second one would shut out every site. Take another folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)  # whatever the umask, and of a folder that was there before
    key, now = keys.new_key(), datetime.now(UTC)
    keys.save(folder / "root.key", key)
    write_text(folder / "root.crt", keys.authority(key, name, Period(start=now - EARLY, end=now + timedelta(days=days))))
    for holder in ("server", "admin"):
        keys.save(folder / f"{holder}.key", keys.new_key())
    _certify_own(study, name=name, host=host, now=now)
    write_json(folder / "issued.json", {})
    _write_revoked(study, [])


def check_name(kind: str, name: object) -> str:
    """The name of a study or site; NetworkError if it cannot be one."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    raise NetworkError(f"{name!r} cannot name a {kind}: take letters, digits, '-' and '_', at most 49, and begin with a letter or digit")


def refresh(study: StudyFolder, days: int = WARN_DAYS, now: datetime | None = None) -> bool:
    """Renew the certificates of server and coordinator if one ends within `days`, or if the study's host changed. True if it did."""
    record, at = study.record(), now or datetime.now(UTC)
    server, admin = (keys.read((study.authority / f"{holder}.crt").read_text()) for holder in ("server", "admin"))
    if min(server.period.end, admin.period.end) > at + timedelta(days=days) and server.name == record["host"]:
        return False
    _certify_own(study, name=record["name"], host=record["host"], now=at)
    return True


def root_of(study: StudyFolder) -> str:
    """The root certificate (PEM); NetworkError if the study has none."""
    path = study.authority / "root.crt"
    if not path.is_file():
        raise NetworkError(f"{study.path} has no authority/root.crt: the study was not made to its end. Make it anew: wardround study new")
    return path.read_text()


def sign(study: StudyFolder, csr_pem: str, site: str, org: str, *, not_before: datetime | None = None,
         not_after: datetime | None = None) -> str:
    """A certificate (PEM) for the site over the key of its request, and a line in issued.json. Two years, unless told otherwise."""
    now = datetime.now(UTC)
    period = Period(start=not_before or now - EARLY, end=not_after or now + timedelta(days=LEAF_DAYS))
    pem = keys.certificate(_root_key(study), root_of(study), csr_pem, name=site, org=org, purpose="site", period=period)
    made, before = keys.read(pem), issued(study).get(site)
    former = [*before["former"], before["serial"]] if before and before["key"] == made.key else []
    write_json(study.authority / "issued.json", {**issued(study), site: {
        "serial": made.serial, "key": made.key, "fingerprint": made.fingerprint, "not_after": made.period.end.isoformat(),
        "when": now.isoformat(timespec="seconds"), "revoked": None, "former": former}})
    return pem


def issued(study: StudyFolder) -> dict[str, Any]:
    """site -> serial, key (its fingerprint), fingerprint, not_after, when, revoked (when, or None), former (serials of the same key)."""
    path = study.authority / "issued.json"
    return read_json(path) if path.is_file() else {}


def revoke(study: StudyFolder, site: str) -> None:
    """Withdraw every certificate of the site's key: the server refuses it from now on. NetworkError if it has none that holds."""
    entries = issued(study)
    if site not in entries:
        raise NetworkError(f"site '{site}' was never admitted to the study in {study.path}. Admitted: {', '.join(entries) or 'none'}.")
    if entries[site]["revoked"]:
        raise NetworkError(f"the certificate of site '{site}' was revoked already, on {entries[site]['revoked']}")
    serials = [*entries[site]["former"], entries[site]["serial"]]
    _write_revoked(study, [*revoked(study), *({"site": site, "serial": serial} for serial in serials)])
    entries[site]["revoked"] = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(study.authority / "issued.json", entries)


def revoked(study: StudyFolder) -> list[dict[str, str]]:
    """Every revoked certificate: site, serial. NetworkError if the list is damaged: nobody is let in then."""
    path = study.authority / "revoked.json"
    try:
        return [{"site": str(entry["site"]), "serial": str(entry["serial"])} for entry in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NetworkError(f"{path} cannot be read ({error}): no site can be let in. Put it back from a copy of the study.") from error


def is_revoked(study: StudyFolder, serial: str) -> bool:
    """serial: hex digits, as keys.Certificate has it."""
    return any(entry["serial"] == serial for entry in revoked(study))


def refusal(study: StudyFolder, name: str, serial: str, end: datetime, now: datetime | None = None) -> str | None:
    """Why the server must not let in the holder of this certificate; None if it may. end: of the certificate.

    Sites of the study and its coordinator may come in. A site's certificate must be one that was issued to it and not revoked.
    """
    record = study.record()
    if is_revoked(study, serial):
        return f"the certificate of '{name}' was revoked"
    if end < (now or datetime.now(UTC)):
        return f"the certificate of '{name}' expired on {end.date()}"
    if name == coordinator_of(record["name"]):
        return None
    if name not in record["sites"]:
        return f"'{name}' is no site of study '{record['name']}'"
    entry = issued(study).get(name)
    if entry is None or serial not in (entry["serial"], *entry["former"]):
        return f"the certificate of '{name}' is not among those that the coordinator issued"
    return None


def signature(study: StudyFolder, data: bytes) -> str:
    """The root key's signature (base64); `verify(root, data, signature)` checks it."""
    return keys.sign(_root_key(study), data)


def _certify_own(study: StudyFolder, *, name: str, host: str, now: datetime) -> None:
    folder, period = study.authority, Period(start=now - EARLY, end=now + timedelta(days=LEAF_DAYS))
    holders: Mapping[keys.Purpose, str] = {"server": host, "admin": coordinator_of(name)}
    for holder, called in holders.items():
        key = (folder / f"{holder}.key").read_text()
        write_text(folder / f"{holder}.crt", keys.certificate(_root_key(study), root_of(study), key, name=called, org=name, purpose=holder,
                                                              period=period))


def _write_revoked(study: StudyFolder, entries: list[dict[str, str]]) -> None:
    """Both lists; revoked.crl last, for the gate looks at its time of change. Of two lists TLS takes the later, counting in seconds."""
    path, at = study.authority / "revoked.crl", datetime.now(UTC) - EARLY
    if path.is_file():
        at = max(at, keys.revoked_at(path.read_text()) + timedelta(seconds=1))
    write_text(study.authority / "revoked.json", json.dumps(entries, indent=1))
    write_text(path, keys.revocations(_root_key(study), root_of(study), [entry["serial"] for entry in entries], at))


def _root_key(study: StudyFolder) -> str:
    path = study.authority / "root.key"
    if not path.is_file():
        raise NetworkError(f"{path} is not here: only the machine that keeps the root key can admit, invite or revoke sites")
    return path.read_text()
