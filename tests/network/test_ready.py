"""A hospital sees what is missing and what a plan means before it approves it, and nothing of the plan is trusted meanwhile."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from wardround.errors import NetworkError
from wardround.network import kits, ready
from wardround.network.approval import Approvals, plan_hash
from wardround.network.auditlog import lines
from wardround.network.certificates import Finding
from wardround.network.folders import SiteFolder
from wardround.network.ready import Check, Examined, approve, described, examine, foreign, offered, withdraw
from wardround.network.study import new_study, plan_for
from wardround.plan.load import dump_plan
from wardround.plan.schema import DataPlan, EvaluationPlan, ModelPlan, Plan, RoundsPlan, SitesPlan, SplitPlan
from wardround.rng import stream

PLAN = Plan(name="tiny", data=DataPlan(dataset="folder", size=16, classes=("left", "right")), model=ModelPlan(name="cnn"),
            sites=SitesPlan(num=2), rounds=RoundsPlan(num=3), evaluation=EvaluationPlan(resamples=100))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one site that was admitted, and 40 images of its own."""
    home = tmp_path_factory.mktemp("made")
    study = new_study("clinics", PLAN, ["north"], "localhost:1", home / "study")
    site = kits.join(study.path / "invitations" / "north.invitation", home / "north")
    kits.accept(site, kits.admit(study, kits.request_file(site)))
    for index in range(40):
        pixels = stream("ready", index).integers(0, 120, (16, 16), dtype=np.uint8)
        name = ("left", "right")[index % 2]
        pixels[:, slice(0, 8) if name == "left" else slice(8, 16)] += 60
        (home / "images" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(home / "images" / name / f"{index:02}.png")
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def site(home: Path) -> SiteFolder:
    return SiteFolder(home / "north")


@pytest.fixture(autouse=True)
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What certificates.py finds is its own tests' matter."""
    found = [Finding(name="connection", ok=False, text="localhost:1 refuses connections", remedy="ask the coordinator")]
    monkeypatch.setattr(ready.certificates, "examine", lambda site: found)


@pytest.fixture
def look(site: SiteFolder, home: Path) -> Callable[..., Examined]:
    """Examine the site with its images."""
    return lambda **changes: examine(site, **{"data": home / "images", **changes})


def offer(site: SiteFolder, **changes: object) -> None:
    site.plan_file.write_text(dump_plan(plan_for(PLAN, ["north"]).model_copy(update=changes)))


def of(found: Examined, name: str) -> list[Check]:
    return [check for check in found.checks if check.name == name]


def only(found: Examined, name: str) -> Check:
    [check] = of(found, name)
    return check


def test_a_site_that_has_all_may_approve_without_a_server_to_connect_to(look: Callable[..., Examined], home: Path) -> None:
    found = look(kit=home / "study" / "kits" / "north.kit")
    assert found.obstacles == []
    assert [check.name for check in found.checks if not check.ok] == ["connection"]
    assert "as the coordinator has it" in only(found, "wardround").text
    assert "numbers that are learnt" in only(found, "model").text


def test_the_ledger_is_told(look: Callable[..., Examined], home: Path) -> None:
    shutil.copy(home / "images" / "left" / "00.png", home / "images" / "right" / "copy.png")
    found = look()
    assert "41 images in" in only(found, "images").text
    assert "0 failed" in only(found, "images").text
    assert only(found, "split").text == "29 to train, 4 to choose the round, 8 to test"
    assert "a patient may be in two" in only(found, "patients").text


def test_unreadable_images_stand_against_approval_and_are_named(look: Callable[..., Examined], home: Path) -> None:
    (home / "images" / "left" / "00.png").write_bytes(b"no picture")
    [obstacle] = look().obstacles
    assert obstacle.name == "images"
    assert "left/00.png" in obstacle.text


def test_a_folder_that_is_not_there_stands_against_approval(look: Callable[..., Examined], home: Path) -> None:
    found = look(data=home / "nowhere")
    assert [check.name for check in found.obstacles] == ["images"]
    assert str(home / "nowhere") in found.obstacles[0].text
    assert of(found, "model") == []


def test_a_site_that_was_never_told_its_images_is_told_how(site: SiteFolder) -> None:
    [obstacle] = examine(site).obstacles
    assert "--data" in obstacle.text


def test_a_split_without_training_images_stands_against_approval() -> None:
    check = ready._parts({"train": 0, "val": 3, "test": 3})
    assert check.is_grave
    assert not check.ok


def test_a_split_without_test_images_is_a_note(site: SiteFolder, look: Callable[..., Examined]) -> None:
    offer(site, split=SplitPlan(val=0.2, test=0.0))
    found = look()
    assert found.obstacles == []
    assert "no images to test" in only(found, "split").text


def test_another_version_than_the_coordinators_stands_against_approval(look: Callable[..., Examined], home: Path) -> None:
    kit = home / "study" / "kits" / "north.kit"
    kit.write_text(json.dumps({**json.loads(kit.read_text()), "version": "9.9"}))
    [obstacle] = look(kit=kit).obstacles
    assert "the coordinator has 9.9" in obstacle.text
    assert "==9.9" in obstacle.remedy


def test_another_nvflare_than_the_pinned_one_stands_against_approval(look: Callable[..., Examined],
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "requires", lambda name: ["numpy>=2.0", "nvflare==1.0.0; sys_platform == 'linux' and extra == 'network'"])
    [obstacle] = look().obstacles
    assert "this wardround needs 1.0.0" in obstacle.text


def test_without_nvflare_the_extra_is_named(look: Callable[..., Examined], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        if name == "nvflare":
            raise ready.PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(ready, "version", missing)
    [obstacle] = look().obstacles
    assert obstacle.remedy == "pip install 'wardround[network]'"


def test_another_system_than_linux_is_named(look: Callable[..., Examined], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "sys", SimpleNamespace(platform="win32"))
    [obstacle] = look().obstacles
    assert "this system is win32" in obstacle.text


def test_little_disk_and_memory_are_notes(look: Callable[..., Examined], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "LEAST_DISK", 2**70)
    monkeypatch.setattr(ready, "LEAST_MEMORY", 2**70)
    found = look()
    assert found.obstacles == []
    assert {"disk", "memory"} <= {check.name for check in found.checks if not check.ok and check.remedy}


def test_more_threads_than_cores_are_a_note(site: SiteFolder, look: Callable[..., Examined]) -> None:
    site.limits_file.write_text("threads = 4096\n")
    assert not only(look(), "processor").ok


def test_limits_are_explained_in_a_file_that_sets_none(site: SiteFolder, look: Callable[..., Examined]) -> None:
    assert only(look(), "limits").ok
    assert "# hours" in site.limits_file.read_text()


@pytest.mark.parametrize(("limit", "text"), [("max_rounds = 2", "the plan has 3 rounds"), ("min_train = 1000", "training images")])
def test_a_plan_beyond_the_hospitals_limits_stands_against_approval(site: SiteFolder, look: Callable[..., Examined], limit: str,
                                                                   text: str) -> None:
    site.limits_file.write_text(f"{limit}\n")
    [obstacle] = look().obstacles
    assert text in obstacle.text
    assert str(site.limits_file) in obstacle.remedy


def test_limits_that_cannot_be_read_are_an_error(site: SiteFolder, look: Callable[..., Examined]) -> None:
    site.limits_file.write_text("thread = 2\n")
    with pytest.raises(NetworkError, match="unknown key 'thread'"):
        look()


def test_a_plan_that_begins_from_a_file_asks_for_that_file(site: SiteFolder, look: Callable[..., Examined], home: Path) -> None:
    offer(site, model=ModelPlan(name="cnn", weights="/elsewhere/model.safetensors"))
    assert "where it has that file" in look().obstacles[0].text
    [obstacle] = look(weights=home / "absent.safetensors").obstacles
    assert obstacle.name == "model"
    assert "absent.safetensors" in obstacle.text


@pytest.mark.parametrize(("section", "value"), [("model", ModelPlan(name="sentinel_code:made")), ("data", DataPlan(dataset="x.py:Reader"))])
def test_code_of_others_is_not_imported_unasked(site: SiteFolder, look: Callable[..., Examined], home: Path, section: str, value: object,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "sentinel_code.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(home)
    offer(site, **{section: value})
    [obstacle] = look().obstacles
    assert obstacle.name == "code of others"
    assert foreign(described(site, offered(site)).plan)[0] in obstacle.text
    assert "sentinel_code" not in sys.modules


def test_code_of_others_that_the_hospital_allows_is_used(site: SiteFolder, look: Callable[..., Examined]) -> None:
    offer(site, model=ModelPlan(name="wardround.testing:toy_net"))
    assert look(allowed=["model.name = wardround.testing:toy_net"]).obstacles == []
    assert look(allowed=["model.name = another:Thing"]).obstacles[0].name == "code of others"


def test_sizes_are_exact_where_the_model_was_built(look: Callable[..., Examined], site: SiteFolder) -> None:
    update = look().described.leaving[0]
    assert update.tensors
    assert update.num_bytes == 4 * sum(int(np.prod(shape)) for shape in update.tensors.values())
    assert described(site, offered(site)).leaving[0].num_bytes is None


def test_a_plan_can_be_read_without_images(site: SiteFolder) -> None:
    found = described(site, offered(site))
    assert found.words
    assert found.staying
    assert found.differences is None
    assert found.hash == plan_hash(site.plan_file.read_text())


def test_an_approval_is_of_the_words_that_were_shown(site: SiteFolder, look: Callable[..., Examined]) -> None:
    found = look()
    shown = site.plan_file.read_text()
    offer(site, title="slipped in meanwhile")
    approve(site, found, "Dr Who")
    approvals = Approvals(site.approvals_file)
    assert approvals.is_approved(plan_hash(shown))
    assert not approvals.is_approved(plan_hash(site.plan_file.read_text()))


def test_what_was_told_holds_from_the_approval_on(site: SiteFolder, look: Callable[..., Examined], home: Path) -> None:
    found = look()
    assert "data" not in site.record()
    approve(site, found, "Dr Who")
    assert site.record()["data"] == str((home / "images").resolve())
    assert examine(site).obstacles == []


def test_an_approval_is_logged_once(site: SiteFolder, look: Callable[..., Examined]) -> None:
    first = approve(site, look(), "Dr Who")
    assert approve(site, look(), "Dr No") == first
    assert [(line.kind, line.facts["by"], line.facts["plan"]) for line in lines(site.audit_file)] == [("approved", "Dr Who", first.hash)]


def test_an_obstacle_keeps_a_plan_from_being_approved(site: SiteFolder, look: Callable[..., Examined], home: Path) -> None:
    with pytest.raises(NetworkError, match="cannot be approved"):
        approve(site, look(data=home / "nowhere"), "Dr Who")
    assert Approvals(site.approvals_file).last() is None
    assert "data" not in site.record()


def test_what_has_changed_since_the_last_approval_is_told(site: SiteFolder, look: Callable[..., Examined]) -> None:
    approve(site, look(), "Dr Who")
    before = described(site, offered(site))
    assert before.is_approved
    assert before.differences == ()
    site.plan_file.write_text(before.text.replace("num = 3", "num = 30"))
    after = described(site, offered(site))
    assert not after.is_approved
    assert after.differences == ("rounds.num: 3 -> 30",)


def test_an_approval_can_be_withdrawn(site: SiteFolder, look: Callable[..., Examined]) -> None:
    given = approve(site, look(), "Dr Who")
    assert withdraw(site, "Dr No").hash == given.hash
    assert not Approvals(site.approvals_file).is_approved(given.hash)
    assert [line.kind for line in lines(site.audit_file)] == ["approved", "withdrawn"]
    with pytest.raises(NetworkError, match="no plan is approved"):
        withdraw(site, "Dr No")


def test_before_the_kit_there_is_no_plan(home: Path) -> None:
    site = kits.join(home / "study" / "invitations" / "north.invitation", home / "other")
    with pytest.raises(NetworkError, match="comes with the coordinator's kit"):
        examine(site)
