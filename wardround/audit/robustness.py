"""What malicious sites could have done to this run: its own federation trained again under each attack, with each rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wardround.aggregation.choose import LIMITS
from wardround.attacks.choose import malicious
from wardround.audit.federation import Trained, retrained
from wardround.audit.finding import Finding, Measure, verdict
from wardround.audit.subject import Subject
from wardround.build import primary_metric
from wardround.core.events import Progress
from wardround.plan.schema import AggregationPlan, AttackName, AttackPlan, RuleName

ATTACKS: tuple[AttackName, ...] = ("label-flip", "backdoor", "sign-flip")
RULES: tuple[RuleName, ...] = ("nnm-trimmed", "median", "multi-krum", "trimmed-mean")
QUICK_RULES: tuple[RuleName, ...] = ("nnm-trimmed", "median")
ROUNDS, QUICK_ROUNDS = 12, 5  # at most; rules differ early
SHARE = 0.2  # of the sites
ENLARGED: Mapping[AttackName, float] = {"label-flip": 4.0}  # strength; unchanged, a few wrong labels among many right ones cost little
BREAKS, HOLDS = 0.20, 0.03  # drop of the quality: what breaks the planted victim, what a defence may lose
SUCCEEDS, FAILS = 0.80, 0.05  # rise of the attack's success: the same
FEWEST = 5  # sites: among fewer nobody can be outvoted with a margin

QUESTION: Mapping[str, str] = {
    "label-flip": "Could some sites spoil the model by calling their images by other names?",
    "backdoor": "Could some sites teach the model to answer as they like wherever a small patch is in the image?",
    "sign-flip": "Could some sites stop the others from learning by sending the opposite of what they have learnt?",
}
SAYS_NOT = ("Only these attacks, this share of malicious sites and these rounds were tried. An attacker who knows the rule keeps closer, "
            "and one who controls more sites than the rule's limit wins.")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One federation: its quality on validation rows after the last round, and how often the attack got its way there."""

    rule: str
    clean: float
    attacked: float
    clean_success: float | None
    success: float | None

    @property
    def drop(self) -> float:
        return self.clean - self.attacked

    @property
    def rise(self) -> float:
        """Of the attack's success, above what the model without attack answers wrongly anyway."""
        return (self.success or 0.0) - (self.clean_success or 0.0)

    def row(self) -> dict[str, Any]:
        return {"rule": self.rule, "clean": self.clean, "attacked": self.attacked, "drop": self.drop, "success": self.success,
                "success without attack": self.clean_success}


def audit_robustness(subject: Subject, *, share: float = SHARE, attacks: Sequence[AttackName] = ATTACKS,
                     others: Sequence[RuleName] | None = None) -> list[Finding]:
    """Every attack by `share` of the sites against the mean, the run's own rule and robust ones (others; None: RULES). Validation rows
    only, last round, nothing chosen on them. Differential privacy, secure aggregation and compression are off: it is about the rule."""
    sites = list(subject.blueprint.rows)
    if len(sites) < FEWEST:
        return [_too_few(subject, kind, len(sites)) for kind in attacks]
    bad = malicious(AttackPlan(kind="sign-flip", share=share), sites, subject.seed)
    rules = list(_rules(subject, len(bad), others or (QUICK_RULES if subject.is_quick else RULES), [s for s in sites if s not in bad]))
    trainings = 0

    def train(rule: AggregationPlan, attack: AttackPlan) -> Trained:
        nonlocal trainings
        found = retrained(subject, rule, attack, rounds=QUICK_ROUNDS if subject.is_quick else ROUNDS)
        trainings += 1
        subject.watch(Progress(stage="audit", done=trainings, total=len(rules) * (len(attacks) + 1)))
        return found

    clean = {rule.rule: train(rule, AttackPlan()) for rule in rules}
    findings = []
    for kind in attacks:
        attack = AttackPlan(kind=kind, share=share, strength=ENLARGED.get(kind))
        cells = [_cell(subject, attack, rule, clean[rule.rule], train(rule, attack)) for rule in rules]
        findings.append(finding_of(subject, attack, len(bad), cells))
    return findings


def _rules(subject: Subject, attackers: int, others: Sequence[RuleName], honest: Sequence[str]) -> Iterator[AggregationPlan]:
    """The mean, the run's own rule, and those others that so many sites allow. The root of fltrust is an honest site."""
    own, num = subject.plan.aggregation, attackers + len(honest)
    yield AggregationPlan()
    if own.rule != "mean":
        yield own.model_copy(update={"secure": False})
    for rule in others:
        if rule != own.rule and LIMITS[rule].least(attackers) <= num:
            yield AggregationPlan(rule=rule, attackers=attackers, root=honest[0] if rule == "fltrust" else "")


def _cell(subject: Subject, attack: AttackPlan, rule: AggregationPlan, clean: Trained, attacked: Trained) -> Cell:
    return Cell(rule=rule.rule, clean=clean.quality, attacked=attacked.quality, clean_success=clean.success(subject, attack),
                success=attacked.success(subject, attack))


def finding_of(subject: Subject, attack: AttackPlan, num: int, cells: Sequence[Cell]) -> Finding:
    """The mean's cell is the planted victim; the cell of the run's own rule is the result."""
    mean = cells[0]
    own = next(cell for cell in cells if cell.rule == subject.plan.aggregation.rule)
    is_canary_broken = mean.drop >= BREAKS or mean.rise >= SUCCEEDS
    is_broken = own.drop > HOLDS or own.rise > FAILS
    metric, by_success = primary_metric(subject.plan, subject.blueprint.task), attack.kind == "backdoor"

    def measured(cell: Cell, threshold: float) -> Measure:
        value = cell.rise if by_success else cell.drop
        return Measure(name=f"{'rise of the attack success' if by_success else f'drop of {metric}'} ({cell.rule})", value=value,
                       threshold=threshold, count=len(subject.rows("val")))

    return Finding(attack=f"poisoning: {attack.kind}", question=QUESTION.get(attack.kind, "Could some sites spoil the model?"),
                   settings={"attack": attack.kind, "strength": attack.strength, "malicious_sites": num,
                             "sites": len(subject.blueprint.rows), "metric": metric,
                             "rounds": min(subject.plan.rounds.num, QUICK_ROUNDS if subject.is_quick else ROUNDS), "rule": own.rule},
                   canary=measured(mean, SUCCEEDS if by_success else BREAKS), result=measured(own, FAILS if by_success else HOLDS),
                   verdict=verdict(is_canary_broken=is_canary_broken, is_broken=is_broken), says_not=SAYS_NOT,
                   rows=[cell.row() for cell in cells])


def _too_few(subject: Subject, kind: str, num: int) -> Finding:
    nothing = Measure(name="not measured", value=None)
    return Finding(attack=f"poisoning: {kind}", question=QUESTION.get(kind, "Could some sites spoil the model?"),
                   settings={"sites": num}, canary=nothing, result=nothing, verdict="inconclusive",
                   says_not=f"With {num} sites no rule can tell a malicious site from one that differs: at least {FEWEST} are needed. One "
                            "malicious site can send the mean anywhere.")
