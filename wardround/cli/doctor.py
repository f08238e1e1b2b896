"""What this machine offers, and which strategies there are: doctor, strategies list."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wardround.cli.options import examples

if TYPE_CHECKING:
    from torch import nn

app = typer.Typer()
strategies = typer.Typer(help="Federated algorithms.", no_args_is_help=True)

GIB = 1024**3
PACKAGES = ("wardround", "torch", "monai", "numpy", "pydantic", "pillow", "nibabel", "pydicom")


@app.command(epilog=examples("wardround doctor"))
def doctor() -> None:
    """Show versions, cores, memory, disk and cache, and which precision trains faster here."""
    from wardround.cli import console

    console.pairs(versions() | machine())
    fp32_ms, bf16_ms = step_ms("fp32"), step_ms("bf16")
    console.pairs({"training step, fp32": f"{fp32_ms:.1f} ms", "training step, bf16": f"{bf16_ms:.1f} ms"})
    faster = "bf16" if bf16_ms < fp32_ms else "fp32"
    ratio = max(fp32_ms, bf16_ms) / min(fp32_ms, bf16_ms)
    console.say(f"{faster} is {ratio:.1f} times as fast (small network, one thread). Choose it with --set engine.precision={faster}")


@strategies.command("list", epilog=examples("wardround strategies list"))
def list_strategies() -> None:
    """List the strategies that a plan can name, with the paper of each."""
    from wardround.cli import console
    from wardround.strategies import STRATEGIES

    console.pairs({name: first_line(STRATEGIES.find(name)) for name in STRATEGIES.known()})


def first_line(documented: object) -> str:
    """The first line of a docstring, "" if there is none."""
    lines = (documented.__doc__ or "").strip().splitlines()
    return lines[0] if lines else ""


def versions() -> dict[str, str]:
    """Version of Python and of each package that results may depend on; "not installed" where it is missing."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Cores, memory, disk, cache folder, torch threads, GPU."""
    import torch

    from wardround.data.cache import cores
    from wardround.places import cache_root

    cache = cache_root()
    disk = shutil.disk_usage(existing(cache))
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(cores()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.1f} GiB" if hasattr(os, "sysconf") else "unknown",
        "cache folder": str(cache),
        "free disk there": f"{disk.free / GIB:.1f} of {disk.total / GIB:.1f} GiB",
        "torch threads": str(torch.get_num_threads()),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def step_ms(precision: str, *, steps: int = 8) -> float:
    """Milliseconds of a training step of a small convolutional network on one thread: 32 grey images of 64 x 64, best of `steps`."""
    import torch

    from wardround.rng import global_torch_stream, torch_stream

    with global_torch_stream("doctor"):
        model = _small_network()
    images = torch.rand(32, 1, 64, 64, generator=torch_stream("doctor", "images"))
    labels = torch.arange(32) % 4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        step()  # the first step also chooses kernels
        return 1000 * min(_seconds(step) for _ in range(steps))
    finally:
        torch.set_num_threads(threads)


def _small_network() -> nn.Module:
    from torch import nn

    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.GroupNorm(8, 32), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 3, padding=1), nn.GroupNorm(8, 64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(64, 4))


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
