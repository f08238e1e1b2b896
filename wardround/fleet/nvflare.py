"""The engine of a network: orders go out to hospitals through an Exchange, and their replies come back, checked.

What carries the bytes is the Exchange's matter (network/ has one over NVFLARE); whatever it brings is taken for a stranger's.
Results are the local engine's, bit for bit at equal precision: replies are handed on in the order of the sites.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from wardround.compression.codec import Codec
from wardround.core.events import Note, Watch, silent
from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update
from wardround.core.params import Layout
from wardround.core.tally import DiceTally, Tally
from wardround.errors import CheckpointError, WireError
from wardround.fleet.arena import params_fields
from wardround.fleet.base import Memories
from wardround.fleet.header import MAX_HEADER, peek
from wardround.fleet.wire import decode, encode
from wardround.strategies.base import Strategy
from wardround.strategies.personal import Partial

OTHER_BYTES = 64 * 2**20  # what a message may hold beside its header and a model's numbers: tallies, resampled sums
MAX_NOTES, MAX_TEXT = 8, 500
VERSION = "version"  # of what a site remembers: all that the server keeps of it


@dataclass(frozen=True)
class Lost:
    """A site that gave no answer. reason: "not connected", "no answer within 30 s", ..."""

    reason: str


class Exchange(Protocol):
    """Carries bytes to sites and back."""

    def ask(self, requests: Mapping[str, bytes], *, deadline_s: float) -> Iterator[tuple[str, bytes | Lost]]:
        """A generator: one answer a site, in order of arrival, each under the name that the connection proved. Closed early, it asks no
        further. A site that is not connected is Lost at once.

        requests: by site. Reading an entry encodes it: read each once, as it is sent, and a large order is never held many times.
        """
        ...


Audit = Callable[..., object]  # (kind, **facts)
Fault = Callable[[Any], str | None]
Replies = Generator[tuple[str, Any], None, None]  # (site, reply or SiteFailed), as they arrive


def unaudited(kind: str, **facts: Any) -> None:
    """The log that nobody reads."""


def nothing(reply: Any) -> None:
    """No fault is looked for."""


@dataclass(frozen=True, kw_only=True)
class _Request:
    """A message to one site in its envelope, which has the fields of network/envelope.py."""

    envelope: Mapping[str, Any]
    message: Any
    unread: Tensor | None = None


class _Requests(Mapping[str, bytes]):
    """Requests that are encoded when they are read: of a large order, one copy at a time."""

    def __init__(self, requests: Mapping[str, _Request]) -> None:
        self._requests = requests

    def __getitem__(self, site: str) -> bytes:
        request = self._requests[site]
        return encode(request.envelope, request.message, unread=request.unread)

    def __iter__(self) -> Iterator[str]:
        return iter(self._requests)

    def __len__(self) -> int:
        return len(self._requests)


class NvflareFleet:
    """Sites in hospitals. What each remembers stays there; the server keeps only its version.

    sites: declared training images by site, in order. run, plan: the run's name and the plan's hash; every message repeats them.
    deadline_s: of a request. weights: of the loss's classes, from all sites' counts. codec: of the plan's [exchange]. tally: kind of the
    reports' tallies and number of its classes, findings or regions; None: as the first that comes. max_bytes: of a reply; None: twice
    what an update holds. audit: told of every reply that is refused.
    """

    def __init__(self, *, exchange: Exchange, strategy: Strategy, layout: Layout, sites: Mapping[str, int], run: str, plan: str,
                 deadline_s: float, weights: Sequence[float] | None = None, codec: Codec | None = None,
                 tally: tuple[type, int] | None = None, max_bytes: int | None = None, audit: Audit = unaudited,
                 watch: Watch = silent) -> None:
        self.exchange, self.strategy, self.layout, self.run, self.plan = exchange, strategy, layout, run, plan
        self.deadline_s, self.weights, self.codec, self.audit, self.watch = deadline_s, weights, codec, audit, watch
        self.max_bytes = max_bytes or 2 * layout.num_bytes * len(params_fields(strategy.update_type)) + MAX_HEADER + OTHER_BYTES
        self._sites = dict(sites)
        self._tally = tally
        self._kept: dict[str, str] = {}  # site -> version of what it remembers
        self._staged: dict[str, str] = {}
        self._attempts: dict[int, int] = {}

    def sites(self) -> Mapping[str, int]:
        return self._sites

    def declare(self, site: str, num_train: int) -> None:
        """A site that joined, after those that are there, or one that has other images now."""
        self._sites[site] = num_train

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        """See Fleet. At most len(cohort) updates are held, those that came before their turn; each is dropped when it is handed on."""
        yield from in_order(self.trained(order, cohort, expects=self.strategy.update_type, fault=self._overclaim), cohort)

    def trained(self, order: Order, cohort: Sequence[str], *, expects: type, fault: Fault = nothing) -> Replies:
        """Have sites train; yield (site, reply of type `expects` or SiteFailed) as they arrive. See `commit` for what they remember."""
        self._staged = {}
        self._attempts[order.round] = attempt = self._attempts.get(order.round, 0) + 1
        keep = f"{order.round}-{attempt}-{secrets.token_hex(4)}"  # a server that was started again repeats no version
        stays = self.strategy.stays(self.layout) if isinstance(self.strategy, Partial) else None
        requests = {site: self._request(site, order, len(cohort), self.deadline_s, memory=self._kept.get(site, ""), keep=keep,
                                        unread=stays if site in self._kept else None) for site in cohort}
        return self._replies(requests, expects, self.deadline_s, fault)

    def evaluate(self, order: EvaluateOrder, cohort: Sequence[str]) -> Iterator[SiteReport | SiteFailed]:
        requests = {site: self._request(site, order, len(cohort), self.deadline_s, memory=self._kept.get(site, "") if order.is_personal
                                        else "") for site in cohort}
        yield from in_order(self._replies(requests, SiteReport, self.deadline_s, partial(self._misfit, order)), cohort)

    def asked(self, messages: Mapping[str, Any], *, round: int, expects: type, deadline_s: float | None = None,
              is_personal: bool = False) -> Replies:
        """Ask each site its message; yield (site, reply of type `expects` or SiteFailed) as they arrive, one a site.

        is_personal: the work begins from what the site remembers."""
        within = self.deadline_s if deadline_s is None else deadline_s
        requests = {site: self._request(site, message, len(messages), within, memory=self._kept.get(site, "") if is_personal else "",
                                        round=round) for site, message in messages.items()}
        return self._replies(requests, expects, within)

    def commit(self) -> None:
        self._kept.update(self._staged)
        self._staged = {}

    def memories(self) -> Memories:
        """Of each site the version of what it remembers, as the bytes of its text."""
        return {site: {VERSION: torch.from_numpy(np.frombuffer(version.encode(), np.uint8).copy())} for site, version in self._kept.items()}

    def restore(self, memories: Memories) -> None:
        for site, entries in memories.items():
            if set(entries) != {VERSION} or entries[VERSION].dtype != torch.uint8:
                raise CheckpointError(f"the checkpoint holds what site {site} remembers, not its version: it is of a run on one machine, "
                                      "which a network cannot go on with. Start a new run.")
            self._kept[site] = bytes(entries[VERSION].tolist()).decode()

    def close(self) -> None:
        """The exchange is its opener's to close; a site's memory stays where it is."""
        self._staged = {}

    def _request(self, site: str, message: Any, cohort: int, deadline_s: float, *, memory: str = "", keep: str = "",
                 unread: Tensor | None = None, round: int | None = None) -> _Request:
        weights = tuple(self.weights) if self.weights else None
        return _Request(message=message, unread=unread, envelope={
            "run": self.run, "plan": self.plan, "site": site, "round": message.round if round is None else round,
            "nonce": secrets.token_hex(16), "deadline_s": deadline_s, "cohort": cohort, "memory": memory, "keep": keep, "weights": weights,
            "notes": ()})

    def _replies(self, requests: Mapping[str, _Request], expects: type, deadline_s: float, fault: Fault = nothing) -> Replies:
        """The first answer of each site, checked; whatever else comes is refused. fault: what is wrong with a reply that was decoded."""
        waiting = dict(requests)
        with closing(self.exchange.ask(_Requests(requests), deadline_s=deadline_s)) as answers:  # type: ignore[type-var]
            for site, answer in answers:
                request = waiting.pop(site, None)
                if request is not None:
                    yield site, self._checked(site, request, answer, expects, fault)
                elif not isinstance(answer, Lost):
                    asked = requests.get(site)
                    self._refused(site, asked.envelope["round"] if asked else 0,
                                  "a second answer to the same request" if asked else "an answer of a site that was not asked")
                del answer  # its bytes, before the next are waited for
        for site in waiting:
            yield site, SiteFailed(site=site, reason="no answer")

    def _checked(self, site: str, request: _Request, answer: bytes | Lost, expects: type, fault: Fault) -> Any:
        if isinstance(answer, Lost):
            return SiteFailed(site=site, reason=told(answer.reason))
        try:
            envelope = fitting(peek(answer, max_bytes=self.max_bytes).envelope, request.envelope)
            kinds = {kind.__name__: kind for kind in (expects, SiteFailed)}
            _, reply = decode(answer, kinds, self.layout, max_bytes=self.max_bytes, codec=self.codec)
            if getattr(reply, "site", site) != site:
                raise WireError(f"it speaks for site '{told(reply.site)}'")
            if not isinstance(reply, SiteFailed) and (why := fault(reply)):
                raise WireError(why)
        except WireError as error:
            return self._refused(site, request.envelope["round"], str(error))
        for note in envelope["notes"][:MAX_NOTES]:
            self.watch(Note(text=f"site {site}: {told(note)}"))
        if isinstance(reply, SiteFailed):
            return SiteFailed(site=site, reason=told(reply.reason))
        if request.envelope["keep"] and envelope["keep"]:
            self._staged[site] = envelope["keep"]
        return reply

    def _refused(self, site: str, round: int, why: str) -> SiteFailed:
        reason = told(f"reply refused: {why}")
        self.audit("refused", site=site, round=round, reason=reason)
        return SiteFailed(site=site, reason=reason)

    def _overclaim(self, update: Update) -> str | None:
        most = self.layout.num_bytes * len(params_fields(type(update)))
        if update.sent_bytes is not None and not 0 <= update.sent_bytes <= most:
            return f"it claims to have sent {update.sent_bytes} bytes of at most {most}"
        return None

    def _misfit(self, order: EvaluateOrder, report: SiteReport) -> str | None:
        """What of a report the order did not ask for, or does not add up with the other sites'."""
        sums = report.loss_sums
        if (sums is not None or order.temperatures) and (sums is None or sums.shape != (len(order.temperatures),)):
            return f"loss_sums must be of {len(order.temperatures)} temperatures"
        if not order.detail and (report.rows is not None or report.values is not None):
            return "it brings single rows, which were not asked for"
        if report.elsewhere is not None and not order.elsewhere:
            return "it brings results on other sites' rows, which were not asked for"
        for tally in (report.tally, report.elsewhere):
            if tally is not None and kind_of(tally) != (self._tally or kind_of(tally)):
                return "its tally is of other classes than the plan's"
        self._tally = self._tally or kind_of(report.tally)
        return None


