"""A site's test result as it leaves the site: sums and rates, no row, small counts hidden.

The server adds the sums up for the results of all sites. It alone reads them; of `scores`, which are written down and shown, network/few.py
says what is hidden. The tally's sums are exact: of a site with a handful of test images they come near the images' own results, and the
plan's words tell the hospital so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wardround.build import ArmBlueprint
from wardround.core.exchange import SiteReport
from wardround.core.predictions import Measured, Predictions, Results
from wardround.core.tally import ClassTally, DiceTally, FindingTally, Tally
from wardround.data.prepare import Prepared
from wardround.errors import SiteError
from wardround.evaluation import scores as judging
from wardround.evaluation.segmentation import headline_regions
from wardround.evaluation.temperature import loss_sums
from wardround.network import few
from wardround.network.coarse import calibration_of, roc_of
from wardround.network.messages import SiteSummary
from wardround.network.sums import ClassSums, FindingSums, Sums, replicates, sums_of
from wardround.session import outcome


def summarise(blueprint: ArmBlueprint, prepared: Prepared, site: str, report: SiteReport, *, temperature: float | None,
              threshold: float | None) -> SiteSummary:
    """The summary of the site's own test rows. report: with detail, of the best round's params. SiteError if it has no details."""
    if report.rows is None or report.values is None:
        raise SiteError(f"site '{site}' could not sum up its test rows: the report holds none")
    raw = outcome.label(blueprint, prepared, report.rows, report.values)
    raw = raw.take(raw.splits == "test")  # not those that leak into training
    tested, layout, plan = outcome.at_temperature(raw, temperature), sums_of(blueprint, threshold), blueprint.plan
    drawn = replicates(layout.of_rows(tested), tested.groups, resamples=plan.evaluation.resamples, seed=plan.split.seed, site=site)
    tally = _tally(blueprint, raw, tested, temperature, report)
    return SiteSummary(site=site, tally=tally, replicates=drawn,
                       scores={**few.told_counts({**held(prepared, site), "num_test": len(tested)}),
                               "metrics": _metrics(blueprint, tested, threshold, layout.support(drawn[0].astype(np.float64))),
                               **curves(layout, drawn[0].astype(np.float64), tally)})


def local_summary(scores: Mapping[str, Any], prepared: Prepared, site: str) -> SiteSummary:
    """The summary of the site's local arm. scores: its scores.json, judged on the site's own test rows alone.

    Of segmentations only Dice, which every patient has: scores.json does not say on how many patients the other measures rest."""
    own, catalogue = scores["per_site"][site], prepared.catalogue
    support = catalogue.counts(prepared.rows(site, "test"))
    hidden = few.few_metrics(catalogue.task, catalogue.classes, support, own["num_test"])
    if catalogue.task == "multilabel" and hidden and "*" not in hidden:
        hidden |= {"auroc", "auprc"}  # means over all findings, the rare ones too
    kept = {name: entry for name, entry in own["metrics"].items()
            if catalogue.task != "segmentation" or name.partition("_")[0] == "dice"}
    return SiteSummary(site=site, scores={**few.told_counts({**held(prepared, site), "num_test": own["num_test"]}),
                                          "metrics": few.told_metrics(kept, hidden, few.DECIMALS)})


def held(prepared: Prepared, site: str) -> dict[str, int]:
    """The site's images of each split."""
    return {f"num_{split}": len(prepared.rows(site, split)) for split in ("train", "val", "test")}


def curves(layout: Sums, sums: np.ndarray, tally: Tally) -> dict[str, Any]:
    """"confusion", "calibration" and "roc" of a task that has them. sums: (K,), of the rows as they are."""
    if isinstance(layout, ClassSums) and isinstance(tally, ClassTally):
        ranked = {layout.classes[label]: roc_of(tally.scores[label]) for label in layout.labels}
        return {"confusion": few.told_table(layout.confusion(sums)), "calibration": calibration_of(layout.confidence(sums)),
                "roc": {name: curve for name, curve in ranked.items() if curve}}
    if isinstance(layout, FindingSums) and isinstance(tally, FindingTally):
        ranked = {name: roc_of(scores) for name, scores in zip(layout.classes, tally.scores, strict=True)}
        return {"confusion": None, "calibration": calibration_of(layout.confidence(sums).sum(0), pairs=len(layout.classes)),
                "roc": {name: curve for name, curve in ranked.items() if curve}}
    return {"confusion": None, "calibration": [], "roc": {}}


def _metrics(blueprint: ArmBlueprint, tested: Results, threshold: float | None, support: Mapping[str, int]) -> dict[str, Any]:
    """The site's own scores with intervals over its patients; {} without test rows."""
    if not len(tested):
        return {}
    plan, classes = blueprint.plan, blueprint.classes
    settings: dict[str, Any] = {"threshold": threshold, "plan": plan.evaluation, "seed": plan.split.seed}
    metrics = judging.test_scores(tested, **settings)
    hidden = few.few_metrics(blueprint.task, classes, support, len(tested))
    if isinstance(tested, Measured):
        hidden |= {name for name, num in support.items() if few.is_few(num)}
    elif tested.is_multilabel and hidden and "*" not in hidden:
        common = [classes.index(name) for name in few.common_findings(classes, support, len(tested))]
        hidden |= frozenset() if common else {"auroc", "auprc"}
        if common:
            metrics |= _means(judging.test_scores(_of_findings(tested, common), **settings))
    return few.told_metrics(metrics, hidden, few.DECIMALS)


def _means(metrics: Mapping[str, judging.Entry]) -> dict[str, judging.Entry]:
    return {name: metrics[name] for name in ("auroc", "auprc")}


def _of_findings(found: Predictions, places: list[int]) -> Predictions:
    """The predictions of some findings only."""
    kept = {name: getattr(found, name) for name in ("cases", "groups", "sites", "splits")}
    return Predictions(classes=tuple(found.classes[place] for place in places), truth=found.truth[:, places],
                       probabilities=found.probabilities[:, places], **kept)


def _tally(blueprint: ArmBlueprint, raw: Results, tested: Results, temperature: float | None, report: SiteReport) -> Tally:
    """Exact sums of the test rows. loss_sum: negative log-likelihood at the temperature; of segmentations the plan's loss."""
    if isinstance(tested, Measured):
        names = headline_regions(blueprint.classes, blueprint.regions)
        dice = np.array([tested.values[:, tested.names.index(f"dice_{name}")].sum() for name in names])
        return DiceTally(loss_sum=report.tally.loss_sum, num_examples=len(tested), names=names, dice_sum=dice)
    if not isinstance(raw, Predictions):
        raise SiteError(f"the results of the test rows are {type(raw).__name__}, and the task needs probabilities")
    kind = FindingTally if tested.is_multilabel else ClassTally
    if not len(raw):
        return kind.of(tested.probabilities, tested.truth, np.zeros(0))
    losses = np.concatenate(loss_sums(raw.probabilities, raw.truth, [1] * len(raw), [temperature or 1.0]))
    return kind.of(tested.probabilities, tested.truth, losses)
