"""Phantoms of the glioma sets: four-sequence volumes as in BraTS 2020, three-sequence slices as in TCGA-LGG.

Lengths are mm in the coordinates of tissue.py. Brightness is counted in that of white matter.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wardround.core.events import Progress, Watch
from wardround.data.phantoms import drawing, tissue
from wardround.data.phantoms.drawing import Array, line, paint, step
from wardround.data.phantoms.tissue import Brain, Point, Space, blob, clouds
from wardround.errors import CatalogueError
from wardround.rng import stream

SEQUENCES = ("flair", "t1", "t1ce", "t2")
NECROTIC, OEDEMA, ENHANCING = 1, 2, 4  # the numbers of BraTS 2020
HOSPITALS = ("CBICA", "TCIA01", "TCIA02", "TCIA03", "2013", "CBICA", "TCIA01", "CBICA", "TCIA02", "CBICA")  # of patients in turn
INSTITUTIONS = ("DU", "HT", "FG", "DU", "HT", "DU")
MIN_PATIENTS = 5  # one from each hospital
SLICES = 8  # of a patient of TCGA-LGG, about six of them through the tumour
SLICE_PX = 128
REPORT_EVERY = 10  # patients
VOXEL_MM = 3
MAPPING = "name_mapping.csv"
MAPPING_HEADER = "Grade,BraTS_2017_subject_ID,BraTS_2018_subject_ID,TCGA_TCIA_subject_ID,BraTS_2019_subject_ID,BraTS_2020_subject_ID"
VOLUME = Space(z=tissue.axis(52, 156), y=tissue.axis(80, 240), x=tissue.axis(80, 240))  # 3 mm: BraTS' field of view at a third of its grid
LOOKS = {  # of each tissue in SEQUENCES, measured on a case of BraTS geometry
    "grey": (1.2, 0.72, 0.8, 1.5),
    "fluid": (0.4, 0.38, 0.38, 2.7),
    "oedema": (1.85, 0.76, 0.8, 2.0),
    "core": (1.7, 0.55, 0.55, 2.4),  # necrosis, or tumour that does not enhance
    "rim": (1.6, 0.72, 1.75, 1.7),
    "vessel": (0.9, 0.8, 1.9, 0.7),
    "lesion": (1.75, 0.85, 0.9, 1.7),  # of small vessels, in the elderly: no tumour
    "bone": (0.15, 0.2, 0.2, 0.15),
    "fat": (1.9, 2.3, 2.4, 1.8),
    "flesh": (0.8, 0.75, 1.1, 0.7),
}


@dataclass(frozen=True, kw_only=True)
class Tumour:
    """What is decided of a glioma before it is drawn."""

    grade: str  # "HGG" or "LGG", as name_mapping.csv has it
    centre: Point
    size: Point  # half axes of its core
    enhancing: str  # of the core: its "rim", "patches", the "whole" of it (no necrosis), or "none"
    rim_mm: float
    oedema_mm: float  # how far oedema reaches beyond the core


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """How a hospital's scanner shows what it is given."""

    gain: Array  # (4,) the number that white matter gets
    gamma: Array  # (4,) of the contrast between tissues
    uneven: float  # strength of the coil's shading
    noise: float


def write_brats(folder: Path, num: int, seed: int, watch: Watch) -> None:
    """Write num patients as BraTS20_Training_NNN/..._{flair,t1,t1ce,t2,seg}.nii.gz, 80 x 80 x 52 voxels of 3 mm stored as LPS.

    name_mapping.csv tells the grade and, in the names of 2019, the hospital. What was drawn there before is removed.
    CatalogueError if num is below 5 or the folder holds other patients.
    """
    if num < MIN_PATIENTS:
        raise CatalogueError(f"a phantom of {num} patients leaves a hospital without any. Ask for {MIN_PATIENTS} or more.")
    names = [f"BraTS20_Training_{i:03d}" for i in range(1, num + 1)]
    _clear(folder, names)
    rows = [MAPPING_HEADER]
    for done, name in enumerate(names, start=1):
        hospital = HOSPITALS[(done - 1) % len(HOSPITALS)]
        rng = stream(seed, "phantom", "brats", name)
        drawn = tumour(rng)
        volumes, labels = draw_patient(rng, drawn, scanner(stream(seed, "phantom", "brats", hospital)))
        for sequence, volume in zip((*SEQUENCES, "seg"), (*np.rint(volumes).astype(np.int16), labels), strict=True):
            _save_nifti(volume, folder / name / f"{name}_{sequence}.nii.gz")
        rows.append(f"{drawn.grade},NA,NA,NA,BraTS19_{hospital}_{done:03d}_1,{name}")
        if done % REPORT_EVERY == 0 or done == num:
            watch(Progress(stage="phantom", done=done, total=num))
    (folder / MAPPING).write_text("\n".join(rows) + "\n")


