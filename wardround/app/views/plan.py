"""The page Plan: what is wrong with a plan as it is made, which values would not go with it, and what it will cost."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from wardround.app.views.draft import Draft
from wardround.app.views.plan_settings import Choice, Number, Setting, Switch, groups
from wardround.core.events import Watch, silent
from wardround.errors import PlanError, WardroundError
from wardround.plan.load import plan_of
from wardround.plan.schema import Plan

NAMED = ("model.name", "strategy.name")  # whose sections hold arguments of what they name
NOT_OURS = ("recipe", "lr_factor", "combine")  # fields of strategies that a plan does not set
FREE = ("mean", "norm-bound")  # rules that count no malicious sites
MOST = 1e9  # of an argument
REQUIRED, ON_UNLESS, OFF_UNLESS = "must be set", "true if it is not set", "false if it is not set"
MANY = 1000  # sites, where only the data tell how many there are


@dataclass(frozen=True)
class Problem:
    """Why a plan cannot be trained, and what to do. first, second: the two settings that do not go together, if it is that."""

    text: str
    remedy: str = ""
    first: str = ""
    second: str = ""


@dataclass(frozen=True)
class Judgement:
    """Of one text. blocked: (key, value) -> why choosing it now would not go. own: group -> settings of the named network or strategy."""

    text: str
    problems: tuple[Problem, ...] = ()
    cautions: tuple[str, ...] = ()
    blocked: Mapping[tuple[str, Any], str] = field(default_factory=dict)
    own: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Estimate:
    """A forecast: its names and values, and sentences on what they do not hold. text: of the plan that it is of."""

    text: str
    facts: Mapping[str, str]
    remarks: tuple[str, ...]


def judged(text: str) -> Judgement:
    """Look for all that would refuse the plan before it is trained; no image is read, and no program that a plan names is run."""
    from wardround.privacy.conflicts import cautions

    draft = Draft().with_text(text)
    if draft.plan is None:
        return Judgement(text=text, problems=(Problem(draft.problem),))
    plan = draft.plan
    problems = tuple(problems_of(plan))
    strange = [f"{name} is a program of its author's, which is run when the plan is trained." for name in _strange(plan)]
    return Judgement(text=text, problems=(*problems, *([] if problems else _unbuilt(plan))), cautions=(*cautions(plan), *strange),
                     blocked=_blocked(plan, problems), own={"Model": tuple(_of_model(plan)), "Strategy": tuple(_of_strategy(plan))})


def problems_of(plan: Plan) -> Iterator[Problem]:
    """Pairs that break a guarantee, then whatever else the names and numbers of the plan forbid."""
    from wardround.aggregation.choose import check_sites
    from wardround.build import build_strategy, check_names, primary_metric
    from wardround.data.datasets import DATASETS
    from wardround.data.partition import site_names
    from wardround.models import DRAWING, MODELS, fitting
    from wardround.privacy.conflicts import CONFLICTS
    from wardround.training.losses import make_loss

    found = [conflict for conflict in CONFLICTS if conflict.holds(plan)]
    yield from (Problem(conflict.reason, conflict.remedy, conflict.first, conflict.second) for conflict in found)
    if ":" in plan.data.dataset:
        return
    task = DATASETS.find(plan.data.dataset).task if plan.data.dataset in DATASETS.table else None
    if plan.model.name in MODELS.table and task is not None:
        fit = fitting(dense=task == "segmentation", dims=plan.data.dims)
        if plan.model.name not in fit:
            what = "draws masks" if plan.model.name in DRAWING else "tells classes"
            yield Problem(f"the network '{plan.model.name}' {what}, and the data set '{plan.data.dataset}' asks for another.",
                          f"Choose {', '.join(fit)}.")
    checks: list[Callable[[], object]] = []
    if missing := _missing(plan):
        yield Problem(f"strategy '{plan.strategy.name}' needs {' and '.join(missing)}.", "Set it in the group Strategy.")
    elif not _strange(plan):
        checks.append(lambda: build_strategy(plan) if found else check_names(plan))
    if plan.sites.partition != "column" or plan.sites.names:
        checks.append(lambda: check_sites(plan.aggregation, dict.fromkeys(site_names(plan.sites))))
    if task is not None and plan.data.dataset != "manifest":  # whose labels may be several an image
        checks += [lambda: primary_metric(plan, task), lambda: make_loss(plan.recipe, None, task)]
    yield from dict.fromkeys(Problem(text) for check in checks if (text := _refusal(check)))


def chosen(draft: Draft, key: str, value: Any) -> Draft:
    """The draft with a setting changed, and with it what would have no meaning any more: arguments of the network or strategy that was
    named before, and the number of malicious sites."""
    changed = draft.with_key(key, value)
    if key == "aggregation.rule":
        is_guarded = bool(draft.value("aggregation.attackers"))
        if value in FREE and is_guarded:
            return changed.with_key("aggregation.attackers", None)
        return changed if value in FREE or is_guarded else changed.with_key("aggregation.attackers", 1)
    if key not in NAMED or draft.plan is None or value == draft.value(key):
        return changed
    section = key.partition(".")[0]
    for name in getattr(draft.plan, section).arguments():
        changed = changed.with_key(f"{section}.{name}", None)
    return changed


def _with(plan: Plan, key: str, value: Any) -> dict[str, Any]:
    """The plan's record with another value, and with the numbers that go with it, so that only what cannot be mended by them is found."""
    record = plan.model_dump()
    section, _, name = key.partition(".")
    record[section] = {name: value} if key in NAMED else {**record[section], name: value}
    if key == "aggregation.rule" and value in FREE:
        record["aggregation"].update(attackers=0)
    elif key == "aggregation.rule":
        num, names = plan.sites.known or MANY, plan.sites.names or ("site-1",)
        record["aggregation"].update(attackers=max(1, plan.aggregation.attackers), root=plan.aggregation.root or names[0])
        record["cohort"].update(min_sites=num, fraction=1.0)
    if key == "strategy.name":
        record[section].update({name: 1 for name, (_, default) in _fields(value).items() if default is dataclasses.MISSING})
    return record


