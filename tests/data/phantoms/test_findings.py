"""What each sign looks like, measured on films that differ in nothing else."""

import numpy as np
import pytest

from wardround.data.datasets.nih_chestxray14 import FINDINGS
from wardround.data.phantoms import chest, findings
from wardround.data.phantoms.findings import PENCILS, build_of

STRENGTH = 0.9


def signs(name: str, *, strength: float = STRENGTH, num: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Films without and with the sign on the same anatomy, and where the lungs are: (num, 128, 128) change, (num, 128, 128) lungs."""
    changes, lungs = [], []
    for seed in range(num):
        body, rng = np.random.default_rng(seed), np.random.default_rng(seed + 100)
        build = build_of({}, body, is_supine=False)
        place = chest.chest_of(body, rng, build)
        picture = chest.soft_tissue(body, place, build)
        changes.append(PENCILS[name](rng, place, picture, strength) - picture)
        lungs.append(place.lungs)
    return np.stack(changes), np.stack(lungs)


def test_every_finding_has_a_pencil() -> None:
    assert sorted(PENCILS) == sorted(FINDINGS)


@pytest.mark.parametrize("name", sorted(set(FINDINGS) - {"Cardiomegaly"}))
def test_a_sign_is_drawn_in_every_film_and_grows_with_its_strength(name: str) -> None:
    plain, faint = (np.abs(signs(name, strength=strength)[0]) for strength in (0.9, 0.1))
    assert (plain.max((1, 2)) > 0.08).all()
    assert plain.mean() > 1.2 * faint.mean()


@pytest.mark.parametrize("name", ["Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Consolidation", "Edema", "Fibrosis",
                                  "Pleural_Thickening", "Atelectasis"])
def test_opacities_make_the_lungs_brighter(name: str) -> None:
    change, lungs = signs(name)
    assert ((change * lungs).sum((1, 2)) > 0).all()


@pytest.mark.parametrize("name", ["Pneumothorax", "Emphysema"])
def test_air_makes_the_lungs_darker(name: str) -> None:
    change, lungs = signs(name, num=16)
    assert (change * lungs).sum() < 0


def test_an_effusion_lies_below_and_a_mass_is_larger_than_a_nodule() -> None:
    fluid = signs("Effusion")[0]
    assert fluid[:, 76:].sum() > 5 * fluid[:, :64].sum()
    assert (signs("Mass")[0] > 0.1).sum() > 2 * (signs("Nodule")[0] > 0.1).sum()


def test_edema_is_on_both_sides_and_a_pneumonia_on_one() -> None:
    def evenness(name: str) -> float:
        change = signs(name)[0].clip(0)
        left, right = change[:, :, :64].sum((1, 2)), change[:, :, 64:].sum((1, 2))
        return float(np.mean(np.minimum(left, right) / np.maximum(left, right)))
    assert evenness("Edema") > 0.5 > 0.25 > evenness("Pneumonia")


def test_findings_of_the_whole_chest_change_the_anatomy() -> None:
    def build(**strengths: float) -> chest.Build:
        return findings.build_of(strengths, np.random.default_rng(0), is_supine=False)
    healthy = build()
    assert build(Cardiomegaly=1.0).heart > 1.4 * healthy.heart
    assert build(Emphysema=1.0).dome < 0.3 * healthy.dome
    assert sum(build(Emphysema=1.0).floors) > sum(healthy.floors) > sum(build(Atelectasis=1.0).floors)
    assert findings.build_of({}, np.random.default_rng(0), is_supine=True).heart > healthy.heart


def test_a_faint_wide_heart_is_no_wider_than_some_healthy_ones() -> None:
    hearts = {wide: [build_of({"Cardiomegaly": wide} if wide else {}, np.random.default_rng(i), is_supine=False).heart for i in range(40)]
              for wide in (0.0, 0.1)}
    assert min(hearts[0.1]) < max(hearts[0.0])
