"""Whether a hospital can take part in a study, and what its people have to know before they approve the plan.

Nothing of the plan is trusted yet: code that it names from outside of wardround is imported only if the hospital allows it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import wardround
from wardround.build import build, check_names, initial_params
from wardround.core.events import Watch, silent
from wardround.core.params import Layout
from wardround.data.cache import cores
from wardround.data.catalogue import UNKNOWN, Task
from wardround.data.datasets import DATASETS
from wardround.data.prepare import Prepared, prepare_at
from wardround.errors import NetworkError, WardroundError
from wardround.extras import need
from wardround.network import certificates, words
from wardround.network.approval import Approval, Approvals, plan_hash
from wardround.network.approved import parsed
from wardround.network.auditlog import AuditLog
from wardround.network.certificates import Finding
from wardround.network.folders import SiteFolder
from wardround.network.policy import MB, Limits, limits_of, refusal_of_plan, write_template
from wardround.network.supply import AtSite
from wardround.network.words import Leaving
from wardround.places import cache_root
from wardround.plan.schema import Plan
from wardround.report.words import count, plural, size
from wardround.runs.folder import read_json

LEAST_DISK = 2_000_000_000  # bytes: decoded images, what the method remembers, models, logs
LEAST_MEMORY = 2_000_000_000  # bytes: torch takes half a gigabyte, a small network's training as much again
COPIES = 8  # of a model's numbers in memory while it is trained: parameters, gradients, momentum, orders, updates, activations
REMEDIES = {"what the plan needs": "say it here: wardround site ready KIT --data FOLDER, and --weights FILE if the plan begins from a file",
            "images": "see to that folder and run this again; what a data set looks like: docs/data.md",
            "model": "install or fetch what is missing, and run this again"}


@dataclass(frozen=True, kw_only=True)
class Check(Finding):
    """is_grave: while it is not ok the plan cannot be approved."""

    is_grave: bool = False


@dataclass(frozen=True, kw_only=True)
class Described:
    """A plan as its reader should know it. former: what was approved last, None if nothing; differences: to that, None if there is none.
    is_approved: the plan itself, word for word."""

    text: str
    plan: Plan
    words: tuple[str, ...]
    leaving: tuple[Leaving, ...]
    staying: tuple[str, ...]
    former: Approval | None
    differences: tuple[str, ...] | None
    is_approved: bool

    @property
    def hash(self) -> str:
        return plan_hash(self.text)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What was found. told: keys of site.json that hold once the plan is approved."""

    checks: tuple[Check, ...]
    described: Described
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def obstacles(self) -> list[Check]:
        """Why the plan cannot be approved now."""
        return [check for check in self.checks if check.is_grave and not check.ok]


def offered(site: SiteFolder) -> str:
    """The text of the plan that waits in plan.toml, approved or not; NetworkError if there is none."""
    if not site.plan_file.is_file():
        raise NetworkError(f"{site.path} has no plan yet: it comes with the coordinator's kit. wardround site ready SITE.kit --data FOLDER")
    return site.plan_file.read_text(encoding="utf-8")


def foreign(plan: Plan) -> list[str]:
    """Names of code outside of wardround that would be imported: "model.name = lab.nets:Small"."""
    named = {"data.dataset": plan.data.dataset, "model.name": plan.model.name, "strategy.name": plan.strategy.name}
    return [f"{key} = {name}" for key, name in named.items() if ":" in name]


@dataclass
class _Seen:
    """The site's images and its model, as far as they could be had."""

    prepared: Prepared | None = None
    num_train: int | None = None
    layout: Layout | None = None

    def look(self, site: SiteFolder, plan: Plan, limits: Limits, watch: Watch) -> Iterator[Check]:
        """Read and split the images as training will have them, and build the model with its first weights."""
        name, step = site.record()["site"], "what the plan needs"
        try:
            here = AtSite(site, limits).plan(plan)
            step = "images"
            self.prepared = prepare_at(here, name, Path(str(here.data.folder)), watch)
            self.num_train = len(self.prepared.rows(name, "train"))
            yield from _images(self.prepared, name)
            step = "model"
            check_names(here)
            self.layout = initial_params(build(here, self.prepared, "federated")).layout
        except (WardroundError, OSError) as error:
            yield _bad(step, str(error), REMEDIES[step])
            return
        yield from _model(plan, self.layout, self.num_train, limits, site)


def described(site: SiteFolder, text: str, seen: _Seen | None = None) -> Described:
    """The plan of this text. seen: images and model, from which sizes become exact."""
    plan, approvals = parsed(text), Approvals(site.approvals_file)
    former, seen = approvals.last(), seen or _Seen()
    told = _answers(plan, seen.prepared)
    return Described(
        text=text, plan=plan, is_approved=approvals.is_approved(plan_hash(text)), staying=tuple(words.staying(plan)), former=former,
        words=tuple(words.plain_words(plan, num_parameters=seen.layout.num_trainable if seen.layout else None, num_train=seen.num_train)),
        leaving=tuple(words.leaving(plan, task=told[0], classes=told[1], layout=seen.layout)) if told else (),
        differences=tuple(words.differences(parsed(former.plan), plan)) if former else None)


