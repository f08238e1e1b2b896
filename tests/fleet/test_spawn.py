"""Workers that are spawned, as with CUDA and where there is no fork: the same bits, and images that are not copied to them."""

import pickle
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch

from wardround.build import ArmBlueprint, build_strategy, initial_params
from wardround.core.events import silent
from wardround.core.params import Params
from wardround.errors import DataError
from wardround.fleet.local import LocalFleet
from wardround.plan.schema import Recipe, RoundsPlan, StrategyPlan
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.testing import toy_blueprint


def mapped(blueprint: ArmBlueprint, file: Path) -> ArmBlueprint:
    """The blueprint with its images in a memory-mapped file."""
    images = blueprint.feed.images
    images.tofile(file)
    return replace(blueprint, feed=replace(blueprint.feed, images=np.memmap(file, np.uint8, "r", shape=images.shape)))


def sent(thing: object) -> object:
    """What arrives in a spawned process."""
    return pickle.loads(ForkingPickler.dumps(thing))


def trained(blueprint: ArmBlueprint, work: Path, *, is_forked: bool) -> tuple[Params, dict[str, torch.Tensor]]:
    """The global parameters, and all that the sites remember, after the plan's rounds with two workers."""
    start = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    fleet = LocalFleet(blueprint, start.params.layout, workers=2, work=work, is_forked=is_forked)
    try:
        course = run_rounds(blueprint.plan, blueprint.strategy, fleet, Course(state=start, best=start.params), watch=silent,
                            save=lambda course: None)
        kept = {f"{site} {name}": tensor for site, memory in fleet.memories().items() for name, tensor in memory.items()}
    finally:
        fleet.close()
    return course.state.params, kept


def test_spawned_workers_give_the_bits_of_forked_ones(tmp_path) -> None:
    recipe = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)
    blueprint = mapped(toy_blueprint(recipe=recipe, rounds=RoundsPlan(num=2, metric="loss")), tmp_path / "pixels.u8")
    (forked, memory), (spawned, same) = (trained(blueprint, tmp_path / "work", is_forked=is_forked) for is_forked in (True, False))
    assert torch.equal(forked.flat, spawned.flat)
    assert not torch.equal(spawned.flat, initial_params(blueprint).flat)
    assert memory.keys() == same.keys()
    assert all(torch.equal(memory[name], same[name]) for name in memory)


def test_a_blueprint_is_sent_without_its_memory_mapped_images(tmp_path) -> None:
    blueprint = toy_blueprint()
    large = replace(blueprint, feed=replace(blueprint.feed, images=np.zeros((1000, 1, 100, 100), np.uint8)))
    assert len(ForkingPickler.dumps(large)) > 10_000_000
    assert len(ForkingPickler.dumps(mapped(large, tmp_path / "pixels.u8"))) < 20_000


@pytest.mark.parametrize("part", [np.s_[:], np.s_[3:7], np.s_[2], np.s_[:, 1], np.s_[::-1]])
def test_a_memory_map_arrives_as_it_was_whatever_part_of_its_file_it_is(tmp_path, part) -> None:
    np.arange(20_000, dtype=np.uint16).tofile(tmp_path / "numbers")
    numbers = np.memmap(tmp_path / "numbers", np.uint16, "r", offset=10_000, shape=(10, 5, 200))[part]
    assert np.array_equal(sent(numbers), numbers)


def test_what_was_computed_from_a_memory_map_is_sent_itself(tmp_path) -> None:
    np.arange(10, dtype=np.uint8).tofile(tmp_path / "numbers")
    numbers = np.memmap(tmp_path / "numbers", np.uint8, "r") + np.uint8(1)
    (tmp_path / "numbers").unlink()
    assert sent(numbers).tolist() == list(range(1, 11))


def test_a_memory_map_that_may_be_written_is_sent_as_it_is_in_memory(tmp_path) -> None:
    np.zeros(4, np.uint8).tofile(tmp_path / "numbers")
    numbers = np.memmap(tmp_path / "numbers", np.uint8, "c")
    numbers[1] = 7
    assert sent(numbers).tolist() == [0, 7, 0, 0]


def test_images_that_have_gone_are_named_with_the_remedy(tmp_path) -> None:
    np.zeros(4, np.uint8).tofile(tmp_path / "pixels.u8")
    described = ForkingPickler.dumps(np.memmap(tmp_path / "pixels.u8", np.uint8, "r"))
    (tmp_path / "pixels.u8").unlink()
    with pytest.raises(DataError, match=r"pixels\.u8: a worker process cannot open the decoded images.*Resume the run"):
        pickle.loads(described)


def test_a_strategy_of_the_user_s_own_file_is_found_again_by_its_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "mine.py").write_text("from dataclasses import dataclass\n"
                                      "from wardround.strategies.fedavg import FedAvg\n"
                                      "@dataclass(frozen=True, kw_only=True)\n"
                                      "class Mine(FedAvg):\n"
                                      "    keep: float = 0.5\n")
    blueprint = toy_blueprint()
    own = StrategyPlan.model_validate({"name": f"{tmp_path / 'mine.py'}:Mine", "keep": 0.9})
    plan = blueprint.plan.model_copy(update={"strategy": own})
    blueprint = replace(blueprint, plan=plan, strategy=build_strategy(plan))
    described = ForkingPickler.dumps(blueprint)
    monkeypatch.delitem(__import__("sys").modules, type(blueprint.strategy).__module__)  # a new process has not imported it
    found = pickle.loads(described).strategy
    assert (type(found).__name__, found.keep) == ("Mine", 0.9)
