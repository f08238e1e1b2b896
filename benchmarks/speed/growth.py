"""What a round costs as sites, images and parameters grow, one at a time: growth.json and growth.png.

    python benchmarks/speed/growth.py          # about four minutes on two free cores

28-pixel images drawn from a seed, FedAvg, fp32, two workers; the time is that of the second round, training and evaluation together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from watched import watched
from workloads import HERE, SEED, Arrays, Workload

from wardround.rng import stream

ROUNDS, NUM_VAL, SIZE = 2, 200, 28


@dataclass(frozen=True, kw_only=True)
class Point:
    """A federation. hidden: width of the CNN's linear layer, 128 is 0.42 M parameters."""

    sites: int = 10
    images: int = 1000
    hidden: int = 128

    @property
    def parameters(self) -> int:
        return 18_818 + 3139 * self.hidden


AXES: dict[str, tuple[Point, ...]] = {
    "sites": tuple(Point(sites=sites, images=10_000) for sites in (10, 100, 1000, 10_000)),
    "images": tuple(Point(images=images) for images in (1000, 10_000, 100_000)),
    "parameters": tuple(Point(images=320, hidden=hidden) for hidden in (128, 1000, 9000, 27_075)),
}
FREE = {"sites": "10,000 images, all sites take part", "images": "10 sites, 0.42 M parameters", "parameters": "10 sites of one step each"}


def child(point: Point, result: Path) -> None:
    """Run one federation in this process and write its figures."""
    from ours import blueprint_of, plan_of, run
    from stamps import write_result

    work = Workload(name="growth", title="", source="", model="cnn", num_sites=point.sites, images_per_site=point.images // point.sites,
                    rounds=ROUNDS, num_val=NUM_VAL, size=SIZE)
    plan = plan_of(work, precision="fp32", layout="contiguous")
    model = plan.model.model_validate({**plan.model.model_dump(), "hidden": point.hidden})
    blueprint = blueprint_of(work, drawn(work), plan.model_copy(update={"model": model}))
    _, last = run(blueprint)
    write_result(result, loop_end=time.time(), round_s=last.seconds)


def drawn(work: Workload) -> Arrays:
    """Noise with labels by chance: only the amount matters."""
    rng = stream(SEED, "growth")
    num_train = work.num_sites * work.images_per_site
    n = num_train + work.num_val
    names = [f"site-{index}" for index in range(work.num_sites)]
    return Arrays(images=rng.integers(0, 256, (n, 1, work.size, work.size), dtype=np.uint8), truth=rng.integers(0, 2, n),
                  train=dict(zip(names, np.arange(num_train).reshape(work.num_sites, -1), strict=True)),
                  val=dict(zip(names, np.array_split(np.arange(num_train, n), work.num_sites), strict=True)))


def measure(axes: dict[str, tuple[Point, ...]]) -> dict[str, list[dict[str, Any]]]:
    """{axis: [figures of a point]}."""
    found: dict[str, list[dict[str, Any]]] = {}
    for axis, points in axes.items():
        for point in points:
            call = [sys.executable, str(HERE / "growth.py"), "--point", json.dumps(vars(point))]
            facts = watched(call, samples_memory=True)
            record = {**vars(point), "parameters": point.parameters, **{key: facts[key] for key in ("round_s", "pss_mb", "wall_s")}}
            found.setdefault(axis, []).append(record)
            print(axis, record, flush=True)
    return found


def draw(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Time per round above, peak memory below, a column an axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import NullFormatter

    figure, axes = pyplot.subplots(2, len(found), figsize=(11, 5.6), layout="constrained", sharex="col", sharey="row", squeeze=False)
    for column, (axis, records) in enumerate(found.items()):
        for row, (key, label, colour) in enumerate((("round_s", "seconds a round", "#3b78b5"), ("pss_mb", "peak memory, MB", "#d1752b"))):
            panel, (x, y) = axes[row][column], ([record[name] for record in records] for name in (axis, key))
            panel.loglog(x, y, marker="o", color=colour)
            for across, up in zip(x, y, strict=True):
                panel.annotate(f"{up:.2f}" if up < 10 else f"{up:.0f}", (across, up), xytext=(0, 7), textcoords="offset points",
                               ha="center", fontsize=8)
            panel.margins(x=0.12, y=0.2)
            panel.yaxis.set_minor_formatter(NullFormatter())
            panel.grid(alpha=0.25)
            panel.spines[["top", "right"]].set_visible(False)
            if not column:
                panel.set_ylabel(label)
        axes[0][column].set_title(f"{axis}\n{FREE[axis]}", fontsize=10)
        axes[1][column].set_xlabel(axis)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--axes", nargs="+", choices=list(AXES), default=list(AXES))
    parser.add_argument("--point", help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.point:
        child(Point(**json.loads(given.point)), given.result)
        return
    path = given.out / "growth.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    found = {**kept, **measure({axis: AXES[axis] for axis in given.axes})}
    path.write_text(json.dumps(found, indent=1) + "\n")
    draw({axis: found[axis] for axis in AXES if axis in found}, given.out / "growth.png")


if __name__ == "__main__":
    main()
