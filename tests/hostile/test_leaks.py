"""Sixty names, numbers, dates and paths of patients are planted in a hospital's data; none is in what a run leaves or a site sends.

What is the hospital's own and is never sent names files by design: ledger.csv, plan.toml (the data folder), the cache of decoded images,
state/worker.log of a site, and error messages on its own terminal. They are left out here, and docs/security.md says so.
"""

import csv
import io
import json
import logging
import os
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path

import corpus
import numpy as np
import pytest
from corpus import element

from wardround.build import initial_params
from wardround.core.events import Event
from wardround.core.exchange import EvaluateOrder
from wardround.data.cache import cache_root
from wardround.data.ledger import Ledger
from wardround.data.prepare import prepare
from wardround.errors import CatalogueError, DataError, ImageError, PlanError, SiteError, WardroundError
from wardround.fleet.header import peek
from wardround.fleet.wire import encode
from wardround.network import messages  # pytest would take a TestOrder of this module for a test
from wardround.network.approval import Approvals
from wardround.network.desk import Desk
from wardround.network.envelope import Envelope
from wardround.network.folders import SiteFolder
from wardround.network.reasons import reason_of
from wardround.plan.load import dump_plan
from wardround.plan.schema import Plan
from wardround.rng import stream
from wardround.runs.folder import write_json
from wardround.session import predict, run

OWN = ("ledger.csv", "plan.toml")  # of a run: the hospital's own
NAMES = [f"Meier{i:02}Zyx" for i in range(14)]  # in file names
PLACES = ["Station7Wqx", "StudyMeierFolderWqx", "ShareWqx"]  # folders
BROKEN = ["Huber1Zyx", "Huber2Zyx"]  # files that cannot be read
PATIENTS = [f"MRN77{i:02}4431" for i in range(12)]  # the column patient
BIRTHS = [f"19{31 + i}-02-3{i}x" for i in range(8)]  # a further column
HEADERS = [(0x8, 0x18, b"UI", "1.2.999.7.4431.1"), (0x8, 0x20, b"DA", "19770431"), (0x8, 0x50, b"SH", "ACC4431Zyx"),
           (0x8, 0x80, b"LO", "Klinik4431Zyx"), (0x8, 0x90, b"PN", "Referrer4431^Zyx"), (0x8, 0x1010, b"SH", "STATION4431"),
           (0x8, 0x1030, b"LO", "Descr4431Zyx"), (0x8, 0x1050, b"PN", "Performer4431^Zyx"), (0x10, 0x10, b"PN", "Name4431^Zyx"),
           (0x10, 0x20, b"LO", "ID4431Zyx"), (0x10, 0x30, b"DA", "19310431"), (0x10, 0x1000, b"LO", "OTHER4431"),
           (0x10, 0x1040, b"LO", "Street4431Zyx"), (0x10, 0x2154, b"SH", "+43144314431"), (0x10, 0x4000, b"LT", "Comment4431Zyx"),
           (0x20, 0xD, b"UI", "1.2.999.7.4431.2"), (0x20, 0xE, b"UI", "1.2.999.7.4431.3"), (0x20, 0x10, b"SH", "STUDY4431Zyx"),
           (0x20, 0x52, b"UI", "1.2.999.7.4431.4"), (0x20, 0x4000, b"LT", "Image4431Zyx"), (0x18, 0x1030, b"LO", "Protocol4431Zyx")]
CANARIES = [*NAMES, *PLACES, *BROKEN, *PATIENTS, *BIRTHS, *(text for *_, text in HEADERS)]
CLASSES = ("left", "right")


