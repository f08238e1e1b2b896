import numpy as np
import torch

from wardround.attacks.tellsite import Sketch, last_layer, told
from wardround.core.params import Layout
from wardround.rng import stream


def test_an_update_is_its_sites_whose_difference_from_the_rest_it_shares():
    """What all have in common, 100 along the first axis, says nothing; site 0 leans up, site 1 down."""
    known, sites = np.array([[100.0, 1], [100, 2], [100, -1], [100, -2]]), np.array([0, 0, 1, 1])
    assert told(known, sites, np.array([[300.0, 0.5], [100, -9]])).tolist() == [0, 1]


def test_only_directions_count():
    known, sites = np.array([[1.0, 0], [0, 1], [-1, -1]]), np.array([4, 7, 9])
    assert told(known, sites, np.array([[1e-6, 0], [0, 1e6]])).tolist() == [4, 7]


def test_sites_that_send_the_same_are_told_by_chance():
    rng = stream(0, "tell")
    sites = np.arange(400) % 4
    right = told(rng.normal(size=(400, 20)), sites, rng.normal(size=(400, 20))) == sites
    assert 0.15 < right.mean() < 0.35


def test_sketches_keep_inner_products():
    a, b = torch.randn(2, 20_000, generator=torch.Generator().manual_seed(0))
    sketch = Sketch(20_000, 0, dims=2000)
    assert abs(sketch(a) @ sketch(a + b) / 20_000 - 1) < 0.1
    assert abs(sketch(a) @ sketch(b) / 20_000) < 0.1


def test_the_last_layer_is_the_classifiers_weight_and_bias():
    layout = Layout.of([("body.weight", torch.zeros(2), True), ("head.weight", torch.zeros(1, 2), True),
                        ("head.bias", torch.zeros(1), True), ("body.running_mean", torch.zeros(3), False)])
    assert last_layer(torch.arange(8.0), layout).tolist() == [2, 3, 4]
