"""What becomes of every image in a plan, and what would make its results dishonest, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wardround.app.views.data import SPLITS as SPLIT_WORDS
from wardround.app.views.data import Found, count_grid, held
from wardround.app.views.grid import Grid
from wardround.core.events import Note, Watch, silent
from wardround.errors import DataError, PlanError
from wardround.plan.schema import Plan

if TYPE_CHECKING:
    from wardround.data.prepare import Findings, Prepared, Undealt

SPLITS = {"train": "Training", "val": "Validation", "test": "Test", "test-leak": "Test, leaking", "out": "Left out"}
STATUS = {"used": "used", "skipped": "left out", "failed": "unreadable"}
REASONS = {
    "unreadable": "the file is missing, or the system does not allow reading it",
    "empty_file": "the file is empty (0 bytes)",
    "not_an_image": "not an image, whatever its name",
    "unsupported": "a kind of image that is not read",
    "too_large": "more pixels than any medical image, or a small file that would unpack to much",
    "truncated": "cut short or damaged",
    "outside_root": "its name leads out of the data folder",
    "shape": "its files, or image and mask, differ in shape",
    "channels": "its files do not have as many channels as the plan says",
    "no_mask": "it has no mask",
    "mask_shape": "its mask has another size",
    "mask_values": "its mask holds numbers that mean nothing in this data set",
    "leaks_into_train": "its patient, or a near copy of it, is in training",
    "no_site": "no site gets it in this partition",
}
KINDS = {"patient": "the same patient", "identical": "the same pixels", "near-duplicate": "nearly the same picture", "any": "any of these"}
EXAMPLES = 10
UNKNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class Matter:
    """One thing that was looked for. level: good, caution or bad. num: images it concerns. meaning: why it matters; action: what
    wardround does about it, and what the user can do."""

    title: str
    level: str
    num: int
    meaning: str
    action: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """found: the images of the plan; the arrays below have its n rows. status: keys of STATUS; reason: keys of REASONS or ""; detail: a
    sentence or "". split: keys of SPLITS or "". site: "" for none. group: (n,) int64, images that are never torn apart, -1 unreadable.
    num_alike: (n,) images of the same group, itself included. problem: why the plan cannot be carried out with them, "" if it can."""

    found: Found
    status: np.ndarray
    reason: np.ndarray
    detail: np.ndarray
    split: np.ndarray
    site: np.ndarray
    group: np.ndarray
    num_alike: np.ndarray
    matters: tuple[Matter, ...]
    leaks: Grid
    examples: Grid
    by_class: Grid
    by_patient: Grid
    reasons: Mapping[str, int]
    summary: str
    problem: str


def checked(plan: Plan, *, watch: Watch = silent) -> Checked:
    """Decode every image of a plan, as `wardround data check`, then split and deal as a run would. DataError if it cannot even be read."""
    from wardround.data.prepare import check, dealt, undealt

    said = _Once(watch)
    findings = check(plan, said)
    found = held(plan, watch=said)
    ready, prepared, problem = None, None, ""
    try:
        ready = undealt(plan, said)
        prepared = dealt(ready, plan)
    except (DataError, PlanError) as error:
        problem = (f"The images can be read, but the plan cannot be carried out with them: {error} Change the plan on the page Plan or "
                   "Sites.")
    rows = _rows(plan, found, ready, prepared, said)
    groups, sizes = _sizes(rows["group"])
    used = {status: int((rows["status"] == status).sum()) for status in STATUS}
    return Checked(found=found, **rows, num_alike=np.where(groups < 0, 0, sizes), matters=_matters(plan, findings, found),
                   leaks=_leak_grid(findings), examples=_example_grid(findings, found, rows["status"]),
                   by_class=_by_class(found, rows["split"]), by_patient=_by_patient(found, rows["split"], rows["group"]),
                   reasons=_counted(rows["reason"]), problem=problem,
                   summary=", ".join(f"{number:,} {STATUS[status]}" for status, number in used.items()) + f", of {len(found):,} images")


class _Once:
    """A watcher that passes a note on once, though the plan is read several times."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._said = watch, set[str]()

    def __call__(self, event: Any) -> None:
        if isinstance(event, Note):
            if event.text in self._said:
                return
            self._said.add(event.text)
        self._watch(event)


def _rows(plan: Plan, found: Found, ready: Undealt | None, prepared: Prepared | None, watch: Watch) -> dict[str, np.ndarray]:
    """Columns of Checked, as far as the plan got."""
    from wardround.data.hospitals import decode_apart
    from wardround.data.prepare import read_catalogue

    empty = np.full(len(found), "", dtype=object)
    if prepared is not None:
        ledger = prepared.ledger
        split = np.where(ledger.status == "failed", "", prepared.split).astype(object)
        return {"status": ledger.status, "reason": ledger.reason, "detail": ledger.detail, "split": split, "site": prepared.homes,
                "group": prepared.groups}
    decoded = ready.found if ready is not None else decode_apart(read_catalogue(plan, watch), plan.data, watch)
    status = np.where(decoded.reasons == "", "used", "failed").astype(object)
    split, group = empty.copy(), np.full(len(found), -1, np.int64)
    if ready is not None:
        split[ready.good], group[ready.good] = ready.split, ready.groups
    return {"status": status, "reason": decoded.reasons, "detail": decoded.details, "split": split, "site": empty, "group": group}


