"""What the audit says of runs that send an image's own gradient, of runs with noise, and where it knows nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from wardround.attacks.inversion import Search
from wardround.attacks.similarity import Box
from wardround.audit import inversion
from wardround.audit.finding import Finding
from wardround.audit.inversion import audit_inversion
from wardround.audit.montage import montage
from wardround.audit.observed import Server
from wardround.audit.planted import NONE, Case, Defence, Guesses, attack_planted, defended_gradient, planted_network, share_of
from wardround.audit.subject import Subject
from wardround.rng import torch_stream
from wardround.runs.folder import RunFolder

SENDS_AN_IMAGE = {"model": {"name": f"{__file__}:connected"}, "recipe": {"lr": 0.1, "batch_size": 1, "local_steps": 1, "momentum": 0.0}}


def connected(*, in_channels: int, num_outputs: int, size: int) -> nn.Module:
    """A user's network whose first layer reads the whole image."""
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * size**2, 32), nn.ReLU(), nn.Linear(32, num_outputs))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, and of the grid of planted victims those that must be broken; runs have no scores, and kept their first model."""
    monkeypatch.setattr(RunFolder, "scores", lambda self: {"best_round": 1})
    monkeypatch.setattr("wardround.audit.planted._cases", lambda is_quick: [Case(defence=NONE, images=num) for num in (1, 4)])
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def audited(subject: Subject, **settings: Any) -> Finding:
    (finding,) = audit_inversion(subject, **{"num_steps": 5} | settings)
    return finding


def test_a_run_that_sends_the_gradient_of_an_image_leaks(subject_with: Callable[..., Subject]) -> None:
    finding = audited(subject_with(**SENDS_AN_IMAGE))
    assert finding.verdict == "leaks"
    assert finding.result.value is not None and finding.result.value >= 100
    assert {row["attack"] for row in finding.rows if row.get("sent") == "one batch"} == {"closed form"}


def test_a_hobbled_attack_that_breaks_no_planted_victim_proves_nothing(subject_with: Callable[..., Subject]) -> None:
    finding = audited(subject_with())
    assert finding.canary.value is not None and finding.canary.value < 20
    assert finding.verdict == "inconclusive"
    assert {(row["victim"], row["sent"]) for row in finding.rows if "sent" in row} == {
        (victim, sent) for victim in ("first model", "kept model") for sent in ("one image, bare", "one batch", "whole round")}


def test_too_few_steps_on_the_runs_own_model_prove_nothing(subject_with: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subject_with()
    monkeypatch.setattr("wardround.audit.inversion.BROKEN_DB", 0.0)  # as if the planted victim were broken
    finding = audited(subject)
    assert finding.verdict == "resists"
    assert "no merit of the run's defences" in finding.says_not
    monkeypatch.setattr("wardround.audit.inversion.QUICK_LIMIT_S", 0.0)
    finding = audited(subject, num_steps=6)
    assert finding.verdict == "inconclusive"
    assert "too few" in finding.says_not


def test_of_a_secure_sum_three_sites_are_drawn_together(subject_with: Callable[..., Subject]) -> None:
    subject = subject_with(**SENDS_AN_IMAGE, aggregation={"secure": True}, cohort={"min_sites": 3}, sites={"num": 4})
    server = Server.of(subject)
    assert len(server.sites) == 3
    observed = server.update(subject.params, 1)
    assert (len(observed.images), observed.num, observed.num_steps) == (3, 3, 1)
    alone = [replace(server, sites=(site,)).update(subject.params, 1).gradient["1.bias"] for site in server.sites]
    shares = torch.tensor([float(len(subject.blueprint.rows[site].train)) for site in server.sites])
    assert torch.allclose(observed.gradient["1.bias"], (torch.stack(alone) * (shares / shares.sum())[:, None]).sum(0), atol=1e-6)


def test_the_update_of_one_step_is_the_gradient_of_its_batch(subject_with: Callable[..., Subject]) -> None:
    server = Server.of(subject_with(model={"name": f"{__file__}:connected"}, recipe={"weight_decay": 0.1}))
    observed = server.update(server.subject.params, 1, is_one_step=True)
    server.bench.model.load(server.subject.params)
    server.bench.model.grads.zero_()
    server.bench.loss(server.bench.model.module(observed.images), observed.labels).backward()
    found = torch.cat([grad.flatten() for grad in observed.gradient.values()])
    assert torch.allclose(found, server.bench.model.grads, atol=1e-5)


def test_pictures_are_written_only_where_they_may_be(subject_with: Callable[..., Subject]) -> None:
    subject = subject_with(**SENDS_AN_IMAGE)
    assert audited(subject, with_pictures=False).figures == ()
    assert not (subject.figures / inversion.FIGURE).exists()
    assert audited(subject).figures == (inversion.FIGURE,)
    with Image.open(subject.figures / inversion.FIGURE) as image:
        assert image.size[0] > image.size[1] / 4


def test_runs_without_labelled_pictures_are_not_judged(subject_with: Callable[..., Subject]) -> None:
    subject = subject_with()
    volumes = replace(subject.blueprint.feed, images=torch.zeros(1, 1, 2, 2, 2))  # type: ignore[type-var]
    finding = audited(replace(subject, blueprint=replace(subject.blueprint, feed=volumes)))
    assert (finding.verdict, finding.result.value, finding.canary.value) == ("inconclusive", None, None)
    assert "Nothing was tried" in finding.says_not


def test_a_mean_of_clipped_gradients_is_no_longer_than_the_bound() -> None:
    model, images = planted_network(1, 0), torch.randn((3, 1, 32, 32), generator=torch_stream("images"))
    gradient = defended_gradient(model, images, torch.arange(3), Defence(name="", clip=0.01), torch_stream("noise"))
    assert float(torch.cat([grad.flatten() for grad in gradient.values()]).norm()) <= 0.01


def test_noise_on_the_sum_has_the_deviation_it_says() -> None:
    model, images = planted_network(1, 0), torch.zeros(2, 1, 32, 32)
    defence = Defence(name="", clip=1e-9, noise=1e9)  # deviation 1 on the sum, 1/2 on the mean
    gradient = defended_gradient(model, images, torch.arange(2), defence, torch_stream("noise"))
    assert float(torch.cat([grad.flatten() for grad in gradient.values()]).std()) == pytest.approx(0.5, rel=0.02)


def test_the_attack_breaks_its_planted_victim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wardround.audit.planted._cases", lambda is_quick: [Case(defence=NONE)])
    across = torch.linspace(0.1, 0.9, 32).expand(1, 1, 32, 32)
    box = Box.of("fixed", 1)
    planted = attack_planted(box.units(across), box, Guesses.of(across), search=Search(num_steps=120), seed=0, is_quick=True)
    assert planted.psnr >= 20
    assert planted.rows[0]["is_broken"]


def test_labels_count_however_they_are_ordered() -> None:
    assert share_of(torch.tensor([2, 0, 1]), torch.tensor([0, 1, 1])) == pytest.approx(2 / 3)


def test_a_montage_has_a_column_for_each_name() -> None:
    picture = montage({"true": torch.zeros(2, 1, 4, 4), "drawn": torch.ones(2, 3, 4, 4)})
    assert picture.startswith(b"\x89PNG")
