"""What this machine offers, and which algorithms there are: doctor, strategies."""

from __future__ import annotations

import typer

from wardround.cli.options import examples

app = typer.Typer()


@app.command(epilog=examples("wardround doctor"))
def doctor() -> None:
    """Show versions, cores, memory, disk and cache, and in which precision and layout a small network trains fastest here."""
    from wardround.cli import console
    from wardround.session.machine import machine, steps, trial, versions

    console.pairs(versions() | machine())
    shown, sentence = steps(trial())
    console.pairs(shown)
    console.say(sentence)


@app.command(epilog=examples("wardround strategies"))
def strategies() -> None:
    """List the federated algorithms that a plan can name: when to use each, what it costs, and its paper."""
    from wardround.cli import show

    show.strategies()
