"""What a trained model is and where it comes from, read of its run's files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wardround.core.wording import PHANTOM
from wardround.errors import WardroundError

CHUNK = 1 << 20  # bytes that are hashed at a time
PICTURES = "pictures: PNG, JPEG, TIFF, BMP, DICOM or NIfTI"
VOLUMES = "volumes: NIfTI (.nii, .nii.gz) or DICOM of several frames (.dcm)"
UNSURE = "A mask says nothing about how sure the model is."
APART = "Each finding has a probability of its own: they need not sum to 1."
GROUP = 16  # digits of a hash that are shown together


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """A run's model. folder: of the run. choices: (folder, name) of all finished runs of the same comparison.

    draws: masks rather than classes. is_volume: reads volumes. patterns: endings of files that it reads, for a file dialog; accepted:
    the same in words. sites: hospitals one of which an image must be said to come from, () if images are taken as they are.
    threshold: from which the second of two classes is called, or None. program: of the network's author, which would be run, or "".
    can_look: there are heat maps. phantom: a caution, or "". notes: what to know of its answers. facts: (name, value).
    """

    folder: Path
    name: str
    choices: tuple[tuple[Path, str], ...]
    classes: tuple[str, ...]
    task: str
    draws: bool
    is_volume: bool
    patterns: tuple[str, ...]
    accepted: str
    sites: tuple[str, ...]
    threshold: float | None
    program: str
    can_look: bool
    phantom: str
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def model_of(folder: Path) -> ModelFacts:
    """Facts of a run's model, or of a comparison's leading run. WardroundError if no training has finished there."""
    from wardround.report.material import understood
    from wardround.runs.folder import RunFolder, read_json

    inside = _runs(folder)
    run = folder if not inside or (folder / "model.json").exists() else inside[0]
    if not (run / "model.safetensors").exists():
        raise WardroundError(_why_not(run))
    with understood(run):
        record = read_json(run / "model.json")
        scores = RunFolder(run).scores() if RunFolder(run).is_finished else None
        provenance = RunFolder(run).provenance() if (run / "provenance.json").exists() else {}
        return _facts(run, inside, record, scores, provenance)


def _runs(folder: Path) -> list[Path]:
    """Finished runs of the comparison that the folder is, or lies in; the federated ones first."""
    home = folder if not (folder / "model.json").exists() else folder.parent
    found = [path.parent for path in home.glob("*/model.safetensors") if (path.parent / "model.json").exists()]
    return sorted(found, key=lambda run: (not run.name.startswith("federated"), not run.name.startswith("pooled"), run.name))


def _name(run: Path) -> str:
    return f"{run.parent.name} / {run.name}"


def _why_not(run: Path) -> str:
    if (run / "plan.toml").exists():
        return f"{run} holds no model yet: its training has not finished. Go on with it: wardround run --resume {run}"
    return f"{run} holds no model (model.json and model.safetensors). Choose the folder of a finished run or comparison."


def _facts(run: Path, inside: list[Path], record: Mapping[str, Any], scores: Mapping[str, Any] | None,
           provenance: Mapping[str, Any]) -> ModelFacts:
    from wardround.session.trained import TOY

    data, task, program = record["data"], str(record["task"]), str(record["model"]["name"])
    draws, is_volume = task == "segmentation", int(data["dims"]) == 3
    patterns, accepted = _accepted(tuple(record["suffixes"]), is_volume)
    return ModelFacts(
        folder=run, name=_name(run), choices=tuple((path, _name(path)) for path in inside or [run]),
        classes=tuple(record["classes"]), task=task, draws=draws, is_volume=is_volume, patterns=patterns, accepted=accepted,
        sites=tuple((record.get("greys") or {}).get("sites", ())), threshold=record.get("threshold"),
        program=program if ":" in program and program != TOY else "", can_look=not draws and not is_volume,
        phantom=PHANTOM if record.get("phantom") else "", notes=tuple(_notes(record)), facts=tuple(_pairs(run, record, scores, provenance)))


def _accepted(suffixes: tuple[str, ...], is_volume: bool) -> tuple[tuple[str, ...], str]:
    from wardround.session.prediction import SUFFIXES

    if suffixes:
        return (f"*{suffixes[0]}",), f"a patient's folder, whose files end in {', '.join(suffixes)}; or the first of these files"
    if is_volume:
        return ("*.nii", "*.nii.gz", "*.dcm"), VOLUMES
    return tuple(f"*{suffix}" for suffix in sorted(SUFFIXES)), PICTURES


def _notes(record: Mapping[str, Any]) -> list[str]:
    """How sure its numbers are."""
    if record["task"] == "segmentation":
        return [UNSURE]
    temperature = record.get("temperature")
    notes = [f"Calibrated: yes, at a temperature of {temperature:.2f}, chosen on validation images of the hospitals that trained it."
             if temperature not in (None, 1.0) else "Calibrated: no. A probability of 0.9 need not be right nine times in ten."]
    if record["task"] == "multilabel":
        notes.append(APART)
    elif record.get("threshold") is not None:
        notes.append(f"{record['classes'][1]} is called from a probability of {record['threshold']:.3f}, chosen on validation images.")
    return notes


def _pairs(run: Path, record: Mapping[str, Any], scores: Mapping[str, Any] | None,
           provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    from wardround.report import words

    licence = f", licence {record['licence']}" if record.get("licence") else ""
    kind = "phantoms, drawn by a program" if record.get("phantom") else "real images"
    data = record["data"]
    size = f"{data['size']} \N{MULTIPLICATION SIGN} {data['size']} pixels" if int(data["dims"]) == 2 else "volumes"
    found = [("Run", str(run))]
    if scores is not None:
        found += _trained(run, scores, provenance)
    return [*found, ("Data set", f"{record['dataset']}, {kind}{licence}"),
            ("Reads", f"{size}, {words.plural(data['channels'], 'channel')}"), ("Answers", words.listing(list(record["classes"]))),
            ("Network", f"{record['model']['name']}, {words.count(record['parameters'], hide_small=False)} trained parameters"),
            *_strategy(run, record), ("Made", _made(provenance)), ("SHA-256", _digest(run / "model.safetensors"))]


def _trained(run: Path, scores: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    from wardround.report import words
    from wardround.report.material import HEADLINES, tested

    sites, num = len(scores["per_site"]), scores.get("num_train")
    at = f"{words.plural(sites, 'hospital')}" if scores["arm"] != "local" else str(provenance.get("site") or "one hospital")
    images = f", {words.count(num, hide_small=False)} training images" if num is not None else ""
    kept = f"round {scores['best_round']} of {scores['rounds']} kept"
    metric = HEADLINES[scores["task"]]
    result = f"{words.sentence(words.title(metric, scores['metrics']))} {words.estimate(scores['metrics'], metric)} on {tested(scores)}"
    return [("Trained", f"{words.arm(scores['arm'])}: {at}{images}; {kept}"), ("Tested", result)]


def _strategy(run: Path, record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How it was trained, of a run that kept its plan."""
    from wardround.runs.folder import RunFolder

    if not (run / "plan.toml").exists():
        return []
    plan = RunFolder(run).plan()
    notes = [plan.strategy.name]
    if record.get("personal"):
        notes.append("each hospital has a model of its own, and those were tested; this is the global one, which was not")
    if (run / "privacy.json").exists():
        notes.append("with a privacy budget (see Security)")
    return [("Plan", plan.title or plan.name), ("Strategy", "; ".join(notes))]


def _made(provenance: Mapping[str, Any]) -> str:
    when = str(provenance.get("started") or "")[:16].replace("T", " ")
    return ", ".join(filter(None, [when, f"wardround {provenance['wardround']}" if provenance.get("wardround") else ""])) or "not recorded"


def _digest(path: Path) -> str:
    """Of model.safetensors, in groups that can be compared by eye."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return " ".join(digest[start:start + GROUP] for start in range(0, len(digest), GROUP))