def write_lgg(folder: Path, num: int, seed: int, watch: Watch) -> None:
    """Write num slices as kaggle_3m/TCGA_SITE_NNNN_20000101/..._{1..8}.tif, 128 x 128 RGB, each with ..._mask.tif of 0 and 255.

    What was drawn there before is removed. CatalogueError if num is below 30 or kaggle_3m holds other images.
    """
    drawing.check_num(num)
    drawing.empty_folders(folder, ["kaggle_3m"])
    for index in range(-(-num // SLICES)):
        institution = INSTITUTIONS[index % len(INSTITUTIONS)]
        name = f"TCGA_{institution}_{index + 1:04d}_20000101"
        images, masks = draw_slices(stream(seed, "phantom", "lgg", name),
                                    scanner(stream(seed, "phantom", "lgg", institution), white=(45, 85)))
        (folder / "kaggle_3m" / name).mkdir()
        for i in range(min(SLICES, num - index * SLICES)):
            path = folder / "kaggle_3m" / name / f"{name}_{i + 1}.tif"
            Image.fromarray(images[i]).save(path, compression="tiff_adobe_deflate")
            Image.fromarray(masks[i]).save(path.with_name(f"{name}_{i + 1}_mask.tif"), compression="tiff_adobe_deflate")
        done = min(num, (index + 1) * SLICES)
        if (index + 1) % REPORT_EVERY == 0 or done == num:
            watch(Progress(stage="phantom", done=done, total=num))


def tumour(rng: np.random.Generator, *, low_grade: float = 0.2) -> Tumour:
    """A glioma at random; low_grade: the share of grade LGG. Of these two in three lack enhancement or necrosis."""
    low = bool(rng.random() < low_grade)
    turn, height, far = rng.uniform(0, 2 * np.pi), rng.uniform(-14, 32), rng.uniform(0.42, 0.68)
    centre = (float(62 * far * np.cos(turn)), float(82 * far * np.sin(turn) - 4), float(height))
    mean = rng.uniform(9, 17) if low else rng.uniform(10, 22)
    x, y, z = (float(mean * factor) for factor in rng.uniform(0.75, 1.25, size=3))
    enhancing = str(rng.choice(["none", "whole", "patches"], p=[0.45, 0.2, 0.35])) if low else "rim"
    return Tumour(grade="LGG" if low else "HGG", centre=centre, size=(x, y, z), enhancing=enhancing, rim_mm=float(rng.uniform(3, 7)),
                  oedema_mm=float(rng.uniform(4, 12) if low else rng.uniform(6, 20)))


def scanner(rng: np.random.Generator, *, white: tuple[float, float] = (120, 600)) -> Scanner:
    """A scanner at random; white: from which numbers to which it may show white matter."""
    return Scanner(gain=rng.uniform(*white, size=4).astype(np.float32), gamma=rng.uniform(0.75, 1.2, size=4).astype(np.float32),
                   uneven=rng.uniform(0.05, 0.16), noise=rng.uniform(0.02, 0.06))


def draw_patient(rng: np.random.Generator, glioma: Tumour, machine: Scanner, *, space: Space = VOLUME,
                 stripped: bool = True) -> tuple[Array, Array]:
    """Volumes (4, D, H, W) float32 in the order of SEQUENCES and labels (D, H, W) uint8 (0, 1, 2, 4), axes as in tissue.py.

    stripped: nothing but the brain, on a background of exactly 0; otherwise with skull and scalp.
    """
    looks = {name: (rng.uniform(0.93, 1.07, size=4) * look).astype(np.float32)[:, None, None, None] for name, look in LOOKS.items()}
    mean = float(np.mean(glioma.size))
    brain = tissue.brain(rng, space, pushed=(glioma.centre, mean, rng.uniform(0.15, 0.4) * mean))
    picture = _healthy(rng, space, brain, looks)
    picture, labels = _grown(rng, space, brain, glioma, looks, picture)
    inside = brain.surface > 0
    labels[~inside] = 0
    picture = picture * inside if stripped else _shell(rng, space, brain, looks, picture)
    volumes = _scanned(rng, space, machine, picture)
    return np.where(inside, np.maximum(volumes, 1), 0) if stripped else volumes, labels


def draw_slices(rng: np.random.Generator, machine: Scanner) -> tuple[Array, Array]:
    """A patient with a glioma of low grade: images (8, 128, 128, 3) uint8 and masks (8, 128, 128) uint8 of 0 and 255, from below upwards.

    Channels: before contrast, FLAIR, after contrast; the patient's right is at the left. A sequence that is missing, as in one patient
    of eight, is replaced by FLAIR, as in the original.
    """
    glioma = tumour(rng, low_grade=1)
    apart = float(np.clip((glioma.size[2] + glioma.oedema_mm) / 2.5, 4, 9))
    first = np.clip(glioma.centre[2] - apart * rng.uniform(2.5, 4.5), -42, 62 - apart * SLICES)
    z = (first + apart * np.arange(SLICES)).astype(np.float32)
    space = Space(z=z, y=tissue.axis(SLICE_PX, 240), x=tissue.axis(SLICE_PX, 240))
    volumes, labels = draw_patient(rng, glioma, machine, space=space, stripped=False)
    fate = rng.random()
    chosen = (0, 0, 0) if fate < 0.08 else (1, 0, 0) if fate < 0.125 else (1, 0, 2)  # t1, flair, t1ce
    images = np.rint(np.clip(volumes[list(chosen)], 0, 255)).astype(np.uint8).transpose(1, 2, 3, 0)
    masks = np.where(labels > 0, np.uint8(255), np.uint8(0))
    return np.ascontiguousarray(images[:, ::-1, ::-1]), np.ascontiguousarray(masks[:, ::-1, ::-1])


def _clear(folder: Path, names: list[str]) -> None:
    """Folders of these names, empty, and no other patient's. CatalogueError if anything there was not drawn by wardround."""
    if (folder / MAPPING).exists() and not (folder / drawing.BEGUN).exists():
        raise CatalogueError(f"{folder / MAPPING} was not written by wardround; a phantom would overwrite it. Name an empty folder.")
    old = {path.name for path in folder.glob("BraTS20_Training_*") if path.is_dir()}
    drawing.empty_folders(folder, sorted(old.union(names)))
    for name in old.difference(names):
        (folder / name).rmdir()


def _save_nifti(volume: Array, path: Path) -> None:
    """Write (D, H, W) as BraTS stores it: x to the left, y to the back, z to the top."""
    import nibabel

    # voxel (0, 0, 0) covers 3 x 3 x 3 of the original's, the first of which lies at (0, 239, 0)
    affine = np.array([[-VOXEL_MM, 0, 0, -1], [0, -VOXEL_MM, 0, 238], [0, 0, VOXEL_MM, 1], [0, 0, 0, 1]], dtype=np.float64)
    image = nibabel.Nifti1Image(volume.transpose(2, 1, 0)[::-1, ::-1], affine)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm")  # type: ignore[no-untyped-call]
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def _healthy(rng: np.random.Generator, space: Space, brain: Brain, looks: dict[str, Array]) -> Array:
    """White and grey matter, fluid, and what can be taken for a tumour: lesions of small vessels, bright cortex, vessels."""
    soft, cloud = space.edge_mm, clouds(rng, space, 20, octaves=2)
    picture = np.ones((4, *space.shape), dtype=np.float32) + np.float32(0.03) * cloud
    grey = np.broadcast_to(looks["grey"], picture.shape).copy()
    grey[0] *= 1 + np.float32(0.1) * cloud
    picture = paint(picture, brain.grey, grey)
    spots = clouds(rng, space, 10)
    deep = step(brain.surface - 14, 4) * step(brain.z + 8, 5)
    caps = rng.uniform(0.3, 1) * line(brain.ventricles + 1, 2.5) * (cloud > -0.3)
    lesions = np.maximum(step(spots - rng.uniform(1.6, 2.8), 0.3) * deep, caps)
    picture = paint(picture, lesions * (1 - brain.grey), looks["lesion"])
    picture = paint(picture, brain.fluid, looks["fluid"])
    tubes = line(np.hypot(brain.folds, spots), 0.2) * step(24 - brain.surface, 6) * np.float32(rng.uniform(0.4, 1))
    sinus = step(2 - np.abs(brain.x), soft) * line(brain.surface - 1, 2.5) * (brain.z > -10)
    plexus = 0.6 * step(brain.ventricles - 2, 1) * (spots > 0.7)
    return paint(picture, np.maximum(np.maximum(tubes, sinus), plexus), looks["vessel"])


def _grown(rng: np.random.Generator, space: Space, brain: Brain, glioma: Tumour, looks: dict[str, Array],
           picture: Array) -> tuple[Array, Array]:
    """The picture with the tumour, and the labels of where it was drawn."""
    mean, soft = float(np.mean(glioma.size)), space.edge_mm
    rough, fine = clouds(rng, space, 0.7 * mean + 3, octaves=2), clouds(rng, space, 8)
    core = blob(brain.x, brain.y, brain.z, glioma.centre, glioma.size) + np.float32(0.2 * mean) * rough
    core = np.minimum(core, brain.surface - 1.5)
    far = np.sign(glioma.centre[0]) * brain.midline  # on the tumour's side of the head
    oedema = core + np.float32(glioma.oedema_mm) * (1 + np.float32(0.4) * clouds(rng, space, 28)) + np.float32(2) * fine
    oedema = oedema - np.float32(0.5 * glioma.oedema_mm) * brain.grey + np.float32(0.6) * np.minimum(far, 0)  # it follows white matter
    oedema = np.minimum(np.maximum(np.minimum(oedema, -brain.ventricles), core), brain.surface - 1)
    dead = _dead(glioma, core, rough, fine)
    swollen = step(oedema, 2.5) * np.clip(rng.uniform(0.5, 1.0) + np.float32(0.15) * rough, 0.3, 1.2) * (1 - 0.6 * brain.fluid)
    picture = paint(picture, swollen, looks["oedema"])
    picture = paint(picture, step(core, soft) * rng.uniform(0.75, 1), looks["rim"] * (1 + np.float32(0.08) * rough))
    core_look = looks["core"] * np.array([rng.uniform(0.5, 1.1), 1, 1, 1], dtype=np.float32)[:, None, None, None]  # a cyst is dark on FLAIR
    picture = paint(picture, step(dead, soft) * 0.95, core_look * (1 + np.float32(0.1) * fine))
    labels = np.where(dead > 0, NECROTIC, np.where(core > 0, ENHANCING, np.where(oedema > 0, OEDEMA, 0)))
    return picture, labels.astype(np.uint8)


def _dead(glioma: Tumour, core: Array, rough: Array, fine: Array) -> Array:
    """The surface of what does not enhance within the core."""
    if glioma.enhancing == "none":
        return core
    if glioma.enhancing == "whole":
        return np.full_like(core, -100)
    dead: Array
    if glioma.enhancing == "patches":
        dead = np.minimum(core, 3 - np.float32(2.5) * rough)
    else:
        gaps = np.minimum(core, 2 * rough - np.float32(3.4))
        dead = np.maximum(core - np.float32(glioma.rim_mm) * (1 + np.float32(0.45) * fine), gaps)
    return dead


def _shell(rng: np.random.Generator, space: Space, brain: Brain, looks: dict[str, Array], picture: Array) -> Array:
    """The picture with what surrounds the brain: fluid, skull, scalp; below, flesh, eyes and air."""
    soft, scalp = space.edge_mm, tissue.head(brain)
    around = np.broadcast_to(looks["fat"], picture.shape) * (1 + np.float32(0.1) * clouds(rng, space, 12))
    around = paint(around, step(scalp - rng.uniform(4, 7), soft), looks["bone"])
    low = step(-22 - brain.z + np.float32(3) * clouds(rng, space, 20), 4) * step(scalp - 8, 3)
    around = paint(around, low, looks["flesh"] * np.clip(1 + np.float32(0.5) * clouds(rng, space, 14, octaves=2), 0.1, 2.5))
    for side in (-1, 1):
        orbit = step(blob(brain.x, brain.y, brain.z, (side * 32, 74, -32), (20, 24, 17)), soft)
        around = paint(around, orbit, looks["fat"] * np.float32(0.7))
        eye = step(blob(brain.x, brain.y, brain.z, (side * 32, 82, -32), (12, 12, 12)), soft)
        around = paint(around, eye, looks["fluid"] + np.float32(0.2))
    around = paint(around, step(blob(brain.x, brain.y, brain.z, (0, 80, -32), (11, 22, 18)), soft), 0.05)
    around = around * step(scalp, soft)
    around = paint(around, step(brain.surface + 3, soft), looks["fluid"])
    shown: Array = paint(around, step(brain.surface, soft), picture)
    return shown


def _scanned(rng: np.random.Generator, space: Space, machine: Scanner, picture: Array) -> Array:
    """What the scanner makes of it: contrast, uneven coil, noise of Rician distribution."""
    volumes: Array = np.maximum(picture, 0)
    for k in range(len(SEQUENCES)):
        shading = np.exp(np.float32(machine.uneven) * clouds(rng, space, 95))
        signal = volumes[k] ** machine.gamma[k] * shading
        real, imaginary = rng.standard_normal((2, *space.shape), dtype=np.float32) * np.float32(machine.noise)
        volumes[k] = np.hypot(signal + real, imaginary) * machine.gain[k] * np.float32(rng.uniform(0.85, 1.15))
    return volumes
