"""What protects a run is said in plain words: what was spent, who stood apart, what attacks showed, and where there is nothing."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.security import SecurityPage
from wardround.app.views import security as view
from wardround.app.widgets.banner import Banner
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.picture import Picture
from wardround.app.widgets.plot import Curves
from wardround.app.widgets.table import TableView
from wardround.privacy.accountant import Spend
from wardround.privacy.ledger import Ledger
from wardround.report.attacked import NEVER

Shown = Callable[[type[Page]], Page]
WAIT = 60_000
SITES = ("east", "north", "south")
PLANNED = {"[privacy]\nunit = \"none\"": "[privacy]\nunit = \"image\"", "[attack]\nkind = \"none\"": "[attack]\nkind = \"sign-flip\"",
           "rule = \"mean\"": "rule = \"median\""}


def finding(attack: str, verdict: str, figures: Sequence[str] = ()) -> dict[str, Any]:
    measure = {"name": "PSNR", "value": 30.0, "unit": "dB", "low": None, "high": None, "threshold": 20.0, "count": 5}
    return {"attack": attack, "question": "Could a server draw images?", "settings": {}, "canary": measure,
            "result": measure | {"value": 9.0}, "verdict": verdict, "says_not": "Others may succeed.", "rows": [], "figures": list(figures)}


@pytest.fixture
def guarded(finished: Path, tmp_path: Path) -> Path:
    """A run as private, robust training under a simulated attack leaves it, audited."""
    run = tmp_path / "guarded" / finished.name
    shutil.copytree(finished, run)
    plan = (run / "plan.toml").read_text()
    for before, after in PLANNED.items():
        assert before in plan
        plan = plan.replace(before, after, 1)
    (run / "plan.toml").write_text(plan)
    write_spending(run)
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    for line in lines:
        if line["event"] == "RoundFinished":
            line["suspicion"] = {"east": 0.9, "north": 1.0, "south": 6.0 + line["round"]}
    (run / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run / "figures").mkdir(exist_ok=True)
    Image.new("L", (12, 8)).save(run / "figures" / "drawn.png")
    findings = [finding("gradient inversion", "resists", ["drawn.png"]), finding("membership inference", "leaks")]
    (run / "audit.json").write_text(json.dumps({"is_quick": True, "seconds": 616.4, "cores": 2, "findings": findings}))
    return run


def write_spending(run: Path) -> None:
    """Three rounds in the ledgers, and what they come to."""
    sites = {}
    for site in SITES:
        ledger = Ledger(run / "privacy" / f"{site}.jsonl", epsilon=8.0, delta=1e-5)
        ledger.path.parent.mkdir(exist_ok=True)
        for number in (1, 2, 3):
            ledger.spend(Spend(noise_multiplier=1.5, sample_rate=0.2, steps=2), round=number, run=run.name)
        sites[site] = {"epsilon": 2.5, "pld": 2.5, "prv": 2.5, "rdp": 2.8, "delta": 1e-5, "budget": 8.0, "noise_multiplier": 1.5,
                       "sample_rate": 0.2, "steps": 6, "repeated": 0}
    (run / "privacy.json").write_text(json.dumps({
        "unit": "image", "relation": "add or remove one", "delta": 1e-5, "sampling": "poisson", "clip_norm": 1.0, "sites": sites,
        "promises": ["What is hidden is whether one image took part."], "not_covered": ["Test scores are told of test images."]}))


def opened(shown: Shown, desk: Desk, qtbot: QtBot, run: Path) -> Page:
    """The page with a run on it."""
    page = shown(SecurityPage)
    desk.open_run(run)
    qtbot.waitUntil(lambda: bool(facts(page)), timeout=WAIT)
    return page


def facts(page: Page) -> dict[str, str]:
    return next(part for part in page.findChildren(Facts)).texts()


def text(page: Page, name: str) -> str:
    """A label's text, "" where it is not shown."""
    label = page.findChild(QLabel, f"security.{name}")
    return label.text() if label.isVisibleTo(page) else ""


def table(page: Page, name: str) -> TableView:
    return page.findChild(TableView, f"security.{name}")


