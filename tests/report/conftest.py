"""Sample run and comparison folders: random but consistent predictions, judged by wardround.evaluation itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wardround.core.events import Event, RoundFinished, RunFinished, RunStarted
from wardround.core.predictions import Predictions
from wardround.data.catalogue import text_column
from wardround.evaluation import paired
from wardround.evaluation.operating_point import threshold
from wardround.evaluation.scores import confusion, mean_scores, per_site, published, test_scores
from wardround.plan.load import dump_plan
from wardround.plan.schema import Plan
from wardround.rng import stream
from wardround.runs.folder import write_json, write_predictions
from wardround.runs.journal import Journal

TUMOURS = ("glioma", "meningioma", "no tumour", "pituitary")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a sample study looks like. skill: how far the true class's logit stands out."""

    classes: tuple[str, ...] = TUMOURS
    sites: tuple[str, ...] = ("north", "south", "harbour")
    num_test: int = 240
    rounds: int = 12
    phantom: bool = False
    patients_known: bool = False
    leaking: int = 12
    without: tuple[str, ...] = ()
    resamples: int = 100
    small: Mapping[str, int] = field(default_factory=dict)  # training images of a site's first class

    @property
    def dataset(self) -> str:
        return "brain-tumour-mri" if len(self.classes) > 2 else "chest-xray"

    @property
    def plan(self) -> Plan:
        names = {"num": len(self.sites), "names": self.sites}
        is_missing = len(self.classes) > 2
        partition = {"partition": "missing-classes", "common": (self.classes[2],)} if is_missing else {"partition": "iid"}
        return Plan.model_validate({
            "name": "sample", "title": "Brain tumours, each hospital without some types" if is_missing else "Pneumonia on chest X-rays",
            "data": {"dataset": self.dataset, "folder": None if self.phantom else "/secret/place/images"},
            "sites": names | partition, "rounds": {"num": self.rounds, "metric": "balanced_accuracy" if is_missing else "auroc"},
            "augment": {"flip": True, "rotate_deg": 10}, "evaluation": {"resamples": self.resamples}})

    def predictions(self, *, skill: float, seed: int, blind: Sequence[int] = ()) -> Predictions:
        """Validation, test and leaking rows. blind: classes that the model never names."""
        rng = stream(7, "rows")  # the same rows for every model
        n = 2 * self.num_test + self.leaking
        truth = rng.integers(len(self.classes), size=n)
        groups = text_column([f"g{i}" for i in rng.integers(n // 2, size=n)])
        sites = text_column([self.sites[i] for i in rng.integers(len(self.sites), size=n)])
        splits = text_column(["val"] * self.num_test + ["test"] * self.num_test + ["test-leak"] * self.leaking)
        logits = stream(seed, "logits").normal(size=(n, len(self.classes)))
        logits[np.arange(n), truth] += skill + 3.0 * (splits == "test-leak")
        logits[:, list(blind)] -= 4.0
        odds = np.exp(logits)
        cases = text_column([hashlib.blake2b(bytes([i % 256, i // 256]), digest_size=6).hexdigest() for i in range(n)])
        return Predictions(classes=self.classes, cases=cases, groups=groups, sites=sites, splits=splits, truth=truth,
                           probabilities=odds / odds.sum(1, keepdims=True))

    def site_counts(self) -> dict[str, dict[str, dict[str, int]]]:
        counts = {}
        for i, site in enumerate(self.sites):
            own = (0, 3, 1)[i % 3]  # the one class besides the common one
            held = {name: 260 - 23 * j if j in (2, own) or len(self.classes) == 2 else 0 for j, name in enumerate(self.classes)}
            if site in self.small:
                held[self.classes[0]] = self.small[site]
            counts[site] = {"train": held, "val": {name: n // 7 for name, n in held.items()},
                            "test": {name: 20 + n // 5 for name, n in held.items()}}
        return counts

    def provenance(self) -> dict[str, Any]:
        sizes = {"train": 1040, "val": 148, "test": 297}
        data = {"name": self.dataset, "root_name": "images", "fingerprint": "9f31c0de",
                "images": 5963, "used": 5940, "skipped": 21, "failed": 2, "reasons": {"identical_copy": 21, "truncated": 2},
                "phantom": self.phantom, "licence": "CC0 (as stated at the source)",
                "citation": "Example et al. 2024, doi:10.1000/example", "site_counts": self.site_counts(), "groups": 4417,
                "class_counts": {split: dict.fromkeys(self.classes, size) for split, size in sizes.items()},
                "patients_known": self.patients_known,
                "leaks": {"patient": 0, "identical": 3, "near_duplicate": 9, "test_rows_dropped": self.leaking, "val_rows_dropped": 0}}
        return {"wardround": "0.1.0", "python": "3.11.7", "torch": "2.13.0+cpu", "platform": "Linux x86_64", "cpu": "example", "cores": 2,
                "started": "2026-11-21T04:00:00+00:00", "seed": 0, "data": data,
                "model": {"name": "cnn", "parameters": 390_000, "bytes": 1_560_000}}

    def events(self, arm: str) -> list[Event]:
        rng, made = stream(3, arm), list[Event]()
        made.append(RunStarted(arm=arm, num_rounds=self.rounds, num_sites=len(self.sites), num_train=4000, num_parameters=390_000,
                               phantom=self.phantom))
        for t in range(1, self.rounds + 1):
            level = 1 - np.exp(-4 * t / self.rounds)
            scores = {site: {"loss": 1.5 - level + 0.1 * i, "auroc": 0.5 + 0.45 * level - 0.02 * i, "accuracy": 0.9,
                             "balanced_accuracy": 0.25 + 0.65 * level - 0.04 * i + float(rng.normal(0, 0.02))}
                      for i, site in enumerate(self.sites)}
            mean = {name: float(np.mean([part[name] for part in scores.values()])) for name in ("loss", "auroc", "balanced_accuracy")}
            losses = {site: 1.4 - level + 0.05 * i for i, site in enumerate(self.sites)}
            made.append(RoundFinished(round=t, lr=0.05, train_loss=1.4 - level, train_loss_by_site=losses, val=mean, val_by_site=scores))
        made.append(RunFinished(rounds=self.rounds, best_round=max(1, self.rounds - 2), stopped_early=False, seconds=80.0,
                                without=self.without))
        return made

    def scores(self, arm: str, found: Predictions) -> dict[str, Any]:
        plan, cut = self.plan.evaluation, threshold(found)
        sites = per_site(found, threshold=cut, plan=plan, seed=0)
        for site, part in sites.items():
            part.update(num_train=sum(self.site_counts()[site]["train"].values()), num_val=40)
        return {"arm": arm, "task": "classification", "phantom": self.phantom, "rounds": self.rounds, "best_round": max(1, self.rounds - 2),
                "seconds": 312.0, "train_seconds": 280.0, "bytes_up": 480_000_000, "bytes_down": 490_000_000,
                "num_test": int((found.splits == "test").sum()), "threshold": cut,
                "metrics": test_scores(found, threshold=cut, plan=plan, seed=0),
                "published": published(found, threshold=cut, plan=plan, seed=0), "per_site": sites,
                "confusion": confusion(found, cut).tolist(), "classes": list(self.classes),
                "without": list(self.without) if arm == "federated" else []}

    def write_run(self, folder: Path, arm: str, found: Predictions) -> dict[str, Any]:
        """One run's folder with all its files; returns its scores."""
        (folder / "figures").mkdir(parents=True)
        (folder / "plan.toml").write_text(dump_plan(self.plan))
        write_json(folder / "provenance.json", self.provenance())
        scores = self.scores(arm, found)
        write_json(folder / "scores.json", scores)
        write_predictions(folder / "predictions.csv", found.take(found.splits == "test"))
        (folder / "ledger.csv").write_text("image,status,reason\na.png,used,\nb.png,skipped,identical_copy\n")
        journal = Journal(folder / "journal.jsonl")
        for event in self.events(arm):
            journal.write(event)
        journal.close()
        rng = stream(1, "errors")
        images = rng.integers(0, 255, (8, 1, 48, 48), dtype=np.uint8)
        np.savez(folder / "figures" / "errors.npz", images=images, truth=np.zeros(8, np.int64), predicted=np.ones(8, np.int64),
                 probability=np.linspace(0.99, 0.8, 8), site=np.array([self.sites[0]] * 8))
        return scores


@dataclass(frozen=True)
class Writer:
    """Writes sample folders below a folder."""

    root: Path

    def run(self, sample: Sample, *, name: str = "federated-seed0") -> Path:
        sample.write_run(self.root / name, "federated", sample.predictions(skill=3.0, seed=1))
        return self.root / name

    def comparison(self, sample: Sample, *, seeds: int = 1) -> Path:
        """Federated, pooled and local runs for each seed, and compare.json as `wardround compare` writes it."""
        runs: dict[str, list[list[str]]] = {"federated": [], "pooled": [], "local": []}
        arms: dict[str, list[dict[str, Any]]] = {"federated": [], "pooled": [], "local": []}
        models: dict[str, list[list[Predictions]]] = {"federated": [], "pooled": [], "local": []}
        for seed in range(seeds):
            for arm, skill in (("federated", 3.0), ("pooled", 3.3)):
                found = sample.predictions(skill=skill, seed=10 * seed + len(arm))
                arms[arm].append(sample.write_run(self.root / f"{arm}-seed{seed}", arm, found))
                runs[arm].append([f"{arm}-seed{seed}"])
                models[arm].append([found])
            local = [sample.predictions(skill=2.0, seed=10 * seed + i, blind=[i % len(sample.classes)]) for i in range(len(sample.sites))]
            names = [f"local-seed{seed}-{re.sub('[^a-z0-9]+', '-', site.lower())}" for site in sample.sites]
            written = [sample.write_run(self.root / name, "local", found) for name, found in zip(names, local, strict=True)]
            plan, cuts = sample.plan.evaluation, [threshold(found) for found in local]
            arms["local"].append(written[0] | {"metrics": mean_scores(local, thresholds=cuts, plan=plan, seed=0)})
            runs["local"].append(names)
            models["local"].append(local)
        cuts_of = {arm: [[threshold(found) for found in run] for run in by_seed] for arm, by_seed in models.items()}
        pairs = paired.compare(models, cuts_of, plan=sample.plan.evaluation, seed=0)
        compare = {"plan": "sample", "seeds": list(range(seeds)), "arms": arms, "paired": pairs, "runs": runs,
                   "primary": "auroc" if len(sample.classes) == 2 else "balanced_accuracy"}
        write_json(self.root / "compare.json", compare)
        return self.root


@pytest.fixture
def sample() -> type[Sample]:
    return Sample


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Writes sample folders below a temporary folder."""
    return Writer(tmp_path)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not rendered: for tests of a page's words."""
    monkeypatch.setattr("wardround.report.page.png", lambda drawing: b"png")


@pytest.fixture
def edit_json() -> Callable[[Path, Callable[[dict[str, Any]], None]], None]:
    """Change a JSON file by a function of its content."""
    def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
    return edit
