"""The fixed texts of the library that the app shows, for its translators: collected from where each is written, never copied."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import wardround

LIBRARY = Path(wardround.__file__).parent

SHOWN = frozenset({"action", "caption", "caution", "columns", "heads", "meaning", "note", "notes", "phantom", "plans_note", "text",
                   "title", "why_not"})
"""Arguments and variables that hold what people read; texts with numbers in them (f-strings) are left out."""

READ = ("app/views/compare.py", "app/views/data.py", "app/views/judged.py", "app/views/ledger.py", "app/views/model_facts.py",
        "app/views/plan.py", "app/views/predict.py", "app/views/results.py", "app/views/results_images.py", "app/views/security.py",
        "app/views/sites.py", "app/views/start.py", "report/attacked.py", "report/sections.py", "report/segmentation.py", "report/spent.py",
        "report/story.py", "report/tables.py", "report/words.py")
"""Files whose tables and sentences pages show."""

NAMED = {  # file -> functions that give names and values
    "app/views/data.py": ("_facts",), "app/views/sheet.py": ("facts", "columns"), "app/views/plan.py": ("forecast_of",),
    "app/views/model_facts.py": ("_pairs", "_trained", "_strategy"), "app/views/security.py": ("_protections",),
    "session/machine.py": ("machine",),
}


def library_texts() -> tuple[str, ...]:
    """Each text once, sorted. Those that other packages add, e.g. of a strategy of their own, are shown as they are."""
    found = [*_advice(), *_plan(), *_data(), *_results(), *_audit(), *_studies()]
    found += [text for file in READ for text in shown_in(LIBRARY / file)]
    found += [name for file, functions in NAMED.items() for name in named_in(LIBRARY / file, functions)]
    return tuple(sorted({text for text in found if _has_words(text)}))


def shown_in(file: Path, names: Collection[str] = SHOWN) -> Iterator[str]:
    """Texts that are given as arguments of these names, or kept in variables of such a name; constants of several words."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.keyword(arg=str(name), value=value) if name in names:
                yield from _plain(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in names:
                yield from _plain(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.isupper() and names is SHOWN:
                yield from (text for text in _plain(value) if " " in text)
            case _:
                pass


def named_in(file: Path, functions: Iterable[str]) -> Iterator[str]:
    """Names and fixed values in the dictionaries and pairs that functions build."""
    for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef) or function.name not in functions:
            continue
        for node in ast.walk(function):
            match node:
                case ast.Dict(keys=keys, values=values):
                    yield from (text for part in (*keys, *values) if part is not None for text in _plain(part))
                case ast.Tuple(elts=[name, value]) | ast.Assign(targets=[ast.Subscript(slice=name)], value=value):
                    yield from (*_plain(name), *_plain(value))
                case _:
                    pass


def _plain(node: ast.expr) -> Iterator[str]:
    """Whole texts, in tuples, in either case of a condition, and after "or"."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _plain(part)
        case ast.IfExp(body=one, orelse=other):
            yield from (*_plain(one), *_plain(other))
        case ast.BoolOp(values=[*_, last]):
            yield from _plain(last)
        case _:
            pass


def _has_words(text: str) -> bool:
    """Whether there is something to translate: a word of small letters, not only a symbol or an abbreviation."""
    return any(letter.islower() for letter in text)


def _advice() -> Iterator[str]:
    """When to use which strategy, network and partition."""
    from wardround.app.views.partitions import PARTITIONS
    from wardround.models import advice as models
    from wardround.strategies import advice as strategies

    yield from (text for said in (*strategies.ADVICE.values(), *strategies.OPTIONS.values()) for text in (said.use_when, said.costs))
    yield from (text for said in models.ADVICE.values() for text in (said.use_when, said.costs))
    yield from (kind.use_when for kind in PARTITIONS.values())


def _plan() -> Iterator[str]:
    """Settings, their groups, and what they mean. Arguments of networks and strategies are called by their keys, in any language."""
    from wardround.app.views import plan_settings, plan_texts

    yield from (*plan_texts.NAMES.values(), *plan_settings.LAYOUT)
    yield from (part for uses in plan_texts.USES.values() for use in uses.values() for part in use[:2])
    for group in plan_settings.groups():
        yield from (setting.explained for setting in (*group.settings, *group.more)
                    if isinstance(setting, plan_settings.Number | plan_settings.Switch))


def _data() -> Iterator[str]:
    """What becomes of images."""
    from wardround.app.views import data, ledger, sites
    from wardround.core import wording

    for words in (data.SPLITS, data.TASKS, ledger.SPLITS, ledger.STATUS, ledger.REASONS, ledger.KINDS, wording.STAGES):
        yield from words.values()
    yield from (wording.PHANTOM, sites.LAST_WORD, *(word for _, word in sites.ALIKE))


def _results() -> Iterator[str]:
    """Arms, metrics and verdicts, alone and as the head of a row or column."""
    from wardround.app.views import judged, start
    from wardround.report import attacked, tables, words
    from wardround.session import saliency

    both: partial[Iterator[str]] = partial(map, words.sentence)
    names = [name for name, _ in words.METRICS.values()]
    means = [f"mean {words.metric(name)}" for name in words.PARTS]  # of several findings, classes or regions
    headings = [words.heading(kind, metrics) for kind in words.IN_UNITS
                for metrics in _measured(kind)]
    yield from (*words.ARMS.values(), *words.ARM_MEANINGS.values(), *(meaning for _, meaning in words.METRICS.values()))
    yield from (*names, *means, *both(names), *both(means), *headings, *tables.SPLIT_WORDS.values(), *tables.LEAKS.values())
    yield from (*start.STATES.values(), words.NOT_ESTIMABLE, words.TOO_FEW, "better", "worse", "no difference shown", saliency.CAUTION,
                *attacked.VERDICTS.values(), judged.TOGETHER, judged.TRAINING, judged.VALIDATION, judged.SHARE_OF_FINDINGS,
                judged.SHARE_NAMED)


def _audit() -> Iterator[str]:
    """Attacks: what they ask and what their answers do not say."""
    from wardround.audit import hospitals, inversion, membership, robustness
    from wardround.report import words

    yield from (text for part in (hospitals, inversion, membership) for text in (part.QUESTION, part.SAYS_NOT))
    yield from (*robustness.QUESTION.values(), robustness.SAYS_NOT)
    for file in (hospitals, inversion, membership):
        for text in shown_in(Path(str(file.__file__)), {"attack"}):
            yield from (text, words.sentence(text))


def _measured(kind: str) -> tuple[Mapping[str, Mapping[str, float]], ...]:
    """Metrics with and without the images' spacing, of one region and of several."""
    parts = {f"{kind}_one": {"value": 1.0}, f"{kind}_other": {"value": 1.0}}
    spacing = {"volume_error": {"value": 1.0}}
    return ({}, spacing, parts, parts | spacing)


def _studies() -> Iterator[str]:
    from wardround.app.views.start import studies

    for study in studies():
        yield from (study.title, study.line, study.layout)
