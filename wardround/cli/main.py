"""The `wardround` command. A command parses, makes one library call and prints; what it needs is imported when it runs."""

from __future__ import annotations

import logging
import sys
from typing import Annotated, NoReturn

import typer

from wardround.cli import audit, auditlog, data, desktop, doctor, explain, forecast, results, run, site, study
from wardround.core.untrusted import shown
from wardround.errors import WardroundError

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True,
                  context_settings={"help_option_names": ["-h", "--help"]})
for part in (run, forecast, data, results, explain, audit, doctor, desktop):
    app.add_typer(part.app)
app.add_typer(data.sub, name="data")
app.add_typer(study.sub, name="study")
app.add_typer(site.sub, name="site")
app.add_typer(auditlog.sub, name="audit-log")

DEBUG = "--debug"


def show_version(is_asked: bool) -> None:
    """Print the version and exit, if --version was given."""
    if is_asked:
        import wardround

        typer.echo(wardround.__version__)
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=show_version)]
Debug = Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error; works after any command too.")]


@app.callback()
def top(version: Version = False, debug: Debug = False) -> None:
    """Federated learning for medical images: hospitals train one model together while every image stays where it was taken.

    Begin with: wardround demo
    """


def main() -> None:
    """Run the command line. An expected error is one red message on stderr and its class's exit code."""
    warnings_shown()
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG]
    is_debugging = len(arguments) < len(sys.argv) - 1
    try:
        app(arguments)
    except WardroundError as error:
        if is_debugging:
            raise
        fail(str(error), error.exit_code)
    except OSError as error:
        if is_debugging or error.filename is None:
            raise
        fail(f"{error.filename}: {error.strerror}. (--debug shows where)", 1)


class _Shown(logging.Formatter):
    """A warning of the library on one line of the terminal, which names of files cannot drive."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def warnings_shown() -> None:
    """Show the library's warnings on stderr, unless somebody has set up logging already."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Shown())
    handler.setLevel(logging.WARNING)
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(handler)


def fail(message: str, exit_code: int) -> NoReturn:
    """Print the message in red (no colour outside a terminal) and exit."""
    typer.secho(f"error: {shown(message)}", fg=typer.colors.RED, err=True)
    sys.exit(exit_code)
