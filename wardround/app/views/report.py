"""Reports that lie in a folder, and those that can be written: of a run, of a comparison and of the runs in it."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from wardround.core.events import Progress, Watch, silent
from wardround.errors import WardroundError

PAGE = "report.html"


@dataclass(frozen=True)
class Written:
    """A report that there is, or that can be written. label: of what; stamp: when it was written, 0 if it was not yet."""

    folder: Path
    label: str
    stamp: int

    @property
    def html(self) -> Path:
        return self.folder / PAGE


@dataclass(frozen=True)
class Reports:
    """What a folder holds. problem: why there is no report of the folder itself and what to do, "" if there is or can be one."""

    written: tuple[Written, ...]
    problem: str = ""


def reports(folder: Path) -> Reports:
    """The reports of a folder, its own first. WardroundError if no training began there."""
    from wardround.app.views.results_read import unfinished

    waiting = unfinished(folder)
    own = [] if waiting is not None else [folder]
    runs = [path.parent for path in sorted(folder.glob("*/scores.json"))]
    problem = "" if waiting is None else f"{waiting.text} Its report is written at its end. Continue it: {waiting.command}"
    return Reports(written=tuple(_written(path, folder) for path in (*own, *runs)), problem=problem)


def write_again(folder: Path, *, watch: Watch = silent) -> Written:
    """Write report.html anew; the old one stays until the new one is whole."""
    from wardround.report.html import write_compare_report, write_run_report

    watch(Progress(stage="report", done=0, total=1))
    write = write_compare_report if (folder / "compare.json").exists() else write_run_report
    write(folder)
    watch(Progress(stage="report", done=1, total=1))
    return _written(folder, folder)


def copy(html: Path, target: Path) -> Path:
    """Copy a report, which is whole in its one file; WardroundError if that fails, what was there is then as it was."""
    part = target.with_name(target.name + ".part")
    try:
        shutil.copyfile(html, part)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WardroundError(f"{target} was not written: {error.strerror}. Choose another folder.") from error
    return target


def command(folder: Path) -> str:
    return shlex.join(["wardround", "report", str(folder)])


def file_name(folder: Path, ending: str) -> str:
    """What an exported report is called unless somebody says otherwise, e.g. "demo-federated-seed0.pdf"."""
    return f"{folder.parent.name}-{folder.name}.{ending}" if (folder / "scores.json").exists() else f"{folder.name}.{ending}"


def _written(folder: Path, opened: Path) -> Written:
    html = folder / PAGE
    is_whole = folder == opened and (folder / "compare.json").exists()
    return Written(folder=folder, label=f"{folder.name} (comparison)" if is_whole else folder.name,
                   stamp=html.stat().st_mtime_ns if html.exists() else 0)
