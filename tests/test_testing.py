"""The checks for plug-ins pass what is right and name what is wrong."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from wardround.data.datasets import DATASETS
from wardround.models import MODELS
from wardround.strategies.ditto import Ditto
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedbn import FedBN
from wardround.testing import check_dataset, check_model, check_strategy, toy_net


@dataclass(frozen=True, kw_only=True)
class FedShrink(FedAvg):
    """A user's strategy: the mean change, scaled."""

    keep: float = 0.9

    def aggregate(self, state, updates):
        return replace(state, round=state.round + 1, params=state.params + self.combine(updates) * self.keep)


class Careless(FedAvg):
    def train(self, site, order):
        update = super().train(site, order)
        update.delta.flat.add_(torch.randn(1).item() * 1e-3 + id(site) % 7 * 1e-3)
        return update


class Stuck(FedAvg):
    def aggregate(self, state, updates):
        list(updates)
        return replace(state, round=state.round + 1)


def test_a_user_s_strategy_passes() -> None:
    check_strategy(FedShrink, keep=0.5)


def test_a_strategy_that_never_moves_is_named() -> None:
    with pytest.raises(AssertionError, match="never change"):
        check_strategy(Stuck)


def test_a_strategy_that_does_not_count_rounds_is_named() -> None:
    class Endless(FedAvg):
        def aggregate(self, state, updates):
            after = super().aggregate(state, updates)
            return replace(after, round=state.round + 3)

    with pytest.raises(AssertionError, match=r"state\.round \+ 1"):
        check_strategy(Endless)


def test_a_strategy_that_draws_from_nowhere_is_named() -> None:
    with pytest.raises(AssertionError, match=r"number of workers|resumed run differs"):
        check_strategy(Careless)


def test_personal_models_that_change_when_they_are_looked_at_are_named() -> None:
    class Peeking(FedBN):
        def personal(self, site, params):
            site.memory["looks"] = site.memory.get("looks", torch.zeros(1)) + 1
            return super().personal(site, params)

    with pytest.raises(AssertionError, match=r"personal\(\) changes site\.memory"):
        check_strategy(Peeking)


def test_personal_models_that_a_resumed_run_has_not_are_named() -> None:
    first: list[int] = []

    class Forgetful(Ditto):
        def train(self, site, order):
            update = super().train(site, order)
            first.append(order.round)  # lost with the process
            site.memory["own"] = site.memory["own"] + 0.01 * (order.round - first[0])
            return update

    with pytest.raises(AssertionError, match="resumed run differs"):
        check_strategy(Forgetful)


def test_personal_models_that_write_into_the_global_parameters_are_named() -> None:
    class Spilling(FedBN):
        def personal(self, site, params):
            params.flat[0] = 0
            return super().personal(site, params)

    with pytest.raises(AssertionError, match=r"personal\(\) writes into the global parameters"):
        check_strategy(Spilling)


@pytest.mark.parametrize("name", ["cnn", "resnet18", "densenet121"])
def test_our_models_pass(name: str) -> None:
    check_model(MODELS.find(name), size=32)


def test_a_model_of_the_wrong_width_is_named() -> None:
    with pytest.raises(AssertionError, match=r"shape \(4, 3\), expected \(4, 2\)"):
        check_model(lambda in_channels, num_outputs, size: toy_net(in_channels=in_channels, num_outputs=3), size=8)


def test_a_model_that_is_random_in_evaluation_is_named() -> None:
    class Noisy(nn.Module):
        def __init__(self, in_channels, num_outputs, size):
            super().__init__()
            self.net = toy_net(in_channels=in_channels, num_outputs=num_outputs)

        def forward(self, images):
            return self.net(images + torch.randn_like(images))

    with pytest.raises(AssertionError, match="is it random"):
        check_model(Noisy, size=8)


def test_a_model_that_mixes_its_batch_is_named() -> None:
    class Mixing(nn.Module):
        def __init__(self, in_channels, num_outputs, size):
            super().__init__()
            self.net = toy_net(in_channels=in_channels, num_outputs=num_outputs)

        def forward(self, images):
            return self.net(images - images.mean(0, keepdim=True))

    with pytest.raises(AssertionError, match="depends on the others in its batch"):
        check_model(Mixing, size=8)


@pytest.mark.parametrize("name", ["brain-tumour-mri", "chest-xray", "pneumoniamnist"])
def test_our_readers_pass_on_their_phantoms(name: str, tmp_path) -> None:
    reader = DATASETS.find(name)
    reader.write_phantom(tmp_path / "phantom", 40, 0)
    check_dataset(reader, tmp_path / "phantom")


def test_a_reader_that_lists_what_is_not_there_is_named(tmp_path) -> None:
    reader = DATASETS.find("chest-xray")
    reader.write_phantom(tmp_path / "phantom", 40, 0)

    class Dreaming:
        def matches(self, folder):
            return True

        def read(self, folder):
            found = reader.read(folder)
            images = found.images.copy()
            images[0] = "train/NORMAL/dream.jpeg"
            return replace(found, images=images)

    with pytest.raises(AssertionError, match="1 files of the catalogue do not exist"):
        check_dataset(Dreaming(), tmp_path / "phantom")
