"""Tables of results as rows of text, the same for terminal and page. Every number has its interval where one was estimated."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from wardround.data.catalogue import ALL
from wardround.evaluation.paired import verdict
from wardround.report import words
from wardround.report.material import ordered_arms, tested, unit_of, value_of

_NUMERIC = re.compile(r"^([+\N{MINUS SIGN}]?\d|(not estimable|too few images|not tested|hidden)$|–$|$)")

BINARY = ("auroc", "auprc", "balanced_accuracy", "accuracy", "sensitivity", "specificity", "f1", "brier", "ece")
MANY = ("balanced_accuracy", "accuracy", "auroc", "f1", "brier", "ece")
MASKS = ("dice", "hd95")
SPLITS = ("train", "val", "test")
SPLIT_WORDS = {"train": "Training", "val": "Validation", "test": "Test"}
HIDDEN = f"Counts from 1 to {words.SMALL_COUNT} are shown as {words.FEW}."
TOO_FEW = f" Rates that rest on {words.FEW} images are not shown ({words.TOO_FEW})."
MOST_SUSPECTED = 20  # hospitals in the table of those that stood apart
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


def html_table(table: Table) -> str:
    """The table as HTML that needs nothing else, for notebooks; all text escaped."""
    def cell(tag: str, column: int, text: str) -> str:
        side = "right" if table.is_numeric(column) else "left"
        return f'<{tag} style="text-align:{side};padding:2px 10px 2px 0">{escape(text)}</{tag}>'

    head = "".join(cell("th", column, name) for column, name in enumerate(table.columns))
    body = "".join("<tr>" + "".join(cell("td", column, text) for column, text in enumerate(row)) + "</tr>" for row in table.rows)
    caption = f'<caption style="caption-side:bottom;text-align:left">{escape(table.caption)}</caption>' if table.caption else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def shown_metrics(scores: Mapping[str, Any], primary: str) -> list[str]:
    """The metrics of a summary, the primary one first: the usual ones that were measured, then each class's recall or region's Dice."""
    metrics, regions = scores["metrics"], region_names(scores)
    usual = BINARY if "sensitivity" in metrics else MANY if "accuracy" in metrics else (*BINARY, *MASKS)
    by_part = [name for name in metrics if name.startswith("recall_")]
    by_part += [f"dice_{name}" for name in regions] if len(regions) > 1 else []
    return list(dict.fromkeys(name for name in (primary, *usual, *by_part) if name in metrics))


def region_names(scores: Mapping[str, Any]) -> list[str]:
    """What segmentations are scored by: regions, then the classes that are not a region already (BraTS: ET is one class)."""
    regions, classes = scores.get("regions") or {}, list(scores.get("classes") or ())
    single = {classes[labels[0]] for labels in regions.values() if len(labels) == 1}
    names = [part for kind, part in map(words.parts, scores["metrics"]) if kind == "dice" and part]
    return [name for name in names if name in regions or name not in single]


def arm_table(compare: Mapping[str, Any]) -> Table:
    """Metrics by row, arms by column: "value [low, high]" of one model, "mean (lowest to highest)" over several."""
    arms = ordered_arms(compare)
    first = compare["arms"][arms[0]][0] if arms else {"metrics": {}}
    rows = tuple((words.heading(name, first["metrics"]), *(spread(compare["arms"][arm], name) for arm in arms))
                 for name in shown_metrics(first, compare["primary"]))
    columns = tuple(words.arm(arm) for arm in arms)
    caption = f"On the same test {unit_of(first)}s. In square brackets: 95 % interval."
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
    mean, low, high = (words.number(value, words.digits(metric)) for value in (sum(values) / len(values), min(values), max(values)))
    return f"{mean} ({low} to {high})"


def paired_table(compare: Mapping[str, Any]) -> Table:
    """Federated against the other arms on the same patients, by the primary metric, with the verdict in words."""
    rows = tuple((pair_words(pair), *_pair_row(by_metric, compare["primary"])) for pair, by_metric in compare["paired"].items()
                 if compare["primary"] in by_metric)
    return Table(columns=(words.heading(compare["primary"], _metrics_of(compare)), "Ratio", "Difference", "Verdict"), rows=rows,
                 caption="Both models on the same patients. A ratio of 1 and a difference of 0 mean equal results.")


def pair_table(compare: Mapping[str, Any], pair: str, metrics: Sequence[str]) -> Table:
    """One pair of arms, e.g. "federated/pooled", by several metrics."""
    by_metric = compare["paired"][pair]
    measured = _metrics_of(compare)
    rows = tuple((words.heading(name, measured), *_pair_row(by_metric, name)) for name in metrics if name in by_metric)
    caption = f"{pair_words(pair)}, on the same patients. A ratio of 1 and a difference of 0 mean equal results."
    return Table(columns=(pair_words(pair), "Ratio", "Difference", "Verdict"), rows=rows, caption=caption)


def _metrics_of(compare: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metrics that were measured, {} without a result."""
    return next((results[0]["metrics"] for results in compare["arms"].values() if results), {})


