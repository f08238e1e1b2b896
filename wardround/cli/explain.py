"""The command on what a model looks at: explain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.cli.options import RunPath, examples
from wardround.cli.results import ImagePaths, ImagesSite, OwnCode
from wardround.core.untrusted import csv_text

if TYPE_CHECKING:
    from wardround.session.saliency import Explained

app = typer.Typer()

Pictures = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the pictures are written.", show_default=False)]
ClassName = Annotated[str | None, typer.Option("--class", metavar="NAME", help="The class or finding to look for.",
                                               show_default="the most probable")]


@app.command(epilog=examples("wardround explain runs/NAME scan.png --out heat/",
                             "wardround explain runs/NAME FOLDER --out heat/ --class PNEUMONIA"))
def explain(run: RunPath, paths: ImagePaths, out: Pictures, label: ClassName = None, site: ImagesSite = None,
            own_code: OwnCode = False) -> None:
    """Draw heat over images where a class's score comes from (Grad-CAM). No evidence for a finding; not for clinical use.

    For models that tell classes of pictures. The table has a row an image: path, class, its probability, the picture's file, and an
    error where an image cannot be read (then the exit code is 3).
    """
    from wardround.cli import console
    from wardround.errors import DataError
    from wardround.session import saliency

    with console.watching() as watch:
        found = saliency.explain(run, paths, out, label=label, site=site, own_code=own_code, watch=watch)
    console.say(as_csv(found).rstrip("\n"))
    if failed := sum(bool(image.error) for image in found):
        raise DataError(f"{failed} of {len(found)} images could not be read; the column 'error' says why")


def as_csv(found: Sequence[Explained]) -> str:
    """As CSV text: path, class, probability, picture, error."""
    return csv_text([["path", "class", "probability", "picture", "error"], *(_row(image) for image in found)])


def _row(image: Explained) -> list[str]:
    seen = image.saliency
    return [str(image.path), seen.label if seen else "", f"{seen.probability:.6f}" if seen else "", str(image.picture or ""), image.error]
