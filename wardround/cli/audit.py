"""The command that attacks a run of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from wardround.cli.options import DataFolder, RunPath, examples

app = typer.Typer()

ALL = "inversion,membership,hospitals,poisoning"

Attacks = Annotated[str, typer.Option(metavar="LIST", help="Which attacks, separated by commas.")]
Quick = Annotated[bool, typer.Option("--quick", help="Smaller attacks: minutes instead of up to an hour, with wider intervals.")]


@app.command(epilog=examples("wardround audit runs/NAME/federated-seed0",
                             "wardround audit runs/NAME/federated-seed0 --quick --attacks inversion,poisoning"))
def audit(run: RunPath, attacks: Attacks = ALL, data: DataFolder = None, quick: Quick = False) -> None:
    """Attack a finished federated run as a curious server or a malicious hospital would, and say what that showed."""
    from wardround.audit.record import audit as attacked
    from wardround.cli import console, show

    names = [name.strip() for name in attacks.split(",") if name.strip()]
    with console.watching() as watch:
        record = attacked(run, attacks=names, data=data, is_quick=quick, watch=watch)
    show.audit(run, record)
