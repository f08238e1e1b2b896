"""A site's program keeps NVFLARE's client running, if all is there that the hospital must have done before."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from field import plan_of

from wardround.core.events import Event, Note
from wardround.errors import NetworkError
from wardround.network import kits, sitehost
from wardround.network.approval import Approvals
from wardround.network.auditlog import lines, verify
from wardround.network.folders import SiteFolder
from wardround.network.study import new_study
from wardround.runs.alone import alone


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SiteFolder:
    """Admitted, with its data known and the plan approved."""
    out = tmp_path_factory.mktemp("made")
    study = new_study("clinics", plan_of("north"), ["north"], "localhost:23998", out / "study")
    site = kits.join(study.path / "invitations" / "north.invitation", out / "north")
    kits.accept(site, kits.admit(study, kits.request_file(site)))
    (out / "images").mkdir()
    site.change(data=str(out / "images"))
    Approvals(site.approvals_file).approve(site.plan_file.read_text(), by="head of radiology")
    return site


@pytest.fixture
def site(made: SiteFolder, tmp_path: Path) -> SiteFolder:
    shutil.copytree(made.path, tmp_path / "north")
    return SiteFolder(tmp_path / "north")


def test_a_site_that_is_ready_may_start(site: SiteFolder) -> None:
    sitehost.check(site)


def without_certificate(site: SiteFolder) -> None:
    (site.path / "site.crt").unlink()


def without_data(site: SiteFolder) -> None:
    site.change(data=None)


def disk_away(site: SiteFolder) -> None:
    site.change(data=str(site.path / "not mounted"))


def without_plan(site: SiteFolder) -> None:
    site.plan_file.unlink()


def unapproved(site: SiteFolder) -> None:
    site.approvals_file.unlink()


def changed_plan(site: SiteFolder) -> None:
    site.plan_file.write_text(site.plan_file.read_text() + "\n")


@pytest.mark.parametrize(("change", "why"), [
    (without_certificate, r"no certificate yet\. Send north\.request to the coordinator.*wardround site ready north\.kit"),
    (without_data, r"does not know where the images are: wardround site ready"),
    (disk_away, r"not mounted is not there\. Is its disk connected\?"),
    (without_plan, r"plan\.toml is not there\. Take the coordinator's kit again"),
    (unapproved, r"is not approved.*wardround site approve"), (changed_plan, r"is not approved")])
def test_a_site_that_is_not_ready_says_what_to_do(site: SiteFolder, change: Callable[[SiteFolder], None], why: str) -> None:
    change(site)
    with pytest.raises(NetworkError, match=why):
        sitehost.serve(site, lambda event: None)
    assert not site.flare.exists()


def test_a_folder_that_is_no_site_says_so(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"is not a site's folder.*wardround site join"):
        sitehost.check(SiteFolder(tmp_path))


@dataclass
class Client:
    """In the place of a Servant: it dies at the looks that are numbered in `deaths`, and at the tenth look a signal comes."""

    deaths: ClassVar[tuple[int, ...]] = ()
    made: ClassVar[list["Client"]] = []

    module: str
    workspace: Path
    arguments: tuple[str, ...]
    environment: dict[str, str]
    output: Path
    num_deaths: int = 0
    looks: int = 0
    did: list[str] = field(default_factory=list)
    is_due: bool = True

    def __post_init__(self) -> None:
        Client.made.append(self)

    def has_died(self) -> bool:
        self.looks += 1
        if self.looks == 10:
            os.kill(os.getpid(), signal.SIGTERM)
        if self.looks in self.deaths:
            self.num_deaths, self.is_due = self.num_deaths + 1, True
            return True
        return False

    def start(self) -> None:
        self.is_due = False
        self.did.append("start")

    def end(self) -> None:
        self.did.append("end")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Client]]:
    """What is served by it; handlers of signals are the test's again after it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(sitehost, "Servant", Client)
    monkeypatch.setattr(sitehost, "TICK_S", 0.02)
    monkeypatch.setattr(Client, "made", [])
    yield Client
    for number, handler in before.items():
        signal.signal(number, handler)


def served(site: SiteFolder) -> tuple[Client, list[str]]:
    """Serve until a signal comes; what it did, and the notes."""
    said: list[str] = []

    def watch(event: Event) -> None:
        assert isinstance(event, Note)
        said.append(event.text)

    sitehost.serve(site, watch)
    (client,) = Client.made
    return client, said


def test_a_client_is_started_and_ended_with_the_program(site: SiteFolder, client: type[Client]) -> None:
    made, said = served(site)
    assert made.did == ["start", "end"]
    assert said == ["site 'north' calls localhost:23998 and waits for orders. Ctrl-C ends it."]
    assert [line.kind for line in lines(site.audit_file)][-2:] == ["site-started", "site-ended"] and verify(site.audit_file).ok


