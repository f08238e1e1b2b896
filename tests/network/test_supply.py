"""What a hospital works on: its own images, the study's plan, and as much of its machine as it allows."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_network import one_thread
from toy_site import make_site, request

from wardround.build import build, initial_params
from wardround.core.exchange import SiteFailed
from wardround.data.prepare import prepare
from wardround.errors import PlanError
from wardround.fleet.wire import decode, kinds_of
from wardround.fleet.worker import trained
from wardround.network.agent import SiteAgent
from wardround.network.desk import Desk
from wardround.network.messages import Hello, LocalOrder, Ready, SiteSummary
from wardround.network.policy import Limits
from wardround.network.supply import AtSite, as_here
from wardround.plan.load import dump_plan
from wardround.plan.schema import Plan
from wardround.rng import stream
from wardround.runs.folder import RunFolder, write_json
from wardround.sites.site import Site


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of two hospitals with images whose bright half tells the class."""
    root = tmp_path_factory.mktemp("hospitals")
    for index in range(80):
        left, site = index % 2, ("north", "south")[index // 2 % 2]
        pixels = stream("supply", index).integers(0, 120, (16, 16), dtype=np.uint8)
        pixels[:, 8 * left : 8 * left + 8] += 60
        folder = root / site / ("left", "right")[left]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{index:03}.png")
    return root


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.model_validate({
        "name": "tiny", "data": {"dataset": "folder", "size": 16, "classes": ["left", "right"]},
        "split": {"val": 0.2, "test": 0.3},
        "sites": {"partition": "folders", "names": ["north", "south"], "num": 2}, "model": {"name": "wardround.testing:toy_net"},
        "recipe": {"lr": 0.1, "batch_size": 8}, "rounds": {"num": 2, "checkpoint_every_s": 0}, "evaluation": {"resamples": 100}})


@pytest.fixture
def south(tmp_path: Path, hospitals: Path, plan: Plan):
    """The folder of site south, and the hash of the plan that it approved."""
    folder, approved = make_site(tmp_path / "site", plan, site="south")
    folder.change(data=str(hospitals / "south"))
    return folder, approved


def answer(desk: Desk, plan_hash: str, message, blueprint, **changes):
    reply = desk.answer(request(plan_hash, message, site="south", **changes))
    return decode(reply, kinds_of(blueprint.strategy, Ready, SiteSummary), initial_params(blueprint).layout)[1]


def test_a_site_alone_has_the_rows_and_the_bits_that_one_machine_with_all_folders_has(south, hospitals, plan) -> None:
    folder, approved = south
    here = plan.model_copy(update={"data": plan.data.model_copy(update={"folder": hospitals})})
    blueprint = build(as_here(here, Limits()), prepare(here), "federated")
    order = blueprint.strategy.order(blueprint.strategy.begin(initial_params(blueprint), 2))
    expected = trained(blueprint, Site(rows=blueprint.rows["south"], bench=blueprint.bench()), order)
    desk = Desk(folder)
    ready = answer(desk, approved, Hello(plan=dump_plan(plan)), blueprint)
    assert (ready.num_train, ready.num_test) == (len(blueprint.rows["south"].train), len(blueprint.rows["south"].test))
    update = answer(desk, approved, order, blueprint)
    assert torch.equal(update.delta.flat, expected.delta.flat)


def test_the_local_arm_is_trained_here_and_only_its_scores_are_told(south, hospitals, plan) -> None:
    folder, approved = south
    blueprint = replace(AtSite(folder, Limits()).blueprint(AtSite(folder, Limits()).plan(plan)), class_weights=None)
    summary = answer(Desk(folder), approved, LocalOrder(), blueprint)
    assert isinstance(summary, SiteSummary)
    assert summary.tally is None
    run = RunFolder(folder.runs / "local-seed0")
    assert run.is_finished
    written = (run.path / "scores.json").stat().st_mtime_ns
    assert answer(Desk(folder), approved, LocalOrder(), blueprint).scores == summary.scores
    assert (run.path / "scores.json").stat().st_mtime_ns == written  # it is not trained again


def test_an_agent_s_own_worker_does_all_of_it_in_another_process(south, plan) -> None:
    folder, approved = south
    agent = SiteAgent(folder)
    try:
        replies = [agent.answer(request(approved, message, site="south")) for message in (Hello(plan=dump_plan(plan)), LocalOrder())]
    finally:
        agent.close()
    ready, summary = (decode(reply, {kind.__name__: kind}, None)[1] for reply, kind in zip(replies, (Ready, SiteSummary), strict=True))
    assert summary.site == "south"
    assert ready.threads == 1


def test_a_site_that_was_not_told_where_its_images_are_says_so(south, plan) -> None:
    folder, _ = south
    write_json(folder.path / "site.json", {"site": "south"})
    with pytest.raises(PlanError, match="wardround site ready"):
        AtSite(folder, Limits()).plan(plan)


def test_a_file_of_first_weights_is_the_site_s_own(south, plan) -> None:
    folder, _ = south
    begun = plan.model_copy(update={"model": plan.model.model_copy(update={"weights": "/of/the/coordinator.pth"})})
    with pytest.raises(PlanError, match="was not told where"):
        AtSite(folder, Limits()).plan(begun)
    folder.change(weights="/here/resnet.pth")
    assert AtSite(folder, Limits()).plan(begun).model.weights == "/here/resnet.pth"


def test_images_that_cannot_be_read_are_not_named_to_the_coordinator(tmp_path, south, plan) -> None:
    folder, approved = south
    bad = tmp_path / "bad" / "left"
    bad.mkdir(parents=True)
    (bad / "Smith_John.png").write_bytes(b"no image")
    folder.change(data=str(bad.parent))
    reply = decode(Desk(folder).answer(request(approved, Hello(plan=dump_plan(plan)), site="south")), {"SiteFailed": SiteFailed}, None)[1]
    assert "Smith" not in reply.reason
    assert "worker.log" in reply.reason


def test_the_plan_is_carried_out_in_the_plainest_way_on_what_the_site_allows(plan) -> None:
    asked = plan.model_copy(update={"engine": plan.engine.model_copy(update={"name": "ray"})})
    engine = as_here(asked, Limits(threads=2, gpu=False)).engine
    assert (engine.name, engine.workers, engine.device, engine.precision, engine.layout) == ("local", 2, "cpu", "fp32", "contiguous")