def write_hospital(folder: Path) -> Path:
    """40 DICOM images of 12 patients with a table, two of them broken; the class is which half is bright."""
    root = folder / PLACES[0] / PLACES[1] / PLACES[2]
    root.mkdir(parents=True)
    rows = [["image", "label", "patient", "birth"]]
    for index in range(40):
        pixels = stream("leaks", index).integers(0, 120, (16, 16), dtype=np.uint8)
        pixels[:, slice(0, 8) if index % 2 else slice(8, 16)] += 60
        tags = sorted({HEADERS[(3 * index + shift) % len(HEADERS)] for shift in range(5)})
        before = b"".join(element(group, number, kind, text.encode()) for group, number, kind, text in tags)
        name = f"{NAMES[index % len(NAMES)]}-{index}.dcm" if index < 38 else f"{BROKEN[index - 38]}.dcm"
        content = corpus.dicom(16, 16, corpus.pixel_data(pixels.tobytes()), before=before)
        (root / name).write_bytes(content if index < 38 else content[:500])
        rows.append([name, CLASSES[index % 2], PATIENTS[index % 12], BIRTHS[index % 8]])
    with (root / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return root


def plan_of(root: Path | None, **sites: object) -> Plan:
    return Plan.model_validate({
        "name": "leaks", "data": {"dataset": "manifest", "folder": root, "classes": CLASSES, "size": 16, "max_failed": 0.1},
        "sites": {"num": 2, **sites}, "split": {"val": 0.2, "test": 0.3}, "model": {"name": "wardround.testing:toy_net"},
        "rounds": {"num": 2, "checkpoint_every_s": 0}, "engine": {"workers": 1}, "evaluation": {"resamples": 100}})


def found_in(data: bytes) -> set[str]:
    """The canaries in bytes, in any encoding, compressed as in an .npz too."""
    parts = [data]
    if data.startswith(b"PK\3\4"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts += [archive.read(name) for name in archive.namelist()]
    return {text for text in CANARIES for part in parts for code in ("utf-8", "utf-16-le", "utf-32-le") if text.encode(code) in part}


def leaks_of(folder: Path, own: tuple[str, ...] = OWN) -> dict[str, set[str]]:
    """Files below a folder, by name and content, with the canaries in them."""
    found = {path.relative_to(folder).as_posix(): found_in(path.read_bytes()) | found_in(path.name.encode())
             for path in folder.rglob("*") if path.is_file() and path.name not in own}
    return {name: canaries for name, canaries in found.items() if canaries}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hospital(tmp_path_factory.mktemp("hospital"))


def test_sixty_are_planted_and_would_be_found(hospital: Path) -> None:
    assert len(CANARIES) == len(set(CANARIES)) == 60
    files = [path for path in hospital.iterdir() if path.is_file()]
    planted = {text for path in files for text in found_in(path.read_bytes()) | found_in(str(path).encode())}
    assert planted == set(CANARIES)
    packed = io.BytesIO()
    np.savez_compressed(packed, site=np.array(CANARIES[:1]))
    assert found_in(packed.getvalue()) == set(CANARIES[:1])


def test_nothing_that_a_run_leaves_logs_or_tells_holds_one(hospital: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture,
                                                           capfd: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    with caplog.at_level(logging.DEBUG, logger="wardround"):
        result = run(plan_of(hospital), out=tmp_path / "runs", watch=events.append)
    assert leaks_of(tmp_path / "runs") == {}
    assert found_in(caplog.text.encode()) == set()
    assert found_in(repr(events).encode()) == set()
    assert found_in("".join(capfd.readouterr()).encode()) == set()
    assert found_in(result._repr_html_().encode()) == set()
    kept = {path.name for path in result.path.rglob("*")}
    assert {"report.html", "scores.json", "journal.jsonl", "model.json", "model.safetensors", "provenance.json", "predictions.csv",
            "errors.npz", "meta.json", "state.safetensors"} <= kept
    assert json.loads((result.path / "provenance.json").read_text())["data"]["failed"] == 2


def test_the_ledger_names_files_and_is_the_hospital_s_own(hospital: Path, tmp_path: Path) -> None:
    """So that nobody takes the two that are left out for clean."""
    Ledger.write(prepare(plan_of(hospital)).ledger, tmp_path / "ledger.csv")
    assert found_in((tmp_path / "ledger.csv").read_bytes()) == {*NAMES, *BROKEN}


@pytest.fixture
def desk(hospital: Path, tmp_path: Path) -> Iterator[tuple[Desk, Plan, str]]:
    """The hospital's side of a study, over its own data; with the plan and its hash."""
    folder = SiteFolder(tmp_path / "site")
    folder.state.mkdir(parents=True)
    write_json(folder.path / "site.json", {"study": "s", "site": "north", "data": str(hospital)})
    folder.limits_file.write_text("")
    plan = plan_of(None, partition="folders", names=("north", "south"))
    yield Desk(folder), plan, Approvals(folder.approvals_file).approve(dump_plan(plan), by="Dr Who").hash


def asked(desk: Desk, plan: str, message: object, round: int = 0) -> bytes:
    envelope = Envelope(run="r", plan=plan, site="north", round=round, nonce=secrets.token_hex(16), deadline_s=60.0, cohort=2)
    return desk.answer(encode(envelope.record(), message))


def test_no_message_that_leaves_a_site_holds_one(desk: tuple[Desk, Plan, str]) -> None:
    at_site, plan, approved = desk
    blueprint = at_site._supply.blueprint(at_site._supply.plan(plan))
    params = initial_params(blueprint)
    order = blueprint.strategy.order(blueprint.strategy.begin(params, 2))
    asked_for = {"Ready": messages.Hello(plan=dump_plan(plan)), "Update": order,
                "SiteReport": EvaluateOrder(round=1, params=params, temperatures=(1.0,)),
                "SiteSummary": messages.TestOrder(round=1, params=params, is_personal=False, temperature=1.0, threshold=0.5)}
    for kind, message in asked_for.items():
        reply = asked(at_site, approved, message, round=getattr(message, "round", 0))
        assert peek(reply).kind == kind
        assert found_in(reply) == set()
    assert peek(asked(at_site, approved, messages.LocalOrder())).kind in ("SiteSummary", "SiteFailed")
    assert found_in(asked(at_site, approved, messages.LocalOrder())) == set()


def test_no_reason_of_a_failure_that_leaves_a_site_holds_one(desk: tuple[Desk, Plan, str], hospital: Path) -> None:
    at_site, plan, _ = desk
    strict = plan.model_copy(update={"data": plan.data.model_copy(update={"max_failed": 0.0})})
    other = Approvals(at_site.folder.approvals_file).approve(dump_plan(strict), by="Dr Who").hash
    reply = asked(at_site, other, messages.Hello(plan=dump_plan(strict)))
    assert peek(reply).kind == "SiteFailed"
    assert found_in(reply) == set()
    with pytest.raises(DataError, match=BROKEN[0]):  # at the hospital itself it is told by name
        prepare(plan_of(hospital).model_copy(update={"data": plan_of(hospital).data.model_copy(update={"max_failed": 0.0})}))


@pytest.mark.parametrize("kind", [DataError, CatalogueError, PlanError, SiteError, WardroundError, OSError, ValueError, KeyError,
                                  RuntimeError, FileNotFoundError])
def test_a_reason_holds_no_name_of_a_file_whoever_raised_it(kind: type[Exception], hospital: Path) -> None:
    path = next(hospital.glob("*.dcm"))
    assert found_in(reason_of(kind(f"{path}: cannot be read")).encode()) == set()
    assert found_in(reason_of(ImageError(f"{path}: damaged", reason="truncated")).encode()) == set()


def test_predicting_tells_paths_to_the_one_who_named_them_only(hospital: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = run(plan_of(hospital), out=tmp_path / "runs")
    with caplog.at_level(logging.DEBUG, logger="wardround"):
        found = predict(result, [hospital])
    assert len(found) == 40
    assert found_in(caplog.text.encode()) == set()
    assert leaks_of(tmp_path / "runs") == {}


def test_the_cache_is_the_hospital_s_own_and_holds_no_header(hospital: Path) -> None:
    """Names of broken files are in it, with what is wrong with them; no patient of a table, and nothing of a DICOM header."""
    prepare(plan_of(hospital))
    told = {text for path in cache_root().rglob("*") if path.is_file() for text in found_in(path.read_bytes())}
    assert told <= {*BROKEN, *PLACES}
    assert os.path.commonpath([cache_root(), hospital]) != str(hospital)