def test_a_client_that_dies_is_started_again_and_told_of(site: SiteFolder, client: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "deaths", (3, 5))
    made, said = served(site)
    assert made.did == ["start", "start", "start", "end"]
    assert len(said) == 3 and "is started again; why, is in" in said[1]
    assert [line.facts["deaths"] for line in lines(site.audit_file) if line.kind == "client-died"] == [1, 2]


def test_the_client_knows_its_site_wherever_it_was_started_from(site: SiteFolder, client: type[Client],
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site.path.parent)
    made, _ = served(SiteFolder(Path("north")))
    assert made.workspace == site.flare and made.environment["WARDROUND_SITE"] == str(site.path)
    assert "uid=north" in made.arguments and "secure_train=true" in made.arguments


def test_a_signal_at_the_start_is_heeded(site: SiteFolder, client: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitehost, "end_all", lambda workspace: os.kill(os.getpid(), signal.SIGTERM))
    sitehost.serve(site, lambda event: None)
    assert Client.made[0].did == ["end"]


def test_a_certificate_that_ends_soon_is_told_of(site: SiteFolder, client: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitehost, "expiring", lambda site: ["it expires in 3 days"])
    _, said = served(site)
    assert said[0] == "it expires in 3 days"


def test_a_log_that_cannot_be_written_ends_the_program_and_the_client(site: SiteFolder, client: type[Client],
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, *_: Any) -> None:
            pass

        def look(self) -> None:
            raise NetworkError("No space left on device")

    monkeypatch.setattr(sitehost, "Watchman", Full)
    with pytest.raises(NetworkError, match="No space left"):
        sitehost.serve(site, lambda event: None)
    assert Client.made[0].did == ["end"]


def test_a_site_has_one_program(site: SiteFolder, client: type[Client]) -> None:
    holder = "import sys, time; from wardround.runs.alone import alone; from pathlib import Path\n" \
             "with alone(Path(sys.argv[1])): print('held', flush=True); time.sleep(30)"
    other = subprocess.Popen([sitehost.sys.executable, "-c", holder, str(site.state)], stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline()
    try:
        with pytest.raises(NetworkError, match=r"the site's program runs already in .*north: see wardround site status"):
            sitehost.serve(site, lambda event: None)
    finally:
        other.kill()
        other.communicate()
    with alone(site.state):
        pass


# as a service


def unit_of(site: SiteFolder) -> dict[str, str]:
    return dict(line.split("=", 1) for line in sitehost.systemd_unit(site).splitlines() if "=" in line)


def test_a_unit_starts_the_site_with_the_machine_and_again_when_it_fails(site: SiteFolder) -> None:
    unit = unit_of(site)
    assert unit["ExecStart"].endswith(f"wardround site start --folder {site.path}")
    assert (unit["Restart"], unit["WantedBy"], unit["KillMode"]) == ("always", "multi-user.target", "control-group")
    assert unit["Description"] == "wardround: site north of study clinics"


def test_a_unit_can_write_only_the_site_s_folder_and_the_cache_which_is_there(site: SiteFolder, tmp_path: Path,
                                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path / "a cache"))
    assert unit_of(site)["ReadWritePaths"] == f'{site.path} "{tmp_path / "a cache"}"'
    assert unit_of(site)["ProtectSystem"] == "strict"
    assert (tmp_path / "a cache").is_dir()


@pytest.fixture
def odd(site: SiteFolder, tmp_path: Path) -> SiteFolder:
    """In a folder whose name has what unit files give a meaning to."""
    folder = tmp_path / 'a "b" $HOME %h \\x; #'
    site.path.rename(folder)
    return SiteFolder(folder)


def test_odd_paths_are_one_word_without_meaning(odd: SiteFolder) -> None:
    unit = unit_of(odd)
    assert unit["ExecStart"].endswith('a \\"b\\" $$HOME %%h \\\\x; #"')
    assert unit["WorkingDirectory"] == str(odd.path).replace("%h", "%%h")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("name", ["site", "odd"])
def test_systemd_accepts_the_unit(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    unit = tmp_path / "wardround-north.service"
    unit.write_text(sitehost.systemd_unit(request.getfixturevalue(name)))
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=30, check=False)
    assert [line for line in found.stderr.splitlines() if unit.name in line] == []


def test_a_path_with_control_characters_is_refused(site: SiteFolder, tmp_path: Path) -> None:
    folder = tmp_path / "a\nExecStartPre=touch x"
    site.path.rename(folder)
    with pytest.raises(NetworkError, match="control characters"):
        sitehost.systemd_unit(SiteFolder(folder))
