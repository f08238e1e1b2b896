from math import exp, log

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from wardround.data.catalogue import Task
from wardround.errors import PlanError
from wardround.models.monai import part
from wardround.plan.schema import Recipe
from wardround.training.losses import Loss, make_loss

LOSSES = ["cross_entropy", "binary_cross_entropy", "focal", "smooth_l1"]
WEIGHTS = torch.tensor([0.5, 2.0, 1.5])


def loss(name: str, class_weights: Tensor | None = None, **settings: object) -> Loss:
    return make_loss(Recipe.model_validate({"loss": name, **settings}), class_weights)


def batch(num_classes: int = 3, num: int = 12) -> tuple[Tensor, Tensor]:
    logits = 3 * torch.sin(torch.arange(float(num * num_classes)) * 1.7).view(num, num_classes)
    return logits, torch.arange(num) % num_classes


def test_cross_entropy_of_even_odds_is_the_log_of_the_classes() -> None:
    assert float(loss("cross_entropy")(torch.zeros(2, 4), torch.tensor([0, 3]))) == pytest.approx(log(4))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_torch_s(weights: Tensor | None, smoothing: float) -> None:
    logits, truth = batch()
    expected = functional.cross_entropy(logits, truth, weights, label_smoothing=smoothing, reduction="none").mean()
    assert torch.allclose(loss("cross_entropy", weights, label_smoothing=smoothing)(logits, truth), expected)


def test_binary_cross_entropy_of_two_classes_is_cross_entropy() -> None:
    logits, truth = batch(num_classes=2)
    assert torch.equal(loss("binary_cross_entropy")(logits, truth), loss("cross_entropy")(logits, truth))


def test_binary_cross_entropy_of_two_classes_is_on_the_margin() -> None:
    logits, truth = batch(num_classes=2)
    margin = logits[:, 1] - logits[:, 0]
    found = loss("binary_cross_entropy")
    assert torch.allclose(found(logits, truth), functional.binary_cross_entropy_with_logits(margin, truth.float()))
    assert torch.allclose(found.probabilities(logits)[:, 1], margin.sigmoid())


def test_binary_cross_entropy_of_more_classes_sums_one_against_the_rest() -> None:
    logits = torch.tensor([[log(3.0), 0.0, -log(3.0)]])  # sigmoids 3/4, 1/2, 1/4
    found = loss("binary_cross_entropy")
    assert float(found(logits, torch.tensor([0]))) == pytest.approx(-log(3 / 4) - log(1 / 2) - log(3 / 4))
    assert found.probabilities(logits)[0].tolist() == pytest.approx([3 / 6, 2 / 6, 1 / 6])


def test_binary_cross_entropy_smooths_its_targets() -> None:
    value = loss("binary_cross_entropy", label_smoothing=0.3)(torch.tensor([[0.0, 0.0, log(3.0)]]), torch.tensor([2]))
    assert float(value) == pytest.approx(2 * log(2) - 0.8 * log(3 / 4) - 0.2 * log(1 / 4))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_with_gamma_zero_is_cross_entropy(weights: Tensor | None) -> None:
    logits, truth = batch()
    focal, plain = loss("focal", weights, focal_gamma=0), loss("cross_entropy", weights)
    assert torch.allclose(focal.per_image(logits, truth), plain.per_image(logits, truth))


def test_focal_scales_cross_entropy_by_the_doubt_to_the_power_of_gamma() -> None:
    logits = torch.tensor([[log(9.0), 0.0]])  # p = 9/10
    assert float(loss("focal", focal_gamma=2)(logits, torch.tensor([0]))) == pytest.approx(-0.01 * log(0.9), rel=1e-4)
    assert float(loss("focal", focal_gamma=2)(logits, torch.tensor([1]))) == pytest.approx(-0.81 * log(0.1), rel=1e-4)


def test_smooth_l1_is_torch_s_on_softmax_against_one_hot() -> None:
    logits, truth = batch()
    expected = functional.smooth_l1_loss(logits.softmax(1), functional.one_hot(truth, 3).float())
    assert torch.allclose(loss("smooth_l1")(logits, truth), expected)


@pytest.mark.parametrize("name", LOSSES)
def test_mean_of_a_batch_is_the_mean_of_its_images(name: str) -> None:
    logits, truth = batch()
    found = loss(name)
    assert found.per_image(logits, truth).shape == (12,)
    assert torch.allclose(found(logits, truth), found.per_image(logits, truth).mean())


@pytest.mark.parametrize("name", LOSSES)
def test_weights_of_one_change_nothing(name: str) -> None:
    logits, truth = batch()
    assert torch.allclose(loss(name, torch.ones(3))(logits, truth), loss(name)(logits, truth))


@pytest.mark.parametrize("name", LOSSES)
def test_weighted_losses_of_batches_add_up(name: str) -> None:
    logits, truth = batch()
    losses, weights = loss(name).per_image(logits, truth), WEIGHTS[truth]
    assert torch.allclose(loss(name, WEIGHTS).per_image(logits, truth), weights * losses)
    assert torch.allclose(loss(name, WEIGHTS)(logits, truth), (weights * losses).mean())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("num_classes", [2, 3])
