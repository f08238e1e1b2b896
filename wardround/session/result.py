"""What `run` and `compare` return: the folder they wrote, which shows itself in a Jupyter notebook."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wardround.core.wording import PHANTOM
from wardround.errors import WardroundError
from wardround.runs.folder import RunFolder, read_json

if TYPE_CHECKING:
    from wardround.report.material import RunMaterial
    from wardround.report.tables import Table

RUN_FIGURES = ("learning-curves", "findings", "overlays")
COMPARISON_FIGURES = ("arms", "learning-curves", "findings", "overlays")


class RunResult(RunFolder):
    """A run's folder."""

    def _repr_html_(self) -> str:
        return _or_why_not(self.path, self._html)

    def _html(self) -> str:
        from wardround.report import story, tables  # matplotlib is loaded when there is something to show
        from wardround.report.material import primary_metric, read_run

        material = read_run(self.path)
        metric, scores = primary_metric(material), material.scores
        return _page(self.path, [story.run_headline(material, metric), story.outcome(material)], is_phantom=bool(scores["phantom"]),
                     tables=[tables.scores_table(scores, metric), _hospitals(material, metric)], figures=RUN_FIGURES)


@dataclass(frozen=True)
class CompareResult:
    """A comparison's folder: compare.json, report.html, figures/ and a folder for each run. It can stand where a path is wanted."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def scores(self) -> dict[str, Any]:
        """compare.json."""
        return read_json(self.path / "compare.json")

    def runs(self, arm: str) -> list[RunResult]:
        """The runs of an arm, seed by seed; of "local" every hospital's."""
        by_seed = self.scores()["runs"].get(arm)
        if by_seed is None:
            raise WardroundError(f"{self.path} holds no arm '{arm}'. It has: {', '.join(self.scores()['runs'])}.")
        return [RunResult(self.path / name) for names in by_seed for name in names]

    def _repr_html_(self) -> str:
        return _or_why_not(self.path, self._html)

    def _html(self) -> str:
        from wardround.report import story, tables  # as above
        from wardround.report.material import read_comparison

        comparison = read_comparison(self.path)
        found = [tables.arm_table(comparison.compare)]
        found += [tables.paired_table(comparison.compare)] if comparison.compare["paired"] else []
        found.append(_hospitals(comparison.lead, comparison.metric))
        return _page(self.path, [story.comparison_headline(comparison), *story.verdict_sentences(comparison)],
                     is_phantom=any(scores["phantom"] for results in comparison.compare["arms"].values() for scores in results),
                     tables=found, figures=COMPARISON_FIGURES)


def _hospitals(run: RunMaterial, metric: str) -> Table:
    """The model at each hospital, as in the report."""
    from wardround.report import sections, tables  # as above
    from wardround.report.checklist import Facts

    further = sections.VIEWS[run.task].hospital_columns(Facts(plan=run.plan, run=run, metric=metric, compare={}))
    return tables.per_site_table(run.scores, metric, counts=run.site_counts, further=further)


def _or_why_not(folder: Path, html: Callable[[], str]) -> str:
    """The HTML, or a sentence on what is missing of the folder: a notebook shows no traceback for a result."""
    from wardround.report.material import understood  # as above

    try:
        with understood(folder):
            return html()
    except WardroundError as error:
        return f"<p>{escape(str(error))}</p>"


def _page(folder: Path, sentences: Sequence[str], *, is_phantom: bool, tables: Sequence[Table], figures: Sequence[str]) -> str:
    """Headline, notice, tables, figures, and where the whole report lies."""
    from wardround.report.tables import html_table  # as above

    headline, *others = sentences
    notice = f'<p style="border:2px solid;padding:4px 8px;display:inline-block"><b>{escape(PHANTOM)}</b></p>' if is_phantom else ""
    pictures = [_picture(path) for name in figures if (path := folder / "figures" / f"{name}.png").exists()]
    return "".join([f"<p><b>{escape(headline)}</b></p>", notice, *(f"<p>{escape(text)}</p>" for text in others),
                    *map(html_table, tables), *pictures, f"<p>Report: {_link(folder / 'report.html')}</p>"])


def _picture(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    alt = escape(path.stem.replace("-", " "))
    return f'<div><img alt="{alt}" style="max-width:820px;width:100%" src="data:image/png;base64,{content}"></div>'


def _link(path: Path) -> str:
    """A link where the notebook server can follow it: below the working folder. Elsewhere the path as text.

    The runs of a comparison have a report only once it is asked for."""
    if not path.exists():
        return f"<code>wardround report {escape(str(path.parent))}</code> writes it."
    path, here = path.absolute(), Path.cwd()
    if not path.is_relative_to(here):
        return f"<code>{escape(str(path))}</code>"
    below = path.relative_to(here)
    return f'<a href="{quote(below.as_posix())}" target="_blank">{escape(str(below))}</a>'
