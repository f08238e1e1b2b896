"""A Ray cluster for the tests of engines: two nodes of one core each, both on this machine."""

import logging
import os
import sys
from collections.abc import Iterator

import pytest
from ray.cluster_utils import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """This process is connected to it; classes of test files travel to it with their code."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    before = {name: os.environ.get(name) for name in ("RAY_ADDRESS", "RAY_AUTH_MODE")}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        ray.init(cluster.address, logging_level=logging.ERROR, log_to_driver=False)
        for name, module in list(sys.modules.items()):
            if name.rpartition(".")[2] in ("test_contract", "test_ray"):
                ray.cloudpickle.register_pickle_by_value(module)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({name: value} if value is not None else {})
