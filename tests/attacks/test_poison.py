"""Who is malicious, and from when on."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from wardround.attacks.backdoor import BRIGHT, backdoor
from wardround.attacks.label_flip import label_flip
from wardround.attacks.poison import Poison
from wardround.build import initial_params
from wardround.core.exchange import Order
from wardround.sites.site import Site
from wardround.testing import toy_blueprint
from wardround.training.local import Batch

POISON = Poison(change=partial(label_flip, source=None, target=0, num_classes=3), sites=frozenset({"north"}), from_round=3)


def test_only_malicious_sites_are_changed_and_only_from_their_round_on() -> None:
    assert [POISON.applies("north", number) for number in (1, 2, 3, 4)] == [False, False, True, True]
    assert not POISON.applies("south", 3)


def test_it_travels_to_worker_processes() -> None:
    copy = pickle.loads(pickle.dumps(POISON))
    assert (copy.sites, copy.from_round) == (POISON.sites, 3)
    assert copy.change(torch.zeros(3, 1, 2, 2), torch.tensor([0, 1, 2]), np.random.default_rng(0))[1].tolist() == [2, 1, 0]


def batches(poison: Poison | None, number: int) -> Sequence[Batch]:
    """What site-2 trains on in a round."""
    blueprint = toy_blueprint()
    site = Site(rows=blueprint.rows["site-2"], bench=replace(blueprint.bench(), poison=poison))
    return list(site.batches(Order(round=number, params=initial_params(blueprint), recipe=blueprint.plan.recipe)))


def test_a_malicious_site_trains_on_the_images_of_an_honest_one_by_other_names() -> None:
    poison = Poison(change=partial(label_flip, source=None, target=0, num_classes=2), sites=frozenset({"site-2"}), from_round=2)
    for number, is_flipped in ((1, False), (2, True)):
        for (image, truth), (other, label) in zip(batches(None, number), batches(poison, number), strict=True):
            assert torch.equal(image, other)
            assert torch.equal(label, 1 - truth if is_flipped else truth)


def test_other_sites_are_honest() -> None:
    poison = Poison(change=partial(label_flip, source=None, target=0, num_classes=2), sites=frozenset({"site-1"}))
    assert all(torch.equal(ours[1], theirs[1]) for ours, theirs in zip(batches(None, 1), batches(poison, 1), strict=True))


def test_which_images_carry_a_patch_is_the_same_again_and_another_in_the_next_batch() -> None:
    poison = Poison(change=partial(backdoor, target=0, poisoned=0.5, side_share=0.25), sites=frozenset({"site-2"}))
    first, again = ([(images[:, 0, -1, -1] == BRIGHT).tolist() for images, _ in batches(poison, 1)] for _ in range(2))
    assert first == again
    assert len({tuple(stamped) for stamped in first}) > 1