def _pair_row(by_metric: Mapping[str, Any], metric: str) -> tuple[str, str, str]:
    found = by_metric[metric]
    difference = words.interval(found["difference"], found["difference_low"], found["difference_high"], words.digits(metric), signed=True)
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
    return "better" if (word == "lower") == words.lower_is_better(metric) else "worse"


def per_site_table(scores: Mapping[str, Any], metric: str, *, own: Mapping[str, float] | None = None,
                   counts: Mapping[str, Mapping[str, Mapping[str, int]]] | None = None,
                   further: Mapping[str, Mapping[str, str]] | None = None) -> Table:
    """One model at each hospital, worst first, the number of images beside. own: what each hospital's own model reaches.

    counts: site -> split -> class -> images, to keep hidden counts from being worked out of totals. further: columns by heading,
    site -> text."""
    def badness(site: str) -> tuple[bool, float]:
        value = value_of(scores["per_site"][site], metric)
        return math.isnan(value), -value if words.lower_is_better(metric) else value

    def images(site: str, split: str) -> str:
        if scores.get("network"):
            return words.told(scores["per_site"][site][f"num_{split}"])
        by_class = ((counts or {}).get(site) or {}).get(split)
        return held(by_class) if by_class else words.count(scores["per_site"][site].get(f"num_{split}"))

    def result(part: Mapping[str, Any]) -> str:
        return "not tested" if "untested" in part else words.estimate(part["metrics"], metric)

    def alone(site: str) -> str:
        if scores.get("network"):
            return words.estimate(scores["per_site"][site]["local"], metric) if "local" in scores["per_site"][site] else "–"
        return words.number((own or {}).get(site), words.digits(metric))

    rows = []
    for site in sorted(scores["per_site"], key=badness):
        row = [site, images(site, "train"), images(site, "test"), result(scores["per_site"][site])]
        row += [alone(site)] if own else []
        unknown = "–" if "untested" in scores["per_site"][site] else words.NOT_ESTIMABLE
        rows.append((*row, *(unknown if unknown == "–" else by_site.get(site, unknown) for by_site in (further or {}).values())))
    tests = f"Test {unit_of(scores)}s" if scores.get("network") else "Test images"
    columns: tuple[str, ...] = ("Hospital", "Training images", tests, words.heading(metric, scores.get("metrics") or {}))
    columns += ("Own local model",) if own else ()
    return Table(columns=(*columns, *(further or {})), rows=tuple(rows),
                 caption=f"Worst first. {HIDDEN}{TOO_FEW if scores.get('network') else ''}")


def told_sites_table(scores: Mapping[str, Any], counts: Mapping[str, Mapping[str, Mapping[str, int | None]]]) -> Table:
    """Who holds what, of a study: training images per hospital, by class where the plan made the hospitals tell. None: hidden."""
    here = {site: by_split.get("train", {}) for site, by_split in counts.items()}
    classes = list(dict.fromkeys(name for by_class in here.values() for name in by_class if name not in ("images", ALL)))

    def cell(number: int | None) -> str:
        return "hidden" if number is None else words.count(number)

    rows = tuple((site, *(cell(by_class.get(name, 0)) for name in classes), words.told(scores["per_site"][site]["num_train"]))
                 for site, by_class in here.items())
    gaps = f" Hidden: {words.FEW} images, or a number that would give such a one away." if classes else ""
    return Table(columns=("Hospital", *classes, "All" if classes else "Images"), rows=rows, caption=f"Training images. {HIDDEN}{gaps}")


def machines_table(sites: Mapping[str, Mapping[str, Any]]) -> Table:
    """What each hospital's program ran on. sites: provenance["sites"]."""
    rows = tuple((site, str(own["wardround"]), str(own["device"]), str(own["threads"])) for site, own in sites.items())
    return Table(columns=("Hospital", "wardround", "Device", "Threads"), rows=rows, caption="As the hospitals' programs told it.")


def failures_table(failed: Mapping[str, Mapping[str, Sequence[int]]]) -> Table:
    """Who was left out of which rounds. failed: site -> reason -> rounds."""
    rows = tuple((site, words.ranges(rounds), reason) for site, by_reason in failed.items() for reason, rounds in by_reason.items())
    return Table(columns=("Hospital", "Rounds", "Left out because"), rows=rows, caption="These rounds went on without the hospital.")


