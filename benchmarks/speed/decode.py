"""How near decoding into the cache comes to the least it could take, what a kill costs, and how long a second start takes.

    python benchmarks/speed/decode.py --data FOLDER --out decode.json     # about two minutes on two free cores

Every measurement is a process of its own with the files in the page cache; the three kinds take turns, and medians are over the turns.
limit: one process opens each file with Pillow, decodes it and turns it into the plan's mode, grey or RGB, and does nothing else.
limits: the same by one process a core at once, without their start: what the machine gives at that moment. ours: `open_cache` with
a worker a core from an empty cache, their start included. share_of_limit = limit / (cores x ours) is the issue's ratio;
share_of_cores = limits / ours; share_of_cpu = CPU time of limit / CPU time of all our processes, which a busy machine changes least.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image as pillow

from wardround.core.events import Event, Progress
from wardround.data.cache import INDEX, PIXELS, cores, open_cache
from wardround.data.catalogue import Catalogue
from wardround.data.datasets import DATASETS

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WARDROUND_DATA", HERE.parents[2] / "shared" / "data"))
SIZE = 64
LARGE = 968  # pixels, shorter side: the mean of Kermany's originals
NUM_LARGE = 384
REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A data set on disk. plan: the shipped plan whose whole `prepare` is timed, "" for none."""

    name: str
    dataset: str
    plan: str = ""


FOLDERS = (Folder(name="chest_xray", dataset="chest-xray", plan="chest-xray-pneumonia"),
           Folder(name="brain_tumor_mri", dataset="brain-tumour-mri", plan="brain-tumour-missing-types"),
           Folder(name="chest_xray_varsize", dataset="chest-xray"))
ENLARGED = Folder(name="chest_xray_enlarged", dataset="chest-xray")  # made from varsize, where originals are not at hand


def measure(data: Path, repeats: int = REPEATS) -> dict[str, Any]:
    """All figures of every folder that is there: {folder: {figure: value}}."""
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for folder in (*FOLDERS, ENLARGED):
            place = enlarge(data, Path(scratch)) if folder is ENLARGED else data / folder.name
            if place.is_dir():
                found[folder.name] = one_folder(folder, place, Path(scratch) / folder.name, repeats)
                print(line(folder.name, found[folder.name]), flush=True)
    return found


def one_folder(folder: Folder, place: Path, scratch: Path, repeats: int) -> dict[str, Any]:
    turns: dict[str, list[dict[str, float]]] = {"limit": [], "limits": [], "ours": []}
    for turn in range(repeats):
        for part, runs in turns.items():
            runs.append(apart(part, folder, place, scratch / f"{part}-{turn}"))
    limit, limits, ours = turns.values()
    num = len(DATASETS.find(folder.dataset).read(place))
    again = [apart("ours", folder, place, scratch / "ours-0") for _ in range(repeats)]
    return {
        "images": num, "cores": cores(), "limit_s": middle(limit, "wall_s"), "limits_s": middle(limits, "wall_s"),
        "ours_s": middle(ours, "wall_s"), "limit_us_per_image": 1e6 * middle(limit, "cpu_s") / num,
        "ours_us_per_image": 1e6 * middle(ours, "cpu_s") / num,
        "share_of_limit": median(one["wall_s"] / cores() / our["wall_s"] for one, our in zip(limit, ours, strict=True)),
        "share_of_cores": median(one["wall_s"] / our["wall_s"] for one, our in zip(limits, ours, strict=True)),
        "share_of_cpu": median(one["cpu_s"] / our["cpu_s"] for one, our in zip(limit, ours, strict=True)),
        "second_open_s": middle(again, "wall_s"), **killed(folder, place, scratch), **prepared(folder, place, scratch, repeats)}


