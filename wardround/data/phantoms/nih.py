"""Phantoms of NIH ChestX-ray14: adults' chest films with up to 14 findings, the table of 2017 and the official lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wardround.core.events import Progress, Watch
from wardround.data.phantoms import chest, drawing, findings
from wardround.data.phantoms.drawing import Array, line, paint, step
from wardround.rng import stream

HEADER = ("Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,Height],"
          "OriginalImagePixelSpacing[x,y],")  # as NIH wrote it: two names hold a comma, and the last cell is empty
TABLE = "Data_Entry_2017.csv"
LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
TEST_SHARE = 0.2
SICK_SHARE = 0.62  # of the patients; films between their findings count as No Finding
REPORT_EVERY = 50  # images

SHARES = {  # of the patients with findings, by the finding they have first: the order of NIH's counts, less steep
    "Infiltration": 0.17, "Effusion": 0.13, "Atelectasis": 0.11, "Nodule": 0.09, "Mass": 0.08, "Pneumothorax": 0.08,
    "Consolidation": 0.06, "Pleural_Thickening": 0.06, "Cardiomegaly": 0.06, "Emphysema": 0.04, "Edema": 0.04, "Fibrosis": 0.03,
    "Pneumonia": 0.03, "Hernia": 0.02}
COMPANIONS = {  # what often comes with it
    "Infiltration": ("Effusion", "Atelectasis"), "Effusion": ("Atelectasis", "Infiltration"), "Atelectasis": ("Effusion", "Infiltration"),
    "Nodule": ("Mass",), "Mass": ("Nodule", "Effusion"), "Pneumothorax": ("Effusion", "Emphysema"), "Consolidation": ("Effusion",),
    "Pleural_Thickening": ("Fibrosis", "Effusion"), "Cardiomegaly": ("Effusion", "Edema"), "Emphysema": ("Pneumothorax",),
    "Edema": ("Effusion", "Cardiomegaly"), "Fibrosis": ("Pleural_Thickening",), "Pneumonia": ("Infiltration", "Edema"),
    "Hernia": ("Atelectasis",)}


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One patient and the findings of each film. age: as the table has it, impossible ones included."""

    number: int
    split: str
    age: str
    sex: str
    films: tuple[tuple[str, ...], ...]


def write_folders(folder: Path, num: int, seed: int, watch: Watch) -> None:
    """Write num films as images/*.png of 224 x 224 with their table and lists; no patient is in both lists.

    What was drawn there before is removed. From 300 images on each list has every finding. CatalogueError if num is below 30 or
    images/ holds other images.
    """
    drawing.check_num(num)
    drawing.empty_folders(folder, ["images"])
    lists: dict[str, list[str]] = {split: [] for split in LISTS}
    lines = [HEADER]
    for patient in _patients(num, seed):
        for follow_up, shown in enumerate(patient.films):
            name, supine = f"{patient.number:08d}_{follow_up:03d}.png", is_supine(seed, patient.number, follow_up)
            Image.fromarray(draw(seed, patient, follow_up)).save(folder / "images" / name, compress_level=1)
            lines.append(f"{name},{'|'.join(sorted(shown)) or 'No Finding'},{follow_up},{patient.number},{patient.age},{patient.sex},"
                         f"{'AP' if supine else 'PA'},{'2500,2048,0.168,0.168' if supine else '2992,2991,0.143,0.143'},")
            lists[patient.split].append(name)
            if len(lines) % REPORT_EVERY == 1 or len(lines) == num + 1:
                watch(Progress(stage="phantom", done=len(lines) - 1, total=num))
    for split, names in lists.items():
        (folder / LISTS[split]).write_text("\n".join(names) + "\n")
    (folder / TABLE).write_text("\n".join(lines) + "\n")


def draw(seed: int, patient: Patient, follow_up: int) -> Array:
    """The film: (224, 224) uint8. A patient's films share the anatomy, not the position."""
    parts = (seed, "phantom", "nih", patient.number)
    body, rng = stream(*parts), stream(*parts, follow_up)
    supine = is_supine(seed, patient.number, follow_up)
    strengths = {name: rng.beta(1.6, 1.6) for name in patient.films[follow_up]}
    return _film(body, rng, strengths, patient.sex, is_supine=supine)


def is_supine(seed: int, number: int, follow_up: int) -> bool:
    """Whether the film was taken lying, from the front (AP): four in ten, as at NIH."""
    return bool(stream(seed, "phantom", "nih", number, follow_up, "view").random() < 0.4)


