"""Commands about images before any training: data list, inspect, check, fetch, convert; phantom, sites."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.options import DataFolder, Overrides, PlanName, examples, plan_of

app = typer.Typer()
sub = typer.Typer(help="Data sets: what there is, what a folder holds, what is wrong with it.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of images, or a CSV file.", show_default=False)]
Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="A name of 'wardround data list'.", show_default=False)]
Target = Annotated[Path, typer.Argument(metavar="DIR", help="Where the images are written.", show_default=False)]
Num = Annotated[int, typer.Option(min=30, metavar="N", help="Number of images.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="The same seed draws the same images.")]
Figure = Annotated[Path, typer.Option("--figure", metavar="FILE", help="Where the figure is written.")]
Dealt = Annotated[Path | None, typer.Option("--deal", metavar="DIR", help="Give each hospital's images a folder of their own in here, in "
                                            "the data set's layout, to rehearse a network.", show_default=False)]
PublicSet = Annotated[str, typer.Argument(metavar="NAME", help="A public data set; an unknown name lists those there are.",
                                          show_default=False)]
Accept = Annotated[bool, typer.Option("--accept-licence", help="The licence was read and is accepted; nothing is asked.")]
OldFile = Annotated[Path, typer.Argument(metavar="FILE", help="A pickled data set (.p, .pkl) or a model of torch.save (.pt, .pth).",
                                         show_default=False)]
NewPlace = Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for images, or a new FILE.safetensors for a model.",
                                          show_default=False)]
ClassNames = Annotated[str, typer.Option("--classes", metavar="A,B,...", help="Names of the labels 0, 1 and so on.", show_default=False)]


@sub.command("list", epilog=examples("wardround data list"))
def list_datasets() -> None:
    """List the data sets that a plan can name."""
    from wardround.cli import show

    show.datasets()


@sub.command(epilog=examples("wardround data inspect FOLDER"))
def inspect(folder: Folder) -> None:
    """Say which data set a folder holds and count its images; nothing is decoded."""
    from wardround.cli import show
    from wardround.data.datasets.base import detect
    from wardround.errors import CatalogueError

    reader = detect(folder)
    if reader is None:
        raise CatalogueError(f"{folder} is like no known data set. Give each class a folder of its own, or write a CSV file with the "
                             "columns image,label. What each data set expects: 'wardround data list' and docs/data.md.")
    show.catalogue(reader.read(folder))


@sub.command(epilog=examples("wardround data check chest-xray-pneumonia --data FOLDER"))
def check(plan: PlanName, overrides: Overrides = None, data: DataFolder = None) -> None:
    """Read every image of a plan and report what is unreadable, doubled or leaks between the splits."""
    from wardround.cli import console, show
    from wardround.data.prepare import check as findings_of

    with console.watching() as watch:
        findings = findings_of(plan_of(plan, overrides, data), watch)
    show.findings(findings)


@sub.command(epilog=examples("wardround data fetch pneumoniamnist images/mnist", "wardround data fetch chest-xray images/chest"))
def fetch(name: PublicSet, folder: Target, accept_licence: Accept = False) -> None:
    """Fetch a public data set: licence first, resumable, checked and unpacked. Kaggle's sets need your own Kaggle token."""
    from wardround.cli import console, show
    from wardround.data.fetch.obtain import obtain
    from wardround.data.fetch.sources import source_of

    console.pairs(source_of(name).terms())
    accepted = accept_licence or (sys.stdin.isatty() and typer.confirm("Do you accept this licence?"))
    with console.watching() as watch:
        found = obtain(name, folder, accepted=accepted, watch=watch)
    show.catalogue(found)


@sub.command(epilog=examples("wardround data convert old.p images/ --classes glioma,meningioma,notumor,pituitary",
                             "wardround data convert model.pth model.safetensors"))
def convert(file: OldFile, place: NewPlace, classes: ClassNames = "") -> None:
    """Turn a pickled data set into a folder of images, or a pickled model into its tensors. Nothing in the file is executed."""
    from wardround.cli import console
    from wardround.data.legacy.convert import convert as converted

    console.pairs(converted(file, place, classes))


@app.command(epilog=examples("wardround phantom brain-tumour-mri phantoms/ --num 300"))
def phantom(dataset: Dataset, folder: Target, num: Num = 900, seed: Seed = 0) -> None:
    """Draw synthetic images in a data set's own folder layout, for trying things out. They show no patient."""
    from wardround.cli import console
    from wardround.data.datasets import DATASETS

    with console.watching() as watch:
        DATASETS.find(dataset).write_phantom(folder, num, seed, watch)
    console.say(f"{num} phantom images of {dataset} in {folder}")


@app.command(epilog=examples("wardround sites brain-tumour-missing-types --data FOLDER",
                             "wardround sites chest-xray-pneumonia --set sites.partition=dirichlet --set sites.alpha=0.1",
                             "wardround sites brain-tumour-clinics --data FOLDER --deal hospitals/"))
def sites(plan: PlanName, overrides: Overrides = None, data: DataFolder = None, figure: Figure = Path("sites.png"),
          deal: Dealt = None) -> None:
    """Show who holds what: images per hospital and class, as a table and a figure. Nothing is trained."""
    from wardround.cli import console, show
    from wardround.data.deal import deal_out
    from wardround.data.prepare import prepare

    chosen = plan_of(plan, overrides, data)
    with console.watching() as watch:
        prepared = prepare(chosen, watch)
    show.sites(prepared, figure)
    if deal is not None:
        console.pairs(deal_out(chosen, prepared, deal))
        console.say(f'In a plan: data.folder = "{deal}", sites = {{partition = "folders", num = {len(prepared.site_names)}, names = '
                    f'{list(prepared.site_names)}}}')