def test_probabilities_of_every_image_sum_to_one_even_far_out(name: str, num_classes: int) -> None:
    logits, _ = batch(num_classes)
    for scale in (1, 1000):
        found = loss(name).probabilities(scale * logits - 500 * (scale - 1))
        assert found.sum(1).tolist() == pytest.approx([1.0] * len(logits))
        assert found.min() >= 0


@pytest.mark.parametrize("name", LOSSES)
def test_the_likeliest_class_is_that_of_the_largest_logit(name: str) -> None:
    logits, _ = batch()
    assert torch.equal(loss(name).probabilities(logits).argmax(1), logits.argmax(1))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_gradients_are_finite_for_sure_and_for_wrong_predictions(name: str, gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0]], requires_grad=True)
    loss(name, focal_gamma=gamma)(logits, torch.tensor([0, 0])).backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_against_the_gradient_makes_the_loss_smaller(name: str) -> None:
    logits, truth = batch()
    logits.requires_grad_()
    before = loss(name)(logits, truth)
    before.backward()
    assert loss(name)(logits.detach() - 0.1 * logits.grad, truth) < before


def test_half_precision_logits_are_judged_in_float32() -> None:
    logits, truth = batch()
    rough = logits.bfloat16()
    for name in LOSSES:
        assert torch.equal(loss(name).per_image(rough, truth), loss(name).per_image(rough.float(), truth))
        assert loss(name).probabilities(rough).dtype == torch.float32


@pytest.mark.parametrize("name", ["focal", "smooth_l1"])
def test_label_smoothing_is_refused_where_it_has_no_meaning(name: str) -> None:
    with pytest.raises(PlanError, match="label_smoothing"):
        loss(name, label_smoothing=0.1)


def test_smooth_l1_of_even_odds_by_hand() -> None:
    p = exp(1) / (exp(1) + 1)
    assert float(loss("smooth_l1")(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))) == pytest.approx((1 - p) ** 2 / 2)


def make(name: str, task: Task, weights: Tensor | None = None, **settings: object) -> Loss:
    return make_loss(Recipe.model_validate({"loss": name, **settings}), weights, task)


FINDINGS = torch.tensor([[1, 0, 1], [0, 0, 0]])


def findings_logits() -> Tensor:
    return torch.tensor([[log(3.0), 0.0, -log(3.0)], [-log(3.0), 0.0, log(3.0)]])  # sigmoids 3/4, 1/2, 1/4; 1/4, 1/2, 3/4


def test_loss_of_several_findings_is_the_mean_of_each_alone() -> None:
    found = make("binary_cross_entropy", "multilabel")
    expected = [(-log(3 / 4) - log(1 / 2) - log(1 / 4)) / 3, (-log(3 / 4) - log(1 / 2) - log(1 / 4)) / 3]
    assert found.per_image(findings_logits(), FINDINGS).tolist() == pytest.approx(expected)
    assert found.probabilities(findings_logits())[0].tolist() == pytest.approx([3 / 4, 1 / 2, 1 / 4])


def test_a_finding_s_weight_counts_only_where_it_is_there() -> None:
    found = make("binary_cross_entropy", "multilabel", torch.tensor([2.0, 5.0, 1.0]))
    expected = [(-2 * log(3 / 4) - log(1 / 2) - log(1 / 4)) / 3, (-log(3 / 4) - log(1 / 2) - log(1 / 4)) / 3]
    assert found.per_image(findings_logits(), FINDINGS).tolist() == pytest.approx(expected)


def test_smoothing_moves_every_finding_s_truth_towards_one_half() -> None:
    found = make("binary_cross_entropy", "multilabel", label_smoothing=0.2)
    value = found(torch.tensor([[log(3.0)]]), torch.tensor([[1]]))
    assert float(value) == pytest.approx(-0.9 * log(3 / 4) - 0.1 * log(1 / 4))


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "smooth_l1", "dice_cross_entropy"])
def test_other_losses_of_several_findings_are_refused_with_the_remedy(name: str) -> None:
    with pytest.raises(PlanError, match=r"several findings an image\. Set it to 'binary_cross_entropy'"):
        make(name, "multilabel")


def test_losses_of_masks_and_of_classes_are_not_mixed_up() -> None:
    with pytest.raises(PlanError, match=r"does not fit masks\. Set it to 'dice_cross_entropy' or 'cross_entropy'"):
        make("focal", "segmentation")
    with pytest.raises(PlanError, match="does not fit images of one class each"):
        make("dice_cross_entropy", "binary")


def test_balanced_weights_of_masks_are_refused() -> None:
    with pytest.raises(PlanError, match="class_weights = 'balanced'"):
        make("dice_cross_entropy", "segmentation", class_weights="balanced")


def masks(shape: tuple[int, ...] = (2, 3, 4, 5), num_classes: int = 3) -> tuple[Tensor, Tensor]:
    num = 1
    for side in shape:
        num *= side
    logits = 3 * torch.sin(torch.arange(float(num * num_classes)) * 1.7).view(shape[0], num_classes, *shape[1:])
    return logits, (torch.arange(num) % num_classes).view(shape)


