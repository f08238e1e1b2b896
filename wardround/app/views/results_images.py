"""Pictures that a run kept of its test images: the surest wrong answers, where the model looked, and segmentations over the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.app.views.grid import Grid
from wardround.app.views.results_read import Results, Told, read, told
from wardround.errors import WardroundError

OF_PATIENTS = "These are images of the data set. Show them only to people who may see them."
SEEN = 0.65  # opacity of the hottest place of a heat map: the image stays readable below


@dataclass(frozen=True, kw_only=True, eq=False)
class Errors:
    """The test images that were named wrongly with the highest probability. images: (k, H, W) or (k, H, W, 3) uint8; captions: one each,
    in short and in full.

    why_not: if there are none to show. caution: who may see them, "" of phantoms."""

    images: np.ndarray
    short: tuple[str, ...]
    captions: tuple[str, ...]
    why_not: str
    caution: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Looked:
    """Where the model looked. heat: (H, W) float in 0..1, high where it mattered for `label`; caution: what it does not show."""

    label: str
    probability: float
    heat: np.ndarray
    caution: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Patient:
    """One test patient's segmentation. volume: (1, D, H, W) float32; truth, model, difference: (D, H, W) uint8, 0 the background.

    difference: 1 missed, 2 added, 3 another class. name: "best", "median" or "worst"; main_slice: with the largest true region."""

    name: str
    title: str
    volume: np.ndarray
    truth: np.ndarray
    model: np.ndarray
    difference: np.ndarray
    classes: tuple[str, ...]
    main_slice: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmented:
    """Segmentations of the test patients. told: regions by arm and how empty masks count; every: each patient, the worst first."""

    patients: tuple[Patient, ...]
    told: Told
    every: Grid
    why_not: str
    caution: str


def errors(folder: Path, model: str) -> Errors:
    """The gallery of a run. model: one of `Opened.models`."""
    from wardround.report.material import understood

    found = read(folder)
    with understood(folder):
        run = found.run(model)
        if run.errors is None:
            why_not = "The images that were named wrongly stayed at the hospitals." if run.is_network else (
                "The run kept no gallery of its worst errors (figures/errors.npz is absent).")
            return Errors(images=np.zeros((0, 1, 1), np.uint8), short=(), captions=(), why_not=why_not, caution="")
        images = run.errors.images
        shown = images[:, 0] if images.shape[1] == 1 else np.ascontiguousarray(images[:, :3].transpose(0, 2, 3, 1))
        return Errors(images=shown, short=tuple(map(_short, run.errors.captions)), captions=run.errors.captions,
                      caution=_caution(bool(run.scores["phantom"])),
                      why_not="" if len(images) else "The model named no test image wrongly.")


def _short(caption: str) -> str:
    """ "glioma \u2192 meningioma" of the report's caption, in two lines."""
    truth, model, *_ = (line.partition(": ")[2] for line in caption.splitlines())
    return f"{truth}\n\N{RIGHTWARDS ARROW} {model}"


def where_looked(folder: Path, model: str, place: int) -> Looked:
    """Which part of a wrongly named image weighed for the answer (Grad-CAM). place: in the gallery."""
    from wardround.session import saliency

    run = read(folder).run(model)
    if run.errors is None or not 0 <= place < len(run.errors.images):
        raise WardroundError(f"{run.folder}: the gallery of worst errors has no image {place + 1}. Open the run anew.")
    found = saliency.explain_arrays(run.folder, run.errors.images[place:place + 1])[0]
    return Looked(label=found.label, probability=float(found.probability), heat=np.asarray(found.heat, dtype=np.float32),
                  caution=saliency.CAUTION)


def laid_over(image: np.ndarray, heat: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """An image (H, W) or (H, W, 3) uint8 with a heat map (H, W) in 0..1 over it in one colour: (H, W, 3) uint8."""
    rgb = np.repeat(image[..., None], 3, -1) if image.ndim == 2 else image
    share = SEEN * np.clip(heat, 0, 1)[..., None]
    blended: np.ndarray = np.rint(rgb * (1 - share) + np.array(colour) * share).astype(np.uint8)
    return blended


def segmented(folder: Path, model: str) -> Segmented:
    """The best, median and worst patient of a run, and all of them in numbers."""
    from wardround.report import segmentation
    from wardround.report.material import understood
    from wardround.report.overlays import difference

    found = read(folder)
    with understood(folder):
        run = found.run(model)
        patients = tuple(Patient(
            name=case.label, title=f"{case.label}: Dice {case.dice:.2f}" if math.isfinite(case.dice) else case.label,
            volume=case.image[None].astype(np.float32), truth=case.truth, model=case.predicted, classes=case.classes,
            difference=difference(case.truth, case.predicted), main_slice=case.main_slice) for case in run.overlays)
        why_not = "The segmentations stayed at the hospitals." if run.is_network else (
            "The run kept no segmentations to show (figures/overlays.npz is absent).")
        is_lead = run is found.lead
        words_of_it = told(segmentation.details(found.facts(run), found.comparison if is_lead else None))
        return Segmented(patients=patients, told=words_of_it, every=_every(found, model), why_not="" if patients else why_not,
                         caution=_caution(bool(run.scores["phantom"])) if patients else "")


def _every(found: Results, model: str) -> Grid:
    """Each test patient's hospital and measures, the worst by Dice first; a number stands for who it is."""
    from wardround.report import tables, words

    run = found.run(model)
    measured, metrics = run.measured, run.scores["metrics"]
    if measured is None:
        return Grid(columns=("Patient",), rows=())
    regions = tables.region_names(run.scores)
    names = [name for name in (*dict.fromkeys(["dice", "hd95", *(f"dice_{region}" for region in regions if len(regions) > 1)]),)
             if name in measured.names]
    values = measured.values[:, [measured.names.index(name) for name in names]]
    ranked = np.argsort(np.nan_to_num(values[:, 0], nan=2.0), kind="stable")
    rows = tuple((str(place), str(measured.sites[row]), *(words.number(value, words.digits(name))
                                                          for name, value in zip(names, values[row], strict=True)))
                 for place, row in enumerate(ranked, start=1))
    return Grid(columns=("Patient", "Hospital", *(words.heading(name, metrics) for name in names)), rows=rows,
                caption="Each test patient, the worst first. The numbers are ranks: they do not tell who it is.",
                numeric=(True, False, *(True for _ in names)))


def _caution(is_phantom: bool) -> str:
    return "" if is_phantom else OF_PATIENTS
