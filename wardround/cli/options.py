"""Arguments that several commands share, and how they become a plan."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wardround.plan.schema import Plan


class Engine(StrEnum):
    """What trains the sites."""

    local = "local"
    ray = "ray"


PLAN_HELP = "A plan file, or the name of a shipped plan."
PlanName = Annotated[str, typer.Argument(metavar="PLAN", help=PLAN_HELP, show_default=False)]
OptionalPlanName = Annotated[str | None, typer.Argument(metavar="PLAN", help=f"{PLAN_HELP} Not needed with --resume.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE",
                                                     help="Change a key of the plan, e.g. --set sites.alpha=0.3. Can be repeated.")]
DataFolder = Annotated[Path | None, typer.Option("--data", metavar="DIR",
                                                 help="Folder of the real data set. Without it (and without data.folder in the "
                                                      "plan) phantoms are used.")]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder in which results are written.")]
Workers = Annotated[int | None, typer.Option(min=0, metavar="N", help="Worker processes; 0 is one a core. Results are the same "
                                                                       "for any number.", show_default="the plan's")]
EngineName = Annotated[Engine | None, typer.Option("--engine", help="local: processes of this machine; ray: a Ray cluster. Results are "
                                                                    "the same.", show_default="the plan's")]
EventsFile = Annotated[Path | None, typer.Option("--events", metavar="FILE",
                                                 help="Append what happens while it works to this file, a JSON object a line: what the "
                                                      "desktop app and other programs read.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)]


def examples(*lines: str) -> str:
    """The end of a command's help. (The leading \\b keeps the lines from being joined.)"""
    return "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])


def plan_of(source: str | None, overrides: Sequence[str] | None = None, data: Path | None = None, workers: int | None = None,
            engine: Engine | None = None) -> Plan:
    """The plan that a command line asks for; its options count more than --set, --set more than the file."""
    from wardround.errors import PlanError
    from wardround.plan.load import load_plan
    from wardround.plan.starters import starters

    if source is None:
        raise PlanError(f"which plan? Name a file or a shipped plan ({', '.join(starters())}), or continue a run with --resume RUN.")
    changes = list(overrides or [])
    if data is not None:
        changes.append(f"data.folder={data.expanduser().absolute()}")
    if workers is not None:
        changes.append(f"engine.workers={workers}")
    if engine is not None:
        changes.append(f"engine.name={engine}")
    return load_plan(source, changes)