def suspicion_table(suspicion: Mapping[str, Mapping[int, float]]) -> Table:
    """Who stood apart, most first. suspicion: site -> round -> score."""
    means = {site: sum(by_round.values()) / len(by_round) for site, by_round in suspicion.items()}
    rows = []
    for site in sorted(means, key=lambda site: -means[site])[:MOST_SUSPECTED]:
        by_round = suspicion[site]
        worst, greatest = max(by_round.items(), key=lambda item: item[1])
        rows.append((site, words.number(means[site], 2), words.number(greatest, 2), str(worst), str(len(by_round))))
    left = len(means) - len(rows)
    return Table(columns=("Hospital", "Mean distance", "Greatest", "In round", "Rounds"), rows=tuple(rows),
                 caption="Distance of a hospital's change from the one that was accepted; 1 is the middle hospital of the round."
                         + (f" Not shown: {words.plural(left, 'hospital')} that stood less apart." if left else ""))


def held(by_class: Mapping[str, int]) -> str:
    """All images of a hospital and split; as a range where a hidden count could be worked out of the sum."""
    return words.count(by_class[ALL]) if ALL in by_class else words.total(list(by_class.values()))


def sites_table(counts: Mapping[str, Mapping[str, Mapping[str, int]]], split: str = "train") -> Table:
    """Who holds what: images per hospital and class. counts: site -> split -> class -> images."""
    here = {site: by_split.get(split, {}) for site, by_split in counts.items()}
    classes = list(dict.fromkeys(name for by_class in here.values() for name in by_class))
    caption = f"{SPLIT_WORDS[split]} images. {HIDDEN}"
    if ALL in classes:  # an image may have several findings, of which there are many: they go down the page
        rows = tuple((name, *(words.count(by_class.get(name, 0)) for by_class in here.values())) for name in classes)
        return Table(columns=("Finding", *here), rows=rows, caption=f"{caption} An image may have several findings.")
    if len(classes) == 1:
        return Table(columns=("Hospital", "Images"), rows=tuple((site, held(by_class)) for site, by_class in here.items()), caption=caption)
    rows = tuple((site, *(words.count(by_class.get(name, 0)) for name in classes), held(by_class)) for site, by_class in here.items())
    return Table(columns=("Hospital", *classes, "All"), rows=rows, caption=caption)


def class_table(class_counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Images of each class in each split. class_counts: split -> class -> images."""
    splits = [split for split in SPLITS if split in class_counts]
    classes = list(dict.fromkeys(name for by_class in class_counts.values() for name in by_class))
    rows = [(name, *(words.count(class_counts[split].get(name, 0), hide_small=False) for split in splits)) for name in classes]
    caption = "Training images teach the model, validation images choose the round kept, test images are read once."
    if ALL in classes:
        caption += " An image may have several findings: they add up to more than all images."
    elif len(classes) > 1:
        rows.append(("All", *(words.count(sum(class_counts[split].values()), hide_small=False) for split in splits)))
    else:
        rows = [("Images", *row[1:]) for row in rows]
    first = "Finding" if ALL in classes else "Class" if len(classes) > 1 else ""
    return Table(columns=(first, *(SPLIT_WORDS[split] for split in splits)), rows=tuple(rows), caption=caption)


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

    rows = [(f"Test {unit_of(scores)}s", whole(published["num_test"]), whole(scores["num_test"])),
            ("Of them leaking", whole(published["num_leaking"]), "0")]
    for name in shown_metrics(scores, primary):
        whole_split, clean = words.estimate(published["metrics"], name), words.estimate(scores["metrics"], name)
        rows.append((words.heading(name, scores["metrics"]), whole_split, clean))
    return Table(columns=("", "Published test split", "Clean test split"), rows=tuple(rows),
                 caption="Only the clean figures are results; the published ones are inflated by images that training has seen.")


def scores_table(scores: Mapping[str, Any], primary: str) -> Table:
    """One run's metrics with their intervals, the primary one first."""
    metrics = scores["metrics"]
    rows = tuple((words.heading(name, metrics), words.estimate(metrics, name)) for name in shown_metrics(scores, primary))
    return Table(columns=("", words.arm(scores["arm"])), rows=rows,
                 caption=f"On {tested(scores)}. In square brackets: 95 % interval.{_approximate(scores)}")


def _approximate(scores: Mapping[str, Any]) -> str:
    """Which metrics of a study are approximate, and whether all were rounded."""
    named = [words.metric(name) for name in scores.get("approximate") or () if not words.parts(name)[1]]
    text = f" Worked out of sums over score intervals, to about 0.01: {words.listing(named)}." if named else ""
    is_rounded = any("decimals" in entry for entry in scores["metrics"].values())
    return f"{text} Rounded: more decimals would give a hidden number of images away." if is_rounded else text


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
