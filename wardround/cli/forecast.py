"""What a plan will cost: forecast."""

from __future__ import annotations

import typer

from wardround.cli.options import DataFolder, Overrides, PlanName, Workers, examples, plan_of

app = typer.Typer()


@app.command(epilog=examples("wardround forecast chest-xray-pneumonia --data FOLDER",
                             "wardround forecast demo --set model.width=48"))
def forecast(plan: PlanName, overrides: Overrides = None, data: DataFolder = None, workers: Workers = None) -> None:
    """Estimate the time of a round, memory and bytes of a plan on this machine, from a few steps of its training on noise."""
    settings = plan_of(plan, overrides, data, workers)
    from wardround.cli import console
    from wardround.session.forecast import forecast as forecast_of

    with console.watching() as watch:
        found = forecast_of(settings, watch=watch)
    for sentence in found.sentences():
        console.say(sentence)
