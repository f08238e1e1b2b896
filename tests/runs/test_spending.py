"""What privacy.json tells."""

import json

import pytest

from wardround.errors import WardroundError
from wardround.privacy.accountant import Spend
from wardround.privacy.ledger import Ledger
from wardround.privacy.terms import Terms
from wardround.runs.folder import RunFolder
from wardround.runs.spending import read_spending, write_spending

ROUND = Spend(noise_multiplier=1.0, sample_rate=0.1, steps=10)


def terms(unit: str = "patient", delta: float = 1e-5) -> Terms:
    return Terms(unit=unit, noise_multiplier=1.0, sample_rate=0.1, clip_norm=0.5, delta=delta, epsilon=8.0, steps_per_round=10,
                 physical_batch=8, images_per_patient=4)


def written(folder, held: dict[str, Terms], rounds: tuple[int, ...]) -> dict:
    ledgers = {site: Ledger(folder / f"{site}.jsonl", epsilon=8.0, delta=each.delta) for site, each in held.items()}
    for ledger in ledgers.values():
        for t in rounds:
            ledger.spend(ROUND, round=t, run="r")
    write_spending(RunFolder(folder), held, ledgers, ["one patient is hidden"])
    return read_spending(folder)


def test_every_site_is_told_with_what_it_spent_by_each_accountant(tmp_path) -> None:
    found = written(tmp_path, {"north": terms(), "south": terms(delta=1e-6)}, (1, 2, 2))
    assert (found["unit"], found["relation"], found["sampling"], found["delta"], found["clip_norm"]) == (
        "patient", "add or remove one", "poisson", 1e-5, 0.5)
    north, south = found["sites"]["north"], found["sites"]["south"]
    assert (north["steps"], north["repeated"], north["budget"], north["noise_multiplier"], north["sample_rate"]) == (30, 1, 8.0, 1.0, 0.1)
    assert north["pld"] == pytest.approx(4.178, abs=0.001)
    assert north["pld"] <= north["rdp"]
    assert north["prv"] == pytest.approx(north["pld"], abs=0.02)
    assert south["epsilon"] > north["epsilon"]  # a smaller delta
    assert any("validation images" in text for text in found["not_covered"])
    assert found["promises"] == ["one patient is hidden"]


def test_whole_sites_are_sampled_never_and_their_server_is_trusted(tmp_path) -> None:
    found = written(tmp_path, {"server": terms("site")}, ())
    assert found["sampling"] == "all sites, every round"
    assert (found["sites"]["server"]["epsilon"], found["sites"]["server"]["steps"]) == (0.0, 0)
    assert any("server is trusted" in text for text in found["not_covered"])


def test_a_run_without_privacy_has_none(tmp_path) -> None:
    assert read_spending(tmp_path) is None


@pytest.mark.parametrize("change", [{"sites": {"north": {"epsilon": "8"}}}, {"sites": []}, {"not_covered": None}, {"promises": "all"},
                                    {"unit": 3}])
def test_a_changed_file_is_refused(tmp_path, change) -> None:
    found = written(tmp_path, {"north": terms()}, ())
    (tmp_path / "privacy.json").write_text(json.dumps({**found, **change}))
    with pytest.raises(WardroundError, match=r"privacy.json does not tell what was spent"):
        read_spending(tmp_path)