def _film(body: np.random.Generator, rng: np.random.Generator, strengths: Mapping[str, float], sex: str, *, is_supine: bool) -> Array:
    build = findings.build_of(strengths, body, is_supine=is_supine)
    place = chest.chest_of(body, rng, build)
    picture = chest.soft_tissue(body, place, build)
    if sex == "F":
        picture = _breasts(body, place, picture)
    for name, pencil in findings.PENCILS.items():
        if name in strengths:
            picture = pencil(rng, place, picture, strengths[name])
    picture = chest.bones(body, place, picture)
    return chest.exposed(rng, _devices(rng, place, _haze(rng, place, picture)) if is_supine else picture)


def _breasts(body: np.random.Generator, place: chest.Chest, picture: Array) -> Array:
    """Two soft shadows over the lower lungs, with an edge below."""
    low, size = body.uniform(0.3, 0.5), body.uniform(0.22, 0.36)
    r = drawing.radius(np.abs(place.x) - 0.5, place.y - low + size, rx=size * 1.1, ry=size)
    softened: Array = picture + np.float32(body.uniform(0.03, 0.09)) * step(1 - r, 0.1) * step(place.y - low + 1.3 * size, 0.3 * size)
    return softened


def _haze(rng: np.random.Generator, place: chest.Chest, picture: Array) -> Array:
    """Scatter of a film taken at the bedside: less contrast, more below."""
    return paint(picture, np.clip(rng.uniform(0.05, 0.25) + 0.12 * place.y, 0, 1), 0.55)


def _devices(rng: np.random.Generator, place: chest.Chest, picture: Array) -> Array:
    """Electrodes with their wires, sometimes a tube in the windpipe: they tell the ward, not the finding."""
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(-0.7, 0.7), rng.uniform(-0.6, 0.5)
        spot = step(1 - drawing.radius(place.x - x, place.y - y, rx=0.035, ry=0.035), 0.2)
        bend = rng.normal(0, 0.4)
        wire = line(place.x - x - bend * (place.y - y) * (place.y - y + 1), 0.01) * step(place.y - y, 0.02)
        picture = paint(picture, np.maximum(0.8 * spot, 0.35 * wire), 0.95)
    if rng.random() < 0.4:
        picture = picture + 0.16 * line(np.abs(place.x - 0.01) - 0.02, 0.008) * step(-0.25 - place.y, 0.01)
    return picture


def _patients(num: int, seed: int) -> list[Patient]:
    """Patients with one to six films until both lists are full, numbered from 1 in random order."""
    rng = stream(seed, "phantom", "nih", "patients")
    num_test = round(num * TEST_SHARE)
    drawn: list[tuple[str, tuple[tuple[str, ...], ...]]] = []
    for split, size in (("train", num - num_test), ("test", num_test)):
        sizes = _sizes(size, rng)
        leads = _leads(len(sizes), rng)
        drawn += [(split, _course(lead, films, rng)) for lead, films in zip(leads, sizes, strict=True)]
    patients = []
    for number, place in enumerate(rng.permutation(len(drawn)), start=1):
        split, films = drawn[place]
        age = 411 + number % 4 if rng.random() < 0.01 else int(np.clip(rng.normal(49, 17), 4, 94))
        patients.append(Patient(number=number, split=split, age=str(age), sex=str(rng.choice(["M", "F"])), films=films))
    return patients


def _sizes(left: int, rng: np.random.Generator) -> list[int]:
    """How many films each patient has; they sum to `left`."""
    sizes = []
    while left:
        sizes.append(min(left, int(rng.choice([1, 2, 3, 4, 6], p=[0.5, 0.24, 0.13, 0.08, 0.05]))))
        left -= sizes[-1]
    return sizes


def _leads(num: int, rng: np.random.Generator) -> list[str]:
    """The first finding of each patient, "" for those without; each finding has one patient at least, if there are enough."""
    names = list(SHARES)
    num_sick = min(num, max(round(num * SICK_SHARE), len(names)))
    wanted = np.array(list(SHARES.values())) / sum(SHARES.values()) * max(num_sick - len(names), 0)
    counts = 1 + np.floor(wanted).astype(int)
    deck = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    deck += [str(name) for name in rng.choice(names, max(num_sick - len(deck), 0), p=list(SHARES.values()))]
    leads = np.array((deck[:num_sick] + [""] * num)[:num], dtype=object)
    return [str(lead) for lead in rng.permutation(leads)]


def _course(lead: str, num_films: int, rng: np.random.Generator) -> tuple[tuple[str, ...], ...]:
    """The findings of each film of a patient: the first on most of them, others now and then."""
    if not lead:
        return ((),) * num_films
    films = []
    for film in range(num_films):
        shown = {lead} if film == 0 or rng.random() < 0.75 else set()
        shown |= {other for other in COMPANIONS[lead] if rng.random() < 0.22}
        if rng.random() < 0.1:
            shown.add(str(rng.choice(list(SHARES))))
        films.append(tuple(sorted(shown)))
    return tuple(films)
