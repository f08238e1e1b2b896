"""Who takes part in a study's run: sites are greeted with the plan, and those that cannot train with the others are kept away.

What all must have in common (task, classes, regions, phantoms or not) is what the run began with; before it has begun, what most have.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from wardround.build import build_strategy
from wardround.core.events import Event, Note
from wardround.core.exchange import SiteFailed
from wardround.core.params import Layout
from wardround.errors import NetworkError, WardroundError
from wardround.fleet.nvflare import Audit, Exchange, Lost, NvflareFleet
from wardround.network.approval import plan_hash
from wardround.network.messages import Hello, Ready
from wardround.plan.schema import Plan
from wardround.runs.folder import RunFolder, read_json, write_json

ABSENT = "not connected"
IDENTITY = re.compile(r"[0-9a-f]{64}")


class Sites(Exchange, Protocol):
    """An exchange that knows who is there."""

    def sites(self) -> Sequence[str]: ...


class Greeting:
    """Of one job; also the exchange of its rounds, which asks nothing of a site that is kept away.

    faults: site -> what keeps it away. notes: what sites told beside their answers.
    """

    def __init__(self, exchange: Sites, *, plan: Plan, text: str, names: Sequence[str], folder: RunFolder, audit: Audit) -> None:
        """text: the plan as it is sent. names: the study's sites, in order. folder: of the run, which remembers who was ever ready."""
        self.faults: dict[str, str] = {}
        self.notes: list[str] = []
        self._exchange, self._plan, self._text, self._names, self._audit = exchange, plan, text, names, audit
        self._run, self._file = folder.name, folder.path / "sites.json"
        self._known: dict[str, Ready] = {}  # what the run stands on
        self._said: dict[str, Ready] = {}  # in this job

    def recall(self) -> None:
        """The run has begun: the sites that were ever ready belong to it. NetworkError if they cannot be read."""
        if self._file.exists():
            self._known = _read(self._file)

    def keep(self) -> None:
        """Remember who was ever ready."""
        write_json(self._file, {site: asdict(held) for site, held in self.ready.items()})

    def greet(self, *, within_s: float | None = None) -> list[str]:
        """Ask those that are there and were not found ready in this job; returns those that are now. within_s: the plan's deadline is cut
        to it."""
        before, there = self.present, self._exchange.sites()
        asked = [site for site in self._names if site in there and site not in before]
        if asked:
            deadline_s = min(self._plan.cohort.deadline_s, within_s or math.inf)
            fleet = NvflareFleet(exchange=self._exchange, strategy=build_strategy(self._plan), layout=Layout(()), sites={}, run=self._run,
                                 plan=plan_hash(self._text), deadline_s=deadline_s, audit=self._audit, watch=self._note)
            for site, reply in fleet.asked(dict.fromkeys(asked, Hello(plan=self._text)), round=0, expects=Ready):
                self._said.pop(site, None)
                self.faults.pop(site, None)
                if isinstance(reply, SiteFailed):
                    self.faults[site] = reply.reason
                else:
                    self._said[site] = reply
            self._compare()
        return [site for site in self.present if site not in before]

    @property
    def present(self) -> list[str]:
        """Those that are ready and there."""
        there = self._exchange.sites()
        return [site for site in self._names if site in there and site in self._said and site not in self.faults]

    @property
    def ready(self) -> dict[str, Ready]:
        """Every site that was ever ready, in the study's order."""
        found = {**self._known, **{site: said for site, said in self._said.items() if site not in self.faults}}
        return {site: found[site] for site in self._names if site in found}

    @property
    def away(self) -> dict[str, str]:
        """What keeps each site of the study from taking part, "" for those that do."""
        there = self._exchange.sites()
        return {site: self.faults.get(site, "") if site in there else ABSENT for site in self._names}

    def ask(self, requests: Mapping[str, bytes], *, deadline_s: float) -> Iterator[tuple[str, bytes | Lost]]:
        """As the exchange; of a site that was not found ready in this job why it is not asked."""
        fit = [site for site in requests if site in self._said and site not in self.faults]
        for site in requests:
            if site not in fit:
                yield site, Lost(self.faults.get(site, ABSENT))
        yield from self._exchange.ask(_Some(requests, fit), deadline_s=deadline_s)

    def _compare(self) -> None:
        """Keep away whoever does not fit what the run stands on."""
        first = next(iter(self._known.values()), None) or self._usual()
        for site, said in self._said.items():
            why = _unusable(said, self._plan) or (_differs(said, first) if first else "") or _changed(said, self._known.get(site)) \
                or self._doubled(said)
            if why:
                self.faults[site] = why
            else:
                self.faults.pop(site, None)

    def _usual(self) -> Ready | None:
        """A site with what most have in common, of equally many the first by the study's order."""
        said = [self._said[site] for site in self._names if site in self._said and not _unusable(self._said[site], self._plan)]
        counts = Counter(_common(each) for each in said)
        return max(said, key=lambda each: counts[_common(each)], default=None)

    def _doubled(self, said: Ready) -> str:
        """Why a site's key cannot be its own, "" if it can: an earlier site of the study has the same."""
        earlier = self._names[: self._names.index(said.site)]
        twin = next((site for site, held in self.ready.items() if site in earlier and held.identity == said.identity), None)
        return f"its identity.pem is that of site '{twin}': its folder was copied. Join there anew" if said.identity and twin else ""

    def _note(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event.text)


