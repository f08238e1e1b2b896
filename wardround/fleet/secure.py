"""Secure aggregation over an engine: sites mask their updates, and what comes out is their sum and no single one.

`Secure` is what all engines have in common. `SecureFleet` is for engines of one machine, where the sites' halves live in this process too:
there is one trust domain, and nothing is hidden from whoever runs it. It shows what a study computes and costs.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from wardround.core.events import Note
from wardround.core.exchange import Order, SiteFailed, Summed, Update
from wardround.core.params import Layout, Params
from wardround.errors import PlanError
from wardround.fleet.arena import in_place, params_fields
from wardround.fleet.wrapped import Watched, Wrapped
from wardround.plan.schema import AggregationPlan
from wardround.privacy.secagg.drive import Replies, SecureMean, secure_mean
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.keys import primitive
from wardround.privacy.secagg.local import LocalCarrier
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.site import SecureSite
from wardround.strategies.base import Strategy
from wardround.strategies.personal import Partial

SUM = "secure sum"  # name of the members together

Fault = Callable[[Update, Order, Mapping[str, int], Mapping[str, float]], str | None]  # rounds/arrivals.py's


@dataclass(frozen=True)
class _Carrier:
    """privacy/secagg/drive.py's, by a function."""

    ask: Callable[[str, Mapping[str, bytes]], Replies]


class Secure(Wrapped):
    """Brings one Summed for all sites whose updates are in it, and a SiteFailed for each other site of the cohort.

    A subclass says how requests reach sites: `ask`, and `masked` for the stage in which they train.
    """

    def __init__(self, inner: Watched, *, manifest: Manifest, layout: Layout, strategy: Strategy) -> None:
        """PlanError for a strategy whose updates hold more than the change."""
        super().__init__(inner)
        if more := [name for name in params_fields(strategy.update_type) if name != "delta"]:
            raise PlanError(f"aggregation.secure does not go with a strategy that sends more than the model's change ({', '.join(more)}): "
                            "only one mean is opened. Use e.g. strategy.name = 'fedavg'.")
        self.manifest, self._layout = manifest, layout
        self._stays = strategy.stays(layout) if isinstance(strategy, Partial) else None
        self._lost: dict[str, str] = {}  # site -> why, of the round
        self._steps: set[int] = set()
        self._seconds = 0.0
        self.members: tuple[str, ...] = ()  # of the last sum

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        """See Fleet. The sum comes last. Where none can be opened every site has failed, by its own cause or with the others."""
        self.members, self._lost, self._steps, self._seconds = (), {}, set(), 0.0
        try:
            found = self._summed(order, cohort)
        except SecureError as error:
            yield from self._failed(cohort, error)
            return
        self.members = found.members
        yield from (SiteFailed(site=site, reason=found.lost[site]) for site in cohort if site in found.lost)
        for site, why in found.silent.items():
            self.watch(Note(text=f"site {site}'s update is in the secure sum, but it left before that was opened: {why}"))
        delta = Params(in_place(found.mean), self._layout)
        if self._stays is not None:
            delta.flat[self._stays] = 0  # what sites keep came as zeros, whose rounding is no change
        yield Summed(site=SUM, members=found.members, num_examples=1, delta=delta, train_loss=None, sent_bytes=found.num_bytes,
                     num_steps=min(self._steps) if len(self._steps) == 1 else 0, seconds=self._seconds)

    def _failed(self, cohort: Sequence[str], error: SecureError) -> Iterator[SiteFailed]:
        """The error, which names all who were lost, is told once."""
        first = next((site for site in cohort if site not in self._lost), "")
        for site in cohort:
            why = str(error) if site == first else f"the secure sum was not opened: see site {first}"
            yield SiteFailed(site=site, reason=self._lost.get(site, why))

    def _summed(self, order: Order, cohort: Sequence[str]) -> SecureMean:
        attempt = 1 + secrets.randbits(31)  # a server that was started again repeats none

        def carried(stage: str, requests: Mapping[str, bytes]) -> Replies:
            for site, reply in self.masked(order, requests) if stage == "masked" else self.ask(stage, requests):
                if isinstance(reply, str):
                    self._lost[site] = reply
                yield site, reply

        return secure_mean(self.manifest, order.round, attempt, _Carrier(carried), asked=tuple(cohort))

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Replies:
        """Ask sites a step other than training; (site, reply or why it is lost) as they come."""
        raise NotImplementedError

    def masked(self, order: Order, requests: Mapping[str, bytes]) -> Replies:
        """Have the sites train by the order and mask their updates; (site, reply or why it is lost) as they come."""
        raise NotImplementedError


class SecureFleet(Secure):
    """Over an engine of this machine."""

    def __init__(self, inner: Watched, *, plan: AggregationPlan, layout: Layout, strategy: Strategy, fault: Fault) -> None:
        """plan: weights and secure_range. fault: what is wrong with an update; such a one is never masked. SecureError for two sites."""
        sites = inner.sites()
        identities = {site: primitive("asymmetric.ed25519").Ed25519PrivateKey.generate() for site in sites}
        manifest = manifest_of("simulation", {site: key.public_key().public_bytes_raw() for site, key in identities.items()}, plan, layout,
                               largest=max(sites.values()))
        super().__init__(inner, manifest=manifest, layout=layout, strategy=strategy)
        self._fault, self._largest = fault, max(sites.values())
        self._halves = LocalCarrier({site: SecureSite(site, key, manifest) for site, key in identities.items()}, _no_vector)

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Replies:
        return self._halves.ask(stage, requests)

    def masked(self, order: Order, requests: Mapping[str, bytes]) -> Replies:
        for reply in self.inner.train(order, list(requests)):
            if isinstance(reply, SiteFailed):
                yield reply.site, reply.reason
                continue
            self._steps.add(reply.num_steps)
            self._seconds += reply.seconds
            yield reply.site, self._hidden(order, reply, requests[reply.site])

    def _hidden(self, order: Order, update: Update, request: bytes) -> bytes | str:
        """The update under its site's masks, or what is wrong with it."""
        sites = self.inner.sites()
        if why := self._fault(update, order, sites, {"delta": update.delta.norm()}):
            return why
        try:
            weight = weight_of(sites[update.site], self._largest, self.manifest)
            return self._halves.sites[update.site].masked(request, vector_of(update), weight)
        except SecureError as error:
            return str(error)


def manifest_of(study: str, keys: Mapping[str, bytes], plan: AggregationPlan, layout: Layout, *, largest: int) -> Manifest:
    """What all sites must agree on. keys: site -> its public Ed25519 key. largest: training images of the largest site.

    By `largest` sites weigh their updates, so all must be told the same: a site that was told another one would outweigh the others, and
    the mean would be its update. Where all weigh the same it is 0."""
    is_weighted = plan.weights == "examples"
    return Manifest.of(f"{study}/{largest if is_weighted else 0}", keys, size=layout.size, bound=plan.secure_range, weighted=is_weighted)


def weight_of(num_train: int, largest: int, manifest: Manifest) -> int:
    """A whole number in proportion to the site's training images, the manifest's most for the largest site, at least 1."""
    return max(1, round(manifest.most_weight * num_train / largest)) if manifest.weight_bits else 1


def vector_of(update: Update) -> np.ndarray:
    """(size,) float32, all numbers of the change; those that stay at the site are zeros, and zeros sum to zeros."""
    vector: np.ndarray = update.delta.flat.detach().to("cpu", torch.float32).numpy()
    return vector


def _no_vector(site: str) -> tuple[np.ndarray, int]:
    raise AssertionError(f"{site} is asked for its masked update by its training")
