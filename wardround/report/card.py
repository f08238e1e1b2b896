"""The model card that goes with a model: what it is, what it was trained on, how good it is where, and what it is not for.

Its headings follow Mitchell et al. 2019, Model Cards for Model Reporting (doi:10.1145/3287560.3287596). Markdown that reads as plain text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wardround.report import words
from wardround.report.material import HEADLINES, tested, unit_of
from wardround.report.tables import HIDDEN, shown_metrics

TASKS = {"binary": "names one of two classes for an image", "multiclass": "names one of several classes for an image",
         "multilabel": "gives each of several findings a probability for an image", "segmentation": "marks classes in an image"}
NOT_CLINICAL = ("**Not for clinical use.** This is a research model, not a medical device. No answer of it supports a decision about a "
                "patient.")


def model_card(scores: Mapping[str, Any], record: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """The card of a finished run. scores, record, provenance: scores.json, model.json and provenance.json of the run."""
    parts = [("The model", _model(scores, record, provenance)), ("Data", _data(scores, record, provenance)),
             ("Training", _training(scores, provenance)), ("Results", _results(scores)), ("By hospital", _hospitals(scores)),
             ("Calibration", _calibration(scores)), ("Limits", _limits(scores))]
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in parts if text)
    return f"# Model card: {_line(record['model']['name'])} on {_line(record['dataset'])}\n\n{NOT_CLINICAL}\n\n{body}\n"


def _model(scores: Mapping[str, Any], record: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    answers = words.listing([_line(name) for name in record["classes"]])
    found = [("Task", f"it {TASKS[scores['task']]}: {answers}"),
             ("Network", f"{_line(record['model']['name'])}, {words.count(record['parameters'], hide_small=False)} trained parameters"),
             ("Images", _images(record["data"])), ("Made with", f"wardround {provenance.get('wardround')}"),
             ("Round kept", str(record["best_round"]))]
    if record.get("threshold") is not None:
        found.append(("Threshold", f"{_line(record['classes'][1])} is called from a probability of {words.number(record['threshold'])}"))
    if record.get("personal"):
        found.append(("Each hospital's own", f"strategy {record['personal']} leaves every hospital a model of its own; those were tested"))
    return _items(found)


def _images(data: Mapping[str, Any]) -> str:
    if data["dims"] == 3:
        return f"volumes of {words.plural(data['channels'], 'channel')}"
    return f"{data['size']} × {data['size']} pixels, {words.plural(data['channels'], 'channel')}"


def _data(scores: Mapping[str, Any], record: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    data = provenance.get("data") or {}
    kind = "phantoms, drawn by a program: the results say nothing about patients" if scores["phantom"] else "real images"
    found = [("Data set", _line(record["dataset"])), ("Kind", kind), ("Training images", _number(scores, "num_train")),
             ("Test", tested(scores)), ("Fingerprint", str(data.get("fingerprint") or record["fingerprint"]))]
    if record.get("licence"):
        found.insert(2, ("Licence", _line(record["licence"])))
    counts = [f"num_{split}" for split in ("train", "val", "test")]
    rows = [(_line(site), *(words.told(part.get(name)) for name in counts)) for site, part in scores["per_site"].items()]
    return "\n\n".join([_items(found), _table(("Hospital", "Training", "Validation", "Test"), rows), HIDDEN])


def _training(scores: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    how = {"federated": "The hospitals trained it together; their images stayed where they are.",
           "pooled": "It was trained on all images in one place.", "local": "One hospital trained it alone."}
    found = [how.get(scores["arm"], ""), f"{words.plural(int(scores['rounds']), 'round')} in {words.duration(scores['seconds'])}, seed "
             f"{provenance.get('seed')}. The round that was best on validation images was kept; test images were read once."]
    if scores.get("without"):
        found.append(f"**Finished without {words.listing([_line(site) for site in scores['without']])}** in some round or in the test.")
    if provenance.get("plan_hash"):
        found.append(f"SHA-256 of the plan that the hospitals approved: {provenance['plan_hash']}")
    return "\n\n".join(filter(None, found))


def _results(scores: Mapping[str, Any]) -> str:
    metrics = scores["metrics"]
    shown = shown_metrics(scores, HEADLINES[scores["task"]])
    rows = [(_line(words.heading(name, metrics)), words.estimate(metrics, name)) for name in shown]
    about = "in square brackets: 95 % interval over patients"
    approximate = [words.metric(name) for name in scores.get("approximate") or () if not words.parts(name)[1]]
    close = f"; worked out of sums, to about 0.01: {words.listing(approximate)}" if approximate else ""
    return f"{_table(('Metric', 'Value'), rows)}\n\nOn {tested(scores)} of all hospitals together; {about}{close}."


def _hospitals(scores: Mapping[str, Any]) -> str:
    metric = HEADLINES[scores["task"]]
    parts = scores["per_site"]
    has_local = any("local" in part for part in parts.values())
    rows = []
    for site, part in parts.items():
        result = "not tested" if "untested" in part else words.estimate(part["metrics"], metric)
        local = [words.estimate(part["local"], metric) if "local" in part else "–"] if has_local else []
        rows.append((_line(site), words.told(part.get("num_test")), result, *local))
    head = ("Hospital", f"Test {unit_of(scores)}s", words.heading(metric, scores["metrics"]), *(["Own local model"] if has_local else []))
    return f"{_table(head, rows)}\n\nA result of few {unit_of(scores)}s has a wide interval."


def _calibration(scores: Mapping[str, Any]) -> str:
    metrics = scores["metrics"]
    found = [(words.sentence(words.metric(name)), words.estimate(metrics, name)) for name in ("ece", "brier") if name in metrics]
    if scores.get("temperature") is not None:
        value = words.number(scores["temperature"], 2)
        found.append(("Temperature", f"{value}, chosen on validation images; it is part of the model's answers"))
    return _items(found)


def _limits(scores: Mapping[str, Any]) -> str:
    found = ["Tested on images of the hospitals that trained it. Elsewhere it may be worse: there was no external test set.",
             "Sex, age, scanner and other subgroups were not examined.",
             "Labels are taken as the hospitals have them; how many are wrong was not examined.",
             "No differential privacy. What the model's numbers could reveal about training images was not tested."]
    hidden = [words.metric(name) for name, entry in scores["metrics"].items() if entry.get("reason") == "few"]
    if hidden:
        found.append(f"Hidden, because it rests on {words.FEW} {unit_of(scores)}s: {words.listing(hidden)}.")
    return "\n".join(f"- {text}" for text in found)


def _number(scores: Mapping[str, Any], name: str) -> str:
    """A sum over hospitals, as a range if it is hidden."""
    if scores.get(name) is not None:
        return words.count(scores[name], hide_small=False)
    return words.total_told([part[name] for part in scores["per_site"].values()])


def _items(found: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {term}: {text}" for term, text in found)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns in line."""
    lines = [list(line) for line in (head, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    padded = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([padded[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *padded[1:]])


def _line(text: str) -> str:
    """Text from outside on one line, without what Markdown or HTML would read as its own."""
    plain = " ".join(str(text).split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in plain)
