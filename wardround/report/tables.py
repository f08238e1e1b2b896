"""Tables of results as rows of text, the same for terminal and page. Every number has its interval where one was estimated."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wardround.evaluation.paired import verdict
from wardround.report import words
from wardround.report.material import ordered_arms, value_of

_NUMERIC = re.compile(r"^([+\N{MINUS SIGN}]?\d|not estimable$|–$|$)")

BINARY = ("auroc", "auprc", "balanced_accuracy", "accuracy", "sensitivity", "specificity", "f1", "brier", "ece")
MANY = ("balanced_accuracy", "accuracy", "auroc", "f1", "brier", "ece")
SPLITS = ("train", "val", "test")
LEAKS = {"patient": "share a patient with training", "identical": "are pixel for pixel in training",
         "near_duplicate": "have a near copy in training", "test_rows_dropped": "test images dropped",
         "val_rows_dropped": "validation images dropped"}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under columns; the first column names the row. caption: one or two sentences."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str

    def is_numeric(self, column: int) -> bool:
        """Whether a column holds numbers, which are set flush right."""
        return column > 0 and all(_NUMERIC.match(row[column]) for row in self.rows)


def shown_metrics(metrics: Mapping[str, Any], primary: str) -> list[str]:
    """The metrics of a summary, the primary one first: the usual ones that were measured, then each class's recall."""
    usual = BINARY if "sensitivity" in metrics else MANY
    recalls = [name for name in metrics if name.startswith("recall_")]
    return list(dict.fromkeys(name for name in (primary, *usual, *recalls) if name in metrics))


def arm_table(compare: Mapping[str, Any]) -> Table:
    """Metrics by row, arms by column: "value [low, high]" of one model, "mean (lowest to highest)" over several."""
    arms = ordered_arms(compare)
    metrics = shown_metrics(compare["arms"][arms[0]][0]["metrics"], compare["primary"]) if arms else []
    rows = tuple((words.sentence(words.metric(name)), *(spread(compare["arms"][arm], name) for arm in arms)) for name in metrics)
    columns = tuple(words.arm(arm) for arm in arms)
    caption = "On the same test images. In square brackets: 95 % interval."
    if any(len(results) > 1 for results in compare["arms"].values()):
        caption += " Of several models: mean (lowest to highest)."
    return Table(columns=("", *columns), rows=rows, caption=caption)


def spread(results: Sequence[Mapping[str, Any]], metric: str) -> str:
    """The interval text of one model, or "mean (lowest to highest)" of several."""
    if len(results) == 1:
        return words.estimate(results[0]["metrics"], metric)
    values = [value for value in (value_of(scores, metric) for scores in results) if math.isfinite(value)]
    if not values:
        return words.NOT_ESTIMABLE
    return f"{words.number(sum(values) / len(values))} ({words.number(min(values))} to {words.number(max(values))})"


def paired_table(compare: Mapping[str, Any]) -> Table:
    """Federated against the other arms on the same patients, by the primary metric, with the verdict in words."""
    rows = tuple((pair_words(pair), *_pair_row(by_metric, compare["primary"])) for pair, by_metric in compare["paired"].items()
                 if compare["primary"] in by_metric)
    return Table(columns=(words.sentence(words.metric(compare["primary"])), "Ratio", "Difference", "Verdict"), rows=rows,
                 caption="Both models on the same patients. A ratio of 1 and a difference of 0 mean equal results.")


def pair_table(compare: Mapping[str, Any], pair: str, metrics: Sequence[str]) -> Table:
    """One pair of arms, e.g. "federated/pooled", by several metrics."""
    by_metric = compare["paired"][pair]
    rows = tuple((words.sentence(words.metric(name)), *_pair_row(by_metric, name)) for name in metrics if name in by_metric)
    caption = f"{pair_words(pair)}, on the same patients. A ratio of 1 and a difference of 0 mean equal results."
    return Table(columns=(pair_words(pair), "Ratio", "Difference", "Verdict"), rows=rows, caption=caption)


def _pair_row(by_metric: Mapping[str, Any], metric: str) -> tuple[str, str, str]:
    found = by_metric[metric]
    difference = words.interval(found["difference"], found["difference_low"], found["difference_high"], signed=True)
    return words.interval(found["ratio"], found["low"], found["high"]), difference, verdict_words(found, metric)


def pair_words(pair: str) -> str:
    """ "federated/local" as "Federated against local"."""
    first, _, second = pair.partition("/")
    return f"{words.arm(first)} against {words.arm(second).lower()}"


def verdict_words(found: Mapping[str, Any], metric: str) -> str:
    """"better", "worse", "no difference shown" or "not estimable", from the interval of the difference."""
    word = verdict({name: value if words.is_number(value) else None for name, value in found.items()})
    if word not in ("higher", "lower"):
        return word
    return "better" if (word == "lower") == (metric in words.LOWER_IS_BETTER) else "worse"


def per_site_table(scores: Mapping[str, Any], metric: str, *, own: Mapping[str, float] | None = None,
                   counts: Mapping[str, Mapping[str, Mapping[str, int]]] | None = None) -> Table:
    """One model at each hospital, worst first, the number of images beside. own: what each hospital's own model reaches.

    counts: site -> split -> class -> images, to keep hidden counts from being worked out of totals."""
    def badness(site: str) -> tuple[bool, float]:
        value = value_of(scores["per_site"][site], metric)
        return math.isnan(value), -value if metric in words.LOWER_IS_BETTER else value

    def images(site: str, split: str) -> str:
        by_class = ((counts or {}).get(site) or {}).get(split)
        return words.total(list(by_class.values())) if by_class else words.count(scores["per_site"][site].get(f"num_{split}"))

    rows = []
    for site in sorted(scores["per_site"], key=badness):
        row = [site, images(site, "train"), images(site, "test"), words.estimate(scores["per_site"][site]["metrics"], metric)]
        rows.append((*row, words.number(own.get(site))) if own else tuple(row))
    columns = ("Hospital", "Training images", "Test images", words.sentence(words.metric(metric)))
    return Table(columns=(*columns, "Own local model") if own else columns, rows=tuple(rows),
                 caption=f"Worst first. Counts from 1 to {words.SMALL_COUNT} are shown as 1–{words.SMALL_COUNT}.")


