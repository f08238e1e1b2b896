"""What every variant computes: the images, who holds them, and the settings of training. Needs NumPy only.

Where a data set at hand has fewer images than a workload asks for, images are taken again: the work stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wardround.places import cache_root
from wardround.rng import stream

SEED = 0
LR, MOMENTUM = 0.05, 0.9
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Settings of one workload. fraction: share of the sites that take part in a round. source: whose images; "" draws them.

    mask_slices: 0 for labelled images; else images have masks, and this many consecutive ones are a patient in evaluation.
    """

    name: str
    title: str
    source: str
    model: str
    num_sites: int
    images_per_site: int
    rounds: int
    num_val: int
    size: int
    fraction: float = 1.0
    channels: int = 1
    num_classes: int = 2
    batch_size: int = 32
    mask_slices: int = 0

    def quick(self) -> Workload:
        """The same kind of work, as little of it as still has two rounds and two processes."""
        return replace(self, num_sites=min(self.num_sites, 20), images_per_site=min(self.images_per_site, 40), rounds=2,
                       fraction=max(self.fraction, 0.2), num_val=min(self.num_val, 64))


WORKLOADS = {work.name: work for work in (
    Workload(name="w1", title="PneumoniaMNIST, 10 sites x 388, 10 rounds, CNN 0.42 M", source="pneumoniamnist", model="cnn",
             num_sites=10, images_per_site=388, rounds=10, num_val=524, size=28),
    Workload(name="w2", title="Kermany chest X-rays 64 px, 10 sites x 200, 2 rounds, ResNet-18", source="chest_xray", model="resnet18",
             num_sites=10, images_per_site=200, rounds=2, num_val=422, size=64),
    Workload(name="w3", title="PneumoniaMNIST, 1000 sites x 4, 50 a round, 20 rounds, CNN 0.42 M", source="pneumoniamnist", model="cnn",
             num_sites=1000, images_per_site=4, rounds=20, num_val=524, size=28, fraction=0.05),
    Workload(name="unet", title="synthetic slices 4 x 128 x 128, 4 sites x 64, 2 rounds, U-Net", source="", model="unet",
             num_sites=4, images_per_site=64, rounds=2, num_val=64, size=128, channels=4, num_classes=4, batch_size=16, mask_slices=16),
    Workload(name="toy", title="drawn images 16 px, 5 sites x 40, 2 rounds: a check of the yardstick", source="", model="cnn",
             num_sites=5, images_per_site=40, rounds=2, num_val=17, size=16),
)}
MAIN = ("w1", "w2", "w3", "unet")


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrays:
    """images: (n, C, H, W) uint8. truth: (n,) int64 labels or (n, H, W) uint8 masks. train, val: sorted rows of each site."""

    images: np.ndarray
    truth: np.ndarray
    train: dict[str, np.ndarray]
    val: dict[str, np.ndarray]


def cohort(work: Workload, names: list[str], t: int) -> list[str]:
    """The sites of round t, as `wardround.rounds.cohort` draws them."""
    num = max(1, int(np.ceil(work.fraction * len(names) - 1e-9)))
    chosen = set(stream(SEED, "cohort", t).choice(len(names), size=num, replace=False).tolist())
    return [name for index, name in enumerate(names) if index in chosen]


