"""Evaluation of labelled images at a site."""

import numpy as np
import pytest
import torch
from torch import Tensor

from wardround.core.tally import ClassTally, FindingTally
from wardround.data.feeds import ImageFeed
from wardround.data.transforms import Augment
from wardround.errors import SiteError
from wardround.evaluation.metrics import from_tally
from wardround.evaluation.temperature import loss_sums
from wardround.plan.schema import AugmentPlan, Recipe
from wardround.sites.classify import BATCH, classify
from wardround.training.losses import make_loss

NUM = BATCH + 20  # more than a batch
CPU = torch.device("cpu")


def feed(labels: np.ndarray) -> ImageFeed:
    images = np.arange(NUM * 4, dtype=np.int64).reshape(NUM, 1, 2, 2) % 251
    return ImageFeed(images=images.astype(np.uint8), labels=torch.from_numpy(labels), normalisation="fixed",
                     augment=Augment(AugmentPlan(flip=True)))


def network(images: Tensor) -> Tensor:
    return images.flatten(1)[:, :2]


def judged(rows: np.ndarray, **settings) -> tuple:
    """One site's tally, rows and values."""
    (found,) = classify(network=network, rows=[rows], **settings)
    return found.tally, found.rows, found.values


def test_one_class_an_image_is_summed_and_told_by_row() -> None:
    images, loss = feed(np.arange(NUM) % 2), make_loss(Recipe(), None, "binary")
    rows = np.arange(3, NUM)
    tally, told, values = judged(rows=rows, detail=True, feed=images, loss=loss, num_classes=2, device=CPU)
    assert isinstance(tally, ClassTally)
    assert np.array_equal(told, rows)
    logits = network(images.plain(rows)[0])
    assert values == pytest.approx(logits.softmax(1).numpy(), abs=1e-6)
    assert tally.loss_sum == pytest.approx(float(torch.nn.functional.cross_entropy(logits, images.labels[rows], reduction="sum")), rel=1e-5)
    assert tally.num_examples == len(rows)
    assert from_tally(tally)["accuracy"] == pytest.approx(float((logits.argmax(1) == images.labels[rows]).float().mean()))


def test_findings_are_judged_each_for_itself() -> None:
    labels = np.stack([np.arange(NUM) % 2, np.arange(NUM) % 3 == 0], 1).astype(np.int64)
    images, loss = feed(labels), make_loss(Recipe(loss="binary_cross_entropy"), None, "multilabel")
    tally, _, values = judged(rows=np.arange(NUM), detail=True, feed=images, loss=loss, num_classes=2, device=CPU)
    assert isinstance(tally, FindingTally)
    assert values == pytest.approx(network(images.plain(np.arange(NUM))[0]).sigmoid().numpy(), abs=1e-6)
    assert tally.scores[:, 1].sum(-1).tolist() == labels.sum(0).tolist()


def test_without_detail_nothing_is_told_of_single_images() -> None:
    images, loss = feed(np.arange(NUM) % 2), make_loss(Recipe(), None, "binary")
    tally, _, values = judged(rows=np.arange(5), detail=False, feed=images, loss=loss, num_classes=2, device=CPU)
    assert values is None
    assert tally.num_examples == 5


@pytest.mark.parametrize("labels", [np.arange(NUM) % 2, np.ones((NUM, 2), np.int64)])
def test_a_site_without_rows_reports_nothing(labels: np.ndarray) -> None:
    task, loss = ("binary", "cross_entropy") if labels.ndim == 1 else ("multilabel", "binary_cross_entropy")
    tally, told, values = judged(rows=np.zeros(0, np.int64), detail=True, feed=feed(labels),
                                   loss=make_loss(Recipe(loss=loss), None, task), num_classes=2, device=CPU)
    assert (tally.num_examples, len(told), values.shape) == (0, 0, (0, 2))


def test_a_model_that_answers_nan_is_a_failure_of_the_site() -> None:
    with pytest.raises(SiteError, match="training diverged"):
        classify(network=lambda images: network(images) * float("nan"), rows=[np.arange(4)], detail=False, feed=feed(np.arange(NUM) % 2),
                 loss=make_loss(Recipe(), None, "binary"), num_classes=2, device=CPU)


def test_sites_that_share_a_forward_pass_are_told_apart() -> None:
    labels = np.arange(NUM) % 2
    settings = {"network": network, "detail": True, "feed": feed(labels), "loss": make_loss(Recipe(), None, "binary"), "num_classes": 2,
                "device": CPU}
    sites = [np.arange(3), np.arange(0), np.arange(3, NUM)]
    for rows, together in zip(sites, classify(rows=sites, **settings), strict=True):
        (alone,) = classify(rows=[rows], **settings)
        assert np.array_equal(together.rows, rows)
        assert together.values == pytest.approx(alone.values, abs=1e-6)
        assert together.tally.num_examples == len(rows)
        assert np.array_equal(together.tally.confusion, alone.tally.confusion)
        assert together.tally.loss_sum == pytest.approx(alone.tally.loss_sum, rel=1e-6)


@pytest.mark.parametrize("labels", [np.arange(NUM) % 2, np.stack([np.arange(NUM) % 2, np.arange(NUM) % 3 == 0], 1).astype(np.int64)])
def test_losses_at_temperatures_are_summed_by_site(labels: np.ndarray) -> None:
    task, name = ("binary", "cross_entropy") if labels.ndim == 1 else ("multilabel", "binary_cross_entropy")
    settings = {"network": network, "feed": feed(labels), "loss": make_loss(Recipe(loss=name), None, task), "num_classes": 2, "device": CPU}
    sites = [np.arange(3), np.arange(0), np.arange(3, NUM)]
    parts = classify(rows=sites, detail=False, temperatures=(0.5, 1.0, 40.0), **settings)
    (whole,) = classify(rows=[np.arange(NUM)], detail=True, temperatures=(0.5, 1.0, 40.0), **settings)
    assert sum(part.loss_sums for part in parts) == pytest.approx(whole.loss_sums)
    assert whole.loss_sums == pytest.approx(loss_sums(whole.values, labels, [NUM], (0.5, 1.0, 40.0))[0])
    assert parts[0].values is None
    num_answers = labels.ndim  # at T = 1 it is the loss that training makes small, a mean over findings
    assert whole.loss_sums[1] == pytest.approx(whole.tally.loss_sum * num_answers, rel=1e-4)


def test_without_temperatures_no_losses_are_summed_at_them() -> None:
    images, loss = feed(np.arange(NUM) % 2), make_loss(Recipe(), None, "binary")
    (found,) = classify(network=network, rows=[np.arange(4)], detail=False, feed=images, loss=loss, num_classes=2, device=CPU)
    assert found.loss_sums is None


def test_losses_at_temperatures_are_those_of_the_loss_s_own_probabilities() -> None:
    images, loss = feed(np.arange(NUM) % 3), make_loss(Recipe(loss="binary_cross_entropy"), None, "multiclass")
    (found,) = classify(network=lambda images: images.flatten(1)[:, :3], rows=[np.arange(NUM)], detail=True, feed=images, loss=loss,
                        num_classes=3, device=CPU, temperatures=(1.0,))
    assert found.loss_sums[0] == pytest.approx(-np.log(found.values[np.arange(NUM), np.arange(NUM) % 3]).sum(), rel=1e-6)
