"""provenance.json: which software, machine, seed and data a run stands on."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def environment() -> dict[str, Any]:
    """Versions and hardware of this process."""
    return {"wardround": version("wardround"), "python": sys.version.split()[0], "torch": torch.__version__,
            "platform": platform.platform(), "cpu": cpu_name(), "cores": torch.multiprocessing.cpu_count(),
            "started": datetime.now(UTC).isoformat(timespec="seconds")}


def cpu_name() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