def sites_table(counts: Mapping[str, Mapping[str, Mapping[str, int]]], split: str = "train") -> Table:
    """Who holds what: images per hospital and class. counts: site -> split -> class -> images."""
    classes = list(dict.fromkeys(name for held in counts.values() for name in held.get(split, {})))
    rows = tuple((site, *(words.count(held.get(split, {}).get(name, 0)) for name in classes),
                  words.total([held.get(split, {}).get(name, 0) for name in classes])) for site, held in counts.items())
    word = {"train": "Training", "val": "Validation", "test": "Test"}[split]
    return Table(columns=("Hospital", *classes, "All"), rows=rows,
                 caption=f"{word} images. Counts from 1 to {words.SMALL_COUNT} are shown as 1–{words.SMALL_COUNT}.")


def class_table(class_counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Images of each class in each split. class_counts: split -> class -> images."""
    splits = [split for split in SPLITS if split in class_counts]
    classes = list(dict.fromkeys(name for held in class_counts.values() for name in held))
    rows = [(name, *(words.count(class_counts[split].get(name, 0), hide_small=False) for split in splits)) for name in classes]
    rows.append(("All", *(words.count(sum(class_counts[split].values()), hide_small=False) for split in splits)))
    headings = {"train": "Training", "val": "Validation", "test": "Test"}
    return Table(columns=("Class", *(headings[split] for split in splits)), rows=tuple(rows),
                 caption="Training images teach the model, validation images choose the round kept, test images are read once.")


def data_table(data: Mapping[str, Any]) -> Table:
    """What became of every image of the data set. data: provenance["data"]."""
    found = int(data.get("images") or 0)
    rows = [("found", words.count(found, hide_small=False), words.share(found, found))]
    for status in ("used", "skipped", "failed"):
        number = int(data.get(status) or 0)
        rows.append((status, words.count(number, hide_small=False), words.share(number, found)))
    for code, number in sorted((data.get("reasons") or {}).items(), key=lambda item: -item[1]):
        reason = f"reason: {code.replace('_', ' ').replace('-', ' ')}"
        rows.append((reason, words.count(number, hide_small=False), words.share(number, found)))
    return Table(columns=("Images", "Number", "Share"), rows=tuple(rows),
                 caption="ledger.csv in the run's folder has every image with its status and reason.")


def leak_counts_table(leaks: Mapping[str, int]) -> Table:
    """What the leak gate found between the splits. leaks: provenance["data"]["leaks"]."""
    rows = tuple((LEAKS.get(kind, kind.replace("_", " ")), words.count(number, hide_small=False)) for kind, number in leaks.items())
    return Table(columns=("Leak gate", "Images"), rows=rows,
                 caption="Test and validation images that training has seen would make every result look better than it is.")


def leak_table(scores: Mapping[str, Any], primary: str) -> Table | None:
    """The same model on the published test split, leaks included, and on the clean one; None where nothing was published."""
    published = scores.get("published")
    if not published:
        return None

    def whole(number: int) -> str:
        return words.count(int(number), hide_small=False)

    rows = [("Test images", whole(published["num_test"]), whole(scores["num_test"])),
            ("Of them leaking", whole(published["num_leaking"]), "0")]
    for name in shown_metrics(scores["metrics"], primary):
        whole_split, clean = words.estimate(published["metrics"], name), words.estimate(scores["metrics"], name)
        rows.append((words.sentence(words.metric(name)), whole_split, clean))
    return Table(columns=("", "Published test split", "Clean test split"), rows=tuple(rows),
                 caption="Only the clean figures are results; the published ones are inflated by images that training has seen.")


def scores_table(scores: Mapping[str, Any], primary: str) -> Table:
    """One run's metrics with their intervals, the primary one first."""
    rows = tuple((words.sentence(words.metric(name)), words.estimate(scores["metrics"], name))
                 for name in shown_metrics(scores["metrics"], primary))
    return Table(columns=("", words.arm(scores["arm"])), rows=rows,
                 caption=f"On {words.plural(int(scores['num_test']), 'test image')}. In square brackets: 95 % interval.")


def predictive_values_table(scores: Mapping[str, Any], prevalences: Sequence[float] = (0.01, 0.1, 0.3)) -> Table:
    """PPV and NPV by Bayes' rule from test sensitivity and specificity, at stated prevalences (two classes)."""
    hits, clears = value_of(scores, "sensitivity"), value_of(scores, "specificity")

    def share(wanted: float, other: float) -> str:
        return words.number(wanted / (wanted + other)) if wanted + other > 0 else words.NOT_ESTIMABLE

    rows = tuple((words.percent(p), share(hits * p, (1 - clears) * (1 - p)), share(clears * (1 - p), (1 - hits) * p))
                 for p in prevalences)
    return Table(columns=("If so many have the finding", "a positive call is right", "a negative call is right"), rows=rows,
                 caption=f"Predictive values (PPV, NPV) at the threshold {words.number(scores.get('threshold'))} from validation "
                         "images.")
