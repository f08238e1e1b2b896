"""Can whoever has the model tell whether a certain image, or patient, was among those that it was trained on?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wardround.attacks.membership import FEWEST, NOTHING, Exposure, exposure, leave_one_out, surprises
from wardround.audit import overfit
from wardround.audit.finding import Finding, Measure, verdict
from wardround.audit.shadows import NoShadows, Shadows, shadows_of
from wardround.audit.subject import Subject
from wardround.privacy.accountant import Spend, spent
from wardround.rng import stream

BROKEN = 0.05  # share of the members found at 1 % false alarms, of which chance finds 0.01
PROTECTED = 0.03  # what may be found of the victims that DP-SGD protects
DELTA = 1e-5  # where the plan leaves it to the sites, which take no more
UNITS = {"image": "image", "patient": "patient", "none": "patient or near-duplicates", "site": "patient or near-duplicates"}
CLAIM = "The scores are impossible for the epsilon that the plan claims: its noise or its accounting is wrong. "
NAME = "share of the members found at 1 % false alarms"
QUESTION = "Can whoever has the model tell that a certain image or patient was among those it was trained on?"
SAYS_NOT = ("That these attacks find few members does not prove that none can be found: better attacks, more shadows, every round's model "
            "or a site's own update may show more, and single unusual patients more than the average. Shadows train on half of the "
            "images, which makes them easier to attack than the run. This is a measured risk, no proof that the model is anonymous.")


@dataclass(frozen=True, kw_only=True)
class Victim:
    """What the attacks came to on one model or group of models."""

    victim: str
    lira: Exposure
    loss: Exposure | None = None

    def rows(self) -> list[dict[str, Any]]:
        attacks = {"LiRA": self.lira, "loss threshold": self.loss}
        return [{"victim": self.victim, "attack": name, "found": found.tpr if found.is_estimable else None, "low": found.low,
                 "high": found.high, "AUC": found.auc, "members": found.num_members, "others": found.num_others,
                 "epsilon at least": found.epsilon_bound} for name, found in attacks.items() if found is not None]


def audit_membership(subject: Subject, *, budget_s: float | None = None) -> list[Finding]:
    """LiRA and the loss threshold on planted victims, on shadows of the run (each attacked with the help of the others) and on its kept
    model. budget_s: for training shadows; None: 600, quick 120. Training and validation rows only."""
    victims, settings = _planted(subject)
    is_canary_broken = victims[0].lira.is_broken(BROKEN) and victims[1].lira.tpr <= PROTECTED
    result, claim, reason = NOTHING, _claim(subject), ""
    try:
        found = shadows_of(subject, budget_s=budget_s)
    except NoShadows as error:
        reason = str(error)
    else:
        settings |= {"shadows": len(found), "unit": UNITS[subject.plan.privacy.unit], "shadows_trained": "by the run's own federation"}
        victims += [_recipe(found, _delta(subject)), _kept(found, subject.seed, _delta(subject))]
        result = victims[2].lira
        reason = "" if result.is_estimable else f"fewer than {FEWEST} images or patients were never trained on: 1 % of them is none"
    is_claim_broken = claim is not None and not reason and result.epsilon_bound > claim
    if claim is not None:
        settings["epsilon_claimed"] = claim
        settings |= {} if reason else {"epsilon_at_least": result.epsilon_bound, "is_claim_broken": is_claim_broken}
    answer = verdict(is_canary_broken=is_canary_broken, is_broken=result.is_broken(BROKEN) or is_claim_broken)
    if reason:
        settings, answer = settings | {"inconclusive_because": reason}, "inconclusive"
    return [Finding(attack="membership inference", question=QUESTION, settings=settings, canary=_measure(victims[0].lira),
                    result=_measure(result), verdict=answer, says_not=(CLAIM if is_claim_broken else "") + SAYS_NOT,
                    rows=[row for victim in victims for row in victim.rows()])]


def _planted(subject: Subject) -> tuple[list[Victim], dict[str, Any]]:
    """Networks that learn by heart, without and with DP-SGD, and how they were made."""
    examples = overfit.examples_of(subject)
    num = overfit.QUICK_MODELS if subject.is_quick else overfit.MODELS
    plain, private = overfit.victims(examples, num, subject.seed), overfit.protected_victims(examples, num, subject.seed)
    return [Victim(victim="planted, learns by heart", lira=plain.by_lira(), loss=plain.by_loss()),
            Victim(victim="planted, DP-SGD", lira=private.by_lira(), loss=private.by_loss())], {
        "seed": subject.seed, "planted_on": examples.origin, "planted_images": len(examples.labels), "planted_models": num,
        "planted_false_labels": overfit.FALSE_LABELS, "planted_noise_multiplier": overfit.NOISE, "planted_clip_norm": overfit.CLIP,
        "planted_epsilon": overfit.PRIVATE_EPSILON}


def _recipe(found: Shadows, delta: float) -> Victim:
    """Each shadow in turn attacked with the help of the others."""
    return Victim(victim="the run's recipe, on random halves", lira=exposure(leave_one_out(found.phi, found.is_in), found.is_in, delta),
                  loss=exposure(found.fit, found.is_in, delta))


def _kept(found: Shadows, seed: int, delta: float) -> Victim:
    """The run's own model. It had all training rows, so only shadows without an example help, of others as many as of members."""
    num_others = found.outside_phi.shape[1]
    ignored = stream(seed, "audit", "outside").random((len(found), num_others)) < 0.5
    scores = surprises(found.own_phi, np.concatenate([found.phi, found.outside_phi], axis=1),
                       ~np.concatenate([found.is_in, ignored], axis=1))
    is_member = np.arange(len(scores)) < len(scores) - num_others
    return Victim(victim="the run's kept model", lira=exposure(scores, is_member, delta), loss=exposure(found.own_fit, is_member, delta))


def _delta(subject: Subject) -> float:
    return subject.plan.privacy.delta or DELTA


def _claim(subject: Subject) -> float | None:
    """The epsilon that shadows must keep to, which train by the run's own terms: the plan's, or what a fixed noise comes to."""
    privacy = subject.plan.privacy
    if privacy.unit not in ("image", "patient"):
        return None
    if privacy.noise_multiplier is None:
        return privacy.epsilon
    num = subject.plan.rounds.num
    return max(spent([Spend(terms.noise_multiplier, terms.sample_rate, terms.steps_per_round * num)], terms.delta).epsilon
               for terms in subject.blueprint.terms.values())


def _measure(found: Exposure) -> Measure:
    if not found.is_estimable:
        return Measure(name=NAME, value=None, threshold=BROKEN, count=found.num_members)
    return Measure(name=NAME, value=found.tpr, low=found.low, high=found.high, threshold=BROKEN, count=found.num_members)