def _sizes(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, which, counts = np.unique(group, return_inverse=True, return_counts=True)
    return group, counts[which]


def _counted(reason: np.ndarray) -> dict[str, int]:
    names, counts = np.unique(reason[reason != ""].astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(names[place]): int(counts[place]) for place in order}


def _matters(plan: Plan, findings: Findings, found: Found) -> tuple[Matter, ...]:
    """What was looked for, whether it was found or not: an empty list would not say that one has looked."""
    failed, published = sum(findings.failed.values()), findings.leaks.test.get("any", 0) + findings.leaks.val.get("any", 0)
    share = failed / max(1, findings.images)
    matters = [
        Matter(title="Unreadable images", num=failed, level="good" if not failed else "caution" if share <= plan.data.max_failed else "bad",
               meaning="They cannot teach anything, and one that is missing more often at one site or of one class makes the rest unlike "
                       "the patients.",
               action=f"Each is in the ledger with its reason. A run goes on while at most {plan.data.max_failed:.1%} cannot be read "
                      "(data.max_failed) and stops above. Repair or remove them."),
        Matter(title="Identical pixels", num=findings.num_identical, level="caution" if findings.num_identical else "good",
               meaning="The same picture under several names. Divided between training and test, a model is tested on what it has learnt.",
               action="Kept in one group: they never lie on two sides of the split, nor at two sites."),
        Matter(title="Nearly the same picture", num=findings.num_near, level="caution" if findings.num_near else "good",
               meaning="Copies that were resized, recompressed or cropped, or neighbouring slices. They leak as identical ones do.",
               action=f"Grouped where at most {plan.split.near_duplicate_bits} of 256 bits of a perceptual hash differ "
                      "(split.near_duplicate_bits)." if not found.is_volume else "Of volumes only equal voxels are looked for."),
        Matter(title="One picture, two labels", num=findings.num_conflicting, level="bad" if findings.num_conflicting else "good",
               meaning="The same pixels occur under different labels: at least one of the labels is wrong.",
               action="Nothing is changed. Look at them and correct the folder or the table."),
        Matter(title="Leaks of the published split", num=published, level="caution" if published else "good",
               meaning="Published test or validation images of which training has the patient or a copy. Scores on them are partly memory.",
               action=_about_leaks(plan)),
    ]
    if not findings.patients_known:
        matters.append(Matter(title="Patients are not known", num=findings.used, level="caution",
                              meaning="Several images of one patient may lie on both sides of the split without looking alike.",
                              action="Images that look alike are grouped instead. A table with a column 'patient' is the safer way."))
    if found.is_phantom:
        matters.append(Matter(title="Phantoms", num=len(found), level="caution", meaning="The images were drawn by a program.",
                              action="Results say nothing about patients. Choose a folder of real images."))
    return tuple(matters)


def _about_leaks(plan: Plan) -> str:
    if plan.split.policy == "published":
        return ("The plan keeps the published split: leaking test images are judged apart and leaking validation images left out, and the "
                "report gives both figures.")
    return f"The plan does not use the published split (split.policy = \"{plan.split.policy}\"): images are split anew by group."


def _leak_grid(findings: Findings) -> Grid:
    if not findings.leaks.test.get("any") and not findings.leaks.val.get("any"):
        return Grid(columns=("Training also has",), rows=())
    rows = tuple((words, f"{findings.leaks.test.get(kind, 0):,}", f"{findings.leaks.val.get(kind, 0):,}") for kind, words in KINDS.items())
    return Grid(columns=("Training also has", "Test images", "Validation images"), rows=rows, numeric=(False, True, True),
                caption="In the published split. A chain of near copies counts as any of these.")


def _example_grid(findings: Findings, found: Found, status: np.ndarray) -> Grid:
    """Pairs to look at: rows of the readable images."""
    good = np.flatnonzero(status != "failed")
    pairs = [(KINDS[kind], str(found.images[good[one]]), str(found.images[good[other]]))
             for kind, held_pairs in findings.leaks.examples.items() if kind != "any" for one, other in held_pairs[:EXAMPLES]]
    return Grid(columns=("They have", "Published test or validation image", "Image of training"), rows=tuple(pairs),
                caption=f"At most {EXAMPLES} pairs of a kind." if pairs else "")


def _by_class(found: Found, split: np.ndarray) -> Grid:
    parts = {words: found.members[split == part] for part, words in SPLITS.items() if (split == part).any()}
    if not parts:
        return Grid(columns=("Class",), rows=(), caption="")
    return count_grid(found.strata, parts,
                      caption="Images of each class, as a run of this plan splits them. Unreadable ones are not counted.")


def _by_patient(found: Found, split: np.ndarray, group: np.ndarray) -> Grid:
    """Patients, groups and images of each split."""
    rows = []
    for part, words in SPLITS.items():
        here = split == part
        if here.any():
            patients = len(set(found.patients[here].tolist()) - {""})
            rows.append((words, f"{patients:,}" if patients else UNKNOWN, f"{len(np.unique(group[here])):,}", f"{here.sum():,}"))
    return Grid(columns=("Split", "Patients", "Groups", "Images"), rows=tuple(rows), numeric=(False, True, True, True),
                caption="A group is one patient, or images that are nearly the same. No group lies on two sides of the split: every run "
                        "checks this before it trains.")


def split_word(split: str) -> str:
    """A split, or a published one, in words."""
    return SPLITS.get(split) or SPLIT_WORDS.get(split, split)