def fault_line(draft: Draft) -> int | None:
    """The line of the text, from 1, that the draft's problem speaks of; None where none can be told."""
    if draft.plan is not None:
        return None
    if found := re.search(r"at line (\d+)", draft.problem):
        return int(found[1])
    if "at end of document" in draft.problem:
        return len(draft.text.splitlines()) or None
    named = re.search(r"'?([A-Za-z_]+)\.([A-Za-z_]+)(?:\.\d+)?'? (?:=|is)|unknown key '([A-Za-z_]+)(?:\.([A-Za-z_]+))?'", draft.problem)
    if named is None:
        return None
    section, name = (named[1], named[2]) if named[1] else (named[3], named[4]) if named[4] else ("", named[3])
    return _line_of(draft.text, section, name)


def forecast_of(text: str, *, watch: Watch = silent) -> Estimate:
    """What the plan will cost on this machine; see session/forecast.py. The errors of its training that show before it."""
    from wardround.report.words import count, duration, plural, size
    from wardround.session.forecast import forecast, span

    plan = Draft().with_text(text).plan
    if plan is None:
        raise PlanError(Draft().with_text(text).problem)
    found = forecast(plan, watch=watch)
    largest = sorted(found.memory.items(), key=lambda entry: -entry[1])
    facts = {"A round": f"{span(found.round_s)}; {found.asked} of {plural(found.sites, 'site')} train",
             f"All {plural(found.rounds, 'round')}": span(found.total_s), "Memory": f"about {size(found.memory_bytes)}",
             "A site sends": f"{size(found.bytes_up)} a round", "A site receives": f"{size(found.bytes_down)} a round",
             "Parameters": count(found.parameters, hide_small=False),
             "Largest site": f"{plural(found.train_images, 'training image')}, {plural(found.steps, 'step')} a round",
             "Decoded images": f"{size(found.disk_bytes)} on disk"}
    held = ", ".join(f"{name} {size(value)}" for name, value in largest if value)
    remarks = [f"An estimate, from a probe of {duration(found.probe_s)}; if nothing else computes here.",
               "On top come reading the images, the test at the end and the report.", f"Memory is that of {held}."]
    return Estimate(text=text, facts=facts, remarks=(*remarks, *found.sentences()[6:]))


def _strange(plan: Plan) -> list[str]:
    """Programs that the plan names: they are not run by looking at it."""
    return [name for name in (plan.model.name, plan.strategy.name) if ":" in name]


def _refusal(check: Callable[[], object]) -> str:
    try:
        check()
    except WardroundError as error:
        return str(error)
    return ""


