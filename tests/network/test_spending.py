"""A site pays from its own ledger before it trains, or the server for all, and nobody trains when that is empty."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from toy_site import SITE, ToySupply, first_order, make_site, opened, request
from toy_study import ToyStudy, quick, toy_plan

from wardround.build import ArmBlueprint
from wardround.core.exchange import SiteFailed, Update
from wardround.errors import PrivacyError
from wardround.network.desk import Desk
from wardround.network.envelope import NOBODY, Envelope
from wardround.network.folders import SiteFolder
from wardround.network.spending import spend
from wardround.plan.schema import AggregationPlan, Plan, PrivacyPlan, RoundsPlan
from wardround.privacy.terms import Terms
from wardround.testing import toy_run

TERMS = Terms(unit="image", noise_multiplier=1.0, sample_rate=0.1, clip_norm=1.0, delta=1e-5, epsilon=5.0, steps_per_round=40,
              physical_batch=8, images_per_patient=1)
BLUEPRINT = SimpleNamespace(terms={SITE: TERMS}, plan=Plan(name="toy", rounds=RoundsPlan(num=2)))
ENVELOPE = replace(NOBODY, plan="ab" * 32, run="toy-seed0", round=1)


def pay(folder: SiteFolder, **changes: object) -> None:
    spend(folder, BLUEPRINT, SITE, replace(ENVELOPE, **changes))  # type: ignore[arg-type]


def test_a_round_is_written_down_and_one_beyond_the_budget_is_not(tmp_path: Path) -> None:
    folder, _ = make_site(tmp_path / "site")
    pay(folder)
    with pytest.raises(PrivacyError, match=r"^privacy budget: epsilon 4\.69 of 5 spent, round 2 would make it 6\.35"):
        pay(folder, round=2)
    (file,) = folder.privacy.iterdir()
    (line,) = [json.loads(text) for text in file.read_text().splitlines()]
    assert (line["round"], line["steps"], line["run"]) == (1, 40, "toy-seed0")


def test_a_run_of_another_name_begins_with_what_was_spent_before(tmp_path: Path) -> None:
    folder, _ = make_site(tmp_path / "site")
    pay(folder)
    with pytest.raises(PrivacyError):
        pay(folder, run="the-same-again")
    pay(folder, plan="cd" * 32)  # another plan has a budget of its own


def test_a_plan_without_privacy_costs_nothing(tmp_path: Path) -> None:
    folder, _ = make_site(tmp_path / "site")
    spend(folder, SimpleNamespace(terms={}), SITE, ENVELOPE)
    assert not (tmp_path / "site" / "privacy").exists()


def test_a_desk_pays_before_it_trains_and_tells_the_server_why_it_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, plan = make_site(tmp_path / "site")
    paid: list[int] = []

    def once(folder: SiteFolder, blueprint: ArmBlueprint, site: str, envelope: Envelope) -> None:
        if paid:
            raise PrivacyError("privacy budget: epsilon 4.69 of 5 spent")
        paid.append(envelope.round)

    monkeypatch.setattr("wardround.network.desk.spend", once)
    desk = Desk(folder, supply=ToySupply(folder))
    replies = [opened(desk.answer(request(plan, first_order())))[1] for _ in range(2)]
    assert paid == [1]
    assert isinstance(replies[0], Update)
    assert isinstance(replies[1], SiteFailed)
    assert replies[1].reason == "PrivacyError: privacy budget: epsilon 4.69 of 5 spent"


def of_whole_sites(path: Path, monkeypatch: pytest.MonkeyPatch, **privacy: object) -> ToyStudy:
    """A study in which the server adds noise to the mean, after it has come to an end."""
    quick(monkeypatch)
    study = ToyStudy(path, toy_plan(aggregation=AggregationPlan(weights="equal"), privacy=PrivacyPlan(unit="site", **privacy)))
    assert study.conduct().phase in ("finished", "stopped")
    return study


def test_where_whole_sites_are_hidden_the_server_adds_noise_and_pays_each_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = of_whole_sites(tmp_path, monkeypatch, epsilon=1.0)
    (file,) = (study.run.path / "privacy").iterdir()
    assert [json.loads(text)["round"] for text in file.read_text().splitlines()] == [1, 2, 3]
    plain = toy_run(replace(study.blueprint, plan=toy_plan()))[0].best
    final = load_file(study.run.path / "model.safetensors")
    change = torch.cat([final[entry.name].flatten() for entry in plain.layout.entries]) - plain.flat
    assert float(change.norm()) > 4 * float(plain.norm())  # noise of a budget of 1 drowns three sites


def test_a_study_whose_budget_is_spent_ends_with_the_rounds_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = of_whole_sites(tmp_path, monkeypatch, epsilon=2.4, noise_multiplier=2.0)
    assert len(study.rounds()) == 1
    assert any("privacy budget is spent: training ends after round 1" in note for note in study.notes())
