"""From a plan to an arm; what cannot work is refused."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wardround.aggregation.mean import mean
from wardround.aggregation.robust import Robust
from wardround.build import (
    METRICS,
    as_begun,
    build,
    build_strategy,
    check_names,
    device_here,
    feed_of,
    lr_factor,
    network_shape,
    num_workers,
    patch_of,
    plan_of_arm,
    primary_metric,
    resolved,
    room_for_images,
)
from wardround.core.params import FlatModel
from wardround.data.datasets import DATASETS
from wardround.data.feeds import ImageFeed
from wardround.data.patches import VolumeFeed
from wardround.data.prepare import prepare
from wardround.data.slices import SliceFeed
from wardround.errors import PlanError, UnknownName
from wardround.models.build import build_model
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan
from wardround.plan.starters import starters
from wardround.strategies import STRATEGIES
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedprox import FedProx
from wardround.training.losses import make_loss


def plan(**sections) -> Plan:
    return Plan.model_validate({"name": "p", **sections})


def test_strategy_settings_come_from_the_plan() -> None:
    strategy = build_strategy(plan(strategy={"name": "fedprox", "mu": 0.3}))
    assert isinstance(strategy, FedProx)
    assert strategy.mu == 0.3


def test_a_setting_that_a_strategy_needs_is_named() -> None:
    with pytest.raises(PlanError, match=r"'finetune' needs strategy\.after"):
        build_strategy(plan(strategy={"name": "finetune"}))


def test_a_setting_that_a_strategy_does_not_have_is_named() -> None:
    with pytest.raises(PlanError, match="'fedprox' has no setting 'mue'"):
        build_strategy(plan(strategy={"name": "fedprox", "mue": 0.3}))


def test_an_unknown_strategy_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'fedavg'"):
        build_strategy(plan(strategy={"name": "fedavgg"}))


def test_the_schedule_scales_the_learning_rate() -> None:
    cosine = plan(recipe={"lr": 0.4, "schedule": "cosine"}, rounds={"num": 4})
    assert [round(lr_factor(cosine, t), 4) for t in (1, 2, 3, 4)] == [1.0, 0.8536, 0.5, 0.1464]


def test_one_site_arms_train_plainly_with_equal_steps_per_image() -> None:
    short = plan(recipe={"local_steps": 2}, strategy={"name": "fedprox", "mu": 1.0}, cohort={"fraction": 0.5})
    assert plan_of_arm(short, "federated", 3) == short
    for arm, steps in (("pooled", 6), ("local", 2)):
        own = plan_of_arm(short, arm, 3)
        assert (own.recipe.local_steps, own.strategy.name, own.cohort.fraction, own.recipe.keep_optimizer) == (steps, "fedavg", 1.0, True)
    assert plan_of_arm(plan(recipe={"local_epochs": 2}), "pooled", 3).recipe.local_epochs == 2


def test_an_optimiser_at_the_server_stays_where_a_round_is_a_step() -> None:
    def strategy(name: str, **recipe: object) -> str:
        return plan_of_arm(plan(strategy={"name": name}, recipe=recipe), "pooled", 3).strategy.name

    assert [strategy(name, single_step=True) for name in ("fedmuon", "fedadam", "fedavgm")] == ["fedmuon", "fedadam", "fedavgm"]
    assert [strategy(name, single_step=True) for name in ("scaffold", "fedprox", "ditto")] == ["fedavg"] * 3
    assert strategy("fedmuon") == "fedavg"


# --- rules against malicious sites

KRUM = {"rule": "krum", "attackers": 1}


def guarded(strategy: str = "fedavg", **sections) -> Plan:
    settings = {"finetune": {"after": 3}}.get(strategy, {})
    return plan(**{"strategy": {"name": strategy, **settings}, "sites": {"num": 5}, "cohort": {"min_sites": 5}, "aggregation": KRUM,
                   **sections})


def test_without_a_rule_the_strategy_keeps_the_mean() -> None:
    assert build_strategy(plan()).combine is mean


@pytest.mark.parametrize("name", STRATEGIES.table)
def test_a_rule_reaches_each_strategy_or_is_refused_with_the_reason(name: str) -> None:
    if reason := STRATEGIES.find(name).needs_mean:
        with pytest.raises(PlanError, match=f"'krum' does not go with strategy '{name}': {re.escape(reason)}"):
            build_strategy(guarded(name))
    else:
        assert isinstance(build_strategy(guarded(name)).combine, Robust)


def test_strategies_that_weigh_updates_themselves_need_the_mean() -> None:
    assert {name for name in STRATEGIES.table if STRATEGIES.find(name).needs_mean} == {"afl", "cyclic", "fednova", "qfedavg", "scaffold"}


def test_a_strategy_without_a_field_for_a_rule_is_refused(tmp_path) -> None:
    (tmp_path / "own.py").write_text("class Own:\n    def __init__(self, recipe, lr_factor):\n        pass\n")
    own = f"{tmp_path / 'own.py'}:Own"
    build_strategy(plan(strategy={"name": own}))
    with pytest.raises(PlanError, match="has no field `combine` to take it"):
        build_strategy(guarded(own))


def test_a_rule_is_refused_before_any_image_is_read_and_once_the_sites_are_known(slices) -> None:
    with pytest.raises(PlanError, match="needs at least 5 sites"):
        check_names(guarded(sites={"num": 3}, cohort={}))
    own, prepared = prepared_of("image-mask", slices, sites={"partition": "column"}, cohort={"min_sites": 5}, aggregation=KRUM,
                                rounds={"metric": "dice"})
    with pytest.raises(PlanError, match=r"needs at least 5 sites .* there are 2"):
        build(own, prepared, "federated")
    assert build(own, prepared, "pooled").strategy.combine is mean


@pytest.mark.parametrize("arm", ["pooled", "local"])
def test_where_there_is_nobody_to_fear_the_mean_stays(arm) -> None:
    assert plan_of_arm(guarded(), arm, 5).aggregation.rule == "mean"
    assert plan_of_arm(guarded(), "federated", 5).aggregation.rule == "krum"


# --- tasks


@pytest.mark.parametrize(("data", "task", "patch", "shape"), [
    ({"size": 32}, "binary", (1, 32, 32), (32, 32)),
    ({"size": 32}, "segmentation", (1, 32, 32), (32, 32)),
    ({"dims": 3, "patch": (4, 8, 16)}, "segmentation", (4, 8, 16), (4, 8, 16)),
    ({"dims": 3, "patch": (1, 8, 16)}, "segmentation", (1, 8, 16), (8, 16)),
    ({"dims": 3, "patch": (1, 8, 16)}, "multilabel", (1, 8, 16), (1, 8, 16))])
def test_what_the_network_sees_follows_from_data_and_task(data, task, patch, shape) -> None:
    assert patch_of(plan(data=data).data) == patch
    assert network_shape(plan(data=data).data, task) == shape


def test_the_first_metric_of_a_task_stands_where_the_loss_chooses_the_round() -> None:
    for task, names in METRICS.items():
        for name in names:
            expected = names[0] if name == "loss" else name
            assert primary_metric(plan(rounds={"metric": name}), task) == expected
    with pytest.raises(PlanError, match=r'rounds\.metric = "dice" does not fit a multilabel task\. Choose one of: auroc, loss'):
        primary_metric(plan(rounds={"metric": "dice"}), "multilabel")


def prepared_of(dataset: str, folder, **sections):
    data = {"dataset": dataset, "folder": folder, "size": 16, **sections.pop("data", {})}
    own = plan(**{"split": {"val": 0.2, "test": 0.3}, "sites": {"num": 2}, "data": data, **sections})
    return own, prepare(own)


def test_findings_are_weighted_by_their_counts_over_all_sites(xrays) -> None:
    own, prepared = prepared_of("nih-chestxray14", xrays, recipe={"loss": "binary_cross_entropy", "class_weights": "balanced"},
                                rounds={"metric": "auroc"})
    blueprint = build(own, prepared, "federated")
    train = prepared.catalogue.labels[prepared.rows(None, "train")]
    mass, hernia = prepared.catalogue.classes.index("Mass"), prepared.catalogue.classes.index("Hernia")
    assert blueprint.class_weights[mass] == pytest.approx((len(train) - train[:, mass].sum()) / train[:, mass].sum())
    assert blueprint.class_weights[hernia] == 1
    assert np.array_equal(build(own, prepared, "pooled").class_weights, blueprint.class_weights)


@pytest.mark.parametrize(("kind", "dataset", "recipe", "told"), [
    ("xrays", "nih-chestxray14", {"loss": "focal"}, "several findings an image"),
    ("slices", "image-mask", {"loss": "smooth_l1"}, "masks"),
    ("slices", "image-mask", {"loss": "dice_cross_entropy", "class_weights": "balanced"}, "counts images")])
def test_a_loss_that_does_not_fit_is_refused_before_a_worker_starts(kind, dataset, recipe, told, request) -> None:
    metric = "dice" if dataset == "image-mask" else "auroc"
    own, prepared = prepared_of(dataset, request.getfixturevalue(kind), recipe=recipe, rounds={"metric": metric})
    with pytest.raises(PlanError, match=told):
        build(own, prepared, "federated")


def test_each_task_has_its_feed(slices, brains, xrays, scans) -> None:
    def feed(dataset: str, folder, **data: object) -> object:
        return feed_of(*prepared_of(dataset, folder, data=data))

    assert isinstance(feed("nih-chestxray14", xrays), ImageFeed)
    assert isinstance(feed("image-mask", slices), SliceFeed)
    assert isinstance(feed("brats2020", brains, dims=3, channels=4), VolumeFeed)
    volumes = feed("folder", scans, dims=3, patch=(4, 8, 8))
    assert isinstance(volumes, ImageFeed)
    assert volumes.images.shape == (20, 1, 4, 8, 8)


@pytest.mark.parametrize("data", [{"dataset": "folder", "dims": 3}, {"dataset": "lgg-mri"}, {"dataset": "brats2020", "dims": 3}])
def test_grey_values_of_volumes_and_of_pictures_with_masks_are_not_harmonised(data) -> None:
    with pytest.raises(PlanError, match=r"data\.harmonise = 'site' .*Leave it out"):
        check_names(plan(data={"harmonise": "site"} | data))
    check_names(plan(data=data))


def test_all_arms_see_the_same_harmonised_images(xrays) -> None:
    own, prepared = prepared_of("nih-chestxray14", xrays, data={"harmonise": "percentiles"}, rounds={"metric": "auroc"},
                                recipe={"loss": "binary_cross_entropy"},
                                sites={"num": 2, "partition": "feature-shift", "strength": 1.0})
    rows = prepared.rows(None, "test")
    federated, pooled, local = (build(own, prepared, arm, site).feed.plain(rows)[0]
                                for arm, site in (("federated", None), ("pooled", None), ("local", "site-1")))
    assert torch.equal(federated, pooled) and torch.equal(federated, local)
    plainly = own.model_copy(update={"data": own.data.model_copy(update={"harmonise": "none"})})
    assert not torch.equal(build(plainly, prepare(plainly), "federated").feed.plain(rows)[0], federated)


@pytest.mark.parametrize("name", sorted(starters()))
def test_a_shipped_plan_builds_its_strategy_its_loss_and_its_model(name: str) -> None:
    own = load_plan(name)
    task, classes = DATASETS.find(own.data.dataset).task, DATASETS.find(own.data.dataset).classes
    check_names(own)
    assert isinstance(build_strategy(own), FedAvg)
    assert primary_metric(own, task) in METRICS[task]
    make_loss(own.recipe, None, task)
    outputs = len(classes) or 2
    module = build_model(own.model, in_channels=own.data.channels, num_outputs=outputs, shape=network_shape(own.data, task),
                         dense=task == "segmentation", seed=0)
    assert FlatModel(module, share=own.model.share).params.layout.num_trainable > 1000


# --- engine


def test_a_resolved_plan_leaves_nothing_open_and_tells_what_it_chose(slices) -> None:
    own, prepared = prepared_of("image-mask", slices, model={"name": "unet", "width": 4, "depth": 2}, rounds={"metric": "dice"},
                                recipe={"loss": "dice_cross_entropy"})
    notes: list = []
    engine = resolved(own, prepared, notes.append).engine
    assert "auto" not in (engine.precision, engine.layout, engine.device)
    if len(notes) == 1:  # none where the processor leaves one choice
        assert notes[0].text.startswith("computes in ")
    assert resolved(own, prepared).engine == engine
    assert resolved(plan(engine={"precision": "bf16", "layout": "contiguous"}), prepared).engine.precision == "bf16"


def test_a_run_that_has_begun_goes_on_as_it_began() -> None:
    begun = plan(engine={"precision": "bf16", "layout": "channels_last", "device": "cpu", "workers": 3})
    again = as_begun(plan(engine={"layout": "contiguous"}), begun).engine
    assert (again.precision, again.layout, again.device, again.workers) == ("bf16", "contiguous", "cpu", 0)


@pytest.mark.parametrize(("engine", "told"), [
    ({"precision": "tf32", "device": "cpu"}, "arithmetic of NVIDIA's GPUs.*Use 'auto', 'fp32' or 'bf16'"),
    ({"device": "cuda"}, "torch sees no CUDA device. Use 'auto' or 'cpu'")])
def test_what_this_machine_cannot_compute_is_refused_before_any_image_is_read(engine, told, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(PlanError, match=told):
        check_names(plan(engine=engine))


@pytest.mark.parametrize(("gib", "num_cores", "workers"), [([24], 16, 4), ([24], 2, 2), ([10], 16, 2), ([2], 16, 1), ([24, 24], 16, 8)])
def test_on_cuda_cores_and_memory_limit_the_workers(gib, num_cores, workers, monkeypatch) -> None:
    monkeypatch.setattr("wardround.build.cores", lambda: num_cores)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gib))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(total_memory=gib[index] * 1024**3))
    assert num_workers(plan()) == workers
    assert num_workers(plan(engine={"workers": 3})) == 3
    assert num_workers(plan(engine={"device": "cpu"})) == num_cores


@pytest.mark.parametrize(("process", "index"), [("MainProcess", 0), ("SpawnProcess-1", 0), ("SpawnProcess-2", 1), ("SpawnProcess-3", 0),
                                                ("SpawnProcess-1:2", 1), ("worker", 0)])
def test_worker_processes_take_the_devices_in_turn(process, index, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("wardround.build.current_process", lambda: SimpleNamespace(name=process))
    assert device_here("cuda") == torch.device("cuda", index)
    assert device_here("cpu") == torch.device("cpu")


def test_workers_share_a_quarter_of_the_free_memory_for_images(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (800, 1000))
    own = plan(engine={"workers": 4})
    assert room_for_images(own, torch.device("cuda", 0)) == 50
    assert room_for_images(own, torch.device("cpu")) == 0
