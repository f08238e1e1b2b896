"""What the pages share: the plan being edited, the run being looked at, the jobs, the second process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from wardround.app.aside import Aside
from wardround.app.runner import Job, Jobs
from wardround.app.settings import Settings
from wardround.app.views.draft import Draft
from wardround.errors import PlanError

ARMS = ("federated", "pooled", "local")
DEMO = "demo"


class Desk(QObject):
    """Pages read it, change it by its methods, and hear of changes by its signals."""

    draft_changed = Signal()
    run_changed = Signal()
    jobs_changed = Signal()
    asked_for = Signal(str)  # a page's key

    def __init__(self, settings: Settings, *, aside: Aside | None = None, slow: Aside | None = None, parent: QObject | None = None) -> None:
        """aside: answers what is short, slow: what takes long (decoding, predicting); started when they are first asked."""
        super().__init__(parent)
        self.settings = settings
        self.aside, self.slow = aside or Aside(self), slow or Aside(self)
        self.draft = Draft()
        self.run: Path | None = None
        self.jobs = Jobs(self.runs, self)
        self.jobs.changed.connect(self.jobs_changed)

    @property
    def workspace(self) -> Path:
        return self.settings.workspace

    @property
    def runs(self) -> Path:
        return self.workspace / "runs"

    def open_plan(self, source: Path | str) -> None:
        """Edit a plan file, or a shipped plan; PlanError if it is neither."""
        self._edit(Draft.of(source))

    def set_text(self, text: str) -> None:
        """Edit the plan's text."""
        self._edit(self.draft.with_text(text))

    def set_key(self, key: str, value: Any) -> None:
        """Edit one key of the plan, e.g. "sites.alpha"; None takes it out."""
        self._edit(self.draft.with_key(key, value))

    def save_plan(self) -> Path:
        """Save the plan as NAME.toml in the workspace, and return the file; PlanError if there is something wrong with it.

        Where runs of another plan of that name lie, the plan gets the next free name: results are never mixed."""
        if self.draft.plan is None:
            raise PlanError(f"the plan cannot be saved: {self.draft.problem}")
        name, number = self.draft.name, 2
        while self._is_taken(name):
            name, number = f"{self.draft.name}-{number}", number + 1
        if name != self.draft.name:
            self.set_key("name", name)
        path = self._file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.draft.text, encoding="utf-8")
        return path

    def open_run(self, folder: Path) -> None:
        """Look at a run or a comparison."""
        self.settings.remember(folder)
        self.run = folder
        self.run_changed.emit()

    def go(self, key: str) -> None:
        """Ask for a page."""
        self.asked_for.emit(key)

    def recent(self) -> list[Path]:
        """Runs and comparisons that were opened or made, newest first."""
        made = [job.results for job in self.jobs.all() if job.results.is_dir()]
        return list(dict.fromkeys([*self.settings.recent, *made]))

    def train(self, kind: Literal["run", "compare"], *, arm: str = "federated", site: str | None = None, arms: Sequence[str] = ARMS,
              seeds: int = 1) -> Job:
        """Save the plan and start its command as a job."""
        plan = self.save_plan()
        name = self.draft.name
        if kind == "compare":
            argv = ["compare", str(plan), "--arms", ",".join(arms), *(["--seeds", str(seeds)] if seeds > 1 else [])]
            return self._start(argv, name, self.runs / name)
        of = f"{arm}-seed{self.draft.value('seed')}" + (f"-{site}" if site else "")
        return self._start(["run", str(plan), "--arm", arm, *(["--site", site] if site else [])], f"{name}: {of}", self.runs / name / of)

    def demo(self, data: Path | None = None) -> Job:
        """Start the demo; data: a folder of the real brain-tumour images, else phantoms."""
        return self._start([DEMO, *(["--data", str(data)] if data else [])], DEMO, self.runs / DEMO)

    def close(self) -> None:
        """End the second processes; jobs go on."""
        self.aside.close()
        self.slow.close()

    def _start(self, argv: Sequence[str], title: str, results: Path) -> Job:
        self.runs.mkdir(parents=True, exist_ok=True)
        job = self.jobs.start([*argv, "--out", str(self.runs)], title, results)
        self.settings.remember(results)
        return job

    def _edit(self, draft: Draft) -> None:
        if draft != self.draft:
            self.draft = draft
            self.draft_changed.emit()

    def _file(self, name: str) -> Path:
        return self.workspace / f"{name}.toml"

    def _is_taken(self, name: str) -> bool:
        """Whether results of another plan lie under this name."""
        if not (self.runs / name).exists():
            return False
        path = self._file(name)
        return not path.exists() or Draft(path=path).with_text(path.read_text(encoding="utf-8")).plan != self.draft.plan
