"""What a checkpoint holds, and that a run goes on from it with the same bits."""

import pytest
import torch

from wardround.build import initial_params
from wardround.plan.schema import RoundsPlan
from wardround.runs import checkpoint as checkpoints
from wardround.session import run
from wardround.session.keeper import pack, unpack
from wardround.testing import toy_blueprint, toy_run


@pytest.mark.parametrize("average", ["swa", "ema"])
def test_a_resumed_run_has_the_average_of_an_uninterrupted_one(average, tmp_path) -> None:
    blueprint = toy_blueprint(rounds=RoundsPlan(num=4, metric="loss", average=average, average_from=0.0))
    whole, _ = toy_run(blueprint)
    half, memories = toy_run(blueprint, stop_after=2)
    checkpoints.save(tmp_path, pack(half, memories, 0))
    loaded, memories = unpack(checkpoints.load_last(tmp_path), blueprint.strategy.begin(initial_params(blueprint), 3))
    assert (loaded.num_averaged, half.num_averaged) == (2, 2)
    resumed, _ = toy_run(blueprint, course=loaded, memories=memories)
    assert torch.equal(resumed.average.flat, whole.average.flat)
    assert torch.equal(resumed.best.flat, whole.best.flat)
    assert resumed.best_score == whole.best_score


def test_a_course_without_an_average_comes_back_without_one() -> None:
    blueprint = toy_blueprint()
    course, memories = toy_run(blueprint)
    loaded, _ = unpack(pack(course, memories, 0), blueprint.strategy.begin(initial_params(blueprint), 3))
    assert loaded.average is None
    assert torch.equal(loaded.answer.flat, course.state.params.flat)


def test_every_arm_is_averaged_alike(plan_with, tmp_path) -> None:
    plan = plan_with(rounds={"average": "ema", "ema_decay": 0.5})
    for arm in ("federated", "pooled"):
        last = checkpoints.load_last(run(plan, arm=arm, out=tmp_path).checkpoints)
        assert last.meta["course"]["num_averaged"] == 4
        assert not torch.equal(last.vectors["course/average"], last.vectors["state/params"])
