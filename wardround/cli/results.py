"""Commands on finished runs: predict, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.cli.options import RunPath, examples
from wardround.errors import WardroundError
from wardround.extras import need

if TYPE_CHECKING:
    pass

app = typer.Typer()

ImagePaths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Images, or folders of images.", show_default=False)]
MaskFolder = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where masks are written, of a model that segments.")]
ImagesSite = Annotated[str | None, typer.Option("--site", metavar="NAME", help="The run's hospital that the images come from; needed if "
                                                                               "data.harmonise mapped its grey values.")]
OwnCode = Annotated[bool, typer.Option("--own-code", help="Run the network's own program, if the run's model is one ('file.py:Name').")]
CsvPath = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the table here instead of to the terminal.")]
PdfPath = Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="Print the report to this PDF too (needs the extra 'app').")]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run or of a comparison.", show_default=False)]


@app.command(epilog=examples("wardround predict runs/NAME scan.png", "wardround predict runs/NAME FOLDER --csv predictions.csv",
                     "wardround predict runs/NAME scan.png --site north",
                     "wardround predict runs/lgg-mri/federated-seed0 scan.tif --out masks/"))
def predict(run: RunPath, paths: ImagePaths, csv_path: CsvPath = None, out: MaskFolder = None, site: ImagesSite = None,
            own_code: OwnCode = False) -> None:
    """Give each image a probability for every class, or a mask. Not for clinical use.

    The table has a row an image: path, a column p_CLASS for each class or the mask's file, and an error where an image cannot be
    read (then the exit code is 3).
    """
    from wardround import session
    from wardround.cli import console
    from wardround.errors import DataError
    from wardround.runs.folder import write_text
    from wardround.session.prediction import as_csv

    with console.watching() as watch:
        predictions = session.predict(run, paths, out, site=site, own_code=own_code, watch=watch)
    text = as_csv(predictions)
    if csv_path is None:
        console.say(text.rstrip("\n"))
    else:
        write_text(csv_path, text)
    if failed := sum(bool(prediction.error) for prediction in predictions):
        raise DataError(f"{failed} of {len(predictions)} images could not be read; the column 'error' says why")


@app.command(epilog=examples("wardround report runs/NAME", "wardround report runs/NAME/federated-seed0 --pdf report.pdf"))
def report(run: Folder, pdf: PdfPath = None) -> None:
    """Write report.html of a run or a comparison anew, and print it to a PDF if one is named."""
    from wardround.cli import console
    from wardround.report.html import write_compare_report, write_run_report

    write_pdf = printer() if pdf is not None else None  # what is missing is said before the work, not after it
    write = write_compare_report if (run / "compare.json").exists() else write_run_report
    html = write(run)
    console.say(f"Report: {html}")
    if pdf is not None and write_pdf is not None:
        write_pdf(html, pdf)
        console.say(f"PDF: {pdf}")


@app.command(epilog=examples("wardround contrast runs/lgg-mri/federated-seed0 runs/lgg-mri-attention/federated-seed0"))
def contrast(first: RunPath, second: RunPath) -> None:
    """Compare two finished runs on the same test patients, with paired intervals: two models, or two ways to train one."""
    from wardround import session
    from wardround.cli import show
    from wardround.runs.folder import RunFolder

    show.contrast(session.contrast(first, second), RunFolder(first))


def printer() -> Callable[[Path, Path], None]:
    """What prints a page to a PDF; MissingExtra without the extra, WardroundError where the system lacks a library it needs."""
    try:
        need("PySide6.QtWebEngineCore", extra="app", purpose="a report as PDF")
    except ImportError as error:
        raise WardroundError(f"a report as PDF needs a library that this system lacks ({error}). On Debian and Ubuntu: apt-get install "
                             "libnss3 libxkbfile1 libasound2t64. Or print report.html from a browser.") from error
    from wardround.app.pdf import write_pdf

    return write_pdf
