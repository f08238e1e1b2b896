"""Commands that train: demo, run, compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.cli.options import (
    DataFolder,
    EngineName,
    EventsFile,
    OptionalPlanName,
    OutFolder,
    Overrides,
    PlanName,
    Workers,
    examples,
    plan_of,
)

if TYPE_CHECKING:
    from wardround.core.events import Watch

app = typer.Typer()

RUNS = Path("runs")


class Arm(StrEnum):
    """The three ways to train on the same images."""

    federated = "federated"
    pooled = "pooled"
    local = "local"


ArmName = Annotated[Arm, typer.Option(help="federated: sites train together; pooled: all images in one place; local: one site alone.")]
SiteName = Annotated[str | None, typer.Option(metavar="NAME", help="The site that trains alone (--arm local).")]
ResumePath = Annotated[Path | None, typer.Option(metavar="RUN", help="Continue the run in this folder from its last checkpoint.")]
ArmNames = Annotated[str, typer.Option(metavar="LIST", help="The arms to compare, separated by commas.")]
Seeds = Annotated[int, typer.Option(min=1, metavar="N", help="Repeat with so many seeds; the test patients stay the same.")]


@app.command(epilog=examples("wardround demo", "wardround demo --data FOLDER_OF_THE_BRAIN_TUMOUR_SET"))
def demo(data: DataFolder = None, out: OutFolder = RUNS, events: EventsFile = None) -> None:
    """Show the whole story in a minute: three hospitals, each without some tumour types, learn together and alone."""
    compare("demo", data=data, out=out, events=events)


@app.command(epilog=examples("wardround run chest-xray-pneumonia --data FOLDER --set rounds.num=5",
                             "wardround run plan.toml --arm local --site north", "wardround run --resume runs/NAME"))
def run(plan: OptionalPlanName = None, arm: ArmName = Arm.federated, site: SiteName = None, overrides: Overrides = None,
        data: DataFolder = None, out: OutFolder = RUNS, workers: Workers = None, engine: EngineName = None,
        resume: ResumePath = None, events: EventsFile = None) -> None:
    """Train one arm of a plan, keep its best round and test it once."""
    if resume is None:
        settings = plan_of(plan, overrides, data, workers, engine)
    else:
        refuse_with_resume({"PLAN": plan, "--site": site, "--set": overrides, "--data": data, "--workers": workers,
                            "--engine": engine})
    from wardround import session  # after the plan is read: a wrong one is refused without waiting for torch
    from wardround.cli import show

    with watching(events) as watch:
        folder = session.run(settings, arm=arm, site=site, out=out, watch=watch) if resume is None else session.resume(resume, watch=watch)
    show.run(folder)


@app.command(epilog=examples("wardround compare brain-tumour-missing-types --data FOLDER --seeds 3",
                             "wardround compare chest-xray-pneumonia --set sites.partition=dirichlet --set sites.alpha=0.3"))
def compare(plan: PlanName, arms: ArmNames = "federated,pooled,local", seeds: Seeds = 1, overrides: Overrides = None,
            data: DataFolder = None, out: OutFolder = RUNS, workers: Workers = None, engine: EngineName = None,
            events: EventsFile = None) -> None:
    """Train all arms of a plan side by side and compare them on the same test patients."""
    settings, chosen = plan_of(plan, overrides, data, workers, engine), arms_of(arms)
    from wardround import session  # after the plan is read, as above
    from wardround.cli import show

    with watching(events) as watch:
        found = session.compare(settings, arms=chosen, seeds=seeds, out=out, watch=watch)
    show.compare(found.path)


@contextmanager
def watching(events: Path | None) -> Iterator[Watch]:
    """Show events while the block runs, and append them to a file if one is named."""
    from wardround.cli import console

    with console.watching() as shown:
        if events is None:
            yield shown
            return
        from wardround.runs.stream import Stream

        with Stream(events, shown) as watch:
            yield watch


def arms_of(text: str) -> tuple[str, ...]:
    """ "federated,local" -> ("federated", "local"); PlanError for an arm that does not exist."""
    from wardround.errors import PlanError
    from wardround.lookup import suggestion

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    wrong = [name for name in names if name not in list(Arm)]
    if wrong or not names:
        fault = f"no arm '{wrong[0]}'.{suggestion(wrong[0], list(Arm))}" if wrong else "no arm is named."
        raise PlanError(f"--arms {text}: {fault} Arms: {', '.join(Arm)}.")
    return names


def refuse_with_resume(given: dict[str, object]) -> None:
    """A run goes on with the plan it was started with: PlanError if the command line asks for another."""
    from wardround.errors import PlanError

    wrong = [name for name, value in given.items() if value not in (None, [])]
    if wrong:
        raise PlanError(f"--resume goes on with the run's own plan, so leave out {', '.join(wrong)}. To train with other settings, "
                        "start a new run.")
