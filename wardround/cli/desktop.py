"""The desktop app."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.options import examples

app = typer.Typer()

FirstRun = Annotated[Path | None, typer.Argument(metavar="RUN", help="A run or comparison to look at first.", show_default=False)]
Workspace = Annotated[Path | None, typer.Option("--workspace", metavar="DIR", help="Where plans and runs are kept; remembered.",
                                                show_default="~/wardround")]


@app.command("app", epilog=examples("wardround app", "wardround app runs/demo"))
def window(run: FirstRun = None, workspace: Workspace = None) -> None:
    """Open the desktop app: choose images and hospitals, train, watch, judge, without a terminal."""
    from wardround.app.main import launch

    raise typer.Exit(launch(run, workspace))
