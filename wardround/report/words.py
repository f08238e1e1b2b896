"""Plain words and aligned numbers for results: one wording for terminal, page and figures (design.md, section 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

NOT_ESTIMABLE = "not estimable"
SMALL_COUNT = 10  # counts from 1 to this are hidden in tables of sites
FEW = f"1–{SMALL_COUNT}"
TOO_FEW = "too few images"  # a rate that is hidden
APART = ("Whose change stood apart from the others'. This is no verdict: a hospital whose patients, scanners or labels differ stands "
         "apart and does no harm, and one that means harm may keep close to the others. A large number is a reason to ask that hospital.")

ARMS = {"federated": "Federated", "pooled": "Pooled", "ensemble": "Ensemble", "local": "Local"}
ARM_MEANINGS = {
    "federated": "the hospitals train one model together; images stay where they are",
    "pooled": "one model on all images in one place: the yardstick, which privacy rules often forbid",
    "ensemble": "the hospitals' own models asked together: the mean of their probabilities, by training images",
    "local": "each hospital trains on its own images alone; the mean of the hospitals is shown",
}

METRICS = {  # name -> (the field's word, what it says)
    "balanced_accuracy": ("balanced accuracy", "share of images named correctly in each class, averaged over the classes: a rare "
                          "class counts as much as a common one"),
    "accuracy": ("accuracy", "share of all images named correctly"),
    "auroc": ("AUROC", "chance that an image with the finding is scored above one without it; 0.5 is guessing, 1 is perfect"),
    "auprc": ("AUPRC", "area under the precision-recall curve; guessing gives the share of images with the finding"),
    "sensitivity": ("sensitivity", "share of images with the finding that the model finds"),
    "specificity": ("specificity", "share of images without the finding that the model clears"),
    "f1": ("F1", "hits and false alarms in one number: harmonic mean of sensitivity and precision, averaged if there are more "
           "than two classes"),
    "brier": ("Brier score", "mean squared error of the probabilities; 0 is perfect"),
    "ece": ("calibration error (ECE)", "mean gap between stated probability and observed share; 0 is perfect"),
    "loss": ("loss", "what training makes small"),
    "recall": ("recall", "share of this class's images named correctly"),
    "dice": ("Dice", "overlap of what the model marks with the truth: 0 is none, 1 is the same outline"),
    "hd95": ("HD95", "how far the two outlines lie apart, without the farthest 5 % of their points; 0 is perfect"),
    "volume_error": ("volume error", "how much the marked volume differs from the true one, up or down; 0 is perfect"),
}
PARTS = {"recall": "recall of {}", "auroc": "AUROC of {}", "auprc": "AUPRC of {}", "dice": "Dice, {}", "hd95": "HD95, {}",
         "volume_error": "volume error, {}"}  # metrics that are also given for one class, finding or region
REGIONS = {"WT": "whole tumour (WT)", "TC": "tumour core (TC)", "ET": "enhancing tumour (ET)"}
LOWER_IS_BETTER = frozenset({"brier", "ece", "loss", "hd95", "volume_error"})
IN_UNITS = frozenset({"hd95", "volume_error"})  # the others are shares of 1


def arm(name: str) -> str:
    """The word for an arm."""
    return ARMS.get(name, name.capitalize())


def metric(name: str) -> str:
    """The field's word for a metric, e.g. "recall of glioma" for recall_glioma, "Dice, whole tumour (WT)" for dice_WT."""
    kind, part = parts(name)
    if part:
        return PARTS[kind].format(region(part))
    return METRICS[name][0] if name in METRICS else name.replace("_", " ")


def parts(name: str) -> tuple[str, str]:
    """("dice", "WT") of dice_WT; ("dice", "") of dice itself."""
    kind = next((kind for kind in PARTS if name.startswith(f"{kind}_")), "")
    return (kind, name.removeprefix(f"{kind}_")) if kind else (name, "")


def region(name: str) -> str:
    """A class, finding or region as it is written out."""
    return REGIONS.get(name, name)


def heading(name: str, metrics: Mapping[str, Any]) -> str:
    """The metric as a row or column is headed: with "mean" where the same is given for several parts, and with its unit."""
    measured_in = unit(name, metrics)
    return sentence(title(name, metrics)) + (f" ({measured_in})" if measured_in else "")


def unit(name: str, metrics: Mapping[str, Any]) -> str:
    """What a metric is measured in, "" for a share."""
    return {"hd95": "mm" if has_spacing(metrics) else "pixels", "volume_error": "ml"}.get(parts(name)[0], "")


def title(name: str, metrics: Mapping[str, Any]) -> str:
    """The metric within a sentence, e.g. "mean AUROC" of several findings."""
    is_mean = sum(other.startswith(f"{name}_") for other in metrics) > 1
    return f"mean {metric(name)}" if is_mean else metric(name)