def examine(site: SiteFolder, *, data: Path | None = None, weights: Path | None = None, kit: Path | None = None,
            allowed: Sequence[str] = (), watch: Watch = silent) -> Examined:
    """Look at everything that a round needs. data, weights: of the site's images and of its file of first weights; None: as told before.
    kit: the one that was accepted just now. allowed: what of `foreign` the hospital lets be imported."""
    write_template(site.limits_file)
    limits, text = limits_of(site.limits_file), offered(site)  # read once: the server may offer another plan meanwhile
    plan = parsed(text)
    told = {name: str(path.expanduser().resolve()) for name, path in (("data", data), ("weights", weights)) if path is not None}
    checks = [*_versions(kit), *_machine(plan, limits, site)]
    seen = _Seen()
    if unknown := [name for name in foreign(plan) if name not in allowed]:
        checks.append(_bad("code of others", f"the plan names code that is not wardround's, and it was not imported: {', '.join(unknown)}",
                           "have somebody read that code; then allow it to be imported, when `wardround site ready` asks"))
    else:
        checks += seen.look(_Told(site.path, told), plan, limits, watch)
    checks += [Check(**vars(finding)) for finding in certificates.examine(site)]  # without a connection the plan can still be approved
    return Examined(checks=tuple(checks), told=told, described=described(site, text, seen))


def approve(site: SiteFolder, found: Examined, by: str) -> Approval:
    """Approve the plan that was examined, in these words, and keep what was told for it. NetworkError while something stands against it.
    A plan that is approved already stays so, as it was."""
    if found.obstacles:
        raise NetworkError("the plan cannot be approved: " + "; ".join(f"{check.text}. {check.remedy}" for check in found.obstacles))
    site.change(**found.told)
    approval = Approvals(site.approvals_file).approve(found.described.text, by)
    if not found.described.is_approved:
        AuditLog(site.audit_file).write("approved", plan=approval.hash, by=approval.by)
    return approval


def withdraw(site: SiteFolder, by: str) -> Approval:
    """Take back the approval that was given last: from now on no order of its plan is done. NetworkError if there is none."""
    approvals = Approvals(site.approvals_file)
    last = approvals.last()
    if last is None:
        raise NetworkError(f"{site.path}: no plan is approved, so nothing can be withdrawn")
    approvals.withdraw(last.hash)
    AuditLog(site.audit_file).write("withdrawn", plan=last.hash, by=by)
    return last


@dataclass(frozen=True)
class _Told(SiteFolder):
    """The site's folder as if site.json said this already."""

    told: Mapping[str, str]

    def record(self) -> dict[str, Any]:
        return {**super().record(), **self.told}


def _good(name: str, text: str) -> Check:
    return Check(name=name, ok=True, text=text)


def _bad(name: str, text: str, remedy: str, *, is_grave: bool = True) -> Check:
    return Check(name=name, ok=False, text=text, remedy=remedy, is_grave=is_grave)


def _answers(plan: Plan, prepared: Prepared | None) -> tuple[Task, Sequence[str]] | None:
    """Task and classes, of the images or else as the plan has them; None if only code of others could say."""
    if prepared is not None:
        return prepared.catalogue.task, prepared.catalogue.classes
    if ":" in plan.data.dataset:
        return None
    reader = DATASETS.find(plan.data.dataset)
    classes = plan.data.classes or reader.classes
    is_binary = reader.task == "multiclass" and len(classes) == 2
    return "binary" if is_binary else reader.task, classes


def _versions(kit: Path | None) -> Iterator[Check]:
    own = wardround.__version__
    theirs = own if kit is None else str(read_json(kit)["version"])
    if theirs == own:
        yield _good("wardround", f"wardround {own} with torch {version('torch')}{'' if kit is None else ', as the coordinator has it'}")
    else:
        yield _bad("wardround", f"wardround {own} is installed here, and the coordinator has {theirs}: they do not understand each other",
                   f"pip install 'wardround[network]=={theirs}'")
    yield _flare()