def in_order(replies: Replies, sites: Sequence[str]) -> Iterator[Any]:
    """One reply a site, in the order of the sites; those that come early are held."""
    held: dict[str, Any] = {}
    with closing(replies):
        for site in sites:
            while site not in held:
                name, reply = next(replies)
                held[name] = reply
                del reply
            yield held.pop(site)
        for _ in replies:  # to the exchange's end: what else it brings is refused by name
            pass


def fitting(envelope: Mapping[str, Any], asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The envelope of a reply; WireError unless it is of this very request."""
    if set(envelope) != set(asked):
        raise WireError("its envelope has not the fields of one")
    for name in ("run", "plan", "round", "nonce", "site"):
        if envelope[name] != asked[name] or type(envelope[name]) is not type(asked[name]):
            raise WireError(f"its envelope says {name} {told(repr(envelope[name]))[:80]}, asked was {asked[name]!r}")
    if envelope["keep"] not in ("", asked["keep"]):
        raise WireError("it names a version of its memory that nobody gave it")
    notes = envelope["notes"]
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise WireError("its notes are no texts")
    return envelope


def told(text: str) -> str:
    """A site's words as they may be shown: a line, of bounded length, without control characters."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:MAX_TEXT])


def kind_of(tally: Tally) -> tuple[type, int]:
    """What tallies must have in common to be added up."""
    return type(tally), len(tally.names) if isinstance(tally, DiceTally) else tally.num_classes