def batches(work: Workload, name: str, rows: np.ndarray, t: int) -> list[np.ndarray]:
    """A site's batches in round t: each image once, sizes differ by at most one; the same as `wardround.sites.site` draws."""
    order = stream(SEED, "batches", name, t - 1).permutation(rows)
    return np.array_split(order, -(-len(rows) // work.batch_size))


def load(work: Workload, data: Path) -> Arrays:
    """Read the arrays and deal the rows out. data: the folder of the real data sets; `prepare` must have run for it."""
    images, truth, num_train = _published(data) if work.source == "pneumoniamnist" else _stored(work)
    names = [f"site-{index + 1:0{len(str(work.num_sites))}}" for index in range(work.num_sites)]
    order = stream(SEED, "deal").permutation(num_train)
    total = work.num_sites * work.images_per_site
    train = np.resize(order, total).reshape(work.num_sites, work.images_per_site)
    val = np.resize(np.arange(num_train, len(images)), work.num_val)
    shares = np.array_split(val, work.num_sites)
    if work.mask_slices:
        shares = np.array_split(val.reshape(-1, work.mask_slices), work.num_sites)
    return Arrays(images=images, truth=truth, train={name: np.sort(rows) for name, rows in zip(names, train, strict=True)},
                  val={name: rows.reshape(-1) for name, rows in zip(names, shares, strict=True)})


def prepare(work: Workload, data: Path) -> None:
    """Decode or draw a workload's images into a .npy file, once."""
    folder = _folder(work)
    if work.source == "pneumoniamnist" or (folder / "images.npy").exists():
        return
    images, truth, num_train = _decoded(work, data) if work.source else _drawn(work)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "truth.npy", truth)
    np.save(folder / "num_train.npy", num_train)
    np.save(folder / "images.npy", images)  # last: its presence says that all are there


def _folder(work: Workload) -> Path:
    counted = work.source or f"drawn-{work.num_sites * work.images_per_site}-{work.num_val}"
    return cache_root() / "bench-speed" / f"{counted}-{work.channels}x{work.size}-{work.num_classes}-{work.mask_slices}"


def _stored(work: Workload) -> tuple[np.ndarray, np.ndarray, int]:
    folder = _folder(work)
    return np.load(folder / "images.npy"), np.load(folder / "truth.npy"), int(np.load(folder / "num_train.npy"))


def _published(data: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """PneumoniaMNIST's training and validation images."""
    with np.load(next((data / "pneumoniamnist").glob("*.npz"))) as file:
        images = np.concatenate([file["train_images"], file["val_images"]])[:, None]
        truth = np.concatenate([file["train_labels"], file["val_labels"]])[:, 0].astype(np.int64)
        return images, truth, len(file["train_labels"])


def _decoded(work: Workload, data: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Kermany's folders train and val, grey, resized."""
    from PIL import Image

    images, truth, counts = [], [], []
    for split in ("train", "val"):
        files = [(path, label) for label, kind in enumerate(("NORMAL", "PNEUMONIA"))
                 for path in sorted((data / work.source / split / kind).glob("*.jp*g"))]
        for path, label in files:
            with Image.open(path) as image:
                images.append(np.asarray(image.convert("L").resize((work.size, work.size), Image.Resampling.BILINEAR)))
            truth.append(label)
        counts.append(len(files))
    return np.stack(images)[:, None], np.array(truth, np.int64), counts[0]


def _drawn(work: Workload) -> tuple[np.ndarray, np.ndarray, int]:
    """Seeded images in which the class can be seen: a bright square whose place is the label, or discs whose class is the mask."""
    rng = stream(SEED, "drawn", work.size)
    num_train = work.num_sites * work.images_per_site
    n = num_train + work.num_val
    images = rng.integers(0, 120, (n, work.channels, work.size, work.size), dtype=np.uint8)
    draw: Callable[[np.random.Generator, np.ndarray, int], np.ndarray] = _discs if work.mask_slices else _squares
    return images, draw(rng, images, work.num_classes), num_train


def _squares(rng: np.random.Generator, images: np.ndarray, num_classes: int) -> np.ndarray:
    labels = rng.integers(0, num_classes, len(images))
    side = images.shape[-1] // num_classes
    for image, label in zip(images, labels, strict=True):
        image[:, label * side : (label + 1) * side, :side] += 90
    return labels.astype(np.int64)


def _discs(rng: np.random.Generator, images: np.ndarray, num_classes: int) -> np.ndarray:
    size = images.shape[-1]
    down, right = np.mgrid[:size, :size]
    masks = np.zeros((len(images), size, size), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        y, x = rng.integers(size // 4, 3 * size // 4, 2)
        for label in range(1, num_classes):
            inside = (down - y) ** 2 + (right - x) ** 2 <= (size // 4 * (num_classes - label) // (num_classes - 1)) ** 2
            mask[inside] = label
            image[(label - 1) % len(image)][inside] += 40
    return masks
