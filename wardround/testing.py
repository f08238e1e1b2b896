"""Checks that a plug-in must pass, ours included: check_strategy, check_model, check_dataset, check_fleet.

They raise AssertionError with a sentence that says which property does not hold. Tiny synthetic data, seconds on one core.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wardround.build import ArmBlueprint, initial_params
from wardround.core.events import silent
from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport
from wardround.core.params import FlatModel, Params
from wardround.core.tally import Tally
from wardround.data.catalogue import Catalogue, files_of
from wardround.data.datasets.base import Reader
from wardround.data.feeds import ImageFeed
from wardround.data.transforms import Augment
from wardround.fleet.base import Fleet, Memories
from wardround.fleet.local import LocalFleet
from wardround.fleet.worker import evaluated
from wardround.plan.schema import AugmentPlan, DataPlan, ExchangePlan, ModelPlan, Plan, Recipe, RoundsPlan
from wardround.rng import global_torch_stream, stream
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.session.keeper import pack, unpack
from wardround.sites.memory import Memory
from wardround.sites.site import Site, SiteRows
from wardround.strategies.base import Personal, Strategy
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedbn import FedBN

MakeStrategy = Callable[..., Strategy]


def toy_net(*, in_channels: int, num_outputs: int) -> nn.Module:
    """A network of a few hundred weights with a BatchNorm, for checks."""
    return nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                         nn.Linear(16, num_outputs))


def toy_blueprint(strategy: MakeStrategy = FedAvg, *, num_sites: int = 3, seed: int = 0, num_classes: int = 2, recipe: Recipe | None = None,
                  rounds: RoundsPlan | None = None, exchange: ExchangePlan | None = None, **settings: Any) -> ArmBlueprint:
    """Sites of unequal size with 8 x 8 images whose brightest quarter tells the class."""
    rng = stream(seed, "toy")
    recipe = recipe or Recipe(lr=0.1, batch_size=4, local_epochs=1.0)
    plan = Plan(name="toy", seed=seed, data=DataPlan(size=8), recipe=recipe, rounds=rounds or RoundsPlan(num=3, metric="loss"),
                exchange=exchange or ExchangePlan(), model=ModelPlan(name="wardround.testing:toy_net", norm="batch"),
                augment=AugmentPlan(flip=True))
    sizes = [(9 + 4 * index, 4, 6) for index in range(num_sites)]
    labels = rng.integers(0, num_classes, sum(map(sum, sizes)))
    images = rng.integers(0, 80, (len(labels), 1, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 150
    rows, start = {}, 0
    for index, (train, val, test) in enumerate(sizes):
        numbers = np.arange(start, start + train + val + test)
        name = f"site-{index + 1}"
        rows[name] = SiteRows(name=name, train=numbers[:train], val=numbers[train : train + val], test=numbers[train + val :])
        start += train + val + test
    feed = ImageFeed(images=images, labels=torch.from_numpy(labels.astype(np.int64)), normalisation="fixed", augment=Augment(plan.augment))
    return ArmBlueprint(plan=plan, strategy=strategy(recipe=recipe, **settings), rows=rows, feed=feed,
                        task="binary" if num_classes == 2 else "multiclass", classes=tuple(f"class-{i}" for i in range(num_classes)))


def toy_run(blueprint: ArmBlueprint, *, workers: int = 1, course: Course | None = None, memories: Any = None,
            stop_after: int | None = None) -> tuple[Course, Any]:
    """Run the blueprint's rounds on a local fleet; return the course and the sites' memories. stop_after: a round."""
    start = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    plan = blueprint.plan
    if stop_after is not None:
        plan = plan.model_copy(update={"rounds": plan.rounds.model_copy(update={"num": stop_after})})
    with tempfile.TemporaryDirectory() as folder:
        fleet = LocalFleet(blueprint, start.params.layout, workers=workers, work=Path(folder) / "work")
        try:
            fleet.restore(memories or {})
            course = run_rounds(plan, blueprint.strategy, fleet, course or Course(state=start, best=start.params), watch=silent,
                                save=lambda course: None)
            return course, fleet.memories()
        finally:
            fleet.close()


def check_strategy(strategy: MakeStrategy, **settings: Any) -> None:
    """A strategy learns, is reproducible for any number of workers, and goes on from a checkpoint with the same bits. One with personal
    models answers for every site, from what that site remembers and nothing else."""
    recipe = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)
    blueprint = toy_blueprint(strategy, recipe=recipe, rounds=RoundsPlan(num=4, metric="loss"), **settings)
    whole, kept = toy_run(blueprint)
    _expect(whole.state.round == 4, "aggregate() must count the round: state.round + 1")
    _expect(bool(torch.isfinite(whole.state.params.flat).all()), "parameters are not finite after 4 rounds on easy data")
    start = initial_params(blueprint)
    _expect(not torch.equal(whole.state.params.flat, start.flat), "the global parameters never change")
    again, _ = toy_run(blueprint, workers=2)
    _expect(torch.equal(whole.state.params.flat, again.state.params.flat), "the result depends on the number of workers. Is something "
            "kept on self, or drawn from a global random generator? Keep it in State or site.memory, and draw from wardround.rng.stream.")
    half, memories = toy_run(blueprint, stop_after=2)
    loaded, memories = unpack(pack(half, memories, 0), blueprint.strategy.begin(start, len(blueprint.rows)))
    resumed, memories = toy_run(blueprint, course=loaded, memories=memories)
    is_same = torch.equal(whole.state.params.flat, resumed.state.params.flat) and whole.best_score == resumed.best_score
    _expect(is_same and kept.keys() == memories.keys() and all(_is_same(kept[site], memories[site]) for site in kept), "a resumed run "
            "differs from an uninterrupted one: something that the algorithm remembers is neither in State (fields of type Params, float "
            "or int) nor in site.memory")
    if isinstance(blueprint.strategy, Personal):
        _check_personal(blueprint, blueprint.strategy, whole.state.params, kept)


def _check_personal(blueprint: ArmBlueprint, strategy: Personal, params: Params, memories: Memories) -> None:
    bench, before = blueprint.bench(), params.clone()
    for name, rows in blueprint.rows.items():
        memory = {entry: tensor.clone() for entry, tensor in memories.get(name, {}).items()}
        own, again = (strategy.personal(Site(rows=rows, bench=bench, memory=memory), params).clone() for _ in range(2))
        _expect(torch.equal(own.flat, again.flat), "personal() gives another model when it is asked again")
        _expect(_is_same(memory, memories.get(name, {})), "personal() changes site.memory: an evaluation must leave no trace")
        fresh = strategy.personal(Site(rows=rows, bench=bench), params)
        _expect(bool(torch.isfinite(fresh.flat).all()), "personal() gives a site that remembers nothing no model")
    _expect(torch.equal(params.flat, before.flat), "personal() writes into the global parameters")


def _is_same(memory: Memory, other: Memory) -> bool:
    return memory.keys() == other.keys() and all(torch.equal(memory[entry], other[entry]) for entry in memory)


def check_model(build: Callable[..., nn.Module], *, in_channels: int = 1, num_outputs: int = 2, size: int = 64, **arguments: Any) -> None:
    """A model maps (B, C, size, size) to (B, num_outputs), learns by gradient, and does the same twice in evaluation mode."""
    with global_torch_stream("check_model"):
        model = FlatModel(build(in_channels=in_channels, num_outputs=num_outputs, size=size, **arguments))
        images = torch.randn(4, in_channels, size, size)
        logits = model.module(images)
        _expect(tuple(logits.shape) == (4, num_outputs), f"output has shape {tuple(logits.shape)}, expected (4, {num_outputs})")
        logits.square().mean().backward()
    _expect(bool(model.grads.abs().sum() > 0), "no gradient reaches the parameters")
    model.module.eval()
    with torch.inference_mode():
        _expect(torch.equal(model.module(images), model.module(images)), "two evaluations of the same images differ: is it random?")
        alone = torch.cat([model.module(image[None]) for image in images])
    _expect(torch.allclose(alone, model.module(images), atol=1e-4), "in evaluation, an image's result depends on the others in its batch")


def check_dataset(reader: Reader, folder: Path) -> None:
    """A reader gives the same catalogue twice, with images that exist, labels of its classes and known published splits."""
    _expect(reader.matches(folder), f"matches({folder}) is false for a folder it should read")
    first, second = reader.read(folder), reader.read(folder)
    _expect(isinstance(first, Catalogue), "read() must return a Catalogue")
    _expect(list(first.images) == list(second.images), "two readings give the images in another order")
    _expect(len(set(first.images.tolist())) == len(first), "an image is listed twice")
    _expect(set(first.splits.tolist()) <= {"", "train", "val", "test"}, "a published split must be train, val, test or empty")
    files = [file for image in first.images for file in files_of(image) if "#" not in image]
    missing = [file for file in files if not (first.root / file).is_file()]
    _expect(not missing, f"{len(missing)} files of the catalogue do not exist, e.g. {missing[:1]}")


def check_fleet(make: Callable[[ArmBlueprint], Fleet]) -> None:
    """A fleet asks exactly the cohort, keeps the sites' order, leaves no trace of a round that does not count, evaluates sites' own models
    as they were committed, and reports failures as replies."""
    blueprint = toy_blueprint(FedBN, recipe=Recipe(lr=0.1, batch_size=4, keep_optimizer=True))
    state = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    order = blueprint.strategy.order(state)
    fleet = make(blueprint)
    try:
        _expect(list(fleet.sites()) == list(blueprint.rows), "sites() must name every site, in order")
        cohort = list(blueprint.rows)[1:]
        updates = [replace(update, delta=update.delta.clone()) for update in fleet.train(order, cohort)
                   if not isinstance(update, SiteFailed)]
        _expect([update.site for update in updates] == cohort, "replies must come from the cohort, in the fleet's order")
        again = [update.delta.clone() for update in fleet.train(order, cohort) if not isinstance(update, SiteFailed)]
        _expect(all(torch.equal(first.delta.flat, second.flat) for first, second in zip(updates, again, strict=True)),
                "a round that was not committed must leave no trace at the sites")
        reports = list(fleet.evaluate(EvaluateOrder(round=0, params=state.params, rows="val"), list(fleet.sites())))
        _expect([report.site for report in reports] == list(blueprint.rows), "evaluate() must answer for every site asked")
        _check_own_models(blueprint, fleet, order, [])
        fleet.commit()
        _check_own_models(blueprint, fleet, order, cohort)
        broken = replace(order, recipe=order.recipe.model_copy(update={"batch_size": 0}))
        _expect(all(isinstance(reply, SiteFailed) for reply in fleet.train(broken, cohort)), "an impossible order must give SiteFailed")
    finally:
        fleet.close()


def _check_own_models(blueprint: ArmBlueprint, fleet: Fleet, order: Order, committed: Sequence[str]) -> None:
    asked = EvaluateOrder(round=1, params=order.params, rows="val", is_personal=True, elsewhere=True)
    for reply in fleet.evaluate(asked, list(fleet.sites())):
        site = Site(rows=blueprint.rows[reply.site], bench=blueprint.bench())
        if reply.site in committed:
            blueprint.strategy.train(site, order)
        expected = evaluated(blueprint, site.bench, [site.name], asked, site.memory)[0]
        _expect(isinstance(reply, SiteReport) and _is_close(reply.tally, expected.tally), "an order that is_personal asks for the site's "
                "own model, made of the memory that was committed last")
        _expect(isinstance(reply, SiteReport) and _is_close(reply.elsewhere, expected.elsewhere), "with `elsewhere` a report also tells "
                "how the site's own model does on the rows of all other sites")


def _is_close(found: Tally | None, expected: Tally | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return found.num_examples == expected.num_examples and math.isclose(found.loss_sum, expected.loss_sum, rel_tol=1e-5)


def _expect(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)
