"""The three small files that bring a hospital into a study: invitation, request, kit. No private key is in any of them.

Coordinator: invite -> SITE.invitation. Hospital: join, where its key is made -> SITE.request. Coordinator: admit -> SITE.kit.
Hospital: accept. Invitation and kit carry the root's signature over all they hold, and the root's fingerprint, read over the
phone, ties them to the coordinator. A file may come from anywhere: every field is checked before it is used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import wardround
from wardround.errors import NetworkError
from wardround.network import authority, keys
from wardround.network.approval import plan_hash
from wardround.network.auditlog import AuditLog
from wardround.network.folders import SiteFolder, StudyFolder
from wardround.runs.folder import write_json, write_text

MOST_BYTES = 1_000_000
INVITATION = "wardround invitation 1"
REQUEST = "wardround request 1"
KIT = "wardround kit 1"
FIELDS: Mapping[str, Mapping[str, type]] = {
    INVITATION: {"study": str, "site": str, "host": str, "port": int, "root": str, "version": str, "made": str, "signature": str},
    REQUEST: {"study": str, "site": str, "csr": str, "fingerprint": str},
    KIT: {"study": str, "site": str, "host": str, "port": int, "root": str, "version": str, "made": str, "certificate": str, "plan": str,
          "plan_hash": str, "signature": str},
}
WHENCE = {INVITATION: "the coordinator's invitation (SITE.invitation)", REQUEST: "the request that `wardround site join` wrote "
          "(SITE.request)", KIT: "the coordinator's kit (SITE.kit)"}


def invite(study: StudyFolder, sites: Sequence[str]) -> list[Path]:
    """Write invitations/SITE.invitation for each site, over any that are there; they hold nothing secret. Returns their paths."""
    record = study.record()
    for site in sites:
        authority.check_name("site", site)
        if site not in record["sites"]:
            raise NetworkError(f"'{site}' is no site of study '{record['name']}'. Its sites: {', '.join(record['sites'])}.")
    folder = study.path / "invitations"
    folder.mkdir(exist_ok=True)
    for site in sites:
        write_json(folder / f"{site}.invitation", _signed(study, {"format": INVITATION, **_common(study, site)}))
    return [folder / f"{site}.invitation" for site in sites]


def join(invitation: Path, out: Path | None = None) -> SiteFolder:
    """Make the site's folder (default ./STUDY-SITE) and its key, and write SITE.request beside the folder (`request_file`).

    Joining again with an invitation of the same study and site keeps the key and writes the request anew. NetworkError for a file
    that is no invitation, was edited or cut short, and for a folder of another study or site. `spoken` of the record's
    "fingerprint" (the root's) is what the hospital compares with the coordinator over the phone before it goes on.
    """
    found = _opened(invitation, INVITATION)
    _check_signed(invitation, found, found["root"])
    study, site = authority.check_name("study", found["study"]), authority.check_name("site", found["site"])
    folder = SiteFolder(out or Path(f"{study}-{site}"))
    _prepare(folder, invitation, found)
    if not folder.key_file.exists():
        keys.save(folder.key_file, keys.new_key())
    key = folder.key_file.read_text()
    csr = keys.request(key, site, study)
    write_json(request_file(folder), {"format": REQUEST, "study": study, "site": site, "csr": csr,
                                      "fingerprint": keys.key_fingerprint(key)})
    return folder


def request_file(site: SiteFolder) -> Path:
    """The request that goes to the coordinator, beside the site's folder."""
    return site.path.absolute().parent / f"{site.record()['site']}.request"


def admit(study: StudyFolder, request: Path) -> Path:
    """Sign the site's certificate and write kits/SITE.kit, with the plan as it is now. Returns the kit's path.

    The same request again renews the certificate. NetworkError for a request that was edited or is of another study, and for another
    key of an admitted site: somebody else may be at work. `readmit` is for a site that made a new key.
    """
    found, asked = _request_to(study, request)
    site, record = asked.name, study.record()
    _check_key(study, site, asked.key)
    certificate = authority.sign(study, found["csr"], site, record["name"])
    plan = study.plan_file.read_text(encoding="utf-8")
    kit = {"format": KIT, **_common(study, site), "certificate": certificate, "plan": plan, "plan_hash": plan_hash(plan)}
    path = study.path / "kits" / f"{site}.kit"
    path.parent.mkdir(exist_ok=True)
    write_json(path, _signed(study, kit))
    AuditLog(study.audit_file).write("site-admitted", site=site, serial=keys.read(certificate).serial, key=asked.key)
    return path


def readmit(study: StudyFolder, request: Path) -> Path:
    """Admit a site with a new key: its former certificates are revoked first."""
    _, asked = _request_to(study, request)
    entry = authority.issued(study).get(asked.name)
    if entry and not entry["revoked"] and asked.key != entry["key"]:
        dismiss(study, asked.name)
    return admit(study, request)


def dismiss(study: StudyFolder, site: str) -> None:
    """Revoke the site's certificates and say so in the audit log."""
    authority.revoke(study, site)
    AuditLog(study.audit_file).write("site-revoked", site=site, serial=authority.issued(study)[site]["serial"])


def accept(site: SiteFolder, kit: Path) -> None:
    """Install the kit: site.crt, root.crt, plan.toml (offered, not approved), and the server's address in site.json.

    NetworkError, and nothing changed, if it is of another root, study, site or key, was edited or cut short, or is older than the
    kit that was accepted last.
    """
    found, record = _opened(kit, KIT), site.record()
    if keys.fingerprint(found["root"]) != record["fingerprint"]:
        raise NetworkError(f"{kit} comes from another root than the invitation did: it is of another study, or somebody stands between. "
                           "Do not use it; ask the coordinator over the phone.")
    _check_signed(kit, found, found["root"])
    if (found["study"], found["site"]) != (record["study"], record["site"]):
        raise NetworkError(f"{kit} is for site '{found['site']}' of study '{found['study']}'; {site.path} is site '{record['site']}' of "
                           f"study '{record['study']}'")
    _check_certificate(site, kit, found)
    if found["plan_hash"] != plan_hash(found["plan"]):
        raise NetworkError(f"{kit}: its plan does not have the hash that it names. Ask the coordinator for a new kit.")
    if record.get("kit", "") > found["made"]:
        raise NetworkError(f"{kit} was made on {found['made']}, before the kit that was accepted last ({record['kit']}). Take the newest.")
    write_text(site.path / "root.crt", found["root"])
    write_text(site.path / "site.crt", found["certificate"])
    if not site.plan_file.exists() or site.plan_file.read_text() != found["plan"]:
        write_text(site.plan_file, found["plan"])
    site.change(host=found["host"], port=found["port"], kit=found["made"])


def expiring(folder: StudyFolder | SiteFolder, days: int = authority.WARN_DAYS, now: datetime | None = None) -> list[str]:
    """A sentence, with what to do, for each certificate that ends within so many days or has ended.

    Of a study: its sites' (not revoked) and its root's; authority.refresh renews those of server and coordinator. Of a site: its own.
    """
    at = now or datetime.now(UTC)
    again = "send its request to `wardround study admit` again, and the new kit to the site"
    if isinstance(folder, SiteFolder):
        site = folder.record()["site"]
        path = folder.path / "site.crt"
        ends = {f"the certificate of site '{site}'": (keys.read(path.read_text()).period.end, f"send {site}.request to the coordinator "
                                                      "again and accept the new kit")} if path.is_file() else {}
    else:
        ends = {f"the certificate of site '{site}'": (datetime.fromisoformat(entry["not_after"]), again)
                for site, entry in authority.issued(folder).items() if not entry["revoked"]}
        root_end = keys.read(authority.root_of(folder)).period.end
        ends["the root certificate of the study"] = (root_end, "end the study before, or make a new one and invite its sites anew")
    return [_ending(what, end, remedy, at) for what, (end, remedy) in ends.items() if end < at + timedelta(days=days)]


def _ending(what: str, end: datetime, remedy: str, at: datetime) -> str:
    left = (end - at).days
    if end <= at:
        return f"{what} expired on {end.date()}: {remedy}"
    return f"{what} expires on {end.date()}, in {left} {'day' if left == 1 else 'days'}: {remedy}"


def _common(study: StudyFolder, site: str) -> dict[str, Any]:
    record = study.record()
    return {"study": record["name"], "site": site, "host": record["host"], "port": record["port"], "root": authority.root_of(study),
            "version": str(wardround.__version__), "made": datetime.now(UTC).isoformat(timespec="milliseconds")}


def _prepare(folder: SiteFolder, invitation: Path, found: Mapping[str, Any]) -> None:
    """The folder with site.json and the root that it trusts; refused if it is another site's."""
    pinned = keys.fingerprint(found["root"])
    if (folder.path / "site.json").is_file():
        record = folder.record()
        if (record["study"], record["site"], record["fingerprint"]) != (found["study"], found["site"], pinned):
            raise NetworkError(f"{folder.path} belongs to site '{record['site']}' of study '{record['study']}', and {invitation} is for "
                               "another site, study or root. Join in another folder: wardround site join INVITATION --out FOLDER")
        if "kit" not in record:  # a kit knows the address better than an invitation
            folder.change(host=found["host"], port=found["port"])
        return
    if folder.path.is_dir() and any(folder.path.iterdir()):
        raise NetworkError(f"{folder.path} is not empty and no site's folder. Join in another: "
                           f"wardround site join {invitation} --out FOLDER")
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.path.chmod(0o700)  # whatever the umask, and of a folder that was there before
    write_text(folder.path / "root.crt", found["root"])
    write_json(folder.path / "site.json", {"study": found["study"], "site": found["site"], "host": found["host"], "port": found["port"],
                                           "fingerprint": pinned})


def _opened(path: Path, expected: str) -> dict[str, Any]:
    """The file's fields, each there and of its type, and no other."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise NetworkError(f"{path} cannot be read ({error.strerror}). It should be {WHENCE[expected]}.") from error
    if len(data) > MOST_BYTES:
        raise NetworkError(f"{path} is larger than {MOST_BYTES} bytes, so it is not {WHENCE[expected]}")
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise NetworkError(f"{path} is damaged or was cut short (no JSON). Ask for {WHENCE[expected]} again.") from error
    if not isinstance(found, dict) or found.get("format") != expected:
        said = str(found.get("format")) if isinstance(found, dict) else ""
        raise NetworkError(f"{path} is not {WHENCE[expected]}{', but ' + WHENCE[said] if said in WHENCE else ''}")
    wrong = [name for name, kind in FIELDS[expected].items() if type(found.get(name)) is not kind]
    if wrong or len(found) != len(FIELDS[expected]) + 1:
        raise NetworkError(f"{path} does not hold what {WHENCE[expected]} holds"
                           f"{': ' + ', '.join(wrong) + ' is absent or of a wrong type' if wrong else ' (it has further keys)'}")
    if not 1 <= found.get("port", 1) <= 65535:
        raise NetworkError(f"{path}: port {found['port']} is no port (1 to 65535)")
    for name in {"root", "certificate"} & found.keys():
        try:
            keys.read(found[name])
        except NetworkError as error:
            raise NetworkError(f"{path}: its {name} is damaged ({error}). Ask for {WHENCE[expected]} again.") from error
    return found


def _signed(study: StudyFolder, content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "signature": authority.signature(study, _canonical(content))}


def _check_signed(path: Path, found: Mapping[str, Any], root: str) -> None:
    if not keys.read(root).is_authority or not keys.verify(root, _canonical(found), found["signature"]):
        raise NetworkError(f"{path} was edited or damaged: the coordinator's signature does not fit what it holds. Ask for the file again.")


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in content.items() if name != "signature"}, sort_keys=True).encode()


def _request_to(study: StudyFolder, path: Path) -> tuple[dict[str, Any], keys.Request]:
    """A request by a site of this study, over a key that no other site has."""
    found, record = _opened(path, REQUEST), study.record()
    if found["study"] != record["name"] or found["site"] not in record["sites"]:
        raise NetworkError(f"{path} asks for site '{found['site']}' of study '{found['study']}'; here is study '{record['name']}' with "
                           f"the sites {', '.join(record['sites'])}. Ask the hospital whether it joined with your invitation.")
    asked = _asked(path, found)
    if any(entry["key"] == asked.key and name != asked.name for name, entry in authority.issued(study).items()):
        raise NetworkError(f"{path}: its key is another site's. Every site makes its own: wardround site join")
    return found, asked


def _asked(path: Path, found: Mapping[str, Any]) -> keys.Request:
    try:
        asked = keys.read_request(found["csr"])
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}. Ask the hospital for its request again.") from error
    if asked.name != found["site"] or asked.key != found["fingerprint"]:
        raise NetworkError(f"{path} was edited: its certificate request is for '{asked.name}' or another key than the file says. "
                           "Ask the hospital for its request again.")
    if not keys.KEY_BITS <= asked.bits <= 4 * keys.KEY_BITS:
        raise NetworkError(f"{path}: a key of {asked.bits} bits; at least {keys.KEY_BITS} are needed. The hospital must join anew.")
    return asked


def _check_key(study: StudyFolder, site: str, key: str) -> None:
    """A site has one key. A key that was revoked does not come back."""
    entry = authority.issued(study).get(site)
    if entry and entry["revoked"] and entry["key"] == key:
        raise NetworkError(f"the key of site '{site}' was revoked on {entry['revoked']} and stays so. The hospital makes a new one: "
                           f"wardround site join {site}.invitation --out FOLDER")
    if entry and not entry["revoked"] and entry["key"] != key:
        raise NetworkError(f"site '{site}' was admitted with another key ({keys.spoken(entry['key'])}) than this request's "
                           f"({keys.spoken(key)}). If the hospital made a new key (ask over the phone), revoke the old one first: "
                           f"wardround study revoke {site}")


def _check_certificate(site: SiteFolder, kit: Path, found: Mapping[str, Any]) -> None:
    certificate, own = keys.read(found["certificate"]), keys.key_fingerprint(site.key_file.read_text())
    if not keys.is_issued_by(found["certificate"], found["root"]):
        raise NetworkError(f"{kit}: its certificate was not signed by the study's root. Ask the coordinator for a new kit.")
    if certificate.key != own:
        raise NetworkError(f"{kit}: its certificate belongs to another key than {site.key_file}. Was it made from an older request, or "
                           "for another folder? Send the request of this folder and take the kit that comes back.")
    if (certificate.name, certificate.org) != (found["site"], found["study"]):
        raise NetworkError(f"{kit}: its certificate names '{certificate.name}' of '{certificate.org}', not '{found['site']}'")