def has_spacing(metrics: Mapping[str, Any]) -> bool:
    """Whether segmentations were measured in mm and ml: without the images' spacing there is no volume."""
    return any(entry["value"] is not None for name, entry in metrics.items() if parts(name)[0] == "volume_error")


def digits(name: str) -> int:
    """Decimals of a metric: 3 of a share, 2 of a length or volume."""
    return 3 if is_share(name) else 2


def is_share(name: str) -> bool:
    """Whether a metric lies in 0..1."""
    return parts(name)[0] not in IN_UNITS


def lower_is_better(name: str) -> bool:
    return parts(name)[0] in LOWER_IS_BETTER


def meaning(name: str) -> str:
    """What a metric says, in a sentence without its full stop; "" for a metric of someone else."""
    kind, _ = parts(name)
    return METRICS[kind][1] if kind in METRICS else ""


def sentence(text: str) -> str:
    """The text with a capital first letter; the rest is kept."""
    return text[:1].upper() + text[1:]


def is_number(value: object) -> bool:
    """Whether value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """A value with so many decimals, or "not estimable" for None, NaN and infinity."""
    if value is None or not is_number(value):
        return NOT_ESTIMABLE
    rounded = round(value, digits) or 0.0  # no minus before a zero
    return f"{rounded:{'+' if signed and rounded else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")


def interval(value: float | None, low: float | None, high: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """ "value [low, high]"; the value alone where the interval is not estimable."""
    text = number(value, digits, signed=signed)
    if text == NOT_ESTIMABLE or not (is_number(low) and is_number(high)):
        return text
    return f"{text} [{number(low, digits, signed=signed)}, {number(high, digits, signed=signed)}]"


def estimate(metrics: Mapping[str, Any], name: str) -> str:
    """The interval text of one entry of scores["metrics"]."""
    entry = metrics.get(name) or {}
    if entry.get("reason") == "few":
        return TOO_FEW
    return interval(entry.get("value"), entry.get("low"), entry.get("high"), places(metrics, name))


def places(metrics: Mapping[str, Any], name: str) -> int:
    """Decimals of one entry of scores["metrics"]: those of the metric, or fewer where it was rounded."""
    return min(digits(name), int((metrics.get(name) or {}).get("decimals", digits(name))))


def count(value: int | None, *, hide_small: bool = True) -> str:
    """A count with thousands separated by a thin gap; 1 to 10 as "1–10" unless hide_small is off."""
    if value is None:
        return NOT_ESTIMABLE
    if hide_small and 1 <= value <= SMALL_COUNT:
        return FEW
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def told(value: int | None) -> str:
    """A count of a study, where None stands for one that was hidden before it left its hospital."""
    return FEW if value is None else count(value)


def total_told(counts: Sequence[int | None]) -> str:
    """The sum of such counts, as a range if some are hidden."""
    known, num_hidden = sum(value or 0 for value in counts), sum(value is None for value in counts)
    if not num_hidden:
        return count(known, hide_small=False)
    return f"{count(known + num_hidden, hide_small=False)}–{count(known + SMALL_COUNT * num_hidden, hide_small=False)}"


def total(counts: Sequence[int]) -> str:
    """The sum of counts, as a range if one of them is hidden: else the hidden one could be worked out."""
    small = [value for value in counts if 1 <= value <= SMALL_COUNT]
    if not small:
        return count(sum(counts))
    rest = sum(counts) - sum(small)
    return f"{count(rest + len(small), hide_small=False)}–{count(rest + SMALL_COUNT * len(small), hide_small=False)}"


def share(part: float, whole: float) -> str:
    """A percentage, or "not estimable" of nothing."""
    return percent(part / whole, 1) if whole else NOT_ESTIMABLE


def percent(value: float, digits: int = 0) -> str:
    """A share of 1 as a percentage."""
    return f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def duration(seconds: float | None) -> str:
    """Seconds in the unit a person would use."""
    if seconds is None or not is_number(seconds):
        return NOT_ESTIMABLE
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(num_bytes: float | None) -> str:
    """Bytes in the unit a person would use (powers of ten)."""
    if num_bytes is None or not is_number(num_bytes):
        return NOT_ESTIMABLE
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} TB"


def listing(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def ranges(numbers: Sequence[int]) -> str:
    """ "1, 4–6" of 1, 4, 5, 6."""
    stretches: list[list[int]] = []
    for number in sorted(numbers):
        if stretches and number == stretches[-1][-1] + 1:
            stretches[-1].append(number)
        else:
            stretches.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}–{part[-1]}" for part in stretches)


def plural(value: int, noun: str) -> str:
    """ "1 image", "2 images"."""
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + ("es" if noun.endswith(("s", "x", "ch")) else "s")
    return f"{count(value, hide_small=False)} {noun if value == 1 else many}"
