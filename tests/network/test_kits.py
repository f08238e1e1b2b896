"""Invitation, request, kit: a hospital comes into a study by three files, and every file that is not as it was sent is refused."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from wardround.errors import NetworkError
from wardround.network import auditlog, authority, keys, kits
from wardround.network.approval import plan_hash
from wardround.network.folders import SiteFolder, StudyFolder

PLAN = 'name = "clinics"\n'


@dataclass(frozen=True)
class World:
    """A study with its first site, each file on its way still there."""

    study: StudyFolder
    site: SiteFolder
    invitation: Path
    request: Path
    kit: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("made")
    study = StudyFolder(folder / "study")
    study.path.mkdir()
    record = {"name": "clinics", "host": "localhost", "port": 8002, "admin_port": 8003, "sites": ["north", "south"]}
    (study.path / "study.json").write_text(json.dumps(record))
    study.plan_file.write_text(PLAN)
    authority.found(study, name="clinics", host="localhost")
    invitation, _ = kits.invite(study, ["north", "south"])
    site = kits.join(invitation, folder / "hospital" / "clinics-north")
    return World(study, site, invitation, kits.request_file(site), kits.admit(study, kits.request_file(site)))


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    """Its own copy for each test, so that it may break it."""
    home = made.study.path.parent
    shutil.copytree(home, tmp_path / "w")

    def moved(path: Path) -> Path:
        return tmp_path / "w" / path.relative_to(home)
    return World(StudyFolder(moved(made.study.path)), SiteFolder(moved(made.site.path)), moved(made.invitation), moved(made.request),
                 moved(made.kit))


def edit(path: Path, **values: Any) -> Path:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return path


def test_a_hospital_comes_in_by_three_files(world: World) -> None:
    kits.accept(world.site, world.kit)
    assert keys.read((world.site.path / "site.crt").read_text()).name == "north"
    assert world.site.plan_file.read_text() == PLAN
    record = world.site.record()
    assert (record["study"], record["site"], record["host"], record["port"]) == ("clinics", "north", "localhost", 8002)
    assert record["fingerprint"] == authority.fingerprint(authority.root_of(world.study))


def test_no_file_on_its_way_holds_a_private_key(world: World) -> None:
    for path in (world.invitation, world.request, world.kit):
        assert "PRIVATE" not in path.read_text()


def test_the_site_keeps_its_key_to_itself(world: World) -> None:
    assert stat.S_IMODE(world.site.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(world.site.key_file.stat().st_mode) == 0o600


def test_joining_makes_a_folder_of_the_studys_and_the_sites_name(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    site = kits.join(world.invitation)
    assert site.path == Path("clinics-north")
    assert kits.request_file(site) == tmp_path / "north.request"


def test_joining_twice_keeps_the_key(world: World) -> None:
    key = world.site.key_file.read_text()
    world.request.unlink()
    kits.join(world.invitation, world.site.path)
    assert world.site.key_file.read_text() == key
    assert json.loads(world.request.read_text())["fingerprint"] == keys.key_fingerprint(key)


def test_until_the_first_kit_a_new_invitation_may_bring_a_new_address(world: World) -> None:
    (world.study.path / "study.json").write_text(json.dumps({**world.study.record(), "port": 9002}))
    kits.join(kits.invite(world.study, ["north"])[0], world.site.path)
    assert world.site.record()["port"] == 9002
    kits.accept(world.site, world.kit)
    kits.join(world.invitation, world.site.path)
    assert world.site.record()["port"] == 8002


def test_another_invitation_in_the_same_folder_is_refused(world: World) -> None:
    with pytest.raises(NetworkError, match="belongs to site 'north'"):
        kits.join(world.invitation.with_name("south.invitation"), world.site.path)


def test_a_folder_with_something_else_in_it_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dog.jpg").touch()
    with pytest.raises(NetworkError, match="not empty"):
        kits.join(world.invitation, tmp_path / "photos")


@pytest.mark.parametrize("values", [{"host": "evil.example.org"}, {"port": 8003}, {"site": "south"}, {"version": "9"}])
def test_an_edited_invitation_is_refused(world: World, tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(NetworkError, match="was edited or damaged"):
        kits.join(edit(world.invitation, **values), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("values", "cause"), [
    ({"port": "8002"}, "port is absent or of a wrong type"), ({"port": True}, "port is absent or of a wrong type"),
    ({"port": 70000}, "no port"), ({"root": None}, "root is absent"), ({"more": 1}, "further keys"),
    ({"root": "no PEM"}, "its root is damaged")])
def test_an_invitation_of_a_wrong_form_is_refused(world: World, tmp_path: Path, values: dict[str, Any], cause: str) -> None:
    with pytest.raises(NetworkError, match=cause):
        kits.join(edit(world.invitation, **values), tmp_path / "new")


def signed_by_us(study: StudyFolder, path: Path, **values: Any) -> Path:
    """A file that whoever holds the root key could make."""
    return edit(path, **kits._signed(study, {**json.loads(path.read_text()), **values}))


def test_an_invitation_for_a_name_with_a_path_in_it_is_refused_even_if_signed(world: World, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="cannot name a site"):
        kits.join(signed_by_us(world.study, world.invitation, site="../../etc"), tmp_path / "new")


def cut(path: Path) -> None:
    path.write_text(path.read_text()[:-40])


def blown_up(path: Path) -> None:
    path.write_text(" " * 1_000_001)


def nested(path: Path) -> None:
    path.write_text("[" * 200_000)


@pytest.mark.parametrize(("damage", "cause"), [
    (cut, "cut short"), (blown_up, "larger than 1000000 bytes"), (nested, "damaged"), (os.remove, "cannot be read"),
    (lambda path: path.write_bytes(b"\xff\xfe"), "damaged"), (lambda path: path.write_text("[]"), "is not the")])
@pytest.mark.parametrize("which", ["invitation", "request", "kit"])
def test_a_damaged_file_is_named(world: World, tmp_path: Path, damage: Callable[[Path], None], cause: str, which: str) -> None:
    damage(getattr(world, which))
    with pytest.raises(NetworkError, match=cause) as caught:
        {"invitation": lambda: kits.join(world.invitation, tmp_path / "new"), "request": lambda: kits.admit(world.study, world.request),
         "kit": lambda: kits.accept(world.site, world.kit)}[which]()
    assert str(getattr(world, which)) in str(caught.value)


def test_one_file_for_the_other_is_named(world: World, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="but the coordinator's kit"):
        kits.join(world.kit, tmp_path / "new")
    with pytest.raises(NetworkError, match="but the coordinator's invitation"):
        kits.accept(world.site, world.invitation)


def test_only_sites_of_the_study_are_invited(world: World) -> None:
    with pytest.raises(NetworkError, match="'west' is no site of study 'clinics'"):
        kits.invite(world.study, ["west"])


def test_an_edited_request_is_refused(world: World) -> None:
    other = keys.new_key()
    with pytest.raises(NetworkError, match="was edited"):
        kits.admit(world.study, edit(world.request, csr=keys.request(other, "north", "clinics")))
    with pytest.raises(NetworkError, match="was edited"):
        kits.admit(world.study, edit(world.request, csr=keys.request(other, "south", "clinics"), fingerprint=keys.key_fingerprint(other)))


@pytest.mark.parametrize("values", [{"study": "others"}, {"site": "west"}])
def test_a_request_of_another_study_is_refused(world: World, values: dict[str, str]) -> None:
    with pytest.raises(NetworkError, match="here is study 'clinics' with the sites north, south"):
        kits.admit(world.study, edit(world.request, **values))


def test_a_short_key_is_refused(world: World) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = rsa.generate_private_key(public_exponent=65537, key_size=1024).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    with pytest.raises(NetworkError, match="1024 bits"):
        kits.admit(world.study, edit(world.request, csr=keys.request(short, "north", "clinics"), fingerprint=keys.key_fingerprint(short)))


def test_a_second_key_for_a_site_is_refused_unless_the_first_was_revoked(world: World, tmp_path: Path) -> None:
    other = kits.request_file(kits.join(world.invitation, tmp_path / "other" / "clinics-north"))
    with pytest.raises(NetworkError, match="admitted with another key"):
        kits.admit(world.study, other)
    authority.revoke(world.study, "north")
    assert kits.admit(world.study, other).exists()


def test_a_site_readmitted_has_its_old_key_revoked(world: World, tmp_path: Path) -> None:
    old = authority.issued(world.study)["north"]["serial"]
    kits.readmit(world.study, kits.request_file(kits.join(world.invitation, tmp_path / "other" / "clinics-north")))
    assert authority.is_revoked(world.study, old)
    assert not authority.issued(world.study)["north"]["revoked"]


@pytest.mark.parametrize("values", [{"study": "others"}, {"csr": "nothing"}, {"fingerprint": "00"}])
def test_a_request_that_cannot_be_admitted_costs_nobody_the_certificate(world: World, tmp_path: Path, values: dict[str, str]) -> None:
    other = kits.request_file(kits.join(world.invitation, tmp_path / "other" / "clinics-north"))
    with pytest.raises(NetworkError):
        kits.readmit(world.study, edit(other, **values))
    assert not authority.issued(world.study)["north"]["revoked"]


def test_a_revoked_key_does_not_come_back(world: World) -> None:
    kits.dismiss(world.study, "north")
    with pytest.raises(NetworkError, match="was revoked on"):
        kits.admit(world.study, world.request)


def test_two_sites_do_not_share_a_key(world: World) -> None:
    key = world.site.key_file.read_text()
    with pytest.raises(NetworkError, match="its key is another site's"):
        kits.admit(world.study, edit(world.request, site="south", csr=keys.request(key, "south", "clinics")))


def test_the_same_request_again_renews_the_certificate(world: World) -> None:
    kits.accept(world.site, world.kit)
    before = keys.read((world.site.path / "site.crt").read_text())
    kits.accept(world.site, kits.admit(world.study, world.request))
    after = keys.read((world.site.path / "site.crt").read_text())
    assert after.serial != before.serial and after.key == before.key


def test_a_changed_plan_comes_with_a_newer_kit_and_an_older_kit_is_refused(world: World) -> None:
    older = shutil.copy(world.kit, world.kit.with_suffix(".older"))
    world.study.plan_file.write_text('name = "changed"\n')
    kits.accept(world.site, kits.admit(world.study, world.request))
    assert world.site.plan_file.read_text() == 'name = "changed"\n'
    with pytest.raises(NetworkError, match="before the kit that was accepted last"):
        kits.accept(world.site, Path(older))
    assert world.site.plan_file.read_text() == 'name = "changed"\n'


def test_an_equal_plan_is_left_as_it_is(world: World) -> None:
    kits.accept(world.site, world.kit)
    before = world.site.plan_file.stat().st_mtime_ns
    kits.accept(world.site, world.kit)
    assert world.site.plan_file.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["root", "certificate"])
def test_a_kit_with_a_damaged_certificate_is_named(world: World, name: str) -> None:
    with pytest.raises(NetworkError, match=f"north.kit: its {name} is damaged"):
        kits.accept(world.site, edit(world.kit, **{name: "-----BEGIN CERTIFICATE-----"}))


@pytest.mark.parametrize("values", [{"plan": "x", "plan_hash": plan_hash("x")}, {"host": "evil.example.org"}, {"made": "2099-01-01"}])
def test_an_edited_kit_is_refused_and_changes_nothing(world: World, values: dict[str, str]) -> None:
    before = sorted(path.name for path in world.site.path.iterdir())
    with pytest.raises(NetworkError, match="was edited or damaged"):
        kits.accept(world.site, edit(world.kit, **values))
    assert sorted(path.name for path in world.site.path.iterdir()) == before


def test_a_kit_of_another_root_is_refused(world: World, tmp_path: Path) -> None:
    other = StudyFolder(tmp_path / "other")
    shutil.copytree(world.study.path, other.path)
    shutil.rmtree(other.authority)
    authority.found(other, name="clinics", host="localhost")
    with pytest.raises(NetworkError, match="another root than the invitation"):
        kits.accept(world.site, kits.admit(other, world.request))


def test_a_kit_over_another_key_or_for_another_site_is_refused(world: World, tmp_path: Path) -> None:
    south = kits.join(world.invitation.with_name("south.invitation"), tmp_path / "clinics-south")
    kit = kits.admit(world.study, kits.request_file(south))
    with pytest.raises(NetworkError, match="is for site 'south'"):
        kits.accept(world.site, kit)
    certificate = json.loads(kit.read_text())["certificate"]
    with pytest.raises(NetworkError, match="belongs to another key"):
        kits.accept(world.site, signed_by_us(world.study, world.kit, certificate=certificate))


def test_a_kit_with_a_certificate_of_somebody_elses_root_or_another_name_is_refused(world: World) -> None:
    csr = json.loads(world.request.read_text())["csr"]
    period = keys.Period(start=datetime.now(UTC), end=datetime.now(UTC) + timedelta(days=1))
    stranger = keys.new_key()
    root = keys.authority(stranger, "clinics", period)
    forged = keys.certificate(stranger, root, csr, name="north", org="clinics", purpose="site", period=period)
    with pytest.raises(NetworkError, match="not signed by the study's root"):
        kits.accept(world.site, signed_by_us(world.study, world.kit, certificate=forged))
    misnamed = authority.sign(world.study, csr, "south", "clinics")
    with pytest.raises(NetworkError, match="names 'south'"):
        kits.accept(world.site, signed_by_us(world.study, world.kit, certificate=misnamed))


def test_a_kit_whose_plan_does_not_have_its_hash_is_refused(world: World) -> None:
    with pytest.raises(NetworkError, match="does not have the hash"):
        kits.accept(world.site, signed_by_us(world.study, world.kit, plan_hash="0" * 64))


def test_who_was_admitted_and_dismissed_is_in_the_audit_log(world: World) -> None:
    kits.dismiss(world.study, "north")
    told = [json.loads(line)["kind"] for line in world.study.audit_file.read_text().splitlines()]
    assert told == ["site-admitted", "site-revoked"]
    assert auditlog.verify(world.study.audit_file).ok


def test_certificates_that_end_soon_are_told_with_the_remedy(world: World) -> None:
    kits.accept(world.site, world.kit)
    end = keys.read((world.site.path / "site.crt").read_text()).period.end
    assert kits.expiring(world.site) == [] and kits.expiring(world.study) == []
    at = end - timedelta(days=12, seconds=1)
    begin = f"the certificate of site 'north' expires on {end.date()}, in 12 days"
    again = "send its request to `wardround study admit` again, and the new kit to the site"
    assert kits.expiring(world.study, now=at) == [f"{begin}: {again}"]
    assert kits.expiring(world.site, now=at) == [f"{begin}: send north.request to the coordinator again and accept the new kit"]
    assert "expired on" in kits.expiring(world.site, now=end)[0]
    assert "in 1 day:" in kits.expiring(world.site, now=end - timedelta(days=1, seconds=1))[0]


def test_a_revoked_certificate_and_a_site_without_one_are_not_told(world: World, tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=725)
    assert kits.expiring(kits.join(world.invitation, tmp_path / "new"), now=later) == []
    kits.dismiss(world.study, "north")
    assert kits.expiring(world.study, now=later) == []


def test_the_root_that_ends_is_told(world: World) -> None:
    assert "the root certificate of the study" in kits.expiring(world.study, now=datetime.now(UTC) + timedelta(days=3640))[-1]
