"""Plans with an attack: who is malicious, what they do, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from stacks import X, numbers, stack

from wardround.attacks.choose import check_attack, in_words, make_corruption, make_poison, malicious
from wardround.errors import PlanError
from wardround.plan.schema import AttackPlan, DataPlan, Plan, RoundsPlan, SitesPlan

SITES = tuple(f"site-{number}" for number in range(1, 11))
CLASSES = ("healthy", "unclear", "ill")


def corrupted(kind: str, malicious_rows: tuple[int, ...] = (6,), rows: Any = X, num_buffers: int = 0, **settings: Any) -> list[list[float]]:
    corruption = make_corruption(AttackPlan(kind=kind, **settings))
    assert corruption is not None
    found = corruption(stack(rows, num_buffers), malicious_rows, torch.Generator().manual_seed(0))
    return [row.tolist() for row in found]


def refused(match: str, attack: AttackPlan, **sections: Any) -> None:
    with pytest.raises(PlanError, match=match):
        check_attack(Plan(name="x", attack=attack, **{"sites": SitesPlan(num=10), **sections}))


def test_a_share_of_the_sites_is_drawn_by_the_seed() -> None:
    plan = AttackPlan(kind="alie", share=0.3)
    assert len(malicious(plan, SITES, 0)) == 3
    assert malicious(plan, SITES, 0) == malicious(plan, SITES, 0)
    assert len({malicious(plan, SITES, seed) for seed in range(5)}) > 1
    assert list(malicious(plan, SITES, 0)) == [site for site in SITES if site in malicious(plan, SITES, 0)]


@pytest.mark.parametrize(("share", "num_sites", "expected"), [(0.2, 10, 2), (0.25, 10, 3), (0.0, 10, 1), (0.2, 3, 1), (0.6, 5, 3)])
def test_shares_are_rounded_to_the_nearest_number_and_at_least_one(share: float, num_sites: int, expected: int) -> None:
    assert len(malicious(AttackPlan(kind="alie", share=share), SITES[:num_sites], 0)) == expected


def test_named_sites_are_malicious_whatever_the_share() -> None:
    plan = AttackPlan(kind="alie", share=0.9, sites=("site-9", "site-2"))
    assert malicious(plan, SITES, 0) == ("site-2", "site-9")


def test_without_an_attack_all_are_honest() -> None:
    plan = AttackPlan(sites=("nobody",))
    assert malicious(plan, SITES, 0) == ()
    assert make_poison(plan, SITES, CLASSES, 0) is make_corruption(plan) is None
    assert in_words(plan) == ""
    check_attack(Plan(name="x", attack=plan))


def test_a_label_flip_poisons_and_sends_what_it_learnt() -> None:
    plan = AttackPlan(kind="label-flip", source="ill", target="healthy", sites=("site-3",), from_round=4)
    poison = make_poison(plan, SITES, CLASSES, 0)
    assert poison is not None
    assert (poison.sites, poison.from_round) == ({"site-3"}, 4)
    assert poison.change(torch.zeros(3, 1, 2, 2), torch.tensor([0, 1, 2]), np.random.default_rng(0))[1].tolist() == [0, 1, 0]
    assert make_corruption(plan) is None


def test_a_label_flip_with_a_strength_is_enlarged() -> None:
    assert corrupted("label-flip", strength=3.0) == [[30.0, -30.0, 90.0]]


def test_a_backdoor_poisons_and_is_enlarged_by_sites_a_malicious_one() -> None:
    poison = make_poison(AttackPlan(kind="backdoor", target="ill", poisoned=1.0), SITES, CLASSES, 0)
    assert poison is not None
    assert poison.change(torch.zeros(2, 1, 8, 8), torch.zeros(2).long(), np.random.default_rng(0))[1].tolist() == [2, 2]
    assert corrupted("backdoor") == [[70.0, -70.0, 210.0]]
    assert corrupted("backdoor", (0, 6))[0] == pytest.approx([3.5, 7.0, 10.5])
    assert corrupted("backdoor", strength=4.0) == [[40.0, -40.0, 120.0]]


@pytest.mark.parametrize("kind", ["sign-flip", "gaussian", "inner-product", "alie", "min-max"])
def test_attacks_on_updates_leave_images_alone(kind: str) -> None:
    assert make_poison(AttackPlan(kind=kind), SITES, CLASSES, 0) is None


def test_a_sign_flip_starts_from_the_site_s_own_change() -> None:
    assert corrupted("sign-flip") == [[-40.0, 40.0, -120.0]]


@pytest.mark.parametrize("kind", ["inner-product", "alie", "min-max"])
def test_who_knows_all_honest_changes_does_not_count_malicious_ones_among_them(kind: str) -> None:
    far = [*X[:6], [1e6, 1e6, 1e6]]
    assert corrupted(kind) == corrupted(kind, rows=far)
    both = corrupted(kind, (5, 6))
    assert both[0] == both[1]


def test_inner_product_and_alie_are_the_reference_vectors() -> None:
    assert corrupted("inner-product", strength=2.0)[0] == pytest.approx([-2.0666667, -4.0166667, -6.0166667])
    assert corrupted("alie", strength=1.5)[0] == pytest.approx([0.87131482, 1.79400298, 2.79400298], abs=1e-6)


def test_each_malicious_site_draws_its_own_noise() -> None:
    first, second = corrupted("gaussian", (5, 6))
    assert first != second
    assert np.linalg.norm(first) == pytest.approx(10 * np.linalg.norm(X[:5].mean(0)))


def test_running_statistics_stay_the_site_s_own() -> None:
    for kind in ("backdoor", "sign-flip", "gaussian", "inner-product", "alie", "min-max"):
        row = corrupted(kind, num_buffers=1)[0]
        assert len(row) == 3
        assert row[2] == 30.0


def test_malicious_sites_alone_in_a_round_go_by_their_own_changes() -> None:
    assert corrupted("inner-product", (0, 1), rows=[[1, 2], [3, 4]], strength=1.0) == [[-2.0, -3.0]] * 2


def test_the_round_s_updates_are_not_written_to() -> None:
    before = stack(X)
    for kind in ("sign-flip", "gaussian", "inner-product", "alie", "min-max"):
        corruption = make_corruption(AttackPlan(kind=kind))
        assert corruption is not None
        corruption(before, (6,), torch.Generator())[0].zero_()
    assert [numbers(before.params(row, row[3:])) for row in before.rows] == [numbers(before.params(row, row[3:])) for row in stack(X).rows]


def test_unknown_sites_are_refused() -> None:
    refused(r"attack.sites: there is no site 'site-11'. Did you mean 'site-1'", AttackPlan(kind="alie", sites=("site-11",)))
    refused("no site 'site-1'", AttackPlan(kind="alie", sites=("site-1",)), sites=SitesPlan(num=2, names=("north", "south")))


@pytest.mark.parametrize("attack", [AttackPlan(kind="alie", share=1.0), AttackPlan(kind="alie", sites=SITES)])
def test_nobody_honest_is_refused(attack: AttackPlan) -> None:
    refused("all 10 sites would be malicious", attack)
    refused("all 1 sites would be malicious", AttackPlan(kind="alie"), sites=SitesPlan(num=1))


def test_sites_that_only_the_data_name_are_checked_later() -> None:
    attack = AttackPlan(kind="alie", sites=("elsewhere",))
    check_attack(Plan(name="x", attack=attack, sites=SitesPlan(partition="column")))
    with pytest.raises(PlanError, match="no site 'elsewhere'"):
        malicious(attack, ("north", "south"), 0)


def test_more_malicious_than_honest_sites_are_allowed_for_it_shows_where_rules_end() -> None:
    check_attack(Plan(name="x", attack=AttackPlan(kind="alie", share=0.8), sites=SitesPlan(num=10)))


def test_an_attack_after_the_last_round_is_refused() -> None:
    refused("the sites would behave to the end", AttackPlan(kind="alie", from_round=6), rounds=RoundsPlan(num=5))


def test_a_flip_that_changes_nothing_is_refused() -> None:
    refused("which changes no label", AttackPlan(kind="label-flip", source="ill", target="ill"))
    with pytest.raises(PlanError, match="no label would change"):
        make_poison(AttackPlan(kind="label-flip", source="healthy"), SITES, CLASSES, 0)
    with pytest.raises(PlanError, match="but not which"):
        make_poison(AttackPlan(kind="label-flip", target="ill"), SITES, CLASSES, 0)


@pytest.mark.parametrize("attack", [AttackPlan(kind="label-flip", source="il"), AttackPlan(kind="backdoor", target="il")])
def test_classes_that_there_are_not_are_refused_once_the_data_are_known(attack: AttackPlan) -> None:
    check_attack(Plan(name="x", attack=attack))
    with pytest.raises(PlanError, match=r"there is no class 'il'. Did you mean 'ill'"):
        make_poison(attack, SITES, CLASSES, 0)


def test_a_backdoor_without_room_is_refused() -> None:
    refused("no room for the backdoor's patch", AttackPlan(kind="backdoor", patch=0.0))
    refused("less than half a pixel", AttackPlan(kind="backdoor", patch=0.01), data=DataPlan(size=16))
    refused("more than a quarter of the image", AttackPlan(kind="backdoor", patch=0.6))
    refused("no image would carry", AttackPlan(kind="backdoor", poisoned=0.0))
    check_attack(Plan(name="x", attack=AttackPlan(kind="backdoor"), data=DataPlan(size=8)))


def test_attacks_that_do_not_fit_the_task_are_refused() -> None:
    refused("images with masks have none", AttackPlan(kind="backdoor"), data=DataPlan(dataset="lgg-mri"))
    refused("becomes no other one", AttackPlan(kind="label-flip", source="Mass", target="Nodule"), data=DataPlan(dataset="nih-chestxray14"))
    check_attack(Plan(name="x", attack=AttackPlan(kind="label-flip", source="1", target="0"), data=DataPlan(dataset="lgg-mri")))


def test_in_words_it_says_who_does_what_and_that_it_is_a_simulation() -> None:
    assert in_words(AttackPlan(kind="sign-flip", share=0.2, from_round=3)) == (
        "20% of the sites, at least one, are malicious from round 3 on (attack sign-flip): they send the opposite of what they learnt, "
        "enlarged. This is a simulation.")
    assert in_words(AttackPlan(kind="alie", sites=("north", "south"))).startswith("The sites north, south are malicious (attack alie):")
