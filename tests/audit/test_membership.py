"""Members of a run: planted victims that know theirs by heart, shadows of the run, and what the verdict is made of."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from wardround.audit import membership, overfit, shadows
from wardround.audit.finding import Finding
from wardround.audit.membership import audit_membership
from wardround.audit.shadows import NoShadows, Shadows, shadows_of, units_of
from wardround.audit.subject import Subject
from wardround.plan.schema import Plan, PrivacyPlan
from wardround.privacy.accountant import Spend
from wardround.privacy.terms import Terms
from wardround.rng import stream

EXAMPLES = overfit.generated(300, 0)


@pytest.fixture(scope="module")
def planted() -> list[overfit.Victims]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overfit, "PRIVATE_STEPS", 50)
        return [overfit.victims(EXAMPLES, 8, 0), overfit.protected_victims(EXAMPLES, 8, 0)]


def test_planted_victims_that_know_their_images_by_heart_are_found_out(planted: list[overfit.Victims]) -> None:
    found = planted[0].by_lira()
    assert found.is_broken(0.05) and 250 < found.num_members < 300


def test_a_loss_threshold_would_call_them_safe(planted: list[overfit.Victims]) -> None:
    assert not planted[0].by_loss().is_broken(0.05)


def test_the_same_victims_resist_under_dp_sgd(planted: list[overfit.Victims]) -> None:
    assert planted[1].by_lira().tpr <= 0.03
    assert (planted[1].is_in == planted[0].is_in).all()


def test_some_labels_are_false_and_images_are_standardised() -> None:
    false = (EXAMPLES.labels.numpy() != np.arange(300) % 10).mean()
    assert 0.05 < false < 0.15  # one in ten, of which a tenth are right by chance
    assert abs(float(EXAMPLES.images.mean())) < 1e-5 and abs(float(EXAMPLES.images.std()) - 1) < 0.01


def test_shadows_train_on_halves_of_the_training_rows(subject_with: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subject_with(rounds={"num": 1})
    monkeypatch.setattr(shadows, "QUICK_MOST", 2)
    trained: list[np.ndarray] = []
    run_rounds = shadows.run_rounds

    def watched(plan, strategy, fleet, course, **rest):  # type: ignore[no-untyped-def]
        trained.append(np.concatenate([held.train for held in fleet.blueprint.rows.values()]))
        return run_rounds(plan, strategy, fleet, course, **rest)

    monkeypatch.setattr(shadows, "run_rounds", watched)
    found = shadows_of(subject, budget_s=1000)
    units = units_of(subject, subject.rows("train"))
    for rows, half in zip(trained, found.is_in, strict=True):
        assert sorted(rows) == subject.rows("train")[half[units]].tolist()
    assert 0.3 < found.is_in.mean() < 0.7
    assert found.phi.shape == found.is_in.shape and found.outside_phi.shape == (2, len(np.unique(units_of(subject, subject.rows("val")))))
    assert found.own_phi.shape == (found.phi.shape[1] + found.outside_phi.shape[1],)


def test_too_little_time_for_shadows_is_said_after_one_round(subject_with: Callable[..., Subject]) -> None:
    with pytest.raises(NoShadows, match=r"8 shadows would take about .* s, and 0 s are given"):
        shadows_of(subject_with(), budget_s=0.0)


def test_masks_have_no_confidence(subject_with: Callable[..., Subject]) -> None:
    subject = subject_with()
    with pytest.raises(NoShadows, match="mask"):
        shadows_of(replace(subject, blueprint=replace(subject.blueprint, task="segmentation")))


def test_near_duplicates_are_one_unit_unless_single_images_are_hidden(subject_with: Callable[..., Subject]) -> None:
    subject = subject_with()
    twins = replace(subject.prepared, groups=subject.prepared.groups // 2)
    rows = np.arange(6)
    assert len(np.unique(units_of(replace(subject, prepared=twins), rows))) == 3
    hidden = replace(subject, prepared=twins, plan=private(subject, 8.0))
    assert len(np.unique(units_of(hidden, rows))) == 6


def private(subject: Subject, epsilon: float) -> Plan:
    return subject.plan.model_copy(update={"privacy": PrivacyPlan(unit="image", epsilon=epsilon)})


def synthetic(leak: float, num: int = 600) -> Shadows:
    """Shadows more confident of their members by `leak` standard deviations."""
    rng = stream(0, "synthetic")
    is_in = rng.random((16, num)) < 0.5
    phi = rng.normal(size=is_in.shape) + leak * is_in
    own = rng.normal(size=2 * num) + leak * (np.arange(2 * num) < num)
    return Shadows(phi=phi, fit=phi, is_in=is_in, outside_phi=rng.normal(size=is_in.shape), own_phi=own, own_fit=own)


def audited(subject: Subject, found: Shadows, monkeypatch: pytest.MonkeyPatch, planted: list[overfit.Victims]) -> Finding:
    monkeypatch.setattr(membership, "shadows_of", lambda subject, budget_s: found)
    monkeypatch.setattr(overfit, "victims", lambda *_: planted[0])
    monkeypatch.setattr(overfit, "protected_victims", lambda *_: planted[1])
    (finding,) = audit_membership(subject)
    return finding


@pytest.mark.parametrize(("leak", "expected"), [(0.0, "resists"), (2.0, "leaks")])
def test_verdict_on_a_run(leak: float, expected: str, subject_with: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch,
                          planted: list[overfit.Victims]) -> None:
    finding = audited(subject_with(), synthetic(leak), monkeypatch, planted)
    assert finding.verdict == expected and finding.canary.value is not None and finding.canary.value >= 0.05
    assert finding.result.low is not None and finding.result.count == 599  # one of 600 was in no half, or in all
    assert [(row["victim"], row["attack"]) for row in finding.rows][-2:] == [("the run's kept model", "LiRA"),
                                                                             ("the run's kept model", "loss threshold")]
    kept = finding.rows[-2]
    assert (kept["found"] > 0.2) == (leak > 0) and kept["low"] < kept["found"] < kept["high"]


def test_too_few_images_are_inconclusive(subject_with: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch,
                                         planted: list[overfit.Victims]) -> None:
    finding = audited(subject_with(), synthetic(2.0, num=50), monkeypatch, planted)
    assert finding.verdict == "inconclusive" and "fewer than 100" in finding.settings["inconclusive_because"]
    assert finding.result.value is None


def test_a_planted_victim_that_withstands_proves_nothing(subject_with: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch,
                                                         planted: list[overfit.Victims]) -> None:
    assert audited(subject_with(), synthetic(0.0), monkeypatch, [planted[1], planted[1]]).verdict == "inconclusive"


def test_scores_that_the_claimed_epsilon_forbids_are_a_leak(subject_with: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch,
                                                            planted: list[overfit.Victims]) -> None:
    subject = subject_with()
    subject = replace(subject, plan=private(subject, 0.5))
    finding = audited(subject, synthetic(0.7, num=3000), monkeypatch, planted)
    assert finding.settings["is_claim_broken"] and finding.settings["epsilon_at_least"] > finding.settings["epsilon_claimed"] == 0.5
    assert finding.verdict == "leaks" and "epsilon that the plan claims" in finding.says_not
    honest = audited(subject, synthetic(0.0, num=3000), monkeypatch, planted)
    assert honest.verdict == "resists" and not honest.settings["is_claim_broken"]


def test_a_fixed_noise_claims_what_it_comes_to(subject_with: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the plan's budget of 50, but what the accountant makes of 100 steps in each of three rounds."""
    subject = subject_with(rounds={"num": 3})
    plan = subject.plan.model_copy(update={"privacy": PrivacyPlan(unit="image", epsilon=50.0, noise_multiplier=1.0)})
    terms = Terms(unit="image", noise_multiplier=1.0, sample_rate=0.1, clip_norm=1.0, delta=1e-5, epsilon=50.0, steps_per_round=100,
                  physical_batch=64, images_per_patient=1)
    subject = replace(subject, plan=plan, blueprint=replace(subject.blueprint, terms={"site-1": terms}))
    counted = {((Spend(1.0, 0.1, 300),), 1e-5): 12.4}
    monkeypatch.setattr(membership, "spent", lambda spends, delta: SimpleNamespace(epsilon=counted[tuple(spends), delta]))
    assert membership._claim(subject) == 12.4
    assert membership._claim(subject_with()) is None