def _unbuilt(plan: Plan) -> list[Problem]:
    """Whether the network cannot be built with its arguments; its first weights are not looked for."""
    from wardround.build import network_shape
    from wardround.data.datasets import DATASETS
    from wardround.models.build import build_model

    if _strange(plan) or plan.data.dataset not in DATASETS.table:
        return []
    task = DATASETS.find(plan.data.dataset).task
    model = plan.model.model_copy(update={"weights": "", "norm": {"frozen": "batch"}.get(plan.model.norm, plan.model.norm)})
    text = _refusal(lambda: build_model(model, in_channels=plan.data.channels, num_outputs=2, shape=network_shape(plan.data, task),
                                        dense=task == "segmentation", seed=0, is_tried=True))
    return [Problem(text)] if text else []


def _blocked(plan: Plan, problems: tuple[Problem, ...]) -> dict[tuple[str, Any], str]:
    """Why each value that would bring a new problem would."""
    known, draft = set(problems), Draft(plan=plan)
    choices = [setting for group in groups() for setting in (*group.settings, *group.more) if isinstance(setting, Choice)]
    found = {(choice.key, option.value): _new_problem(_with(plan, choice.key, option.value), known)
             for choice in choices for option in choice.options if option.value != draft.value(choice.key)}
    return {place: text for place, text in found.items() if text}


def _new_problem(record: Mapping[str, Any], known: set[Problem]) -> str:
    try:
        changed = plan_of(record, "plan")
    except PlanError as error:
        return str(error)
    new = next((problem for problem in problems_of(changed) if problem not in known), None)
    if new is None:
        return ""
    return f"{new.first} does not go with {new.second}: {new.text}. {new.remedy}" if new.first else f"{new.text} {new.remedy}".strip()


def _of_strategy(plan: Plan) -> Iterator[Setting]:
    for name, (hint, default) in _fields(plan.strategy.name).items():
        yield from _argument(f"strategy.{name}", hint, default)


def _missing(plan: Plan) -> list[str]:
    """Fields of the strategy that have no default and no value."""
    given = plan.strategy.arguments()
    return [f"strategy.{name}" for name, (_, default) in _fields(plan.strategy.name).items()
            if default is dataclasses.MISSING and name not in given]


def _fields(strategy: str) -> dict[str, tuple[Any, Any]]:
    """Name -> type and default of each field that a plan sets, of a strategy of ours."""
    from wardround.strategies import STRATEGIES

    if strategy not in STRATEGIES.table:
        return {}
    kind = STRATEGIES.find(strategy)
    hints = get_type_hints(kind)
    return {entry.name: (hints[entry.name], entry.default) for entry in dataclasses.fields(kind)
            if entry.name not in NOT_OURS and entry.default_factory is dataclasses.MISSING}


def _of_model(plan: Plan) -> Iterator[Setting]:
    from wardround.models import MODELS
    from wardround.models.build import FROM_DATA

    if plan.model.name not in MODELS.table:
        return
    for name, parameter in inspect.signature(MODELS.find(plan.model.name)).parameters.items():
        if name not in FROM_DATA and isinstance(parameter.default, bool | int | float):
            yield from _argument(f"model.{name}", None, parameter.default)


def _argument(key: str, hint: Any, default: Any) -> Iterator[Setting]:
    """What a numeric argument, or one of true and false, takes; others are written in the text."""
    name = key.partition(".")[2].replace("_", " ")
    label = name[:1].upper() + name[1:]
    if isinstance(default, bool):
        yield Switch(key, label, ON_UNLESS if default else OFF_UNLESS)
    elif isinstance(default, int | float) or (default is dataclasses.MISSING and hint in (int, float)):
        is_required = default is dataclasses.MISSING
        is_whole = hint is int or (hint is None and isinstance(default, int))
        yield Number(key, label, REQUIRED if is_required else "", -math.inf, MOST,
                     is_whole=is_whole, is_optional=True, default="" if is_required else f"{default:g}")


def _line_of(text: str, section: str, name: str) -> int | None:
    """Where a key stands, or else its section."""
    inside, begun = section == "", None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([A-Za-z_]+)\s*\]", line):
            if not section and header[1] == name:
                return number
            inside = header[1] == section
            begun = number if inside else begun
        elif re.match(rf"\s*{name}\s*=" if inside else rf"\s*{section}\.{name}\s*=", line):
            return number
    return begun