def killed(folder: Folder, place: Path, scratch: Path) -> dict[str, Any]:
    """Kill a decode and all its processes half-way, go on, and compare with one that was left alone."""
    target = scratch / "killed"
    child = subprocess.Popen(call("ours", folder, place, target), stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    for text in child.stdout:
        done, _, total = text.partition(" of ")
        if total and 2 * int(done) >= int(total):
            break
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    resumed = apart("ours", folder, place, target)
    same = contents(target) == contents(scratch / "ours-0")
    return {"kept_at_kill": int(resumed["found"]), "resume_s": resumed["wall_s"], "same_after_kill": same}


def prepared(folder: Folder, place: Path, scratch: Path, repeats: int) -> dict[str, Any]:
    """Seconds of the shipped plan's prepare with a warm cache, imports not counted."""
    if not folder.plan:
        return {}
    apart("prepare", folder, place, scratch / "plan")
    return {"second_prepare_s": middle([apart("prepare", folder, place, scratch / "plan") for _ in range(repeats)], "wall_s")}


def contents(folder: Path) -> list[str]:
    """SHA-256 of the cache's files."""
    place = next((folder / "decoded").iterdir())
    return [hashlib.sha256((place / name).read_bytes()).hexdigest() for name in (PIXELS, INDEX)]


def enlarge(data: Path, scratch: Path) -> Path:
    """Pictures of varsize in the size of Kermany's originals, as JPEG of quality 90."""
    source, target = data / "chest_xray_varsize", scratch / "enlarged"
    names = sorted(source.glob("train/*/*.jp*g"))
    for path in names[:: max(1, len(names) // NUM_LARGE)]:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with pillow.open(path) as picture:
            scale = LARGE / min(picture.size)
            picture.resize((round(picture.width * scale), round(picture.height * scale))).save(copy, quality=90)
    return target


def middle(runs: list[dict[str, float]], figure: str) -> float:
    return median(run[figure] for run in runs)


# --- in processes of their own


def call(part: str, folder: Folder, place: Path, cache: Path) -> list[str]:
    return [sys.executable, __file__, "--part", part, folder.dataset, folder.plan, str(place), str(cache)]


def apart(part: str, folder: Folder, place: Path, cache: Path) -> dict[str, float]:
    """Run a part; the last line it prints is its result."""
    ended = subprocess.run(call(part, folder, place, cache), stdout=subprocess.PIPE, text=True, check=True)
    facts: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return facts


def run_part(part: str, dataset: str, plan: str, place: Path, cache: Path) -> dict[str, float]:
    if part == "prepare":
        return prepare_again(plan, place, cache)
    catalogue = DATASETS.find(dataset).read(place)
    paths = [f"{catalogue.root}/{image}" for image in catalogue.images]
    for path in paths:
        Path(path).read_bytes()  # into the page cache
    return ours(catalogue, cache) if part == "ours" else at_once(paths, 1 if part == "limit" else cores())


def ours(catalogue: Catalogue, cache: Path) -> dict[str, float]:
    seen: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, Progress):
            seen.append(event.done)
            print(f"{event.done} of {event.total}", flush=True)

    start, before = time.perf_counter(), cpu()
    open_cache(catalogue, size=SIZE, channels=1, workers=cores(), folder=cache, watch=watch)
    return {"wall_s": time.perf_counter() - start, "cpu_s": cpu() - before, "found": seen[0] if seen else len(catalogue)}


def at_once(paths: list[str], num: int) -> dict[str, float]:
    """Decode in num processes that begin together; their start is not counted."""
    if num == 1:
        start, before = time.perf_counter(), cpu()
        decode(paths)
        return {"wall_s": time.perf_counter() - start, "cpu_s": cpu() - before}
    context = get_context("spawn")
    ready, over = context.Barrier(num + 1), context.Barrier(num + 1)
    processes = [context.Process(target=decode_with_others, args=(paths[i::num], ready, over)) for i in range(num)]
    for process in processes:
        process.start()
    ready.wait()
    start = time.perf_counter()
    over.wait()
    seconds = time.perf_counter() - start
    for process in processes:
        process.join()
    return {"wall_s": seconds}


def decode_with_others(paths: list[str], ready: Barrier, over: Barrier) -> None:
    pillow.preinit()
    ready.wait()
    decode(paths)
    over.wait()


def decode(paths: list[str]) -> None:
    """The least that a cache of grey images can do."""
    for path in paths:
        with pillow.open(path, formats=("JPEG",)) as file:
            if file.mode == "L":
                file.load()
            else:
                file.convert("L")


def prepare_again(plan: str, place: Path, cache: Path) -> dict[str, float]:
    os.environ["WARDROUND_CACHE"] = str(cache)
    from wardround.data.prepare import prepare
    from wardround.plan.load import load_plan

    chosen = load_plan(plan, [f"data.folder={place}"])
    start = time.perf_counter()
    prepare(chosen)
    return {"wall_s": time.perf_counter() - start}


def cpu() -> float:
    """CPU seconds of this process and of those it started that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def line(name: str, found: dict[str, Any]) -> str:
    prepare = f", prepare again {found['second_prepare_s']:.2f} s" if "second_prepare_s" in found else ""
    return (f"{name}: {found['images']} images, limit {found['limit_s']:.2f} s on one core, {found['limits_s']:.2f} s on "
            f"{found['cores']}; ours {found['ours_s']:.2f} s = {found['share_of_limit']:.2f} of {found['cores']} x limit, "
            f"{found['share_of_cores']:.2f} of all cores at once, {found['share_of_cpu']:.2f} in CPU time "
            f"({found['limit_us_per_image']:.0f} / {found['ours_us_per_image']:.0f} us an image); killed at {found['kept_at_kill']}, "
            f"went on in {found['resume_s']:.2f} s, same bytes: {found['same_after_kill']}; opened again in "
            f"{found['second_open_s']:.3f} s{prepare}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--part", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        part, dataset, plan, place, cache = given.part
        print(json.dumps(run_part(part, dataset, plan, Path(place), Path(cache))))
        return
    found = measure(given.data, given.repeats)
    if given.out:
        given.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
