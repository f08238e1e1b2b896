"""A study whose test and validation results are made up, not trained: what the sites summarise, and what all rows together come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wardround.build import ArmBlueprint, initial_params
from wardround.core.exchange import SiteReport
from wardround.core.predictions import Results
from wardround.core.state import State
from wardround.core.tally import ClassTally, DiceTally, FindingTally, Tally
from wardround.data.catalogue import Catalogue, text_column
from wardround.data.ledger import Ledger
from wardround.data.prepare import Prepared
from wardround.data.split import LeakReport
from wardround.evaluation import scores as judging
from wardround.evaluation.segmentation import measure_names, scored_regions
from wardround.evaluation.temperature import TEMPERATURES, loss_sums
from wardround.network import results
from wardround.network.messages import Ready, SiteSummary
from wardround.network.summary import summarise
from wardround.plan.schema import ModelPlan
from wardround.rng import stream
from wardround.rounds.course import Course
from wardround.session import outcome
from wardround.testing import toy_blueprint

CLASSES = ("no tumour", "glioma", "meningioma", "pituitary")
REGIONS = {"WT": (1, 2), "TC": (2,)}


@dataclass(frozen=True, kw_only=True)
class Study:
    """tests: test rows of each site; as many are validation rows, twice as many training rows. task: as of a catalogue. skill: how far
    the true class's logit stands out. shares: how frequent each class is. rows_each: rows of a patient. resamples: of intervals."""

    tests: Mapping[str, int]
    task: str = "multiclass"
    skill: float = 2.0
    shares: Sequence[float] = (0.3, 0.3, 0.2, 0.2)
    rows_each: int = 1
    resamples: int = 500
    leaking: int = 0  # test rows of every site that leak into training
    counts_told: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the plan's evaluation section
    temperature: float | None = 1.6
    missing: Mapping[str, str] = field(default_factory=dict)
    course: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES[: len(self.shares)]

    @property
    def threshold(self) -> float | None:
        return 0.4 if self.task == "binary" else None

    @cached_property
    def blueprint(self) -> ArmBlueprint:
        toy = toy_blueprint(num_sites=2)
        plan = toy.plan.model_copy(update={
            "name": "clinics", "title": "Tumours at some clinics", "rounds": toy.plan.rounds.model_copy(update={"metric": self.headline}),
            "sites": toy.plan.sites.model_copy(update={"num": len(self.tests), "names": tuple(self.tests), "partition": "folders"}),
            "evaluation": toy.plan.evaluation.model_copy(update={"resamples": self.resamples, **self.settings})})
        if self.task == "segmentation":
            plan = plan.model_copy(update={"model": ModelPlan(name="unet", width=4, depth=2)})
        regions = REGIONS if self.task == "segmentation" else {}
        return replace(toy, plan=plan, task=self.task, classes=self.classes, regions=regions)

    @property
    def headline(self) -> str:
        return {"segmentation": "dice", "multilabel": "auroc"}.get(self.task, "balanced_accuracy")

    @cached_property
    def rows(self) -> list[tuple[str, str]]:
        """(site, split) of every row."""
        parts = {"train": 2, "val": 1, "test": 1}
        made = [(site, split) for site, num in self.tests.items() for split, times in parts.items() for _ in range(times * num)]
        return made + [(site, "test-leak") for site in self.tests for _ in range(self.leaking)]

    @cached_property
    def labels(self) -> np.ndarray:
        rng, num = stream(5, "labels"), len(self.rows)
        if self.task == "multilabel":
            return (rng.random((num, len(self.shares))) < self.shares).astype(np.int64)
        return np.zeros(num, np.int64) if self.task == "segmentation" else rng.choice(len(self.shares), num, p=self.shares)

    @cached_property
    def values(self) -> np.ndarray:
        """What the model makes of each row: probabilities before the temperature, or measures of a patient."""
        rng, num = stream(5, "model"), len(self.rows)
        if self.task == "segmentation":
            found = rng.random((num, len(measure_names(scored_regions(self.classes, REGIONS)))))
            found[rng.random(found.shape) < 0.1] = np.nan
            found[:, [name.startswith("dice") for name in measure_names(scored_regions(self.classes, REGIONS))]] = rng.random((num, 5))
            return found
        noise = rng.normal(size=(num, len(self.shares)))
        if self.task == "multilabel":
            return 1 / (1 + np.exp(-(noise + self.skill * (self.labels - 0.5))))
        odds = np.exp(1.5 * (noise + self.skill * np.eye(len(self.shares))[self.labels]))
        return odds / odds.sum(1, keepdims=True)

    @cached_property
    def prepared(self) -> Prepared:
        num, nothing = len(self.rows), text_column([""] * len(self.rows))
        images = text_column([f"Smith_John_{row:04}.png" for row in range(num)])
        is_masks = self.task == "segmentation"
        catalogue = Catalogue(name="toy", root=Path("toy"), classes=self.classes, images=images, labels=self.labels, patients=images,
                              splits=nothing, phantom=True, masks=images if is_masks else None, regions=self.blueprint.regions)
        return Prepared(catalogue=catalogue, pixels=np.zeros((num, 1, 1, 1), np.uint8), groups=np.arange(num) // self.rows_each,
                        split=text_column([split for _, split in self.rows]), homes=text_column([site for site, _ in self.rows]),
                        site_names=tuple(self.tests), leaks=LeakReport(test={}, val={}, examples={}), fingerprint="toy",
                        ledger=Ledger.of(images, failed=nothing, detail=nothing, skipped=nothing))

    def report(self, site: str, *splits: str) -> SiteReport:
        """With details, as the site's own process has it."""
        rows = np.flatnonzero([home == site and split in splits for home, split in self.rows])
        return SiteReport(site=site, tally=self.tally(rows), rows=rows, values=self.values[rows],
                          loss_sums=None if self.task == "segmentation" else
                          loss_sums(self.values[rows], self.labels[rows], [len(rows)], TEMPERATURES)[0])

    def tally(self, rows: np.ndarray) -> Tally:
        if self.task == "segmentation":
            return DiceTally(loss_sum=1.0, num_examples=len(rows), names=("WT", "TC"), dice_sum=np.zeros(2))
        kind = FindingTally if self.task == "multilabel" else ClassTally
        return kind.of(self.values[rows], self.labels[rows], np.zeros(len(rows)))

    def summary(self, site: str) -> SiteSummary:
        return summarise(self.blueprint, self.prepared, site, self.report(site, "test", "test-leak"),
                         temperature=None if self.task == "segmentation" else self.temperature, threshold=self.threshold)

    @cached_property
    def summaries(self) -> list[SiteSummary]:
        return [self.summary(site) for site in self.tests if site not in self.missing]

    @cached_property
    def ready(self) -> dict[str, Ready]:
        counts = {site: self.prepared.catalogue.counts(self.prepared.rows(site, "train")) for site in self.tests}
        return {site: Ready(site=site, num_train=2 * num, num_val=num, num_test=num, task=self.task, classes=self.classes,
                            regions=self.blueprint.regions, phantom=True, fingerprint=f"of {site}", version="0.1.0", device="cpu",
                            threads=1, counts=counts[site] if self.counts_told else None) for site, num in self.tests.items()}

    @cached_property
    def state(self) -> Course:
        params = initial_params(self.blueprint)
        return Course(state=State(round=5, params=params, num_sites=len(self.tests)), best=params, best_round=4, seconds=61.5,
                      train_seconds=50.0, bytes_up=1000, bytes_down=2000, **self.course)

    def scores(self, **changes: Any) -> dict[str, Any]:
        """scores.json of the study."""
        given = {"temperature": None if self.task == "segmentation" else self.temperature, "threshold": self.threshold,
                 "missing": self.missing, "ready": self.ready, "locals": {}} | changes
        return results.scores(self.blueprint, self.blueprint.plan, self.state, given.pop("summaries", self.summaries), **given)

    @cached_property
    def pooled(self) -> Results:
        """All sites' test rows in one place, at the temperature, as session/outcome.py has them."""
        reports = [self.report(site, "test") for site in self.tests if site not in self.missing]
        raw = outcome.results(self.blueprint, self.prepared, reports)[0]
        return outcome.at_temperature(raw, None if self.task == "segmentation" else self.temperature)

    @cached_property
    def pooled_metrics(self) -> dict[str, Any]:
        return judging.test_scores(self.pooled, threshold=self.threshold, plan=self.blueprint.plan.evaluation, seed=0)

    @cached_property
    def validated(self) -> Results:
        """All sites' validation rows in one place, before the temperature."""
        return outcome.results(self.blueprint, self.prepared, [self.report(site, "val") for site in self.tests])[0]


CLINICS = {"north": 240, "south": 180, "east": 150}