def _flare() -> Check:
    """NVFLARE's versions do not understand each other, so that only the one that wardround asks for will do."""
    if sys.platform != "linux":
        return _bad("NVFLARE", f"this system is {sys.platform}, and NVFLARE runs on Linux only",
                    "take a Linux machine, a virtual one or a container; the images must be readable there")
    pinned = next((line.partition(";")[0].partition("==")[2].strip() for line in requires("wardround") or () if
                   line.startswith("nvflare==")), "")
    try:
        found = version("nvflare")
    except PackageNotFoundError:
        return _bad("NVFLARE", "NVFLARE is not installed", "pip install 'wardround[network]'")
    if pinned and found != pinned:
        return _bad("NVFLARE", f"NVFLARE {found} is installed, and this wardround needs {pinned}", "pip install 'wardround[network]'")
    return _good("NVFLARE", f"NVFLARE {found}")


def _machine(plan: Plan, limits: Limits, site: SiteFolder) -> Iterator[Check]:
    """Disk, cores, GPU and memory, and what the hospital's own limits say to the plan."""
    free = {place: shutil.disk_usage(_existing(place)).free for place in (cache_root(), site.path)}
    low = [f"{size(held)} in {place}" for place, held in free.items() if held < LEAST_DISK]
    if low:
        yield _bad("disk", f"little space is left: {', '.join(low)}", is_grave=False,
                   remedy=f"free some, or set WARDROUND_CACHE to a folder with {size(LEAST_DISK)}")
    else:
        yield _good("disk", f"{size(min(free.values()))} free for decoded images and models")
    yield _processor(limits)
    memory = need("psutil", extra="network", purpose="a study over a network").virtual_memory()
    if memory.available < LEAST_MEMORY:
        yield _bad("memory", f"{size(memory.available)} of {size(memory.total)} are free", "end other programs before training begins",
                   is_grave=False)
    else:
        yield _good("memory", f"{size(memory.available)} of {size(memory.total)} are free")
    if cause := refusal_of_plan(limits, plan):
        yield _beyond(cause, site)
    else:
        yield _good("limits", f"{site.limits_file} allows this plan")


def _processor(limits: Limits) -> Check:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    used = "no GPU" if not gpu else f"GPU {gpu}" if limits.gpu else f"GPU {gpu}, which limits.toml forbids"
    text = f"{plural(cores(), 'core')}, of which training takes {limits.threads} (threads in limits.toml); {used}"
    if limits.threads > cores():
        return _bad("processor", text, f"set threads in limits.toml to {cores()} or fewer: more are slower", is_grave=False)
    return _good("processor", text)


def _images(prepared: Prepared, site: str) -> list[Check]:
    return [_ledger(prepared), _parts({part: len(prepared.rows(site, part)) for part in ("train", "val", "test")}), _patients(prepared)]


def _ledger(prepared: Prepared) -> Check:
    counts, reasons = prepared.ledger.counts(), prepared.ledger.reasons()
    why = f" ({', '.join(f'{number} {reason}' for reason, number in reasons.items())})" if reasons else ""
    kind = " PHANTOMS: synthetic images, no patients'." if prepared.catalogue.phantom else ""
    return _good("images", f"{plural(len(prepared.ledger), 'image')} in {prepared.catalogue.root}: {counts['used']} used, "
                 f"{counts['skipped']} skipped, {counts['failed']} failed{why}.{kind}")


def _parts(numbers: Mapping[str, int]) -> Check:
    text = f"{count(numbers['train'], hide_small=False)} to train, {numbers['val']} to choose the round, {numbers['test']} to test"
    if not numbers["train"]:
        return _bad("split", f"no image is left to train with ({text})", "look at why images were skipped; wardround data check says more")
    absent = [word for part, word in (("val", "to choose the round"), ("test", "to test")) if not numbers[part]]
    if absent:
        return _bad("split", f"there are no images {' and '.join(absent)} ({text})", "the study can go on with the other sites' images for "
                    "that; more images of this site would be better", is_grave=False)
    return _good("split", text)


def _patients(prepared: Prepared) -> Check:
    if (prepared.catalogue.patients != UNKNOWN).any():
        return _good("patients", "known: no patient is in two of these parts")
    return _good("patients", "not known from the files: near-duplicates are kept in one part, but a patient may be in two")


def _model(plan: Plan, layout: Layout, num_train: int, limits: Limits, site: SiteFolder) -> Iterator[Check]:
    yield _good("model", f"{plan.model.name} with {plural(layout.num_trainable, 'number')} that are learnt, {size(layout.num_bytes)}")
    if not refusal_of_plan(limits, plan) and (cause := refusal_of_plan(limits, plan, num_train=num_train)):
        yield _beyond(cause, site)
    if limits.memory_mb is not None and COPIES * layout.num_bytes > limits.memory_mb * MB:
        yield _bad("memory", f"training may take {limits.memory_mb} MB (memory_mb in limits.toml), and a model of "
                   f"{size(layout.num_bytes)} needs about {COPIES} times its size", "raise memory_mb", is_grave=False)


def _beyond(cause: str, site: SiteFolder) -> Check:
    return _bad("limits", cause, f"change {site.limits_file}, or do not take part in this plan")


def _existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())
