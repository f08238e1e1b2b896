"""What protects a run, what it cost and what attacks on it showed: epsilon, secure sums, sites that stood apart, audit.json."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wardround.app.views.grid import Grid
from wardround.core.events import Progress, Watch, silent
from wardround.errors import WardroundError

if TYPE_CHECKING:
    from wardround.plan.schema import Plan
    from wardround.privacy.ledger import Line as Spending
    from wardround.report.material import RunMaterial

MOST_DRAWN = 4  # sites whose epsilon is drawn: each point of a curve takes a third of a second
POINTS = 5
MOST_APART = 8  # sites whose distances are drawn, as many as there are colours
NOT_AN_AUDIT = "audit.json does not hold what an audit writes. Was it changed? Run the audit again."
PATIENTS = "These are images of patients, and what could be drawn of them. They stay at the hospital."
UNITS = {"image": "each image", "patient": "each patient", "site": "each hospital as a whole"}


@dataclass(frozen=True, eq=False)
class Curve:
    """Numbers of a site by round."""

    site: str
    rounds: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Budget:
    """What was spent. headline: the greatest epsilon of all; problem: why nothing is known, then the rest is empty."""

    headline: str
    epsilon: float
    promises: tuple[str, ...]
    not_covered: tuple[str, ...]
    grid: Grid
    has_ledgers: bool
    problem: str = ""


@dataclass(frozen=True)
class Apart:
    """Whose change lay far from what was accepted. says: how to read it."""

    says: str
    grid: Grid
    curves: tuple[Curve, ...]


@dataclass(frozen=True, eq=False)
class Finding:
    """An attack. verdict: "leaks", "resists" or "inconclusive". planted, result: what was measured on the planted victim, and on the run.
    pictures: (C, H, W) uint8."""

    attack: str
    question: str
    verdict: str
    in_words: str
    planted: str
    result: str
    says_not: str
    pictures: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Audit:
    """audit.json. never: what no verdict says; cost: how long it took; how: how to read what was measured; kinds: the verdict of each row.
    problem: why it cannot be read, then the rest is empty."""

    never: str
    cost: str
    how: str
    verdicts: Grid
    kinds: tuple[str, ...]
    findings: tuple[Finding, ...]
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Security:
    """One run. run: its folder; attack: who was malicious in a simulation, "" if nobody; refusal: why it cannot be audited, or ""."""

    run: Path
    name: str
    protections: dict[str, str]
    attack: str
    budget: Budget | None
    apart: Apart | None
    audit: Audit | None
    refusal: str


def security(folder: Path) -> Security:
    """Read what is known of a finished run, or of the run that leads a comparison. WardroundError if the folder holds neither."""
    from wardround.app.views.results_read import read, unfinished

    if (waiting := unfinished(folder)) is not None and not waiting.finished:
        raise WardroundError(f"{waiting.text} What it spent and who stood apart is told at its end. Continue it: {waiting.command}")
    run = read(waiting.finished[0] if waiting is not None else folder).lead
    return Security(run=run.folder, name=f"{run.plan.title or run.plan.name}, {run.folder.name}", protections=_protections(run.plan),
                    attack=_attack(run.plan), budget=_budget(run), apart=_apart(run), audit=_audit(run), refusal=_refusal(run))


def command(run: Path) -> str:
    return shlex.join(["wardround", *arguments(run)])


def arguments(run: Path) -> list[str]:
    """Of the command that audits a run."""
    return ["audit", str(run), "--quick"]


def epsilon_curves(run: Path, *, watch: Watch = silent) -> tuple[Curve, ...]:
    """Epsilon by round, from the ledgers: of the sites that have spent most, with the number of privacy.json at the end."""
    from wardround.privacy.ledger import Ledger, file_name
    from wardround.runs.spending import read_spending

    sites: Mapping[str, Any] = (read_spending(run) or {"sites": {}})["sites"]
    most = sorted(sites, key=lambda site: -sites[site]["epsilon"])[:MOST_DRAWN]
    found = []
    for number, site in enumerate(sorted(most, key=list(sites).index)):
        watch(Progress(stage="epsilon", done=number, total=len(most)))
        ledger = Ledger(run / "privacy" / file_name(site), epsilon=sites[site]["budget"], delta=sites[site]["delta"])
        if lines := ledger.lines():
            found.append(_epsilon_by_round(site, lines, sites[site]["delta"], sites[site]["epsilon"]))
    return tuple(found)


def _epsilon_by_round(site: str, lines: Sequence[Spending], delta: float, whole: float) -> Curve:
    """whole: after the last line, which need not be worked out again."""
    from wardround.privacy.accountant import spent

    places = np.unique(np.linspace(1, len(lines), POINTS).round().astype(int)).tolist()
    values = [spent([line.spend for line in lines[:place]], delta).epsilon for place in places[:-1]]
    rounds = [0, *(lines[place - 1].round for place in places)]
    return Curve(site=site, rounds=np.array(rounds, dtype=float), values=np.array([0.0, *values, whole]))


def _protections(plan: Plan) -> dict[str, str]:
    """What the plan has on, in words."""
    hidden, wanted = UNITS.get(plan.privacy.unit), plan.aggregation
    guards = f", made to withstand {wanted.attackers} malicious" if wanted.attackers else ""
    return {
        "Differential privacy": f"on: hides {hidden}, within epsilon {plan.privacy.epsilon:g}" if hidden else "off",
        "Secure aggregation": "on: the server saw only the sum of at least three hospitals' changes" if wanted.secure else
                              "off: the server saw each hospital's change",
        "Combined by": "the mean, which one malicious hospital can move at will" if wanted.rule == "mean" else f"{wanted.rule}{guards}",
        "Simulated attack": plan.attack.kind if plan.attack.kind != "none" else "none",
    }


def _attack(plan: Plan) -> str:
    from wardround.attacks.choose import in_words

    return in_words(plan.attack)


def _refusal(run: RunMaterial) -> str:
    if run.is_network:
        return "A study's images are at the hospitals: an audit attacks a run of this machine."
    if run.scores["arm"] != "federated":
        return "Nothing was exchanged in this run that could leak or be poisoned. Open a federated one to audit it."
    return ""


def _budget(run: RunMaterial) -> Budget | None:
    from wardround.report import spent, words
    from wardround.runs.spending import read_spending

    try:
        spending = read_spending(run.folder)
    except WardroundError as error:
        return Budget(headline="", epsilon=0.0, promises=(), not_covered=(), grid=Grid(columns=(), rows=()), has_ledgers=False,
                      problem=str(error))
    if spending is None:
        return None
    most, grid = max(site["epsilon"] for site in spending["sites"].values()), Grid.of(spent.spending_table(spending["sites"]))
    headline = f"Epsilon {words.number(most, 2)} of {run.plan.privacy.epsilon:g} was spent, at delta {spending['delta']:g}."
    return Budget(headline=headline, epsilon=run.plan.privacy.epsilon, promises=tuple(map(str, spending["promises"])),
                  not_covered=tuple(map(str, spending["not_covered"])), grid=grid, has_ledgers=(run.folder / "privacy").is_dir())


def _apart(run: RunMaterial) -> Apart | None:
    from wardround.report import words
    from wardround.report.tables import suspicion_table

    if not run.suspicion:
        return None
    grid = Grid.of(suspicion_table(run.suspicion))
    shown = [row[0] for row in grid.rows[:MOST_APART]]
    return Apart(says=words.APART, grid=grid, curves=tuple(
        Curve(site=site, rounds=np.array(sorted(run.suspicion[site]), float),
              values=np.array([run.suspicion[site][t] for t in sorted(run.suspicion[site])])) for site in shown))


def _audit(run: RunMaterial) -> Audit | None:
    from wardround.report import attacked, words
    from wardround.runs.folder import read_json

    if not (run.folder / "audit.json").exists():
        return None
    record = read_json(run.folder / "audit.json")
    if not attacked.is_audit(record):
        return Audit(never=attacked.NEVER, cost="", how="", verdicts=Grid(columns=(), rows=()), kinds=(), findings=(), problem=NOT_AN_AUDIT)
    seconds, cores = record.get("seconds"), record.get("cores")
    took = f"It took {words.duration(seconds)} on {words.plural(int(cores), 'core')}." if seconds and cores else ""
    quick = " It was a quick one: its intervals are wide." if record.get("is_quick") else ""
    table = attacked.verdict_table(record)  # columns: attack, planted victim, this run, verdict
    return Audit(never=attacked.NEVER, cost=f"{took}{quick}".strip(), how=table.caption,
                 verdicts=Grid(columns=(table.columns[0], table.columns[3]), rows=tuple((row[0], row[3]) for row in table.rows)),
                 kinds=tuple(found["verdict"] for found in record["findings"]),
                 findings=tuple(_finding(run, found, row) for found, row in zip(record["findings"], table.rows, strict=True)))


def _finding(run: RunMaterial, found: Mapping[str, Any], row: Sequence[str]) -> Finding:
    """row: of the report's table."""
    from wardround.report import words

    return Finding(attack=words.sentence(row[0]), question=found["question"], verdict=found["verdict"], in_words=row[3], planted=row[1],
                   result=row[2], says_not=found["says_not"], pictures=tuple(_pictures(run, found)))


def _pictures(run: RunMaterial, found: Mapping[str, Any]) -> list[np.ndarray]:
    """What the attack drew; nothing where its picture is gone or none."""
    from wardround.data.readers.image import read_image, to_uint8

    paths = [run.folder / "figures" / Path(str(name)).name for name in found.get("figures") or ()]
    return [to_uint8(read_image(path)) for path in paths if path.is_file()]