def test_without_a_run_the_page_leads_to_one(shown: Shown, desk: Desk, qtbot: QtBot) -> None:
    page = shown(SecurityPage)
    empty = next(part for part in page.findChildren(Empty) if part.isVisible())
    assert "No run is open" in empty.text()
    with qtbot.waitSignal(desk.asked_for) as asked:
        qtbot.mouseClick(empty.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert asked.args == ["start"]


def test_a_run_without_protection_is_told_what_to_set(shown: Shown, desk: Desk, finished: Path, qtbot: QtBot) -> None:
    page = opened(shown, desk, qtbot, finished)
    assert facts(page)["Differential privacy"] == "off"
    assert facts(page)["Secure aggregation"] == "off: the server saw each hospital's change"
    assert "may remember images" in text(page, "no_budget") and "privacy.unit" in text(page, "no_budget")
    assert "aggregation.rule" in text(page, "not_compared")
    assert not table(page, "epsilon").isVisibleTo(page) and not table(page, "verdicts").isVisibleTo(page)
    with qtbot.waitSignal(desk.asked_for) as asked:
        qtbot.mouseClick(page.findChild(QPushButton, "security.plan"), Qt.MouseButton.LeftButton)
    assert asked.args == ["plan"]


def test_what_was_spent_is_told_with_what_it_means_and_does_not_cover(shown: Shown, desk: Desk, guarded: Path, qtbot: QtBot) -> None:
    page = opened(shown, desk, qtbot, guarded)
    assert facts(page)["Differential privacy"] == "on: hides each image, within epsilon 8"
    assert text(page, "spent") == "Epsilon 2.50 of 8 was spent, at delta 1e-05."
    assert "whether one image took part" in text(page, "promises")
    assert "does not cover:\n\N{BULLET} Test scores" in text(page, "promises")
    assert [row[:2] for row in table(page, "epsilon").grid.rows] == [(site, "2.50") for site in SITES]
    curves = page.findChild(Curves, "security.epsilon_curves")
    qtbot.waitUntil(lambda: curves.isVisibleTo(page), timeout=WAIT)
    assert "budget: 8" in curves.accessibleDescription() and "east: 0 \N{RIGHTWARDS ARROW} 2.5" in curves.accessibleDescription()


def test_who_stood_apart_is_shown_as_no_verdict_beside_the_simulated_attack(shown: Shown, desk: Desk, guarded: Path, qtbot: QtBot) -> None:
    page = opened(shown, desk, qtbot, guarded)
    assert table(page, "apart").grid.rows[0][:3] == ("south", "8.00", "9.00")
    assert "no verdict" in text(page, "no_verdict")
    assert facts(page)["Simulated attack"] == "sign-flip"
    assert any("This is a simulation." in label.text() for label in page.findChildren(QLabel) if label.isVisibleTo(page))


def test_an_audit_is_shown_with_its_planted_victim_and_what_it_does_not_say(shown: Shown, desk: Desk, guarded: Path, qtbot: QtBot) -> None:
    page = opened(shown, desk, qtbot, guarded)
    assert [row[0] for row in table(page, "verdicts").grid.rows] == ["gradient inversion", "membership inference"]
    assert table(page, "verdicts").grid.rows[1][1] == "the attack worked"
    said = [label.text() for label in page.findChildren(QLabel) if label.isVisibleTo(page)]
    assert NEVER in said and said.count("Others may succeed.") == 2 and view.PATIENTS in said
    measured = [part.texts() for part in page.findChildren(Facts)][1]
    assert measured == {"Planted victim": "PSNR: 30.000 dB (n = 5), from 20.000", "This run": "PSNR: 9.000 dB (n = 5), from 20.000"}
    assert [picture.is_empty for picture in page.findChildren(Picture)] == [False]
    assert text(page, "took") == "It took 10 min on 2 cores. It was a quick one: its intervals are wide."


def test_an_audit_that_another_version_wrote_is_said(finished: Path, guarded: Path) -> None:
    (guarded / "audit.json").write_text('{"findings": 3}')
    (guarded / "privacy.json").write_text("{}")
    found = view.security(guarded)
    assert found.audit is not None and found.audit.problem == view.NOT_AN_AUDIT
    assert found.budget is not None and "does not tell what was spent" in found.budget.problem


def test_the_button_starts_the_command_that_is_shown_and_its_failure_is_told(shown: Shown, desk: Desk, guarded: Path, qtbot: QtBot) -> None:
    (guarded / "provenance.json").unlink()  # without it the command ends at once
    (guarded / "audit.json").unlink()
    page = opened(shown, desk, qtbot, guarded)
    assert page.findChild(QLineEdit, "command").text() == f"wardround audit {guarded} --quick"
    button = page.findChild(QPushButton, "security.audit")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert desk.jobs.all()[0].command == f"wardround audit {guarded} --quick"
    assert not button.isEnabled() and "at work" in text(page, "job")
    qtbot.waitUntil(button.isEnabled, timeout=WAIT)
    assert "ended without a result" in text(page, "job") and "provenance.json" in text(page, "job")


def test_a_run_in_which_nothing_was_exchanged_cannot_be_attacked(shown: Shown, desk: Desk, comparison: Path, qtbot: QtBot) -> None:
    page = opened(shown, desk, qtbot, comparison / "pooled-seed0")
    assert not page.findChild(QPushButton, "security.audit").isVisibleTo(page)
    assert any("Open a federated one" in label.text() for label in page.findChildren(QLabel) if label.isVisibleTo(page))


def test_of_a_comparison_the_federated_run_is_shown(comparison: Path) -> None:
    assert view.security(comparison).run == comparison / "federated-seed0"


def test_an_unfinished_run_says_how_to_go_on(shown: Shown, desk: Desk, finished: Path, tmp_path: Path, qtbot: QtBot) -> None:
    shutil.copy(finished / "plan.toml", tmp_path / "plan.toml")
    page = shown(SecurityPage)
    desk.open_run(tmp_path)
    banner = page.findChild(Banner)
    qtbot.waitUntil(banner.isVisible, timeout=WAIT)
    assert f"wardround run --resume {tmp_path}" in banner.text()
