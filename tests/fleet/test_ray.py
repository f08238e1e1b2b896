"""The Ray engine: nodes, places, what is in flight, and a Ray of its own that leaves nothing behind. See also test_contract.py."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wardround.build import initial_params
from wardround.cli.options import Engine, plan_of
from wardround.core.events import Event, SiteStep, WorkerRestarted
from wardround.core.exchange import SiteFailed
from wardround.errors import MissingExtra, PlanError
from wardround.fleet import ray as engine
from wardround.fleet.choose import open_fleet
from wardround.fleet.local import LocalFleet
from wardround.fleet.ray import RayFleet, cause_of, connected
from wardround.session.single import comparable
from wardround.strategies import STRATEGIES
from wardround.strategies.fedavg import FedAvg
from wardround.testing import toy_blueprint, toy_run


class Noted(FedAvg):
    """Leaves a file a site that says on which node it trained."""

    notes: str = ""

    def train(self, site, order):
        import ray

        Path(self.notes, site.name).write_text(ray.get_runtime_context().get_node_id())
        return super().train(site, order)


def noted(folder: Path) -> type[FedAvg]:
    return type("NotedThere", (Noted,), {"notes": str(folder)})


def order_of(fleet: RayFleet):
    strategy = fleet.blueprint.strategy
    return strategy.order(strategy.begin(initial_params(fleet.blueprint), len(fleet.sites())))


def deltas(fleet: RayFleet) -> list[torch.Tensor]:
    replies = list(fleet.train(order_of(fleet), list(fleet.sites())))
    assert not [reply for reply in replies if isinstance(reply, SiteFailed)]
    return [reply.delta.flat for reply in replies]


def test_both_nodes_work_and_few_updates_are_in_flight(cluster, tmp_path) -> None:
    fleet = RayFleet(toy_blueprint(noted(tmp_path), num_sites=9))
    try:
        replies = fleet.train(order_of(fleet), list(fleet.sites()))
        next(replies)
        time.sleep(0.5)
        replies.close()
        assert len(list(tmp_path.iterdir())) <= 2 * 2  # two a worker, whatever the number of sites
        deltas(fleet)
        assert len({path.read_text() for path in tmp_path.iterdir()}) == 2
    finally:
        fleet.close()


def test_a_run_goes_on_with_the_same_bits_when_a_node_is_lost(cluster) -> None:
    node, events = cluster.add_node(num_cpus=1), list[Event]()
    fleet = RayFleet(toy_blueprint(num_sites=6), workers=3, watch=events.append)
    try:
        before = deltas(fleet)
        cluster.remove_node(node, allow_graceful=False)
        after = deltas(fleet)
    finally:
        fleet.close()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert [type(event) for event in events if not isinstance(event, SiteStep)] == [WorkerRestarted]


def test_what_no_node_has_is_refused_with_a_remedy(cluster) -> None:
    with pytest.raises(PlanError, match=r"no GPU.*engine\.device=cpu"):
        RayFleet(toy_blueprint(), device="cuda")


def test_the_plan_names_the_engine(cluster, tmp_path) -> None:
    blueprint = toy_blueprint()
    for name, kind in (("local", LocalFleet), ("ray", RayFleet)):
        plan = blueprint.plan.model_copy(update={"engine": blueprint.plan.engine.model_copy(update={"name": name, "workers": 1})})
        fleet = open_fleet(type(blueprint)(**{**vars(blueprint), "plan": plan}), initial_params(blueprint).layout, work=tmp_path / "work")
        fleet.close()
        assert type(fleet) is kind


def test_memory_mapped_images_travel_as_arrays_that_a_node_shares(cluster, tmp_path) -> None:
    import ray

    engine.carry_code_and_arrays(ray)
    np.arange(10**6, dtype=np.uint8).tofile(tmp_path / "pixels")
    found = ray.get(ray.put({"images": np.memmap(tmp_path / "pixels", np.uint8, "r", shape=(1000, 1000))}))["images"]
    assert type(found) is np.ndarray
    assert not found.flags.owndata
    assert found.sum() == np.fromfile(tmp_path / "pixels", np.uint8).sum()


def test_a_strategy_in_a_user_s_file_travels_with_its_code(cluster, tmp_path) -> None:
    own = tmp_path / "own.py"
    own.write_text("from wardround.strategies.fedavg import FedAvg\n"
                   "class Own(FedAvg):\n"
                   "    def train(self, site, order):\n"
                   "        return super().train(site, order)\n")
    fleet = RayFleet(toy_blueprint(STRATEGIES.find(f"{own}:Own")), workers=1)
    own.unlink()
    try:
        assert len(deltas(fleet)) == 3
    finally:
        fleet.close()


def test_absent_ray_is_named_with_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wardround\[ray\]'"):
        RayFleet(toy_blueprint())


def test_a_cluster_that_does_not_answer_is_named_with_remedies(monkeypatch) -> None:
    def init(address, **settings) -> None:
        raise ConnectionError("it speaks another version")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("RAY_ADDRESS", address := f"127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(PlanError, match=rf"{address} \(it speaks another version\).*ray start --head.*RAY_ADDRESS=local"):
            connected(SimpleNamespace(is_initialized=lambda: False, init=init), None, 0)
    with pytest.raises(PlanError, match=rf"{address} \(.*refused"):
        connected(SimpleNamespace(is_initialized=lambda: False, init=init), None, 0)


@pytest.mark.parametrize(("error", "cause"), [
    (RuntimeError("The actor died unexpectedly.\n  class_name: RayWorker"), "The actor died unexpectedly."),
    (RuntimeError("It died in its creation task:\nTraceback\nKeyError: 'x'\n"), "KeyError: 'x'"),
    (RuntimeError(), "RuntimeError"),
])
def test_the_end_of_a_worker_is_told_in_a_line(error, cause) -> None:
    assert cause_of(error) == cause


def test_the_engine_is_an_option_and_changes_no_result() -> None:
    local, ray = plan_of("demo"), plan_of("demo", engine=Engine.ray)
    assert (local.engine.name, ray.engine.name) == ("local", "ray")
    assert comparable(local) == comparable(ray)


OWN = """
import os, signal, sys, torch
from pathlib import Path
from wardround.build import initial_params
from wardround.fleet.ray import RayFleet
from wardround.testing import toy_blueprint
before = signal.getsignal(signal.SIGTERM)
blueprint = toy_blueprint()
fleet = RayFleet(blueprint, workers=1)
start = blueprint.strategy.begin(initial_params(blueprint), 3)
state = blueprint.strategy.aggregate(start, fleet.train(blueprint.strategy.order(start), list(fleet.sites())))
print(os.environ["RAY_USAGE_STATS_ENABLED"], signal.getsignal(signal.SIGTERM) is before)
fleet.close()
torch.save(state.params.flat, sys.argv[1])
"""


def test_a_ray_of_its_own_gives_the_same_bits_and_leaves_nothing(tmp_path) -> None:
    known = set(Path("/tmp").glob("wardround-ray-*"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {"RAY_ADDRESS": "local"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", OWN, str(tmp_path / "flat.pt")], env=environment, capture_output=True,
                          text=True)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["0", "True"], "")
    assert torch.equal(torch.load(tmp_path / "flat.pt", weights_only=True), toy_run(toy_blueprint(), stop_after=1)[0].state.params.flat)
    assert set(Path("/tmp").glob("wardround-ray-*")) <= known
    alive = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in alive.splitlines() if "wardround-ray-" in line]