@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 3, 4, 5)])
def test_cross_entropy_of_masks_is_the_mean_over_voxels(shape: tuple[int, ...]) -> None:
    logits, truth = masks(shape)
    found = make("cross_entropy", "segmentation")
    assert torch.allclose(found(logits, truth), functional.cross_entropy(logits, truth))
    assert found.per_image(logits, truth).shape == (2,)
    assert found.probabilities(logits).sum(1).flatten().tolist() == pytest.approx([1.0] * truth.numel())


@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 3, 4, 5)])
def test_dice_cross_entropy_is_monai_s_dice_plus_cross_entropy(shape: tuple[int, ...]) -> None:
    logits, truth = masks(shape)
    dice = part("losses.dice", "DiceLoss")(include_background=False, to_onehot_y=True, softmax=True, smooth_nr=1.0, smooth_dr=1.0)
    expected = dice(logits, truth[:, None]) + functional.cross_entropy(logits, truth)
    assert torch.allclose(make("dice_cross_entropy", "segmentation")(logits, truth), expected)


def test_soft_dice_by_hand() -> None:
    logits = torch.tensor([log(3.0), 0.0, -log(3.0), 0.0])  # foreground 3/4, 1/2, 1/4, 1/2: sum 2
    both = torch.stack([torch.zeros(4), logits]).view(1, 2, 2, 2)
    truth = torch.tensor([[[1, 1], [0, 0]]])  # overlap 5/4
    entropy = (-log(3 / 4) - log(1 / 2) - log(3 / 4) - log(1 / 2)) / 4
    value = make("dice_cross_entropy", "segmentation")(both, truth)
    assert float(value) == pytest.approx(entropy + 1 - (2 * 5 / 4 + 1) / (2 + 2 + 1))


@pytest.mark.parametrize("size", [200.0, 3.0, -3.0, -200.0])
def test_an_image_without_foreground_gives_a_finite_loss_that_rises_with_what_is_called(size: float) -> None:
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 1] = size
    logits.requires_grad_()
    found = make("dice_cross_entropy", "segmentation")
    value = found(logits, torch.zeros(1, 4, 4, dtype=torch.int64))
    value.backward()
    assert value.isfinite() and logits.grad is not None and logits.grad.isfinite().all()
    assert (logits.grad[:, 1] >= 0).all()  # a step makes the foreground less likely
    called = 16 / (1 + exp(-size))
    entropy = float(functional.softplus(torch.tensor(size)))
    assert float(value.detach()) == pytest.approx(entropy + called / (called + 1), rel=1e-5, abs=1e-5)


def test_a_few_voxels_called_in_an_empty_image_cost_most_of_a_dice() -> None:
    empty = torch.zeros(1, 16, 16, dtype=torch.int64)
    clean = torch.full((1, 2, 16, 16), 0.0)
    clean[:, 0] = 20.0
    few = clean.clone()
    few[:, :, 0, :3] = few[:, :, 0, :3].flip(1)
    found = make("dice_cross_entropy", "segmentation")
    dice = [float(found(logits, empty) - functional.cross_entropy(logits, empty)) for logits in (clean, few)]
    assert dice == pytest.approx([0.0, 3 / 4], abs=1e-4)


@pytest.mark.parametrize(("name", "task"), [("dice_cross_entropy", "segmentation"), ("cross_entropy", "segmentation"),
                                            ("binary_cross_entropy", "multilabel")])
def test_losses_of_sites_add_up_to_the_pooled_one(name: str, task: Task) -> None:
    logits, truth = masks((5, 4, 4)) if task == "segmentation" else (findings_logits(), FINDINGS)
    found = make(name, task)
    apart = torch.cat([found.per_image(logits[:1], truth[:1]), found.per_image(logits[1:], truth[1:])])
    assert torch.allclose(apart, found.per_image(logits, truth))
    assert torch.allclose(apart.sum(), found(logits, truth) * len(truth))


@pytest.mark.parametrize(("name", "task"), [("dice_cross_entropy", "segmentation"), ("binary_cross_entropy", "multilabel")])
def test_half_precision_logits_of_masks_and_findings_are_judged_in_float32(name: str, task: Task) -> None:
    logits, truth = masks() if task == "segmentation" else (findings_logits(), FINDINGS)
    rough, found = logits.bfloat16(), make(name, task)
    assert torch.equal(found.per_image(rough, truth), found.per_image(rough.float(), truth))
    assert found.probabilities(rough).dtype == torch.float32


@pytest.mark.parametrize(("task", "loss"), [("multilabel", "binary_cross_entropy"), ("segmentation", "dice_cross_entropy")])
def test_label_skew_needs_images_of_one_class_each(task, loss: str) -> None:
    with pytest.raises(PlanError, match=r"label_skew = 'balanced' goes by a site's counts of each class"):
        make_loss(Recipe(loss=loss, label_skew="balanced"), None, task)
