"""From a plan to an arm; what cannot work is refused."""

import numpy as np
import pytest

from wardround.build import (
    METRICS,
    build,
    build_strategy,
    feed_of,
    lr_factor,
    network_shape,
    patch_of,
    plan_of_arm,
    primary_metric,
    resolved,
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
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedprox import FedProx
from wardround.training.losses import make_loss


def plan(**sections) -> Plan:
    return Plan.model_validate({"name": "p", **sections})


def test_strategy_settings_come_from_the_plan() -> None:
    strategy = build_strategy(plan(strategy={"name": "fedprox", "mu": 0.3}))
    assert isinstance(strategy, FedProx)
    assert strategy.mu == 0.3


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


@pytest.mark.parametrize("name", sorted(starters()))
def test_a_shipped_plan_builds_its_strategy_its_loss_and_its_model(name: str) -> None:
    own = load_plan(name)
    task, classes = DATASETS.find(own.data.dataset).task, DATASETS.find(own.data.dataset).classes
    assert isinstance(build_strategy(resolved(own)), FedAvg)
    assert primary_metric(own, task) in METRICS[task]
    make_loss(own.recipe, None, task)
    outputs = len(classes) or 2
    module = build_model(own.model, in_channels=own.data.channels, num_outputs=outputs, shape=network_shape(own.data, task),
                         dense=task == "segmentation", seed=0)
    assert FlatModel(module, share=own.model.share).params.layout.num_trainable > 1000
