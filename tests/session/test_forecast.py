"""What a plan will cost: by hand, and held against a run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wardround.build import initial_params
from wardround.core.events import Note, RoundFinished
from wardround.data.prepare import prepare
from wardround.errors import DataError, PartitionError, WardroundError
from wardround.plan.schema import AggregationPlan, Plan, Recipe, RoundsPlan
from wardround.session import run
from wardround.session.forecast import HIGH, LOW, Forecast, cohorts, exchanged, forecast, memory, optimizer_numbers, packed, seconds, span
from wardround.session.timing import Timed
from wardround.testing import toy_blueprint

PlanWith = Callable[..., Plan]

TRAINED = (4 * 9 + 4) + (4 + 4) + (16 * 2 + 2)  # numbers of toy_net: convolution, batch norm, linear
WHOLE = TRAINED + 2 * 4  # with the running mean and variance
PROBE = Timed(begin_s=5.0, round_s=1.0, step_s=0.5, row_s=0.25, combine_s=2.0, bytes_up=10, bytes_down=20, grown=10**6)


def test_jobs_go_to_the_worker_that_is_free_first() -> None:
    assert packed([3.0] * 5, 2) == 9.0
    assert packed([3.0] * 4, 2) == 6.0
    assert packed([5.0, 1.0, 1.0, 4.0], 2) == 6.0  # 5 at one, 1 + 1 + 4 at the other
    assert packed([7.0], 4) == 7.0


def test_a_round_is_its_training_the_servers_work_and_its_part_of_the_evaluations() -> None:
    blueprint = toy_blueprint()  # 9, 13 and 17 images in batches of 4: 3, 4 and 5 steps, so 2.5, 3 and 3.5 s; 4 validation rows each
    state = blueprint.strategy.begin(initial_params(blueprint), 3)
    assert seconds(blueprint, state, PROBE, cohorts(blueprint, state), 2) == pytest.approx((2.5 + 3.5) + 2.0 + (1.0 + 1.0))


def test_evaluations_count_by_how_often_they_are_made() -> None:
    blueprint = toy_blueprint(rounds=RoundsPlan(num=4, evaluate_every=3, metric="loss"))  # after rounds 3 and 4
    state = blueprint.strategy.begin(initial_params(blueprint), 3)
    assert seconds(blueprint, state, PROBE, cohorts(blueprint, state), 2) == pytest.approx(6.0 + 2.0 + 2.0 * 2 / 4)


def test_memory_is_told_by_what_holds_it() -> None:
    blueprint = toy_blueprint(recipe=Recipe(optimizer="adam", batch_size=4))
    state = blueprint.strategy.begin(initial_params(blueprint), 3)
    held = memory(blueprint, state, PROBE, workers=2, asked=3, images=123)
    assert held["models"] == 2 * 4 * WHOLE
    assert held["gradients"] == 2 * 4 * TRAINED
    assert held["optimisers"] == 2 * 4 * 3 * TRAINED  # two moments and a scratch vector
    assert held["activations and work space"] == 2 * (10**6 - 4 * (WHOLE + 4 * TRAINED))
    assert held["exchange and server"] == 4 * WHOLE * (1 + 4 + 2 + 1)  # an order, two slots a worker, the state twice, the best round
    assert held["images"] == 123
    assert held["the program"] > 50e6


def test_plain_sgd_remembers_nothing() -> None:
    layout = toy_blueprint().model().params.layout
    assert [optimizer_numbers(Recipe(momentum=momentum), layout) for momentum in (0.0, 0.9)] == [0, TRAINED]


def test_a_rule_other_than_the_mean_holds_all_updates() -> None:
    blueprint = toy_blueprint()
    state = blueprint.strategy.begin(initial_params(blueprint), 3)
    median = replace(blueprint, plan=blueprint.plan.model_copy(update={"aggregation": AggregationPlan(rule="median", attackers=1)}))
    assert exchanged(median, state, workers=2, asked=3) - exchanged(blueprint, state, workers=2, asked=3) == 3 * 4 * WHOLE


def test_counts_bytes_and_seconds_are_those_of_a_run(plan_with: PlanWith, tmp_path: Path) -> None:
    plan = plan_with(exchange={"updates": "int8"}, recipe={"local_epochs": 10}, model={"norm": "group"})
    found = forecast(plan)
    rounds = [event for event in run(plan, out=tmp_path).events() if isinstance(event, RoundFinished)]
    assert (3 * found.bytes_up, 3 * found.bytes_down) == (rounds[0].bytes_up, rounds[0].bytes_down)
    prepared = prepare(plan)
    num_train = max(len(prepared.rows(site, "train")) for site in prepared.site_names)
    assert (found.sites, found.asked, found.workers, found.rounds) == (3, 3, 2, 4)
    assert (found.train_images, found.steps) == (num_train, 10 * -(-num_train // 8))
    assert found.disk_bytes == prepared.pixels.nbytes
    took = min(event.seconds for event in rounds[1:])  # workers start in the first; other programs disturb some
    assert found.round_s[0] / LOW / 3 < took < found.round_s[1] / HIGH * 3


@pytest.mark.parametrize(("data", "folder", "sections"), [
    ("image-mask", "slices", {"data": {"size": 32}}),
    ("brats2020", "brains", {"data": {"dims": 3, "channels": 4, "patch": (16, 16, 16)}}),
], ids=["pictures with masks", "volumes with masks"])
def test_masks_are_forecast_without_decoding_the_set(data: str, folder: str, sections: Any, request: pytest.FixtureRequest,
                                                     monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path))
    settings = {"dataset": data, "folder": request.getfixturevalue(folder), **sections["data"]}
    plan = Plan.model_validate({"name": "drawn", "data": settings, "sites": {"num": 2}, "split": {"val": 0.25, "test": 0.25},
                                "model": {"name": "unet", "width": 2, "depth": 2},
                                "recipe": {"loss": "dice_cross_entropy", "batch_size": 2}, "rounds": {"num": 2, "metric": "dice"},
                                "engine": {"precision": "fp32", "layout": "contiguous"}})
    found = forecast(plan)
    assert found.round_s[1] > 0
    assert not (tmp_path / "decoded").exists() and not (tmp_path / "volumes").exists()
    prepared = prepare(plan)
    assert found.train_images == max(len(prepared.rows(site, "train")) for site in prepared.site_names)
    if prepared.masks is not None:
        assert found.disk_bytes == prepared.pixels.nbytes + prepared.masks.nbytes


def test_a_part_of_the_sites_is_asked_as_the_run_will(plan_with: PlanWith) -> None:
    found = forecast(plan_with(cohort={"fraction": 0.5}, strategy={"name": "fedprox"}))
    assert (found.sites, found.asked) == (3, 2)
    assert forecast(plan_with(strategy={"name": "cyclic"})).asked == 1


def test_patients_that_are_to_be_hidden_set_the_steps(plan_with: PlanWith) -> None:
    found = forecast(plan_with(privacy={"unit": "image", "noise_multiplier": 1.0}, recipe={"keep_optimizer": False, "local_epochs": 2}))
    assert found.steps == round(2 * found.train_images / 8)


def test_what_is_said_is_an_estimate_and_names_its_limits() -> None:
    found = Forecast(parameters=1200, bytes_up=4800, bytes_down=9600, sites=5, asked=3, workers=2, train_images=70, steps=9, rounds=10,
                     round_s=(1.0, 2.0), total_s=(10.0, 20.0), memory={"the program": 300_000_000, "images": 0}, disk_bytes=2_000_000,
                     device="cpu", probe_s=1.5, phantom=True, is_secure=True)
    told = " ".join(found.sentences())
    for part in ("an estimate", "1.0 to 2.0 s", "10 rounds 10 to 20 s", "masking", "the test at the end", "3 of 5 sites", "2 at a time",
                 "receives 9.6 kB and sends 4.8 kB", "the program 300.0 MB", "2.0 MB of decoded images", "near-duplicates", "phantoms"):
        assert part in told
    assert "images 0" not in told
    assert found.memory_bytes == 300_000_000


def test_a_span_names_its_unit_once_if_it_is_one() -> None:
    assert span((4.2, 9.04)) == "4.2 to 9.0 s"
    assert span((57.0, 130.0)) == "57 s to 2 min"


def test_what_cannot_train_says_why(plan_with: PlanWith, tmp_path: Path) -> None:
    with pytest.raises(PartitionError, match="sites cannot share"):
        forecast(plan_with(sites={"num": 200, "names": None}))
    with pytest.raises(DataError, match="no validation images"):
        forecast(plan_with(split={"val": 0}))
    broken = tmp_path / "broken.py"
    broken.write_text("from wardround.strategies.fedavg import FedAvg\nclass Broken(FedAvg):\n    def train(self, site, order):\n"
                      "        raise ValueError('no such thing')\n")
    with pytest.raises(WardroundError, match=r"a step of this plan's training could not be made: ValueError: no such thing"):
        forecast(plan_with(strategy={"name": f"{broken}:Broken"}, engine={"precision": "fp32", "layout": "contiguous"}))


def test_notes_of_the_data_are_passed_on(plan_with: PlanWith) -> None:
    notes: list[str] = []
    forecast(plan_with(data={"dataset": "brain-tumour-mri", "folder": None, "phantoms": 60}),
             watch=lambda event: notes.append(event.text) if isinstance(event, Note) else None)
    assert any("60 phantoms" in note for note in notes)
