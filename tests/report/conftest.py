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
from wardround.core.predictions import Measured, Predictions, Results
from wardround.data.catalogue import ALL, NO_FINDING, text_column
from wardround.evaluation import paired
from wardround.evaluation.ensemble import averaged
from wardround.evaluation.operating_point import threshold
from wardround.evaluation.scores import confusion, mean_scores, per_site, published, test_scores
from wardround.evaluation.segmentation import measure_names, scored_regions
from wardround.plan.load import dump_plan
from wardround.plan.schema import Plan
from wardround.rng import stream
from wardround.runs.folder import write_json, write_predictions
from wardround.runs.journal import Journal

TUMOURS = ("glioma", "meningioma", "no tumour", "pituitary")
FINDINGS = ("Infiltration", "Effusion", "Pleural_Thickening", "Hernia")  # from frequent to absent
GLIOMA = ("background", "oedema", "enhancing tumour", "necrotic core")


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
    suspicion: Mapping[str, float] = field(default_factory=dict)  # in round 1; a hundredth more each round

    @property
    def task(self) -> str:
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def primary(self) -> str:
        return "auroc" if len(self.classes) == 2 else "balanced_accuracy"

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

    def held(self) -> dict[str, np.ndarray]:
        """Cases, groups, sites and splits of validation, test and leaking rows: the same for every model."""
        rng, n = stream(7, "held"), 2 * self.num_test + self.leaking
        return {"cases": text_column([hashlib.blake2b(bytes([i % 256, i // 256]), digest_size=6).hexdigest() for i in range(n)]),
                "groups": text_column([f"g{i}" for i in rng.integers(n // 2, size=n)]),
                "sites": text_column([self.sites[i] for i in rng.integers(len(self.sites), size=n)]),
                "splits": text_column(["val"] * self.num_test + ["test"] * self.num_test + ["test-leak"] * self.leaking)}

    def predictions(self, *, skill: float, seed: int, blind: Sequence[int] = ()) -> Results:
        """What a model makes of all rows. blind: classes that it never names."""
        held = self.held()
        n = len(held["cases"])
        truth = stream(7, "truth").integers(len(self.classes), size=n)
        logits = stream(seed, "logits").normal(size=(n, len(self.classes)))
        logits[np.arange(n), truth] += skill + 3.0 * (held["splits"] == "test-leak")
        logits[:, list(blind)] -= 4.0
        odds = np.exp(logits)
        return Predictions(classes=self.classes, truth=truth, probabilities=odds / odds.sum(1, keepdims=True), **held)

    def cut(self, found: Results) -> float | None:
        """The threshold of a model."""
        return threshold(found) if isinstance(found, Predictions) else None

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
        data = {"name": self.dataset, "fingerprint": "9f31c0de",
                "images": 5963, "used": 5940, "skipped": 21, "failed": 2, "reasons": {"identical_copy": 21, "truncated": 2},
                "phantom": self.phantom, "licence": "CC0 (as stated at the source)",
                "citation": "Example et al. 2024, doi:10.1000/example", "site_counts": self.site_counts(), "groups": 4417,
                "class_counts": {split: dict.fromkeys(self.site_counts()[self.sites[0]]["train"], size) for split, size in sizes.items()},
                "patients_known": self.patients_known,
                "leaks": {"patient": 0, "identical": 3, "near_duplicate": 9, "test_rows_dropped": self.leaking, "val_rows_dropped": 0}}
        return {"wardround": "0.1.0", "python": "3.11.7", "torch": "2.13.0+cpu", "platform": "Linux x86_64", "cpu": "example", "cores": 2,
                "started": "2026-11-21T04:00:00+00:00", "seed": 0, "data": data,
                "model": {"name": "cnn", "parameters": 390_000, "frozen": 0, "bytes": 1_560_000}}

    def events(self, arm: str) -> list[Event]:
        rng, made = stream(3, arm), list[Event]()
        made.append(RunStarted(arm=arm, num_rounds=self.rounds, num_sites=len(self.sites), num_train=4000, num_parameters=390_000,
                               phantom=self.phantom))
        for t in range(1, self.rounds + 1):
            level = 1 - np.exp(-4 * t / self.rounds)
            scores = {site: {"loss": 1.5 - level + 0.1 * i, "auroc": 0.5 + 0.45 * level - 0.02 * i, "accuracy": 0.9,
                             "dice": 0.8 * level - 0.02 * i,
                             "balanced_accuracy": 0.25 + 0.65 * level - 0.04 * i + float(rng.normal(0, 0.02))}
                      for i, site in enumerate(self.sites)}
            mean = {name: float(np.mean([part[name] for part in scores.values()]))
                    for name in ("loss", "auroc", "balanced_accuracy", "dice")}
            losses = {site: 1.4 - level + 0.05 * i for i, site in enumerate(self.sites)}
            made.append(RoundFinished(round=t, lr=0.05, train_loss=1.4 - level, train_loss_by_site=losses, val=mean, val_by_site=scores,
                                      suspicion={site: score + (t - 1) / 100 for site, score in self.suspicion.items()}))
        made.append(RunFinished(rounds=self.rounds, best_round=max(1, self.rounds - 2), stopped_early=False, seconds=80.0,
                                without=self.without))
        return made

    def scores(self, arm: str, found: Results) -> dict[str, Any]:
        plan, cut = self.plan.evaluation, self.cut(found)
        sites = per_site(found, threshold=cut, plan=plan, seed=0)
        for site, part in sites.items():
            part.update(num_train=sum(self.site_counts()[site]["train"].values()), num_val=40)
        is_one_class = self.task in ("binary", "multiclass")
        return {"arm": arm, "task": self.task, "phantom": self.phantom, "rounds": self.rounds, "best_round": max(1, self.rounds - 2),
                "seconds": 312.0, "train_seconds": 280.0, "bytes_up": 480_000_000, "bytes_down": 490_000_000,
                "num_test": int((found.splits == "test").sum()), "threshold": cut, "temperature": None, "uncalibrated": None,
                "metrics": test_scores(found, threshold=cut, plan=plan, seed=0),
                "published": published(found, threshold=cut, plan=plan, seed=0), "per_site": sites,
                "confusion": confusion(found, cut).tolist() if is_one_class else None, "regions": {}, "classes": list(self.classes),
                "without": list(self.without) if arm == "federated" else []}

    def write_run(self, folder: Path, arm: str, found: Results) -> dict[str, Any]:
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
        self.write_gallery(folder / "figures")
        return scores

    def write_gallery(self, figures: Path) -> None:
        images = stream(1, "errors").integers(0, 255, (8, 1, 48, 48), dtype=np.uint8)
        np.savez(figures / "errors.npz", images=images, truth=np.zeros(8, np.int64), predicted=np.ones(8, np.int64),
                 probability=np.linspace(0.99, 0.8, 8), site=np.array([self.sites[0]] * 8))


@dataclass(frozen=True, kw_only=True)
class FindingSample(Sample):
    """Several findings an image, from frequent to one that no test image has. Only a part of the network is exchanged."""

    classes: tuple[str, ...] = FINDINGS
    leaking: int = 0
    task = "multilabel"
    primary = "auroc"
    dataset = "nih-chestxray14"

    @property
    def plan(self) -> Plan:
        plan = super().plan
        return plan.model_copy(update={
            "title": "Findings on chest X-rays",
            "model": plan.model.model_copy(update={"name": "resnet34", "share": ("layer4.*", "fc.*")}),
            "recipe": plan.recipe.model_copy(update={"loss": "binary_cross_entropy", "class_weights": "balanced"}),
            "rounds": plan.rounds.model_copy(update={"metric": "auroc"}), "sites": plan.sites.model_copy(update={"partition": "iid"})})

    def predictions(self, *, skill: float, seed: int, blind: Sequence[int] = ()) -> Results:
        held, num = self.held(), len(self.classes)
        n = len(held["cases"])
        rates = np.append(np.geomspace(0.3, 0.03, num - 1), 0.0)
        truth = (stream(7, "truth").random((n, num)) < rates).astype(np.int64)
        logits = stream(seed, "logits").normal(size=(n, num)) + skill / 2 * truth + np.log(rates + 1e-3)
        return Predictions(classes=self.classes, truth=truth, probabilities=1 / (1 + np.exp(-logits)), **held)

    def cut(self, found: Results) -> float | None:
        return None

    def site_counts(self) -> dict[str, dict[str, dict[str, int]]]:
        counts = {}
        for i, site in enumerate(self.sites):
            train = {name: 300 // 4**j for j, name in enumerate(self.classes)} | {NO_FINDING: 700 - 100 * i, ALL: 1000 - 60 * i}
            counts[site] = {split: {name: n // parts for name, n in train.items()}
                            for split, parts in (("train", 1), ("val", 7), ("test", 5))}
        return counts

    def provenance(self) -> dict[str, Any]:
        model = {"name": "resnet34", "parameters": 13_115_000, "frozen": 8_180_000, "bytes": 52_460_000}
        return super().provenance() | {"model": model}

    def write_gallery(self, figures: Path) -> None:
        """None: no answer is simply wrong."""


@dataclass(frozen=True, kw_only=True)
class MaskSample(Sample):
    """Segmentations of gliomas in volumes, or with has_spacing off of one class in slices of unknown size."""

    classes: tuple[str, ...] = GLIOMA
    num_test: int = 40
    leaking: int = 0
    has_spacing: bool = True
    task = "segmentation"
    primary = "dice"
    dataset = "brats2020"

    @property
    def regions(self) -> dict[str, tuple[int, ...]]:
        return {"WT": (1, 2, 3), "TC": (2, 3), "ET": (2,)} if self.classes == GLIOMA else {}

    @property
    def plan(self) -> Plan:
        plan = super().plan
        volumes = {"dims": 3, "spacing_mm": 2.0} if self.has_spacing else {}
        return plan.model_copy(update={
            "title": "Gliomas on MRI", "data": plan.data.model_copy(update={"channels": 4, **volumes}),
            "rounds": plan.rounds.model_copy(update={"metric": "dice"}), "sites": plan.sites.model_copy(update={"partition": "iid"}),
            "recipe": plan.recipe.model_copy(update={"loss": "dice_cross_entropy"})})

    def predictions(self, *, skill: float, seed: int, blind: Sequence[int] = ()) -> Results:
        held, scored = self.held(), scored_regions(self.classes, self.regions)
        rng, n = stream(seed, "masks"), len(held["cases"])
        ease = stream(7, "ease").normal(size=(n, 1)) + rng.normal(0, 0.5, (n, len(scored))) - 0.3 * np.arange(len(scored))
        dice = 1 / (1 + np.exp(-(ease + skill - 1.2)))
        hd95 = 2 + 20 * (1 - dice)
        dice[:2, -1], hd95[:2, -1] = 0.0, np.nan  # an empty mask in validation, one in the test rows
        dice[-2:, -1], hd95[-2:, -1] = 0.0, np.nan
        volume = 40 * (1 - dice) if self.has_spacing else np.full(dice.shape, np.nan)
        headline = slice(0, 3 if self.regions else 1)
        values = {"dice": dice[:, headline].mean(1), "hd95": np.nanmean(hd95[:, headline], 1) if self.regions else hd95[:, 0]}
        for i, name in enumerate(scored):
            values |= {f"dice_{name}": dice[:, i], f"hd95_{name}": hd95[:, i], f"volume_error_{name}": volume[:, i]}
        names = measure_names(scored)
        return Measured(names=names, values=np.stack([values[name] for name in names], 1), **held)

    def site_counts(self) -> dict[str, dict[str, dict[str, int]]]:
        return {site: {"train": {"images": 60 - 10 * i}, "val": {"images": 8}, "test": {"images": 14}} for i, site in enumerate(self.sites)}

    def scores(self, arm: str, found: Results) -> dict[str, Any]:
        return super().scores(arm, found) | {"regions": {name: list(labels) for name, labels in self.regions.items()}}

    def write_gallery(self, figures: Path) -> None:
        """A round tumour in a round head, found by a shifted prediction."""
        z, y, x = np.mgrid[:12, :40, :40]
        head = ((y - 20) ** 2 + (x - 20) ** 2 < 300) * 1.0
        kept: dict[str, np.ndarray] = {"classes": np.array(self.classes)}
        for shift, kind in enumerate(("best", "median", "worst")):
            distance = [np.sqrt(4 * (z - 6) ** 2 + (y - 16) ** 2 + (x - 22 - 2 * off) ** 2) for off in (0, shift)]
            truth, predicted = [np.select([d < 3, d < 5, d < 8], [3, 2, 1], 0) % len(self.classes) for d in distance]
            image = (head + 0.5 * (distance[0] < 8)).astype(np.float16)
            kept |= {f"{kind}_image": image, f"{kind}_truth": truth.astype(np.uint8), f"{kind}_predicted": predicted.astype(np.uint8),
                     f"{kind}_dice": np.array(0.95 - 0.2 * shift)}
        np.savez(figures / "overlays.npz", allow_pickle=False, **kept)


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
        models: dict[str, list[list[Results]]] = {"federated": [], "pooled": [], "local": []}
        labelled = sample.task != "segmentation"
        if labelled:
            arms["ensemble"], models["ensemble"] = [], []
        for seed in range(seeds):
            for arm, skill in (("federated", 3.0), ("pooled", 3.3)):
                found = sample.predictions(skill=skill, seed=10 * seed + len(arm))
                arms[arm].append(sample.write_run(self.root / f"{arm}-seed{seed}", arm, found))
                runs[arm].append([f"{arm}-seed{seed}"])
                models[arm].append([found])
            local = [sample.predictions(skill=2.0, seed=10 * seed + i, blind=[i % len(sample.classes)]) for i in range(len(sample.sites))]
            names = [f"local-seed{seed}-{re.sub('[^a-z0-9]+', '-', site.lower())}" for site in sample.sites]
            written = [sample.write_run(self.root / name, "local", found) for name, found in zip(names, local, strict=True)]
            plan, cuts = sample.plan.evaluation, [sample.cut(found) for found in local]
            arms["local"].append(written[0] | {"metrics": mean_scores(local, thresholds=cuts, plan=plan, seed=0)})
            runs["local"].append(names)
            models["local"].append(local)
            if labelled:
                mean = averaged(local, [1.0] * len(local))
                arms["ensemble"].append(sample.scores("ensemble", mean) | {"best_round": None})
                models["ensemble"].append([mean])
        cuts_of = {arm: [[sample.cut(found) for found in run] for run in by_seed] for arm, by_seed in models.items()}
        pairs = paired.compare(models, cuts_of, plan=sample.plan.evaluation, seed=0)
        compare = {"plan": "sample", "seeds": list(range(seeds)), "arms": arms, "paired": pairs, "runs": runs,
                   "primary": sample.primary}
        write_json(self.root / "compare.json", compare)
        return self.root


@pytest.fixture
def sample() -> type[Sample]:
    return Sample


@pytest.fixture
def findings() -> type[FindingSample]:
    return FindingSample


@pytest.fixture
def masks() -> type[MaskSample]:
    return MaskSample


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