class _Some(Mapping[str, bytes]):
    """Some of the requests; each is still made when it is read."""

    def __init__(self, requests: Mapping[str, bytes], sites: Sequence[str]) -> None:
        self._requests, self._sites = requests, sites

    def __getitem__(self, site: str) -> bytes:
        return self._requests[site]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)


def _common(said: Ready) -> Hashable:
    return said.task, said.classes, tuple(sorted(said.regions.items())), said.phantom


def _unusable(said: Ready, plan: Plan) -> str:
    """Why a site can train with nobody, "" if it can."""
    if said.num_train <= 0:
        return "it has no training images: see `wardround site ready` there"
    counts = said.counts or {}
    if plan.recipe.class_weights != "none" and (set(counts) != set(said.classes) or min(counts.values()) < 0):
        return "it does not tell how many training images each class has, by which the plan's loss is weighted. Is its wardround of the " \
               "server's version?"
    if plan.aggregation.secure and not IDENTITY.fullmatch(said.identity or ""):
        return "it tells no key of its own, without which sums are not secure. Is its wardround of the server's version?"
    return ""


def _differs(said: Ready, first: Ready) -> str:
    """Why a site's images cannot be trained together with the first one's, "" if they can."""
    for name in ("task", "classes", "regions", "phantom"):
        if getattr(said, name) != getattr(first, name):
            return (f"it has {name} = {getattr(said, name)}, and site '{first.site}' has {getattr(first, name)}. Look at the folder that "
                    "`wardround site ready` was given there.")
    return ""


def _changed(said: Ready, before: Ready | None) -> str:
    """Why a site of the run cannot go on in it, "" if it can: what was trained on before might be tested on now."""
    if before is not None and said.identity != before.identity:
        return "its key (identity.pem) is not that with which the run began, and the other sites know only that one. Restore the site's " \
               "folder, or begin a run of another plan"
    if before is None or said.fingerprint == before.fingerprint:
        return ""
    return "its images or labels are not those that the run began with. Restore them there and start its program anew, or begin a run of " \
           "another plan"


def _read(path: Path) -> dict[str, Ready]:
    """Who was ever ready, as `keep` wrote it."""
    found: dict[str, Ready] = {}
    try:
        for site, held in read_json(path).items():
            regions = {name: tuple(parts) for name, parts in held["regions"].items()}
            found[site] = Ready(**{**held, "classes": tuple(held["classes"]), "regions": regions})
    except (WardroundError, TypeError, KeyError, AttributeError) as error:
        raise NetworkError(f"{path} cannot be read ({error}): it is damaged, or of another version of wardround. Remove it and resume the "
                           "study when all its sites are connected: they are greeted anew.") from error
    return found
