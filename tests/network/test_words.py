"""A plan in plain words: what is done, what leaves, what has changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from wardround import __version__
from wardround.build import build_strategy
from wardround.compression.filter import Compression, make_filter, pack
from wardround.core.exchange import Update
from wardround.core.params import FlatModel, Layout, Params
from wardround.core.tally import ClassTally, FindingTally
from wardround.errors import PlanError
from wardround.evaluation.temperature import TEMPERATURES
from wardround.fleet.arena import params_fields
from wardround.network.words import Leaving, differences, leaving, plain_words, staying
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan
from wardround.plan.starters import starters
from wardround.strategies import STRATEGIES
from wardround.strategies.personal import Partial
from wardround.testing import toy_net

NEEDED = {"finetune": {"after": 3}}
CLASSES = ("left", "right")


def plan(name: str = "fedavg", **sections: dict[str, Any]) -> Plan:
    """A plan of this strategy, with these keys."""
    return Plan.model_validate({"name": "clinics", "strategy": {"name": name, **NEEDED.get(name, {})}, **sections})


def told(plan: Plan, **arguments: Any) -> list[Leaving]:
    return leaving(plan, **{"task": "binary", "classes": CLASSES, **arguments})


def one(found: list[Leaving], start: str) -> Leaving:
    return next(entry for entry in found if entry.what.startswith(start))


@pytest.fixture(scope="module")
def layout() -> Layout:
    return FlatModel(toy_net(in_channels=1, num_outputs=2)).params.layout


def words(plan: Plan, **arguments: Any) -> str:
    return " ".join(plain_words(plan, **arguments)).replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("name", list(starters()))
def test_every_shipped_plan_is_told_in_about_a_dozen_sentences(name: str) -> None:
    found = plain_words(load_plan(name), num_parameters=1000)
    assert 10 <= len(found) <= 14
    assert all(not sentence[0].islower() and sentence.endswith(".") and "None" not in sentence for sentence in found)


def test_the_words_say_what_the_plan_says() -> None:
    found = words(load_plan("brain-tumour-clinics"), num_parameters=3_400_000, num_train=50)
    for part in ("called Brain tumours on MRI, four clinics", "data set brain-tumour-mri (Brain Tumor MRI Dataset (4 classes))",
                 "96 x 96 pixels, in grey", "70 % train the model, 10 % choose its best round and 20 % test it",
                 "network efficientnet-lite0", "3 400 000 numbers", "everyday photographs", "There are 16 rounds.",
                 "0.5 times through its training images, 16 at a time",
                 "with the 50 training images here, 2 batches", "method fedavg (McMahan", "clinic-1, clinic-2, clinic-3 and clinic-4",
                 "within 60 min", "With fewer than 4 answers the study waits", "balanced accuracy (share of images named correctly",
                 "the round with the best balanced accuracy over all sites is kept", "every site gets it", f"wardround {__version__}",
                 "'network' and its extra 'pretrained'"):
        assert part in found


@pytest.mark.parametrize(("sections", "expected"), [
    ({"data": {"dims": 3, "channels": 4, "spacing_mm": 2, "patch": (24, 32, 40)}},
     "a volume of 4 channels at cubes of 2 mm; the network sees 24 x 32 x 40 voxels"),
    ({"data": {"channels": 3, "size": 128}}, "128 x 128 pixels, in colour"), ({"data": {"channels": 2}}, "pixels, in 2 channels"),
    ({"split": {"policy": "published"}}, "as the data set's authors have published"),
    ({"split": {"policy": "folds", "folds": 4}}, "One of 4 parts of the images tests the model; of the others 10 %"),
    ({"model": {"weights": "/first.pth"}}, "begins with the numbers in the file /first.pth"),
    ({"model": {"weights": "/first.pth"}}, "and the file of first weights /first.pth."),
    ({"model": {"name": "resnet18", "weights": "imagenet"}}, "the ImageNet weights of resnet18, a file that is downloaded once"),
    ({"model": {"share": ["fc.*"]}}, "only its parts fc.* are trained"),
    ({"rounds": {"num": 9, "patience": 3, "evaluate_every": 2}}, "9 rounds, fewer if 3 evaluations in a row bring nothing better"),
    ({"rounds": {"evaluate_every": 2}}, "After every 2 rounds the model is measured"),
    ({}, "a single site that sends harmful ones is not guarded against"),
    ({"aggregation": {"rule": "nnm-trimmed", "attackers": 1}, "cohort": {"min_sites": 3}},
     "(rule nnm-trimmed); it is made to withstand 1 malicious site. All sites count alike, whatever their size."),
    ({"aggregation": {"rule": "fltrust", "root": "site-2"}, "cohort": {"min_sites": 3}}, "The site that is trusted is site-2."),
    ({"aggregation": {"secure": True}}, "the server sees only sums over at least three sites, and no site's own change."),
    ({"privacy": {"unit": "patient", "epsilon": 3}}, "so that little can be told of a single patient (differential privacy: epsilon 3 at"),
    ({"privacy": {"unit": "site"}, "aggregation": {"weights": "equal"}}, "the server itself sees more."),
    ({"recipe": {"local_steps": 7, "batch_size": 5}}, "trains on 7 batches of 5 images."),
    ({"recipe": {"single_step": True}}, "goes once through its training images, 32 at a time. All of them together make one step"),
    ({"cohort": {"fraction": 0.5}}, "50 % of them, drawn by lot, are asked"), ({"cohort": {"deadline_s": 30}}, "within 30 s"),
    ({"cohort": {"min_sites": 1}}, "If nobody answers the study waits"),
    ({"sites": {"num": 5}}, "5 sites take part"), ({"sites": {"num": 1}}, "1 site takes part"),
    ({"sites": {"partition": "column"}}, "sites that the coordinator has admitted"),
    ({"evaluation": {"calibrate": True}}, "scaled to fit the validation images"),
    ({"data": {"dataset": "mine.py:Reader"}}, "the code of the data set mine.py:Reader, which does not come over the network"),
    ({"title": "Scans"}, "The study is called Scans; the name of its plan is clinics."),
])
def test_each_setting_has_its_words(sections: dict[str, Any], expected: str) -> None:
    assert expected in words(plan(**sections))


def test_what_is_turned_off_has_no_words() -> None:
    assert "scaled" not in words(plan(evaluation={"calibrate": False}))
    assert "in a row" not in words(plan())


@pytest.mark.parametrize(("name", "expected"), [("cyclic", "the method chooses"), ("fedper", "Each site keeps a model of its own."),
                                                ("ditto", "the last round is kept"), ("afl", "method afl (Mohri et al. 2019")])
def test_what_is_special_of_a_strategy_is_said(name: str, expected: str) -> None:
    assert expected in words(plan(name))
    assert expected not in words(plan("fedprox"))


@pytest.mark.parametrize("name", STRATEGIES.known())
def test_every_field_of_an_update_is_told_of_every_strategy(name: str, layout: Layout) -> None:
    kind = STRATEGIES.find(name).update_type
    for found in (told(plan(name), layout=layout), told(plan(name), num_parameters=1000), told(plan(name))):
        numbers = found[: len(params_fields(kind))]
        assert [entry.names for entry in numbers] == [(field,) for field in params_fields(kind)]
        figures = one(found, "figures of the round's training")
        assert {*figures.names, *params_fields(kind)} == set(kind.__dataclass_fields__)
        assert all(entry.reveals and entry.how_often and entry.shape for entry in found)
        assert words(plan(name))


def test_scaffold_sends_twice_as_many_numbers(layout: Layout) -> None:
    change, control = told(plan("scaffold"), layout=layout)[:2]
    assert change.num_bytes == control.num_bytes == layout.num_bytes
    assert "numbers of the method, as many as the model's: control_delta" in control.what


@pytest.mark.parametrize("name", STRATEGIES.known())
def test_the_bytes_are_those_that_the_strategy_counts(name: str, layout: Layout) -> None:
    strategy = build_strategy(plan(name))
    order = strategy.order(strategy.begin(Params(torch.zeros(layout.size), layout), 3))
    fields = params_fields(strategy.order_type)
    assert told(plan(name), layout=layout)[0].num_bytes == order.num_bytes / len(fields)


@pytest.mark.parametrize("name", ["fedbn", "fedper", "fedrep"])
def test_parts_that_stay_are_not_among_what_leaves(name: str, layout: Layout) -> None:
    strategy = build_strategy(plan(name))
    assert isinstance(strategy, Partial)
    here = {entry.name for entry in layout.entries if bool(strategy.stays(layout)[entry.offset])}
    sent = told(plan(name), layout=layout)[0].tensors
    assert set(sent) == {entry.name for entry in layout.entries} - here != set(sent) | here
    assert "parts of it stay here" in told(plan(name), num_parameters=1000)[0].shape
    assert "the parts of the model that are this site's own" in staying(plan(name))


@pytest.mark.parametrize("updates", ["float16", "int8", "top-k"])
@pytest.mark.parametrize("name", ["fedavg", "fedbn"])
def test_the_bytes_are_those_after_compression(updates: str, name: str, layout: Layout) -> None:
    compressed = plan(name, exchange={"updates": updates, "top_share": 0.1})
    strategy, delta = build_strategy(compressed), torch.randn(layout.size, generator=torch.Generator().manual_seed(0))
    if isinstance(strategy, Partial):
        delta[strategy.stays(layout)] = 0
    compression = make_filter(compressed.exchange)
    assert isinstance(compression, Compression)
    sent = len(pack(Params(delta, layout), compression.codec, torch.Generator().manual_seed(0)))
    found = told(compressed, layout=layout)[0].num_bytes
    assert found is not None
    assert sent <= found <= sent + (3 if updates == "top-k" else 0)


def test_without_the_network_the_size_follows_from_the_number_of_parameters() -> None:
    assert told(plan(), num_parameters=1000)[0].num_bytes == 4000
    assert told(plan(exchange={"updates": "float16"}), num_parameters=1000)[0].num_bytes == 2001
    assert told(plan())[0].num_bytes is None


def test_of_a_plan_with_secure_sums_masked_numbers_and_keys_leave_and_no_figures(layout: Layout) -> None:
    found = told(plan("fedbn", aggregation={"secure": True}), layout=layout)
    change, masks = found[:2]
    assert change.what == "what training here has changed in the model, masked"
    assert "looks like numbers drawn at random" in change.reveals
    assert change.num_bytes == 4 * layout.size  # masks cover what stays here too
    assert masks.names == ("site", "stage", "body")
    assert not [entry for entry in found if {"train_loss", "num_steps", "seconds"} & set(entry.names)]
    assert "identity" in one(found, "what is here").names
    assert "identity" not in one(told(plan()), "what is here").names


def test_of_a_plan_with_noise_at_the_sites_the_training_loss_stays_and_the_noise_is_told(layout: Layout) -> None:
    private = plan(privacy={"unit": "image", "epsilon": 2})
    assert "Noise hides what a single image taught it" in told(private, layout=layout)[0].reveals
    assert "train_loss" not in one(told(private), "figures of the round's training").names
    assert "no noise is added" in told(plan(), layout=layout)[0].reveals


def test_finetune_sends_numbers_in_its_first_rounds_only() -> None:
    change, figures = told(plan("finetune"))[:2]
    assert change.how_often == "once in each of the first 3 rounds, not later"
    assert figures.how_often == "once in each of 20 rounds"
    assert told(plan("finetune", rounds={"num": 2}))[0].how_often == "once in each of 2 rounds"
    assert "this site's own model, which it makes of the common one" in staying(plan("finetune"))


@pytest.mark.parametrize("drawn", [plan("cyclic"), plan(cohort={"fraction": 0.5})])
def test_a_site_that_is_not_always_asked_does_not_always_send(drawn: Plan) -> None:
    assert told(drawn)[0].how_often == "once in each round that asks this site, of 20 rounds"


def test_sums_of_images_are_no_larger_than_is_told() -> None:
    rng = np.random.default_rng(0)
    for task, kind, num in (("multiclass", ClassTally, 3), ("multilabel", FindingTally, 4)):
        p = rng.random((5000, num))
        truth = rng.integers(0, num, 5000) if kind is ClassTally else rng.integers(0, 2, (5000, num))
        counts = kind.of(p / p.sum(1, keepdims=True), truth, np.zeros(5000)).counts
        found = one(told(plan(), task=task, classes=("a",) * num), "sums over the validation images")
        assert found.num_bytes == 16 * counts.size
        assert counts.cells.nbytes + counts.numbers.nbytes <= 16 * counts.size
        assert "with few validation images these counts come close to the single images' scores" in found.reveals


def test_of_outlines_a_single_patients_result_is_the_sum() -> None:
    found = told(plan(), task="segmentation", classes=("tumour",))
    assert "of a single validation patient it is that patient's result" in one(found, "sums over the validation images").reveals
    assert not [entry for entry in found if "calibration" in entry.what]
    assert one(found, "sums over the validation images").how_often == "after 20 rounds"


def test_validation_is_told_as_often_as_the_plan_evaluates() -> None:
    assert one(told(plan(rounds={"num": 20, "evaluate_every": 6})), "sums over").how_often == "after 4 rounds, and once at the end"


def test_calibration_sums_leave_only_where_the_plan_calibrates() -> None:
    assert one(told(plan()), "calibration sums").num_bytes == 8 * len(TEMPERATURES)
    assert not [entry for entry in told(plan(evaluation={"calibrate": False})) if "calibration" in entry.what]


def test_numbers_of_each_class_leave_only_where_the_loss_is_weighted_by_them() -> None:
    assert not [entry for entry in told(plan()) if "counts" in entry.names and "each class" in entry.what]
    counts = one(told(plan(recipe={"class_weights": "balanced"})), "number of training images of each class")
    assert counts.shape == "2 numbers"
    assert "exact, small ones too" in counts.reveals


def test_test_results_hide_small_counts_and_their_sums_do_not() -> None:
    found = told(plan())
    assert "Counts from 1 to 10 are hidden" in one(found, "test results").reveals
    assert "small counts are not hidden" in one(found, "sums over the test images").reveals


def test_what_never_leaves_is_said() -> None:
    found = " ".join(staying(plan()))
    for part in ("images", "patients' names", "names of files", "answer for a single image"):
        assert part in found
    assert "own model" not in found


def test_no_program_that_a_plan_names_is_run_to_describe_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('it was imported')")
    name = f"{tmp_path}/mine.py:Thing"
    unknown = Plan.model_validate({"name": "x", "strategy": {"name": name}, "data": {"dataset": name}, "model": {"name": name}})
    assert words(unknown).count("which does not come over the network") == 3
    assert "a program that does not belong to wardround" in words(unknown)
    numbers, more, *_ = told(unknown)
    assert numbers.names == params_fields(Update) == ("delta",)
    assert more.what.startswith("whatever else the strategy")
    assert staying(unknown) == staying(plan())


def test_what_a_package_of_somebody_else_brings_must_be_installed() -> None:
    assert "the package that brings the model theirs" in words(plan(model={"name": "theirs"}))


def test_a_strategy_that_there_is_not_is_refused() -> None:
    with pytest.raises(PlanError, match="no strategy 'fedavgg'"):
        words(plan(strategy={"name": "fedavgg"}))


def test_a_setting_that_the_strategy_has_not_is_refused() -> None:
    with pytest.raises(PlanError, match="has no setting 'mu'"):
        told(plan(strategy={"name": "fedavg", "mu": 1}))


def test_equal_plans_do_not_differ() -> None:
    assert differences(plan(), plan()) == []
    assert differences(plan(), plan(rounds={"num": 20})) == []


def test_plans_differ_key_by_key() -> None:
    old = plan(rounds={"num": 20}, recipe={"clip_norm": 1.0})
    new = plan("fedprox", rounds={"num": 40, "patience": 3}, sites={"num": 2, "names": ("north", "Zürich")})
    new = new.model_copy(update={"title": "Again", "strategy": new.strategy.model_copy(update={"mu": 0.1})})
    assert differences(old, new) == [
        'title: "" -> "Again"', "sites.num: 3 -> 2", 'sites.names: not set -> ["north", "Zürich"]', "recipe.clip_norm: 1.0 -> not set",
        "rounds.num: 20 -> 40", "rounds.patience: not set -> 3", 'strategy.name: "fedavg" -> "fedprox"', "strategy.mu: not set -> 0.1"]
    assert len(differences(new, old)) == 8
